//! Snapshots that carry names already.

use std::fs;

use heaplens::snapshot::SymbolSource;
use heaplens_cli::symbols::Note;

use crate::fixture::{Built, Known, all_frames, frames, has_inlined_chain, run, tool};

#[test]
fn names_stay_when_the_program_is_gone() {
    let built = Built::new(&["-Cdebuginfo=1"]);
    let known = Known::of(&built.path);
    let mut snapshot = known.sample();
    let first = run(&snapshot, &[]).symbols;
    snapshot.symbols = Some(first.clone());
    fs::remove_file(&built.path).expect("removing");

    let again = run(&snapshot, &[]);
    assert_eq!(again.notes, []);
    assert_eq!(all_frames(&again.symbols), all_frames(&first));
    assert_eq!(again.symbols.sources, first.sources);
}

#[test]
fn names_of_a_symbol_table_stay_until_debug_info_turns_up() {
    let built = Built::new(&["-Cdebuginfo=1"]);
    let known = Known::of(&built.path);
    let deployed = built.at("deployed");
    tool!("strip", "--strip-debug", "-o", deployed, built.path);
    let mut snapshot = known.recorded_at(&deployed).sample();
    let names_only = run(&snapshot, &[]).symbols;
    assert_eq!(names_only.sources[1], SymbolSource::SymbolTable);
    snapshot.symbols = Some(names_only.clone());

    fs::remove_file(&deployed).expect("removing");
    let gone = run(&snapshot, &[]);
    assert!(
        matches!(gone.notes.as_slice(), [Note::NoLines { .. }]),
        "{:?}",
        gone.notes
    );
    assert_eq!(all_frames(&gone.symbols), all_frames(&names_only));
    assert_eq!(gone.symbols.sources, names_only.sources);

    let better = run(&snapshot, &[built.dir.path()]);
    assert_eq!(better.notes, []);
    assert_eq!(better.symbols.sources[1], SymbolSource::DebugInfo);
    assert!(has_inlined_chain(&better.symbols));
}

#[test]
fn a_module_without_file_is_tried_again() {
    let built = Built::new(&["-Cdebuginfo=1"]);
    let known = Known::of(&built.path);
    let hidden = built.moved_to("hidden/svc");
    let mut snapshot = known.sample();
    let missing = run(&snapshot, &[]);
    assert_eq!(missing.symbols.sources[1], SymbolSource::Missing);
    snapshot.symbols = Some(missing.symbols);
    let found = run(&snapshot, &[hidden.parent().unwrap()]);
    assert!(has_inlined_chain(&found.symbols));
    assert!(
        !found
            .symbols
            .strings
            .iter()
            .any(|text| text.starts_with("svc+0x"))
    );
}

#[test]
fn carried_names_are_cleaned_and_contradicting_ones_dropped() {
    let built = Built::new(&["-Cdebuginfo=1"]);
    let mut snapshot = Known::of(&built.path).sample();
    let good = run(&snapshot, &[]).symbols;

    let mut hostile = good.clone();
    hostile.strings.fill("x\u{1b}[31m\u{202e}".into());
    snapshot.symbols = Some(hostile);
    let outcome = run(&snapshot, &[]);
    assert_eq!(
        frames(&outcome.symbols, 1)[0].function,
        "x\u{fffd}[31m\u{fffd}"
    );

    let mut broken = good.clone();
    broken.frame.iter_mut().for_each(|frame| *frame = u32::MAX);
    snapshot.symbols = Some(broken);
    assert_eq!(run(&snapshot, &[]).symbols, good);
}
