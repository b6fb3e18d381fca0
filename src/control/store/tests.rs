use super::*;
use crate::snapshot::examples::small;
use std::fs;

fn store(dir: &Path, pid: u32, files: usize) -> Store {
    let run = RunName {
        executable: "service".to_owned(),
        started_unix_ms: 1_795_382_130_123 + u64::from(pid),
        pid,
    };
    Store::new(dir.to_owned(), run, files, u64::MAX)
}

fn save(store: &mut Store, sequence: u64, live_bytes: i64) -> io::Result<PathBuf> {
    let mut snapshot = small();
    snapshot.header.sequence = sequence;
    snapshot.header.totals.live_bytes = live_bytes;
    let folder = store.open()?;
    let file = store.create(&folder, sequence, "interval")?;
    store.save(&folder, file, &snapshot, "interval")
}

/// Process ids and sequences of what is in the folder; nothing else may be there.
fn listing(dir: &Path) -> Vec<(u32, u64)> {
    let entries = fs::read_dir(dir).expect("the folder");
    let mut names: Vec<(u32, u64)> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("text")
        })
        .map(|name| FileName::parse(&name).unwrap_or_else(|| panic!("{name}")))
        .map(|name| (name.run.pid, name.sequence))
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn a_run_keeps_first_peak_and_newest() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut store = store(dir.path(), 1, 3);
    for sequence in 1..=9 {
        let path = save(&mut store, sequence, if sequence == 4 { 99 } else { 1 });
        let read = snapshot::read(path.expect("room"), &snapshot::Limits::default());
        assert_eq!(read.expect("a snapshot").header.sequence, sequence);
    }
    assert_eq!(listing(dir.path()), [(1, 1), (1, 4), (1, 9)]);
}

#[test]
fn an_earlier_run_keeps_last_and_peak() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut earlier = store(dir.path(), 1, 8);
    for sequence in 1..=8 {
        save(&mut earlier, sequence, if sequence == 3 { 99 } else { 1 }).expect("room");
    }
    drop(earlier);
    let mut own = store(dir.path(), 2, 8);
    for sequence in 1..=6 {
        save(&mut own, sequence, 1).expect("room");
    }
    let kept = listing(dir.path());
    assert_eq!(
        kept,
        [
            (1, 3),
            (1, 8),
            (2, 1),
            (2, 2),
            (2, 3),
            (2, 4),
            (2, 5),
            (2, 6)
        ]
    );
}

#[test]
fn a_run_that_is_alive_loses_nothing() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut left = store(dir.path(), 1, 2);
    let mut right = store(dir.path(), 2, 2);
    for sequence in 1..=5 {
        save(&mut left, sequence, 1).expect("room");
        save(&mut right, sequence, 1).expect("room");
    }
    assert_eq!(listing(dir.path()), [(1, 1), (1, 5), (2, 1), (2, 5)]);
    drop(left);
    save(&mut right, 6, 1).expect("room");
    assert_eq!(listing(dir.path()), [(2, 1), (2, 6)]);
}

#[test]
fn the_lock_moves_with_the_first_file() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    // With one file, the first is always another one.
    let mut left = store(dir.path(), 1, 1);
    let mut right = store(dir.path(), 2, 1);
    for sequence in 1..=4 {
        save(&mut left, sequence, 1).expect("room");
        save(&mut right, sequence, 1).expect("room");
    }
    assert_eq!(listing(dir.path()), [(1, 4), (2, 4)]);
    // Somebody may tidy up by hand.
    for entry in fs::read_dir(dir.path()).expect("the folder") {
        fs::remove_file(entry.expect("an entry").path()).expect("a file");
    }
    for sequence in 5..=7 {
        save(&mut left, sequence, 1).expect("room");
        save(&mut right, sequence, 1).expect("room");
    }
    assert_eq!(listing(dir.path()), [(1, 7), (2, 7)]);
}

#[test]
fn an_unfinished_file_stays_as_long_as_its_run_is_alive() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let other = store(dir.path(), 1, 9);
    let folder = other.open().expect("a folder");
    let unfinished = other.create(&folder, 1, "exit").expect("a new file");
    let mut own = store(dir.path(), 2, 9);
    save(&mut own, 1, 1).expect("room");
    assert_eq!(fs::read_dir(dir.path()).expect("the folder").count(), 2);
    // As if the process were killed: nothing removes the file.
    std::mem::forget(unfinished);
    let name = temporary_name(&other.name(2, "exit"));
    fs::write(dir.path().join(name), "part of a snapshot").expect("a file");
    save(&mut own, 2, 1).expect("room");
    assert_eq!(fs::read_dir(dir.path()).expect("the folder").count(), 3);
}

#[test]
fn files_of_others_are_left_alone() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let names = [
        "notes.txt",
        ".heaplens.tmp",
        "heaplens.other.20261122T211530.123Z-7.000001.exit.json.gz",
        ".heaplens.other.20261122T211530.123Z-7.000002.exit.json.gz.tmp",
    ];
    for name in names {
        fs::write(dir.path().join(name), "x").expect("a file");
    }
    let mut own = store(dir.path(), 1, 1);
    save(&mut own, 1, 1).expect("room");
    save(&mut own, 2, 1).expect("room");
    for name in names {
        assert!(dir.path().join(name).exists(), "{name}");
    }
}

#[test]
fn a_planted_name_is_an_error_of_its_own() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut store = store(dir.path(), 1, 9);
    let name = store.name(1, "interval").to_string();
    std::os::unix::fs::symlink("/dev/null", dir.path().join(&name)).expect("a link");
    let error = save(&mut store, 1, 1).expect_err("the name is taken");
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    save(&mut store, 2, 1).expect("room");
}
