//! Folders that are full, read-only, shared, gone, or prepared by somebody else.

use crate::processes::{command, files, left, run, run_in, skip, wait, wrapped};
use heaplens::Config;
use heaplens::snapshot::{FileName, Limits, read};
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

pub(crate) const ROLES: &[(&str, fn())] = &[
    ("plant", plants),
    ("lose the folder", loses_the_folder),
    ("write for all", writes_for_all),
    ("file size limit", limits_file_sizes),
    ("three snapshots", takes_three),
    ("many askers", has_many_askers),
];

fn dir() -> PathBuf {
    std::env::var_os("HEAPLENS_DIR")
        .expect("set by the test")
        .into()
}

/// Puts links and pipes where the next snapshots will be, under both names of each.
fn plants() {
    let _profiler = heaplens::start(Config::new()).expect("the profiler starts");
    let first = heaplens::snapshot("first").expect("a snapshot");
    let name = first
        .file_name()
        .and_then(|name| name.to_str())
        .expect("text");
    let victim = dir().with_extension("victim");
    fs::write(&victim, "precious").expect("a file");
    for sequence in 2..10 {
        let mut next = FileName::parse(name).expect("a snapshot's name");
        next.sequence = sequence;
        next.reason = "next".to_owned();
        let path = match sequence % 2 {
            0 => dir().join(next.to_string()),
            _ => dir().join(format!(".{next}.tmp")),
        };
        if sequence % 4 < 2 {
            let path = CString::new(path.to_str().expect("text")).expect("no zero");
            // SAFETY: the path ends with a zero.
            assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o666) }, 0);
        } else {
            symlink(&victim, path).expect("a link");
        }
    }
    let next = heaplens::snapshot("next").expect("a snapshot");
    assert!(
        next.to_str()
            .is_some_and(|path| path.contains(".000010.next.")),
        "{next:?}"
    );
    read(&next, &Limits::default()).expect("a sound one");
    assert_eq!(
        fs::read_to_string(&victim).expect("still there"),
        "precious"
    );
    assert!(victim.metadata().expect("a file").is_file());
}

#[test]
fn planted_links_and_pipes_are_passed_by() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("snapshots");
    let child = command("plant", &dir, &[])
        .spawn()
        .expect("this program starts");
    let left = left(child, Path::new("/nowhere"));
    assert!(left.status.success(), "{:?}", left.own_lines);
    assert_eq!(left.lines, Vec::<String>::new());
}

fn loses_the_folder() {
    let _profiler = heaplens::start(Config::new()).expect("the profiler starts");
    for _ in 0..3 {
        let path = heaplens::snapshot("here").expect("a snapshot");
        assert!(path.exists());
        fs::remove_dir_all(dir()).expect("the folder");
    }
}

#[test]
fn a_folder_removed_is_made_again() {
    let left = run("lose the folder", &[]);
    assert!(left.status.success(), "{:?}", left.own_lines);
    assert_eq!(left.lines, Vec::<String>::new());
    assert_eq!(left.reasons(), ["exit"]);
}

fn writes_for_all() {
    // SAFETY: sets a number of this process.
    unsafe { libc::umask(0) };
    let _profiler = heaplens::start(Config::new()).expect("the profiler starts");
}

#[test]
fn files_are_their_owners_whatever_the_mask() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("snapshots");
    assert!(run_in(&dir, "write for all", &[]).status.success());
    let mode = |path: &Path| path.metadata().expect("it exists").permissions().mode() & 0o7777;
    assert_eq!(mode(&dir), 0o700);
    let mut entries = fs::read_dir(&dir).expect("the folder");
    let file = entries.next().expect("a snapshot").expect("an entry");
    assert_eq!(mode(&file.path()), 0o600);
}

/// Beyond the limit a write fails, and raises a signal that ends the process.
fn limits_file_sizes() {
    let _profiler = heaplens::start(Config::new()).expect("the profiler starts");
    let limit = libc::rlimit {
        rlim_cur: 100,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: reads a local.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) };
    assert_eq!(result, 0);
    takes_three_failing();
    std::process::exit(3);
}

fn takes_three_failing() {
    for _ in 0..3 {
        heaplens::snapshot("too large").expect_err("there is no room");
    }
}

#[test]
fn a_limit_of_file_sizes_does_not_end_the_program() {
    let left = run("file size limit", &[]);
    assert_eq!(left.status.code(), Some(3), "{}", left.status);
    assert_eq!(left.lines.len(), 1, "{:?}", left.lines);
    assert!(
        left.lines[0].contains("File too large"),
        "{}",
        left.lines[0]
    );
    assert!(left.files.is_empty());
}

fn takes_three() {
    let _profiler = heaplens::start(Config::new()).expect("the profiler starts");
    takes_three_failing();
    println!("the program's own output");
    std::process::exit(3);
}

/// Runs a host whose folder is a file system with these options.
fn on_mounted(options: &str, told: &str) {
    // What else is in it takes all the room that there is.
    const ENTER: &str = "mount -t tmpfs -o \"$1\" none \"$2\"
        head -c 1000000 /dev/zero >\"$2/other\" 2>/dev/null
        shift 2 && exec \"$@\"";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path().to_str().expect("text");
    let wrapper = ["unshare", "--mount", "sh", "-c", ENTER, "sh", options, at];
    let works = Command::new(wrapper[0])
        .args(&wrapper[1..])
        .arg("true")
        .output();
    if !works.is_ok_and(|output| output.status.success()) {
        return skip("unshare and mount, of util-linux, and the right to make namespaces");
    }
    let child = wrapped(&wrapper, "three snapshots", folder.path(), &[]).spawn();
    let left = left(child.expect("this program starts"), folder.path());
    assert_eq!(left.status.code(), Some(3), "{:?}", left.own_lines);
    assert_eq!(left.lines.len(), 1, "{:?}", left.lines);
    assert!(left.lines[0].contains(told), "{}", left.lines[0]);
    assert!(
        left.stdout.contains("the program's own output"),
        "{}",
        left.stdout
    );
}

#[test]
fn a_full_disk_gets_one_line() {
    on_mounted("size=64k", "No space left on device");
    on_mounted("nr_inodes=1", "No space left on device");
}

#[test]
fn a_read_only_folder_gets_one_line() {
    on_mounted("ro", "Read-only file system");
}

/// Whoever may list the folder at any time finds sound files under lasting names.
fn has_many_askers() {
    let _profiler = heaplens::start(Config::new()).expect("the profiler starts");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for size in 0..15 {
                    let held: Vec<Vec<u8>> =
                        (0..100).map(|_| Vec::with_capacity(size * 50)).collect();
                    heaplens::snapshot("under load").expect("a snapshot");
                    drop(held);
                }
            });
        }
    });
}

#[test]
fn rotation_under_load_shows_no_torn_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("snapshots");
    fs::create_dir(&dir).expect("a new folder");
    let settings = [("HEAPLENS_KEEP", "3"), ("HEAPLENS_MODE", "exact")];
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut seen = 0;
            while !ended.load(Ordering::Acquire) {
                for entry in fs::read_dir(&dir).expect("the folder").flatten() {
                    let name = entry.file_name().into_string().expect("text");
                    // It may be gone again by now, which is no tear.
                    if FileName::parse(&name).is_some()
                        && let Ok(file) = fs::File::open(entry.path())
                    {
                        heaplens::snapshot::read_header_from(&name, file, &Limits::default())
                            .unwrap_or_else(|error| panic!("{error}"));
                        seen += 1;
                    }
                }
            }
            seen
        });
        let mut children = [(); 2].map(|()| {
            let child = command("many askers", &dir, &settings).spawn();
            child.expect("this program starts")
        });
        let statuses = children.each_mut().map(wait);
        ended.store(true, Ordering::Release);
        assert!(statuses.iter().all(std::process::ExitStatus::success));
        assert!(watcher.join().expect("all sound") > 0);
    });
    let files = files(&dir);
    assert!((2..=6).contains(&files.len()), "{:?}", files.keys());
}
