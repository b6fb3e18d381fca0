//! Why a finding is what it is, in words and numbers: for people, and as texts in JSON.

use super::{graph_words, units};
use crate::analysis::suspects::judge::LEAST_SNAPSHOTS;
use crate::analysis::suspects::program::recorded_share;
use crate::analysis::suspects::{Class, Finding, Measure, Suspects};

/// How sure a finding is, losses taken in: 0 to 1.
pub(super) fn confidence(suspects: &Suspects<'_>, finding: &Finding) -> f64 {
    finding.confidence() * recorded_share(suspects)
}

/// A confidence as people read it; more than 99.9 % is not said.
pub(super) fn percent(confidence: f64) -> String {
    if confidence > 0.999 {
        "over 99.9 %".to_owned()
    } else {
        // Never rounded up.
        format!("{:.1} %", (confidence * 1000.0).floor() / 10.0)
    }
}

/// The reasons for the class of a finding, the weightiest first.
pub(super) fn reasons(suspects: &Suspects<'_>, finding: &Finding) -> Vec<String> {
    let mut reasons = pointers(suspects, finding);
    if finding.is_by_graph_alone && suspects.times.len() < LEAST_SNAPSHOTS {
        // So few snapshots tell no course.
        return reasons;
    }
    reasons.push(trend(suspects, finding));
    match finding.class {
        Class::Leak => {}
        Class::TooLittle => reasons.push(format!(
            "looks like a leak so far, but that may be chance: about {} snapshots would tell",
            finding.snapshots_needed
        )),
        Class::Sawtooth => {
            reasons.push("falls in bulk, so it is freed from time to time".to_owned())
        }
        Class::Warming => reasons.push(warming(finding)),
        Class::Stable if finding.turnover.follows_load && finding.course.change > 0.0 => {
            reasons.push("rises no more than what is allocated: it follows the load".to_owned());
        }
        Class::Stable => reasons.push("no growth that is more than chance".to_owned()),
    }
    reasons.extend(ages(finding));
    reasons.push(turnover(suspects, finding));
    reasons.extend(work(suspects, finding));
    reasons
}

/// What pointers lead to, where a scan tells it and it matters.
fn pointers(suspects: &Suspects<'_>, finding: &Finding) -> Vec<String> {
    let (Some(graph), Some(owner)) = (&suspects.history.graph, &finding.reach) else {
        return Vec::new();
    };
    let profile = &suspects.history.profile;
    let all = owner.reach.all();
    if finding.unreached().blocks == 0 {
        let is_suspect = matches!(finding.class, Class::Leak | Class::TooLittle);
        let held = format!(
            "a pointer leads to each of its {} blocks that the scan found: somebody holds them",
            units::unsigned_count(all.blocks)
        );
        return is_suspect.then_some(held).into_iter().collect();
    }
    let lost = format!(
        "no pointer was found to {} of its {} blocks, {} of {}",
        units::unsigned_count(finding.unreached().blocks),
        units::unsigned_count(all.blocks),
        units::unsigned_bytes(finding.unreached().bytes),
        units::unsigned_bytes(all.bytes),
    );
    let function = profile.frame(owner.node).function;
    let titles = graph_words::titles(profile, graph, Some(function));
    std::iter::once(lost).chain(titles).collect()
}

fn trend(suspects: &Suspects<'_>, finding: &Finding) -> String {
    let of = match finding.measure {
        Measure::Live => String::new(),
        Measure::Older(seconds) => {
            format!(" of blocks older than {}", units::span(seconds * 1000))
        }
    };
    let rate = finding.rate;
    let snapshots = suspects.times.len() - suspects.warm_up;
    let mut text = format!(
        "{}{of} ({} to {}) over {snapshots} snapshots",
        units::rate(rate.rate),
        units::rate(rate.low),
        units::rate(rate.high),
    );
    if finding.class == Class::Leak && !finding.is_by_graph_alone {
        text += &format!(", {} confidence", percent(confidence(suspects, finding)));
    }
    text
}

fn warming(finding: &Finding) -> String {
    let course = &finding.course;
    if course.change <= 0.0 || course.range <= 0.0 {
        "grew at first and is level now".to_owned()
    } else if course.is_step {
        "grew in one step, and no more".to_owned()
    } else if course.slows {
        "growth has flattened".to_owned()
    } else {
        "what grows is young: old blocks are replaced by new ones".to_owned()
    }
}

fn ages(finding: &Finding) -> Option<String> {
    let survival = finding.survival?;
    Some(format!(
        "{} of live bytes are older than {}; of what was live then {} is freed since",
        whole_percent(survival.old_share),
        units::span(survival.age_seconds * 1000),
        whole_percent(survival.freed_since),
    ))
}

fn turnover(suspects: &Suspects<'_>, finding: &Finding) -> String {
    let turnover = &finding.turnover;
    if suspects.history.lacks_births {
        return "what was freed meanwhile is not known: growth alone speaks".to_owned();
    }
    format!(
        "{} allocated after warm-up, {} of it freed",
        units::bytes(turnover.born as i64),
        whole_percent(turnover.freed_share()),
    )
}

fn work(suspects: &Suspects<'_>, finding: &Finding) -> Option<String> {
    let per_unit = per_work(suspects, finding)?;
    Some(format!(
        "{} for each unit of work",
        units::change(per_unit.round() as i64)
    ))
}

/// Growth in bytes for each unit of work after warm-up, where the program reports work.
pub(super) fn per_work(suspects: &Suspects<'_>, finding: &Finding) -> Option<f64> {
    let work = |at: Option<&usize>| Some(suspects.history.snapshots[*at?].header.work_done);
    let done =
        work(suspects.used.last())?.checked_sub(work(suspects.used.get(suspects.warm_up))?)?;
    (done > 0).then(|| finding.course.change / done as f64)
}

/// Parts next to none and next to all are not rounded to them.
fn whole_percent(part: f64) -> String {
    match part * 100.0 {
        percent if percent > 0.0 && percent < 0.5 => "under 1 %".to_owned(),
        percent if percent > 99.5 && percent < 100.0 => "over 99 %".to_owned(),
        percent => format!("{percent:.0} %"),
    }
}

/// What was lost, and what that means for what is said.
pub(super) fn losses(suspects: &Suspects<'_>) -> Vec<String> {
    let Some(newest) = suspects.history.snapshots.last() else {
        return Vec::new();
    };
    let losses = &newest.header.losses;
    let truncated = &losses.truncated;
    let cut = truncated.unknown_module
        + truncated.no_unwind_info
        + truncated.unsupported_rule
        + truncated.bad_stack
        + truncated.too_deep;
    let share = percent(recorded_share(suspects));
    let off = match newest.header.recorder.sampling_off_ms {
        0 => None,
        off => Some(format!(
            "what was allocated while sampling was switched off, for {}: it is in no number, and growth \
             may be more than shown",
            units::span(off)
        )),
    };
    let counted = [
        (
            losses.stack_table_full,
            format!(
                "allocations have no stack since the table of stacks was full: code that was first \
                 met later cannot be named, and a leak in it is missed. {share} was recorded in full, \
                 and no verdict is surer than that"
            ),
        ),
        (
            losses.sample_table_full,
            format!(
                "samples were dropped since their table was full: live memory is more than shown, \
                 and rates are too low. {share} was recorded, and no verdict is surer than that; a \
                 larger sampling mean loses less"
            ),
        ),
        (
            cut,
            "stacks were cut short: their innermost frames are right, but paths below \
             `[truncated: …]` may lump callers together, and their owner may be the wrong one"
                .to_owned(),
        ),
        (
            losses.unmarkable + losses.reentered,
            "allocations are in no path, since they could not be marked or came from within the \
             recorder: a leak of only such blocks is missed"
                .to_owned(),
        ),
        (
            losses.sites_unsettled,
            "sites were read in motion: their newest numbers are off by what was in flight".to_owned(),
        ),
        (
            losses.snapshots_failed,
            "snapshots could not be written: gaps make trends less sure, and a fall in one is not seen"
                .to_owned(),
        ),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        format!("{} {what}", units::count(count))
    });
    off.into_iter().chain(counted).collect()
}
