//! `heaplens suspects` on the process as a whole: what it says of growth that no owner explains.

use crate::fixture::*;
use crate::suspects::{HOLD, shop, write_run};
use serde_json::Value;
use tempfile::tempdir;

/// A process in which live memory stays, and resident memory is so many MB at each minute.
fn resident(megabytes: impl IntoIterator<Item = u64>) -> (Value, String) {
    let folder = tempdir().unwrap();
    for (minute, megabytes) in (1..).zip(megabytes) {
        let fixture = Fixture::new(minute).site(&[MAIN, HOLD], 4_000_000, 5);
        let fixture = fixture.with(|snapshot| {
            snapshot.header.memory.rss_bytes = Some(megabytes * 1_000_000);
        });
        fixture.write(&folder, &format!("{minute:02}.json.gz"));
    }
    let args = || args!["suspects", folder.path(), "--limit", "100MB"];
    let more = args![
        "suspects",
        folder.path(),
        "--limit",
        "100MB",
        "--format",
        "json"
    ];
    (json(more), stdout(args()))
}

#[test]
fn few_snapshots_with_growth_are_not_called_steady() {
    let (document, text) = resident([20, 21, 20, 23]);
    assert_eq!(document["process"]["diagnosis"], "too-early");
    assert!(text.contains("Process: too early to tell: "), "{text}");
    // With as much before as after it is steady, however few there are, and with many it is steady growth that counts.
    assert_eq!(
        resident([20, 21, 19, 20]).0["process"]["diagnosis"],
        "steady"
    );
    let many = resident((0..12).map(|minute| 20 + minute % 2));
    assert_eq!(many.0["process"]["diagnosis"], "steady");
}

#[test]
fn resident_memory_that_grows_alone_reaches_the_limit() {
    let (document, text) = resident(20..32);
    let process = &document["process"]["diagnosis"];
    assert_eq!(process, "fragmentation-or-untracked");
    let limit = &document["limit"];
    assert_eq!(limit["rate_of"], "resident");
    let seconds = limit["reached_in_seconds"].as_f64().unwrap();
    assert!((seconds - 69.0 * 60.0).abs() < 1.0, "{seconds}");
    let says = "reached 1h 9m after the newest snapshot at the rate of resident memory";
    assert!(text.contains(says), "{text}");
}

#[test]
fn what_leaks_reaches_the_limit_sooner_where_resident_memory_grows_faster() {
    let folder = tempdir().unwrap();
    for minute in 1..=12 {
        let fixture = shop(minute).with(|snapshot| {
            let bytes = Some(20_000_000 + minute * 3_000_000);
            snapshot.header.memory.rss_bytes = bytes;
            snapshot.header.memory.cgroup_usage_bytes = bytes;
        });
        fixture.write(&folder, &format!("{minute:02}.json.gz"));
    }
    let document = json(args!["suspects", folder.path(), "--format", "json"]);
    assert_eq!(document["limit"]["rate_of"], "resident");
    let seconds = document["limit"]["reached_in_seconds"].as_f64().unwrap();
    let room = f64::from(128 << 20) - 56e6;
    assert!((seconds - room / 50_000.0).abs() < 1.0, "{seconds}");

    let folder = tempdir().unwrap();
    write_run(&folder, 1..=12);
    let text = stdout(args!["suspects", folder.path()]);
    assert!(text.contains("at the rate of the leaks"), "{text}");
}
