//! Who this process is: what stands in the headers of its snapshots, and in the names of their files.

use super::{clock, process_memory};
use crate::snapshot::{Header, Program, RunName, rfc3339};
use std::time::Instant;

/// This program, and the run of it that has started at a time of the wall clock.
pub(super) fn of_process(started_unix_ms: u64) -> (Program, RunName) {
    let executable = process_memory::executable().unwrap_or_default();
    let pid = std::process::id();
    let file_name = executable.file_name().unwrap_or_default().to_string_lossy();
    let run = RunName {
        executable: file_name.into_owned(),
        started_unix_ms,
        pid,
    };
    let program = Program {
        executable: executable.to_string_lossy().into_owned(),
        build_id: None,
        host: process_memory::host_name(),
        pid,
        started: rfc3339(started_unix_ms),
        started_unix_ms,
        heaplens_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    (program, run)
}

/// The header of a snapshot that is taken now, without what is recorded, why it is taken, and its
/// number. `started` is when the program has.
pub(super) fn header(program: &Program, started: Instant) -> Header {
    let taken_unix_ms = clock::taken_unix_ms(program.started_unix_ms);
    Header {
        program: program.clone(),
        taken: rfc3339(taken_unix_ms),
        taken_unix_ms,
        uptime_ms: u64::try_from(clock::uptime(started).as_millis()).unwrap_or(u64::MAX),
        memory: process_memory::of_process(),
        ..Header::default()
    }
}
