//! Many processes on each side: means per process, and releases by build id.

use crate::fixture::*;
use tempfile::{TempDir, tempdir};

const MIB: i64 = 1 << 20;

/// A snapshot of a process of a build: a cache of 4 MiB, and what composition holds.
fn pod(pid: u32, build: &str, minute: u64, composed: i64) -> Fixture {
    let fixture =
        Fixture::new(minute)
            .site(&[MAIN, CACHE], 4 * MIB, 4)
            .site(&[MAIN, COMPOSE], composed, 100);
    fixture.with(|snapshot| {
        let program = &mut snapshot.header.program;
        program.pid = pid;
        program.build_id = Some(build.repeat(20));
        // The later build was started later, though one of the first was started again after it.
        program.started_unix_ms += match (build, pid) {
            ("aa", 3) => 5_000_000,
            ("aa", _) => 0,
            _ => 1_000_000,
        };
    })
}

/// Three processes of the old release, of which one has left two snapshots, and one of the new one.
fn fleet(folder: &TempDir) {
    pod(1, "aa", 1, 90 * MIB).write(folder, "1-early.json.gz");
    for pid in 1..=3 {
        pod(pid, "aa", 5, i64::from(pid) * MIB).write(folder, &format!("{pid}.json.gz"));
    }
    pod(4, "bb", 5, 10 * MIB).write(folder, "4.json.gz");
}

#[test]
fn releases_are_compared_by_means_of_their_processes() {
    let folder = tempdir().unwrap();
    fleet(&folder);
    let diff = json(args![
        "diff",
        "--by-build",
        folder.path(),
        "--format",
        "json"
    ]);
    assert_eq!(diff["per_process"], true);
    let builds = |side: &str| -> Vec<String> {
        let snapshots = diff[side].as_array().unwrap().iter();
        snapshots
            .map(|snapshot| snapshot["build_id"].as_str().unwrap()[..4].to_owned())
            .collect()
    };
    assert_eq!(builds("before_snapshots"), ["aaaa"; 3]);
    assert_eq!(builds("after_snapshots"), ["bbbb"]);
    // The mean of 1, 2 and 3 MiB against 10 MiB; the cache is what it was.
    let rows = diff["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(
        rows[0]["owner"]["function"],
        "shop::compose::compose_complex"
    );
    assert_eq!(rows[0]["change"]["live_bytes"], 8 * MIB);
    assert_eq!(rows[0]["before"]["live_count"], 100);
    assert_eq!(diff["totals"]["before"]["live_bytes"], 6 * MIB);
    assert_eq!(diff["totals"]["before_sum"]["live_bytes"], 18 * MIB);

    let text = heaplens(args!["diff", "--by-build=aa..bb", folder.path()]);
    let stderr = String::from_utf8(text.stderr).unwrap();
    assert!(
        stderr.contains("of 5 snapshots, the newest of each of 4 processes"),
        "{stderr}"
    );
    let text = String::from_utf8(text.stdout).unwrap();
    for what in [
        "build aaaaaaaaaaaa: 6.0 MiB live",
        "mean per process of 3, 18.0 MiB in all",
        "build bbbbbbbbbbbb: 14.0 MiB live",
        "MEANS   all numbers are means per process",
        "CHANGE  +8.0 MiB net",
    ] {
        assert!(text.contains(what), "{what} in {text}");
    }
    let svg = stdout(args![
        "diff",
        "--by-build",
        folder.path(),
        "--format",
        "svg"
    ]);
    assert!(svg.contains("mean per process of 3, 18.0 MiB in all"));
    // The other way round it shrinks.
    let back = json(args![
        "diff",
        "--by-build=bb..aa",
        folder.path(),
        "--format",
        "json"
    ]);
    assert_eq!(back["totals"]["change"]["live_bytes"], -8 * MIB);
}

#[test]
fn sides_of_different_sizes_are_compared_by_their_means() {
    let folder = tempdir().unwrap();
    fleet(&folder);
    let at = |name: &str| folder.path().join(name);
    let old = at("[123].json.gz");
    let means = |line: Vec<std::ffi::OsString>| {
        let document = json(&line);
        assert_eq!(document["per_process"], true, "{line:?}");
        document
    };
    let diff = means(args!["diff", old, at("4.json.gz"), "--format", "json"]);
    assert_eq!(diff["totals"]["change"]["live_bytes"], 8 * MIB);
    let by_base = args![
        "diff",
        "--base",
        at("1.json.gz"),
        "--base",
        at("2.json.gz"),
        at("4.json.gz"),
        "--format",
        "json"
    ];
    let diff = means(by_base);
    assert_eq!(diff["totals"]["change"]["live_bytes"], 8 * MIB + MIB / 2);
    let top = means(args![
        "top",
        at("4.json.gz"),
        "--base",
        old,
        "--sort",
        "growth",
        "--format",
        "json"
    ]);
    assert_eq!(top["rows"][0]["growth_bytes"], 8 * MIB);
    assert_eq!(top["base_sum"]["live_bytes"], 18 * MIB);
    // As many on each side: sums.
    let same = json(args![
        "diff",
        at("1.json.gz"),
        at("4.json.gz"),
        "--format",
        "json"
    ]);
    assert_eq!(same["per_process"], false);
    assert!(same["totals"]["before_sum"].is_null());
}

#[test]
fn what_is_compared_must_be_clear() {
    let folder = tempdir().unwrap();
    fleet(&folder);
    let at = folder.path();
    let error = failure(args!["diff", at.join("1.json.gz")]);
    assert!(error.contains("there is one only"), "{error}");
    let error = failure(args!["diff", "--by-build", at.join("1.json.gz")]);
    assert!(
        error.contains("only one build, aaaaaaaaaaaa (1 process since"),
        "{error}"
    );
    let error = failure(args!["diff", "--by-build=aa..cc", at]);
    assert!(error.contains("no process is of a build cc"), "{error}");
    let nameless = Fixture::new(1).with(|snapshot| snapshot.header.program.build_id = None);
    let file = nameless.write(&folder, "nameless.json.gz");
    let error = failure(args!["diff", "--by-build", file]);
    assert!(error.contains("has no build id"), "{error}");
}
