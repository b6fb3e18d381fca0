//! What hosts share: the size of a storm, work that allocates, and a look at the books.

use crate::driver::{FULL, SCANNED, SKIPPED};
use fastrand::Rng;
use heaplens::snapshot::{Limits, Snapshot, read};
use heaplens::{Profiler, SnapshotError};
use std::hint::black_box;
use std::thread;

/// A tenth of a storm, or all of it.
pub(crate) fn storm(full: usize) -> usize {
    match std::env::var_os(FULL) {
        Some(_) => full,
        None => full.div_ceil(10),
    }
}

pub(crate) fn start() -> Profiler {
    let profiler = heaplens::start(heaplens::Config::new()).expect("the profiler starts");
    if std::env::var_os(SCANNED).is_some() {
        thread::spawn(scan_all_the_while);
    }
    profiler
}

/// One scan after the other, until the profiler has ended.
fn scan_all_the_while() {
    // Handlers of a scenario want stacks that its own threads have.
    // SAFETY: a set of signals on the stack, filled before it is read.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &all, std::ptr::null_mut());
    }
    loop {
        match heaplens::snapshot_graph() {
            Ok(_) => {}
            Err(SnapshotError::Ended | SnapshotError::NotStarted) => return,
            Err(error) => panic!("no scan: {error}"),
        }
    }
}

pub(crate) fn is_exact() -> bool {
    std::env::var("HEAPLENS_MODE").is_ok_and(|mode| mode == "exact")
}

/// Ends the process where its scenario cannot be done.
pub(crate) fn skip(why: &str) -> ! {
    println!("{why}");
    std::process::exit(SKIPPED);
}

pub(crate) fn take(label: &str) -> Snapshot {
    let path = heaplens::snapshot(label).expect("a snapshot");
    read(&path, &Limits::default()).expect("a sound snapshot")
}

/// A block of some bytes, which the compiler cannot do without.
#[inline(never)]
pub(crate) fn block(size: usize) -> Vec<u8> {
    black_box(Vec::with_capacity(black_box(size)))
}

/// How many blocks of this size were made at each site, of sites that make no others.
pub(crate) fn totals_of(snapshot: &Snapshot, size: usize) -> Vec<u64> {
    let sites = &snapshot.sites;
    (0..sites.stack.len())
        .filter(|&site| sites.total_bytes[site] / sites.total_count[site].max(1) == size as u64)
        .map(|site| sites.total_count[site])
        .collect()
}

/// Makes, grows, shrinks and frees blocks, and checks what is in them. Leaves nothing.
pub(crate) fn churn(random: &mut Rng, rounds: usize) {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for round in 0..rounds {
        let size = match random.u32(..100) {
            0 => random.usize(64 << 10..200 << 10),
            1..10 => random.usize(1 << 10..32 << 10),
            _ => random.usize(1..600),
        };
        let mut new = match random.bool() {
            true => vec![0; size],
            false => block(size),
        };
        assert!(new.iter().all(|&byte| byte == 0), "not zeroed");
        new.resize(size, round as u8);
        kept.push(new);
        if let Some(other) = random.choice(kept.iter_mut().collect::<Vec<_>>()) {
            let first = other[0];
            other.resize(random.usize(1..2 * other.len() + 1), first);
            other.shrink_to_fit();
            assert_eq!(other[0], first);
        }
        if kept.len() > 16 {
            kept.swap_remove(random.usize(..kept.len()));
        }
    }
}

/// The books at a moment at which the program is at rest.
pub(crate) struct Books {
    live_bytes: i64,
}

/// What threads, snapshots and the standard library may keep, and in sampled mode the error of an
/// estimate of that.
const BESIDE: i64 = 96 << 10;

impl Books {
    pub(crate) fn open() -> Self {
        Self {
            live_bytes: take("open").header.totals.live_bytes,
        }
    }

    /// Checks that nothing has become of a storm that has left nothing.
    pub(crate) fn balance(&self) -> Snapshot {
        self.balance_with(0)
    }

    /// Checks that just this much has been kept since.
    pub(crate) fn balance_with(&self, kept: i64) -> Snapshot {
        let snapshot = take("balance");
        let excess = snapshot.header.totals.live_bytes - self.live_bytes - kept;
        assert!(excess.abs() < BESIDE, "{excess} bytes too many are live");
        for (site, &bytes) in snapshot.sites.live_bytes.iter().enumerate() {
            let count = snapshot.sites.live_count[site];
            assert!(
                bytes >= 0 && count >= 0,
                "site {site}: {bytes} bytes in {count}"
            );
        }
        snapshot
    }
}

/// Runs `work` on a thread that the standard library does not know, with a stack of this size, and
/// waits for its end.
pub(crate) fn on_bare_thread<F: FnOnce() + Send>(stack: usize, work: F) {
    join(bare_thread(stack, work));
}

/// Starts `work` on such a thread.
pub(crate) fn bare_thread<F: FnOnce() + Send>(stack: usize, work: F) -> libc::pthread_t {
    extern "C" fn run<F: FnOnce()>(work: *mut libc::c_void) -> *mut libc::c_void {
        // SAFETY: made below, for this thread alone.
        let work = unsafe { Box::from_raw(work.cast::<F>()) };
        work();
        std::ptr::null_mut()
    }
    let work = Box::into_raw(Box::new(work)).cast();
    // SAFETY: the attributes are initialised first, and the new thread owns the work.
    unsafe {
        let mut attributes = std::mem::zeroed();
        let mut thread = 0;
        assert_eq!(libc::pthread_attr_init(&mut attributes), 0);
        assert_eq!(libc::pthread_attr_setstacksize(&mut attributes, stack), 0);
        assert_eq!(
            libc::pthread_create(&mut thread, &attributes, run::<F>, work),
            0
        );
        libc::pthread_attr_destroy(&mut attributes);
        thread
    }
}

pub(crate) fn join(thread: libc::pthread_t) {
    // SAFETY: a thread that was not joined before.
    let result = unsafe { libc::pthread_join(thread, std::ptr::null_mut()) };
    assert_eq!(result, 0);
}
