//! `heaplens check` on snapshots with a graph of the heap.

use std::path::Path;

use crate::check::*;
use crate::fixture::*;
use crate::heap_graph::*;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

const CYCLE: &str =
    "cycle: Rc<RefCell<Panel>> (compose.rs:41) ↔ Rc<Child> (compose.rs:57), 10,000 times, 1.5 MiB";

/// A folder with one snapshot of a shop that has lost panels.
fn lost_shop() -> TempDir {
    let folder = tempdir().unwrap();
    lost(9, 10_000).write(&folder, "a.json.gz");
    folder
}

/// Checks under a budget.
fn under(folder: &Path, budget: &str) -> (i32, Value) {
    std::fs::write(folder.join("heaplens.toml"), budget).unwrap();
    checked(folder, &["."])
}

fn is_detail(failure: &Value, detail: &str) -> bool {
    failure["details"]
        .as_array()
        .unwrap()
        .contains(&json!(detail))
}

#[test]
fn lost_blocks_in_one_snapshot_fail_and_name_the_cycle() {
    let folder = lost_shop();
    let (code, document) = checked(folder.path(), &["."]);
    assert_eq!(code, 1);
    assert_eq!(document["programs"][0]["verdict"], "3 owners leak");
    let leak = failure_of(&document, "leak");
    assert_eq!(leak["owner"]["function"], "shop::compose::panel");
    let message =
        "leaks Rc<RefCell<shop::compose::Panel>>, no pointer found to 976.6 KiB in 10,000 blocks";
    assert_eq!(leak["message"], message);
    assert!(is_detail(leak, CYCLE), "{leak}");
    assert_eq!(leak["paths"][0][1]["function"], "shop::compose::panel");
    for (format, parts) in [
        ("text", [CYCLE, message]),
        (
            "markdown",
            ["10&#44;000 times", "no pointer found to 976&#46;6 KiB"],
        ),
        (
            "junit",
            [
                "Rc&lt;RefCell&lt;Panel&gt;&gt; (compose.rs:41)",
                "no pointer found to",
            ],
        ),
    ] {
        let output = check_in(folder.path(), [".", "--format", format]);
        for part in parts {
            assert!(text(&output.stdout).contains(part), "{part} in {output:?}");
        }
    }
}

#[test]
fn a_limit_of_lost_blocks_stands_in_the_place_of_the_verdict() {
    let folder = lost_shop();
    let folder = folder.path();
    // To the byte, and with too few snapshots for a verdict.
    let (code, document) = under(folder, "[total]\nunreached = 1_580_500\n");
    assert_eq!((code, &document["programs"][0]["limits"]), (0, &json!(1)));
    let (code, document) = under(folder, "[total]\nunreached = 1_580_499\n");
    assert_eq!(code, 1);
    let limit = failure_of(&document, "limit");
    assert_eq!(
        (&limit["quantity"], &limit["measured"]),
        (&json!("unreached"), &json!(1_580_500.0))
    );
    let message = limit["message"].as_str().unwrap();
    assert!(
        message.starts_with("has blocks to which no pointer was found, 1.5 MiB (1,580,500 B), 1 B over the limit of "),
        "{message}"
    );
    assert!(is_detail(limit, CYCLE), "{limit}");
    // Of owners those that the pattern names; the others leak.
    let (code, document) = under(
        folder,
        "[owner.\"shop::compose::*\"]\nunreached = \"1 MiB\"\n",
    );
    assert_eq!(
        (code, &document["programs"][0]["failures"]),
        (0, &json!([]))
    );
    let (code, document) = under(
        folder,
        "[owner.\"shop::compose::panel\"]\nunreached = 999_999\n",
    );
    assert_eq!(code, 1);
    assert_eq!(
        failure_of(&document, "limit")["owner"]["function"],
        "shop::compose::panel"
    );
    assert_eq!(
        failure_of(&document, "leak")["owner"]["function"],
        "shop::compose::child"
    );
    // Few that accuse nobody count all the same.
    let (code, document) = under(folder, "[owner.\"shop::import::*\"]\nunreached = 499\n");
    let failures = document["programs"][0]["failures"].as_array().unwrap();
    assert_eq!((code, failures.len()), (1, 4));
}

#[test]
fn a_limit_without_a_graph_does_not_pass() {
    let folder = tempdir().unwrap();
    quiet_run(&folder, 8);
    let (code, document) = under(folder.path(), "[total]\nunreached = 0\n");
    assert_eq!(code, 2);
    let gap = document["programs"][0]["gaps"][0].as_str().unwrap();
    assert!(
        gap.starts_with("unreached is limited, but no snapshot has a graph of the heap: ")
            && gap.contains("HEAPLENS_GRAPH=exit"),
        "{gap}"
    );
    GraphFixture::new()
        .site([(5, 4_000_000), (0, 0), (0, 0)])
        .of(Fixture::new(9).site(&[MAIN, crate::suspects::HOLD], 4_000_000, 5))
        .write(&folder, "09.json.gz");
    assert_eq!(under(folder.path(), "[total]\nunreached = 0\n").0, 0);
}

#[test]
fn known_cycles_are_suppressed_as_other_leaks_are() {
    let folder = lost_shop();
    std::fs::write(folder.path().join("known.supp"), "leak:shop::compose::*\n").unwrap();
    let (code, document) = checked(folder.path(), &[".", "--suppressions", "known.supp"]);
    assert_eq!(document["programs"][0]["failures"], json!([]));
    assert_eq!(
        document["programs"][0]["suppressed"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    // One snapshot tells nothing of what else may leak.
    assert_eq!(code, 2);
}

#[test]
fn a_baseline_has_lost_blocks_too() {
    let folder = tempdir().unwrap();
    let write = |panels| lost(9, panels).write(&folder, "a.json.gz");
    // Too few to be a leak.
    write(50);
    let (code, _) = checked(folder.path(), &[".", "--save-baseline", "base.toml"]);
    assert_eq!(code, 0);
    let saved = std::fs::read_to_string(folder.path().join("base.toml")).unwrap();
    assert!(saved.contains("unreached = 8400.0"), "{saved}");
    let base = [".", "--baseline", "base.toml"];
    assert_eq!(checked(folder.path(), &base).0, 0);
    write(51);
    let (code, document) = checked(folder.path(), &base);
    assert_eq!(code, 1);
    let failures = document["programs"][0]["failures"].as_array().unwrap();
    let is_lost = |failure: &&Value| failure["quantity"] == "unreached";
    assert!(
        failures.iter().any(|failure| is_lost(&failure)),
        "{document:#}"
    );
}
