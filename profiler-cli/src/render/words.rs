//! A verdict on a run in words: the same in a terminal and on a page. All of it is safe to print.

use super::escape::printable;
use super::graph_words;
use super::heading::mode;
use super::reasons::{confidence, percent};
use super::units;
use crate::analysis::heap_graph::reach::Verdict;
use crate::analysis::suspects::judge::LEAST_SNAPSHOTS;
use crate::analysis::suspects::program::{Diagnosis, Limit, Program, Quantity};
use crate::analysis::suspects::{Class, Finding, Suspects};
use crate::profile::{NodeId, Profile, is_imported};

pub(super) const SECONDS_A_DAY: f64 = 86_400.0;

/// A verdict that accuses nobody: one word or two, and what it means. `None` if something leaks.
pub(super) fn no_leak(suspects: &Suspects<'_>) -> Option<(&'static str, String)> {
    let count = |class| suspects.of(class).count();
    if count(Class::Leak) > 0 {
        return None;
    }
    let snapshots = suspects.times.len();
    if snapshots < LEAST_SNAPSHOTS {
        let meaning = format!(
            "{snapshots} of the {LEAST_SNAPSHOTS} snapshots of one run that the least certain \
             verdict needs; 8 make a good one"
        );
        return Some(("TOO LITTLE DATA", meaning));
    }
    Some(match count(Class::TooLittle) {
        0 => (
            "NO LEAK",
            "nothing grows steadily without being freed".to_owned(),
        ),
        few => {
            let owners = if few == 1 { "owner is" } else { "owners are" };
            let meaning = format!("{few} {owners} growing, and the snapshots are too few to tell");
            ("NO LEAK SO FAR", meaning)
        }
    })
}

/// How much of a limit is used, and when it is reached, where something leaks.
pub(super) fn limit(limit: &Limit) -> (String, Option<String>) {
    let used = format!(
        "{} of {} is used",
        units::unsigned_bytes(limit.used),
        units::unsigned_bytes(limit.bytes)
    );
    let rate = match limit.is_by_resident {
        true => "the rate of resident memory",
        false => "the rate of the leaks",
    };
    let reached = match limit.reached_in_seconds {
        _ if limit.used >= limit.bytes => Some("so it is reached".to_owned()),
        None => None,
        Some(seconds) if seconds > 1000.0 * SECONDS_A_DAY => {
            Some(format!("not reached within 1,000 days at {rate}"))
        }
        Some(seconds) => Some(format!(
            "reached {} after the newest snapshot at {rate}",
            units::span((seconds * 1000.0) as u64)
        )),
    };
    (used, reached)
}

/// Where a process's growth comes from, and its numbers.
pub(super) fn program(program: &Program) -> String {
    let what = match program.diagnosis {
        Diagnosis::Leak => "leak: live memory of the code above grows",
        Diagnosis::LeakOrCache => {
            "leak or cache: live memory grows, and it is too early to tell which"
        }
        Diagnosis::Cache => "cache: live memory grows, and nothing of it leaks",
        Diagnosis::Fragmentation => {
            "fragmentation: the allocator keeps more and more, live memory does not grow"
        }
        Diagnosis::Untracked => {
            "untracked: resident memory grows beside the allocator (C libraries, mappings, stacks)"
        }
        Diagnosis::FragmentationOrUntracked => {
            "fragmentation or untracked memory: resident memory grows, live memory does not"
        }
        Diagnosis::TooEarly => {
            "too early to tell: there is more memory than at first, and the snapshots are few"
        }
        Diagnosis::Steady => "steady: memory does not grow",
    };
    let quantity = |name: &str, quantity: &Quantity| {
        format!(
            ", {name} {} ({})",
            units::bytes(quantity.last),
            units::rate(quantity.rate)
        )
    };
    let allocator = program.allocator.as_ref();
    let resident = program.resident.as_ref();
    format!(
        "{what}; tracked {} ({}){}{}",
        units::bytes(program.live.last),
        units::rate(program.live.rate),
        allocator.map_or(String::new(), |q| quantity("kept by the allocator", q)),
        resident.map_or(String::new(), |q| quantity("resident", q)),
    )
}

/// The name of the program that left the snapshots.
pub(super) fn program_name(suspects: &Suspects<'_>) -> String {
    let newest = suspects.history.snapshots.last();
    let path = newest.map_or("", |newest| &newest.header.program.executable);
    printable(path.rsplit('/').next().unwrap_or_default()).into_owned()
}

/// Which run it is, and what there was to judge.
pub(super) fn about(suspects: &Suspects<'_>) -> Option<String> {
    let history = suspects.history;
    let header = &history.snapshots.last()?.header;
    let program = &header.program;
    let name = program_name(suspects);
    let run = match is_imported(header) {
        true => format!("{name}, if all are of one process"),
        false => format!("{name} pid {} on {}", program.pid, printable(&program.host)),
    };
    let span = match suspects.times.as_slice() {
        [first, .., last] => units::span(((last - first) * 1000.0) as u64),
        _ => "no time".to_owned(),
    };
    let left_out = match suspects.warm_up {
        0 => String::new(),
        few => format!(", the first {few} left out as warm-up"),
    };
    let when_high = match suspects.when_high() {
        0 => String::new(),
        few => format!(", {few} taken at a peak or after growth left out"),
    };
    let others = history.snapshots.len() - suspects.used.len() - suspects.when_high();
    let at_end = match others {
        0 => String::new(),
        few => format!(", {few} at the end of the program left out"),
    };
    Some(format!(
        "{run}: {} snapshots over {span}{left_out}{when_high}{at_end}, {}",
        suspects.times.len(),
        mode(history.profile.is_sampled()),
    ))
}

/// How much leaks and how surely, behind the name of who leaks: by its trend, by what no pointer was found
/// to, or by both.
pub(super) fn how_much(suspects: &Suspects<'_>, finding: &Finding, rate: &str) -> String {
    let lost = finding.unreached();
    let lost =
        (lost.blocks > 0).then(|| format!("no pointer found to {}", graph_words::amount(lost)));
    let grows = format!("{rate}, {} sure", percent(confidence(suspects, finding)));
    match lost {
        Some(lost) if finding.is_by_graph_alone => lost,
        Some(lost) => format!("{grows}; {lost}"),
        None => grows,
    }
}

/// What the newest graph of the heap found, if there is one.
pub(super) fn graph(suspects: &Suspects<'_>) -> Option<String> {
    let graph = suspects.history.graph.as_ref()?;
    let all = graph.totals.all();
    let parts = Verdict::ALL.map(|verdict| {
        let amount = graph.totals.of(verdict);
        let share = graph_words::share(amount, all);
        format!(
            "{} {} ({share})",
            verdict.name(),
            units::unsigned_bytes(amount.bytes)
        )
    });
    let time = units::time(&graph.source.header.taken);
    Some(format!("{} at {time}", parts.join(", ")))
}

/// Growth a day, where it means something.
pub(super) fn growth_a_day(finding: &Finding) -> String {
    match finding.class {
        Class::Leak if finding.is_by_graph_alone => "-".to_owned(),
        Class::Leak | Class::TooLittle => units::change((finding.rate.rate * SECONDS_A_DAY) as i64),
        _ => "-".to_owned(),
    }
}

/// The type that a site retains, where names tell.
pub(super) fn retained(profile: &Profile, site: NodeId) -> Option<String> {
    let retained = profile.retained_type(site)?;
    Some(printable(&retained).into_owned())
}
