//! Processes whose system calls are filtered, as those of containers and of hardened services are.

use crate::driver::SCENARIO;
use crate::host::skip;
use std::ffi::c_long;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

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

/// What beside that is called by the C library, the standard library, the inner allocators and this
/// program, before `main`, for a thread and at the end.
const OF_PROGRAM: [c_long; 22] = [
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
    run_under(
        &allowed,
        libc::SECCOMP_RET_ALLOW,
        libc::SECCOMP_RET_KILL_PROCESS,
    );
}

/// What can be done without is refused.
pub(crate) fn that_refuse() {
    let refused = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    run_under(&NOT_NEEDED, refused, libc::SECCOMP_RET_ALLOW);
}

/// Runs a program under a filter that does one thing with these calls and another with all others.
fn run_under(calls: &[c_long], with_these: u32, with_others: u32) {
    let mut filter = filter(calls, with_these, with_others);
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.env(SCENARIO, "churn_and_balance");
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
        Ok(status) => assert!(status.success(), "{status}"),
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
