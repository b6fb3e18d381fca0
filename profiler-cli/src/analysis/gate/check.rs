//! One run, held to all that it is to be held to.

use rustc_hash::FxHashSet;
use serde::Serialize;

use super::baseline::Program as Baseline;
use super::budget::PackageBudget;
use super::evidence::gaps;
use super::measure::{Estimate, Measured, Measures, Quantity, measure};
use super::pattern::Pattern;
use super::suppressions::Suppressions;
use crate::analysis::suspects::judge::{FULL_SNAPSHOTS, LEAST_SNAPSHOTS};
use crate::analysis::suspects::{Class, Finding, Suspects};
use crate::profile::NodeId;

/// What a run is held to, beside the verdict.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// Limits, where there is a budget file.
    pub budget: Option<&'a PackageBudget>,
    /// What an earlier run held.
    pub baseline: Option<&'a Baseline>,
    /// How much more than the baseline it may be, as a share of it.
    pub tolerance: f64,
    /// Leaks that are known.
    pub suppressions: &'a Suppressions,
    /// Whether the run is to be written down, which takes no verdict.
    pub is_for_baseline: bool,
    /// Why this run does not stand for its program, if it does not.
    pub gap: Option<&'a str>,
}

/// What is said of a run. A worse one is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nothing is wrong.
    Pass,
    /// Too little is known to say so.
    Unknown,
    /// It leaks, or a limit is broken.
    Fail,
}

/// What the snapshots say of leaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Some owners leak.
    Leak,
    /// Nobody does.
    NoLeak,
    /// There are too few snapshots.
    TooLittle {
        /// That count.
        have: usize,
        /// That would be enough.
        need: usize,
    },
}

/// Where a limit comes from.
#[derive(Debug, Clone, Copy)]
pub enum SetBy<'a> {
    /// The budget: the pattern of an owner, and why.
    Budget {
        /// `None` for the total.
        pattern: Option<&'a str>,
        /// In the words of who set the limit.
        reason: Option<&'a str>,
    },
    /// The baseline.
    Baseline,
}

/// A limit that is broken.
#[derive(Debug, Clone, Copy)]
pub struct Breach<'a> {
    /// The owner; `None` for the total.
    pub owner: Option<NodeId>,
    /// Of what.
    pub quantity: Quantity,
    /// What it is.
    pub measured: Estimate,
    /// What it may be, in bytes.
    pub limit: f64,
    /// Who says so.
    pub set_by: SetBy<'a>,
}

/// What became of a run.
#[derive(Debug)]
pub struct Checked<'a> {
    /// Its judgement.
    pub suspects: &'a Suspects<'a>,
    /// Of that, what matters here.
    pub verdict: Verdict,
    /// Owners that leak, the fastest first.
    pub leaks: Vec<&'a Finding>,
    /// Those that are known to, and by which pattern.
    pub suppressed: Vec<(&'a Finding, &'a Pattern)>,
    /// What it measured.
    pub measured: Measured,
    /// Limits that are broken.
    pub breaches: Vec<Breach<'a>>,
    /// How many limits there were.
    pub limits: usize,
    /// Why it cannot pass.
    pub gaps: Vec<String>,
    /// What should be known beside.
    pub notes: Vec<String>,
    /// Over all.
    pub outcome: Outcome,
}

/// Checks a run.
pub fn check<'a>(suspects: &'a Suspects<'a>, rules: &Rules<'a>) -> Checked<'a> {
    let measured = measure(suspects);
    let (mut leaks, suppressed) = leaks(suspects, rules.suppressions);
    // Whoever sets a limit for lost blocks says how many are no leak.
    let is_limited = |finding: &Finding| {
        let name = suspects.history.profile.name(finding.node);
        let budget = rules.budget.filter(|_| finding.is_by_graph_alone);
        budget.is_some_and(|budget| budget.limits(name, Quantity::Unreached))
    };
    leaks.retain(|finding| !is_limited(finding));
    let verdict = verdict(suspects, leaks.is_empty());
    let mut holding = Holding {
        suspects,
        breaches: Vec::new(),
        limits: 0,
        gaps: gaps(suspects.history),
        notes: Vec::new(),
    };
    holding.gaps.extend(rules.gap.map(str::to_owned));
    if let Some(budget) = rules.budget {
        holding.hold_to_budget(&measured, budget);
    }
    if let Some(baseline) = rules.baseline {
        holding.hold_to_baseline(&measured, baseline, rules.tolerance);
    }
    let Holding {
        breaches,
        limits,
        gaps,
        notes,
        ..
    } = holding;
    let is_held_to_something = limits > 0 || rules.is_for_baseline;
    let is_undecided = matches!(verdict, Verdict::TooLittle { .. }) && !is_held_to_something;
    let outcome = if !leaks.is_empty() || !breaches.is_empty() {
        Outcome::Fail
    } else if !gaps.is_empty() || is_undecided {
        Outcome::Unknown
    } else {
        Outcome::Pass
    };
    Checked {
        suspects,
        verdict,
        leaks,
        suppressed,
        measured,
        breaches,
        limits,
        gaps,
        notes,
        outcome,
    }
}

type Suppressed<'a> = Vec<(&'a Finding, &'a Pattern)>;

/// The owners that leak, and those of which all that leaks is suppressed.
fn leaks<'a>(
    suspects: &'a Suspects<'a>,
    suppressions: &'a Suppressions,
) -> (Vec<&'a Finding>, Suppressed<'a>) {
    let profile = &suspects.history.profile;
    let (mut leaks, mut suppressed) = (Vec::new(), Vec::new());
    for finding in suspects.of(Class::Leak) {
        let leaking: Vec<NodeId> = finding.sites().collect();
        let stacks = match leaking.is_empty() {
            false => leaking,
            // It leaks by no path of its own: by all together.
            true => {
                let owner = profile.frame(finding.node).function;
                let sites = profile.sites().iter().filter(|site| {
                    site.values.live_bytes > 0
                        && suspects.history.owner_function(site.node) == owner
                });
                sites.map(|site| site.node).collect()
            }
        };
        let patterns: Option<Vec<&Pattern>> = stacks
            .iter()
            .map(|&stack| suppressions.matching(profile, stack))
            .collect();
        match patterns
            .as_deref()
            .and_then(|patterns| patterns.first().copied())
        {
            Some(pattern) => suppressed.push((finding, pattern)),
            None => leaks.push(finding),
        }
    }
    (leaks, suppressed)
}

fn verdict(suspects: &Suspects<'_>, is_clean: bool) -> Verdict {
    let have = suspects.times.len();
    if !is_clean {
        return Verdict::Leak;
    }
    if have < LEAST_SNAPSHOTS {
        return Verdict::TooLittle {
            have,
            need: LEAST_SNAPSHOTS,
        };
    }
    // From here on what may be a leak and cannot be told is none: the tests had their chance.
    let needed = suspects
        .of(Class::TooLittle)
        .map(|finding| finding.snapshots_needed)
        .max();
    match needed {
        Some(need) if have < FULL_SNAPSHOTS => Verdict::TooLittle { have, need },
        _ => Verdict::NoLeak,
    }
}

/// A run while it is held to limits.
struct Holding<'a> {
    suspects: &'a Suspects<'a>,
    breaches: Vec<Breach<'a>>,
    limits: usize,
    gaps: Vec<String>,
    notes: Vec<String>,
}

impl<'a> Holding<'a> {
    fn name(&self, node: NodeId) -> &'a str {
        self.suspects.history.profile.name(node)
    }

    fn hold(
        &mut self,
        owner: Option<NodeId>,
        measures: &Measures,
        quantity: Quantity,
        limit: Estimate,
        set_by: SetBy<'a>,
    ) {
        self.limits += 1;
        let Some(measured) = measures.of(quantity) else {
            let gap = format!("{} is limited, but {}", quantity.key(), lack(quantity));
            if !self.gaps.contains(&gap) {
                self.gaps.push(gap);
            }
            return;
        };
        if measured.exceeds(limit.value, limit.variance) {
            self.breaches.push(Breach {
                owner,
                quantity,
                measured,
                limit: limit.value,
                set_by,
            });
        }
    }

    fn hold_to_budget(&mut self, measured: &Measured, budget: &'a PackageBudget) {
        let exact = |bytes: u64| Estimate {
            value: bytes as f64,
            variance: 0.0,
        };
        let mut used: FxHashSet<&str> = FxHashSet::default();
        for quantity in Quantity::ALL {
            if let Some(bytes) = budget.total.of(quantity) {
                let set_by = SetBy::Budget {
                    pattern: None,
                    reason: budget.total.reason(),
                };
                self.hold(None, &measured.total, quantity, exact(bytes), set_by);
            }
            for owner in &measured.owners {
                let limit = budget.of_owner(self.name(owner.node), quantity);
                if let Some((pattern, limits, bytes)) = limit {
                    used.insert(pattern.text());
                    let set_by = SetBy::Budget {
                        pattern: Some(pattern.text()),
                        reason: limits.reason(),
                    };
                    self.hold(
                        Some(owner.node),
                        &owner.measures,
                        quantity,
                        exact(bytes),
                        set_by,
                    );
                }
            }
        }
        for (pattern, _) in &budget.owners {
            if !used.contains(pattern.text()) {
                self.notes.push(format!(
                    "the budget's owner `{}` limits nothing here: no owner has such a name, or other \
                     patterns tell more of it",
                    pattern.text()
                ));
            }
        }
    }

    fn hold_to_baseline(&mut self, measured: &Measured, baseline: &'a Baseline, tolerance: f64) {
        let all = std::iter::once((None, &measured.total)).chain(
            measured
                .owners
                .iter()
                .map(|owner| (Some(owner.node), &owner.measures)),
        );
        for (owner, measures) in all {
            let name = owner.map(|node| self.name(node));
            for quantity in Quantity::ALL {
                if let Some(mut amount) = baseline.amount(name, quantity) {
                    amount.value *= 1.0 + tolerance;
                    self.hold(owner, measures, quantity, amount, SetBy::Baseline);
                }
            }
        }
        let now = Baseline::new(&self.suspects.history.profile, measured, 0);
        match baseline.new_owners(&now) {
            0 => {}
            new => self.notes.push(format!(
                "{new} owners are not in the baseline, and count in the total alone"
            )),
        }
        if measured.work != baseline.work {
            self.notes.push(format!(
                "the baseline was made with {} units of work and this run did {}, so growth per work \
                 alone compares well",
                baseline.work, measured.work
            ));
        }
    }
}

/// What a run lacks that does not tell a quantity.
fn lack(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Live | Quantity::Peak => "there is no snapshot before the end of the program",
        Quantity::Growth => "growth takes two snapshots before the end of the program",
        Quantity::GrowthPerWork => {
            "the program reports no work between two snapshots: call `heaplens::work_done` or \
             `heaplens::iterate`"
        }
        Quantity::Allocated => "these profiles do not tell what was ever allocated",
        Quantity::Unreached => {
            "no snapshot has a graph of the heap: run the program with HEAPLENS_MODE=exact and \
             HEAPLENS_GRAPH=exit"
        }
    }
}
