//! Split debug information: packages and single files.

use std::{fs, path::Path};

use heaplens::snapshot::{SymbolSource, Symbols};
use heaplens_cli::symbols::Note;

use crate::fixture::{Built, Known, all_frames, has_inlined_chain, run};

fn files_with_extension(dir: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir)
        .expect("listing")
        .map(|entry| entry.expect("an entry").path());
    entries
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect()
}

#[track_caller]
fn check_degraded(built: &Built, outcome_notes: &[Note], symbols: &Symbols) {
    let [Note::SplitUnitsMissing { module, units, .. }] = outcome_notes else {
        panic!("{outcome_notes:?}");
    };
    assert_eq!((Path::new(module), *units), (built.path.as_path(), 1));
    assert!(outcome_notes[0].to_string().contains(".dwp"));
    assert_eq!(symbols.sources[1], SymbolSource::SymbolTable);
    // What stays in the program: names of functions, and lines.
    assert!(!has_inlined_chain(symbols));
    let first = &all_frames(symbols)[1];
    assert_eq!(first[0].function, "program::widget::compose");
}

#[test]
fn a_package_is_found_beside_the_program_or_in_the_debug_folder() {
    let built = Built::new(&["-Cdebuginfo=2", "-Csplit-debuginfo=packed"]);
    let known = Known::of(&built.path);
    let [package] = files_with_extension(built.dir.path(), "dwp")
        .try_into()
        .expect("a package");
    let outcome = run(&known.sample(), &[]);
    assert_eq!(outcome.notes, []);
    assert!(has_inlined_chain(&outcome.symbols));
    assert_eq!(outcome.symbols.sources[1], SymbolSource::DebugInfo);

    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    fs::copy(
        &package,
        elsewhere.path().join(package.file_name().unwrap()),
    )
    .expect("copying");
    fs::remove_file(&package).expect("removing");
    let outcome = run(&known.sample(), &[elsewhere.path()]);
    assert_eq!(outcome.notes, []);
    assert!(has_inlined_chain(&outcome.symbols));

    let outcome = run(&known.sample(), &[]);
    check_degraded(&built, &outcome.notes, &outcome.symbols);
    fs::write(&package, b"\x7fELF but no more").expect("writing");
    let outcome = run(&known.sample(), &[]);
    check_degraded(&built, &outcome.notes, &outcome.symbols);
}

#[test]
fn single_files_are_found_where_the_compiler_left_them_or_in_the_debug_folder() {
    let built = Built::new(&["-Cdebuginfo=2", "-Csplit-debuginfo=unpacked"]);
    let known = Known::of(&built.path);
    let units = files_with_extension(built.dir.path(), "dwo");
    assert!(!units.is_empty());
    let outcome = run(&known.sample(), &[]);
    assert_eq!(outcome.notes, []);
    assert!(has_inlined_chain(&outcome.symbols));

    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    for unit in &units {
        fs::copy(unit, elsewhere.path().join(unit.file_name().unwrap())).expect("copying");
        fs::remove_file(unit).expect("removing");
    }
    let outcome = run(&known.sample(), &[elsewhere.path()]);
    assert_eq!(outcome.notes, []);
    assert!(has_inlined_chain(&outcome.symbols));

    let outcome = run(&known.sample(), &[]);
    check_degraded(&built, &outcome.notes, &outcome.symbols);
}
