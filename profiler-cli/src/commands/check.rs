//! `heaplens check`

use std::process::ExitCode;

use super::gate::{Gate, Which};
use crate::args::CheckArgs;
use crate::error::Error;

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, Error> {
    Gate::with(&args.gate, |gate| {
        gate.check(&args.snapshots, Which::Newest)
    })
}
