//! The rows of the stacks that stand for something other than code: their codes in the file, and how
//! they read. Which stacks get one is the recorder's business.

use std::fmt;

/// Index of the pseudo-module in [`Snapshot::modules`](super::Snapshot::modules) that holds the
/// [`SpecialFrame`]s.
pub const SPECIAL_MODULE: u32 = 0;

/// Frames that are not code. In the file they stand in module 0 with the code as address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpecialFrame {
    /// Code 1: blocks from before the recorder started.
    BeforeStart,
    /// Code 2: heaplens' own allocations. Never part of a snapshot's sites.
    Heaplens,
    /// Code 3: the recorder could not take a stack here (it was already active on this thread).
    NoStack,
    /// Code 4: the table of stacks was full.
    TableFull,
    /// Code 5: code in no module that was known, such as that of a JIT compiler. Its address is left
    /// out, since it means nothing outside the process.
    UnknownCode,
    /// Codes 16 to 20: the stack ended early, by the causes of [`Truncated`](super::Truncated) in
    /// order.
    Truncated(TruncatedCause),
    /// Code 2^32 + n: n frames were cut out of the middle of a deep stack.
    Elided(u32),
}

/// Why a stack ended early. See [`Truncated`](super::Truncated).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the fields of `Truncated` say it")]
pub enum TruncatedCause {
    UnknownModule,
    NoUnwindInfo,
    UnsupportedRule,
    BadStack,
    TooDeep,
}

impl SpecialFrame {
    /// The code in the `address` column.
    pub const fn code(self) -> u64 {
        match self {
            Self::BeforeStart => 1,
            Self::Heaplens => 2,
            Self::NoStack => 3,
            Self::TableFull => 4,
            Self::UnknownCode => 5,
            Self::Truncated(cause) => 16 + cause as u64,
            Self::Elided(frames) => (1 << 32) + frames as u64,
        }
    }

    /// The frame of a code, if there is one.
    pub const fn from_code(code: u64) -> Option<Self> {
        Some(match code {
            1 => Self::BeforeStart,
            2 => Self::Heaplens,
            3 => Self::NoStack,
            4 => Self::TableFull,
            5 => Self::UnknownCode,
            16 => Self::Truncated(TruncatedCause::UnknownModule),
            17 => Self::Truncated(TruncatedCause::NoUnwindInfo),
            18 => Self::Truncated(TruncatedCause::UnsupportedRule),
            19 => Self::Truncated(TruncatedCause::BadStack),
            20 => Self::Truncated(TruncatedCause::TooDeep),
            _ if code >> 32 == 1 => Self::Elided(code as u32),
            _ => return None,
        })
    }

    /// The frame that reads like this, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        let elided = || {
            name.strip_prefix("[elided ")?
                .strip_suffix(']')?
                .parse()
                .ok()
        };
        let mut fixed = (0..=20).filter_map(Self::from_code);
        fixed
            .find(|frame| frame.to_string() == name)
            .or_else(|| elided().map(Self::Elided))
    }
}

impl fmt::Display for SpecialFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeforeStart => f.write_str("[before start]"),
            Self::Heaplens => f.write_str("[heaplens]"),
            Self::NoStack => f.write_str("[no stack]"),
            Self::TableFull => f.write_str("[stack table full]"),
            Self::UnknownCode => f.write_str("[unknown code]"),
            Self::Truncated(cause) => write!(
                f,
                "[truncated: {}]",
                match cause {
                    TruncatedCause::UnknownModule => "unknown module",
                    TruncatedCause::NoUnwindInfo => "no unwind info",
                    TruncatedCause::UnsupportedRule => "unsupported unwind rule",
                    TruncatedCause::BadStack => "bad stack",
                    TruncatedCause::TooDeep => "too deep",
                }
            ),
            Self::Elided(frames) => write!(f, "[elided {frames}]"),
        }
    }
}
