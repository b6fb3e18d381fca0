//! The quantities of a run that limits are about, of the whole and of each owner.
//!
//! | quantity | is |
//! |---|---|
//! | live | live bytes in the newest snapshot before the end of the program |
//! | growth | their change over the time that the verdict is about, which begins after warm-up |
//! | growth per work | the same for each unit of work that the program reports meanwhile |
//! | peak | the most live bytes in any snapshot, of which one is before the end; between two nobody has looked |
//! | allocated | bytes ever allocated, in the newest snapshot of all |
//! | unreached | bytes to which no pointer was found, in the newest snapshot with a graph of the heap |
//!
//! Each is an estimate with a variance, which is 0 in exact mode.

use heaplens::snapshot::Header;
use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::analysis::heap_graph::HeapGraph;
use crate::analysis::heap_graph::reach::{Reach, Verdict};
use crate::analysis::suspects::{Point, Suspects};
use crate::profile::{NodeId, Profile, Values, change_variance};

/// What can be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Live bytes.
    Live,
    /// Growth of live bytes.
    Growth,
    /// Growth for each unit of work.
    GrowthPerWork,
    /// Most live bytes.
    Peak,
    /// Bytes ever allocated.
    Allocated,
    /// Bytes to which no pointer was found.
    Unreached,
}

impl Quantity {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Live,
        Self::Growth,
        Self::GrowthPerWork,
        Self::Peak,
        Self::Allocated,
        Self::Unreached,
    ];

    /// What it is called in budgets and baselines.
    pub fn key(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Growth => "growth",
            Self::GrowthPerWork => "growth_per_work",
            Self::Peak => "peak",
            Self::Allocated => "allocated",
            Self::Unreached => "unreached",
        }
    }
}

/// A number and how sure it is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Estimate {
    /// In bytes.
    pub value: f64,
    /// In bytes squared; 0 for exact numbers.
    pub variance: f64,
}

/// Standard deviations beyond which something is no noise: one-sided 99.9 %.
const BEYOND_NOISE: f64 = 3.09;

impl Estimate {
    /// Whether it is surely more than a limit that itself is known with this variance: to the byte
    /// where both are exact.
    pub fn exceeds(&self, limit: f64, variance: f64) -> bool {
        let noise = (self.variance + variance).max(0.0).sqrt();
        self.value - limit > BEYOND_NOISE * noise
    }
}

/// All quantities of something; `None` for what the run does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measures([Option<Estimate>; Quantity::ALL.len()]);

impl Measures {
    /// One of them.
    pub fn of(&self, quantity: Quantity) -> Option<Estimate> {
        self.0[quantity as usize]
    }
}

/// An owner and its quantities.
#[derive(Debug, Clone)]
pub struct Owner {
    /// Node in the profile of the run, at the owner's heaviest place.
    pub node: NodeId,
    /// What limits are about.
    pub measures: Measures,
    /// Live bytes after warm-up and at last.
    pub live: [i64; 2],
}

/// What a run measured.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Of the whole program.
    pub total: Measures,
    /// Its live bytes after warm-up and at last.
    pub total_live: [i64; 2],
    /// Of each owner; functions of one name are one owner.
    pub owners: Vec<Owner>,
    /// Units of work that were reported meanwhile.
    pub work: u64,
}

/// Measures a run.
pub fn measure(suspects: &Suspects<'_>) -> Measured {
    let history = suspects.history;
    let Some(scale) = Scale::new(suspects) else {
        return Measured::default();
    };
    let mut total = vec![Point::default(); history.snapshots.len()];
    let mut owners: Vec<(NodeId, Vec<Point>)> = Vec::new();
    let mut places: FxHashMap<&str, usize> = FxHashMap::default();
    for series in &history.owners {
        add(&mut total, &series.points);
        let place = *places
            .entry(history.profile.name(series.node))
            .or_insert_with(|| {
                owners.push((series.node, vec![Point::default(); total.len()]));
                owners.len() - 1
            });
        add(&mut owners[place].1, &series.points);
    }
    let mut measured = Measured {
        total: scale.measures(&total),
        total_live: scale.live(&total),
        owners: Vec::new(),
        work: scale.work,
    };
    // A peak of a snapshot that is gone, unless the filter looks at a part only.
    let profile = &history.profile;
    if profile.totals() == profile.unfiltered()
        && let Some(peak) = &mut measured.total.0[Quantity::Peak as usize]
    {
        let seen = |header: &Header| header.totals.peak_live_bytes as f64;
        let all = history.snapshots.iter().map(|source| seen(&source.header));
        peak.value = all.fold(peak.value, f64::max);
    }
    measured.owners = owners
        .into_iter()
        .map(|(node, points)| Owner {
            node,
            measures: scale.measures(&points),
            live: scale.live(&points),
        })
        .collect();
    if let Some(graph) = &history.graph {
        measured.add_unreached(profile, graph);
    }
    measured
}

impl Measured {
    fn add_unreached(&mut self, profile: &Profile, graph: &HeapGraph) {
        let unreached = |reach: &Reach| {
            Some(Estimate {
                value: reach.of(Verdict::Unreached).bytes as f64,
                variance: 0.0,
            })
        };
        let place = Quantity::Unreached as usize;
        self.total.0[place] = unreached(&graph.totals);
        let mut by_name: FxHashMap<&str, Reach> = FxHashMap::default();
        for (node, reach) in &graph.sites {
            let name = profile.name(profile.owner(*node));
            by_name.entry(name).or_default().add(reach);
        }
        for owner in &mut self.owners {
            let reach = by_name.get(profile.name(owner.node)).copied();
            owner.measures.0[place] = unreached(&reach.unwrap_or_default());
        }
    }
}

fn add(sum: &mut [Point], points: &[Point]) {
    for (sum, point) in sum.iter_mut().zip(points) {
        sum.add(point);
    }
}

/// Which snapshots quantities are about.
struct Scale {
    /// After warm-up.
    first: usize,
    /// The newest that is not one of the end.
    last: usize,
    /// Whether there is one before the end: what is left after `main` is not what the program holds.
    sees_it_run: bool,
    grows: bool,
    work: u64,
    lacks_births: bool,
}

impl Scale {
    fn new(suspects: &Suspects<'_>) -> Option<Self> {
        let history = suspects.history;
        let newest = history.snapshots.len().checked_sub(1)?;
        let counted = suspects.used.get(suspects.warm_up..).unwrap_or_default();
        let first = counted.first().copied().unwrap_or(newest);
        let last = counted.last().copied().unwrap_or(newest);
        let work = |at: usize| history.snapshots[at].header.work_done;
        Some(Self {
            first,
            last,
            sees_it_run: !counted.is_empty(),
            grows: first < last,
            work: work(last).saturating_sub(work(first)),
            lacks_births: history.lacks_births,
        })
    }

    fn live(&self, points: &[Point]) -> [i64; 2] {
        [self.first, self.last].map(|at| points[at].values.live_bytes)
    }

    fn measures(&self, points: &[Point]) -> Measures {
        let values = |at: usize| &points[at].values;
        let live = |values: &Values| Estimate {
            value: values.live_bytes as f64,
            variance: values.live_bytes_variance,
        };
        let [before, after] = [self.first, self.last].map(values);
        let growth = self.grows.then(|| Estimate {
            value: after.live_bytes.saturating_sub(before.live_bytes) as f64,
            variance: change_variance(before, after, true),
        });
        let work = self.work as f64;
        let per_work = growth.filter(|_| self.work > 0).map(|growth| Estimate {
            value: growth.value / work,
            variance: growth.variance / (work * work),
        });
        let all = points.iter().map(|point| live(&point.values));
        let ever = points.last().filter(|_| !self.lacks_births);
        let mut measures = Measures::default();
        for (quantity, estimate) in [
            (Quantity::Live, self.sees_it_run.then(|| live(after))),
            (Quantity::Growth, growth),
            (Quantity::GrowthPerWork, per_work),
            (
                Quantity::Peak,
                all.max_by(|a, b| a.value.total_cmp(&b.value))
                    .filter(|_| self.sees_it_run),
            ),
            (
                Quantity::Allocated,
                ever.map(|point| Estimate {
                    value: point.values.total_bytes as f64,
                    variance: point.values.total_bytes_variance,
                }),
            ),
        ] {
            measures.0[quantity as usize] = estimate;
        }
        measures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_to_the_byte_where_numbers_are_exact() {
        let exact = Estimate {
            value: 1024.0,
            variance: 0.0,
        };
        assert!(!exact.exceeds(1024.0, 0.0) && exact.exceeds(1023.0, 0.0));
    }

    #[test]
    fn limits_hold_outside_of_the_noise_where_numbers_are_estimates() {
        let estimate = Estimate {
            value: 1024.0,
            variance: 10_000.0,
        };
        assert!(!estimate.exceeds(720.0, 0.0) && estimate.exceeds(710.0, 0.0));
        assert!(!estimate.exceeds(710.0, 10_000.0));
    }
}
