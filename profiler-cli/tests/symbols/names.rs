//! What names, lines and inlined calls each kind of build gives.

use heaplens::snapshot::SymbolSource;
use heaplens_cli::symbols::Note;

use crate::fixture::{Built, Known, all_frames, frames, has_inlined_chain, line_of, run};

/// The containing function of each row but the special one.
#[track_caller]
fn check_containing_functions(known: &Known, symbols: &heaplens::snapshot::Symbols) {
    let compose = known.addresses("program::widget::compose").len();
    let rows = all_frames(symbols);
    assert_eq!(rows[0], [], "a special frame has no code");
    for (index, frames) in rows[1..].iter().enumerate() {
        let expected = if index < compose { "compose" } else { "render" };
        let outermost = frames.last().expect("a frame");
        assert_eq!(outermost.function, format!("program::widget::{expected}"));
        assert!(!outermost.inlined);
    }
}

#[test]
fn debug_info_gives_names_lines_and_inlined_calls() {
    let built = Built::new(&["-Cdebuginfo=2"]);
    let known = Known::of(&built.path);
    let outcome = run(&known.sample(), &[]);

    assert_eq!(outcome.notes, []);
    assert_eq!(
        outcome.symbols.sources,
        [SymbolSource::Missing, SymbolSource::DebugInfo]
    );
    check_containing_functions(&known, &outcome.symbols);
    assert!(has_inlined_chain(&outcome.symbols));
    let inlined: Vec<_> = all_frames(&outcome.symbols).concat();
    assert!(
        inlined
            .iter()
            .any(|frame| frame.function == "program::widget::leaf")
    );
    let render = known.addresses("program::widget::render").len();
    let rows = outcome.symbols.first_frame.len() - 1;
    let lines: Vec<u32> = (rows - render..rows)
        .map(|row| frames(&outcome.symbols, row).pop().unwrap().line)
        .collect();
    assert!(lines.contains(&line_of("render")), "{lines:?}");
}

#[test]
fn line_tables_give_the_same_with_full_names_for_containing_functions() {
    let built = Built::new(&["-Cdebuginfo=line-tables-only"]);
    let known = Known::of(&built.path);
    let outcome = run(&known.sample(), &[]);

    assert_eq!(outcome.notes, []);
    assert_eq!(outcome.symbols.sources[1], SymbolSource::DebugInfo);
    check_containing_functions(&known, &outcome.symbols);
    assert!(has_inlined_chain(&outcome.symbols));
}

#[test]
fn a_plain_release_build_gives_names_and_says_once_how_to_get_lines() {
    // With and without the line tables that rustc's std brings along.
    for arguments in [&["-Cstrip=debuginfo"][..], &[]] {
        let built = Built::new(arguments);
        let known = Known::of(&built.path);
        let mut addresses = known.addresses("program::widget::compose");
        addresses.extend(known.addresses("program::widget::render"));
        addresses.extend(known.addresses("program::main"));
        addresses.push(known.addresses("std::rt::lang_start_internal")[8]);
        let outcome = run(&known.snapshot(&addresses), &[]);

        let module = known.module.path.clone();
        assert_eq!(outcome.notes, [Note::NoLines { module }]);
        assert!(
            outcome.notes[0]
                .to_string()
                .contains("debug = \"line-tables-only\"")
        );
        assert_eq!(outcome.symbols.sources[1], SymbolSource::SymbolTable);
        let rows = all_frames(&outcome.symbols);
        assert_eq!(rows[1].last().unwrap().function, "program::widget::compose");
        assert_eq!(rows[1].last().unwrap().line, 0);
        assert_eq!(
            rows.last().unwrap().last().unwrap().function,
            "std::rt::lang_start_internal"
        );
    }
}

#[test]
fn an_address_outside_of_functions_reads_as_module_and_offset() {
    for arguments in [&["-Cdebuginfo=1"][..], &["-Cstrip=debuginfo"]] {
        let built = Built::new(arguments);
        let outcome = run(
            &Known::of(&built.path).snapshot(&[0, 0x7fff_ffff_f123]),
            &[],
        );
        assert_eq!(frames(&outcome.symbols, 1)[0].function, "svc+0x0");
        assert_eq!(
            frames(&outcome.symbols, 2)[0].function,
            "svc+0x7ffffffff123"
        );
        assert_eq!(frames(&outcome.symbols, 2).len(), 1);
    }
}

#[test]
fn each_address_is_looked_up_once() {
    let built = Built::new(&["-Cdebuginfo=1"]);
    let known = Known::of(&built.path);
    let addresses = known.addresses("program::widget::compose");
    let many: Vec<u64> = addresses.iter().copied().cycle().take(50_000).collect();
    let mut last = (0, 0);
    let mut calls = 0;
    let outcome = heaplens_cli::symbols::symbolize(
        &known.snapshot(&many),
        &heaplens_cli::symbols::Options::default(),
        &mut |done, total| {
            assert!(done >= last.0 && done <= total);
            last = (done, total);
            calls += 1;
        },
    );
    let distinct = addresses.len() as u64;
    assert_eq!(last, (distinct, distinct));
    assert!(calls >= 2);
    assert_eq!(outcome.symbols.first_frame.len(), many.len() + 2);
    assert!(outcome.symbols.function.len() <= 4 * addresses.len());
    let mut strings = outcome.symbols.strings.clone();
    strings.sort();
    strings.dedup();
    assert_eq!(strings.len(), outcome.symbols.strings.len());
}
