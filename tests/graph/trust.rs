//! What a host notices of a scan: nothing.

use crate::processes::children::children;
use crate::scan;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

static CHILD_SIGNALS: AtomicU64 = AtomicU64::new(0);

extern "C" fn on_child(_: i32) {
    CHILD_SIGNALS.fetch_add(1, Relaxed);
}

/// Scans one after the other leave no child to wait for, no signal, no descriptor, no mapping, no call that
/// returned early. As many as `GRAPH_MANY` says.
pub(crate) fn many_scans_leave_nothing() {
    // SAFETY: the handler only counts.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_child as *const () as usize;
        assert_eq!(
            libc::sigaction(libc::SIGCHLD, &action, std::ptr::null_mut()),
            0
        );
    }
    scan();
    let files = entries("/proc/self/fd");
    let is_over = AtomicBool::new(false);
    let early = AtomicU64::new(0);
    thread::scope(|scope| {
        for wait in [
            wait_for_events,
            wait_in_sleep,
            wait_for_a_message,
            wait_for_a_lock,
        ] {
            let (is_over, early) = (&is_over, &early);
            scope.spawn(move || {
                while !is_over.load(SeqCst) {
                    early.fetch_add(u64::from(wait() == libc::EINTR), Relaxed);
                }
            });
        }
        // The threads' own come first.
        (0..5).for_each(|_| drop(scan()));
        let mappings = lines("/proc/self/maps");
        for _ in 0..number_of_scans() {
            scan();
            // SAFETY: asks for children, and writes nothing.
            let waited = unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) };
            assert_eq!(waited, -1, "a child");
        }
        is_over.store(true, SeqCst);
        let more = lines("/proc/self/maps").saturating_sub(mappings);
        assert!(more <= 8, "{more} more mappings");
    });
    assert_eq!(entries("/proc/self/fd"), files);
    assert_eq!(CHILD_SIGNALS.load(Relaxed), 0);
    assert_eq!(early.load(Relaxed), 0, "calls that returned early");
    assert_eq!(children(), "");
}

fn number_of_scans() -> u64 {
    std::env::var("GRAPH_MANY").map_or(20, |text| text.parse().expect("a number"))
}

fn entries(folder: &str) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

fn lines(file: &str) -> usize {
    fs::read_to_string(file).expect("/proc").lines().count()
}

fn error() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn wait_for_events() -> i32 {
    // SAFETY: a descriptor of its own, and room for one event.
    unsafe {
        let epoll = libc::epoll_create1(libc::EPOLL_CLOEXEC);
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        let result = libc::epoll_wait(epoll, &mut event, 1, 3);
        let error = if result < 0 { error() } else { 0 };
        libc::close(epoll);
        error
    }
}

fn wait_in_sleep() -> i32 {
    let time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 2_000_000,
    };
    let began = Instant::now();
    // SAFETY: reads the local above.
    let result = unsafe { libc::nanosleep(&time, std::ptr::null_mut()) };
    assert!(began.elapsed() >= Duration::from_millis(2) || result != 0);
    if result < 0 { error() } else { 0 }
}

/// A socket with a timeout returns early when it is interrupted at all.
fn wait_for_a_message() -> i32 {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let timeout = Some(Duration::from_millis(3));
    socket.set_read_timeout(timeout).expect("a socket");
    match socket.recv(&mut [0; 8]) {
        Ok(_) => 0,
        Err(error) => error.raw_os_error().unwrap_or(0),
    }
}

fn wait_for_a_lock() -> i32 {
    let (_sender, receiver) = std::sync::mpsc::channel::<()>();
    let _ = receiver.recv_timeout(Duration::from_millis(2));
    0
}
