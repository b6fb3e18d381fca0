//! A program that loses widgets in reference cycles, from its first graph of the heap to what the command line
//! says of it; and the same program with the mistake taken out.

use serde_json::Value;
use tempfile::tempdir;

use crate::build::{Program, line_of};
use crate::retained_types::DEBUG;
use crate::run::{args, find, heaplens, json, snapshots_of};

const WIDGETS: u64 = 2_000;

#[test]
fn the_first_graph_names_both_sides_of_the_cycle_and_the_fix_has_none() {
    let program = Program::build("widgets", &DEBUG);
    let exact = [("HEAPLENS_MODE", "exact"), ("HEAPLENS_INTERVAL", "0")];
    let graph_of = |mode: &str| {
        let folder = tempdir().unwrap();
        let snapshots = snapshots_of(&program.path, &[mode], &exact, folder.path());
        let file = find(&snapshots, "graph");
        let check = heaplens(args!["check", file]).status.code();
        (json(args!["leaks", file, "--format", "json"]), check)
    };

    let (leaks, check) = graph_of("leak");
    assert_eq!(check, Some(1));
    let row = &leaks["rows"][0];
    assert_eq!(row["kind"], "cycle", "{leaks:#}");
    // A word that nobody has cleared keeps a few.
    let instances = row["instances"].as_u64().unwrap();
    assert!((WIDGETS - 20..=WIDGETS).contains(&instances), "{instances}");
    for (mark, retained) in [
        ("panel", "Rc<widgets::Panel>"),
        ("child", "Rc<widgets::Child>"),
    ] {
        let members = row["members"].as_array().unwrap();
        let is_it = |member: &&Value| member["type"] == retained && member["role"] == "cycle";
        let member = members.iter().find(is_it);
        let member = member.unwrap_or_else(|| panic!("no {retained} in {row:#}"));
        assert_eq!(member["blocks"], instances);
        assert_eq!(member["owner"]["function"], format!("widgets::{mark}"));
        assert_eq!(member["owner"]["line"], line_of("widgets", mark));
    }
    // What the static holds is held: its table, and a name of each.
    let held = leaks["totals"]["held"]["blocks"].as_u64().unwrap();
    assert!(held > 1_000, "{leaks:#}");

    let (fixed, check) = graph_of("fixed");
    assert_ne!(check, Some(1));
    assert_eq!(fixed["totals"]["unreached"]["blocks"], 0, "{fixed:#}");
}
