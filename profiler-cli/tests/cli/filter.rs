//! `--focus`, `--ignore`, `--hide`, `--no-std` and `--inverted`.

use crate::fixture::*;
use tempfile::{TempDir, tempdir};

/// Folded stacks of the later snapshot under a filter, in alphabetical order.
fn folded(folder: &TempDir, filter: &[&str]) -> Vec<String> {
    let snapshot = after().write(folder, "a.json.gz");
    let snapshot = snapshot.to_str().unwrap();
    let mut args = vec!["flamegraph", snapshot, "--format", "folded"];
    args.extend(filter);
    let mut lines: Vec<String> = stdout(args).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn sum(lines: &[String]) -> u64 {
    lines
        .iter()
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
        .sum()
}

#[test]
fn focus_and_ignore_choose_whole_stacks() {
    let folder = tempdir().unwrap();
    let all = folded(&folder, &[]);
    let composed = folded(&folder, &["--focus", "compose_comp"]);
    let rest = folded(&folder, &["--ignore", "compose_comp"]);
    assert_eq!(sum(&composed), 10_000_000);
    assert!(composed.iter().all(|line| line.contains("compose_complex")));
    let mut both = [composed.clone(), rest].concat();
    both.sort();
    assert_eq!(both, all, "a stack is in focus or ignored");
    assert_eq!(
        folded(&folder, &["--focus", "src/compose\\.rs$"]),
        composed,
        "source files choose too"
    );
    assert_eq!(
        folded(&folder, &["--focus", "compose", "--ignore", "Vec<T"]),
        [composed[0].clone()],
    );
}

#[test]
fn hidden_frames_leave_their_bytes_to_their_callers() {
    let folder = tempdir().unwrap();
    let all = folded(&folder, &[]);
    let hidden = folded(&folder, &["--hide", "^alloc::vec::|^_start$"]);
    assert_eq!(sum(&hidden), sum(&all));
    assert!(
        hidden
            .iter()
            .any(|line| line.ends_with("shop::compose::compose_complex 10000000"))
    );
    assert!(!hidden.iter().any(|line| line.starts_with("_start;")));
    assert_eq!(
        folded(&folder, &["--hide", "."]),
        [format!("[hidden] {}", sum(&all))]
    );
}

#[test]
fn without_the_standard_library_stacks_begin_at_main() {
    let folder = tempdir().unwrap();
    let lines = folded(&folder, &["--no-std"]);
    assert_eq!(sum(&lines), sum(&folded(&folder, &[])));
    for line in &lines {
        assert!(line.starts_with("shop::main;"), "{line}");
        assert!(!line.contains("alloc::"), "{line}");
    }
}

#[test]
fn inverted_stacks_begin_where_memory_is_allocated() {
    let folder = tempdir().unwrap();
    let mut upright = folded(&folder, &[]);
    for line in &mut upright {
        let (stack, weight) = line.rsplit_once(' ').unwrap();
        let turned: Vec<&str> = stack.rsplit(';').collect();
        *line = format!("{} {weight}", turned.join(";"));
    }
    upright.sort();
    assert_eq!(folded(&folder, &["--inverted"]), upright);
}

#[test]
fn totals_shares_and_owners_are_those_of_what_stays() {
    let folder = tempdir().unwrap();
    let snapshot = after().write(&folder, "a.json.gz");
    let output = heaplens(args![
        "top", snapshot, "--focus", "compose", "--format", "json"
    ]);
    let top: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(top["totals"]["live_bytes"], 10_000_000);
    assert_eq!(top["row_count"], 1);
    let note = String::from_utf8(output.stderr).unwrap();
    assert_eq!(note, "heaplens: 9.5 MiB of 10.5 MiB pass the filter\n");
    // The owner is hidden: its caller is to blame.
    let top = json(args![
        "top", snapshot, "--hide", "compose", "--format", "json"
    ]);
    assert_eq!(top["rows"][0]["name"], "shop::main");
}

#[test]
fn a_diff_is_filtered_on_both_sides() {
    let folder = tempdir().unwrap();
    let (before, after) = (
        before().write(&folder, "b.json.gz"),
        after().write(&folder, "a.json.gz"),
    );
    let all = json(args!["diff", before, after, "--format", "json"]);
    let composed = json(args![
        "diff", before, after, "--format", "json", "--focus", "compose"
    ]);
    let rest = json(args![
        "diff", before, after, "--format", "json", "--ignore", "compose"
    ]);
    let change =
        |diff: &serde_json::Value| diff["totals"]["change"]["live_bytes"].as_i64().unwrap();
    assert_eq!(change(&composed) + change(&rest), change(&all));
}

#[test]
fn patterns_and_formats_that_make_no_sense_are_explained() {
    let folder = tempdir().unwrap();
    let snapshot = after().write(&folder, "a.json.gz");
    let output = heaplens(args!["top", snapshot, "--focus", "("]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr.contains("'(' for '--focus <REGEX>': not a regular expression: "),
        "{stderr}"
    );
    let line = failure(args!["diff", snapshot, snapshot, "--inverted"]);
    assert!(
        line.contains("--inverted turns pictures and folded stacks over"),
        "{line}"
    );
}

#[test]
fn suspects_are_filtered_too() {
    let folder = tempdir().unwrap();
    for minute in 1..=9 {
        let bytes = 1_000_000 * minute as i64;
        Fixture::new(minute)
            .site(&[MAIN, COMPOSE], bytes, 1_000 * minute as i64)
            .site(&[MAIN, CACHE], 2 * bytes, 2_000 * minute as i64)
            .write(&folder, &format!("{minute}.json.gz"));
    }
    let owners = |filter: &[&str]| -> Vec<String> {
        let mut args = args!["suspects", folder.path(), "--format", "json"];
        args.extend(filter.iter().map(Into::into));
        let suspects = json(args);
        let findings = suspects["findings"].as_array().unwrap();
        findings
            .iter()
            .map(|finding| finding["owner"]["function"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        owners(&[]),
        ["shop::cache::put", "shop::compose::compose_complex"]
    );
    assert_eq!(
        owners(&["--focus", "compose"]),
        ["shop::compose::compose_complex"]
    );
    assert_eq!(owners(&["--ignore", "compose"]), ["shop::cache::put"]);
}
