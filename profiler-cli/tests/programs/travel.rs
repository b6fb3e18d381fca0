//! A stripped program on another path, and its unstripped twin at home.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use tempfile::tempdir;

use crate::build::{LINES, Program, line_of};
use crate::named::{Site, sites, symbolized};
use crate::run::{args, find, heaplens, snapshots_of};

const EXACT: &[(&str, &str)] = &[("HEAPLENS_MODE", "exact")];

/// Sites of a run of `keep`, in an order that does not depend on the run.
fn named_sites(snapshot: &Path, debug_dir: Option<&Path>) -> Vec<Site> {
    let mut sites = sites(&symbolized(snapshot, debug_dir));
    sites.sort_unstable();
    sites
}

#[test]
fn names_and_lines_are_those_of_the_original() {
    let program = Program::build("keep", &LINES);
    let Some(stripped) = program.stripped() else {
        return;
    };
    let deployed = stripped.folder().join("srv/bin/keep");
    fs::create_dir_all(deployed.parent().expect("a folder")).expect("making a folder");
    fs::rename(&stripped.path, &deployed).expect("moving the program");

    let (at_home, abroad) = (tempdir().unwrap(), tempdir().unwrap());
    let original = snapshots_of(&program.path, &["50"], EXACT, at_home.path());
    let travelled = snapshots_of(&deployed, &["50"], EXACT, abroad.path());
    let original = named_sites(find(&original, "exit"), None);
    let found = named_sites(find(&travelled, "exit"), Some(program.folder()));
    assert_eq!(found, original);

    let compose = original.iter().find(|site| site.live_bytes == 50_000);
    let compose = compose.expect("the boxes that were kept");
    let frame = compose
        .frames
        .iter()
        .find(|frame| frame.function == "keep::compose");
    let place = ("keep.rs".to_owned(), line_of("keep", "compose"));
    assert_eq!(frame.expect("the function").place, Some(place));
}

#[test]
fn without_the_original_the_build_id_is_named_and_what_to_pass() {
    let program = Program::build("keep", &LINES);
    let Some(stripped) = program.stripped() else {
        return;
    };
    let folder = tempdir().expect("a temporary folder");
    let snapshots = snapshots_of(&stripped.path, &["50"], EXACT, folder.path());
    let snapshot = find(&snapshots, "exit");
    let inspected = heaplens(args!["inspect", *snapshot, "--format", "json"]);
    let inspected = String::from_utf8(inspected.stdout).expect("UTF-8");

    // The stripped file is still there, and then it is not.
    for gone in [false, true] {
        if gone {
            fs::remove_file(&stripped.path).expect("removing the program");
        }
        let output = heaplens(args![
            "symbolize",
            *snapshot,
            "-o",
            *OsStr::new("/dev/null/x")
        ]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        let line = stderr.lines().find(|line| line.contains("/keep"));
        let line = line.unwrap_or_else(|| panic!("nothing about the program: {stderr}"));
        let (_, id) = line.split_once("build id ").expect("a build id");
        let id = id.split(')').next().expect("its end");
        assert!(id.len() == 40 && inspected.contains(id), "{line}");
        assert!(line.contains("--debug-dir"), "{line}");
    }
}
