//! Counts the instructions of programs.

use crate::build::Programs;
use std::process::Command;

/// Says so where there is no valgrind; fails where skipping is not allowed.
pub(crate) fn is_skipped() -> bool {
    let found = Command::new("valgrind").arg("--version").output();
    if found.is_ok_and(|output| output.status.success()) {
        return false;
    }
    let required = std::env::var_os("HEAPLENS_TEST_TOOLS").is_some_and(|set| set == "require");
    assert!(!required, "needs valgrind");
    println!("SKIPPED: needs valgrind");
    true
}

/// Runs programs under callgrind.
pub(crate) struct Counter<'a> {
    programs: &'a Programs,
    pairs: u64,
}

impl<'a> Counter<'a> {
    /// Counts `pairs` allocations and frees, and twice as many.
    pub(crate) fn new(programs: &'a Programs, pairs: u64) -> Self {
        Self { programs, pairs }
    }

    /// Instructions for each pair: what twice as many pairs take more, so that start and end of the
    /// program are left out.
    pub(crate) fn per_pair(&self, program: &str, mode: &str, depth: usize) -> f64 {
        let [once, twice] = [self.pairs, self.pairs * 2]
            .map(|pairs| self.instructions(program, mode, pairs, depth));
        (twice - once) as f64 / self.pairs as f64
    }

    fn instructions(&self, program: &str, mode: &str, pairs: u64, depth: usize) -> i64 {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new("valgrind");
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with("HEAPLENS_") {
                command.env_remove(key);
            }
        }
        let output = command
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(self.programs.path(program))
            .args([pairs.to_string(), depth.to_string()])
            .env("HEAPLENS_MODE", mode)
            .env("HEAPLENS_INTERVAL", "none")
            .env("HEAPLENS_DIR", folder.path())
            .output()
            .expect("valgrind starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {mode}: {stderr}");
        let collected = stderr
            .lines()
            .find_map(|line| line.split_once("Collected : "));
        let (_, count) = collected.unwrap_or_else(|| panic!("no count: {stderr}"));
        count.trim().parse().expect("a number")
    }
}
