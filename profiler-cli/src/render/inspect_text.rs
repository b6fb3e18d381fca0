//! `heaplens inspect` for people.

use std::io::{self, Write};

use heaplens::snapshot::{Program, RecorderMode, SymbolSource};

use super::escape::printable;
use super::units::{self, count, unsigned_bytes};
use crate::analysis::inspect::{Inspection, losses};
use crate::profile::{half_width, is_imported};

/// Writes one block for each snapshot.
pub fn write(inspections: &[Inspection], out: &mut dyn Write) -> io::Result<()> {
    for (at, inspection) in inspections.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        one(inspection, out)?;
    }
    Ok(())
}

fn one(inspection: &Inspection, out: &mut dyn Write) -> io::Result<()> {
    let header = &inspection.header;
    let program = &header.program;
    let mut line = |name: &str, text: &str| writeln!(out, "{name:<12}{text}");
    line("file", &printable(&inspection.file))?;
    line("program", &printable(&program.executable))?;
    line(
        "build id",
        &program.build_id.as_deref().map_or("none".into(), printable),
    )?;
    let is_imported = is_imported(header);
    line("run", &run(program, is_imported))?;
    line("taken", &taken(inspection, is_imported))?;
    line("mode", &mode(inspection, is_imported))?;
    let totals = &header.totals;
    let error = match half_width(totals.live_bytes_variance) {
        0.0 => String::new(),
        error => format!(" {}", units::error(error)),
    };
    line(
        "live",
        &format!(
            "{}{error} in {} blocks{}",
            units::bytes(totals.live_bytes),
            count(totals.live_count),
            if is_imported {
                String::new()
            } else {
                format!(", at most {} so far", units::bytes(totals.peak_live_bytes))
            },
        ),
    )?;
    line(
        "allocated",
        &format!(
            "{} in {} blocks",
            unsigned_bytes(totals.total_bytes),
            count(i64::try_from(totals.total_count).unwrap_or(i64::MAX)),
        ),
    )?;
    if header.work_done > 0 {
        line(
            "work done",
            &count(i64::try_from(header.work_done).unwrap_or(i64::MAX)),
        )?;
    }
    line(
        "columns",
        &format!(
            "{} sites, {} stack rows",
            inspection.sites, inspection.stacks
        ),
    )?;
    line(
        "symbols",
        if inspection.symbolized {
            "in the file"
        } else {
            "not in the file: `heaplens symbolize` folds them in"
        },
    )?;
    if !is_imported {
        own(inspection, out)?;
    }
    modules(inspection, out)
}

/// What only heaplens tells: the process, and itself.
fn own(inspection: &Inspection, out: &mut dyn Write) -> io::Result<()> {
    let header = &inspection.header;
    let mut line = |name: &str, text: &str| writeln!(out, "{name:<12}{text}");
    let graph = match &inspection.scan {
        Some(scan) => format!(
            "{} in {} blocks, in {} scans: `heaplens leaks` reads it",
            unsigned_bytes(scan.bytes),
            count(i64::try_from(scan.blocks).unwrap_or(i64::MAX)),
            scan.scans,
        ),
        None => "none: the heap was not scanned for it".to_owned(),
    };
    line("graph", &graph)?;
    line("process", &process(inspection))?;
    let overhead = &header.overhead;
    line(
        "heaplens",
        &format!(
            "{} tables, {} around blocks, {} heap",
            unsigned_bytes(overhead.tables_bytes),
            unsigned_bytes(overhead.block_bytes),
            units::bytes(overhead.heap_bytes),
        ),
    )?;
    let lost = losses(&header.losses);
    line("losses", if lost.is_empty() { "none" } else { "" })?;
    for (number, what) in lost {
        writeln!(
            out,
            "  {} {what}",
            count(i64::try_from(number).unwrap_or(i64::MAX))
        )?;
    }
    Ok(())
}

fn run(program: &Program, is_imported: bool) -> String {
    if is_imported {
        return "not told by a pprof profile".to_owned();
    }
    format!(
        "pid {} on {}, started {}, heaplens {}",
        program.pid,
        printable(&program.host),
        units::time(&program.started),
        printable(&program.heaplens_version),
    )
}

fn taken(inspection: &Inspection, is_imported: bool) -> String {
    let header = &inspection.header;
    if is_imported {
        return units::time(&header.taken);
    }
    let label = header
        .label
        .as_deref()
        .map(|label| format!(" \"{}\"", printable(label)));
    format!(
        "{}, after {}, number {} of its run, reason: {}{}",
        units::time(&header.taken),
        units::span(header.uptime_ms),
        header.sequence,
        reason(inspection),
        label.unwrap_or_default(),
    )
}

fn modules(inspection: &Inspection, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "modules")?;
    for used in &inspection.modules {
        let module = &used.module;
        let identity = match (&module.build_id, &module.text_hash) {
            (Some(id), _) => format!("build id {}", printable(id)),
            (None, Some(hash)) => format!("text hash {}", printable(hash)),
            (None, None) => "no identity".to_owned(),
        };
        let names = match used.symbols {
            None => "",
            Some(SymbolSource::Missing) => ", no names",
            Some(SymbolSource::SymbolTable) => ", function names",
            Some(SymbolSource::DebugInfo) => ", names, lines and inlined calls",
        };
        let path = printable(&module.path);
        writeln!(
            out,
            "  {path}\n    {identity}, {} frames{names}",
            used.frames
        )?;
    }
    Ok(())
}

/// The word in the file.
fn reason(inspection: &Inspection) -> String {
    match serde_json::to_value(inspection.header.reason) {
        Ok(serde_json::Value::String(word)) => word,
        _ => "unknown".to_owned(),
    }
}

fn mode(inspection: &Inspection, is_imported: bool) -> String {
    let recorder = &inspection.header.recorder;
    let mode = match recorder.mode {
        RecorderMode::Off => "off".to_owned(),
        RecorderMode::Exact => "exact".to_owned(),
        RecorderMode::Sampled if recorder.sample_bytes == 0 => "sampled".to_owned(),
        RecorderMode::Sampled => {
            format!(
                "sampled, one sample in {} on average",
                unsigned_bytes(recorder.sample_bytes)
            )
        }
    };
    if is_imported {
        return mode;
    }
    let off = match recorder.sampling_off_ms {
        0 => String::new(),
        off => format!(", switched off for {}", units::span(off)),
    };
    format!(
        "{mode}{off}, {} frames deep, unwinder {}",
        recorder.depth,
        printable(&recorder.unwinder)
    )
}

fn process(inspection: &Inspection) -> String {
    let memory = &inspection.header.memory;
    let known: Vec<String> = [
        (memory.rss_bytes, "resident"),
        (memory.rss_peak_bytes, "resident at most"),
        (memory.allocator_resident_bytes, "resident in the allocator"),
        (memory.cgroup_usage_bytes, "used in the control group"),
        (memory.cgroup_limit_bytes, "limit of the control group"),
    ]
    .into_iter()
    .filter_map(|(bytes, what)| Some(format!("{} {what}", unsigned_bytes(bytes?))))
    .collect();
    if known.is_empty() {
        "unknown".to_owned()
    } else {
        known.join(", ")
    }
}
