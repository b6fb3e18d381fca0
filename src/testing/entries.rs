//! Who is in which scope: a list for each thread, and one for the process.
//!
//! The last entry of a thread's list that is open is the scope that it allocates in. Entries are taken
//! out by their number, so guards may be dropped in any order, and a scope may end on another thread:
//! what that leaves behind here goes at the next change.

use crate::recorder;
use crate::tables::scopes::{NO_SCOPE, ScopeId};
use parking_lot::Mutex;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

thread_local! {
    static OF_THREAD: RefCell<OfThread> = const { RefCell::new(OfThread(Entries(Vec::new()))) };
}

static OF_PROCESS: Mutex<Entries> = Mutex::new(Entries(Vec::new()));

/// A scope's number, held.
#[derive(Debug)]
pub(super) struct Hold(ScopeId);

/// Number of an entry in any list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryId(u64);

struct Entries(Vec<(EntryId, Hold)>);

/// The calling thread's. Its end leaves all scopes.
struct OfThread(Entries);

impl Hold {
    /// A new scope within the one that the calling thread is in, or else within that of the process.
    /// `None`: there are too many.
    pub(super) fn begin() -> Option<Self> {
        let begin_within = |parent| Some(Self(recorder::global()?.scopes.begin(parent)?));
        // Either list holds the scope around.
        let inner = change_thread(|entries| match entries.innermost() {
            NO_SCOPE => None,
            parent => Some(begin_within(parent)),
        });
        inner
            .flatten()
            .unwrap_or_else(|| recorder::as_own(|| begin_within(OF_PROCESS.lock().innermost())))
    }

    pub(super) fn id(&self) -> ScopeId {
        self.0
    }

    /// The scope that the calling thread allocates in. `None`: it is in none.
    pub(super) fn innermost() -> Option<Self> {
        let of_thread = change_thread(|entries| entries.innermost_hold());
        of_thread
            .flatten()
            .or_else(|| recorder::as_own(|| OF_PROCESS.lock().innermost_hold()))
    }
}

impl Clone for Hold {
    fn clone(&self) -> Self {
        if let Some(recorder) = recorder::global() {
            recorder.scopes.hold(self.0);
        }
        Self(self.0)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(recorder) = recorder::global() {
            recorder.scopes.release(self.0);
        }
    }
}

impl Entries {
    fn enter(&mut self, hold: Hold) -> EntryId {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = EntryId(NEXT.fetch_add(1, Ordering::Relaxed));
        self.0.push((id, hold));
        id
    }

    fn leave(&mut self, id: EntryId) {
        self.0.retain(|(entry, _)| *entry != id);
    }

    fn innermost(&self) -> ScopeId {
        self.0.last().map_or(NO_SCOPE, |(_, hold)| hold.id())
    }

    fn innermost_hold(&self) -> Option<Hold> {
        self.0.last().map(|(_, hold)| hold.clone())
    }

    fn forget_ended(&mut self) {
        let is_open = |hold: &Hold| {
            recorder::global().is_some_and(|recorder| recorder.scopes.is_open(hold.id()))
        };
        self.0.retain(|(_, hold)| is_open(hold));
    }
}

impl Drop for OfThread {
    fn drop(&mut self) {
        recorder::leave_all_scopes();
    }
}

/// The calling thread allocates in this scope from here on. `None`: the thread is at its end.
pub(super) fn enter_thread(hold: Hold) -> Option<EntryId> {
    change_thread(|entries| entries.enter(hold))
}

/// Takes an entry of the calling thread out, if it has it.
pub(super) fn leave_thread(id: EntryId) {
    change_thread(|entries| entries.leave(id));
}

fn change_thread<R>(change: impl FnOnce(&mut Entries) -> R) -> Option<R> {
    recorder::as_own_and_then(|| {
        let changed = OF_THREAD.try_with(|of_thread| {
            let OfThread(entries) = &mut *of_thread.borrow_mut();
            entries.forget_ended();
            let result = change(entries);
            (result, entries.innermost())
        });
        changed.map_or((None, None), |(result, innermost)| {
            (Some(result), Some(innermost))
        })
    })
}

/// Threads that are in no scope allocate in this one from here on.
pub(super) fn enter_process(hold: Hold) -> EntryId {
    change_process(|entries| entries.enter(hold))
}

pub(super) fn leave_process(id: EntryId) {
    change_process(|entries| entries.leave(id));
}

fn change_process<R>(change: impl FnOnce(&mut Entries) -> R) -> R {
    recorder::as_own(|| {
        let mut entries = OF_PROCESS.lock();
        // Held until no thread can find it in the recorder any more.
        let _before = entries.0.clone();
        entries.forget_ended();
        let result = change(&mut entries);
        recorder::set_scope_of_others(entries.innermost());
        result
    })
}
