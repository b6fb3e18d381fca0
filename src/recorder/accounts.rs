//! On whose account threads allocate: the program's, a scope's, or heaplens' own.
//!
//! A thread is in one scope at a time, which its words in thread-local storage name; one scope more
//! can take in the threads that are in none. A block belongs to the scope that its thread was in, and
//! names it in its header. Who enters which scope, and what the numbers are for, is not known here.

#[cfg(feature = "testing")]
use super::global;
use super::header::Header;
use super::thread_state::{Local, OWN, local};
use super::{Recorder, WALKING};
use crate::tables::scopes::{NO_SCOPE, SCOPES, ScopeId};
use std::sync::atomic::Ordering::Relaxed;

/// Runs `work` with this thread's allocations counted as heaplens' own.
pub(crate) fn as_own<R>(work: impl FnOnce() -> R) -> R {
    as_own_and_then(|| (work(), None))
}

/// The same; afterwards the thread allocates in the scope that `work` returns, which the caller holds for
/// so long ([`NO_SCOPE`] for none), or where it did before. In between it is in no other: `work` may have
/// given back the one before.
pub(crate) fn as_own_and_then<R>(work: impl FnOnce() -> (R, Option<ScopeId>)) -> R {
    struct Restore(ScopeId);
    impl Drop for Restore {
        fn drop(&mut self) {
            local().account.set(self.0);
        }
    }
    let mut restore = Restore(local().account.replace(OWN));
    let (result, scope) = work();
    restore.0 = scope.unwrap_or(restore.0);
    result
}

/// From here on the calling thread allocates in no scope.
#[cfg(feature = "testing")]
pub(crate) fn leave_all_scopes() {
    local().account.set(NO_SCOPE);
}

/// From here on threads that are in no scope of their own allocate in this one, which the caller holds
/// for so long; [`NO_SCOPE`] for none.
#[cfg(feature = "testing")]
pub(crate) fn set_scope_of_others(scope: ScopeId) {
    if let Some(recorder) = global() {
        let with_scope = |course| Some(course & WALKING | scope);
        // Cannot fail: the closure always gives a value.
        let _ = recorder.course.fetch_update(Relaxed, Relaxed, with_scope);
    }
}

impl Recorder {
    /// Whether a stack is to be taken, and is all: the thread allocates for the program, in no scope.
    #[inline(always)]
    pub(super) fn is_usual(&self, local: &Local) -> bool {
        local.account.get() == NO_SCOPE && self.course.load(Relaxed) == WALKING
    }

    /// Counts a block that is in no scope yet into the one that the calling thread is in.
    pub(super) fn count_into_scope(&self, local: &Local, born: Header, size: usize) -> Header {
        let scope = match local.account.get() {
            OWN => NO_SCOPE,
            NO_SCOPE => return self.count_into_scope_of_others(born, size),
            scope => self.scopes.allocated(scope, born.place, size as u64),
        };
        born.in_scope(scope)
    }

    fn count_into_scope_of_others(&self, born: Header, size: usize) -> Header {
        let scope = self.scope_of_others();
        // Who set it may give it back at any time: held here first, and looked at again. Whoever holds
        // a later scope of this number sees that it was taken back.
        if scope == NO_SCOPE || !self.scopes.hold_if_held(scope) {
            return born;
        }
        let counted = match self.scope_of_others() == scope {
            true => self.scopes.allocated(scope, born.place, size as u64),
            false => NO_SCOPE,
        };
        self.scopes.release(scope);
        born.in_scope(counted)
    }

    fn scope_of_others(&self) -> ScopeId {
        self.course.load(Relaxed) & !WALKING
    }

    /// Counts a dying block out of its scope, if it is in one, and returns it as one that is in none.
    pub(super) fn count_out_of_scope(&self, block: Header, size: usize) -> Header {
        let (scope, plain) = block.split();
        // Without tables all sites are `NO_NODE`, which looks like one beyond all scopes.
        if scope == NO_SCOPE || scope as usize > SCOPES {
            return block;
        }
        self.scopes.freed(scope, plain.place, size as u64);
        plain
    }
}
