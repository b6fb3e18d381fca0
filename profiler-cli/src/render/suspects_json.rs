//! `heaplens suspects` for programs: `heaplens-suspects-1` of `docs/json-output.md`.

use std::io::{self, Write};

use serde::Serialize;

use super::json::{self, JsonFrame, JsonSource, JsonStack};
use super::leaks_json::JsonReach;
use super::reasons::{confidence, losses, per_work, reasons};
use crate::analysis::suspects::program::{
    Diagnosis, Limit, Program, Quantity, limit, program, recorded_share,
};
use crate::analysis::suspects::turnover::Turnover;
use crate::analysis::suspects::{Class, Finding, Measure, Suspects};
use crate::profile::half_width;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    snapshots: Vec<JsonSource<'a>>,
    sampled: bool,
    seconds: &'a [f64],
    warm_up_snapshots: usize,
    snapshots_when_high: usize,
    tests: usize,
    recorded_share: f64,
    losses: Vec<String>,
    process: Option<Process>,
    limit: Option<JsonLimit>,
    graph: Option<Graph<'a>>,
    leak_bytes_per_second: f64,
    quiet_owners: usize,
    finding_count: usize,
    findings: Vec<JsonFinding<'a>>,
}

#[derive(Serialize)]
struct Process {
    diagnosis: &'static str,
    live: JsonQuantity,
    allocator_resident: Option<JsonQuantity>,
    resident: Option<JsonQuantity>,
}

#[derive(Serialize)]
struct JsonQuantity {
    first_bytes: i64,
    last_bytes: i64,
    bytes_per_second: f64,
    grows: bool,
}

#[derive(Serialize)]
struct JsonLimit {
    bytes: u64,
    used_bytes: u64,
    reached_in_seconds: Option<f64>,
    rate_of: &'static str,
}

#[derive(Serialize)]
struct Graph<'a> {
    snapshot: JsonSource<'a>,
    totals: JsonReach,
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    class: &'static str,
    owner: JsonFrame<'a>,
    confidence: f64,
    p_value: f64,
    measure: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    older_than_seconds: Option<u64>,
    bytes_per_second: f64,
    bytes_per_second_low: f64,
    bytes_per_second_high: f64,
    bytes_per_day: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_per_work: Option<f64>,
    change_bytes: f64,
    live_bytes: &'a [i64],
    #[serde(skip_serializing_if = "Option::is_none")]
    live_bytes_error: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allocated_bytes: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    freed_share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age: Option<Age>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshots_needed: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointers: Option<JsonReach>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    by_graph_alone: bool,
    reasons: Vec<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    retained_type: Option<String>,
    stack: JsonStack<'a>,
    paths: Vec<JsonFinding<'a>>,
}

#[derive(Serialize)]
struct Age {
    seconds: u64,
    old_share: f64,
    freed_since: f64,
}

/// Writes the verdict and at most `rows` owners. `given_limit` is a memory limit in bytes.
pub fn write(
    suspects: &Suspects<'_>,
    given_limit: Option<u64>,
    rows: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let used = suspects.used.iter();
    let program = program(suspects);
    json::write(
        out,
        &Document {
            schema: "heaplens-suspects-1",
            snapshots: used
                .map(|&at| JsonSource::new(&suspects.history.snapshots[at]))
                .collect(),
            sampled: suspects.history.profile.is_sampled(),
            seconds: &suspects.times,
            warm_up_snapshots: suspects.warm_up,
            snapshots_when_high: suspects.when_high(),
            tests: suspects.tests,
            recorded_share: recorded_share(suspects),
            losses: losses(suspects),
            process: program.as_ref().map(process),
            limit: limit(suspects, program.as_ref(), given_limit).map(json_limit),
            graph: suspects.history.graph.as_ref().map(|graph| Graph {
                snapshot: JsonSource::new(&graph.source),
                totals: JsonReach::new(&graph.totals),
            }),
            leak_bytes_per_second: suspects.leak_rate(),
            quiet_owners: suspects.quiet,
            finding_count: suspects.findings.len(),
            findings: suspects
                .findings
                .iter()
                .take(rows)
                .map(|finding| json_finding(suspects, finding))
                .collect(),
        },
    )
}

fn process(program: &Program) -> Process {
    let quantity = |quantity: Quantity| JsonQuantity {
        first_bytes: quantity.first,
        last_bytes: quantity.last,
        bytes_per_second: quantity.rate,
        grows: quantity.grows,
    };
    Process {
        diagnosis: match program.diagnosis {
            Diagnosis::Leak => "leak",
            Diagnosis::LeakOrCache => "leak-or-cache",
            Diagnosis::Cache => "cache",
            Diagnosis::Fragmentation => "fragmentation",
            Diagnosis::Untracked => "untracked",
            Diagnosis::FragmentationOrUntracked => "fragmentation-or-untracked",
            Diagnosis::TooEarly => "too-early",
            Diagnosis::Steady => "steady",
        },
        live: quantity(program.live),
        allocator_resident: program.allocator.map(quantity),
        resident: program.resident.map(quantity),
    }
}

fn json_limit(limit: Limit) -> JsonLimit {
    JsonLimit {
        bytes: limit.bytes,
        used_bytes: limit.used,
        reached_in_seconds: limit.reached_in_seconds,
        rate_of: match limit.is_by_resident {
            true => "resident",
            false => "leaks",
        },
    }
}

fn json_finding<'a>(suspects: &'a Suspects<'a>, finding: &'a Finding) -> JsonFinding<'a> {
    let profile = &suspects.history.profile;
    let turnover = (!suspects.history.lacks_births).then_some(&finding.turnover);
    let (measure, older_than_seconds) = match finding.measure {
        Measure::Live => ("live", None),
        Measure::Older(seconds) => ("older", Some(seconds)),
    };
    JsonFinding {
        class: match finding.class {
            Class::Leak => "leak",
            Class::TooLittle => "too-little-data",
            Class::Sawtooth => "sawtooth",
            Class::Warming => "cache",
            Class::Stable => "stable",
        },
        owner: JsonFrame::new(profile, profile.owner(finding.node)),
        confidence: confidence(suspects, finding),
        p_value: finding.p,
        measure,
        older_than_seconds,
        bytes_per_second: finding.rate.rate,
        bytes_per_second_low: finding.rate.low,
        bytes_per_second_high: finding.rate.high,
        bytes_per_day: finding.rate.rate * 86_400.0,
        bytes_per_work: per_work(suspects, finding),
        change_bytes: finding.course.change,
        live_bytes: &finding.live,
        live_bytes_error: profile
            .has_errors()
            .then(|| half_width(finding.live_variance)),
        allocated_bytes: turnover.map(|turnover| turnover.born),
        freed_share: turnover.map(Turnover::freed_share),
        age: finding.survival.map(|survival| Age {
            seconds: survival.age_seconds,
            old_share: survival.old_share,
            freed_since: survival.freed_since,
        }),
        snapshots_needed: (finding.class == Class::TooLittle).then_some(finding.snapshots_needed),
        pointers: finding
            .reach
            .as_ref()
            .map(|owner| JsonReach::new(&owner.reach)),
        by_graph_alone: finding.is_by_graph_alone,
        reasons: reasons(suspects, finding),
        retained_type: profile.retained_type(finding.site()),
        stack: JsonStack {
            profile,
            node: finding.node,
        },
        paths: finding
            .paths
            .iter()
            .map(|path| json_finding(suspects, path))
            .collect(),
    }
}
