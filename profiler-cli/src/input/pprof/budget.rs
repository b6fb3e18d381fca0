//! What reading a profile may take of memory. A byte of a file can stand for many in memory, so
//! each entry of a table is charged before it is kept.

use heaplens::snapshot::{ErrorKind, Limits};

/// What an entry takes of a table that grows: while it moves, there are the old one and a new one of
/// twice its size.
pub(super) const GROWTH: u64 = 3;

/// Memory that is left.
#[derive(Debug)]
pub(super) struct Budget {
    left: u64,
    limit: u64,
}

impl Budget {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            left: limits.parsed_bytes,
            limit: limits.parsed_bytes,
        }
    }

    /// Takes that many bytes for good.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), ErrorKind> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| self.spent())?;
        Ok(())
    }

    /// Adds an entry to a table, at the cost of what a table takes that grows.
    pub(super) fn push<T>(&mut self, table: &mut Vec<T>, entry: T) -> Result<(), ErrorKind> {
        self.take(GROWTH * size_of::<T>() as u64)?;
        table.push(entry);
        Ok(())
    }

    /// Whether there is room for another entry of a table that is cleared again soon.
    pub(super) fn room_for<T>(&self, table: &[T]) -> Result<(), ErrorKind> {
        match GROWTH * (size_of::<T>() * (table.len() + 1)) as u64 <= self.left {
            true => Ok(()),
            false => Err(self.spent()),
        }
    }

    fn spent(&self) -> ErrorKind {
        ErrorKind::TooLarge {
            what: "memory for its content",
            limit: self.limit,
        }
    }
}
