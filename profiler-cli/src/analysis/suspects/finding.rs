//! What is said of an owner or a path, and of a run.

use heaplens::snapshot::AGE_BOUNDS_SECONDS;

use super::course::Course;
use super::history::{History, Point};
use super::judge::is_when_high;
use super::turnover::{Survival, Turnover};
use crate::analysis::heap_graph::OwnerReach;
use crate::analysis::heap_graph::reach::Amount;
use crate::analysis::trend::Slope;
use crate::profile::{NodeId, Profile};

/// Part of its range that a level may lie above the least one and still count as that.
const NEAR: f64 = 0.05;

/// What became of an owner or a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Grows steadily, and what is old is never freed.
    Leak,
    /// Grows, but the snapshots are too few to tell how.
    TooLittle,
    /// Freed in bulk.
    Sawtooth,
    /// Growth has flattened, or old blocks are replaced by new ones.
    Warming,
    /// No growth of any weight, or growth that follows the load.
    Stable,
}

impl Class {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leak => "leak",
            Self::TooLittle => "too little data",
            Self::Sawtooth => "sawtooth",
            Self::Warming => "warming up / cache",
            Self::Stable => "stable",
        }
    }
}

/// What was tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// All live bytes.
    Live,
    /// Live bytes of blocks older than that many seconds.
    Older(u64),
}

impl Measure {
    /// The measure at each point.
    pub fn values(self, points: &[Point]) -> Vec<f64> {
        let of = |point: &Point| match self {
            Self::Live => point.values.live_bytes,
            Self::Older(seconds) => AGE_BOUNDS_SECONDS
                .iter()
                .position(|&bound| bound == seconds)
                .map_or(0, |k| point.older[k]),
        };
        points.iter().map(|point| of(point) as f64).collect()
    }
}

/// The judgement of one owner or one path.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Node in [`History::profile`].
    pub node: NodeId,
    /// What became of it.
    pub class: Class,
    /// The measure that the judgement rests on.
    pub measure: Measure,
    /// How that measure went after warm-up.
    pub course: Course,
    /// Corrected p-value of its trend.
    pub p: f64,
    /// Growth in bytes a second: of the measure, or of the leaking paths together.
    pub rate: Slope,
    /// Births and frees after warm-up.
    pub turnover: Turnover,
    /// How old it has become.
    pub survival: Option<Survival>,
    /// Live bytes at each snapshot that counts.
    pub live: Vec<i64>,
    /// Variance of the live bytes in the newest of them.
    pub live_variance: f64,
    /// Class [`TooLittle`](Class::TooLittle): snapshots that would be enough.
    pub snapshots_needed: usize,
    /// The leaking paths of an owner, the largest rate first.
    pub paths: Vec<Finding>,
    /// Of an owner: what pointers lead to, where a snapshot has a graph of the heap.
    pub reach: Option<OwnerReach>,
    /// Class [`Leak`](Class::Leak): whether no trend shows it, and only the graph does.
    pub is_by_graph_alone: bool,
}

/// The judgement of a run.
#[derive(Debug)]
pub struct Suspects<'a> {
    /// The run.
    pub history: &'a History,
    /// Owners that moved or hold much, leaks first and the fastest of them first.
    pub findings: Vec<Finding>,
    /// Places in [`History::snapshots`] of those that count.
    pub used: Vec<usize>,
    /// How many of these are the warm-up.
    pub warm_up: usize,
    /// Seconds since the start at each snapshot that counts.
    pub times: Vec<f64>,
    /// Tests that were made.
    pub tests: usize,
    /// Owners that did not move and hold little.
    pub quiet: usize,
}

impl Suspects<'_> {
    /// The owners of a class.
    pub fn of(&self, class: Class) -> impl Iterator<Item = &Finding> + Clone {
        self.findings.iter().filter(move |f| f.class == class)
    }

    /// Since when an owner has grown: the place in [`used`](Self::used) of the last snapshot in which
    /// its live bytes were near the least of them.
    pub fn grows_since(&self, finding: &Finding) -> Option<usize> {
        let live = &finding.live;
        let (low, high) = (*live.iter().min()? as f64, *live.iter().max()? as f64);
        let near = low + NEAR * (high - low);
        live.iter().rposition(|&bytes| bytes as f64 <= near)
    }

    /// Snapshots that are left out since they were taken because memory was high just then.
    pub fn when_high(&self) -> usize {
        let reasons = self
            .history
            .snapshots
            .iter()
            .map(|source| source.header.reason);
        reasons.filter(|&reason| is_when_high(reason)).count()
    }

    /// The leaks that a trend shows.
    pub fn growing(&self) -> impl Iterator<Item = &Finding> + Clone {
        self.of(Class::Leak)
            .filter(|finding| !finding.is_by_graph_alone)
    }

    /// Bytes a second of all leaks that a trend shows.
    pub fn leak_rate(&self) -> f64 {
        self.growing().map(|finding| finding.rate.rate).sum()
    }
}

impl Finding {
    /// Where the bytes that the judgement rests on are allocated: the path that leaks most, if one
    /// does.
    pub fn site(&self) -> NodeId {
        self.sites().next().unwrap_or(self.node)
    }

    /// The paths that the judgement rests on, the worst first; none where it rests on all together.
    pub fn sites(&self) -> impl Iterator<Item = NodeId> {
        let lost = self.lost_sites().iter().map(|&(node, _)| node);
        self.paths.iter().map(|path| path.node).chain(lost)
    }

    /// The sites of the blocks that no pointer was found to, the heaviest first, where these are all that
    /// the judgement rests on.
    pub fn lost_sites(&self) -> &[(NodeId, Amount)] {
        match &self.reach {
            Some(owner) if self.is_by_graph_alone => &owner.unreached,
            _ => &[],
        }
    }

    /// The owner of leaking paths leaks, however it looks as a whole.
    pub(super) fn with_paths(mut self, paths: Vec<Finding>) -> Self {
        if let (Some(first), true) = (paths.first(), self.class != Class::Leak) {
            self.class = Class::Leak;
            self.measure = first.measure;
            self.course = first.course;
            self.turnover = first.turnover;
            self.survival = first.survival;
            self.p = paths.iter().map(|path| path.p).fold(1.0, f64::min);
            let sum = |of: fn(&Slope) -> f64| paths.iter().map(|path| of(&path.rate)).sum();
            self.rate = Slope {
                rate: sum(|slope| slope.rate),
                low: sum(|slope| slope.low),
                high: sum(|slope| slope.high),
            };
        }
        self.paths = paths;
        self
    }

    /// How sure the trend is: 0 to 1, before losses.
    pub fn confidence(&self) -> f64 {
        (1.0 - self.p).clamp(0.0, 1.0)
    }
}

/// Sorts owners: leaks first, and of each class what weighs most.
pub(super) fn rank(findings: &mut [Finding], profile: &Profile) {
    let weight = |finding: &Finding| match finding.class {
        Class::Leak if finding.is_by_graph_alone => 0.0,
        Class::Leak => finding.rate.rate,
        Class::TooLittle | Class::Warming => finding.course.change,
        Class::Sawtooth | Class::Stable => finding.live.last().copied().unwrap_or(0) as f64,
    };
    let name = |finding: &Finding| profile.name(finding.node);
    findings.sort_by(|a, b| {
        a.class
            .cmp(&b.class)
            .then_with(|| weight(b).total_cmp(&weight(a)))
            .then_with(|| b.unreached().bytes.cmp(&a.unreached().bytes))
            .then_with(|| name(a).cmp(name(b)))
    });
}
