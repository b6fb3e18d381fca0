//! `heaplens inspect`

use crate::fixture::*;
use crate::heap_graph::*;
use tempfile::tempdir;

fn lossy() -> Fixture {
    after().with(|snapshot| {
        let header = &mut snapshot.header;
        header.label = Some("after warm-up".to_owned());
        header.losses.stack_table_full = 1_234;
        header.losses.truncated.bad_stack = 5;
        header.memory.rss_bytes = Some(64 << 20);
        header.memory.cgroup_limit_bytes = Some(1 << 30);
        header.overhead.tables_bytes = 3 << 20;
    })
}

#[test]
fn text_says_what_is_in_the_file() {
    let folder = tempdir().unwrap();
    let file = lossy().write(&folder, "a.json.gz");
    let text = stdout(args!["inspect", file]);
    for part in [
        "/srv/shop",
        "build id    00aa",
        "pid 7 on pod-a, started 2026-01-05 14:00:00 UTC, heaplens 0.1.0",
        "2026-01-05 14:09:00 UTC, after 9m, number 9 of its run, reason: interval \"after warm-up\"",
        "exact, 128 frames deep, unwinder eh-frame",
        "10.5 MiB in 9,110 blocks",
        "64.0 MiB resident, 1.0 GiB limit of the control group",
        "3.0 MiB tables",
        "3 sites",
        "symbols     in the file",
        "1,234 allocations not recorded: the table of stacks was full",
        "5 stacks cut short: the stack pointer left the thread's stack",
        "build id 00aa, 10 frames, names, lines and inlined calls",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn it_says_whether_there_is_a_graph() {
    let folder = tempdir().unwrap();
    let scanned = |snapshot: &mut heaplens::snapshot::Snapshot| {
        let scan = &mut snapshot.graph.as_mut().unwrap().scan;
        (scan.blocks, scan.bytes) = (30_110, 1_981_000);
    };
    let with = lost(9, 10_000).with(scanned).write(&folder, "a.json.gz");
    let without = before().write(&folder, "b.json.gz");
    let text = stdout(args!["inspect", with]);
    let graph = "graph       1.9 MiB in 30,110 blocks, in 2 scans: `heaplens leaks` reads it\n";
    assert!(text.contains(graph), "{text}");
    let text = stdout(args!["inspect", without]);
    assert!(
        text.contains("graph       none: the heap was not scanned"),
        "{text}"
    );
    let inspect = json(args!["inspect", with, without, "--format", "json"]);
    let [first, second] = [0, 1].map(|row| &inspect["rows"][row]["graph"]);
    assert_eq!(first["blocks"], 30_110);
    assert_eq!(first["pause_us"], 900);
    assert!(second.is_null());
}

#[test]
fn nothing_lost_is_said_too() {
    let folder = tempdir().unwrap();
    let off = |snapshot: &mut heaplens::snapshot::Snapshot| {
        snapshot.header.recorder.sampling_off_ms = 90_000;
    };
    let file = write(
        &after().sampled(1e6).with(off).build(false),
        &folder.path().join("a.json.gz"),
    );
    let text = stdout(args!["inspect", file]);
    assert!(text.contains("losses      none"), "{text}");
    assert!(
        text.contains("sampled, one sample in 512.0 KiB on average, switched off for 1m 30s, 128"),
        "{text}"
    );
    assert!(text.contains("heaplens symbolize"), "{text}");
}

#[test]
fn json_has_a_row_for_each_file() {
    let folder = tempdir().unwrap();
    let files = [
        lossy().write(&folder, "a.json.gz"),
        before().write(&folder, "b.json.gz"),
    ];
    let inspect = json(args!["inspect", files[0], files[1], "--format", "json"]);
    assert_eq!(inspect["schema"], "heaplens-inspect-1");
    assert_eq!(inspect["totals"]["live_bytes"], 10_991_000 + 999_500);
    let row = &inspect["rows"][0];
    assert_eq!(row["program"]["build_id"], "00aa");
    assert_eq!(row["reason"], "interval");
    assert_eq!(row["recorder"]["mode"], "exact");
    assert_eq!(
        row["totals"]["total_bytes"],
        2 * 10_991_000,
        "a number, not a string"
    );
    assert_eq!(row["losses"]["truncated"]["bad_stack"], 5);
    assert_eq!(row["modules"][0]["path"], "/srv/shop");
    assert_eq!(row["modules"][0]["symbols"], "debug-info");
    assert_eq!(inspect["rows"][1]["sequence"], 1);
}
