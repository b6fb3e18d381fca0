//! Runs the service from outside, as those who use it would: by processes and HTTP.
//!
//! | file | does |
//! |---|---|
//! | [`service`] | the service as a process: start, requests, stop |
//! | [`load`] | what is requested, and how long the answers took |
//! | [`exchange`] | one request from an address of one's own |
//! | [`nginx`] | nginx as a process, with the configuration of `examples/operations` |
//! | [`prometheus`] | Prometheus as a process, with the configuration of `examples/operations` |
//! | [`pace`] | that configuration at another pace: hours in seconds |
//! | [`output`] | the folder of what a program leaves behind |
//! | [`suspects`] | what heaplens says of the snapshots that are left |

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub mod exchange;
pub mod load;
pub mod nginx;
pub mod output;
pub mod pace;
pub mod prometheus;
pub mod service;
pub mod suspects;

/// What operates the service: `examples/operations`.
pub fn kit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("operations")
}

/// A port of loopback that nobody listens on, another one each time. Below those that the system gives to
/// outgoing connections, since a backend that is replaced must get its port again.
pub fn free_address() -> Result<SocketAddr, String> {
    const FIRST: u16 = 20_000;
    const PORTS: u16 = 10_000;
    static ASKED: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % u32::from(PORTS)) as u16;
    let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
    (0..PORTS)
        .map(|_| address(FIRST + (start + ASKED.fetch_add(1, Relaxed) % PORTS) % PORTS))
        .find(|&address| TcpListener::bind(address).is_ok())
        .ok_or_else(|| "no free port".to_owned())
}

/// Waits until a process that was started does what it is for, and says whether it does in time.
fn comes_up(process: &mut Child, limit: Duration, is_up: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !is_up() {
        let has_ended = matches!(process.try_wait(), Ok(Some(_)));
        if has_ended || Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// Replaces each first text by the second. One that is not there is an error: the test would be about
/// something else than it says.
fn replace(text: &str, pairs: &[(&str, &str)]) -> Result<String, String> {
    pairs.iter().try_fold(text.to_owned(), |text, (from, to)| {
        match text.contains(from) {
            true => Ok(text.replace(from, to)),
            false => Err(format!("the configuration has no {from:?}")),
        }
    })
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

/// Writes a file.
pub fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}
