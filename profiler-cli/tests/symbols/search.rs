//! Where a module's file is found, and what is refused.

use std::{fs, path::Path};

use heaplens::snapshot::SymbolSource;
use heaplens_cli::symbols::Note;

use crate::fixture::{Built, Known, SOURCE, frames, has_inlined_chain, run, tool};

const DEBUG: &[&str] = &["-Cdebuginfo=1"];
const NO_BUILD_ID: &[&str] = &["-Cdebuginfo=1", "-Clink-arg=-Wl,--build-id=none"];

fn folder(path: &Path) -> &Path {
    fs::create_dir_all(path).expect("making a folder");
    path
}

#[test]
fn a_stripped_program_needs_the_unstripped_one() {
    for arguments in [DEBUG, NO_BUILD_ID] {
        let built = Built::new(arguments);
        let known = Known::of(&built.path);
        let direct = run(&known.sample(), &[]);
        let deployed = built.at("opt/svc");
        folder(deployed.parent().unwrap());
        tool!("strip", "-o", deployed, built.path);
        let snapshot = known.clone().recorded_at(&deployed).sample();

        let without = run(&snapshot, &[]);
        let build_id = known.module.build_id.clone();
        let module = deployed.to_str().unwrap().to_owned();
        assert_eq!(
            without.notes,
            [Note::Stripped {
                module,
                build_id: build_id.clone()
            }]
        );
        let line = without.notes[0].to_string();
        assert!(line.contains("--debug-dir") && line.contains(&build_id.unwrap_or_default()));
        assert_eq!(without.symbols.sources[1], SymbolSource::Missing);
        assert!(
            frames(&without.symbols, 1)[0]
                .function
                .starts_with("svc+0x")
        );

        // In the folder, under another name in it, and named itself.
        let with = run(&snapshot, &[built.dir.path()]);
        assert_eq!(
            (with.notes.as_slice(), &with.symbols),
            (&[][..], &direct.symbols)
        );
        let renamed = folder(&built.at("artifacts")).join("svc-1.2.3-linux");
        fs::copy(&built.path, &renamed).expect("copying");
        for dir in [renamed.parent().unwrap(), &renamed] {
            let with = run(&snapshot, &[dir]);
            assert_eq!(
                (with.notes.as_slice(), &with.symbols),
                (&[][..], &direct.symbols)
            );
        }
    }
}

#[test]
fn a_file_that_is_gone_is_named_with_its_build_id_and_what_to_do() {
    let built = Built::new(DEBUG);
    let known = Known::of(&built.path);
    fs::remove_file(&built.path).expect("removing");
    let empty = built.at("empty");
    let outcome = run(&known.sample(), &[folder(&empty)]);

    let [
        Note::Missing {
            module,
            build_id,
            tried,
        },
    ] = outcome.notes.as_slice()
    else {
        panic!("{:?}", outcome.notes);
    };
    assert_eq!(
        (module, build_id),
        (&known.module.path, &known.module.build_id)
    );
    assert!(tried.contains(&built.path) && tried.contains(&empty.join("svc.debug")));
    let line = outcome.notes[0].to_string();
    assert!(
        line.contains(known.module.build_id.as_deref().unwrap()),
        "{line}"
    );
    assert!(line.contains("pass --debug-dir"), "{line}");
    assert_eq!(outcome.symbols.sources[1], SymbolSource::Missing);
}

#[test]
fn another_build_in_the_same_place_is_refused() {
    let other_source = SOURCE.replace("+ 5", "+ 6");
    for arguments in [DEBUG, NO_BUILD_ID] {
        let built = Built::new(arguments);
        let known = Known::of(&built.path);
        let right = built.moved_to("right/svc");
        let other = Built::of_source(&other_source, arguments);
        let found = Known::of(&other.path).module;
        fs::copy(&other.path, &built.path).expect("copying");

        let outcome = run(&known.sample(), &[]);
        let shown = |module: &heaplens::snapshot::Module| match &module.build_id {
            Some(id) => format!("build id {id}"),
            None => format!("text hash {}", module.text_hash.as_deref().unwrap()),
        };
        let refusal = Note::WrongBinary {
            path: built.path.clone(),
            expected: shown(&known.module),
            found: shown(&found),
        };
        assert_eq!(outcome.notes.len(), 2, "{:?}", outcome.notes);
        assert_eq!(outcome.notes[0], refusal);
        assert!(matches!(outcome.notes[1], Note::Missing { .. }));
        assert!(
            frames(&outcome.symbols, 1)[0]
                .function
                .starts_with("svc+0x")
        );

        // With the right one at hand, nobody needs to hear of the wrong one.
        let outcome = run(&known.sample(), &[right.parent().unwrap()]);
        assert_eq!(outcome.notes, []);
        assert!(has_inlined_chain(&outcome.symbols));
        // A wrong one in the debug folder is refused as well, and the recorded path still serves.
        fs::copy(&right, &built.path).expect("copying");
        let outcome = run(&known.sample(), &[other.dir.path()]);
        assert_eq!(outcome.notes, []);
        assert!(has_inlined_chain(&outcome.symbols));
    }
}

#[test]
fn a_build_with_an_id_is_no_stand_in_for_one_without() {
    let built = Built::new(DEBUG);
    let mut known = Known::of(&built.path);
    known.module.build_id = None;
    known.module.text_hash = Some("0123456789abcdef".into());
    let outcome = run(&known.sample(), &[]);
    assert!(
        matches!(outcome.notes[0], Note::WrongBinary { .. }),
        "{:?}",
        outcome.notes
    );
    assert_eq!(outcome.symbols.sources[1], SymbolSource::Missing);
}

#[test]
fn a_program_without_build_id_is_found_by_its_code() {
    let built = Built::new(NO_BUILD_ID);
    let known = Known::of(&built.path);
    assert_eq!(known.module.build_id, None);
    let moved = built.moved_to("artifacts/renamed");
    let outcome = run(&known.sample(), &[moved.parent().unwrap()]);
    assert_eq!(outcome.notes, []);
    assert!(has_inlined_chain(&outcome.symbols));
}

#[test]
fn a_replaced_program_is_known_by_the_mark_of_the_kernel() {
    let built = Built::new(DEBUG);
    let mut known = Known::of(&built.path);
    known.module.path.push_str(" (deleted)");
    let outcome = run(&known.sample(), &[]);
    assert_eq!(outcome.notes, []);
    assert!(has_inlined_chain(&outcome.symbols));
}

#[test]
fn debug_files_are_found_by_every_usual_scheme() {
    let built = Built::new(DEBUG);
    let known = Known::of(&built.path);
    let direct = run(&known.sample(), &[]).symbols;
    let deployed = built.at("opt/svc");
    folder(deployed.parent().unwrap());
    let debug_file = built.at("only.debug");
    tool!("objcopy", "--only-keep-debug", built.path, debug_file);
    tool!("strip", "-o", deployed, built.path);
    let snapshot = known.clone().recorded_at(&deployed).sample();

    let (first, rest) = known.module.build_id.as_deref().unwrap().split_at(2);
    for scheme in [
        "svc.debug".to_owned(),
        "any-name-at-all".into(),
        format!(".build-id/{first}/{rest}.debug"),
        format!(".build-id/{first}/{rest}"),
    ] {
        let root = tempfile::tempdir().expect("a temporary folder");
        let place = root.path().join(&scheme);
        folder(place.parent().unwrap());
        fs::copy(&debug_file, &place).expect("copying");
        let outcome = run(&snapshot, &[root.path()]);
        assert_eq!(
            (outcome.notes.as_slice(), &outcome.symbols),
            (&[][..], &direct),
            "{scheme}"
        );
    }
}

#[test]
fn a_debuglink_is_followed_and_its_checksum_checked() {
    for arguments in [DEBUG, NO_BUILD_ID] {
        let built = Built::new(arguments);
        let known = Known::of(&built.path);
        let direct = run(&known.sample(), &[]).symbols;
        let debug_file = built.at("linked.debug");
        tool!("objcopy", "--only-keep-debug", built.path, debug_file);
        let deployed = built.at("opt/svc");
        folder(deployed.parent().unwrap());
        tool!("strip", "-o", deployed, built.path);
        let link = format!("--add-gnu-debuglink={}", debug_file.display());
        tool!("objcopy", link, deployed);
        let snapshot = known.clone().recorded_at(&deployed).sample();

        let debug_tree = built.at("debug-tree");
        let below = deployed.parent().unwrap().strip_prefix("/").unwrap();
        for (place, dirs) in [
            (built.at("opt/linked.debug"), &[][..]),
            (built.at("opt/.debug/linked.debug"), &[]),
            (
                debug_tree.join(below).join("linked.debug"),
                &[debug_tree.as_path()],
            ),
        ] {
            folder(place.parent().unwrap());
            fs::copy(&debug_file, &place).expect("copying");
            let outcome = run(&snapshot, dirs);
            assert_eq!(outcome.notes, [], "{place:?}");
            assert_eq!(outcome.symbols, direct, "{place:?}");
            fs::remove_file(place).expect("removing");
        }

        let other = Built::of_source(&SOURCE.replace("+ 5", "+ 6"), arguments);
        let wrong = built.at("opt/linked.debug");
        tool!("objcopy", "--only-keep-debug", other.path, wrong);
        let outcome = run(&snapshot, &[]);
        assert!(matches!(&outcome.notes[0], Note::WrongBinary { path, .. } if *path == wrong));
        assert_eq!(outcome.symbols.sources[1], SymbolSource::Missing);
    }
}

#[test]
fn names_of_the_symbol_table_and_lines_of_the_debug_file_go_together() {
    let built = Built::new(&["-Cdebuginfo=line-tables-only"]);
    let known = Known::of(&built.path);
    let direct = run(&known.sample(), &[]).symbols;
    // The debug file has no symbols, the program has nothing else.
    let dir = built.at("debug");
    let debug_file = folder(&dir).join("svc.debug");
    tool!(
        "objcopy",
        "--only-keep-debug",
        "--strip-all",
        "--keep-section=.debug_*",
        built.path,
        debug_file
    );
    let deployed = built.at("opt/svc");
    folder(deployed.parent().unwrap());
    tool!("strip", "--strip-debug", "-o", deployed, built.path);
    let outcome = run(&known.recorded_at(&deployed).sample(), &[&dir]);
    assert_eq!(
        (outcome.notes.as_slice(), &outcome.symbols),
        (&[][..], &direct)
    );
}
