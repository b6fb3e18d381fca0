//! What the copy tells of those who hold blocks: a table in memory that both share, beside the
//! [`report`](super::report).

use super::report::Sum;
use crate::platform;
use crate::tables::site_tree::NodeId;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Release};

/// Most roots, pointers by site, and rows of the tree of dominators that are told.
pub(super) const ROOTS: usize = 1 << 14;
pub(super) const EDGES: usize = 1 << 18;
pub(super) const ROWS: usize = 1 << 16;

/// Who holds a block: blocks of a site, or a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub(crate) struct Holder(u32);

impl Holder {
    const ROOT: u32 = 1 << 31;

    /// Blocks of a site.
    pub(super) fn site(site: NodeId) -> Self {
        debug_assert!(site & Self::ROOT == 0);
        Self(site)
    }

    /// The root of a row.
    pub(super) fn root(row: u32) -> Self {
        Self(Self::ROOT | row)
    }

    /// As a number that no other holder has.
    pub(super) fn bits(self) -> u32 {
        self.0
    }

    pub(super) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Its site; of a root its row.
    pub(crate) fn get(self) -> Result<NodeId, usize> {
        match self.0 & Self::ROOT {
            0 => Ok(self.0),
            _ => Err((self.0 & !Self::ROOT) as usize),
        }
    }
}

/// What kind of place outside of blocks points at some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum RootKind {
    Global = 0,
    Stack,
    ThreadLocal,
    Register,
    /// None that was seen, though one was before.
    Moving,
    Foreign,
}

/// A place outside of blocks that points at some.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Root {
    pub(crate) kind: RootKind,
    /// Of a global: its module as a snapshot counts them, and the address in the module's own address space. 0
    /// for neither, and for all those of the module that have no row of their own.
    pub(crate) module: u32,
    pub(crate) address: u64,
    /// The blocks that it points at itself.
    pub(crate) direct: Sum,
}

/// Pointers of one holder to blocks of one site.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Edge {
    pub(crate) holder: Holder,
    pub(crate) held: NodeId,
    /// [`MANY_OFFSETS`] for several.
    pub(crate) offset: u64,
    /// Pointers, and bytes in what they point at.
    pub(crate) pointers: Sum,
}

/// In the place of an offset: there are several.
pub(crate) const MANY_OFFSETS: u64 = u64::MAX;

/// Blocks of one site, or a root, and what they dominate.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Row {
    /// The row above plus one; 0 for none.
    parent: u32,
    pub(crate) holder: Holder,
    pub(crate) count: u64,
    pub(crate) own_bytes: u64,
    /// In all that would go with them, themselves included.
    pub(crate) retained_bytes: u64,
}

impl Row {
    /// A row without blocks.
    pub(super) fn new(parent: Option<usize>, holder: Holder) -> Self {
        Self {
            parent: parent.map_or(0, |parent| parent as u32 + 1),
            holder,
            count: 0,
            own_bytes: 0,
            retained_bytes: 0,
        }
    }

    /// The row above, which comes before.
    pub(crate) fn parent(&self) -> Option<usize> {
        (self.parent as usize).checked_sub(1)
    }
}

/// The table. Valid when all zero.
#[repr(C)]
pub(super) struct Table {
    is_told: AtomicU32,
    roots_len: u64,
    edges_len: u64,
    rows_len: u64,
    /// Pointers, and bytes in what they point at, that are in no edge.
    edges_left_out: Sum,
    /// Blocks that are in no row.
    rows_left_out: Sum,
    roots: [Root; ROOTS],
    edges: [Edge; EDGES],
    rows: [Row; ROWS],
}

/// Its mapping. Only what is used takes memory.
pub(super) struct Holders {
    table: NonNull<Table>,
}

impl Holders {
    pub(super) fn new() -> Option<Self> {
        let table = platform::map_shared(size_of::<Table>())?.cast();
        Some(Self { table })
    }

    /// Where it lies: start and length in bytes.
    pub(super) fn place(&self) -> (u64, u64) {
        (self.table.as_ptr() as u64, size_of::<Table>() as u64)
    }

    /// As it was in the beginning. Nobody writes to it.
    pub(super) fn clear(&mut self) {
        // SAFETY: mapped as long as `self`, and nobody else looks at it.
        let table = unsafe { self.table.as_mut() };
        table.is_told = AtomicU32::new(0);
        table.edges_len = 0;
    }

    /// Writes the rest, in the copy. What has no room is not told.
    pub(super) fn tell(&mut self, roots: &[Root], rows: (&[Row], Sum), edges_left_out: Sum) {
        // SAFETY: mapped as long as `self`, zero or written by this, and nobody else looks at it before it is
        // told.
        let table = unsafe { self.table.as_mut() };
        table.roots_len = copy(roots, &mut table.roots);
        table.rows_len = copy(rows.0, &mut table.rows);
        table.rows_left_out = rows.1;
        table.edges_left_out = edges_left_out;
        table.is_told.store(1, Release);
    }

    /// Adds pointers, before the rest is told. Says no where there is no room.
    pub(super) fn add_edge(&mut self, edge: Edge) -> bool {
        // SAFETY: as above.
        let table = unsafe { self.table.as_mut() };
        let Some(place) = table.edges.get_mut(table.edges_len as usize) else {
            return false;
        };
        *place = edge;
        table.edges_len += 1;
        true
    }

    /// What was told, if it was.
    pub(super) fn told(&self) -> Option<Holding> {
        // SAFETY: mapped as long as `self`, and only ever accessed as an atomic.
        let is_told = unsafe { &(*self.table.as_ptr()).is_told };
        if is_told.load(Acquire) == 0 {
            return None;
        }
        // SAFETY: the copy has written all of it, and does not any more.
        let table = unsafe { self.table.as_ref() };
        Some(Holding {
            roots: table.roots[..table.roots_len as usize].to_vec(),
            edges: table.edges[..table.edges_len as usize].to_vec(),
            rows: table.rows[..table.rows_len as usize].to_vec(),
            edges_left_out: table.edges_left_out,
            rows_left_out: table.rows_left_out,
        })
    }
}

fn copy<T: Copy>(from: &[T], to: &mut [T]) -> u64 {
    let len = from.len().min(to.len());
    to[..len].copy_from_slice(&from[..len]);
    len as u64
}

impl Drop for Holders {
    fn drop(&mut self) {
        // SAFETY: our mapping, and nobody uses it any more.
        unsafe { platform::unmap(self.table.cast(), size_of::<Table>()) };
    }
}

/// Who holds what.
#[derive(Debug)]
pub(crate) struct Holding {
    pub(crate) roots: Vec<Root>,
    pub(crate) edges: Vec<Edge>,
    /// Each behind the one above.
    pub(crate) rows: Vec<Row>,
    /// Pointers, and bytes in what they point at, that are in no edge.
    pub(crate) edges_left_out: Sum,
    /// Blocks that count in no row's own ones.
    pub(crate) rows_left_out: Sum,
}
