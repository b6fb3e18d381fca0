//! What a graph of the heap adds to `heaplens suspects`.

use crate::fixture::*;
use crate::heap_graph::*;
use crate::suspects::{shop, write_run};
use heaplens::snapshot::Reason;
use heaplens::snapshot::graph::Role;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

const NONE: (u64, u64) = (0, 0);

fn finding<'a>(document: &'a Value, owner: &str) -> &'a Value {
    let findings = document["findings"].as_array().unwrap();
    let of = |finding: &&Value| finding["owner"]["function"] == owner;
    findings.iter().find(of).unwrap()
}

#[test]
fn one_snapshot_is_enough_for_what_no_pointer_was_found_to() {
    let folder = tempdir().unwrap();
    let file = lost(9, 10_000).write(&folder, "a.json.gz");
    let document = json(args!["suspects", file, "--format", "json"]);
    let classes = ["panel", "child", "name"].map(|name| {
        let finding = finding(&document, &format!("shop::compose::{name}"));
        assert_eq!(finding["by_graph_alone"], true, "{finding}");
        finding["class"].as_str().unwrap().to_owned()
    });
    assert_eq!(classes, ["leak"; 3]);
    // Those of most lost bytes first.
    let first = &document["findings"][0];
    assert_eq!(first["owner"]["function"], "shop::compose::panel");
    assert_eq!(
        first["pointers"]["unreached"],
        json!({"bytes": 1_000_000, "blocks": 10_000})
    );
    assert_eq!(first["type"], "Rc<RefCell<shop::compose::Panel>>");
    assert_eq!(document["graph"]["totals"]["unreached"]["blocks"], 30_005);
    assert_eq!(document["leak_bytes_per_second"], 0.0);
    // 500 B are no leak.
    let findings = document["findings"].as_array().unwrap();
    let is_few = |finding: &Value| finding["owner"]["function"] == "shop::import::forget";
    assert!(!findings.iter().any(is_few), "{document}");

    let text = stdout(args!["suspects", file]);
    for part in [
        "LEAK  shop::compose::panel, Rc<RefCell<shop::compose::Panel>>: no pointer found to 976.6 KiB in 10,000 blocks\n",
        "Pointers: held 352.1 KiB (18.2 %), held only from memory that is not ours 39.1 KiB (2.0 %), no pointer found 1.5 MiB (79.8 %) at 2026-01-05 14:09:00 UTC; `heaplens leaks` shows more.\n",
        "  no pointer was found to 10,000 of its 10,000 blocks, 976.6 KiB of 976.6 KiB\n",
        "  cycle: Rc<RefCell<Panel>> (compose.rs:41) ↔ Rc<Child> (compose.rs:57), 10,000 times, 1.5 MiB\n",
        "  976.6 KiB in 10,000 blocks by the path, Rc<RefCell<shop::compose::Panel>>\n",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("TOO LITTLE DATA"), "{text}");
}

/// The shop's run with a graph in its last snapshot, of the site of the leak and of that of the pool.
fn run_with(
    folder: &TempDir,
    reason: Reason,
    leak: [(u64, u64); 3],
    pool: [(u64, u64); 3],
) -> Value {
    write_run(folder, 1..=11);
    let graph = GraphFixture::new()
        .site(leak)
        .site([NONE; 3])
        .site([NONE; 3])
        .site(pool);
    graph
        .shape(1, &[(3, Role::Forgotten, pool[2].0, pool[2].1)], &[])
        .of(shop(12))
        .with(|snapshot| snapshot.header.reason = reason)
        .write(folder, "12.json.gz");
    json(args!["suspects", folder.path(), "--format", "json"])
}

#[test]
fn a_trend_and_the_graph_stand_side_by_side() {
    let folder = tempdir().unwrap();
    let held = [(12_000, 12_000_000), NONE, NONE];
    let document = run_with(&folder, Reason::Graph, held, [NONE, NONE, (5, 4_000_000)]);
    let [leak, pool] = ["compose::compose_complex", "pool::hold"]
        .map(|owner| finding(&document, &format!("shop::{owner}")));
    // What is held is no excuse.
    assert_eq!(leak["class"], "leak");
    assert_eq!(leak.get("by_graph_alone"), None);
    let reason =
        "a pointer leads to each of its 12,000 blocks that the scan found: somebody holds them";
    assert_eq!(leak["reasons"][0], reason);
    // What never grew leaks too.
    assert_eq!(pool["class"], "leak");
    assert_eq!(pool["by_graph_alone"], true);
    assert_eq!(
        pool["reasons"][0],
        "no pointer was found to 5 of its 5 blocks, 3.8 MiB of 3.8 MiB"
    );
    assert_eq!(
        pool["reasons"][1],
        "forgotten: block of hold (pool.rs:5), 1 time, 3.8 MiB"
    );
    // The trend is what tells a rate.
    assert_eq!(document["findings"][0]["owner"], leak["owner"]);
    let rate = document["leak_bytes_per_second"].as_f64().unwrap();
    assert!((rate - 1e6 / 60.0).abs() < 1.0, "{rate}");
    let text = stdout(args!["suspects", folder.path()]);
    assert!(
        text.contains("LEAK  shop::pool::hold: no pointer found to 3.8 MiB in 5 blocks\n"),
        "{text}"
    );
}

#[test]
fn the_graph_at_the_end_of_a_program_counts() {
    let folder = tempdir().unwrap();
    let lost = [NONE, NONE, (12_000, 12_000_000)];
    let document = run_with(&folder, Reason::Exit, lost, [(5, 4_000_000), NONE, NONE]);
    // The trend is told without it.
    assert_eq!(document["snapshots"].as_array().unwrap().len(), 11);
    let leak = &document["findings"][0];
    assert_eq!(
        (&leak["class"], leak.get("by_graph_alone")),
        (&json!("leak"), None)
    );
    assert_eq!(
        leak["reasons"][0],
        "no pointer was found to 12,000 of its 12,000 blocks, 11.4 MiB of 11.4 MiB"
    );
    let text = stdout(args!["suspects", folder.path()]);
    assert!(
        text.contains("% sure; no pointer found to 11.4 MiB in 12,000 blocks\n"),
        "{text}"
    );
}

#[test]
fn without_a_graph_nothing_is_said_of_pointers() {
    let folder = tempdir().unwrap();
    write_run(&folder, 1..=6);
    let text = stdout(args!["suspects", folder.path()]);
    assert!(!text.contains("ointer"), "{text}");
    let document = json(args!["suspects", folder.path(), "--format", "json"]);
    assert_eq!(document["graph"], Value::Null);
    assert_eq!(document["findings"][0].get("pointers"), None);
}
