//! `heaplens diff`

use std::collections::BTreeMap;

use crate::fixture::*;
use proptest::prelude::*;
use serde_json::Value;
use tempfile::tempdir;

fn rows(diff: &Value) -> &Vec<Value> {
    diff["rows"].as_array().unwrap()
}

#[test]
fn json_tells_what_became_of_each_path() {
    let folder = tempdir().unwrap();
    let (before, after) = (
        before().write(&folder, "b.json.gz"),
        after().write(&folder, "a.json.gz"),
    );
    let diff = json(args!["diff", before, after, "--format", "json"]);
    assert_eq!(diff["schema"], "heaplens-diff-1");
    let states: Vec<(&str, &str, i64)> = rows(&diff)
        .iter()
        .map(|row| {
            let owner = row["owner"]["function"].as_str().unwrap();
            let change = row["change"]["live_bytes"].as_i64().unwrap();
            (row["state"].as_str().unwrap(), owner, change)
        })
        .collect();
    assert_eq!(
        states,
        [
            ("new", "shop::compose::compose_complex", 9_000_000),
            ("new", "shop::compose::compose_complex", 1_000_000),
            ("gone", "shop::warm_up", -500),
            ("shrank", "shop::cache::put", -8_000),
        ]
    );
    let shrank = &rows(&diff)[3];
    assert_eq!(shrank["before"]["live_bytes"], 999_000);
    assert_eq!(shrank["after"]["live_bytes"], 991_000);
    assert_eq!(shrank["change"]["total_bytes"], -16_000);
    let totals = &diff["totals"];
    assert_eq!(totals["change"]["live_bytes"], 9_991_500);
    assert_eq!(totals["grown_bytes"], 10_000_000);
    assert_eq!(totals["shrunk_bytes"], -8_500);
    assert_eq!(
        diff["owners"][0]["owner"]["function"],
        "shop::compose::compose_complex"
    );
    assert_eq!(diff["owners"][0]["change"]["live_bytes"], 10_000_000);
}

#[test]
fn text_names_growth_then_new_then_gone() {
    let folder = tempdir().unwrap();
    let grew = Fixture::new(1)
        .site(&[MAIN, CACHE], 1_000, 1)
        .site(&[MAIN, GONE], 10, 1);
    let before = grew.write(&folder, "b.json.gz");
    let after = Fixture::new(9)
        .site(&[MAIN, CACHE], 9_000, 9)
        .site(&[MAIN, COMPOSE], 5_000, 5)
        .write(&folder, "a.json.gz");
    let text = stdout(args!["diff", before, after]);
    let place = |what: &str| {
        text.find(what)
            .unwrap_or_else(|| panic!("{what} in {text}"))
    };
    assert!(place("Growing paths") < place("New paths"));
    assert!(place("New paths") < place("Gone paths"));
    for part in [
        "BEFORE  2026-01-05 14:01:00 UTC",
        "AFTER   2026-01-05 14:09:00 UTC (8m later)",
        "CHANGE  +12.7 KiB net: grew 12.7 KiB, shrank 10 B",
        "OWNERS  +7.8 KiB  shop::cache::put  /w/shop/src/cache.rs:33",
        "+7.8 KiB, +8 blocks, 1000 B -> 8.8 KiB, 61.5 % of growth",
        "    > shop::compose::compose_complex  /w/shop/src/compose.rs:142",
        "-10 B, -1 blocks, gone",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    // A new path that is too small for the first list stands in the second.
    let short = stdout(args!["diff", before, after, "-n", "1"]);
    assert!(
        short.contains("New paths: 1 with 4.9 KiB, 0 of them above"),
        "{short}"
    );
    assert!(short.contains("compose_complex"), "{short}");
}

#[test]
fn a_function_that_calls_itself_is_one_line() {
    let folder = tempdir().unwrap();
    let before = Fixture::new(1).write(&folder, "b.json.gz");
    let recursive = [
        MAIN,
        CACHE,
        COMPOSE,
        COMPOSE,
        COMPOSE,
        "alloc::vec::Vec<T>::push",
    ];
    let after = Fixture::new(2)
        .site(&recursive, 9, 1)
        .write(&folder, "a.json.gz");
    let text = stdout(args!["diff", before, after]);
    let stack = "      alloc::vec::Vec<T>::push
    > shop::compose::compose_complex ×3  /w/shop/src/compose.rs:142
      shop::cache::put  /w/shop/src/cache.rs:33
      shop::main  /w/shop/src/main.rs:10
";
    assert!(text.contains(stack), "{text}");
}

#[test]
fn builds_compare_by_name_and_file() {
    let folder = tempdir().unwrap();
    let before = Fixture::new(1)
        .site(
            &[
                "shop::main::h0011223344556677@/ci/41/shop/src/main.rs:10",
                "shop[0123456789abcdef]::keep@/ci/41/shop/src/keep.rs:20",
                "serde::de::grow@/r/registry/src/i/serde-1.0.1/src/de.rs:7",
                "[x]",
            ],
            1_000,
            1,
        )
        .site(&["#4294967301", "shop::deep"], 10, 1)
        .site(&["shop::twin@/w/src/a.rs:1"], 5, 1)
        .write(&folder, "b.json.gz");
    let after = Fixture::new(2)
        .site(
            &[
                "shop::main::hffffffffffffffff@/ci/42/shop/src/main.rs:12",
                "shop[fedcba9876543210]::keep@/ci/42/shop/src/keep.rs:25",
                "serde::de::grow@/r/registry/src/i/serde-1.0.2/src/de.rs:9",
                "[x]",
            ],
            3_000,
            1,
        )
        .site(&["#4294967302", "shop::deep"], 10, 1)
        .site(&["shop::twin@/w/src/b.rs:1"], 5, 1)
        .write(&folder, "a.json.gz");
    let diff = json(args!["diff", before, after, "--format", "json"]);
    let states: Vec<(&str, i64)> = rows(&diff)
        .iter()
        .map(|row| {
            (
                row["state"].as_str().unwrap(),
                row["change"]["live_bytes"].as_i64().unwrap(),
            )
        })
        .collect();
    // Equal but for hashes, folders, lines and the elided number; but not in another file.
    assert_eq!(states, [("grew", 2_000), ("new", 5), ("gone", -5)]);
    assert_eq!(
        rows(&diff)[0]["owner"]["line"],
        25,
        "places are those of the later side"
    );
}

#[test]
fn a_file_that_one_side_does_not_know_does_not_matter() {
    let folder = tempdir().unwrap();
    let before = Fixture::new(1).site(&["shop::main", "shop::keep"], 10, 1);
    let after = Fixture::new(2).site(&[MAIN, "shop::keep@/w/shop/src/keep.rs:3"], 30, 1);
    let (before, after) = (
        before.write(&folder, "b.json.gz"),
        after.write(&folder, "a.json.gz"),
    );
    let output = heaplens(args!["diff", before, after, "--format", "json"]);
    let diff: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows(&diff).len(), 1);
    assert_eq!(rows(&diff)[0]["state"], "grew");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("lines and inlined calls"), "{stderr}");
}

#[test]
fn wrong_order_and_unlike_modes_are_told() {
    let folder = tempdir().unwrap();
    let (before, after) = (
        before().write(&folder, "b.json.gz"),
        after().sampled(1.0).write(&folder, "a.json.gz"),
    );
    let stderr = String::from_utf8(heaplens(args!["diff", after, before]).stderr).unwrap();
    assert!(
        stderr.contains("wrong order") && stderr.contains("sampled"),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 2);
}

#[test]
fn error_of_a_change_leaves_out_what_lives_on() {
    let folder = tempdir().unwrap();
    let site = |sequence, total_variance: f64| {
        Fixture::new(sequence)
            .site(&[MAIN, CACHE], 1 << 20, 1)
            .sampled(100.0)
            .with(|snapshot| {
                snapshot.sites.total_bytes_variance = vec![total_variance];
            })
    };
    let before = site(1, 1_000.0).write(&folder, "b.json.gz");
    let error = |after: Fixture| {
        let after = after.site(&[MAIN, COMPOSE], 1, 1).with(|snapshot| {
            // The new site has no error of its own.
            for column in [
                &mut snapshot.sites.live_bytes_variance,
                &mut snapshot.sites.total_bytes_variance,
            ] {
                column.resize(2, 0.0);
            }
            snapshot.sites.live_samples.resize(2, 0);
            snapshot.sites.total_samples.resize(2, 0);
        });
        let after = after.write(&folder, "a.json.gz");
        let diff = json(args!["diff", before, after, "--format", "json"]);
        let owners = diff["owners"].as_array().unwrap();
        let cache = owners
            .iter()
            .find(|o| o["owner"]["function"] == "shop::cache::put")
            .unwrap();
        cache["change"]["live_bytes_error"].as_f64().unwrap()
    };
    // Nothing was born in between, so the same blocks are live: no error at all.
    assert_eq!(error(site(2, 1_000.0)), 0.0);
    // Everything may have been born in between: both variances count.
    assert!((error(site(2, 5_000.0)) - 1.96 * 200_f64.sqrt()).abs() < 1e-9);
    // Another process shares no block.
    let other = site(2, 1_000.0).with(|snapshot| snapshot.header.program.pid = 99);
    assert!((error(other) - 1.96 * 200_f64.sqrt()).abs() < 1e-9);
}

#[test]
fn folded_has_both_sides() {
    let folder = tempdir().unwrap();
    let before = Fixture::new(1)
        .bare_site(&["a", "b"], 5, 1)
        .bare_site(&["a", "c"], 7, 1);
    let after = Fixture::new(2)
        .bare_site(&["a", "b"], 9, 1)
        .bare_site(&["a", "c"], 7, 1);
    let (before, after) = (
        before.write(&folder, "b.json.gz"),
        after.write(&folder, "a.json.gz"),
    );
    assert_eq!(
        stdout(args!["diff", before, after, "--format", "folded"]),
        "a;b 5 9\n"
    );
}

#[test]
fn the_ending_of_the_output_tells_the_format() {
    let folder = tempdir().unwrap();
    let (before, after) = (
        before().write(&folder, "b.json.gz"),
        after().write(&folder, "a.json.gz"),
    );
    for (name, start) in [
        ("x.svg", "<?xml"),
        ("x.json", "{\"schema\""),
        ("x.folded", "_start;"),
        ("x.txt", "BEFORE"),
    ] {
        let file = folder.path().join(name);
        stdout(args!["diff", before, after, "-o", file]);
        assert!(
            std::fs::read_to_string(file).unwrap().starts_with(start),
            "{name}"
        );
    }
    let file = folder.path().join("x");
    assert!(failure(args!["diff", before, after, "-o", file]).contains("--format"));
    stdout(args!["diff", before, after, "-o", file, "--format", "json"]);
}

#[test]
fn sides_can_be_fleets() {
    let folder = tempdir().unwrap();
    for pid in [1, 2] {
        let pod = |fixture: Fixture| fixture.with(|s| s.header.program.pid = pid);
        pod(before()).write(&folder, &format!("b-{pid}.json.gz"));
        pod(after()).write(&folder, &format!("a-{pid}.json.gz"));
    }
    let at = |glob: &str| folder.path().join(glob);
    let diff = json(args![
        "diff",
        at("b-*.json.gz"),
        at("a-*.json.gz"),
        "--format",
        "json"
    ]);
    assert_eq!(diff["totals"]["change"]["live_bytes"], 2 * 9_991_500);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the two sides hold, changes add up, and so does the picture.
    #[test]
    fn sums_match(
        sites in prop::collection::btree_map(
            prop::collection::vec("[a-e]", 1..5), (0_i64..5_000_000, 0_i64..5_000_000), 1..24,
        ),
    ) {
        let folder = tempdir().unwrap();
        let side = |sequence, pick: fn(&(i64, i64)) -> i64| {
            let mut fixture = Fixture::new(sequence);
            for (path, bytes) in &sites {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                fixture = fixture.bare_site(&path, pick(bytes), 1);
            }
            fixture
        };
        let before = side(1, |bytes| bytes.0).write(&folder, "b.json.gz");
        let after = side(2, |bytes| bytes.1).write(&folder, "a.json.gz");
        let diff = json(args!["diff", before, after, "--format", "json"]);

        let changes: BTreeMap<_, i64> =
            sites.iter().map(|(path, (old, new))| (path, new - old)).collect();
        let net: i64 = changes.values().sum();
        let grown: i64 = changes.values().filter(|c| **c > 0).sum();
        prop_assert_eq!(&diff["totals"]["change"]["live_bytes"], net);
        prop_assert_eq!(&diff["totals"]["grown_bytes"], grown);
        prop_assert_eq!(&diff["totals"]["shrunk_bytes"], net - grown);
        let sum = |rows: &Value| -> i64 {
            rows.as_array().unwrap().iter().map(|r| r["change"]["live_bytes"].as_i64().unwrap()).sum()
        };
        prop_assert_eq!(sum(&diff["rows"]), net);
        prop_assert_eq!(sum(&diff["owners"]), net);

        let svg = stdout(args!["diff", before, after, "--format", "svg"]);
        // The first frame is all of it; `differential` looks at the others.
        let all = svg.split("data-change=\"").nth(1).and_then(|rest| rest.split('"').next());
        prop_assert_eq!(all.map(|all| all.parse::<i64>().unwrap()), Some(net));
    }
}
