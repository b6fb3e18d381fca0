//! What the results are held to, and whether they hold.
//!
//! A bound is on a median. Where it is relative to another profiler, it says what share of that one's
//! overhead is allowed.

use crate::results::{FEWEST_PAIRS, Line, Lines};
use measure::Workload;
use measure::statistics::Median;

/// What is bounded.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Quantity {
    /// CPU time over that of the base.
    Cpu,
    /// Peak of resident memory over that of the base.
    Rss,
    /// What 99 of 100 requests take at most, over that of the base.
    P99,
    /// CPU time over that of the base, on two threads over the same on one.
    Scaling { one_thread: Workload },
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Limit {
    Ratio(f64),
    /// As much as the base is from itself in its worst pair.
    Control,
    /// As much as this share of what another one adds to its own base.
    ShareOf {
        share: f64,
        contender: &'static str,
        base: &'static str,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Bound {
    contender: &'static str,
    base: &'static str,
    workload: Workload,
    quantity: Quantity,
    limit: Limit,
}

/// How a bound has fared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Verdict {
    /// What is bounded, for people.
    pub(crate) what: String,
    pub(crate) workload: Workload,
    pub(crate) value: Median,
    pub(crate) limit: f64,
    /// Where the limit comes from, if it is not a number of its own.
    pub(crate) because: Option<String>,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Holds,
    Missed,
    /// It cannot be told, for that reason.
    Void(String),
}

/// Judges all bounds whose lines were measured.
pub(crate) fn judge(lines: &Lines) -> Vec<Verdict> {
    all()
        .iter()
        .filter_map(|bound| bound.judge(lines))
        .collect()
}

fn all() -> Vec<Bound> {
    use Workload::{Btree, Churn, ChurnNear, Compose, Heap200, Json, Private1, Private2, Service};
    use Workload::{Shared1, Shared2};
    let mut bounds = Vec::new();
    let mut add = |contender, base, workload, quantity, limit| {
        bounds.push(Bound {
            contender,
            base,
            workload,
            quantity,
            limit,
        });
    };
    for (contender, base, work, tight_loop) in [
        ("sampled-system", "system", 1.02, 1.05),
        ("sampled-mimalloc", "mimalloc", 1.04, 1.12),
    ] {
        for workload in [Json, Btree, Compose, Service] {
            add(contender, base, workload, Quantity::Cpu, Limit::Ratio(work));
        }
        for workload in [Churn, ChurnNear] {
            add(
                contender,
                base,
                workload,
                Quantity::Cpu,
                Limit::Ratio(tight_loop),
            );
        }
        add(contender, base, Heap200, Quantity::Rss, Limit::Ratio(1.02));
    }
    for (quantity, limit) in [
        (Quantity::Cpu, Limit::Ratio(1.02)),
        (Quantity::P99, Limit::Control),
    ] {
        add("sampled-scraped", "system", Service, quantity, limit);
    }
    let jemalloc_adds = |share| Limit::ShareOf {
        share,
        contender: "jemalloc-prof",
        base: "jemalloc-prof-off",
    };
    for (workload, share) in [
        (Json, 1.0),
        (Btree, 1.0),
        (Compose, 1.0),
        (Service, 1.0),
        (Churn, 1.25),
        (ChurnNear, 1.25),
    ] {
        let limit = jemalloc_adds(share);
        add(
            "sampled-jemalloc",
            "jemalloc",
            workload,
            Quantity::Cpu,
            limit,
        );
    }
    for (workload, ratio, share_of_heaptrack) in [
        (Json, 1.6, 0.2),
        (Btree, 1.9, 0.2),
        (Churn, 2.3, 0.2),
        (ChurnNear, 2.3, 0.2),
        (Compose, 3.5, 1.0 / 3.0),
    ] {
        for limit in [
            Limit::Ratio(ratio),
            Limit::ShareOf {
                share: 0.5,
                contender: "heapscope",
                base: "system-fp",
            },
            Limit::ShareOf {
                share: share_of_heaptrack,
                contender: "heaptrack",
                base: "system",
            },
        ] {
            add("exact-system", "system", workload, Quantity::Cpu, limit);
        }
    }
    add(
        "exact-system",
        "system",
        Json,
        Quantity::Rss,
        Limit::Ratio(1.4),
    );
    for (one_thread, workload) in [(Private1, Private2), (Shared1, Shared2)] {
        let quantity = Quantity::Scaling { one_thread };
        add(
            "exact-system",
            "system",
            workload,
            quantity,
            Limit::Ratio(1.10),
        );
    }
    bounds
}

impl Bound {
    /// `None` if it was not measured.
    fn judge(&self, lines: &Lines) -> Option<Verdict> {
        let line = lines.find(self.workload, self.contender, self.base)?;
        let mut void = match self.quantity {
            // Memory does not depend on what else runs.
            // The slowest requests vary more than a control may, and have a limit that knows it.
            Quantity::Rss | Quantity::P99 if line.pairs.len() < FEWEST_PAIRS => {
                Some(format!("{} pairs", line.pairs.len()))
            }
            Quantity::Rss | Quantity::P99 => None,
            Quantity::Cpu | Quantity::Scaling { .. } => lines.void(line),
        };
        let (subject, value) = match self.quantity {
            Quantity::Cpu => ("CPU time", line.cpu()?),
            Quantity::Rss => ("peak memory", line.rss()?),
            Quantity::P99 => ("99 of 100 requests", line.p99()?),
            Quantity::Scaling { one_thread } => {
                let one = lines.find(one_thread, self.contender, self.base)?;
                void = void.or_else(|| lines.void(one));
                ("CPU time on two threads over one", scaling(one, line)?)
            }
        };
        let (limit, because) = match self.limit {
            Limit::Ratio(ratio) => (ratio, None),
            Limit::Control => {
                let control = lines.find(self.workload, self.base, self.base)?;
                let worst = control.p99_ratios().fold(1.0, f64::max);
                (
                    worst,
                    Some(format!("the worst of {} beside itself", self.base)),
                )
            }
            Limit::ShareOf {
                share,
                contender,
                base,
            } => {
                let other = lines.find(self.workload, contender, base)?;
                void = void.or_else(|| lines.void(other));
                let ratio = other.cpu()?.value;
                let because = format!("{share:.2} of what {contender} adds ({ratio:.2})");
                (1.0 + share * (ratio - 1.0), Some(because))
            }
        };
        Some(Verdict {
            what: format!("{subject}, {} over {}", self.contender, self.base),
            workload: self.workload,
            value,
            limit,
            because,
            outcome: match void {
                Some(reason) => Outcome::Void(reason),
                None if value.value <= limit => Outcome::Holds,
                None => Outcome::Missed,
            },
        })
    }
}

/// The ratios of `two` over those of `one`, round by round.
fn scaling(one: &Line, two: &Line) -> Option<Median> {
    let rounds = two.cpu_ratios().zip(one.cpu_ratios());
    Median::of(rounds.map(|(two, one)| two / one))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contenders;
    use crate::results::tests::line;

    fn verdict(lines: Vec<Line>, what: &str, limit: f64) -> Outcome {
        let verdicts = judge(&Lines(lines));
        let mut found = verdicts
            .into_iter()
            .filter(|verdict| verdict.what == what && (verdict.limit - limit).abs() < 1e-9);
        let verdict = found.next().expect("the bound was judged");
        verdict.outcome
    }

    #[test]
    fn bounds_are_on_what_exists() {
        for bound in all() {
            let contender = contenders::by_name(bound.contender).unwrap();
            assert!(contender.bases.contains(&bound.base));
            if let Limit::ShareOf {
                contender, base, ..
            } = bound.limit
            {
                let other = contenders::by_name(contender).unwrap();
                assert!(other.bases.contains(&base));
            }
        }
    }

    #[test]
    fn a_bound_holds_is_missed_or_cannot_be_told() {
        let lines = |control: f64, ratio: f64| {
            vec![
                line(Workload::Json, "system", "system", &[control; 15]),
                line(Workload::Json, "exact-system", "system", &[ratio; 15]),
            ]
        };
        let judged = |lines| verdict(lines, "CPU time, exact-system over system", 1.6);
        assert_eq!(judged(lines(1.0, 1.59)), Outcome::Holds);
        assert_eq!(judged(lines(1.0, 1.61)), Outcome::Missed);
        assert!(matches!(judged(lines(1.02, 1.5)), Outcome::Void(_)));
    }

    #[test]
    fn the_slowest_requests_are_held_to_the_range_of_the_control() {
        let mut control = [1.0; 15];
        control[3] = 1.3;
        let lines = |ratio: f64| {
            let of = |contender: &str, ratios: &[f64]| {
                line(Workload::Service, contender, "system", ratios)
            };
            vec![of("system", &control), of("sampled-scraped", &[ratio; 15])]
        };
        let judged = |lines| {
            verdict(
                lines,
                "99 of 100 requests, sampled-scraped over system",
                1.3,
            )
        };
        assert_eq!(judged(lines(1.29)), Outcome::Holds);
        assert_eq!(judged(lines(1.31)), Outcome::Missed);
    }

    #[test]
    fn a_share_is_of_what_is_added() {
        let lines = |ratio: f64| {
            vec![
                line(Workload::Json, "system", "system", &[1.0; 15]),
                line(Workload::Json, "heaptrack", "system", &[6.0; 15]),
                line(Workload::Json, "exact-system", "system", &[ratio; 15]),
            ]
        };
        let judged = |lines| verdict(lines, "CPU time, exact-system over system", 2.0);
        assert_eq!(judged(lines(1.9)), Outcome::Holds);
        assert_eq!(judged(lines(2.1)), Outcome::Missed);
    }

    #[test]
    fn scaling_compares_ratios_of_the_same_round() {
        let pair = |workload, ratios: &[f64]| line(workload, "exact-system", "system", ratios);
        let one = pair(Workload::Private1, &[2.0, 3.0, 4.0]);
        let two = pair(Workload::Private2, &[2.2, 3.3, 4.4]);
        assert!((scaling(&one, &two).unwrap().value - 1.1).abs() < 1e-9);
    }
}
