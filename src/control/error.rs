//! Why the profiler does not start, why a snapshot was not taken, and why a setting stays as it is.

use crate::settings::Mode;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why [`start`](crate::start) has not started the profiler.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The program allocates without heaplens.
    NoAllocator,
    /// It runs already: a program has one profiler.
    AlreadyStarted,
    /// This is a forked child of a profiled process.
    ForkedChild,
    /// A value in the [`Config`](crate::Config) is not allowed.
    OutOfRange {
        /// Its name in the config.
        setting: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The [`Config`](crate::Config) asks for what is fixed before `main`.
    Fixed {
        /// Its name in the config.
        setting: &'static str,
        /// What the config asks for.
        asked: String,
        /// What the allocator runs with.
        in_force: String,
    },
    /// The system gave us no thread.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAllocator => f.write_str(
                "the program's global allocator is not heaplens': use heaplens::profile!(), or \
                 make heaplens' allocator the #[global_allocator]",
            ),
            Self::AlreadyStarted => f.write_str("the profiler has been started already"),
            Self::ForkedChild => {
                f.write_str("a forked child of a profiled process is not profiled")
            }
            Self::OutOfRange { setting, allowed } => {
                write!(f, "{setting} is out of range: {allowed}")
            }
            Self::Fixed {
                setting,
                asked,
                in_force,
            } => write!(
                f,
                "{setting} is {asked} in the config, but the allocator runs with {in_force}: it is \
                 fixed before main, so set it where the allocator's static is"
            ),
            Self::Thread(error) => write!(f, "the profiler's thread cannot be started: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Thread(error) => Some(error),
            _ => None,
        }
    }
}

/// Why [`snapshot`](fn@crate::snapshot) has not taken one.
#[derive(Debug)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The profiler has not been started.
    NotStarted,
    /// The profiler is switched off (`HEAPLENS_MODE=off`).
    Off,
    /// This is a forked child of a profiled process.
    ForkedChild,
    /// The profiler has taken its last snapshot: the program ends.
    Ended,
    /// It took too long. It may still be written.
    TimedOut,
    /// The system gave us no thread to take it.
    Thread(io::Error),
    /// Taking it failed.
    Failed(io::Error),
    /// The heap could not be scanned.
    Scan(io::Error),
    /// The file could not be written.
    Write {
        /// The folder that it was to be in.
        folder: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted => f.write_str("the profiler has not been started"),
            Self::Off => f.write_str("the profiler is switched off"),
            Self::ForkedChild => {
                f.write_str("a forked child of a profiled process is not profiled")
            }
            Self::Ended => f.write_str("the profiler has taken its last snapshot"),
            Self::TimedOut => f.write_str("the snapshot was not written in time"),
            Self::Failed(error) => write!(f, "cannot take a snapshot: {error}"),
            Self::Scan(error) => write!(f, "the heap is not scanned: {error}"),
            Self::Thread(error) => write!(f, "the profiler's thread cannot be started: {error}"),
            Self::Write { folder, error } => {
                write!(
                    f,
                    "cannot write a snapshot to {}: {error}",
                    folder.display()
                )
            }
        }
    }
}

impl std::error::Error for SnapshotError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Thread(error)
            | Self::Failed(error)
            | Self::Scan(error)
            | Self::Write { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// Why [`set_mode`](crate::set_mode) or [`set_sample_bytes`](crate::set_sample_bytes) changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeError {
    /// The program allocates without heaplens.
    NoAllocator,
    /// A process cannot go from this mode to that one.
    Mode {
        /// The one that it was started in.
        running: Mode,
        /// The one that was asked for, or is needed for what was.
        asked: Mode,
    },
    /// The distance between samples is 0.
    OutOfRange,
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAllocator => StartError::NoAllocator.fmt(f),
            Self::Mode { running, asked } => {
                let (asked, why) = match (running, asked) {
                    (_, Mode::Exact) => (
                        "exact",
                        "blocks that are there already have no header, so a running process cannot \
                         become exact",
                    ),
                    (Mode::Exact, Mode::Off) => ("off", EXACT),
                    (Mode::Exact, Mode::Sampled) => ("sampled", EXACT),
                    (_, Mode::Off) => ("off", OFF),
                    (_, Mode::Sampled) => ("sampled", OFF),
                };
                write!(f, "{why}: start one anew with HEAPLENS_MODE={asked}")
            }
            Self::OutOfRange => f.write_str("the distance between samples is at least 1 byte"),
        }
    }
}

const EXACT: &str = "a process that was started in exact mode stays exact";
const OFF: &str = "a process that was started with heaplens off has no tables";

impl std::error::Error for ChangeError {}
