//! `heaplens symbolize`: where the names go. How they are found is tested with the symbolizer.

use std::path::PathBuf;

use crate::fixture::*;
use heaplens::snapshot::{Limits, Module, Snapshot, read};
use tempfile::{TempDir, tempdir};

/// An unnamed snapshot of this very test program, with one address in it.
fn of_this_program(folder: &TempDir) -> PathBuf {
    use object::{Object, ObjectSymbol};

    let program = std::env::current_exe().unwrap();
    let bytes = std::fs::read(&program).unwrap();
    let elf = object::File::parse(&*bytes).unwrap();
    let symbol = elf
        .symbols()
        .find(|symbol| {
            symbol
                .name()
                .is_ok_and(|name| name.contains("of_this_program"))
        })
        .expect("this function has a symbol");
    let build_id = elf
        .build_id()
        .unwrap()
        .map(|id| id.iter().map(|b| format!("{b:02x}")).collect());
    let text_hash = None;
    let snapshot = Fixture::new(1)
        .bare_site(&["unnamed"], 100, 1)
        .with(|snapshot| {
            let path = program.to_string_lossy().into_owned();
            snapshot.header.program.executable.clone_from(&path);
            snapshot.modules[1] = Module {
                path,
                build_id,
                text_hash,
            };
            snapshot.stacks.address[0] = symbol.address();
        });
    write(&snapshot.build(false), &folder.path().join("snap.json.gz"))
}

fn load(path: &std::path::Path) -> Snapshot {
    read(path, &Limits::default()).unwrap()
}

fn has_name(snapshot: &Snapshot) -> bool {
    let symbols = snapshot.symbols.as_ref();
    symbols.is_some_and(|s| {
        s.strings
            .iter()
            .any(|text| text.contains("of_this_program"))
    })
}

#[test]
fn names_go_into_the_file_and_nothing_else_changes() {
    let folder = tempdir().unwrap();
    let file = of_this_program(&folder);
    let before = load(&file);
    stdout(args!["symbolize", file]);
    let mut after = load(&file);
    assert!(has_name(&after));
    after.symbols = None;
    assert_eq!(before, after);
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no other file is left"
    );
}

#[cfg(unix)]
#[test]
fn a_private_snapshot_stays_private() {
    use std::fs::{Permissions, metadata, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    let folder = tempdir().unwrap();
    let file = of_this_program(&folder);
    set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let other = folder.path().join("out.json.gz");
    stdout(args!["symbolize", file, "-o", other]);
    stdout(args!["symbolize", file]);
    for file in [&file, &other] {
        assert_eq!(metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn another_file_is_not_overwritten_unawares() {
    let folder = tempdir().unwrap();
    let file = of_this_program(&folder);
    let out = folder.path().join("out.json.gz");
    stdout(args!["symbolize", file, "-o", out]);
    assert!(has_name(&load(&out)) && !has_name(&load(&file)));
    std::fs::write(&out, "precious").unwrap();
    let error = failure(args!["symbolize", file, "-o", out]);
    assert!(
        error.contains("out.json.gz") && error.contains("--force"),
        "{error}"
    );
    assert_eq!(std::fs::read(&out).unwrap(), b"precious");
    stdout(args!["symbolize", file, "-o", out, "--force"]);
    assert!(has_name(&load(&out)));
}

#[test]
fn a_named_snapshot_needs_no_binary() {
    let folder = tempdir().unwrap();
    let file = of_this_program(&folder);
    stdout(args!["symbolize", file]);
    let mut travelled = load(&file);
    travelled.modules[1].path = "/nowhere/else".to_owned();
    let file = write(&travelled, &folder.path().join("travelled.json.gz"));
    let output = heaplens(args!["top", file]);
    assert!(output.stderr.is_empty());
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("of_this_program")
    );
}

#[test]
fn the_other_verbs_find_names_by_themselves() {
    let folder = tempdir().unwrap();
    let file = of_this_program(&folder);
    for verb in [
        args!["top", file],
        args!["flamegraph", file],
        args!["diff", file, file, "--format", "json"],
    ] {
        if verb[0] != "diff" {
            assert!(stdout(&verb).contains("of_this_program"), "{verb:?}");
        } else {
            stdout(&verb);
        }
    }
    assert!(!has_name(&load(&file)), "only symbolize writes names");
}

#[test]
fn a_missing_binary_is_named_with_what_to_do() {
    let folder = tempdir().unwrap();
    let snapshot = Fixture::new(1).site(&[MAIN], 100, 1).build(false);
    let file = write(&snapshot, &folder.path().join("a.json.gz"));
    let output = heaplens(args!["symbolize", file]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("/srv/shop") && stderr.contains("00aa"),
        "{stderr}"
    );
    assert!(stderr.contains("--debug-dir"), "{stderr}");
    assert_eq!(load(&file), snapshot, "the file is left alone");
    // Other verbs go on without names, and say it once for the whole fleet.
    let copy = folder.path().join("b.json.gz");
    std::fs::copy(&file, &copy).unwrap();
    let output = heaplens(args!["diff", file, copy]);
    assert!(output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.matches("00aa").count(), 1, "{stderr}");
}

#[test]
fn several_files_cannot_become_one() {
    let error = failure(args![
        "symbolize",
        "a.json.gz",
        "b.json.gz",
        "-o",
        "c.json.gz"
    ]);
    assert!(error.contains("-o takes one snapshot"), "{error}");
}
