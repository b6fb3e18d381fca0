//! What the copy tells the process: a table in memory that both share.

use super::array::NoMemory;
use super::holders::Holders;
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
    /// All of the report is told, and who holds what is not yet.
    Counted,
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
    /// Who holds what, where that is asked for.
    pub(super) holders: Option<Holders>,
}

const VERDICTS_AT: usize = size_of::<Summary>().next_multiple_of(4096);

fn unreached_at(sites: usize) -> usize {
    (VERDICTS_AT + sites * size_of::<Verdict>()).next_multiple_of(4096)
}

impl Report {
    /// Room for so many sites and unreached blocks.
    pub(super) fn new(sites: usize, unreached_room: usize) -> Option<Self> {
        let len = unreached_at(sites) + unreached_room * size_of::<u64>();
        Some(Self {
            start: platform::map_shared(len)?,
            sites,
            unreached_room,
            holders: None,
        })
    }

    /// With room for who holds what.
    pub(super) fn with_holders(mut self) -> Option<Self> {
        self.holders = Some(Holders::new()?);
        Some(self)
    }

    /// As it was in the beginning. Nobody writes to it.
    pub(super) fn clear(&mut self) {
        // SAFETY: within the mapping; the summary and verdicts are valid when all zero, and of the rest only
        // what the summary tells of is looked at.
        unsafe { self.start.write_bytes(0, unreached_at(self.sites)) };
        if let Some(holders) = &mut self.holders {
            holders.clear();
        }
    }

    fn len(&self) -> usize {
        unreached_at(self.sites) + self.unreached_room * size_of::<u64>()
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
            4 => End::Counted,
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
            let first = self.start.as_ptr().add(VERDICTS_AT).cast();
            std::slice::from_raw_parts(first, self.sites)
        }
    }

    /// Identities of unreached blocks.
    pub(super) fn unreached(&self) -> &[u64] {
        let len = (self.summary().unreached_len as usize).min(self.unreached_room);
        // SAFETY: as above, and within the mapping.
        unsafe {
            let first = self.start.as_ptr().add(unreached_at(self.sites)).cast();
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
                std::slice::from_raw_parts_mut(start.add(VERDICTS_AT).cast(), self.sites),
                std::slice::from_raw_parts_mut(
                    start.add(unreached_at(self.sites)).cast(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_copy_has_begun_to_tell_is_forgotten() {
        let report = Report::new(1_000, 10).and_then(Report::with_holders);
        let mut report = report.expect("memory");
        let (summary, verdicts, unreached) = report.parts();
        summary.blocks.add(8);
        summary.unreached_len = 1;
        verdicts[999].held.add(8);
        unreached[0] = 7;
        report.finish(End::Counted);
        assert!(report.end() == End::Counted && report.unreached() == [7]);
        report.clear();
        assert!(report.end() == End::None && report.unreached().is_empty());
        assert_eq!(report.summary().blocks, Sum::default());
        assert!(
            report
                .verdicts()
                .iter()
                .all(|verdict| *verdict == Verdict::default())
        );
    }
}
