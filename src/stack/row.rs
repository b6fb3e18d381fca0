//! A row of an unwind table while it is being evaluated, and the rule that it amounts to.

use super::rules::{BasePointer, Rule};

const RBP: u64 = 6;
const RSP: u64 = 7;
const RETURN_ADDRESS: u64 = 16;

#[derive(Clone, Copy, Default)]
pub(super) struct Row {
    pub(super) cfa: Cfa,
    base_pointer: Saved,
    return_address: Saved,
}

#[derive(Clone, Copy, Default)]
pub(super) enum Cfa {
    #[default]
    Unknown,
    Register(u64, i64),
    /// The word at rbp plus an offset: functions that realign their stack.
    AtBasePointer(i64),
}

#[derive(Clone, Copy, Default, PartialEq)]
pub(super) enum Saved {
    #[default]
    Same,
    Undefined,
    AtCfa(i64),
    AtBasePointer(i64),
    Elsewhere,
}

impl Cfa {
    pub(super) fn set_register(&mut self, register: u64) {
        *self = match *self {
            Self::Register(_, offset) => Self::Register(register, offset),
            _ => Self::Unknown,
        };
    }

    pub(super) fn set_offset(&mut self, offset: i64) {
        *self = match *self {
            Self::Register(register, _) => Self::Register(register, offset),
            _ => Self::Unknown,
        };
    }

    pub(super) fn of_expression(expression: &[u8]) -> Self {
        const DEREF: u8 = 0x06;
        match base_pointer_plus(expression) {
            Some((offset, [DEREF])) => Self::AtBasePointer(offset),
            _ => Self::Unknown,
        }
    }
}

impl Saved {
    pub(super) fn of_expression(expression: &[u8]) -> Self {
        match base_pointer_plus(expression) {
            Some((offset, [])) => Self::AtBasePointer(offset),
            _ => Self::Elsewhere,
        }
    }
}

/// An expression that begins with `rbp + offset` (DW_OP_breg6), and what follows.
fn base_pointer_plus(expression: &[u8]) -> Option<(i64, &[u8])> {
    const BREG_RBP: u8 = 0x76;
    let (&BREG_RBP, rest) = expression.split_first()? else {
        return None;
    };
    let mut value = 0i64;
    for (index, byte) in rest.iter().enumerate().take(9) {
        value |= i64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let unused = 64 - 7 * (index as u32 + 1);
            return Some((value << unused >> unused, &rest[index + 1..]));
        }
    }
    None
}

impl Row {
    pub(super) fn set(&mut self, register: u64, saved: Saved) {
        match register {
            RBP => self.base_pointer = saved,
            RETURN_ADDRESS => self.return_address = saved,
            _ => {}
        }
    }

    pub(super) fn get(&self, register: u64) -> Saved {
        match register {
            RBP => self.base_pointer,
            RETURN_ADDRESS => self.return_address,
            _ => Saved::Same,
        }
    }

    pub(super) fn into_rule(self) -> Option<Rule> {
        if self.return_address == Saved::Undefined {
            return Some(Rule::END);
        }
        if self.return_address != Saved::AtCfa(-8) {
            return None;
        }
        let base_pointer = match self.base_pointer {
            // A function that never touches rbp says nothing of it: callee-saved, so unchanged.
            Saved::Same | Saved::Undefined => BasePointer::Same,
            Saved::AtCfa(offset) => BasePointer::AtCfa(i32::try_from(offset).ok()?),
            Saved::AtBasePointer(offset) => BasePointer::InFrame(i32::try_from(offset).ok()?),
            Saved::Elsewhere => return None,
        };
        match self.cfa {
            Cfa::Register(RSP, offset) => Rule::from_stack_pointer(offset, base_pointer),
            Cfa::Register(RBP, offset) => Rule::from_base_pointer(offset, base_pointer),
            Cfa::AtBasePointer(offset) => Rule::at_base_pointer(offset, base_pointer),
            _ => None,
        }
    }
}
