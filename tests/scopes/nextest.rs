//! The same by nextest, which runs each test in a process of its own; for a crate that does as the
//! documentation says. Skipped where nextest is not installed.

use std::fs;
use std::path::Path;
use std::process::Command;

const MANIFEST: &str = r#"
[package]
name = "shop"
edition = "2024"

[dev-dependencies]
heaplens = { path = "@REPOSITORY@", features = ["testing"] }

[workspace]

[profile.dev.package."*"]
debug = false
"#;

const LIBRARY: &str = r#"
pub fn cart(items: usize) -> Vec<u64> {
    Vec::with_capacity(items)
}

#[cfg(test)]
mod tests {
    heaplens::testing::install!();

    use heaplens::testing::{Scope, assert_retained};

    #[test]
    fn keeps_what_it_returns() {
        let scope = Scope::begin();
        let cart = super::cart(4);
        assert_retained!(scope.end() == 32);
        drop(cart);
    }

    #[test]
    fn keeps_nothing() {
        assert_retained!(|| super::cart(1_000) == 0);
    }

    #[test]
    fn leaks() {
        assert_retained!(|| std::mem::forget(super::cart(128)) <= 1 kB);
    }
}
"#;

#[test]
fn a_process_for_each_test() {
    let nextest = || Command::new("cargo-nextest");
    let version = nextest().args(["nextest", "--version"]).output();
    if !version.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: needs cargo-nextest");
        return;
    }
    let repository = env!("CARGO_MANIFEST_DIR");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    write("Cargo.toml", &MANIFEST.replace("@REPOSITORY@", repository));
    write("src/lib.rs", LIBRARY);
    let lock = fs::read_to_string(Path::new(repository).join("Cargo.lock")).unwrap();
    write("Cargo.lock", &lock);
    let mut command = nextest();
    // What this test is built and run with is no setting of that crate.
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        if ["CARGO_PROFILE_", "CARGO_BUILD_", "NEXTEST", "HEAPLENS_"]
            .iter()
            .any(|start| name.starts_with(start))
        {
            command.env_remove(&key);
        }
    }
    let output = command
        .args(["nextest", "run", "--offline", "--no-fail-fast"])
        .current_dir(folder.path())
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", "")
        .env("CARGO_TERM_COLOR", "never")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    for part in [
        "3 tests run: 2 passed, 1 failed",
        "retained: 1,024 bytes, and not at most 1,000 bytes",
        "shop::cart (src/lib.rs:3)",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    // Beside what cargo has built, since nobody has named a folder.
    let drawn = format!(
        "heaplens flamegraph '{}/heaplens.shop-",
        target.join("heaplens").display()
    );
    assert!(text.contains(&drawn), "no {drawn:?} in {text}");
}
