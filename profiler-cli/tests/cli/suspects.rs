//! `heaplens suspects`

use std::path::PathBuf;

use crate::fixture::*;
use heaplens::snapshot::{AGE_CLASSES, Reason, Snapshot};
use proptest::prelude::*;
use serde_json::Value;
use tempfile::{TempDir, tempdir};

pub(crate) const HOLD: &str = "shop::pool::hold@/w/shop/src/pool.rs:5";
const BATCH: &str = "shop::batch::collect@/w/shop/src/batch.rs:8";

/// A shop at a minute: composition leaks 1 MB a minute, the cache is full after three minutes and
/// replaces what it has, a batch is freed every four minutes, the pool stays.
pub(crate) fn shop(minute: u64) -> Fixture {
    let m = minute as i64;
    Fixture::new(minute)
        .site(&[MAIN, COMPOSE], m * 1_000_000, m * 1_000)
        .site(&[MAIN, CACHE], 2_000_000 * m.min(3), 100)
        .site(&[MAIN, BATCH], 1_000_000 * (m % 4), 50)
        .site(&[MAIN, HOLD], 4_000_000, 5)
        .with(|snapshot| {
            let ever = [m, 2 * m, 1 + m, 4].map(|mb| mb as u64 * 1_000_000);
            snapshot.sites.total_bytes = ever.to_vec();
            snapshot.sites.total_count = ever.iter().map(|bytes| bytes / 1_000).collect();
            let [young, old] = [2, 6].map(|age| (m - age).max(0) * 1_000_000);
            set_ages(snapshot, 1, &[young - old, 0, 0, 0]);
            set_ages(snapshot, 2, &[old, 0, 0, 0]);
            snapshot.header.work_done = minute * 100;
            snapshot.header.memory.rss_bytes = Some(20_000_000 + minute * 1_000_000);
            snapshot.header.memory.cgroup_limit_bytes = Some(128 << 20);
            snapshot.header.memory.cgroup_usage_bytes = Some(20_000_000 + minute * 1_000_000);
        })
}

/// Moves live bytes of each site into an age class.
pub(crate) fn set_ages(snapshot: &mut Snapshot, class: usize, old: &[i64]) {
    let ages = &mut snapshot.sites.ages.live_bytes;
    for (site, &bytes) in old.iter().enumerate() {
        ages[0][site] -= bytes;
        ages[class][site] += bytes;
    }
    assert_eq!(ages.len(), AGE_CLASSES);
}

pub(crate) fn write_run(folder: &TempDir, minutes: std::ops::RangeInclusive<u64>) -> Vec<PathBuf> {
    minutes
        .map(|minute| shop(minute).write(folder, &format!("{minute:02}.json.gz")))
        .collect()
}

fn class_of<'a>(document: &'a Value, owner: &str) -> &'a Value {
    let findings = document["findings"].as_array().unwrap();
    let of = |finding: &&Value| finding["owner"]["function"] == owner;
    let found = findings.iter().find(of);
    found.unwrap_or_else(|| panic!("{owner} in {document}"))
}

#[test]
fn each_owner_gets_its_class() {
    let folder = tempdir().unwrap();
    write_run(&folder, 1..=12);
    let document = json(args!["suspects", folder.path(), "--format", "json"]);
    assert_eq!(document["schema"], "heaplens-suspects-1");
    let first = &document["findings"][0];
    assert_eq!(first["owner"]["function"], "shop::compose::compose_complex");
    assert_eq!(first["class"], "leak");
    assert_eq!(first["freed_share"], 0.0);
    let rate = first["bytes_per_second"].as_f64().unwrap();
    assert!((rate - 1e6 / 60.0).abs() < 1.0, "{rate}");
    assert!((first["bytes_per_work"].as_f64().unwrap() - 10_000.0).abs() < 1.0);
    assert!(first["confidence"].as_f64().unwrap() > 0.99);
    assert_eq!(first["age"]["freed_since"], 0.0);
    assert_eq!(first["paths"].as_array().unwrap().len(), 1);
    assert_eq!(class_of(&document, "shop::cache::put")["class"], "cache");
    assert_eq!(
        class_of(&document, "shop::batch::collect")["class"],
        "sawtooth"
    );
    assert_eq!(class_of(&document, "shop::pool::hold")["class"], "stable");
    assert_eq!(document["quiet_owners"], 0);
    assert_eq!(document["process"]["diagnosis"], "leak");
    assert_eq!(document["limit"]["bytes"], 128 << 20);
    let in_seconds = document["limit"]["reached_in_seconds"].as_f64().unwrap();
    let room = f64::from(128 << 20) - 32e6;
    assert!((in_seconds - room / rate).abs() < 1.0, "{in_seconds}");
}

#[test]
fn the_verdict_stands_first() {
    let folder = tempdir().unwrap();
    write_run(&folder, 1..=12);
    let text = stdout(args!["suspects", folder.path(), "--limit", "64MiB"]);
    assert!(
        text.starts_with("LEAK  shop::compose::compose_complex: +976.6 KiB/min, 1.3 GiB a day, over 99.9 % sure\n"),
        "{text}"
    );
    for part in [
        "Limit: 30.5 MiB of 64.0 MiB is used; reached 35m 6s after the newest snapshot",
        "Process: leak: ",
        "12 snapshots over 11m, the first 2 left out as warm-up, exact",
        "warming up / cache",
        "▁▂▃▄▅▆▇█".get(..3).unwrap(),
        "of live bytes are older than 5m; of what was live then 0 % is freed since",
        "allocated after warm-up, 0 % of it freed",
        "+9.8 KiB for each unit of work",
        "    > shop::compose::compose_complex  /w/shop/src/compose.rs:142",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_run_without_a_leak_accuses_nobody() {
    let folder = tempdir().unwrap();
    for minute in 1..=12 {
        Fixture::new(minute)
            .site(
                &[MAIN, HOLD],
                4_000_000 + (minute as i64 * 7 % 5) * 30_000,
                5,
            )
            .write(&folder, &format!("{minute:02}.json.gz"));
    }
    let text = stdout(args!["suspects", folder.path()]);
    assert!(text.starts_with("NO LEAK  "), "{text}");
    assert!(!text.contains("LEAK  shop"), "{text}");
}

#[test]
fn what_filled_by_and_by_is_a_cache_and_what_was_set_up_at_once_is_stable() {
    let folder = tempdir().unwrap();
    // Level long before the end, and without a free: only the way there tells them apart.
    for minute in 1..=24_u64 {
        let filled = minute.min(4) as i64 * 1_000_000;
        let set_up = if minute == 1 { 100_000 } else { 4_000_000 };
        Fixture::new(minute)
            .site(&[MAIN, CACHE], filled, 5)
            .site(&[MAIN, HOLD], set_up, 5)
            .write(&folder, &format!("{minute:02}.json.gz"));
    }
    let document = json(args!["suspects", folder.path(), "--format", "json"]);
    assert_eq!(class_of(&document, "shop::cache::put")["class"], "cache");
    assert_eq!(class_of(&document, "shop::pool::hold")["class"], "stable");
}

#[test]
fn few_snapshots_say_how_many_are_needed() {
    let folder = tempdir().unwrap();
    let files = write_run(&folder, 1..=3);
    let text = stdout(["suspects".into()].into_iter().chain(files));
    assert!(
        text.starts_with("TOO LITTLE DATA  3 of the 5 snapshots"),
        "{text}"
    );
    assert!(text.contains("too little data"), "{text}");
    assert!(text.contains("snapshots would tell"), "{text}");
}

#[test]
fn what_is_left_at_the_end_is_no_trend() {
    let folder = tempdir().unwrap();
    write_run(&folder, 1..=12);
    shop(13)
        .with(|snapshot| {
            snapshot.header.reason = Reason::Exit;
            snapshot.sites.live_bytes = vec![0; 4];
        })
        .write(&folder, "13.json.gz");
    let document = json(args!["suspects", folder.path(), "--format", "json"]);
    assert_eq!(document["findings"][0]["class"], "leak");
    assert_eq!(document["snapshots"].as_array().unwrap().len(), 12);
}

/// A cache that breathes, and a trigger that looks only when it is full: each peak is a little higher
/// than the last one.
#[test]
fn what_was_taken_since_memory_was_high_is_no_trend() {
    let breathing = |minute: u64, bytes: i64, reason| {
        Fixture::new(minute)
            .site(&[MAIN, HOLD], bytes, 5)
            .with(|snapshot| {
                snapshot.header.reason = reason;
                snapshot.header.totals.live_bytes = bytes;
                // Little is freed as far as this tells, so that nothing but the trend speaks.
                snapshot.sites.total_bytes = vec![bytes as u64];
                set_ages(snapshot, 2, &[bytes]);
                snapshot.header.memory.cgroup_limit_bytes = Some(64 << 20);
                snapshot.header.memory.cgroup_usage_bytes = Some(bytes as u64);
            })
    };
    let folder = tempdir().unwrap();
    for minute in 1..=12 {
        breathing(minute, 4_000_000 + minute as i64 * 500_000, Reason::Peak)
            .write(&folder, &format!("{minute:02}.json.gz"));
    }
    let text = stdout(args!["suspects", folder.path()]);
    assert!(text.starts_with("TOO LITTLE DATA  0 of the 5"), "{text}");

    for minute in 13..=24 {
        let [low, high] = [4_000_000, 9_000_000 + minute as i64 * 500_000];
        breathing(minute, low, Reason::Interval).write(&folder, &format!("{minute:02}a.json.gz"));
        let reason = if minute % 2 == 0 {
            Reason::Peak
        } else {
            Reason::Growth
        };
        breathing(minute, high, reason)
            .with(|snapshot| {
                snapshot.header.uptime_ms += 30_000;
                snapshot.header.taken_unix_ms += 30_000;
            })
            .write(&folder, &format!("{minute:02}b.json.gz"));
    }
    let document = json(args!["suspects", folder.path(), "--format", "json"]);
    assert_eq!(document["snapshots"].as_array().unwrap().len(), 12);
    assert_eq!(document["snapshots_when_high"], 24);
    assert_eq!(class_of(&document, "shop::pool::hold")["class"], "stable");
    // What is used is what the newest of all says.
    assert_eq!(document["limit"]["used_bytes"], 21_000_000);
    let text = stdout(args!["suspects", folder.path()]);
    assert!(
        text.contains("12 snapshots over 11m, the first 2 left out as warm-up, 24 taken at a peak or after growth left out, exact"),
        "{text}"
    );
}

#[test]
fn of_several_runs_the_newest_with_snapshots_enough_is_judged() {
    let folder = tempdir().unwrap();
    write_run(&folder, 1..=12);
    for minute in 20..=21 {
        shop(minute)
            .with(|snapshot| snapshot.header.program.started_unix_ms += 1_000_000)
            .write(&folder, &format!("{minute:02}.json.gz"));
    }
    std::fs::write(folder.path().join("torn.json.gz"), "{").unwrap();
    let output = heaplens(args!["suspects", folder.path(), "--format", "json"]);
    assert!(output.status.success());
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["snapshots"].as_array().unwrap().len(), 12);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("passed over: "), "{stderr}");
    assert!(
        stderr.contains("judged is shop pid 7 on pod-a")
            && stderr.contains("other runs: shop pid 7 on pod-a")
            && stderr.contains("(2 snapshots)"),
        "{stderr}"
    );
}

#[test]
fn a_snapshot_and_its_copy_count_once() {
    let folder = tempdir().unwrap();
    let files = write_run(&folder, 1..=3);
    let copy = folder.path().join("copy.json.gz");
    std::fs::copy(&files[1], &copy).unwrap();
    let document = json(args![
        "suspects", files[0], files[1], copy, files[1], files[2], "--format", "json"
    ]);
    assert_eq!(document["snapshots"].as_array().unwrap().len(), 3);
}

#[test]
fn losses_lower_the_confidence_and_say_why() {
    let folder = tempdir().unwrap();
    for minute in 1..=12 {
        shop(minute)
            .with(|snapshot| {
                // As many as were recorded.
                snapshot.header.losses.stack_table_full =
                    snapshot.sites.total_count.iter().sum::<u64>();
                snapshot.header.losses.truncated.bad_stack = 3;
                snapshot.header.recorder.sampling_off_ms = 300_000;
            })
            .write(&folder, &format!("{minute:02}.json.gz"));
    }
    let document = json(args!["suspects", folder.path(), "--format", "json"]);
    assert_eq!(document["recorded_share"], 0.5);
    assert!(document["findings"][0]["confidence"].as_f64().unwrap() <= 0.5);
    let text = stdout(args!["suspects", folder.path()]);
    assert!(text.contains("50.0 % was recorded in full"), "{text}");
    assert!(text.contains("3 stacks were cut short"), "{text}");
    assert!(
        text.contains("while sampling was switched off, for 5m"),
        "{text}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn any_numbers_get_a_verdict(
        numbers in prop::collection::vec((-(1_i64 << 55)..1 << 55, 0_u64..1 << 55, 0_u64..1 << 20), 1..12),
        ages in prop::collection::vec(0_i64..1 << 50, 12),
    ) {
        let folder = tempdir().unwrap();
        for (at, ((live, total, time), age)) in numbers.into_iter().zip(ages).enumerate() {
            Fixture::new(1)
                .site(&[MAIN, COMPOSE], live, 1)
                .with(|snapshot| {
                    snapshot.header.uptime_ms = time;
                    snapshot.sites.total_bytes[0] = total;
                    set_ages(snapshot, 3, &[age]);
                })
                .write(&folder, &format!("{at}.json.gz"));
        }
        let text = stdout(args!["suspects", folder.path()]);
        prop_assert!(!text.contains("NaN") && !text.contains("inf"), "{}", text);
        json(args!["suspects", folder.path(), "--format", "json"]);
    }
}

#[test]
fn wrong_input_is_one_line() {
    let folder = tempdir().unwrap();
    let line = failure(args!["suspects", folder.path()]);
    assert!(
        line.ends_with("no snapshots in this folder: their names end in .json.gz, and those of pprof profiles in .pb.gz"),
        "{line}"
    );
    let torn = folder.path().join("torn.json.gz");
    std::fs::write(&torn, "{").unwrap();
    let line = failure(args!["suspects", torn]);
    assert!(line.contains("torn.json.gz"), "{line}");
    let output = heaplens(args!["suspects", folder.path(), "--limit", "much"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not a size such as 512MiB"));
}

/// Quiet for eight minutes, then a leak, of which the last snapshot came late.
#[test]
fn a_late_snapshot_does_not_make_growth_look_like_chance() {
    let folder = tempdir().unwrap();
    let minutes = (1..=12).chain([24]);
    for (at, minute) in minutes.enumerate() {
        let at_minute = |minute: i64| 1_000_000 * (minute - 7).max(1);
        let leaked = at_minute(minute as i64);
        let old = at_minute(minute as i64 - 6);
        Fixture::new(minute)
            .site(&[MAIN, COMPOSE], leaked, leaked / 1_000)
            .with(|snapshot| {
                snapshot.sites.total_bytes[0] = leaked as u64;
                set_ages(snapshot, 2, &[old]);
            })
            .write(&folder, &format!("{at:02}.json.gz"));
    }
    let document = json(args!["suspects", folder.path(), "--format", "json"]);
    let class = &class_of(&document, "shop::compose::compose_complex")["class"];
    assert!(class == "leak" || class == "too-little-data", "{class}");
}
