//! Processes whose system calls are filtered, as those of containers and of hardened services are.

use crate::driver::{Ended, SCENARIO};
use crate::host::{Books, is_exact, skip, start};
use heaplens::snapshot::{Limits, read};
use std::arch::asm;
use std::ffi::c_long;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Acquire};
use std::thread;

/// What heaplens calls, as `docs/reliability.md` lists it.
const OF_HEAPLENS: [(&str, c_long); 25] = [
    ("clock_nanosleep", libc::SYS_clock_nanosleep),
    ("clone3", libc::SYS_clone3),
    ("close", libc::SYS_close),
    ("fcntl", libc::SYS_fcntl),
    ("flock", libc::SYS_flock),
    ("fsync", libc::SYS_fsync),
    ("futex", libc::SYS_futex),
    ("getdents64", libc::SYS_getdents64),
    ("getpid", libc::SYS_getpid),
    ("madvise", libc::SYS_madvise),
    ("mincore", libc::SYS_mincore),
    ("mkdir", libc::SYS_mkdir),
    ("mmap", libc::SYS_mmap),
    ("munmap", libc::SYS_munmap),
    ("newfstatat", libc::SYS_newfstatat),
    ("openat", libc::SYS_openat),
    ("prctl", libc::SYS_prctl),
    ("read", libc::SYS_read),
    ("readlink", libc::SYS_readlink),
    ("renameat2", libc::SYS_renameat2),
    ("rt_sigaction", libc::SYS_rt_sigaction),
    ("rt_sigprocmask", libc::SYS_rt_sigprocmask),
    ("statx", libc::SYS_statx),
    ("uname", libc::SYS_uname),
    ("write", libc::SYS_write),
];

/// What a scan of the heap calls beside that, as it is listed there too; `kill` if it is given up.
const OF_SCANS: [(&str, c_long); 13] = [
    ("clone", libc::SYS_clone),
    ("close_range", libc::SYS_close_range),
    ("exit", libc::SYS_exit),
    ("exit_group", libc::SYS_exit_group),
    ("getppid", libc::SYS_getppid),
    ("gettid", libc::SYS_gettid),
    ("kill", libc::SYS_kill),
    ("mremap", libc::SYS_mremap),
    ("pread64", libc::SYS_pread64),
    ("prlimit64", libc::SYS_prlimit64),
    ("ptrace", libc::SYS_ptrace),
    ("restart_syscall", libc::SYS_restart_syscall),
    ("wait4", libc::SYS_wait4),
];

/// What beside that is called by the C library, the standard library, the inner allocators and this
/// program, before `main`, for a thread and at the end.
const OF_PROGRAM: [c_long; 23] = [
    libc::SYS_access,
    libc::SYS_arch_prctl,
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clone,
    libc::SYS_execve,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_open,
    libc::SYS_poll,
    libc::SYS_pread64,
    libc::SYS_prlimit64,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_sigaltstack,
    libc::SYS_sysinfo,
];

/// Those of heaplens' calls that it can do without.
const NOT_NEEDED: [c_long; 4] = [
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_prctl,
    libc::SYS_flock,
];

/// Whatever is not on the list ends the process.
pub(crate) fn that_kill() {
    let calls = OF_HEAPLENS.map(|(_, number)| number);
    let allowed: Vec<c_long> = calls
        .into_iter()
        .chain(OF_PROGRAM.iter().copied())
        .collect();
    let (allow, kill) = (libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_KILL_PROCESS);
    run_under("churn_and_balance", &allowed, allow, kill);
    if is_exact() {
        let of_scans = OF_SCANS.map(|(_, number)| number);
        let allowed = [allowed, of_scans.to_vec()].concat();
        run_under("scan_with_registers", &allowed, allow, kill);
        // A copy tries it first.
        run_under("scan_without_registers", &[libc::SYS_ptrace], kill, allow);
    }
}

/// What can be done without is refused.
pub(crate) fn that_refuse() {
    let refused = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    let allow = libc::SECCOMP_RET_ALLOW;
    run_under("churn_and_balance", &NOT_NEEDED, refused, allow);
    if is_exact() {
        run_under(
            "scan_without_registers",
            &[libc::SYS_ptrace],
            refused,
            allow,
        );
        run_under("no_scan", &[libc::SYS_clone], refused, allow);
    }
}

/// The scan is made, and says whether it knew the registers.
pub(crate) fn scan_with_registers() {
    assert!(scan(), "the registers are not known");
}

pub(crate) fn scan_without_registers() {
    assert!(!scan(), "the registers are known");
}

/// While a thread has one block or another in a register alone. None of them is told as unreached, whether the
/// registers are known or not: they are not the same ones in both copies.
fn scan() -> bool {
    let _profiler = start();
    let blocks: Vec<Box<u64>> = (0..4_096).map(Box::new).collect();
    let start_of_blocks = blocks.as_ptr() as usize;
    thread::spawn(move || rotate(start_of_blocks));
    while !ROTATES.load(Acquire) {
        thread::yield_now();
    }
    let path = heaplens::snapshot_graph().expect("a scan");
    let snapshot = read(&path, &Limits::default()).expect("a sound snapshot");
    // The thread goes on.
    std::mem::forget(blocks);
    let graph = snapshot.graph.expect("a graph");
    let unreached: u64 = graph.sites.unreached_count.iter().sum();
    assert_eq!(unreached, 0, "blocks that are held told as unreached");
    graph.scan.registers
}

static ROTATES: AtomicBool = AtomicBool::new(false);

/// Moves each of 4,096 words one place on, for ever. One is in a register alone.
fn rotate(words: usize) {
    // SAFETY: exchanges words of an array that stays, and never ends.
    unsafe {
        asm!(
            "xor r12, r12", "xor r13, r13", "mov byte ptr [{rotates}], 1",
            "2:", "xchg r12, [{words} + 8 * r13]", "inc r13", "and r13, 4095", "jmp 2b",
            rotates = in(reg) ROTATES.as_ptr(), words = in(reg) words,
            out("r12") _, out("r13") _, options(nostack)
        );
    }
}

/// It says why, and the program goes on.
pub(crate) fn no_scan() {
    let _profiler = start();
    let books = Books::open();
    let error = heaplens::snapshot_graph().expect_err("no copy can be made");
    assert_eq!(
        error.to_string(),
        "the heap is not scanned: the system does not copy the process: Operation not permitted (os \
         error 1)"
    );
    books.balance();
}

/// Runs a program under a filter that does one thing with these calls and another with all others.
fn run_under(scenario: &str, calls: &[c_long], with_these: u32, with_others: u32) {
    let mut filter = filter(calls, with_these, with_others);
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.env(SCENARIO, scenario);
    let install = move || {
        let program = libc::sock_fprog {
            len: filter.len() as u16,
            filter: filter.as_mut_ptr(),
        };
        // SAFETY: two system calls; the program is valid for the one that copies it.
        let result = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                0,
                &raw const program,
            )
        };
        match result {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: allocates nothing.
    unsafe { command.pre_exec(install) };
    match command.status() {
        Err(error) => skip(&format!("system calls cannot be filtered here: {error}")),
        Ok(status) => assert!(status.success(), "{scenario}: {status}"),
    }
}

/// A filter by the number of the call, which is the first word of what it looks at.
fn filter(calls: &[c_long], with_these: u32, with_others: u32) -> Vec<libc::sock_filter> {
    let instruction = |code: u32, jt, k| libc::sock_filter {
        code: code as u16,
        jt,
        jf: 0,
        k,
    };
    let load = instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0);
    let jumps = calls.iter().enumerate().map(|(index, &call)| {
        // Over the other jumps and the answer to all other calls.
        let over = (calls.len() - index) as u8;
        instruction(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            over,
            call as u32,
        )
    });
    let answer = |value| instruction(libc::BPF_RET | libc::BPF_K, 0, value);
    [load]
        .into_iter()
        .chain(jumps)
        .chain([answer(with_others), answer(with_these)])
        .collect()
}

/// In exact mode it is said, once, that there was a scan that could not be made.
pub(crate) fn says_why(ended: &Ended) -> Result<(), String> {
    const WHY: &str = "heaplens: the heap is not scanned: the system does not copy the process: Operation \
                       not permitted (os error 1); the program runs on\n";
    match ended.stderr.as_str() {
        "" | WHY if ended.status.success() => Ok(()),
        _ => Err("did not end well, or said something else".to_owned()),
    }
}
