//! Blocks and bytes by what leads to them.

use heaplens::snapshot::graph::Verdicts;

use crate::profile::NodeId;

/// What a scan says of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The program's own memory leads to it.
    Held,
    /// Only memory leads to it that is not the recorder's.
    Foreign,
    /// No pointer to it was found.
    Unreached,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Held, Self::Foreign, Self::Unreached];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Foreign => "held only from memory that is not ours",
            Self::Unreached => "no pointer found",
        }
    }
}

/// Some blocks. Sums saturate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub blocks: u64,
    /// Bytes in them.
    pub bytes: u64,
}

impl Amount {
    /// Row `row` of two columns; what is not there counts as none.
    pub(super) fn of_row(blocks: &[u64], bytes: &[u64], row: usize) -> Self {
        let at = |column: &[u64]| column.get(row).copied().unwrap_or_default();
        Self {
            blocks: at(blocks),
            bytes: at(bytes),
        }
    }

    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.blocks = self.blocks.saturating_add(other.blocks);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// Blocks by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reach([Amount; Verdict::ALL.len()]);

impl Reach {
    pub(super) fn of_row(columns: &Verdicts, row: usize) -> Self {
        let Verdicts {
            site: _,
            held_bytes,
            held_count,
            foreign_bytes,
            foreign_count,
            unreached_bytes,
            unreached_count,
        } = columns;
        Self([
            Amount::of_row(held_count, held_bytes, row),
            Amount::of_row(foreign_count, foreign_bytes, row),
            Amount::of_row(unreached_count, unreached_bytes, row),
        ])
    }

    /// Those of a verdict.
    pub fn of(&self, verdict: Verdict) -> Amount {
        self.0[verdict as usize]
    }

    /// All together.
    pub fn all(&self) -> Amount {
        let mut all = Amount::default();
        self.0.into_iter().for_each(|amount| all.add(amount));
        all
    }

    /// Adds those of another site.
    pub fn add(&mut self, other: &Self) {
        for (sum, amount) in self.0.iter_mut().zip(other.0) {
            sum.add(amount);
        }
    }
}

/// Sorts sites, the heaviest first.
pub(super) fn sort(sites: &mut [(NodeId, Amount)]) {
    sites.sort_by_key(|&(node, amount)| (std::cmp::Reverse((amount.bytes, amount.blocks)), node));
}
