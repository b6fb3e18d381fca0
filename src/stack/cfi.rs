//! Reads one unwind rule out of a module's `.eh_frame`: safe code over two byte slices.
//!
//! Only what a walk needs is evaluated: the canonical frame address (CFA), and where the caller's
//! rbp and return address are. The tables are those of the System V x86-64 ABI, the instructions
//! those of DWARF 5, section 6.4.2; pointer encodings are from the Linux Standard Base, section
//! 10.5. Damaged tables give an error, never a wild read: every access is checked.

use super::cursor::Cursor;
use super::row::{Cfa, Row, Saved};
use super::rules::Rule;

/// Why no rule was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// The tables do not cover the address, or are damaged.
    NoEntry,
    /// They do, with a rule outside the kinds that the walk knows.
    Unsupported,
}

/// The unwind tables of one module, where they lie in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnwindTables<'a> {
    pub(super) header_address: u64,
    pub(super) header: &'a [u8],
    pub(super) frames_address: u64,
    pub(super) frames: &'a [u8],
}

impl<'a> UnwindTables<'a> {
    /// The address of `.eh_frame` that a header names. Only the layout that linkers write is
    /// accepted: version 1, a sorted table of 4-byte offsets from the header.
    pub(super) fn frames_address(header_address: u64, header: &[u8]) -> Option<u64> {
        let mut at = Cursor::new(header_address, header);
        let [version, pointer, count, table] = [at.u8()?, at.u8()?, at.u8()?, at.u8()?];
        if version != 1 || count != 0x03 || table != 0x3b {
            return None;
        }
        at.encoded(pointer)
    }

    /// The rule for the instruction at `pc`.
    pub(super) fn rule(&self, pc: u64) -> Result<Rule, Missing> {
        let entry = self.find_entry(pc).ok_or(Missing::NoEntry)?;
        Entry::parse(self, entry)
            .filter(|entry| entry.start <= pc && pc - entry.start < entry.len)
            .ok_or(Missing::NoEntry)?
            .rule(pc)
    }

    /// Offset in `frames` of the entry that covers `pc`, by the header's sorted table.
    fn find_entry(&self, pc: u64) -> Option<usize> {
        let mut at = Cursor::new(self.header_address, self.header);
        at.skip(1)?;
        let pointer = at.u8()?;
        at.skip(2)?;
        at.encoded(pointer)?;
        let count = at.u32()? as usize;
        let table = at.rest().get(..count.checked_mul(8)?)?;
        let word = |index: usize| {
            let bytes: [u8; 4] = table[index * 4..][..4].try_into().unwrap_or_default();
            self.header_address
                .wrapping_add(i64::from(i32::from_le_bytes(bytes)) as u64)
        };
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            if word(middle * 2) <= pc {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let entry = word(low.checked_sub(1)? * 2 + 1);
        usize::try_from(entry.checked_sub(self.frames_address)?).ok()
    }

    fn record(&self, offset: usize) -> Option<Cursor<'a>> {
        let mut at = Cursor::new(
            self.frames_address.checked_add(offset as u64)?,
            self.frames.get(offset..)?,
        );
        let len = at.u32()?;
        // 0xffffffff announces a 64-bit length, which no linker writes into .eh_frame; 0 ends it.
        if len == 0 || len == u32::MAX {
            return None;
        }
        at.limit(len as usize)
    }
}

/// What a frame description entry and its common entry say, before any instruction is run.
struct Entry<'a> {
    start: u64,
    len: u64,
    instructions: Cursor<'a>,
    initial: Cursor<'a>,
    code_align: u64,
    data_align: i64,
    is_signal_frame: bool,
}

impl<'a> Entry<'a> {
    fn parse(tables: &UnwindTables<'a>, offset: usize) -> Option<Self> {
        let mut at = tables.record(offset)?;
        // The common entry's place is given as a distance back from this very field.
        let common_offset = (offset + 4).checked_sub(at.u32()? as usize)?;
        let mut common = tables.record(common_offset)?;
        if common.u32()? != 0 {
            return None;
        }
        let version = common.u8()?;
        if version != 1 && version != 3 {
            return None;
        }
        let augmentation = common.text()?;
        let code_align = common.uleb()?;
        let data_align = common.sleb()?;
        match version {
            1 => u64::from(common.u8()?),
            _ => common.uleb()?,
        };
        let mut pointer = 0;
        let mut is_signal_frame = false;
        if let [b'z', letters @ ..] = augmentation {
            let len = usize::try_from(common.uleb()?).ok()?;
            let mut data = common.split(len)?;
            for letter in letters {
                match letter {
                    b'R' => pointer = data.u8()?,
                    b'L' => data.skip(1)?,
                    b'P' => {
                        let encoding = data.u8()?;
                        // Where the personality routine is does not matter, only its length.
                        data.encoded(encoding & 0x0f)?;
                    }
                    b'S' => is_signal_frame = true,
                    b'B' => {}
                    _ => return None,
                }
            }
        } else if !augmentation.is_empty() {
            return None;
        }
        let start = at.encoded(pointer)?;
        let len = at.encoded(pointer & 0x0f)?;
        if augmentation.first() == Some(&b'z') {
            let skip = usize::try_from(at.uleb()?).ok()?;
            at.skip(skip)?;
        }
        Some(Self {
            start,
            len,
            instructions: at,
            initial: common,
            code_align,
            data_align,
            is_signal_frame,
        })
    }

    fn rule(&self, pc: u64) -> Result<Rule, Missing> {
        if self.is_signal_frame {
            return Ok(Rule::SIGNAL_FRAME);
        }
        let mut row = Row::default();
        let mut initial = self.initial;
        self.run(&mut row, &mut initial, Row::default(), u64::MAX)?;
        let first = row;
        let mut instructions = self.instructions;
        self.run(&mut row, &mut instructions, first, pc)?;
        row.into_rule().ok_or(Missing::Unsupported)
    }

    /// Runs instructions up to the row that covers `pc`.
    fn run(
        &self,
        row: &mut Row,
        at: &mut Cursor<'a>,
        initial: Row,
        pc: u64,
    ) -> Result<(), Missing> {
        // Compilers nest these one deep; eight is more than any table seen.
        let mut remembered = [Row::default(); 8];
        let mut depth = 0;
        let mut location = self.start;
        while !at.rest().is_empty() {
            let step = self
                .instruction(row, at, &initial)
                .ok_or(Missing::NoEntry)?;
            match step {
                Step::Row => {}
                Step::Advance(by) => {
                    location = location.wrapping_add(by);
                    if location > pc {
                        break;
                    }
                }
                Step::Remember => {
                    *remembered.get_mut(depth).ok_or(Missing::Unsupported)? = *row;
                    depth += 1;
                }
                Step::Restore => {
                    depth = depth.checked_sub(1).ok_or(Missing::NoEntry)?;
                    *row = remembered[depth];
                }
            }
        }
        Ok(())
    }

    /// One instruction (DWARF 5, 6.4.2), applied to the row.
    fn instruction(&self, row: &mut Row, at: &mut Cursor<'a>, initial: &Row) -> Option<Step> {
        let byte = at.u8()?;
        let operand = u64::from(byte & 0x3f);
        match byte >> 6 {
            1 => return Some(Step::Advance(operand.wrapping_mul(self.code_align))),
            2 => {
                let offset = at.uleb()?;
                row.set(operand, Saved::AtCfa(self.factored(offset)));
                return Some(Step::Row);
            }
            3 => {
                row.set(operand, initial.get(operand));
                return Some(Step::Row);
            }
            _ => {}
        }
        let advance = |by: u64| Some(Step::Advance(by.wrapping_mul(self.code_align)));
        match byte {
            0x00 => {} // nop
            0x01 => {
                return Some(Step::Advance(
                    // set_loc: pointers in .eh_frame instructions are as wide as an address.
                    at.u64()?.wrapping_sub(self.start),
                ));
            }
            0x02 => return advance(u64::from(at.u8()?)),
            0x03 => return advance(u64::from(at.u16()?)),
            0x04 => return advance(u64::from(at.u32()?)),
            0x05 => {
                // offset_extended
                let (register, offset) = (at.uleb()?, at.uleb()?);
                row.set(register, Saved::AtCfa(self.factored(offset)));
            }
            0x06 => {
                let register = at.uleb()?;
                row.set(register, initial.get(register));
            }
            0x07 => row.set(at.uleb()?, Saved::Undefined),
            0x08 => row.set(at.uleb()?, Saved::Same),
            0x09 => {
                // register: the value is in another one.
                let register = at.uleb()?;
                at.uleb()?;
                row.set(register, Saved::Elsewhere);
            }
            0x0a => return Some(Step::Remember),
            0x0b => return Some(Step::Restore),
            0x0c => row.cfa = Cfa::Register(at.uleb()?, at.uleb()? as i64),
            0x0d => row.cfa.set_register(at.uleb()?),
            0x0e => row.cfa.set_offset(at.uleb()? as i64),
            0x0f => {
                let expression = at.block()?;
                row.cfa = Cfa::of_expression(expression);
            }
            0x10 => {
                let register = at.uleb()?;
                row.set(register, Saved::of_expression(at.block()?));
            }
            0x11 => {
                let (register, offset) = (at.uleb()?, at.sleb()?);
                row.set(register, Saved::AtCfa(offset.wrapping_mul(self.data_align)));
            }
            0x12 => {
                let (register, offset) = (at.uleb()?, at.sleb()?);
                row.cfa = Cfa::Register(register, offset.wrapping_mul(self.data_align));
            }
            0x13 => {
                let offset = at.sleb()?;
                row.cfa.set_offset(offset.wrapping_mul(self.data_align));
            }
            0x14 | 0x15 => {
                // val_offset: the value is computed, not stored.
                let register = at.uleb()?;
                at.uleb()?;
                row.set(register, Saved::Elsewhere);
            }
            0x16 => {
                let register = at.uleb()?;
                at.block()?;
                row.set(register, Saved::Elsewhere);
            }
            0x2e => {
                at.uleb()?; // GNU_args_size
            }
            0x2f => {
                // GNU_negative_offset_extended
                let (register, offset) = (at.uleb()?, at.uleb()?);
                row.set(register, Saved::AtCfa(self.factored(offset).wrapping_neg()));
            }
            _ => return None,
        }
        Some(Step::Row)
    }

    fn factored(&self, offset: u64) -> i64 {
        (offset as i64).wrapping_mul(self.data_align)
    }
}

enum Step {
    Row,
    Advance(u64),
    Remember,
    Restore,
}
