//! What a run held, snapshot by snapshot, for each path and each owner.
//!
//! Only numbers are kept of a snapshot, and names only once: whatever was ever recorded is in the
//! newest snapshot of a run too, so the newest one has all paths.

use heaplens::snapshot::graph::Graph;
use heaplens::snapshot::{AGE_BOUNDS_SECONDS, RecorderMode};
use rustc_hash::FxHashMap;

use crate::analysis::heap_graph::HeapGraph;
use crate::profile::{FunctionId, NodeId, Profile, Source, Values, clock_ms, is_imported};

/// Ages that live bytes are told for.
pub const BOUNDS: usize = AGE_BOUNDS_SECONDS.len();

/// What a path or an owner held at one snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Point {
    /// The numbers.
    pub values: Values,
    /// Live bytes of blocks that are surely older than each of [`AGE_BOUNDS_SECONDS`].
    pub older: [i64; BOUNDS],
}

impl Point {
    /// Adds what another site held at the same snapshot.
    pub fn add(&mut self, other: &Self) {
        self.values.add(&other.values);
        for (sum, bytes) in self.older.iter_mut().zip(other.older) {
            *sum = sum.saturating_add(bytes);
        }
    }
}

/// The points of one path, or of all paths with one owner.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Node in [`History::profile`]: of the path, or the owner at its heaviest place.
    pub node: NodeId,
    /// One for each snapshot.
    pub points: Vec<Point>,
}

/// One run of a program.
#[derive(Debug, Default)]
pub struct History {
    /// The snapshots in the order of time, oldest first.
    pub snapshots: Vec<Source>,
    /// The newest snapshot, with names.
    pub profile: Profile,
    /// Each owner.
    pub owners: Vec<Series>,
    /// Each path that could be of any weight: see [`HistoryBuilder::new`].
    pub paths: Vec<Series>,
    /// The newest graph of the heap among them, in the nodes of `profile`.
    pub graph: Option<HeapGraph>,
    /// Whether some snapshot does not tell how old live blocks are.
    pub lacks_ages: bool,
    /// Whether some snapshot does not tell what was ever allocated.
    pub lacks_births: bool,
}

impl History {
    /// Seconds since the start of the run at each snapshot; since the first one where the start is not
    /// known.
    pub fn seconds(&self) -> Vec<f64> {
        let headers = || self.snapshots.iter().map(|source| &source.header);
        let start = headers()
            .next()
            .filter(|header| is_imported(header))
            .map_or(0, clock_ms);
        headers()
            .map(|header| clock_ms(header).saturating_sub(start) as f64 / 1000.0)
            .collect()
    }

    /// Mean distance between samples in bytes; 0 for exact numbers.
    pub fn sample_bytes(&self) -> f64 {
        sample_bytes(&self.snapshots)
    }

    /// Growth below this is of no weight, in bytes.
    pub fn least_bytes(&self) -> f64 {
        least_bytes(&self.snapshots)
    }

    /// The owner of a path.
    pub fn owner_function(&self, node: NodeId) -> FunctionId {
        self.profile.frame(self.profile.owner(node)).function
    }
}

/// Part of a program's live bytes below which growth is of no weight.
const LEAST_SHARE: f64 = 0.002;
/// Samples below which nothing can be told.
const LEAST_SAMPLES: f64 = 6.0;

fn least_bytes(snapshots: &[Source]) -> f64 {
    let live = |source: &Source| source.header.totals.live_bytes;
    let peak = snapshots.iter().map(live).max().unwrap_or(0);
    (peak as f64 * LEAST_SHARE)
        .max(sample_bytes(snapshots) * LEAST_SAMPLES)
        .max(1.0)
}

fn sample_bytes(snapshots: &[Source]) -> f64 {
    let mean = |source: &Source| match source.header.recorder.mode {
        RecorderMode::Sampled => source.header.recorder.sample_bytes,
        _ => 0,
    };
    snapshots.iter().map(mean).max().unwrap_or(0) as f64
}

/// What orders the snapshots of a run.
fn time(source: &Source) -> (u64, u64) {
    (clock_ms(&source.header), source.header.sequence)
}

/// Makes a [`History`], snapshot by snapshot, in any order.
#[derive(Debug)]
pub struct HistoryBuilder {
    history: History,
    /// Places by node, plus one; 0 for none.
    path_of_node: Vec<u32>,
    owner_of_node: Vec<u32>,
}

impl HistoryBuilder {
    /// A run whose newest snapshot is `profile`.
    ///
    /// A path that has allocated too little in all its time to be of any weight gets no series, and
    /// counts for its owner alone: memory is for the paths that can be suspects.
    pub fn new(profile: Profile) -> Self {
        let least = least_bytes(profile.sources());
        let mut path_of_node = vec![0; profile.tree().len()];
        let mut owner_of_node = vec![0; profile.tree().len()];
        let (mut paths, mut owners) = (Vec::new(), Vec::<Series>::new());
        let mut owner_of_function: FxHashMap<FunctionId, (u32, i64)> = FxHashMap::default();
        for site in profile.sites() {
            let series = |node| Series {
                node,
                points: Vec::new(),
            };
            let owner = profile.owner(site.node);
            let bytes = site.values.live_bytes;
            let (place, heaviest) = owner_of_function
                .entry(profile.frame(owner).function)
                .or_insert_with(|| {
                    owners.push(series(owner));
                    (owners.len() as u32, bytes)
                });
            if bytes > *heaviest {
                *heaviest = bytes;
                owners[*place as usize - 1].node = owner;
            }
            owner_of_node[site.node as usize] = *place;
            let most = site.values.total_bytes.max(bytes.unsigned_abs());
            if most as f64 >= least {
                paths.push(series(site.node));
                path_of_node[site.node as usize] = paths.len() as u32;
            }
        }
        Self {
            history: History {
                profile,
                owners,
                paths,
                ..History::default()
            },
            path_of_node,
            owner_of_node,
        }
    }

    /// Adds a snapshot: what was held at nodes of the profile.
    ///
    /// `has_ages` says whether the points tell how old live blocks are.
    pub fn add(
        &mut self,
        source: Source,
        has_ages: bool,
        sites: impl Iterator<Item = (NodeId, Point)>,
    ) {
        let History {
            snapshots,
            owners,
            paths,
            lacks_ages,
            lacks_births,
            ..
        } = &mut self.history;
        let totals = &source.header.totals;
        *lacks_ages |= !has_ages;
        *lacks_births |= totals.total_bytes == 0 && totals.live_bytes > 0;
        snapshots.push(source);
        for series in owners.iter_mut().chain(paths.iter_mut()) {
            series.points.push(Point::default());
        }
        let add = |all: &mut [Series], place: Option<&u32>, point: &Point| {
            let series = place.and_then(|&place| all.get_mut((place as usize).checked_sub(1)?));
            if let Some(sum) = series.and_then(|series| series.points.last_mut()) {
                sum.add(point);
            }
        };
        for (node, point) in sites {
            add(owners, self.owner_of_node.get(node as usize), &point);
            add(paths, self.path_of_node.get(node as usize), &point);
        }
    }

    /// Adds the graph of a snapshot, whose rows of sites are at the nodes that `node_of` says. The newest
    /// one stays.
    pub fn add_graph(
        &mut self,
        source: &Source,
        graph: &Graph,
        node_of: impl Fn(u32) -> Option<NodeId>,
    ) {
        let known = self.history.graph.as_ref();
        if known.is_none_or(|known| time(&known.source) < time(source)) {
            let graph = HeapGraph::new(&self.history.profile, source.clone(), graph, node_of);
            self.history.graph = Some(graph);
        }
    }

    /// The run, in the order of time.
    pub fn finish(self) -> History {
        let mut history = self.history;
        let mut order: Vec<usize> = (0..history.snapshots.len()).collect();
        order.sort_by_key(|&at| time(&history.snapshots[at]));
        for series in history.owners.iter_mut().chain(&mut history.paths) {
            series.points = order.iter().map(|&at| series.points[at]).collect();
        }
        history.snapshots = order
            .iter()
            .map(|&at| history.snapshots[at].clone())
            .collect();
        history
    }
}
