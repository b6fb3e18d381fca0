//! What `top` and `diff` say of old blocks and of reported work.

use crate::fixture::*;
use heaplens::snapshot::Snapshot;
use tempfile::tempdir;

/// Minute 1 with 100 requests served, and minute 9 with 1,100: of the first site's bytes in the
/// later one, a quarter is older than a minute and as much older than five.
fn pair(folder: &tempfile::TempDir) -> [std::path::PathBuf; 2] {
    let worked = |units| move |snapshot: &mut Snapshot| snapshot.header.work_done = units;
    let aged = |snapshot: &mut Snapshot| {
        let bytes = snapshot.sites.live_bytes[0];
        let ages = &mut snapshot.sites.ages.live_bytes;
        ages[0][0] = bytes / 2;
        ages[1][0] = bytes / 4;
        ages[2][0] = bytes / 4;
    };
    [
        before().with(worked(100)).write(folder, "b.json.gz"),
        after()
            .with(worked(1_100))
            .with(aged)
            .write(folder, "a.json.gz"),
    ]
}

#[test]
fn top_shows_the_share_of_old_blocks() {
    let folder = tempdir().unwrap();
    let [before, after] = pair(&folder);
    // Nine minutes allow for a bound of one minute: half of the time is less than five.
    let top = json(args!["top", after, "--format", "json"]);
    assert_eq!(top["old_seconds"], 60);
    assert_eq!(top["work_done"], 1_100);
    let cache = &top["rows"][1];
    assert_eq!(cache["name"], "shop::cache::put");
    assert_eq!(cache["live_bytes"], 991_000);
    assert_eq!(cache["old_bytes"], 495_500);
    let text = stdout(args!["top", after]);
    assert!(text.contains(", for 1,100 units of work\n"), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    let heading = lines.iter().find(|line| line.contains("blocks  ")).unwrap();
    assert!(heading.contains(" >1m "), "{text}");
    let cache = lines.iter().find(|line| line.contains("cache::put"));
    assert!(cache.unwrap().contains(" 50.0 % "), "{text}");

    let young = json(args!["top", before, "--format", "json"]);
    assert_eq!(young.get("old_seconds"), None, "a minute is too short");
    assert_eq!(young["rows"][0].get("old_bytes"), None);
    assert!(!stdout(args!["top", before]).contains(">1m"));
}

#[test]
fn diff_tells_growth_by_work_and_age() {
    let folder = tempdir().unwrap();
    let [before, after] = pair(&folder);
    let diff = json(args!["diff", before, after, "--format", "json"]);
    assert_eq!(diff["work_done"], 1_000);
    assert_eq!(diff["old_seconds"], 60);
    assert_eq!(diff["rows"][0]["old_bytes"], 0);
    let text = stdout(args!["diff", before, after]);
    // 10,991,000 - 999,500 bytes for 1,000 units.
    assert!(
        text.contains(", +9.8 KiB for each of 1,000 units of work\n"),
        "{text}"
    );
    assert!(text.contains(", 0.0 % older than 1m"), "{text}");
}
