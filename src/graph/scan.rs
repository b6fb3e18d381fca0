//! One scan, in the copy: find the blocks, mark them, and tell.

use super::array::{self, Array, Budget};
use super::blocks::{Block, Blocks};
use super::components::Components;
use super::free_memory::FreeMemory;
use super::holding::Holding;
use super::mappings::Mappings;
use super::mark::{Mark, Marks};
use super::report::{End, Report};
use super::shapes;
use super::threads::Threads;
use crate::recorder::Recorder;
use crate::tables::scopes::ScopeId;

/// What a scan is given.
pub(super) struct Job<'a> {
    pub(super) recorder: &'a Recorder,
    /// The scope whose blocks count, or none for all.
    pub(super) scope: ScopeId,
    pub(super) threads: &'a Threads,
    /// heaplens' own memory in ascending order, starts and lengths.
    pub(super) own: &'a [(u64, u64)],
    /// What tells free memory of the C library.
    pub(super) key: u64,
    /// What the scan before found unreached; `None` for the first one.
    pub(super) before: Option<&'a Report>,
    /// Most bytes that it may take in all to tell who holds what.
    pub(super) memory: u64,
}

/// Scans, and writes what it finds. Who holds what comes last, as far as time and memory allow.
///
/// # Safety
/// The calling process is a copy, in which nothing else runs.
pub(super) unsafe fn scan(job: &Job<'_>, report: &mut Report) -> Result<(), End> {
    let mappings = Mappings::of_copy(job.own, job.threads)?;
    // SAFETY: the mappings of this very process, in which nothing else runs.
    let blocks = unsafe { Blocks::find(job.recorder, job.scope, &mappings) }?;
    let budget = Budget::up_to(job.memory);
    let sites = report.verdicts().len();
    let holding = match report.holders {
        Some(_) => Holding::new(job.recorder, job.threads, &blocks, sites, budget).ok(),
        None => None,
    };
    let free = FreeMemory::new(&blocks, job.recorder, job.key);
    let mut marks = Marks::new(&blocks, holding)?;
    // SAFETY: as above.
    unsafe {
        marks.follow_registers(job.threads.words())?;
        marks.follow_memory(&mappings.runs, true, free)?;
        marks.follow_memory(&mappings.runs, false, free)?;
    }
    report.parts().0.skipped_bytes = mappings.skipped_bytes;
    let Some(before) = job.before else {
        list_unreached(job, &blocks, &marks.of, report)?;
        report.parts().0.peak_bytes = array::peak_bytes();
        return Ok(());
    };
    // SAFETY: as above.
    unsafe { hold_newly_unreached(job, &blocks, &mut marks, before.unreached()) }?;
    count(&blocks, &marks.of, report);
    let holding = marks.take_holding();
    {
        let components = Components::of(&blocks, &marks.of)?;
        shapes::tell(&blocks, &components, report)?;
    }
    drop(marks);
    report.parts().0.peak_bytes = array::peak_bytes();
    report.finish(End::Counted);
    if let (Some(holding), Some(holders)) = (holding, &mut report.holders) {
        // Without memory all else is told nevertheless.
        _ = holding.tell(&blocks, holders);
        report.parts().0.peak_bytes = array::peak_bytes();
    }
    Ok(())
}

/// Address of a block, and a hash of what is known of it: other blocks at this address have another one.
fn identity(recorder: &Recorder, block: Block) -> u64 {
    const HASH_BITS: u32 = 20;
    // SAFETY: found there before, and nobody has written to it since.
    let words = unsafe { recorder.find_block(block.start) }.map_or(0, |(.., words)| words);
    let hash = words.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - HASH_BITS);
    // An address of a program has 47 bits, the last three of a block's are 0.
    block.start >> 3 << HASH_BITS | hash
}

/// Writes the identities of unreached blocks, in ascending order of address.
fn list_unreached(
    job: &Job<'_>,
    blocks: &Blocks,
    marks: &Array<Mark>,
    report: &mut Report,
) -> Result<(), End> {
    let (summary, _, list) = report.parts();
    let unreached = blocks.list.iter().zip(marks.iter());
    let unreached = unreached.filter(|(_, mark)| **mark == Mark::Unreached);
    for (block, _) in unreached {
        let place = list.get_mut(summary.unreached_len as usize);
        *place.ok_or(End::NoMemory)? = identity(job.recorder, *block);
        summary.unreached_len += 1;
    }
    Ok(())
}

/// What is unreached now and was not before is held by somebody who was just moving it, and with it all
/// that it leads to.
///
/// # Safety
/// As for [`Marks::follow_registers`].
unsafe fn hold_newly_unreached(
    job: &Job<'_>,
    blocks: &Blocks,
    marks: &mut Marks<'_>,
    before: &[u64],
) -> Result<(), End> {
    let mut before = before.iter().copied().peekable();
    for (index, block) in blocks.list.iter().enumerate() {
        if marks.of[index] != Mark::Unreached {
            continue;
        }
        let identity = identity(job.recorder, *block);
        while before.next_if(|&known| known < identity).is_some() {}
        if before.peek() != Some(&identity) {
            // SAFETY: passed on.
            unsafe { marks.follow_moving(index as u32) }?;
        }
    }
    Ok(())
}

/// Sums the blocks up by site and verdict.
fn count(blocks: &Blocks, marks: &Array<Mark>, report: &mut Report) {
    let (summary, verdicts, _) = report.parts();
    for (block, mark) in blocks.list.iter().zip(marks.iter()) {
        let Some(verdict) = verdicts
            .get_mut(block.site() as usize)
            .filter(|_| !block.is_left_out())
        else {
            continue;
        };
        let sum = match mark {
            Mark::Held => &mut verdict.held,
            Mark::Foreign => &mut verdict.foreign,
            Mark::Unreached => &mut verdict.unreached,
        };
        sum.add(block.size());
        summary.blocks.add(block.size());
    }
}
