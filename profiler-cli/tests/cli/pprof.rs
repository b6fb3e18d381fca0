//! pprof profiles as input to every verb, and snapshots as pprof profiles.

use std::path::{Path, PathBuf};

use crate::fixture::*;
use crate::protobuf::Profile;
use heaplens::snapshot::SpecialFrame;
use serde_json::Value;
use tempfile::{TempDir, tempdir};

const GO: [(&str, &str); 4] = [
    ("alloc_objects", "count"),
    ("alloc_space", "bytes"),
    ("inuse_objects", "count"),
    ("inuse_space", "bytes"),
];
const PROGRAM: [i64; 3] = [0x1000, 0x9000, 0];
/// 2026-01-05 14:00 UTC.
const START: i64 = 1_767_621_600;

/// A snapshot, and the same as a pprof profile.
fn exported(folder: &TempDir, snapshot: Fixture, name: &str) -> [PathBuf; 2] {
    let snapshot = snapshot.write(folder, &format!("{name}.json.gz"));
    let profile = folder.path().join(format!("{name}.pb.gz"));
    stdout(args!["export", snapshot, "-o", profile]);
    [snapshot, profile]
}

/// Rows by name, with their numbers.
fn rows(file: &Path) -> Vec<[Value; 5]> {
    let top = json(args!["top", file, "--format", "json"]);
    let rows = top["rows"].as_array().unwrap();
    let fields = [
        "name",
        "live_bytes",
        "live_count",
        "total_bytes",
        "total_count",
    ];
    rows.iter()
        .map(|row| fields.map(|field| row[field].clone()))
        .collect()
}

#[test]
fn an_exported_snapshot_reads_like_itself() {
    let folder = tempdir().unwrap();
    let elided = SpecialFrame::Elided(64).to_string();
    let [snapshot, profile] =
        exported(&folder, after().site(&[MAIN, &elided, COMPOSE], 77, 7), "a");
    let folded = |file: &Path| stdout(args!["flamegraph", file, "--format", "folded"]);
    assert_eq!(folded(&profile), folded(&snapshot));
    assert_eq!(rows(&profile), rows(&snapshot));
    assert_eq!(rows(&profile).len(), 2);
    let diff = json(args!["diff", snapshot, profile, "--format", "json"]);
    assert_eq!(diff["totals"]["change"]["live_bytes"], 0, "{diff}");
    assert_eq!(diff["row_count"], 0, "{diff}");
    let inspected = stdout(args!["inspect", profile]);
    assert!(
        inspected.contains("program     /srv/shop\nbuild id    00aa\n"),
        "{inspected}"
    );
    assert!(inspected.contains("2026-01-05 14:09:00 UTC"), "{inspected}");
}

#[test]
fn several_snapshots_and_a_filter_make_one_profile() {
    let folder = tempdir().unwrap();
    let [a, b] = [before(), after()].map(|fixture| {
        let sequence = fixture.sequence();
        fixture.write(&folder, &format!("{sequence}.json.gz"))
    });
    let both = folder.path().join("both.pb.gz");
    let output = heaplens(args!["export", a, b, "--focus", "compose", "-o", both]);
    assert!(output.status.success(), "{output:?}");
    let expected = json(args!["top", a, b, "--focus", "compose", "--format", "json"]);
    let top = json(args!["top", both, "--format", "json"]);
    assert_eq!(top["totals"], expected["totals"]);
    assert_eq!(top["totals"]["live_bytes"], 10_000_000);
    let line = failure(args!["export", a, "--no-std", "-o", both]);
    assert!(line.contains("`go tool pprof`"), "{line}");
}

#[test]
fn the_format_is_told_by_the_name_of_the_file() {
    let folder = tempdir().unwrap();
    let snapshot = after().write(&folder, "a.json.gz");
    let at = |name: &str| folder.path().join(name);
    for name in ["a.pb.gz", "a.folded", "a.speedscope.json"] {
        stdout(args!["export", snapshot, "-o", at(name)]);
    }
    let folded = std::fs::read_to_string(at("a.folded")).unwrap();
    assert_eq!(
        folded,
        stdout(args!["flamegraph", snapshot, "--format", "folded"])
    );
    assert_eq!(folded, stdout(args!["export", snapshot, "--to", "folded"]));
    let scope: Value =
        serde_json::from_slice(&std::fs::read(at("a.speedscope.json")).unwrap()).unwrap();
    let profiles = scope["profiles"].as_array().unwrap();
    let ends: Vec<_> = profiles
        .iter()
        .map(|p| [&p["name"], &p["endValue"]])
        .collect();
    assert_eq!(
        serde_json::json!(ends),
        serde_json::json!([
            ["live bytes", 10_991_000],
            ["live blocks", 9_110],
            ["bytes ever allocated", 21_982_000]
        ])
    );
    let names = |sample: &Value| -> Vec<String> {
        let frames = sample.as_array().unwrap().iter();
        frames
            .map(|at| scope["shared"]["frames"][at.as_u64().unwrap() as usize]["name"].to_string())
            .collect()
    };
    let stack = names(&profiles[0]["samples"][1]);
    assert_eq!(stack[0], "\"_start\"", "outermost first");
    assert_eq!(stack.last().unwrap(), "\"shop::compose::compose_complex\"");

    let line = failure(args!["export", snapshot]);
    assert!(line.contains("--to says what to export to"), "{line}");
    let line = failure(args!["export", snapshot, "-o", at("a.txt")]);
    assert!(
        line.contains(".pb.gz, .folded or .speedscope.json"),
        "{line}"
    );
}

/// Blocks of 1,000 bytes at a mean of 4,096, as Go estimates them.
fn by_go() -> Profile {
    Profile::new(&GO)
        .period(4_096)
        .taken(START)
        .mapping(1, PROGRAM, "/srv/shop")
        .location(1, 0x2000, "main.keep", 14)
        .location(2, 0x3000, "main.main", 31)
        .sample(&[1, 2], &[200, 200_000, 100, 100_000])
}

#[test]
fn profiles_of_go_have_error_bars() {
    let folder = tempdir().unwrap();
    let file = by_go().write(&folder.path().join("go"));
    let top = json(args!["top", file, "--format", "json"]);
    let row = &top["rows"][0];
    assert_eq!(row["name"], "main.keep");
    assert_eq!([&row["live_bytes"], &row["live_count"]], [100_000, 100]);
    assert_eq!([&row["total_bytes"], &row["total_count"]], [200_000, 200]);
    // 1.96 standard deviations of a hundred blocks, each sampled with p = 1 - e^(-1000/4096).
    let p = 1.0 - (-1_000.0_f64 / 4_096.0).exp();
    let expected = 1.96 * (100.0 * 1e6 * (1.0 - p) / p).sqrt();
    let error = row["live_bytes_error"].as_f64().unwrap();
    assert!(
        (error - expected).abs() < 1e-6 * expected,
        "{error} {expected}"
    );
}

/// One value for each sample, no names, and nothing of the sampling.
fn by_jemalloc() -> Profile {
    Profile::new(&[("inuse_space", "bytes")])
        .taken(START)
        .mapping(1, PROGRAM, "/srv/shop")
        .location(1, 0x2000, "", 0)
        .sample(&[1], &[123_456])
}

#[test]
fn what_a_profile_does_not_tell_is_said() {
    let folder = tempdir().unwrap();
    // Not gzipped: its content tells what it is.
    let file = folder.path().join("profile");
    std::fs::write(&file, by_jemalloc().build()).unwrap();
    let output = heaplens(args!["top", file]);
    let [text, notes] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(text.contains("live 120.6 KiB in 0 blocks"), "{text}");
    assert!(!text.contains('±') && !text.contains("exact"), "{text}");
    assert!(text.contains("shop+0x1000"), "{text}");
    assert!(notes.contains("do not tell numbers of blocks"), "{notes}");
    assert!(notes.contains("nobody knows what is freed"), "{notes}");
    let top = json(args!["top", file, "--format", "json"]);
    assert_eq!(top["sampled"], true);
    assert_eq!(top["old_seconds"], Value::Null);
    assert_eq!(top["rows"][0]["live_bytes_error"], Value::Null);
    let inspected = stdout(args!["inspect", file]);
    assert!(
        inspected.contains("not told by a pprof profile"),
        "{inspected}"
    );
    assert!(inspected.contains("mode        sampled\n"), "{inspected}");
}

#[test]
fn profiles_of_tcmalloc_have_types_of_their_own() {
    let folder = tempdir().unwrap();
    let file = Profile::new(&[("objects", "count"), ("space", "bytes")])
        .period(2 << 20)
        // Two segments of one file.
        .mapping(1, [0x1000, 0x2000, 0], "/srv/shop")
        .mapping(2, [0x2000, 0x9000, 0x1000], "/srv/shop")
        .location(1, 0x1234, "tcmalloc::Sampled", 1)
        .sample(&[1], &[12, 3_456])
        .sample(&[], &[1, 64])
        .write(&folder.path().join("tc"));
    let top = json(args!["top", file, "--format", "json"]);
    assert_eq!(top["totals"]["live_bytes"], 3_520);
    assert_eq!(top["totals"]["live_count"], 13);
    assert_eq!(top["totals"]["total_bytes"], 0);
    let inspected = json(args!["inspect", file, "--format", "json"]);
    assert_eq!(inspected["rows"][0]["modules"].as_array().unwrap().len(), 1);
}

/// A leak of a megabyte a minute and a cache that is full from the third, of which nothing but what
/// is live is told if `live_only`.
fn series(folder: &TempDir, live_only: bool, minutes: i64) -> Vec<PathBuf> {
    (1..=minutes)
        .map(|m| {
            let types = if live_only { &GO[3..] } else { &GO };
            let values = |live: i64, total: i64| match live_only {
                true => vec![live],
                false => vec![total / 1_000, total, live / 1_000, live],
            };
            let mb = 1_000_000;
            Profile::new(types)
                .period(1)
                .taken(START + 60 * m)
                .mapping(1, PROGRAM, "/srv/shop")
                .location(1, 0x2000, "shop::compose", 1)
                .location(2, 0x3000, "shop::cache", 2)
                .location(3, 0x4000, "shop::main", 3)
                .sample(&[1, 3], &values(m * mb, m * mb))
                .sample(&[2, 3], &values(2 * m.min(3) * mb, 3 * m * mb))
                // Last in the name and first in time: it is the time in the file that counts.
                .write(&folder.path().join(format!("{:02}.pb.gz", minutes - m)))
        })
        .collect()
}

fn classes(document: &Value) -> Vec<(&str, &str)> {
    let findings = document["findings"].as_array().unwrap().iter();
    let text = |value: &'_ Value| -> &'static str { value.as_str().unwrap().to_owned().leak() };
    findings
        .map(|finding| (text(&finding["owner"]["function"]), text(&finding["class"])))
        .collect()
}

#[test]
fn a_series_of_profiles_is_judged_like_a_run() {
    for live_only in [false, true] {
        let folder = tempdir().unwrap();
        series(&folder, live_only, 12);
        let suspects = json(args!["suspects", folder.path(), "--format", "json"]);
        // It filled by and by and is level: that shows where nobody knows what is freed, too.
        assert_eq!(
            classes(&suspects),
            [("shop::compose", "leak"), ("shop::cache", "cache")],
            "{suspects:#}"
        );
        let leak = &suspects["findings"][0];
        assert!((leak["bytes_per_second"].as_f64().unwrap() - 1e6 / 60.0).abs() < 1.0);
        assert_eq!(suspects["seconds"][0], 0.0);
        // Nothing is said of what no profile tells.
        assert_eq!(leak["age"], Value::Null);
        assert_eq!(leak["freed_share"].is_null(), live_only);
        let text = stdout(args!["suspects", folder.path()]);
        assert!(
            text.contains("shop, if all are of one process: 12 snapshots"),
            "{text}"
        );
        assert!(!text.contains("older than"), "{text}");
        assert_eq!(
            text.contains("what was freed meanwhile is not known"),
            live_only,
            "{text}"
        );
    }
}

#[test]
fn profiles_of_a_program_that_was_started_again_are_told() {
    let folder = tempdir().unwrap();
    series(&folder, false, 8);
    let at = |seconds, bytes| {
        by_go()
            .taken(START + seconds)
            .sample(&[1, 2], &[bytes, bytes, bytes, bytes])
            .write(&folder.path().join(format!("again-{seconds}.pb.gz")))
    };
    at(1_000, 5);
    let output = heaplens(args!["suspects", folder.path()]);
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(
        notes.contains("again-1000.pb.gz has allocated less than "),
        "{notes}"
    );
}

#[test]
fn profiles_and_snapshots_are_not_one_run() {
    let folder = tempdir().unwrap();
    let profiles = series(&folder, false, 5);
    let snapshot = after().write(&folder, "a.json.gz");
    let mut line = args!["suspects"];
    line.extend(
        profiles
            .iter()
            .chain([&snapshot])
            .map(std::ffi::OsString::from),
    );
    let output = heaplens(&line);
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(
        notes.contains("judged is 5 pprof profiles of shop; other runs: "),
        "{notes}"
    );
    // Nobody knows whether they are of one process, so nothing is counted twice for sure.
    let notes = heaplens(args!["top", profiles[0], profiles[1], snapshot]).stderr;
    assert_eq!(String::from_utf8(notes).unwrap(), "");
}

#[test]
fn damage_is_named_with_its_place() {
    let folder = tempdir().unwrap();
    let good = by_go().build();
    let mut gzip = std::fs::read(by_go().write(&folder.path().join("good"))).unwrap();
    gzip.truncate(gzip.len() / 2);
    let go = || Profile::new(&GO).period(1);
    for (bytes, what) in [
        (gzip, "cut short"),
        (good[..good.len() - 3].to_vec(), "with less left at byte"),
        (
            by_go().sample(&[9], &[1, 1, 1, 1]).build(),
            "sample 2 has location 9, which is not there",
        ),
        (
            by_go().sample(&[1], &[1]).build(),
            "sample 2 has 1 values, but there are 4 types",
        ),
        (
            by_go().sample(&[1], &[-1, -1, 0, 0]).build(),
            "sample 2 has allocated -1: the difference",
        ),
        (
            by_go().sample(&[1], &[0, 0, 0, i64::MAX]).build(),
            "sites.live_bytes[1] brings the column's sum to 2^62",
        ),
        (
            go().location(1, 1, "f", 1).build(),
            "location 1 is in mapping 1, which is not there",
        ),
        (
            by_go().mapping(1, PROGRAM, "x").build(),
            "mapping 2 whose id another one has",
        ),
        (
            by_go().mapping(0, PROGRAM, "x").build(),
            "mapping 2 without an id",
        ),
        (
            by_go().field(11, Default::default()).message.number(1, 5).0,
            "field 1 that is no message",
        ),
        (
            Profile::new(&[("samples", "count"), ("cpu", "nanoseconds")]).build(),
            "a pprof profile, but of no heap: its samples have samples/count, cpu/nanoseconds",
        ),
    ] {
        let file = folder.path().join("damaged");
        std::fs::write(&file, bytes).unwrap();
        let good = folder.path().join("good");
        for line in [
            args!["top", file],
            args!["diff", good, file],
            args!["suspects", file],
        ] {
            let told = failure(&line);
            assert!(told.starts_with(&format!("{}: ", file.display())), "{told}");
            assert!(told.contains(what), "{told}");
        }
    }
}

#[test]
fn names_are_not_folded_into_profiles() {
    let folder = tempdir().unwrap();
    let file = by_go().write(&folder.path().join("go.pb.gz"));
    let line = failure(args!["symbolize", file]);
    assert!(line.contains("only snapshots are rewritten"), "{line}");
}
