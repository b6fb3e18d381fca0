//! Forks while many threads allocate.

use crate::host::{Books, block, churn, start, storm};
use fastrand::Rng;
use heaplens::SnapshotError;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

const CHURNING: usize = 16;
const FORKING: usize = 2;

/// No child hangs, crashes or takes a snapshot, and the parent's books stay right.
pub(crate) fn storm_of_children() {
    let _profiler = start();
    let books = Books::open();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for seed in 0..CHURNING as u64 {
            let is_over = &is_over;
            scope.spawn(move || {
                let mut random = Rng::with_seed(seed);
                while !is_over.load(Relaxed) {
                    churn(&mut random, 20);
                    // Others are to fork.
                    thread::sleep(Duration::from_millis(2));
                }
            });
        }
        let forking: [_; FORKING] =
            std::array::from_fn(|_| scope.spawn(|| (0..storm(2_000) / FORKING).for_each(fork)));
        for thread in forking {
            thread.join().expect("the children end well");
        }
        (0..storm(100)).for_each(|_| spawn());
        is_over.store(true, Relaxed);
    });
    let snapshot = books.balance();
    assert_eq!(snapshot.header.program.pid, std::process::id());
}

fn fork(number: usize) {
    let inherited = [block(3_000), block(300_000)];
    // SAFETY: the child allocates, which is what is tested: all three inner allocators can do so
    // after a fork. Apart from that it only ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        live(number, inherited);
    }
    assert!(child > 0, "no child: {}", std::io::Error::last_os_error());
    let mut status = 0;
    // SAFETY: writes to the local above.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status), "child {number}: {status:#x}");
    assert_eq!(libc::WEXITSTATUS(status), 0, "child {number}");
}

/// A child's life: allocates, frees what it has inherited, and ends in one of several ways.
fn live(number: usize, inherited: [Vec<u8>; 2]) -> ! {
    churn(&mut Rng::with_seed(number as u64), 50);
    drop(inherited);
    let is_refused = matches!(heaplens::snapshot("child"), Err(SnapshotError::ForkedChild));
    // SAFETY: each ends the child, or is a thread that is joined.
    unsafe {
        match number % 5 {
            _ if !is_refused => libc::_exit(1),
            0 => libc::_exit(0),
            1 => libc::exit(0),
            2 => std::process::exit(0),
            3 => {
                let arguments = [c"true".as_ptr(), std::ptr::null()];
                libc::execv(c"/bin/true".as_ptr(), arguments.as_ptr());
                libc::_exit(2)
            }
            _ => {
                let work = || churn(&mut Rng::with_seed(1), 20);
                let is_well = thread::spawn(work).join().is_ok();
                libc::_exit(if is_well { 0 } else { 3 })
            }
        }
    }
}

/// As the standard library does it, with work in the child.
fn spawn() {
    let mut command = Command::new("/bin/true");
    // SAFETY: as in `fork`.
    unsafe {
        command.pre_exec(|| {
            churn(&mut Rng::with_seed(2), 20);
            Ok(())
        });
    }
    assert!(command.status().expect("the child starts").success());
    assert!(
        Command::new("/bin/true")
            .status()
            .expect("a child")
            .success()
    );
}
