//! Processes that lack what others have, or have more rights than who starts them.

use crate::driver::SCENARIO;
use crate::host::{Books, churn, skip, start, storm, take};
use fastrand::Rng;
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::panic::catch_unwind;
use std::process::{Command, Stdio};
use std::ptr::null;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

/// The program closes its standard streams, and goes on writing to them.
pub(crate) fn without_standard_streams() {
    let _profiler = start();
    // SAFETY: nothing else here owns the descriptors.
    assert!((0..=2).all(|descriptor| unsafe { libc::close(descriptor) } == 0));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Relaxed) {
                // That there is nowhere to write to is no concern of this program's.
                let _ = io::stdout().write_all(b"said to nobody\n");
                let _ = io::stderr().write_all(b"said to nobody\n");
            }
        });
        let is_sound = |_: usize| catch_unwind(|| take("closed")).is_ok();
        let all = storm(200);
        let sound = (0..all).filter(|&number: &usize| is_sound(number)).count();
        is_over.store(true, Relaxed);
        assert_eq!(sound, all, "snapshots without the program's own output");
    });
}

fn is_root() -> bool {
    // SAFETY: only asks.
    unsafe { libc::geteuid() == 0 }
}

/// A process to which `/proc` is an empty folder.
pub(crate) fn without_proc() {
    if !is_root() {
        skip("only root can hide /proc");
    }
    let hide = || {
        // SAFETY: system calls with constant strings, on a namespace of this process' own.
        let is_hidden = unsafe {
            libc::unshare(libc::CLONE_NEWNS) == 0
                && libc::mount(
                    null(),
                    c"/".as_ptr(),
                    null(),
                    libc::MS_REC | libc::MS_PRIVATE,
                    null(),
                ) == 0
                && libc::mount(
                    c"none".as_ptr(),
                    c"/proc".as_ptr(),
                    c"tmpfs".as_ptr(),
                    0,
                    null(),
                ) == 0
        };
        match is_hidden {
            true => Ok(()),
            false => Err(io::Error::last_os_error()),
        }
    };
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.env(SCENARIO, "churn_and_balance");
    // SAFETY: three system calls in the child.
    unsafe { command.pre_exec(hide) };
    let status = match command.status() {
        Err(error) => skip(&format!("/proc cannot be hidden here: {error}")),
        Ok(status) => status,
    };
    assert!(status.success(), "{status}");
}

pub(crate) fn churn_and_balance() {
    let _profiler = start();
    let books = Books::open();
    churn(&mut Rng::with_seed(0), 500);
    books.balance();
}

/// Who may not read a setuid program's memory does not decide what it writes, nor where.
pub(crate) fn ignores_settings_where_setuid() {
    const NOBODY: u32 = 65_534;
    if !is_root() {
        skip("only root can make a setuid program");
    }
    // Not in a folder that only root may enter.
    let folder = tempfile::Builder::new()
        .tempdir_in("/tmp")
        .expect("a temporary folder");
    let (program, planted) = (folder.path().join("program"), folder.path().join("planted"));
    std::fs::copy(std::env::current_exe().expect("this program"), &program).expect("a copy");
    std::fs::create_dir(&planted).expect("a folder");
    chown(&program, Some(0), None).expect("root may");
    let mode = std::fs::Permissions::from_mode;
    std::fs::set_permissions(&planted, mode(0o777)).expect("our folder");
    std::fs::set_permissions(folder.path(), mode(0o777)).expect("our folder");
    std::fs::set_permissions(&program, mode(0o4755)).expect("our file");
    let output = Command::new(&program)
        .env(SCENARIO, "says_its_settings")
        .env("HEAPLENS_DIR", &planted)
        .env("HEAPLENS_NONSENSE", "1")
        .current_dir(folder.path())
        .uid(NOBODY)
        .stderr(Stdio::piped())
        .output()
        .expect("the copy starts");
    let said = String::from_utf8_lossy(&output.stdout);
    if said.contains("not secure") {
        skip("the system does not honour setuid here");
    }
    assert!(output.status.success(), "{output:?}");
    assert!(said.contains("Sampled 524288"), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    assert_eq!(std::fs::read_dir(&planted).expect("our folder").count(), 0);
}

/// What the setuid program does.
pub(crate) fn says_its_settings() {
    // SAFETY: reads a constant table.
    if unsafe { libc::getauxval(libc::AT_SECURE) } == 0 {
        return println!("not secure");
    }
    let _profiler = start();
    let recorder = take("settings").header.recorder;
    println!("{:?} {}", recorder.mode, recorder.sample_bytes);
}
