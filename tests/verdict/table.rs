//! The table of `docs/verdict.md`, and whether the promises hold.

use crate::judge::Verdict;
use crate::scenario::{Leak, Run};
use std::collections::BTreeMap;

/// The least part of the leaks that must be found and ranked first.
const LEAST_FOUND: f64 = 0.98;
/// The most of the clean runs that may accuse anyone.
const MOST_ACCUSED: f64 = 0.01;
/// 1.96 standard deviations hold 95 %.
const Z_95: f64 = 1.96;

/// Counts of runs.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    hits: u32,
    of: u32,
}

impl Count {
    fn add(&mut self, hit: bool) {
        self.hits += u32::from(hit);
        self.of += 1;
    }

    fn share(self) -> f64 {
        f64::from(self.hits) / f64::from(self.of.max(1))
    }

    /// The 95 % interval of a share, by Wilson (1927).
    fn interval(self) -> [f64; 2] {
        let n = f64::from(self.of.max(1));
        let (p, z2) = (self.share(), Z_95 * Z_95);
        let middle = p + z2 / (2.0 * n);
        let half = Z_95 * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
        [middle - half, middle + half].map(|end| (end / (1.0 + z2 / n)).clamp(0.0, 1.0))
    }
}

/// What came out of all runs.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Leaking runs, by kind of leak and mode: the leak is the first suspect.
    found: BTreeMap<(Leak, bool), Count>,
    /// Of these, those with no more bytes leaked than is promised to be found.
    least: Count,
    /// Leaking runs: somebody else is accused too.
    others: Count,
    /// Clean runs by mode: somebody is accused.
    accused: BTreeMap<bool, Count>,
    wrong: Vec<String>,
}

impl Table {
    pub(crate) fn add(&mut self, run: &Run, verdict: &Verdict) {
        let scenario = &run.scenario;
        let is_wrong = if run.leaks {
            let culprit = match scenario.leak {
                Leak::NoisyOwner | Leak::NoisyPath => "noisy",
                _ => "leaking",
            };
            let found = verdict.leaks.first().is_some_and(|first| first == culprit);
            self.found
                .entry((scenario.leak, scenario.exact))
                .or_default()
                .add(found);
            if scenario.leaked_means <= 20.0 {
                self.least.add(found);
            }
            self.others
                .add(verdict.leaks.iter().any(|owner| owner != culprit));
            !found || verdict.leaks.len() > 1
        } else {
            let accused = !verdict.leaks.is_empty();
            self.accused.entry(scenario.exact).or_default().add(accused);
            accused
        };
        if is_wrong {
            self.wrong.push(format!(
                "{run:?}\n  leaks {:?}\n    {}",
                verdict.leaks,
                verdict.all.join("\n    ")
            ));
        }
    }

    pub(crate) fn print(&self) {
        if std::env::var_os("VERDICT_EXPLAIN").is_some() {
            for wrong in &self.wrong {
                println!("{wrong}\n");
            }
        }
        println!("| runs | in | of | share | 95 % interval |");
        println!("|---|---|---|---|---|");
        for leak in Leak::ALL {
            for exact in [false, true] {
                if let Some(count) = self.found.get(&(leak, exact)) {
                    row(&format!("{}, {}", kind(leak), mode(exact)), *count);
                }
            }
        }
        row("**leak found and ranked first**", self.all_found());
        row("of those with 20 sampling means leaked", self.least);
        row("another owner accused beside the leak", self.others);
        for (exact, count) in &self.accused {
            row(
                &format!("clean run, somebody accused, {}", mode(*exact)),
                *count,
            );
        }
        row("**clean run, somebody accused**", self.all_accused());
    }

    /// Panics unless the promises hold. The tenth has too few runs for the bound on clean runs to
    /// tell one from two, so it is given one accusation.
    pub(crate) fn check(&self, all: bool) {
        let (found, accused) = (self.all_found(), self.all_accused());
        let few = if all { 0.0 } else { 1.0 };
        assert!(
            f64::from(found.of - found.hits) <= f64::from(found.of) * (1.0 - LEAST_FOUND) + few,
            "leaks not found: see the table"
        );
        assert!(
            f64::from(accused.hits) <= f64::from(accused.of) * MOST_ACCUSED + few,
            "clean runs accused: see the table"
        );
        let runs = if all { 1_000 } else { 100 };
        assert_eq!((found.of, accused.of), (runs, runs));
    }

    fn all_found(&self) -> Count {
        sum(self.found.values())
    }

    fn all_accused(&self) -> Count {
        sum(self.accused.values())
    }
}

fn sum<'a>(counts: impl Iterator<Item = &'a Count>) -> Count {
    counts.fold(Count::default(), |sum, count| Count {
        hits: sum.hits + count.hits,
        of: sum.of + count.of,
    })
}

fn row(what: &str, count: Count) {
    let [low, high] = count.interval();
    println!(
        "| {what} | {} | {} | {:.1} % | {:.1} to {:.1} % |",
        count.hits,
        count.of,
        count.share() * 100.0,
        low * 100.0,
        high * 100.0,
    );
}

fn kind(leak: Leak) -> &'static str {
    match leak {
        Leak::Steady => "leak at an even rate",
        Leak::UnderRisingLoad => "leak under a rising load",
        Leak::InBursts => "leak in bursts",
        Leak::NoisyOwner => "leak on one path of a noisy owner",
        Leak::NoisyPath => "leak on a noisy path",
    }
}

fn mode(exact: bool) -> &'static str {
    if exact { "exact" } else { "sampled" }
}
