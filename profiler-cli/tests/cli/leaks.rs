//! `heaplens leaks`

use crate::fixture::*;
use crate::heap_graph::*;
use crate::http::{Server, ok};
use heaplens::snapshot::graph::Role;
use serde_json::{Value, json};
use tempfile::tempdir;

pub(crate) const NONE: (u64, u64) = (0, 0);

/// Bytes and blocks.
pub(crate) fn amount(value: &Value) -> [u64; 2] {
    ["bytes", "blocks"].map(|field| value[field].as_u64().unwrap())
}

#[test]
fn the_cycle_stands_first_with_both_its_sides() {
    let folder = tempdir().unwrap();
    let file = lost(9, 10_000).write(&folder, "a.json.gz");
    let text = stdout(args!["leaks", file]);
    for part in [
        "NO POINTER FOUND  to 1.5 MiB in 30,005 blocks, of 1.9 MiB that the scan found\n",
        "79.8 %    1.5 MiB  30,005  no pointer found\n",
        " 2.0 %   39.1 KiB      10  held only from memory that is not ours\n",
        "shop pid 7 on pod-a, 2026-01-05 14:09:00 UTC\n",
        "2 scans within 120ms beside the program, which stood still for 900 µs at a time, with 12.0 MiB of memory",
        "\ncycle: Rc<RefCell<Panel>> (compose.rs:41) ↔ Rc<Child> (compose.rs:57), 10,000 times, 1.5 MiB\n",
        "10,000  on the cycle  Rc<RefCell<shop::compose::Panel>>  shop::compose::panel  /w/shop/src/compose.rs:41\n",
        "10,000   hangs on it  block  shop::compose::name  /w/shop/src/compose.rs:60\n",
        "  Rc<RefCell<Panel>> (compose.rs:41) → Rc<Child> (compose.rs:57): 10,000 at +32\n",
        "(compose.rs:57) → block of name (compose.rs:60): 10,000 at several offsets\n",
        "    > shop::compose::child  /w/shop/src/compose.rs:57\n      shop::main  ",
        "\nforgotten: Box<Row> (import.rs:8), 5 times, 500 B\n",
        "pointers that the kernel alone keeps",
        "encoded",
        "not aligned",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(text.find("\ncycle: ") < text.find("\nforgotten: "));
    assert!(!text.contains("prove"), "{text}");
    let one = stdout(args!["leaks", file, "-n", "1"]);
    assert!(one.contains("\n1 more: -n 0 shows all\n"), "{one}");
    assert!(!one.contains("forgotten: "), "{one}");
}

#[test]
fn json_has_all_of_it() {
    let folder = tempdir().unwrap();
    let file = lost(9, 10_000).write(&folder, "a.json.gz");
    let document = json(args!["leaks", file, "--format", "json"]);
    assert_eq!(document["schema"], "heaplens-leaks-1");
    assert_eq!(document["snapshot"]["file"], file.to_str().unwrap());
    assert_eq!(document["scan"]["pause_us"], 900);
    assert!(document["unseen"].as_str().unwrap().contains("kernel"));
    let totals = &document["totals"];
    assert_eq!(amount(&totals["held"]), [360_500, 95]);
    assert_eq!(amount(&totals["foreign"]), [40_000, 10]);
    assert_eq!(amount(&totals["unreached"]), [1_580_500, 30_005]);
    assert_eq!(
        document["owners"][0]["owner"]["function"],
        "shop::compose::panel"
    );
    assert_eq!(
        amount(&document["owners"][0]["unreached"]),
        [1_000_000, 10_000]
    );
    assert_eq!(document["row_count"], 2);
    let row = &document["rows"][0];
    assert_eq!(row["kind"], "cycle");
    assert_eq!(row["instances"], 10_000);
    assert_eq!(amount(row), [1_580_000, 30_000]);
    let panel = &row["members"][0];
    assert_eq!(panel["role"], "cycle");
    assert_eq!(panel["owner"]["line"], 41);
    assert_eq!(panel["type"], "Rc<RefCell<shop::compose::Panel>>");
    assert_eq!(amount(panel), [1_000_000, 10_000]);
    assert_eq!(amount(&panel["stacks"][0]), [1_000_000, 10_000]);
    assert_eq!(
        panel["stacks"][0]["stack"][1]["function"],
        "shop::compose::panel"
    );
    let no_type = &row["members"][2];
    assert_eq!(
        (&no_type["role"], no_type.get("type")),
        (&json!("hanging"), None)
    );
    let links = [
        json!({"from": 0, "to": 1, "offset": 32, "count": 10_000}),
        json!({"from": 1, "to": 0, "offset": 16, "count": 10_000}),
        json!({"from": 1, "to": 2, "offset": null, "count": 10_000}),
    ];
    assert_eq!(row["links"], json!(links));
    assert_eq!(document["rows"][1]["kind"], "forgotten");
    let none = json(args!["leaks", file, "--format", "json", "-n", "1"]);
    assert_eq!(none["rows"].as_array().unwrap().len(), 1);
    assert_eq!(none["row_count"], 2);
}

/// A graph of so many panels in cycles of their own, each made on another path.
fn by_paths(paths: u32) -> Fixture {
    let panel = made("alloc::rc::Rc<shop::Panel>");
    let (mut fixture, mut graph) = (Fixture::new(1), GraphFixture::new());
    for path in 0..paths {
        let caller = format!("shop::route_{path}@/w/shop/src/routes.rs:{}", path + 1);
        fixture = fixture.site(&[MAIN, &caller, PANEL, &panel], 64, 2);
        graph = graph.site([NONE, NONE, (2, 64)]).shape(
            1,
            &[(path, Role::Cycle, 2, 64)],
            &[(0, 0, 8, 2)],
        );
    }
    graph.of(fixture)
}

#[test]
fn what_differs_in_its_callers_alone_is_one_shape() {
    let folder = tempdir().unwrap();
    let file = by_paths(5).write(&folder, "a.json.gz");
    let text = stdout(args!["leaks", file]);
    let title = "cycle: Rc<Panel> (compose.rs:41) ↔ the same, 5 times, 320 B\n";
    assert!(text.contains(title), "{text}");
    assert!(
        text.contains("64 B in 2 blocks by the path, and 4 more paths"),
        "{text}"
    );
    let document = json(args!["leaks", file, "--format", "json"]);
    assert_eq!(document["row_count"], 1);
    let row = &document["rows"][0];
    assert_eq!(amount(row), [320, 10]);
    assert_eq!(row["members"][0]["stacks"].as_array().unwrap().len(), 5);
    assert_eq!(
        row["links"],
        json!([{"from": 0, "to": 0, "offset": 8, "count": 10}])
    );
}

#[test]
fn longer_cycles_are_told_in_their_order() {
    let sites =
        ["a", "b", "c", "d", "e"].map(|name| format!("shop::{name}@/w/shop/src/{name}.rs:1"));
    let mut fixture = Fixture::new(1);
    let mut graph = GraphFixture::new();
    for (weight, site) in sites.iter().enumerate() {
        let bytes = 500 - weight as u64;
        fixture = fixture.site(&[MAIN, site], bytes as i64, 1);
        graph = graph.site([NONE, NONE, (1, bytes)]);
    }
    let member = |site: u32| (site, Role::Cycle, 1, 500 - u64::from(site));
    let folder = tempdir().unwrap();
    let ring = graph
        .clone()
        .shape(
            1,
            &[0, 1, 2].map(member),
            &[(0, 2, 0, 1), (2, 1, 0, 1), (1, 0, 0, 1)],
        )
        .of(fixture.clone())
        .write(&folder, "ring.json.gz");
    let text = stdout(args!["leaks", ring]);
    let title = "cycle: block of a (a.rs:1) → block of c (c.rs:1) → block of b (b.rs:1) → back, 1 time, 1.5 KiB";
    assert!(text.contains(title), "{text}");
    let chord = graph
        .shape(
            1,
            &[0, 1, 2, 3, 4].map(member),
            &[(0, 1, 0, 1), (1, 2, 0, 1), (0, 2, 0, 1), (2, 0, 0, 1)],
        )
        .of(fixture)
        .write(&folder, "chord.json.gz");
    let text = stdout(args!["leaks", chord]);
    let title = "cycle among block of a (a.rs:1), block of b (b.rs:1), block of c (c.rs:1), block of d (d.rs:1) and 1 more";
    assert!(text.contains(title), "{text}");
}

#[test]
fn the_newest_snapshot_with_a_graph_counts() {
    let folder = tempdir().unwrap();
    lost(1, 10).write(&folder, "1.json.gz");
    lost(2, 20).write(&folder, "2.json.gz");
    after().write(&folder, "3.json.gz");
    let output = heaplens(args!["leaks", folder.path(), "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("the newest of 3 snapshots with a graph of the heap is ")
            && stderr.contains("2.json.gz"),
        "{stderr}"
    );
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["rows"][0]["instances"], 20);
}

#[test]
fn without_a_graph_a_line_says_how_to_get_one() {
    let folder = tempdir().unwrap();
    let file = after().write(&folder, "a.json.gz");
    let line = failure(args!["leaks", file]);
    assert!(
        line.contains("a.json.gz: it has no graph of the heap: "),
        "{line}"
    );
    for what in [
        "HEAPLENS_MODE=exact",
        "HEAPLENS_GRAPH=exit",
        "heaplens::snapshot_graph()",
    ] {
        assert!(line.contains(what), "{line}");
    }
    before().write(&folder, "b.json.gz");
    let line = failure(args!["leaks", folder.path()]);
    assert!(
        line.contains(": none of its 2 snapshots has a graph of the heap: "),
        "{line}"
    );
}

#[test]
fn a_url_is_read_as_a_file_is() {
    let folder = tempdir().unwrap();
    let bytes = std::fs::read(lost(1, 10).write(&folder, "a.json.gz")).unwrap();
    let server = Server::start(move |_, stream| {
        // Whoever has heard enough hangs up.
        let _ = std::io::Write::write_all(stream, &ok(&bytes));
    });
    let url = format!("{}/a.json.gz", server.url);
    let document = json(args!["leaks", url, "--format", "json"]);
    assert_eq!(document["rows"][0]["instances"], 10);
}

#[test]
fn nothing_lost_is_said_so() {
    let folder = tempdir().unwrap();
    let none = GraphFixture::new()
        .of(Fixture::new(1))
        .write(&folder, "none.json.gz");
    let text = stdout(args!["leaks", none]);
    assert!(
        text.starts_with("ALL HELD  a pointer was found to each of 0 blocks\n"),
        "{text}"
    );
    let held = GraphFixture::new()
        .site([(3, 30), NONE, NONE])
        .of(Fixture::new(1).site(&[MAIN, CACHE], 30, 3))
        .write(&folder, "held.json.gz");
    let text = stdout(args!["leaks", held]);
    assert!(
        text.starts_with("ALL HELD  a pointer was found to each of 3 blocks\n"),
        "{text}"
    );
}

#[test]
fn what_the_filter_leaves_out_is_in_no_sum() {
    let folder = tempdir().unwrap();
    let file = lost(9, 100).write(&folder, "a.json.gz");
    let filtered = |filter: &[&str]| {
        let mut line = args!["leaks", file, "--format", "json"];
        line.extend(filter.iter().map(Into::into));
        json(line)
    };
    let focused = filtered(&["--focus", "compose::panel"]);
    assert_eq!(amount(&focused["totals"]["unreached"]), [10_000, 100]);
    assert_eq!(focused["row_count"], 1);
    assert_eq!(amount(&focused["rows"][0]), [10_000, 100]);
    assert_eq!(focused["rows"][0]["links"], json!([]));
    let ignored = filtered(&["--ignore", "compose::(panel|child)"]);
    assert_eq!(amount(&ignored["totals"]["unreached"]), [1_300, 105]);
    let title = &ignored["rows"][0]["title"];
    assert_eq!(
        *title,
        "on blocks that are left out: block of name (compose.rs:60), 100 times, 800 B"
    );
    let output = heaplens(args!["leaks", file, "--focus", "compose::panel"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("9.8 KiB of 15.9 KiB that no pointer was found to pass the filter"),
        "{stderr}"
    );
}
