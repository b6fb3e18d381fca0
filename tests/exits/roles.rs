//! What the processes do once they have taken their first snapshot.

use crate::processes::{LONG, MS, wait_until};
use crate::system_calls::{self, Answer};
use heaplens::{Config, Profiler};
use std::hint::black_box;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{fs, mem, ptr, thread};

pub(crate) const ALL: &[(&str, fn())] = &[
    ("return", returns),
    ("exit", exits),
    ("panic", panics),
    ("panic in a thread", panics_in_a_thread),
    ("panic that cannot unwind", panics_without_unwinding),
    ("abort", aborts),
    ("exit at once", exits_at_once),
    ("exec", becomes_another),
    ("stack overflow", overflows),
    ("stay", stays),
    ("host handler", handles_before),
    ("later host handler", handles_later),
    ("calling host handler", handles_and_calls),
    ("ignore", ignores),
    ("still there", is_still_there),
    ("after the guard", outlives_the_guard),
    ("forked child", has_a_child),
    ("eat memory", || eats_memory(Duration::ZERO)),
    ("eat memory slowly", || eats_memory(60 * MS)),
    ("limited address space", runs_out_of_address_space),
    ("exit while stuck", exits_while_the_keeper_is_stuck),
    ("stay while stuck", stays_while_the_keeper_is_stuck),
];

/// Said instead of being ready.
pub(crate) const IMPOSSIBLE: &str = "impossible";

fn start() -> Profiler {
    let profiler = heaplens::start(Config::new()).expect("the profiler starts");
    heaplens::snapshot("before").expect("a snapshot");
    profiler
}

fn ready() {
    println!("ready");
}

fn start_ready() -> Profiler {
    let profiler = start();
    ready();
    profiler
}

fn returns() {
    let _profiler = start_ready();
}

fn exits() {
    let _profiler = start_ready();
    std::process::exit(3);
}

fn panics() {
    let _profiler = start_ready();
    panic!("as it should");
}

fn panics_in_a_thread() {
    let _profiler = start_ready();
    let thread = thread::spawn(|| panic!("caught by join"));
    thread.join().expect_err("it panicked");
}

/// What every panic is where `panic = "abort"`: a message, and an abort.
fn panics_without_unwinding() {
    extern "C" fn boundary() {
        panic!("as it should");
    }
    let _profiler = start_ready();
    boundary();
}

fn aborts() {
    let _profiler = start_ready();
    std::process::abort();
}

fn exits_at_once() {
    let _profiler = start_ready();
    // SAFETY: ends the process.
    unsafe { libc::_exit(3) };
}

fn becomes_another() {
    let _profiler = start_ready();
    panic!("{}", Command::new("true").exec());
}

fn overflows() {
    #[inline(never)]
    #[expect(unconditional_recursion, reason = "as it should")]
    fn deeper(below: &[u8]) -> usize {
        let own = black_box([1u8; 4096]);
        deeper(&own) + usize::from(below[0])
    }
    let _profiler = start_ready();
    black_box(deeper(&[1]));
}

fn stays() {
    let _profiler = start_ready();
    thread::sleep(LONG);
}

/// Signals that the host has handled.
static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn handler(_: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

fn disposition(signal: i32, new: Option<libc::sighandler_t>) -> libc::sighandler_t {
    // SAFETY: all zeros is a valid value of this plain structure; handlers here only count, or call
    // the one that was there before.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        assert_eq!(libc::sigaction(signal, ptr::null(), &raw mut action), 0);
        if let Some(new) = new {
            assert_ne!(libc::signal(signal, new), libc::SIG_ERR);
        }
        action.sa_sigaction
    }
}

fn handle(signal: i32, handler: extern "C" fn(libc::c_int)) -> libc::sighandler_t {
    disposition(signal, Some(handler as libc::sighandler_t))
}

/// The main loop of a service that ends in order when it is told to.
fn serve_until_told() -> ! {
    wait_until("the signal", || HANDLED.load(Ordering::Relaxed) > 0);
    // Time for a second one, which would be heaplens' doing.
    thread::sleep(100 * MS);
    assert_eq!(HANDLED.load(Ordering::Relaxed), 1);
    std::process::exit(4);
}

fn handles_before() {
    handle(libc::SIGTERM, handler);
    let _profiler = start();
    let in_force = disposition(libc::SIGTERM, None);
    assert_eq!(
        in_force,
        handler as extern "C" fn(i32) as libc::sighandler_t
    );
    ready();
    serve_until_told();
}

fn handles_later() {
    let _profiler = start();
    handle(libc::SIGTERM, handler);
    ready();
    serve_until_told();
}

/// As libraries do that let several handlers of a signal live side by side.
fn handles_and_calls() {
    static BEFORE: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn calling(signal: libc::c_int) {
        let before = BEFORE.load(Ordering::Relaxed);
        // SAFETY: it was the handler of this signal, without further arguments.
        let before: extern "C" fn(libc::c_int) = unsafe { mem::transmute(before) };
        before(signal);
        handler(signal);
    }
    let _profiler = start();
    let before = handle(libc::SIGTERM, calling);
    assert!(before != libc::SIG_DFL && before != libc::SIG_IGN);
    BEFORE.store(before, Ordering::Relaxed);
    ready();
    serve_until_told();
}

/// As a program in the background of a shell does with SIGINT.
fn ignores() {
    disposition(libc::SIGINT, Some(libc::SIG_IGN));
    let _profiler = start();
    // SAFETY: sends a signal to this thread.
    assert_eq!(unsafe { libc::raise(libc::SIGINT) }, 0);
    ready();
}

/// Ends by itself after a signal that has not ended it.
fn is_still_there() {
    let _profiler = start_ready();
    let dir = std::env::var_os("HEAPLENS_DIR").expect("set by the test");
    // The test sends SIGTERM and then SIGUSR2.
    wait_until("the second signal", || {
        let entries = fs::read_dir(&dir).expect("the folder").flatten();
        let mut names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.any(|name| name.ends_with(".signal.json.gz"))
    });
    std::process::exit(5);
}

fn outlives_the_guard() {
    drop(start());
    ready();
    thread::sleep(LONG);
}

/// The child is ended by the signal; its parent sees that and goes on.
fn has_a_child() {
    let _profiler = start();
    // SAFETY: the child does nothing but wait, and its status is written to a local.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            loop {
                libc::pause();
            }
        }
        assert_eq!(libc::kill(child, libc::SIGTERM), 0);
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
        assert!(libc::WIFSIGNALED(status));
        assert_eq!(libc::WTERMSIG(status), libc::SIGTERM);
    }
    ready();
}

fn eats_memory(pause: Duration) {
    let _profiler = start_ready();
    let mut eaten = Vec::new();
    loop {
        thread::sleep(pause);
        eaten.push(black_box(vec![1u8; 1 << 20]));
    }
}

fn runs_out_of_address_space() {
    let _profiler = start();
    let statm = fs::read_to_string("/proc/self/statm").expect("/proc is mounted");
    let pages: u64 = statm
        .split(' ')
        .next()
        .and_then(|pages| pages.parse().ok())
        .expect("a number");
    let bytes = pages * 4096 + (256 << 20);
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: bytes,
    };
    // SAFETY: reads a local.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
    assert_eq!(result, 0);
    ready();
    let mut eaten = Vec::new();
    loop {
        eaten.push(black_box(Vec::<u8>::with_capacity(16 << 20)));
    }
}

/// Starts with a keeper whose every system call is the last: its file system does not answer.
fn start_stuck() -> Profiler {
    let Some(profiler) = system_calls::watch(start) else {
        println!("{IMPOSSIBLE}");
        std::process::exit(0);
    };
    system_calls::answer(0, |_| true, |_| Answer::Never);
    ready();
    profiler
}

fn exits_while_the_keeper_is_stuck() {
    let _profiler = start_stuck();
    std::process::exit(3);
}

fn stays_while_the_keeper_is_stuck() {
    let _profiler = start_stuck();
    thread::sleep(LONG);
}
