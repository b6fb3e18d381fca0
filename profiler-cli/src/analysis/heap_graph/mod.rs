//! The graph of the heap with names: what pointers lead to, by call site, and the shapes of what no
//! pointer was found to.
//!
//! | file | does |
//! |---|---|
//! | [`reach`] | blocks and bytes by verdict |
//! | [`labels`] | what people tell blocks apart by |
//! | [`retained`] | who holds the others: dominators, and the way from a root |
//! | `way` | the shortest ways along pointers |
//! | [`shapes`] | unreached blocks as people tell them apart: by owner, line and type |
//!
//! A snapshot tells all of this by site. Here a site is a node of a [`Profile`], and what does not pass
//! its filter is left out: all sums are sums of what stays.

pub mod labels;
pub mod reach;
pub mod retained;
pub mod shapes;
mod way;

use heaplens::snapshot::graph::{Graph, LeftOut, Scan};
use rustc_hash::FxHashMap;

use self::reach::{Amount, Reach, Verdict};
use self::retained::Retention;
use self::shapes::Shape;
use crate::profile::{FunctionId, NodeId, Profile, Source};

/// The graph of one snapshot. Nodes are those of the profile that it was made with.
#[derive(Debug, Clone)]
pub struct HeapGraph {
    /// The snapshot that has it.
    pub source: Source,
    /// How it was made.
    pub scan: Scan,
    /// What was found of each site.
    pub sites: Vec<(NodeId, Reach)>,
    /// The sums over these.
    pub totals: Reach,
    /// What no pointer was found to, the heaviest first.
    pub shapes: Vec<Shape>,
    /// What is in none of these since the file had no room for it; of the whole program, whatever passes
    /// the filter.
    pub left_out: LeftOut,
}

/// Who holds what, and the profile of the snapshot that tells it.
#[derive(Debug)]
pub struct Held {
    /// Of what passes the filter.
    pub profile: Profile,
    /// The sums of its graph.
    pub graph: HeapGraph,
    /// The same.
    pub retention: Retention,
}

/// What was found of an owner.
#[derive(Debug, Clone)]
pub struct OwnerReach {
    /// The owner at the site with most unreached bytes.
    pub node: NodeId,
    /// The sum over its sites.
    pub reach: Reach,
    /// The sites that have unreached blocks, the heaviest first.
    pub unreached: Vec<(NodeId, Amount)>,
}

impl HeapGraph {
    /// The graph of a snapshot whose rows of sites are at the nodes that `node_of` says. Rows without a
    /// node are passed over.
    pub fn new(
        profile: &Profile,
        source: Source,
        graph: &Graph,
        node_of: impl Fn(u32) -> Option<NodeId>,
    ) -> Self {
        let mut sites: Vec<(NodeId, Reach)> = Vec::new();
        let mut places: FxHashMap<NodeId, usize> = FxHashMap::default();
        let mut totals = Reach::default();
        for (row, &site) in graph.sites.site.iter().enumerate() {
            let Some(node) = node_of(site) else { continue };
            let reach = Reach::of_row(&graph.sites, row);
            totals.add(&reach);
            let place = *places.entry(node).or_insert_with(|| {
                sites.push((node, Reach::default()));
                sites.len() - 1
            });
            sites[place].1.add(&reach);
        }
        Self {
            shapes: shapes::shapes(profile, &graph.groups, node_of),
            left_out: graph.groups.left_out.clone(),
            scan: graph.scan.clone(),
            source,
            sites,
            totals,
        }
    }

    /// What was found of each owner, those with most unreached bytes first.
    pub fn owners(&self, profile: &Profile) -> Vec<OwnerReach> {
        let mut owners: FxHashMap<FunctionId, OwnerReach> = FxHashMap::default();
        for &(node, reach) in &self.sites {
            let owner = profile.owner(node);
            let sum = owners
                .entry(profile.frame(owner).function)
                .or_insert_with(|| OwnerReach {
                    node: owner,
                    reach: Reach::default(),
                    unreached: Vec::new(),
                });
            sum.reach.add(&reach);
            let unreached = reach.of(Verdict::Unreached);
            if unreached != Amount::default() {
                sum.unreached.push((node, unreached));
            }
        }
        let mut owners: Vec<OwnerReach> = owners.into_values().collect();
        for owner in &mut owners {
            reach::sort(&mut owner.unreached);
            if let Some(&(node, _)) = owner.unreached.first() {
                owner.node = profile.owner(node);
            }
        }
        let weight = |owner: &OwnerReach| {
            let unreached = owner.reach.of(Verdict::Unreached);
            (unreached.bytes, unreached.blocks, owner.reach.all().bytes)
        };
        owners.sort_by(|a, b| {
            let name = |owner: &OwnerReach| profile.name(owner.node);
            weight(b).cmp(&weight(a)).then_with(|| name(a).cmp(name(b)))
        });
        owners
    }
}
