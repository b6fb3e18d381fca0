//! Puts a checked program into words: what all forms say of it.

use super::super::reasons::{per_work, reasons};
use super::super::{graph_words, units, words};
use super::report::{Failure, Kind, Place, ProgramReport, Row, Suppressed};
use crate::analysis::gate::check::{Breach, SetBy};
use crate::analysis::gate::measure::Quantity;
use crate::analysis::gate::{Checked, Verdict};
use crate::analysis::suspects::Finding;
use crate::profile::{NodeId, Origin, Profile};
use crate::render::path_text::{Line, lines};

/// Owners in the table of before and after.
const ROWS: usize = 10;
/// Paths of a leak.
const PATHS: usize = 2;

/// Who a report is of, and where its sources are.
#[derive(Clone)]
pub struct Subject<'a> {
    /// The program's name.
    pub program: String,
    /// Its package.
    pub package: String,
    /// Finds a source file in the repository.
    pub locate: &'a dyn Fn(&str) -> Option<String>,
}

impl ProgramReport {
    /// A checked program in words.
    pub fn new(checked: &Checked<'_>, subject: Subject<'_>) -> Self {
        let suspects = checked.suspects;
        let newest = suspects
            .history
            .snapshots
            .last()
            .map(|source| &source.header);
        let writer = Writer {
            checked,
            profile: &suspects.history.profile,
            locate: subject.locate,
        };
        let leaks = checked.leaks.iter().map(|finding| writer.leak(finding));
        let breaches = checked.breaches.iter().map(|breach| writer.breach(breach));
        let measured = &checked.measured;
        let row = |owner, [before, after]: [i64; 2]| Row {
            owner,
            before,
            after,
        };
        let mut owners: Vec<_> = measured.owners.iter().collect();
        owners.sort_by_key(|owner| {
            let [before, after] = owner.live;
            std::cmp::Reverse((after.saturating_sub(before), after))
        });
        let rows = owners.into_iter().take(ROWS);
        Self {
            program: subject.program,
            package: subject.package,
            host: newest.map_or(String::new(), |header| header.program.host.clone()),
            taken: newest.map_or(String::new(), |header| header.taken.clone()),
            snapshots: suspects.times.len(),
            sampled: suspects.history.profile.is_sampled(),
            outcome: checked.outcome,
            verdict: verdict(checked),
            snapshots_needed: match checked.verdict {
                Verdict::TooLittle { need, .. } => Some(need),
                Verdict::Leak | Verdict::NoLeak => None,
            },
            limits: checked.limits,
            failures: leaks.chain(breaches).collect(),
            gaps: checked.gaps.clone(),
            suppressed: checked
                .suppressed
                .iter()
                .map(|(finding, pattern)| Suppressed {
                    owner: writer.place(finding.node),
                    pattern: pattern.text().to_owned(),
                })
                .collect(),
            notes: checked.notes.clone(),
            total: row(None, measured.total_live),
            owners: rows
                .map(|owner| row(Some(writer.place(owner.node)), owner.live))
                .collect(),
        }
    }
}

fn verdict(checked: &Checked<'_>) -> String {
    match checked.verdict {
        Verdict::Leak if checked.leaks.len() == 1 => "1 owner leaks".to_owned(),
        Verdict::Leak => format!("{} owners leak", checked.leaks.len()),
        Verdict::NoLeak => match words::no_leak(checked.suspects) {
            Some((_, meaning)) => format!("no leak: {meaning}"),
            None => "no leak that is not known".to_owned(),
        },
        Verdict::TooLittle { have, need } => format!(
            "too little data: {have} snapshots of one run before its end, and a verdict needs {need}"
        ),
    }
}

struct Writer<'a> {
    checked: &'a Checked<'a>,
    profile: &'a Profile,
    locate: &'a dyn Fn(&str) -> Option<String>,
}

impl Writer<'_> {
    fn place(&self, node: NodeId) -> Place {
        let frame = self.profile.frame(node);
        let frames = self.profile.frames();
        let file = frames.file(frame.function);
        // Of other code, a file of the same name may lie in the repository by chance.
        let may_be_here = frames.origin(frame.function) <= Origin::Unplaced;
        Place {
            function: self.profile.name(node).to_owned(),
            file: file.map(str::to_owned),
            line: (frame.line > 0).then_some(frame.line),
            repository_file: file.filter(|_| may_be_here).and_then(self.locate),
        }
    }

    fn path(&self, node: NodeId) -> Vec<Place> {
        let places = lines(self.profile, node)
            .into_iter()
            .map(|line| match line {
                Line::Frame { node, .. } => self.place(node),
                Line::More { count, of } => Place {
                    function: format!("… {count} {of}"),
                    ..Place::default()
                },
            });
        places.collect()
    }

    fn leak(&self, finding: &Finding) -> Failure {
        let suspects = self.checked.suspects;
        let retained = words::retained(self.profile, finding.site());
        let retained = retained.map_or(String::new(), |retained| format!("{retained}, "));
        let rate = match per_work(suspects, finding) {
            Some(bytes) => format!(
                "{} for each unit of work",
                units::change(bytes.round() as i64)
            ),
            None => units::rate(finding.rate.rate),
        };
        let mut nodes: Vec<_> = finding.sites().collect();
        if nodes.is_empty() {
            nodes.push(finding.node);
        }
        let mut paths: Vec<_> = nodes.into_iter().map(|node| self.path(node)).collect();
        // They may differ in what is left out alone.
        paths.dedup();
        paths.truncate(PATHS);
        Failure {
            kind: Kind::Leak,
            owner: Some(self.place(self.profile.owner(finding.site()))),
            message: format!(
                "leaks {retained}{}",
                words::how_much(suspects, finding, &rate),
            ),
            details: reasons(suspects, finding),
            quantity: None,
            measured: None,
            limit: None,
            paths,
        }
    }

    fn breach(&self, breach: &Breach<'_>) -> Failure {
        let over = breach.measured.value - breach.limit;
        let (kind, limit) = match breach.set_by {
            SetBy::Budget { .. } => (Kind::Limit, "the limit"),
            SetBy::Baseline => (Kind::Baseline, "the baseline"),
        };
        let [measured, more, limit_bytes] = [breach.measured.value, over, breach.limit].map(amount);
        let mut details = Vec::new();
        let graph = self.checked.suspects.history.graph.as_ref();
        if let (Quantity::Unreached, Some(graph)) = (breach.quantity, graph) {
            let owner = breach.owner.map(|node| self.profile.frame(node).function);
            details.extend(graph_words::titles(self.profile, graph, owner));
        }
        if let SetBy::Budget { pattern, reason } = breach.set_by {
            details.extend(pattern.map(|pattern| format!("the budget limits owners `{pattern}`")));
            details.extend(reason.map(|reason| format!("because: {reason}")));
        } else if over < breach.limit {
            details.push(
                "if it varies from run to run, `[baseline] tolerance` in heaplens.toml allows for it"
                    .to_owned(),
            );
        }
        Failure {
            kind,
            owner: breach.owner.map(|node| self.place(node)),
            message: format!(
                "{} {measured}, {more} over {limit} of {limit_bytes}",
                subject(breach.quantity),
            ),
            details,
            quantity: Some(breach.quantity),
            measured: Some(breach.measured.value),
            limit: Some(breach.limit),
            paths: Vec::new(),
        }
    }
}

fn subject(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Live => "holds",
        Quantity::Growth => "grew by",
        Quantity::GrowthPerWork => "grew, for each unit of work, by",
        Quantity::Peak => "held at its peak",
        Quantity::Allocated => "allocated",
        Quantity::Unreached => "has blocks to which no pointer was found,",
    }
}

/// Bytes of which not one is rounded away where it may matter.
fn amount(bytes: f64) -> String {
    let whole = bytes.round() as i64;
    if bytes.fract() != 0.0 && bytes.abs() < 1024.0 {
        return format!("{bytes:.1} B");
    }
    match units::bytes(whole) {
        short if whole.abs() < 1024 => short,
        short => format!("{short} ({} B)", units::count(whole)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_told_to_the_byte() {
        assert_eq!(amount(1023.0), "1023 B");
        assert_eq!(amount(65_537.0), "64.0 KiB (65,537 B)");
        assert_eq!(amount(0.5), "0.5 B");
        assert_eq!(amount(-2048.0), "-2.0 KiB (-2,048 B)");
    }
}
