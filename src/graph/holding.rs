//! Who holds the blocks that a walk reaches: takes in each pointer, and tells the roots, the pointers by site
//! and the dominators, summed by site.
//!
//! What the walk does with the pointers is not known here. Memory may run out: then there is no holding, and
//! the walk goes on.

use super::array::{Array, Budget, NoMemory};
use super::blocks::{Block, Blocks};
use super::dominators::dominators;
use super::edges::Edges;
use super::holders::{Holder, Holders};
use super::mappings::{Kind, THREAD_LOCALS_ABOVE, THREAD_LOCALS_BELOW};
use super::retained::{self, Node};
use super::roots::{Place, Roots};
use super::spanning::{START, Spanning};
use super::threads::Threads;
use crate::recorder::Recorder;
use crate::tables::site_tree::NodeId;

/// In the tree: bit of a root's row among indices of blocks.
const ROOT: u32 = 1 << 31;

/// Who points at whom, as far as the walk has come.
pub(super) struct Holding<'a> {
    recorder: &'a Recorder,
    threads: &'a Threads,
    /// Sites that count.
    sites: Sites,
    roots: Roots,
    /// The number of each root in the tree.
    root_numbers: Array<u32>,
    /// The number of each block in the tree; 0 for none yet.
    numbers: Array<u32>,
    tree: Spanning,
    edges: Edges,
}

/// Sites whose blocks are holders and held, as they count elsewhere: not heaplens' own, and none that has come
/// since the scans began.
#[derive(Clone, Copy)]
struct Sites {
    own: NodeId,
    len: usize,
}

impl Sites {
    #[inline]
    fn count(self, site: NodeId) -> bool {
        site != self.own && (site as usize) < self.len
    }
}

impl<'a> Holding<'a> {
    /// For a scan that tells of so many sites.
    pub(super) fn new(
        recorder: &'a Recorder,
        threads: &'a Threads,
        blocks: &Blocks,
        sites: usize,
        budget: Budget,
    ) -> Result<Self, NoMemory> {
        let len = blocks.list.len();
        budget.covers(size_of::<u32>() * len)?;
        if len >= ROOT as usize {
            return Err(NoMemory);
        }
        Ok(Self {
            recorder,
            threads,
            sites: Sites {
                own: recorder.own_site(),
                len: sites,
            },
            roots: Roots::new()?,
            root_numbers: Array::new()?,
            // SAFETY: zero is a number.
            numbers: unsafe { Array::zeroed(len) }?,
            tree: Spanning::new(budget)?,
            edges: Edges::new(budget)?,
        })
    }

    /// Where a word outside of blocks stands, in memory of a kind whose mapping ends there.
    pub(super) fn place(&self, kind: Kind, address: u64, mapping_end: u64) -> Place {
        match kind {
            Kind::Stack => Place::Stack(mapping_end),
            Kind::ThreadLocal => Place::ThreadLocal(mapping_end),
            Kind::Other => Place::Foreign,
            Kind::Static => match self.recorder.walker.stepper.modules.find(address) {
                Some((index, module)) => Place::Global {
                    module: index as u32 + 1,
                    address: address.wrapping_sub(module.identity.bias),
                },
                None => self.beside_modules(address, mapping_end),
            },
        }
    }

    /// The thread-locals of the thread that began the program may lie right behind a module's data.
    fn beside_modules(&self, address: u64, mapping_end: u64) -> Place {
        let is_near = |base: u64| {
            let first = base.saturating_sub(THREAD_LOCALS_BELOW);
            (first..base.saturating_add(THREAD_LOCALS_ABOVE)).contains(&address)
        };
        match self.threads.thread_pointers().any(is_near) {
            true => Place::ThreadLocal(mapping_end),
            false => Place::Global {
                module: 0,
                address: 0,
            },
        }
    }

    /// A word outside of blocks points at a block, which the walk meets now or has met before.
    pub(super) fn root_points(
        &mut self,
        place: Place,
        blocks: &Blocks,
        target: u32,
        is_met: bool,
    ) -> Result<(), NoMemory> {
        let row = self.roots.row(place)?;
        if row == self.root_numbers.len() {
            let number = self.tree.enter(ROOT | row as u32, START)?;
            self.root_numbers.push(number)?;
        }
        let held = blocks.list[target as usize];
        if self.sites.count(held.site()) {
            self.roots.hold(target, held.size())?;
            let holder = Holder::root(row as u32);
            self.edges.add(holder, held.site(), 0, held.size());
        }
        self.points(self.root_numbers[row], target, is_met)
    }

    /// A block points at another, from an offset on.
    #[inline]
    pub(super) fn block_points(
        &mut self,
        blocks: &Blocks,
        (index, holder): (u32, Block),
        offset: u64,
        target: u32,
        is_met: bool,
    ) -> Result<(), NoMemory> {
        let held = blocks.list[target as usize];
        if self.sites.count(held.site()) && self.sites.count(holder.site()) {
            let site = Holder::site(holder.site());
            self.edges.add(site, held.site(), offset, held.size());
        }
        self.points(self.numbers[index as usize], target, is_met)
    }

    #[inline]
    fn points(&mut self, holder: u32, target: u32, is_met: bool) -> Result<(), NoMemory> {
        let number = &mut self.numbers[target as usize];
        if is_met {
            *number = self.tree.enter(target, holder)?;
            return Ok(());
        }
        self.tree.point(holder, *number)
    }

    /// Tells all of it.
    pub(super) fn tell(self, blocks: &Blocks, holders: &mut Holders) -> Result<(), NoMemory> {
        let Self {
            sites,
            roots,
            numbers,
            mut tree,
            edges,
            ..
        } = self;
        drop(numbers);
        let edges_left_out = edges.tell(holders);
        let found = dominators(&mut tree)?;
        let meaning = tree.into_meaning();
        let rows = retained::sum(found, roots.len(), |node| {
            let meaning = meaning[node];
            if meaning & ROOT != 0 {
                return Node::Root(meaning & !ROOT);
            }
            let block = blocks.list[meaning as usize];
            match block.site() {
                site if sites.count(site) => Node::Block {
                    site,
                    size: block.size(),
                },
                _ => Node::Uncounted,
            }
        })?;
        let roots = roots.finish()?;
        holders.tell(&roots, (&rows.rows, rows.left_out), edges_left_out);
        Ok(())
    }
}
