//! `heaplens top`

use crate::fixture::*;
use serde_json::json;
use tempfile::tempdir;

#[test]
fn rows_name_the_owner_with_exact_numbers() {
    let folder = tempdir().unwrap();
    let snapshot = after().write(&folder, "a.json.gz");
    let top = json(args!["top", snapshot, "--format", "json"]);
    assert_eq!(top["schema"], "heaplens-top-1");
    assert_eq!(top["totals"]["live_bytes"], 10_991_000);
    assert_eq!(top["row_count"], 2);
    let row = &top["rows"][0];
    assert_eq!(row["name"], "shop::compose::compose_complex");
    assert_eq!(row["live_bytes"], 10_000_000);
    assert_eq!(row["live_count"], 9_100);
    assert_eq!(row["total_bytes"], 20_000_000);
    assert_eq!(row["total_count"], 18_200);
    assert_eq!(
        row.get("live_bytes_error"),
        None,
        "exact numbers have no error"
    );
    assert_eq!(
        row["owner"],
        json!({
            "function": "shop::compose::compose_complex",
            "file": "/w/shop/src/compose.rs",
            "line": 142,
            "crate": "shop",
            "binary": "/srv/shop",
        })
    );
    let sum: i64 = top["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["live_bytes"].as_i64().unwrap())
        .sum();
    assert_eq!(sum, 10_991_000);
}

#[test]
fn allocator_frames_are_not_shown_and_stacks_begin_inside() {
    let folder = tempdir().unwrap();
    let snapshot = after().write(&folder, "a.json.gz");
    let top = json(args!["top", snapshot, "--format", "json"]);
    let stack: Vec<&str> = top["rows"][1]["stack"]
        .as_array()
        .unwrap()
        .iter()
        .map(|frame| frame["function"].as_str().unwrap())
        .collect();
    assert_eq!(stack[0], "hashbrown::map::HashMap<K,V>::insert");
    assert_eq!(stack[1..3], ["shop::cache::put", "shop::main"]);
    assert_eq!(stack.last(), Some(&"_start"));
}

#[test]
fn text_shows_share_bytes_count_and_place() {
    let folder = tempdir().unwrap();
    let snapshot = after().write(&folder, "a.json.gz");
    let text = stdout(args!["top", snapshot]);
    let row = text
        .lines()
        .find(|line| line.contains("compose_complex"))
        .unwrap();
    for part in ["91.0 %", "9.5 MiB", "9,100", "/w/shop/src/compose.rs:142"] {
        assert!(row.contains(part), "{part} in {text}");
    }
    assert!(text.contains("2026-01-05 14:09:00 UTC"), "{text}");
}

#[test]
fn rows_can_be_functions_and_crates() {
    let folder = tempdir().unwrap();
    let snapshot = after().write(&folder, "a.json.gz");
    let names = |by: &str| -> Vec<(String, i64)> {
        json(args!["top", snapshot, "--format", "json", "--by", by])["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| {
                (
                    row["name"].as_str().unwrap().to_owned(),
                    row["live_bytes"].as_i64().unwrap(),
                )
            })
            .collect()
    };
    let row = |name: &str, bytes| (name.to_owned(), bytes);
    assert_eq!(
        names("function"),
        [
            row("shop::compose::compose_complex", 9_000_000),
            row("alloc::vec::Vec<T,A>::push", 1_000_000),
            row("hashbrown::map::HashMap<K,V>::insert", 991_000),
        ]
    );
    assert_eq!(names("crate"), [row("shop", 10_991_000)]);
    let text = stdout(args!["top", snapshot, "--by", "function"]);
    assert!(
        text.contains("alloc::vec::Vec<T,A>::push  < shop::compose::compose_complex"),
        "{text}"
    );
}

#[test]
fn rows_can_be_ranked_by_any_number() {
    let folder = tempdir().unwrap();
    let snapshot = Fixture::new(1)
        .site(&[MAIN, CACHE], 1_000, 1)
        .site(&[MAIN, COMPOSE], 10, 10)
        .write(&folder, "a.json.gz");
    let first = |sort: &str| {
        json(args![
            "top", snapshot, "--format", "json", "--sort", sort, "-n", "1"
        ])["rows"][0]["name"]
            .clone()
    };
    assert_eq!(first("live"), "shop::cache::put");
    assert_eq!(first("count"), "shop::compose::compose_complex");
    assert_eq!(first("total"), "shop::cache::put");
}

#[test]
fn growth_counts_from_a_base() {
    let folder = tempdir().unwrap();
    let base = Fixture::new(1)
        .site(&[MAIN, CACHE], 1_000_000, 1)
        .site(&[MAIN, GONE], 500, 1)
        .write(&folder, "b.json.gz");
    let snapshot = Fixture::new(2)
        .site(&[MAIN, CACHE], 1_000_010, 1)
        .site(&[MAIN, COMPOSE], 4_000, 4)
        .write(&folder, "a.json.gz");
    let top = json(args![
        "top", snapshot, "--base", base, "--sort", "growth", "--format", "json",
    ]);
    let rows = top["rows"].as_array().unwrap();
    let growth: Vec<(&str, i64)> = rows
        .iter()
        .map(|row| {
            (
                row["name"].as_str().unwrap(),
                row["growth_bytes"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        growth,
        [
            ("shop::compose::compose_complex", 4_000),
            ("shop::cache::put", 10),
            ("shop::warm_up", -500)
        ]
    );
    assert_eq!(rows[1]["base"]["live_bytes"], 1_000_000);
    assert_eq!(top["base_totals"]["live_bytes"], 1_000_500);
    let text = stdout(args!["top", snapshot, "--base", base, "--sort", "growth"]);
    assert!(text.contains("+3.9 KiB"), "{text}");
}

#[test]
fn growth_without_a_base_is_refused() {
    let error = failure(args!["top", "absent.json.gz", "--sort", "growth"]);
    assert!(error.contains("--base"), "{error}");
}

#[test]
fn sampled_numbers_carry_their_error() {
    let folder = tempdir().unwrap();
    let snapshot = after().sampled(1e10).write(&folder, "a.json.gz");
    let top = json(args!["top", snapshot, "--format", "json"]);
    let error = top["rows"][0]["live_bytes_error"].as_f64().unwrap();
    // Two sites of one owner: variances add up.
    assert!((error - 1.96 * 2e10_f64.sqrt()).abs() < 1.0, "{error}");
    assert_eq!(top["sampled"], true);
    let text = stdout(args!["top", snapshot]);
    assert!(text.contains("±270.7 KiB"), "{text}");
}

#[test]
fn the_pods_of_a_fleet_are_added_up() {
    let folder = tempdir().unwrap();
    for pid in 1..=3 {
        after()
            .with(|snapshot| snapshot.header.program.pid = pid)
            .write(&folder, &format!("pod-{pid}.json.gz"));
    }
    let glob = folder.path().join("pod-*.json.gz");
    let output = heaplens(args!["top", glob, "--format", "json"]);
    assert!(output.stderr.is_empty());
    let top: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(top["rows"][0]["live_bytes"], 30_000_000);
    assert_eq!(top["snapshots"].as_array().unwrap().len(), 3);
}

#[test]
fn two_snapshots_of_one_run_are_counted_twice_and_that_is_said() {
    let folder = tempdir().unwrap();
    let (one, two) = (
        before().write(&folder, "1.json.gz"),
        after().write(&folder, "2.json.gz"),
    );
    let output = heaplens(args!["top", one, two]);
    assert!(output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("same run") && stderr.lines().count() == 1,
        "{stderr}"
    );
}

#[test]
fn crates_can_be_made_own() {
    let folder = tempdir().unwrap();
    let lib = format!("lay_out::place@{REGISTRY}/lay-out-0.1.0/src/lib.rs:5");
    let snapshot = Fixture::new(1)
        .site(&[MAIN, &lib], 100, 1)
        .write(&folder, "a.json.gz");
    let owner = |more: &[&str]| {
        let mut line = args!["top", snapshot, "--format", "json"];
        line.extend(more.iter().map(Into::into));
        json(line)["rows"][0]["owner"]["function"].clone()
    };
    assert_eq!(owner(&[]), "shop::main");
    assert_eq!(owner(&["--owner-crates", "x,lay-out"]), "lay_out::place");
}

#[test]
fn without_files_the_main_crate_owns_before_others() {
    let folder = tempdir().unwrap();
    let snapshot = Fixture::new(1)
        .with(|snapshot| snapshot.header.program.executable = "/srv/renamed".to_owned())
        .site(
            &[
                "shop::main",
                "shop::route",
                "axum::call",
                "alloc::vec::Vec<T>::push",
            ],
            100,
            1,
        )
        .bare_site(
            &[
                "start_thread",
                "tokio::run",
                "bytes::grow",
                "alloc::vec::Vec<T>::push",
            ],
            50,
            1,
        )
        .bare_site(&["#1"], 7, 1)
        .write(&folder, "a.json.gz");
    let top = json(args!["top", snapshot, "--format", "json"]);
    let owners: Vec<&str> = top["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["owner"]["function"].as_str().unwrap())
        .collect();
    assert_eq!(owners, ["shop::route", "bytes::grow", "[before start]"]);
}

#[test]
fn output_can_go_to_a_file() {
    let folder = tempdir().unwrap();
    let snapshot = after().write(&folder, "a.json.gz");
    let file = folder.path().join("top.txt");
    assert_eq!(stdout(args!["top", snapshot, "-o", file]), "");
    assert_eq!(
        std::fs::read_to_string(file).unwrap(),
        stdout(args!["top", snapshot])
    );
}

#[test]
fn rows_left_out_are_counted() {
    let folder = tempdir().unwrap();
    let snapshot = after().write(&folder, "a.json.gz");
    let text = stdout(args!["top", snapshot, "-n", "1"]);
    assert!(text.contains("1 more") && !text.contains("cache"), "{text}");
    assert!(stdout(args!["top", snapshot, "-n", "0"]).contains("cache"));
}

#[test]
fn bare_names_of_inlined_functions_get_their_path() {
    let folder = tempdir().unwrap();
    let new = format!("new<shop::Widget>@{STD}/alloc/src/boxed.rs:286");
    let alloc = format!("alloc@{STD}/alloc/src/alloc.rs:95");
    let snapshot = Fixture::new(1)
        .site(
            &[
                MAIN,
                CACHE,
                "{closure#0}@/w/shop/src/cache.rs:40",
                &new,
                &alloc,
            ],
            100,
            1,
        )
        .write(&folder, "a.json.gz");
    let top = json(args!["top", snapshot, "--format", "json"]);
    let row = &top["rows"][0];
    assert_eq!(
        row["stack"][0]["function"],
        "alloc::boxed::new<shop::Widget>"
    );
    assert_eq!(row["owner"]["function"], "shop::cache::{closure#0}");
    assert_eq!(row["owner"]["crate"], "shop");
    assert_eq!(row["owner"]["line"], 40);
}

/// As with link-time optimization, a path dependency and line tables only.
#[test]
fn an_inlined_allocator_is_neither_shown_nor_blamed() {
    let folder = tempdir().unwrap();
    let snapshot = Fixture::new(1)
        .site(
            &[
                MAIN,
                CACHE,
                "__rust_alloc@/w/heaplens/src/lib.rs:76",
                "alloc<std::alloc::System>@/w/heaplens/src/allocator.rs:47",
            ],
            100,
            1,
        )
        .write(&folder, "a.json.gz");
    let top = json(args!["top", snapshot, "--format", "json"]);
    let row = &top["rows"][0];
    let cache = CACHE.split('@').next().unwrap();
    assert_eq!(row["owner"]["function"], cache);
    assert_eq!(row["stack"][0]["function"], cache);
}

/// A crate of the workspace and a library look alike in a build without source paths.
#[test]
fn the_workspace_tells_whose_a_crate_is() {
    let folder = tempdir().unwrap();
    let snapshot = Fixture::new(1)
        .site(&["shop::main", "cart::add", "serde::from"], 1_000, 1)
        .write(&folder, "a.json.gz");
    let owner_in = |place: &std::path::Path| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_heaplens"))
            .args(args!["top", snapshot, "--format", "json"])
            .current_dir(place)
            .output()
            .unwrap();
        let top: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        top["rows"][0]["owner"]["function"].clone()
    };
    let workspace = folder.path().join("workspace");
    for (package, target) in [("shop", "main.rs"), ("cart", "lib.rs")] {
        let source = workspace.join(package).join("src");
        std::fs::create_dir_all(&source).unwrap();
        std::fs::write(source.join(target), "").unwrap();
        let manifest = format!("[package]\nname = '{package}'\n");
        std::fs::write(workspace.join(package).join("Cargo.toml"), manifest).unwrap();
    }
    std::fs::write(
        workspace.join("Cargo.toml"),
        "[workspace]\nmembers = ['shop', 'cart']\nresolver = '3'\n",
    )
    .unwrap();
    assert_eq!(owner_in(folder.path()), "shop::main");
    assert_eq!(owner_in(&workspace.join("cart")), "cart::add");
    std::fs::write(workspace.join("Cargo.toml"), "[workspace\n").unwrap();
    assert_eq!(owner_in(&workspace), "shop::main", "cargo has no answer");
}
