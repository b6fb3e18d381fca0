//! What a scope has counted.

use super::failure;
use super::frames::{self, Frame};
use crate::recorder;
use crate::tables::counters::{Delta, Sums};
use crate::tables::scopes::{ScopeId, SiteSums};
use crate::tables::site_tree::NodeId;
use std::collections::BTreeMap;
use std::fmt;

/// Blocks, and the bytes that were asked for in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Bytes.
    pub bytes: u64,
    /// Number of blocks.
    pub blocks: u64,
}

/// What a scope has counted: its blocks, whoever has freed them since.
///
/// A reallocation counts as a free of the old block and an allocation of the new one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    counts: SiteSums,
    peak_bytes: u64,
    paths: Vec<Path>,
}

/// A call stack at which a scope has allocated, and how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// `None` for those of the paths beyond the 4,095 that are told apart.
    site: Option<NodeId>,
    counts: SiteSums,
}

impl Report {
    /// Allocates, and is to be called as heaplens' own.
    pub(super) fn of(scope: ScopeId) -> Self {
        let Some(recorder) = recorder::global() else {
            return Self::default();
        };
        // In which order the two are read matters to scopes in motion alone.
        let mut sites: BTreeMap<Option<NodeId>, SiteSums> = BTreeMap::new();
        recorder.scopes.read(scope, |site, counts| {
            add(sites.entry(site).or_default(), &counts)
        });
        let (_, peak_bytes) = recorder.scopes.live_and_peak(scope);
        Self::new(sites, peak_bytes)
    }

    fn new(sites: BTreeMap<Option<NodeId>, SiteSums>, peak_bytes: u64) -> Self {
        let mut counts = SiteSums::default();
        let mut paths: Vec<Path> = sites
            .into_iter()
            .map(|(site, counts)| Path { site, counts })
            .collect();
        paths.iter().for_each(|path| add(&mut counts, &path.counts));
        paths
            .sort_by_key(|path| std::cmp::Reverse((path.retained().bytes, path.allocated().bytes)));
        Self {
            counts,
            peak_bytes,
            paths,
        }
    }

    /// What was counted after `before`, an earlier report of the scope. To be called as heaplens' own.
    pub(super) fn since(&self, before: &Self) -> Self {
        let earlier: BTreeMap<Option<NodeId>, &SiteSums> = before
            .paths
            .iter()
            .map(|path| (path.site, &path.counts))
            .collect();
        let sites = self.paths.iter().map(|path| {
            let mut counts = path.counts;
            if let Some(earlier) = earlier.get(&path.site) {
                counts.sums = difference(&counts.sums, &earlier.sums);
            }
            (path.site, counts)
        });
        Self::new(sites.collect(), self.peak_bytes)
    }

    /// All blocks that were allocated.
    pub fn allocated(&self) -> Amount {
        allocated(&self.counts.sums)
    }

    /// Those of them that are freed.
    pub fn freed(&self) -> Amount {
        freed(&self.counts.sums)
    }

    /// Those of them that are not freed.
    pub fn retained(&self) -> Amount {
        retained(&self.counts.sums)
    }

    /// The most bytes that were allocated and not freed at a time. Where several threads allocate in
    /// the scope, it is that of one order in which they may have done so.
    pub fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }

    /// Size of the largest block.
    pub fn largest_block_bytes(&self) -> u64 {
        self.counts.largest_bytes
    }

    /// Where it was allocated: what retains most first, and where nothing is, what has allocated most.
    pub fn paths(&self) -> &[Path] {
        &self.paths
    }

    /// The sites as a snapshot has them.
    pub(super) fn sites(&self) -> impl Iterator<Item = (NodeId, Sums)> {
        let rest = recorder::global().map(|recorder| recorder.site_of_the_rest());
        self.paths.iter().filter_map(move |path| {
            let mut sums = Sums::default();
            sums.add(&path.counts.sums);
            Some((path.site.or(rest)?, sums))
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&recorder::as_own(|| failure::describe(self)))
    }
}

impl Path {
    /// All blocks that were allocated here.
    pub fn allocated(&self) -> Amount {
        allocated(&self.counts.sums)
    }

    /// Those of them that are freed.
    pub fn freed(&self) -> Amount {
        freed(&self.counts.sums)
    }

    /// Those of them that are not freed.
    pub fn retained(&self) -> Amount {
        retained(&self.counts.sums)
    }

    /// Size of the largest block.
    pub fn largest_block_bytes(&self) -> u64 {
        self.counts.largest_bytes
    }

    /// The calls, innermost first, with all that inlining has put into one. Looks names up, which
    /// takes long the first time.
    pub fn frames(&self) -> Vec<Frame> {
        recorder::as_own(|| self.site.map(frames::of).unwrap_or_default())
    }
}

fn allocated(sums: &Delta) -> Amount {
    Amount {
        bytes: sums.allocated_bytes,
        blocks: sums.allocated_count,
    }
}

fn freed(sums: &Delta) -> Amount {
    Amount {
        bytes: sums.freed_bytes,
        blocks: sums.freed_count,
    }
}

/// Saturates, for reports that are made while threads count.
fn retained(sums: &Delta) -> Amount {
    Amount {
        bytes: sums.allocated_bytes.saturating_sub(sums.freed_bytes),
        blocks: sums.allocated_count.saturating_sub(sums.freed_count),
    }
}

/// Saturates, as [`retained`] does.
fn difference(sums: &Delta, earlier: &Delta) -> Delta {
    let beyond = |now: u64, earlier: u64| now.saturating_sub(earlier);
    Delta {
        allocated_bytes: beyond(sums.allocated_bytes, earlier.allocated_bytes),
        allocated_count: beyond(sums.allocated_count, earlier.allocated_count),
        freed_bytes: beyond(sums.freed_bytes, earlier.freed_bytes),
        freed_count: beyond(sums.freed_count, earlier.freed_count),
    }
}

fn add(counts: &mut SiteSums, other: &SiteSums) {
    counts.sums.allocated_bytes += other.sums.allocated_bytes;
    counts.sums.allocated_count += other.sums.allocated_count;
    counts.sums.freed_bytes += other.sums.freed_bytes;
    counts.sums.freed_count += other.sums.freed_count;
    counts.largest_bytes = counts.largest_bytes.max(other.largest_bytes);
}
