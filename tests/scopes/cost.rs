//! What a scope costs, in instructions: no clock. Counts by valgrind's callgrind, skipped without it.
//!
//! Of this binary as it is, with less optimisation than a release has.

use heaplens::testing::Scope;
use std::process::Command;

/// How often the test below opens and closes a scope.
const TIMES: &str = "SCOPES_TIMES";

#[test]
#[ignore = "is run under valgrind by another test"]
fn opens_and_closes() {
    let times: u32 = std::env::var(TIMES).unwrap().parse().unwrap();
    for _ in 0..times {
        assert_eq!(Scope::begin().end().allocated().blocks, 0);
    }
}

#[test]
fn a_scope_opens_and_closes_in_three_thousand_instructions() {
    let version = Command::new("valgrind").arg("--version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        let required = std::env::var_os("HEAPLENS_TEST_TOOLS").is_some_and(|set| set == "require");
        assert!(!required, "needs valgrind");
        println!("SKIPPED: needs valgrind");
        return;
    }
    let [once, twice] = [1_000, 2_000].map(instructions);
    let each = (twice - once) / 1_000;
    println!("{each} instructions");
    // 2,025 where this was written, and 836 in a release build. A processor takes less than a microsecond
    // for so many.
    assert!((100..3_000).contains(&each), "{each}");
}

fn instructions(times: u32) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "cost::opens_and_closes",
            "--ignored",
            "--test-threads=1",
        ])
        .env(TIMES, times.to_string())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let collected = stderr
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let (_, count) = collected.unwrap_or_else(|| panic!("no count: {stderr}"));
    count.trim().parse().unwrap()
}
