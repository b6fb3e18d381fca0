//! The `HEAPLENS_*` variables: what they say, and one line for each that says nothing useful.
//!
//! The variables that the allocator needs are in force before `main`; they are read here a second
//! time, since a warning cannot be printed from inside an allocation.

use super::config::MIN_INTERVAL;
use super::scans;
use super::signal::Signal;
use super::triggers::{ALLOWED, Rules};
use crate::settings::{Mode, parse_bytes, parse_depth, parse_mode};
use crate::snapshot::printable;
use std::ffi::{OsStr, OsString};
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The settings that the environment makes, as far as they are valid.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Environment {
    pub(super) mode: Option<Mode>,
    pub(super) sample_bytes: Option<u64>,
    pub(super) depth: Option<u32>,
    pub(super) dir: Option<PathBuf>,
    pub(super) interval: Option<Duration>,
    pub(super) keep: Option<usize>,
    pub(super) max_disk: Option<u64>,
    pub(super) signal: Option<Signal>,
    pub(super) on_term: Option<bool>,
    pub(super) triggers: Option<Rules>,
    pub(super) limit: Option<u64>,
    pub(super) graph: Option<scans::When>,
    /// `Some(None)` for no server.
    pub(super) http: Option<Option<SocketAddr>>,
    pub(super) http_token_file: Option<PathBuf>,
    pub(super) iterations: Option<NonZeroU32>,
}

const PREFIX: &str = "HEAPLENS_";

/// Variables of this name space that are not for the library.
const SILENT: [&str; 3] = ["HEAPLENS_ROUND", "HEAPLENS_STORMS", "HEAPLENS_TEST_TOOLS"];

/// One variable: what it allows, and how it is taken over. `None` refuses the value.
struct Variable {
    name: &'static str,
    allowed: &'static str,
    read: fn(&mut Environment, &OsStr) -> Option<()>,
}

const VARIABLES: [Variable; 15] = [
    Variable {
        name: "HEAPLENS_MODE",
        allowed: "off, sampled or exact",
        read: |environment, value| set(&mut environment.mode, parse_mode(value.as_bytes())),
    },
    Variable {
        name: "HEAPLENS_SAMPLE_BYTES",
        allowed: "a size of at least 1 byte, such as 512KiB",
        read: |environment, value| set(&mut environment.sample_bytes, size(value)),
    },
    Variable {
        name: "HEAPLENS_DEPTH",
        allowed: "a number of frames from 8 to 256",
        read: |environment, value| set(&mut environment.depth, parse_depth(value.as_bytes())),
    },
    Variable {
        name: "HEAPLENS_DIR",
        allowed: "the path of a folder",
        read: |environment, value| set(&mut environment.dir, path(value)),
    },
    Variable {
        name: "HEAPLENS_INTERVAL",
        allowed: "a time of at least 10ms, such as 60s or 5min, or 0 for none",
        read: |environment, value| set(&mut environment.interval, interval(value)),
    },
    Variable {
        name: "HEAPLENS_KEEP",
        allowed: "a number of files, at least 1",
        read: |environment, value| {
            let files = number(value).filter(|files: &usize| *files >= 1);
            set(&mut environment.keep, files)
        },
    },
    Variable {
        name: "HEAPLENS_MAX_DISK",
        allowed: "a size of at least 1 byte, such as 256MiB",
        read: |environment, value| set(&mut environment.max_disk, size(value)),
    },
    Variable {
        name: "HEAPLENS_SIGNAL",
        allowed: "USR1, USR2, HUP, QUIT, WINCH or none",
        read: |environment, value| set(&mut environment.signal, signal(value)),
    },
    Variable {
        name: "HEAPLENS_ON_TERM",
        allowed: "1 or 0",
        read: |environment, value| set(&mut environment.on_term, switch(value)),
    },
    Variable {
        name: "HEAPLENS_TRIGGERS",
        allowed: ALLOWED,
        read: |environment, value| {
            set(
                &mut environment.triggers,
                value.to_str().and_then(Rules::parse),
            )
        },
    },
    Variable {
        name: "HEAPLENS_LIMIT",
        allowed: "a size of at least 1 byte, such as 512MiB",
        read: |environment, value| set(&mut environment.limit, size(value)),
    },
    Variable {
        name: "HEAPLENS_GRAPH",
        allowed: scans::ALLOWED,
        read: |environment, value| {
            let when = value.to_str().and_then(scans::When::parse);
            set(&mut environment.graph, when)
        },
    },
    Variable {
        name: "HEAPLENS_HTTP",
        allowed: "an address and a port, such as 127.0.0.1:6070, or none",
        read: |environment, value| set(&mut environment.http, address(value)),
    },
    Variable {
        name: "HEAPLENS_HTTP_TOKEN_FILE",
        allowed: "the path of a file",
        read: |environment, value| set(&mut environment.http_token_file, path(value)),
    },
    Variable {
        name: "HEAPLENS_ITERATIONS",
        allowed: "a number of runs, at least 1",
        read: |environment, value| set(&mut environment.iterations, number(value)),
    },
];

impl Environment {
    /// Reads the variables that concern heaplens, and says in a line each what is wrong with them.
    pub(super) fn read(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> (Self, Vec<String>) {
        let mut environment = Self::default();
        let mut warnings = Vec::new();
        for (name, value) in variables {
            if !name.as_bytes().starts_with(PREFIX.as_bytes()) {
                continue;
            }
            let Some(variable) = VARIABLES.iter().find(|variable| *variable.name == *name) else {
                if !SILENT.iter().any(|silent| **silent == *name) {
                    warnings.push(unknown(&name.to_string_lossy()));
                }
                continue;
            };
            if (variable.read)(&mut environment, &value).is_none() {
                warnings.push(format!(
                    "{}=\"{}\" is ignored: it takes {}",
                    variable.name,
                    printable(&value.to_string_lossy()),
                    variable.allowed,
                ));
            }
        }
        (environment, warnings)
    }

    /// The environment of this process; that of a program with raised privileges is not trusted.
    pub(super) fn of_process() -> (Self, Vec<String>) {
        // SAFETY: reads a number from the auxiliary vector, which the kernel has set up.
        if unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
            return (Self::default(), Vec::new());
        }
        Self::read(std::env::vars_os())
    }
}

fn set<T>(setting: &mut Option<T>, value: Option<T>) -> Option<()> {
    *setting = value;
    setting.as_ref().map(|_| ())
}

fn number<T: FromStr>(value: &OsStr) -> Option<T> {
    value.to_str()?.trim().parse().ok()
}

fn size(value: &OsStr) -> Option<u64> {
    parse_bytes(value.as_bytes()).filter(|bytes| *bytes >= 1)
}

fn interval(value: &OsStr) -> Option<Duration> {
    let text = value.to_str()?.trim();
    if text.eq_ignore_ascii_case("none") || text == "0" {
        return Some(Duration::ZERO);
    }
    let interval = humantime::parse_duration(text).ok()?;
    (interval.is_zero() || interval >= MIN_INTERVAL).then_some(interval)
}

fn signal(value: &OsStr) -> Option<Signal> {
    let upper = value.to_str()?.trim().to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let known = Signal::ALL
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.map(|(_, signal)| *signal)
}

fn path(value: &OsStr) -> Option<PathBuf> {
    (!value.is_empty()).then(|| PathBuf::from(value))
}

/// `Some(None)` for none.
fn address(value: &OsStr) -> Option<Option<SocketAddr>> {
    let text = value.to_str()?.trim();
    if text.eq_ignore_ascii_case("none") {
        return Some(None);
    }
    // A name is resolved by nobody: it could lead elsewhere tomorrow.
    let address = match text.strip_prefix("localhost:") {
        Some(port) => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port.parse().ok()?),
        None => text.parse().ok()?,
    };
    Some(Some(address))
}

fn switch(value: &OsStr) -> Option<bool> {
    match value.to_str()?.trim() {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}

fn unknown(name: &str) -> String {
    let nearest = VARIABLES
        .iter()
        .map(|variable| (distance(name, variable.name), variable.name));
    match nearest.min() {
        Some((distance, near)) if distance <= 3 => {
            format!("{} is not a setting: did you mean {near}?", printable(name))
        }
        _ => format!("{} is not a setting of this version", printable(name)),
    }
}

/// How many letters to insert, delete or replace to get from one name to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, from) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests;
