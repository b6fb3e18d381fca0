//! Unwind tables of any bytes, and one step by them over a stack of any words: what the fuzz target
//! `unwind` holds to what the walk promises.

use super::cfi::UnwindTables;
use super::epilogue;
use super::modules::gnu_build_id;
use super::registers::Registers;
use super::rules::Rule;
use super::step::{Outcome, Stack, Stepper};

/// A segment that begins with `.eh_frame_hdr`. It lies nowhere: addresses are numbers here.
#[derive(Clone, Copy, Debug)]
pub struct UnwindBytes<'a> {
    address: u64,
    bytes: &'a [u8],
    tables: UnwindTables<'a>,
}

/// A frame: where its call returns to, its stack pointer, its rbp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Frame {
    pub return_address: u64,
    pub sp: u64,
    pub bp: u64,
}

/// The caller of a frame by each way to step. `None` where that ends the walk, or where the usual way
/// leaves the step to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Steps {
    pub checked: Option<Frame>,
    pub usual: Option<Frame>,
}

impl<'a> UnwindBytes<'a> {
    /// A segment at an address, whose first bytes are the header. `None` if no module's tables would be
    /// read of it.
    pub fn new(address: u64, bytes: &'a [u8], header_len: usize) -> Option<Self> {
        let header = bytes.get(..header_len)?;
        let frames_address = UnwindTables::frames_address(address, header)?;
        let frames = usize::try_from(frames_address.checked_sub(address)?).ok()?;
        let tables = UnwindTables {
            header_address: address,
            header,
            frames_address,
            frames: bytes.get(frames..)?,
        };
        Some(Self {
            address,
            bytes,
            tables,
        })
    }

    /// A step from a frame whose stack pointer is at the start of `stack`. `None`: there is no rule for it.
    pub fn step(&self, return_address: u64, bp: u64, stack: &[u64]) -> Option<Steps> {
        let rule = self.rule(return_address.wrapping_sub(1))?;
        let at = Registers {
            return_address,
            sp: stack.as_ptr() as u64,
            bp,
        };
        let stack = Stack::of(stack);
        let frame = |registers: Registers| Frame {
            return_address: registers.return_address,
            sp: registers.sp,
            bp: registers.bp,
        };
        Some(Steps {
            checked: match Stepper::step_by(rule, at, &stack) {
                Outcome::Caller(caller, _) => Some(frame(caller)),
                Outcome::Ended(..) => None,
            },
            usual: Stepper::usual_step_by(rule, at, &stack).map(|(caller, _)| frame(caller)),
        })
    }

    /// The rule for an address: by the tables, or by the code there.
    fn rule(&self, pc: u64) -> Option<Rule> {
        self.tables.rule(pc).ok().or_else(|| {
            let place = usize::try_from(pc.checked_add(1)?.checked_sub(self.address)?).ok()?;
            let (before, after) = self.bytes.split_at_checked(place)?;
            epilogue::rule_after_call(before, after)
        })
    }
}

/// The build id in notes of any bytes.
pub fn build_id(notes: &[u8]) -> Option<String> {
    gnu_build_id(notes)
}
