//! `heaplens run`

use std::process::ExitCode;

use crate::args::ExecuteArgs;
use crate::error::Error;

#[cfg(target_os = "linux")]
mod flow;

#[cfg(target_os = "linux")]
pub(super) fn run(args: &ExecuteArgs) -> Result<ExitCode, Error> {
    super::gate::Gate::with(&args.gate, |gate| flow::run(args, gate))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn run(_: &ExecuteArgs) -> Result<ExitCode, Error> {
    Err(Error::Usage(
        "run is for Linux: elsewhere nothing is recorded".to_owned(),
    ))
}
