//! Atomics of the model checker, in the place of `std`'s.

pub(crate) use loom::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize};

#[cfg(not(feature = "weakened"))]
pub(crate) use loom::sync::atomic::{Ordering, fence};

/// A fence that orders nothing.
#[cfg(feature = "weakened")]
pub(crate) fn fence(_: loom::sync::atomic::Ordering) {}

/// Names of orderings that order nothing.
#[cfg(feature = "weakened")]
#[allow(non_snake_case, non_upper_case_globals, reason = "stands for the enum")]
pub(crate) mod Ordering {
    use loom::sync::atomic::Ordering as Real;

    pub(crate) const Relaxed: Real = Real::Relaxed;
    pub(crate) const Acquire: Real = Real::Relaxed;
    pub(crate) const Release: Real = Real::Relaxed;
    pub(crate) const AcqRel: Real = Real::Relaxed;
}
