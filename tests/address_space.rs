//! Where the system gives no room for tables, the program runs as ever, and is told so once.

use heaplens::snapshot::{Limits, read};
use std::hint::black_box;
use std::process::Command;

fn main() {
    heaplens::profile!();
    if std::env::var_os("HEAPLENS_MODE").is_some() {
        let kept: Vec<Box<[u8; 100]>> = (0..1_000).map(|n| Box::new([n as u8; 100])).collect();
        assert_eq!(black_box(&kept)[999][0], 231);
        return;
    }
    for mode in ["exact", "sampled"] {
        limited(mode);
    }
    println!("test result: ok. 2 passed; 0 failed");
}

fn limited(mode: &str) {
    let dir = tempfile::tempdir().unwrap();
    // 200,000 KiB: less than the tables of either mode ask for.
    let output = Command::new("sh")
        .args(["-c", "ulimit -v 200000 && exec \"$0\""])
        .arg(std::env::current_exe().unwrap())
        .env("HEAPLENS_MODE", mode)
        .env("HEAPLENS_SAMPLE_BYTES", "1KiB")
        .env("HEAPLENS_DIR", dir.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{mode}: {} {stderr}",
        output.status
    );
    assert_eq!(stderr.lines().count(), 1, "{mode}: {stderr}");
    assert!(stderr.contains("address space"), "{mode}: {stderr}");
    let file = std::fs::read_dir(dir.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let losses = read(file.path(), &Limits::default()).unwrap().header.losses;
    let lost = losses.stack_table_full + losses.sample_table_full;
    assert!(lost > 50, "{mode}: {losses:?}");
}
