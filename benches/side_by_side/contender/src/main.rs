//! One workload under one allocator, measured from within.
//!
//! ```text
//! contender WORKLOAD [--milliseconds N | --units N] [--idle-thread]
//! ```
//!
//! Prints one line of JSON, a [`measure::Measurement`], and leaves by `_exit`: what a profiler writes
//! at the end of the process is no part of a run. The workload `service` prints its process id and
//! then, as the service does, its address; it runs until it is killed.
//!
//! Which allocator it is was decided when it was built: see `allocators.rs`. It knows nothing of
//! repetitions, pairs or ratios.

mod allocators;
mod options;
mod service;

#[path = "../../../../examples/widget/mod.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "a module of a library, whose program has a command line and help for people"
)]
mod widget;

use measure::{Measurement, Workload};
use options::Options;
use std::io::Write as _;
use std::process::ExitCode;
use std::thread;

fn main() -> ExitCode {
    let started = Options::parse(std::env::args().skip(1))
        .and_then(|options| allocators::start().map(|()| options));
    let options = match started {
        Ok(options) => options,
        Err(error) => {
            eprintln!("contender: {error}");
            return ExitCode::from(2);
        }
    };
    if options.idle_thread {
        // Parked for ever: the process ends without asking it.
        thread::spawn(|| {
            loop {
                thread::park();
            }
        });
    }
    if options.workload == Workload::Service {
        let Err(error) = service::run();
        eprintln!("contender: {error}");
        return ExitCode::FAILURE;
    }
    finish(&workloads::run(options.workload, options.budget))
}

/// Says what was measured, and leaves before anyone writes a last profile.
fn finish(measurement: &Measurement) -> ! {
    let line = serde_json::to_string(measurement).expect("numbers can be written");
    let mut stdout = std::io::stdout().lock();
    let written = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    // SAFETY: ends the process at once; nothing of it is in use afterwards.
    unsafe { libc::_exit(i32::from(written.is_err())) }
}
