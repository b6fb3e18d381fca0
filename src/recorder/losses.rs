//! Counts of what could not be recorded. Written rarely, so shared by all threads.

use crate::snapshot::{Losses, Truncated, TruncatedCause};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// See [`Losses`], whose fields these are.
pub(crate) struct LossCounters {
    stack_table_full: AtomicU64,
    sample_table_full: AtomicU64,
    unmarkable: AtomicU64,
    reentered: AtomicU64,
    foreign_frees: AtomicU64,
    truncated: [AtomicU64; 5],
}

impl LossCounters {
    pub(crate) fn new() -> Self {
        Self {
            stack_table_full: AtomicU64::new(0),
            sample_table_full: AtomicU64::new(0),
            unmarkable: AtomicU64::new(0),
            reentered: AtomicU64::new(0),
            foreign_frees: AtomicU64::new(0),
            truncated: [const { AtomicU64::new(0) }; 5],
        }
    }

    #[cold]
    pub(crate) fn stack_table_full(&self) {
        self.stack_table_full.fetch_add(1, Relaxed);
    }

    #[cold]
    pub(crate) fn sample_table_full(&self) {
        self.sample_table_full.fetch_add(1, Relaxed);
    }

    #[cold]
    pub(crate) fn unmarkable(&self) {
        self.unmarkable.fetch_add(1, Relaxed);
    }

    #[cold]
    pub(crate) fn reentered(&self) {
        self.reentered.fetch_add(1, Relaxed);
    }

    #[cold]
    pub(crate) fn foreign_free(&self) {
        self.foreign_frees.fetch_add(1, Relaxed);
    }

    #[cold]
    pub(crate) fn truncated(&self, cause: TruncatedCause) {
        self.truncated[cause as usize].fetch_add(1, Relaxed);
    }

    /// The counts as a snapshot has them. What others count is left at 0.
    pub(crate) fn read(&self) -> Losses {
        let truncated = |cause: TruncatedCause| self.truncated[cause as usize].load(Relaxed);
        Losses {
            stack_table_full: self.stack_table_full.load(Relaxed),
            sample_table_full: self.sample_table_full.load(Relaxed),
            unmarkable: self.unmarkable.load(Relaxed),
            reentered: self.reentered.load(Relaxed),
            foreign_frees: self.foreign_frees.load(Relaxed),
            truncated: Truncated {
                unknown_module: truncated(TruncatedCause::UnknownModule),
                no_unwind_info: truncated(TruncatedCause::NoUnwindInfo),
                unsupported_rule: truncated(TruncatedCause::UnsupportedRule),
                bad_stack: truncated(TruncatedCause::BadStack),
                too_deep: truncated(TruncatedCause::TooDeep),
            },
            ..Losses::default()
        }
    }
}
