//! A check for programs: `heaplens-check-1` of `docs/json-output.md`.

use std::io::{self, Write};

use serde::Serialize;

use super::super::json;
use super::report::Report;
use crate::analysis::gate::Outcome;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    outcome: Outcome,
    #[serde(flatten)]
    report: &'a Report,
}

/// Writes a check.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    json::write(
        out,
        &Document {
            schema: "heaplens-check-1",
            outcome: report.outcome(),
            report,
        },
    )
}
