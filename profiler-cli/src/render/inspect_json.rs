//! `heaplens inspect` for programs: `heaplens-inspect-1` of `docs/json-output.md`.

use std::io::{self, Write};

use heaplens::snapshot::graph::Scan;
use heaplens::snapshot::{
    Losses, Overhead, ProcessMemory, Program, Reason, Recorder, SymbolSource,
};
use serde::Serialize;

use super::json::{self, Lazily, Numbers};
use crate::analysis::inspect::Inspection;
use crate::profile::Values;

#[derive(Serialize)]
struct Document<R: Serialize> {
    schema: &'static str,
    totals: Numbers,
    row_count: usize,
    rows: R,
}

#[derive(Serialize)]
struct Row<'a> {
    file: &'a str,
    program: &'a Program,
    taken: &'a str,
    taken_unix_ms: u64,
    uptime_ms: u64,
    sequence: u64,
    reason: Reason,
    label: Option<&'a str>,
    recorder: &'a Recorder,
    totals: Totals,
    losses: &'a Losses,
    work_done: u64,
    memory: &'a ProcessMemory,
    overhead: &'a Overhead,
    sites: usize,
    stack_rows: usize,
    symbolized: bool,
    graph: Option<&'a Scan>,
    modules: Vec<Module<'a>>,
}

#[derive(Serialize)]
struct Totals {
    #[serde(flatten)]
    numbers: Numbers,
    peak_live_bytes: i64,
}

#[derive(Serialize)]
struct Module<'a> {
    path: &'a str,
    build_id: Option<&'a str>,
    text_hash: Option<&'a str>,
    stack_rows: usize,
    symbols: Option<SymbolSource>,
}

/// Writes one row for each snapshot; the totals add them up.
pub fn write(inspections: &[Inspection], out: &mut dyn Write) -> io::Result<()> {
    let mut totals = Values::default();
    for inspection in inspections {
        totals.add(&values(inspection));
    }
    let sampled = totals.live_bytes_variance > 0.0;
    json::write(
        out,
        &Document {
            schema: "heaplens-inspect-1",
            totals: Numbers::new(&totals, sampled),
            row_count: inspections.len(),
            rows: Lazily(|| inspections.iter().map(row)),
        },
    )
}

fn values(inspection: &Inspection) -> Values {
    let totals = &inspection.header.totals;
    Values {
        live_bytes: totals.live_bytes,
        live_count: totals.live_count,
        total_bytes: totals.total_bytes,
        total_count: totals.total_count,
        live_bytes_variance: totals.live_bytes_variance,
        total_bytes_variance: 0.0,
        old_bytes: 0,
    }
}

fn row(inspection: &Inspection) -> Row<'_> {
    let header = &inspection.header;
    let sampled = header.recorder.mode == heaplens::snapshot::RecorderMode::Sampled
        && header.recorder.sample_bytes > 0;
    Row {
        file: &inspection.file,
        program: &header.program,
        taken: &header.taken,
        taken_unix_ms: header.taken_unix_ms,
        uptime_ms: header.uptime_ms,
        sequence: header.sequence,
        reason: header.reason,
        label: header.label.as_deref(),
        recorder: &header.recorder,
        totals: Totals {
            numbers: Numbers::new(&values(inspection), sampled),
            peak_live_bytes: header.totals.peak_live_bytes,
        },
        losses: &header.losses,
        work_done: header.work_done,
        memory: &header.memory,
        overhead: &header.overhead,
        sites: inspection.sites,
        stack_rows: inspection.stacks,
        symbolized: inspection.symbolized,
        graph: inspection.scan.as_ref(),
        modules: inspection
            .modules
            .iter()
            .map(|used| Module {
                path: &used.module.path,
                build_id: used.module.build_id.as_deref(),
                text_hash: used.module.text_hash.as_deref(),
                stack_rows: used.frames,
                symbols: used.symbols,
            })
            .collect(),
    }
}
