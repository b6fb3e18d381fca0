//! What the copy tells the process: a table in memory that both share.

use super::array::NoMemory;
use super::mappings::Unreadable;
use crate::platform;
use crate::tables::site_tree::NodeId;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Release};

/// Most shapes that are told one by one.
pub(super) const SHAPES: usize = 256;
/// Most members of a shape.
pub(super) const MEMBERS: usize = 24;
/// Most pairs of members of which one points at the other.
pub(super) const LINKS: usize = 48;
/// Most offsets of such a pair that are told apart.
pub(super) const OFFSETS: usize = 4;

/// Bytes and blocks of one site by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Verdict {
    pub(crate) held: Sum,
    pub(crate) foreign: Sum,
    pub(crate) unreached: Sum,
}

/// Some blocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Sum {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

impl Sum {
    pub(super) fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }
}

/// How a block belongs to its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Role {
    Hanging = 0,
    Cycle,
    Forgotten,
}

/// A site in a role.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Member {
    pub(crate) site: NodeId,
    pub(crate) role: Role,
    pub(crate) sum: Sum,
}

/// Pointers from blocks of one member to those of another.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Link {
    pub(crate) from: u8,
    pub(crate) to: u8,
    /// How many of the offsets are in use. One more than there are: there are others.
    pub(crate) offsets_used: u8,
    pub(crate) offsets: [u64; OFFSETS],
    /// For each of the offsets, and for all others.
    pub(crate) counts: [u64; OFFSETS + 1],
}

/// Instances that begin alike. Valid when all zero.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Shape {
    pub(crate) is_cycle: bool,
    pub(crate) members_len: u8,
    pub(crate) links_len: u8,
    pub(crate) hash: u64,
    pub(crate) instances: u64,
    pub(crate) blocks: Sum,
    pub(crate) members: [Member; MEMBERS],
    pub(crate) links: [Link; LINKS],
}

/// How a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum End {
    /// It has not, or the copy was ended.
    None = 0,
    Done,
    NoMemory,
    NoProc,
}

impl From<NoMemory> for End {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

impl From<Unreadable> for End {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::NoMemory => Self::NoMemory,
            Unreadable::NoProc => Self::NoProc,
        }
    }
}

/// The fixed part. Valid when all zero.
#[repr(C)]
pub(super) struct Summary {
    end: AtomicU32,
    /// Blocks that are the program's.
    pub(super) blocks: Sum,
    pub(super) skipped_bytes: u64,
    pub(super) peak_bytes: u64,
    /// Identities of unreached blocks, in the mapping's last part.
    pub(super) unreached_len: u64,
    pub(super) shapes_len: u64,
    /// Of shapes that are not among those told.
    pub(super) left_out_shapes: u64,
    pub(super) left_out_instances: u64,
    pub(super) left_out: Sum,
    pub(super) shapes: [Shape; SHAPES],
}

/// The mapping: the summary, the verdicts of all sites, identities of unreached blocks. Only what is used
/// takes memory.
pub(super) struct Report {
    start: NonNull<u8>,
    sites: usize,
    unreached_room: usize,
}

impl Report {
    /// Room for so many sites and unreached blocks.
    pub(super) fn new(sites: usize, unreached_room: usize) -> Option<Self> {
        let report = Self {
            start: NonNull::dangling(),
            sites,
            unreached_room,
        };
        Some(Self {
            start: platform::map_shared(report.len())?,
            ..report
        })
    }

    fn verdicts_at(&self) -> usize {
        size_of::<Summary>().next_multiple_of(4096)
    }

    fn unreached_at(&self) -> usize {
        (self.verdicts_at() + self.sites * size_of::<Verdict>()).next_multiple_of(4096)
    }

    fn len(&self) -> usize {
        self.unreached_at() + self.unreached_room * size_of::<u64>()
    }

    /// Where it lies: start and length in bytes.
    pub(super) fn place(&self) -> (u64, u64) {
        (self.start.as_ptr() as u64, self.len() as u64)
    }

    fn end_word(&self) -> &AtomicU32 {
        // SAFETY: mapped as long as `self`, and only ever accessed as an atomic.
        unsafe { &(*self.start.cast::<Summary>().as_ptr()).end }
    }

    /// The copy has ended so. All else has been written.
    pub(super) fn finish(&self, end: End) {
        self.end_word().store(end as u32, Release);
    }

    pub(super) fn end(&self) -> End {
        match self.end_word().load(Acquire) {
            1 => End::Done,
            2 => End::NoMemory,
            3 => End::NoProc,
            _ => End::None,
        }
    }

    /// What is told.
    pub(super) fn summary(&self) -> &Summary {
        // SAFETY: mapped as long as `self`; any bytes that the copy has written are valid, and it has ended
        // by the time that anybody looks.
        unsafe { &*self.start.cast().as_ptr() }
    }

    /// Verdicts by site.
    pub(super) fn verdicts(&self) -> &[Verdict] {
        // SAFETY: as above, and within the mapping.
        unsafe {
            let first = self.start.as_ptr().add(self.verdicts_at()).cast();
            std::slice::from_raw_parts(first, self.sites)
        }
    }

    /// Identities of unreached blocks.
    pub(super) fn unreached(&self) -> &[u64] {
        let len = (self.summary().unreached_len as usize).min(self.unreached_room);
        // SAFETY: as above, and within the mapping.
        unsafe {
            let first = self.start.as_ptr().add(self.unreached_at()).cast();
            std::slice::from_raw_parts(first, len)
        }
    }

    /// To be written, in the copy.
    pub(super) fn parts(&mut self) -> (&mut Summary, &mut [Verdict], &mut [u64]) {
        // SAFETY: three parts of the mapping that do not overlap, and nobody else looks at them before
        // the copy has ended.
        unsafe {
            let start = self.start.as_ptr();
            (
                &mut *start.cast(),
                std::slice::from_raw_parts_mut(start.add(self.verdicts_at()).cast(), self.sites),
                std::slice::from_raw_parts_mut(
                    start.add(self.unreached_at()).cast(),
                    self.unreached_room,
                ),
            )
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        // SAFETY: our mapping, and nobody uses it any more.
        unsafe { platform::unmap(self.start, self.len()) };
    }
}
