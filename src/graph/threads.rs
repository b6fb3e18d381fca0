//! What the threads of the program hold outside of memory, at the moment of the copy: registers.
//!
//! A table in a mapping of its own, since it is filled by another process and read in the copy.

use crate::platform;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Most threads whose registers are kept.
pub(super) const THREADS: usize = 4096;
/// Most words kept of a thread: all general registers, or the arguments of a system call.
pub(super) const WORDS: usize = 18;

/// What has been done to a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing: it waits in a system call, or it is our own, or has ended.
    Untouched,
    /// It was told to stop.
    Told,
    /// It has stopped, and gets this signal when it goes on; 0 for none.
    Stopped(i32),
}

/// What is known of the registers of all threads at the moment of the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Registers {
    /// All are known.
    Known,
    /// Of threads that waited in a call only its arguments are known.
    InCallsUnknown,
    /// A thread ran in that moment which was thought to wait.
    Moved,
    /// The system does not let them be read, or not in time.
    Refused,
}

/// What is known of one thread.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct Thread {
    /// 0 once it has ended.
    pub(super) tid: i32,
    pub(super) state: State,
    /// 0 where unknown.
    pub(super) stack_pointer: u64,
    /// Where its thread-locals are; 0 where unknown.
    pub(super) thread_pointer: u64,
    pub(super) words: [u64; WORDS],
    /// A number that changes when it runs; 0 where it does not matter.
    pub(super) turns: u64,
}

impl Thread {
    /// A thread of which nothing is known yet.
    pub(super) fn new(tid: i32, state: State) -> Self {
        Self {
            tid,
            state,
            stack_pointer: 0,
            thread_pointer: 0,
            words: [0; WORDS],
            turns: 0,
        }
    }

    /// Whether it was left to wait in a call.
    pub(super) fn was_left_alone(&self) -> bool {
        self.turns != 0
    }
}

/// All of them. Valid when all zero.
#[repr(C)]
pub(super) struct Table {
    /// How far those who share the table have got.
    pub(super) phase: AtomicU32,
    /// Threads of whose registers nothing is known.
    pub(super) unknown: AtomicU32,
    /// Threads that were left alone in a call, and have run since.
    pub(super) moved: AtomicU32,
    /// System calls of the program that return early because of us.
    pub(super) interrupted: AtomicU64,
    len: usize,
    threads: [Thread; THREADS],
}

/// The table's mapping.
pub(super) struct Threads {
    table: NonNull<Table>,
    /// Thread pointer of the main thread, where it is known; else 0.
    main_thread_pointer: u64,
}

impl Threads {
    pub(super) fn new(main_thread_pointer: u64) -> Option<Self> {
        Some(Self {
            table: platform::map_zeroed(size_of::<Table>())?.cast(),
            main_thread_pointer,
        })
    }

    pub(super) fn table(&self) -> *mut Table {
        self.table.as_ptr()
    }

    /// What the others look at while one fills it.
    pub(super) fn phase(&self) -> &AtomicU32 {
        // SAFETY: mapped for as long as `self`, and only ever accessed as an atomic.
        unsafe { &(*self.table()).phase }
    }

    /// One more thread of whose registers nothing is known.
    pub(super) fn count_unknown(&self) {
        // SAFETY: as above.
        unsafe { (*self.table()).unknown.fetch_add(1, Relaxed) };
    }

    /// What is known of their registers, once nobody fills the table any more.
    pub(super) fn registers(&self) -> Registers {
        // SAFETY: as above.
        let [unknown, moved] = unsafe { [&(*self.table()).unknown, &(*self.table()).moved] }
            .map(|count| count.load(Relaxed));
        match (unknown, moved) {
            (1.., _) => Registers::Refused,
            (0, 1..) => Registers::Moved,
            (0, 0) if self.known().iter().any(Thread::was_left_alone) => Registers::InCallsUnknown,
            (0, 0) => Registers::Known,
        }
    }

    pub(super) fn interrupted(&self) -> u64 {
        // SAFETY: as above.
        unsafe { (*self.table()).interrupted.load(Relaxed) }
    }

    /// Forgets all threads. Nobody else uses the table.
    pub(super) fn clear(&mut self) {
        // SAFETY: nobody else uses it, and it is valid when zero. Only what was used is touched.
        unsafe {
            let table = self.table();
            (*table).len = 0;
            (*table).phase.store(0, Relaxed);
            (*table).unknown.store(0, Relaxed);
            (*table).moved.store(0, Relaxed);
            (*table).interrupted.store(0, Relaxed);
        }
    }

    /// Notes a thread from here: the one that makes the copy.
    pub(super) fn note(&mut self, thread: Thread) {
        // SAFETY: nobody else uses the table.
        unsafe { (*self.table()).note(thread) };
    }

    fn known(&self) -> &[Thread] {
        // SAFETY: read when nobody writes any more.
        unsafe { (*self.table()).known() }
    }

    /// Everything that registers hold.
    pub(super) fn words(&self) -> impl Iterator<Item = u64> {
        self.known().iter().flat_map(|thread| thread.words)
    }

    pub(super) fn stack_pointers(&self) -> impl Iterator<Item = u64> {
        self.known().iter().map(|thread| thread.stack_pointer)
    }

    pub(super) fn thread_pointers(&self) -> impl Iterator<Item = u64> {
        let all = self.known().iter().map(|thread| thread.thread_pointer);
        all.chain([self.main_thread_pointer])
    }

    /// Where it lies: start and length in bytes.
    pub(super) fn place(&self) -> (u64, u64) {
        (self.table() as u64, size_of::<Table>() as u64)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // SAFETY: our mapping, and nobody uses it any more.
        unsafe { platform::unmap(self.table.cast(), size_of::<Table>()) };
    }
}

impl Table {
    /// Says no where there is no room.
    pub(super) fn note(&mut self, thread: Thread) -> bool {
        let Some(place) = self.threads.get_mut(self.len) else {
            return false;
        };
        *place = thread;
        self.len += 1;
        true
    }

    pub(super) fn has_room(&self) -> bool {
        self.len < THREADS
    }

    pub(super) fn known(&self) -> &[Thread] {
        self.threads.get(..self.len).unwrap_or_default()
    }

    pub(super) fn known_mut(&mut self) -> &mut [Thread] {
        self.threads.get_mut(..self.len).unwrap_or_default()
    }
}
