//! What each thread keeps: a few words in thread-local storage, and a state in mapped memory.
//!
//! Thread-locals are const-initialised and have no destructor, so they can be read at any time of a
//! thread's life. The mapped state is lent from a registry that the snapshot writer reads; a key
//! destructor gives it back in the last round, when other destructors have run. Threads without a
//! state (ended ones, or beyond the registry's room) are served without a cache.

use super::countdown::Countdown;
use crate::platform::{self, ThreadExitKey};
use crate::stack::replay::Memory;
use crate::tables::counter_cache::{CounterCache, Shared};
use crate::tables::mapped::Mapped;
use crate::tables::scopes::{NO_SCOPE, ScopeId};
use crate::tables::slot_bitmap::SlotBitmap;
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicPtr, AtomicU64};

/// Most threads with a state at a time.
const THREADS: usize = 4096;

/// Rounds of destructors that POSIX promises (`PTHREAD_DESTRUCTOR_ITERATIONS`).
const EXIT_ROUNDS: u32 = 4;

thread_local! {
    /// The calling thread's words.
    static LOCAL: Local = const { Local::new() };
}

/// The calling thread's words. Not a closure, since the compiler does not inline those around much
/// code.
#[inline(always)]
pub(super) fn local<'a>() -> &'a Local {
    let local = LOCAL.with(|local| local as *const Local);
    // SAFETY: has no destructor, so it lives as long as the thread. The type is not `Sync`, so no
    // other thread gets hold of the reference.
    unsafe { &*local }
}

/// The account of heaplens itself.
pub(super) const OWN: ScopeId = ScopeId::MAX;

/// Words in thread-local storage.
pub(crate) struct Local {
    /// Bytes up to the next look, which is at the next sample as a rule: see [`Countdown`]. 0 until
    /// the thread's first allocation; stays 0 in exact mode and on a patient thread, so that every
    /// allocation takes the recording path.
    pub(crate) until_sample: Cell<i64>,
    /// Bytes from that look to the sample.
    beyond_look: Cell<i64>,
    /// The mean that the sample was drawn at.
    mean: Cell<u64>,
    /// State of the thread's random generator; 0 until it is seeded.
    pub(crate) random: Cell<u64>,
    /// The thread's state: null before the first use, dangling once the thread has ended.
    state: Cell<*mut ThreadState>,
    /// Stack pointer of the recorder's frame on this thread; 0 while it is not active.
    pub(crate) active: Cell<u64>,
    /// On whose account the thread allocates: the scope that it is in, [`NO_SCOPE`], or [`OWN`].
    pub(crate) account: Cell<ScopeId>,
    /// The thread waits for memory where there is none.
    pub(crate) is_patient: Cell<bool>,
}

impl Local {
    /// The thread's state, if it has one now.
    #[inline(always)]
    pub(super) fn state(&self) -> Option<NonNull<ThreadState>> {
        NonNull::new(self.state.get()).filter(|state| state.as_ptr() != ENDED)
    }

    /// Whether allocations are heaplens' own.
    #[inline(always)]
    pub(super) fn is_own(&self) -> bool {
        self.account.get() == OWN
    }

    pub(super) fn countdown(&self) -> Countdown {
        Countdown {
            until_look: self.until_sample.get(),
            beyond: self.beyond_look.get(),
            mean: self.mean.get(),
        }
    }

    pub(super) fn set_countdown(&self, countdown: Countdown) {
        self.until_sample.set(countdown.until_look);
        self.beyond_look.set(countdown.beyond);
        self.mean.set(countdown.mean);
    }

    const fn new() -> Self {
        Self {
            until_sample: Cell::new(0),
            beyond_look: Cell::new(0),
            mean: Cell::new(0),
            random: Cell::new(0),
            state: Cell::new(null_mut()),
            active: Cell::new(0),
            account: Cell::new(NO_SCOPE),
            is_patient: Cell::new(false),
        }
    }
}

/// One thread's state. Valid when all zero.
#[repr(C)]
pub(crate) struct ThreadState {
    /// The last stack. Only the owner touches it.
    pub(crate) memory: Memory,
    /// Exact mode's counters. Only the owner writes.
    pub(crate) cache: CounterCache,
    slot: usize,
    exit_rounds: u32,
}

/// All states.
pub(crate) struct Threads {
    taken: SlotBitmap,
    states: Mapped<AtomicPtr<ThreadState>>,
    /// The exit key plus one; 0 while there is none.
    exit_key: AtomicU64,
    refused: AtomicU64,
}

const ENDED: *mut ThreadState = NonNull::dangling().as_ptr();

impl Threads {
    pub(crate) fn new() -> Self {
        Self {
            taken: SlotBitmap::new(THREADS),
            states: Mapped::new(THREADS),
            exit_key: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// How many threads found no state free.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Makes the key that tells of threads' ends. Once, before the first state is lent.
    pub(crate) fn watch_exits(&self, at_exit: unsafe extern "C" fn(*mut c_void)) {
        if let Some(key) = ThreadExitKey::new(at_exit) {
            self.exit_key.store(key.to_bits() + 1, Relaxed);
        }
    }

    /// The calling thread's state, lent at the first call. `None`: it has ended, or none is free.
    #[inline]
    pub(crate) fn mine(&self, local: &Local) -> Option<NonNull<ThreadState>> {
        local.state().or_else(|| self.lend(local))
    }

    #[cold]
    fn lend(&self, local: &Local) -> Option<NonNull<ThreadState>> {
        if local.state.get() == ENDED {
            return None;
        }
        // Set first, so that nothing below can come back here.
        local.state.set(ENDED);
        let state = self.register();
        match state {
            Some(state) => local.state.set(state.as_ptr()),
            None => {
                self.refused.fetch_add(1, Relaxed);
            }
        }
        state
    }

    fn register(&self) -> Option<NonNull<ThreadState>> {
        let key = self.exit_key.load(Relaxed).checked_sub(1)?;
        let slot = self.taken.take()?;
        let cell = self.states.get(slot)?;
        let mut state = cell.load(Acquire);
        if state.is_null() {
            let Some(mapped) = platform::map_zeroed(size_of::<ThreadState>()) else {
                self.taken.release(slot);
                return None;
            };
            state = mapped.as_ptr().cast();
            cell.store(state, Release);
        }
        let state = NonNull::new(state)?;
        // SAFETY: mapped above or by an earlier owner, valid when zero, and the slot makes this
        // thread its only owner. No reference is formed: readers look at the cache meanwhile.
        unsafe {
            (&raw mut (*state.as_ptr()).slot).write(slot);
            (&raw mut (*state.as_ptr()).exit_rounds).write(0);
        }
        if !platform::set_thread_exit(ThreadExitKey::from_bits(key), state.cast()) {
            self.taken.release(slot);
            return None;
        }
        Some(state)
    }

    /// The destructor of a thread's state: waits for the last round, then flushes the counters and
    /// takes the state back.
    ///
    /// # Safety
    /// `state` is the calling thread's own, as handed to the exit key.
    pub(crate) unsafe fn at_exit(&self, state: NonNull<ThreadState>, shared: &Shared<'_>) {
        let state = state.as_ptr();
        // SAFETY: the caller owns the state; only fields that no reader touches are written.
        let rounds = unsafe {
            let rounds = &raw mut (*state).exit_rounds;
            rounds.write(rounds.read() + 1);
            rounds.read()
        };
        let key = self.exit_key.load(Relaxed).wrapping_sub(1);
        let again = NonNull::new(state.cast()).filter(|_| rounds < EXIT_ROUNDS);
        if again
            .is_some_and(|state| platform::set_thread_exit(ThreadExitKey::from_bits(key), state))
        {
            return;
        }
        local().state.set(ENDED);
        // SAFETY: as above; the cache is made of atomics.
        let slot = unsafe {
            (*state).cache.flush(shared);
            (*state).memory.forget();
            (*state).slot
        };
        self.taken.release(slot);
    }

    /// The counter caches of all threads.
    pub(crate) fn caches(&self) -> impl Iterator<Item = &CounterCache> {
        self.states.iter().filter_map(|state| {
            let state = NonNull::new(state.load(Acquire))?;
            // SAFETY: states are never unmapped, and the cache is made of atomics.
            Some(unsafe { &(*state.as_ptr()).cache })
        })
    }

    /// Starts and lengths in bytes of the mappings.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (NonNull<u8>, usize)> {
        let states = self.states.iter().filter_map(|state| {
            NonNull::new(state.load(Acquire)).map(|state| (state.cast(), size_of::<ThreadState>()))
        });
        [self.taken.range(), self.states.range()]
            .into_iter()
            .chain(states)
    }
}

/// A walk's memory for threads that have none of their own, one at a time.
pub(crate) struct Emergency {
    memory: AtomicPtr<Memory>,
}

impl Emergency {
    pub(crate) fn new() -> Self {
        let memory = platform::map_zeroed(size_of::<Memory>());
        Self {
            memory: AtomicPtr::new(memory.map_or(null_mut(), |memory| memory.as_ptr().cast())),
        }
    }

    /// Lends the memory for one walk. `None`: somebody else has it.
    pub(crate) fn borrow<R>(&self, walk: impl FnOnce(&mut Memory) -> R) -> Option<R> {
        let mut memory = NonNull::new(self.memory.swap(null_mut(), AcqRel))?;
        // SAFETY: mapped for ever, valid when zero, and the swap made this thread its only holder.
        let result = walk(unsafe {
            memory.as_mut().forget();
            memory.as_mut()
        });
        self.memory.store(memory.as_ptr(), Release);
        Some(result)
    }
}
