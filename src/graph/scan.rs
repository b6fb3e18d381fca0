//! One scan, in the copy: find the blocks, mark them, and tell.

use super::array::{self, Array};
use super::blocks::{Block, Blocks};
use super::components::Components;
use super::mappings::{Kind, Mappings};
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
}

/// Scans, and writes what it finds.
///
/// # Safety
/// The calling process is a copy, in which nothing else runs.
pub(super) unsafe fn scan(job: &Job<'_>, report: &mut Report) -> Result<(), End> {
    let mappings = Mappings::of_copy(job.own, job.threads)?;
    // SAFETY: the mappings of this very process, in which nothing else runs.
    let blocks = unsafe { Blocks::find(job.recorder, job.scope, &mappings) }?;
    let mut marks = Marks::new(&blocks)?;
    // SAFETY: as above.
    unsafe {
        marks.follow_words(job.threads.words(), Mark::Held)?;
        marks.follow_memory(&mappings.runs, Kind::Strong, Mark::Held, job.key)?;
        marks.follow_memory(&mappings.runs, Kind::Weak, Mark::Foreign, job.key)?;
    }
    match job.before {
        None => list_unreached(job, &blocks, &marks.of, report)?,
        Some(before) => {
            // SAFETY: as above.
            unsafe { hold_newly_unreached(job, &blocks, &mut marks, before.unreached()) }?;
            count(&blocks, &marks.of, report);
            let components = Components::of(&blocks, &marks.of)?;
            shapes::tell(&blocks, &components, report)?;
        }
    }
    let (summary, ..) = report.parts();
    summary.skipped_bytes = mappings.skipped_bytes;
    summary.peak_bytes = array::peak_bytes();
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
/// As for [`Marks::follow_words`].
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
            unsafe { marks.follow_block(index as u32, Mark::Held) }?;
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
