//! `heaplens snapshot` on a process that is hostile.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::tempdir;

use crate::build::Program;
use crate::live::{path, text};
use crate::pods::{GOOD, Pod};
use crate::run::{args, command};

/// Puts something at a path.
type Plant<'a> = &'a dyn Fn(&Path) -> io::Result<()>;

#[test]
fn what_a_process_plants_in_place_of_a_snapshot_is_not_read() {
    let program = Program::build("pod", &GOOD);
    let folder = tempdir().expect("a temporary folder");
    let secret = folder.path().join("secret");
    fs::write(&secret, "secret").expect("a file");
    let copy = folder.path().join("copy");
    let pipe = |at: &Path| Ok(mknodat(CWD, at, FileType::Fifo, Mode::RUSR, 0)?);
    let plants: [(Plant<'_>, &str); 3] = [
        (&pipe, "is no regular file"),
        (&|at| symlink(&secret, at), "is behind a link"),
        (&|at| fs::write(at, "secret"), "not a heaplens snapshot"),
    ];
    for (number, (plant, what)) in plants.into_iter().enumerate() {
        let snapshots = folder.path().join(number.to_string());
        let pod = Pod::start(&program.path, &snapshots, &[]);
        let pid = pod.child.id().to_string();
        let first = path(args!["snapshot", pid]);
        // Stopped, it leaves the signal pending, which tells that whatever comes now is taken for new.
        let process = Pid::from_child(&pod.child);
        kill_process(process, Signal::STOP).expect("it stops");
        let asking = command(env!("CARGO_BIN_EXE_heaplens"), &[])
            .args(["snapshot", &pid, "-o"])
            .arg(&copy)
            .spawn()
            .expect("heaplens starts");
        let is_pending = || {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
            status.contains("ShdPnd:\t0000000000000800")
        };
        while !is_pending() {
            thread::sleep(Duration::from_millis(5));
        }
        let next = first.to_string_lossy().replace(".000001.", ".000002.");
        plant(Path::new(&next)).expect("it is planted");
        let output = asking.wait_with_output().expect("heaplens ends");
        let (stdout, stderr) = text(&output);
        assert_eq!((output.status.code(), &*stdout), (Some(2), ""), "{stderr}");
        assert!(stderr.contains(what), "{stderr}");
        assert!(!copy.exists(), "{what}");
    }
}
