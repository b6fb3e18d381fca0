//! The hook's pipeline: what happens on `alloc`, `realloc` and `dealloc`.
//!
//! `exact` records every block behind a header, `sampled` a Poisson sample of them; both ask the
//! [`Recorder`] for the site of the call and count what they did. The recorder is made at the
//! first allocation of the process, from the environment and the allocator's constants, in mapped
//! memory, and is never moved or freed. What threads allocate within a scope is counted there too
//! (`accounts`).
//!
//! Nothing that can be reached from `alloc`, `realloc` or `dealloc` allocates through the wrapped
//! allocator, takes a lock, panics, does I/O or resolves symbols.

mod accounts;
pub(crate) mod ages;
mod countdown;
pub(crate) mod exact;
mod forward;
mod global;
mod header;
pub(crate) mod losses;
pub(crate) mod poisson;
pub(crate) mod sampled;
mod thread_state;

use crate::platform;
use crate::settings::{Mode, Settings};
use crate::snapshot::SpecialFrame;
use crate::stack::replay::{Captured, Memory, Walker, special_frame};
use crate::stack::{CallRecord, Registers};
use crate::tables::age_map::AgeMap;
use crate::tables::counter_cache::Shared;
use crate::tables::counters::Counters;
use crate::tables::scopes::{ScopeId, Scopes};
use crate::tables::site_tree::{NO_NODE, NodeId, ROOT};
pub(crate) use accounts::as_own;
#[cfg(feature = "testing")]
pub(crate) use accounts::{as_own_and_then, leave_all_scopes, set_scope_of_others};
pub(crate) use forward::{be_patient, forward_alloc};
pub(crate) use global::{global, global_or_install, settings};
pub(crate) use header::HEADER;
use losses::LossCounters;
use sampled::Samples;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Release, compiler_fence};
use thread_state::{Emergency, Local, Threads, local};

/// Most nodes of the tree of stacks, and so of sites.
const NODES: usize = 1 << header::SITE_BITS;

/// Stacks are recorded. See [`Recorder::course`].
const WALKING: u32 = 1 << 31;

/// Address space that must be there before any table is mapped: twice what all of them take. Under a
/// limit the program keeps as much, or all of it.
const fn address_space_wanted(mode: Mode) -> usize {
    match mode {
        Mode::Exact => 600 << 20,
        _ => 2_400 << 20,
    }
}

/// Everything that is recorded about one process.
pub(crate) struct Recorder {
    settings: Settings,
    /// Mean distance between samples, which may change while the program runs; 0 while sampling is
    /// switched off. Sampled mode only.
    sampling_mean: AtomicU64,
    /// Key of the checks in headers.
    key: u64,
    /// [`WALKING`] or not, and below that the scope that threads are in which are in no other: one
    /// word, so that the usual case is one comparison.
    course: AtomicU32,
    /// The system gave memory for every table.
    has_tables: bool,
    pub(crate) walker: Walker,
    pub(crate) ages: AgeMap,
    /// Exact mode only.
    pub(crate) counters: Counters,
    /// Sampled mode only.
    pub(crate) samples: Samples,
    /// Exact mode only.
    pub(crate) scopes: Scopes,
    pub(crate) threads: Threads,
    emergency: Emergency,
    pub(crate) losses: LossCounters,
    special: SpecialSites,
}

/// Sites that are no stacks.
#[derive(Clone, Copy)]
struct SpecialSites {
    before_start: NodeId,
    heaplens: NodeId,
    no_stack: NodeId,
    table_full: NodeId,
}

/// Whether the system gave memory for all tables. Without, little or nothing is recorded.
pub(crate) fn has_tables() -> bool {
    global().is_none_or(|recorder| recorder.has_tables)
}

/// From here on stacks are recorded. Called once, outside the hook.
pub(crate) fn start() {
    if let Some(recorder) = global() {
        recorder.walker.prepare();
        if recorder.has_tables {
            recorder.course.fetch_or(WALKING, Release);
        }
    }
}

/// Looks for newly loaded libraries where a stack has met code in none that is known. For the
/// keeper, about once a second. Where memory is short this comes later: nobody is to wait for memory
/// with the dynamic linker's lock held.
pub(crate) fn refresh_modules() {
    const ENOUGH: usize = 4 << 20;
    let modules = global().map(|recorder| &recorder.walker.stepper.modules);
    if let Some(modules) = modules.filter(|modules| modules.is_refresh_wanted())
        && platform::has_address_space(ENOUGH)
    {
        modules.refresh();
    }
}

/// In a forked child nothing writes snapshots, so no more stacks are taken. Frees are still
/// matched: the child has inherited blocks.
pub(crate) fn stop_in_child() {
    if let Some(recorder) = global() {
        recorder.course.fetch_and(!WALKING, Relaxed);
    }
}

impl Recorder {
    fn new(settings: Settings) -> Self {
        let nodes = match platform::has_address_space(address_space_wanted(settings.mode)) {
            true => NODES,
            false => 0,
        };
        let walker = Walker::new(nodes, settings.depth as usize);
        let tree = &walker.tree;
        let special = |frame| tree.child(ROOT, special_frame(frame));
        let special = SpecialSites {
            before_start: special(SpecialFrame::BeforeStart),
            heaplens: special(SpecialFrame::Heaplens),
            no_stack: special(SpecialFrame::NoStack),
            table_full: special(SpecialFrame::TableFull),
        };
        let is_exact = settings.mode == Mode::Exact;
        let counters = Counters::new(if is_exact { tree.capacity() } else { 0 });
        let samples = if is_exact || tree.capacity() == 0 {
            Samples::none()
        } else {
            Samples::new(tree.capacity())
        };
        let has_room = match is_exact {
            true => counters.len() > 0,
            false => samples.room().is_some(),
        };
        Self {
            settings,
            sampling_mean: AtomicU64::new(settings.sample_bytes),
            has_tables: tree.capacity() > 0 && has_room,
            key: platform::process_random(),
            course: AtomicU32::new(0),
            special,
            ages: AgeMap::new(),
            counters,
            samples,
            scopes: match is_exact && has_room {
                true => Scopes::new(),
                false => Scopes::none(),
            },
            walker,
            threads: Threads::new(),
            emergency: Emergency::new(),
            losses: LossCounters::new(),
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Mean distance between samples in bytes; 0 while sampling is switched off.
    pub(crate) fn sampling_mean(&self) -> u64 {
        self.sampling_mean.load(Relaxed)
    }

    /// Sets the mean distance between samples, or 0 for no samples. Each thread takes note within
    /// [`countdown::LOOK`] bytes; samples that were taken stay, and their frees are followed.
    pub(crate) fn set_sampling_mean(&self, mean: u64) {
        self.sampling_mean.store(mean, Relaxed);
    }

    /// The site that stands for heaplens itself.
    pub(crate) fn own_site(&self) -> NodeId {
        self.special.heaplens
    }

    /// The site that stands for all that there was no room for.
    #[cfg(feature = "testing")]
    pub(crate) fn site_of_the_rest(&self) -> NodeId {
        self.special.table_full
    }

    pub(crate) fn shared(&self) -> Shared<'_> {
        Shared {
            counters: &self.counters,
            ages: &self.ages,
        }
    }

    /// The site of a call.
    #[inline(never)]
    fn site(&self, call: &CallRecord) -> NodeId {
        let (local, caller) = (local(), call.caller());
        if let Some(site) = self.site_without_stack(local) {
            return site;
        }
        let walked = self.exclusively(local, caller.sp, || match self.threads.mine(local) {
            // SAFETY: this thread owns the state, and `exclusively` keeps a signal handler on this
            // thread from borrowing the memory a second time.
            Some(mut state) => Some(self.walk_apart(unsafe { &mut state.as_mut().memory }, caller)),
            None => self
                .emergency
                .borrow(|memory| self.walk_apart(memory, caller)),
        });
        walked.flatten().unwrap_or_else(|| {
            self.losses.reentered();
            self.special.no_stack
        })
    }

    /// The site of all calls of this thread, where no stack is to be taken.
    #[inline(always)]
    fn site_without_stack(&self, local: &Local) -> Option<NodeId> {
        if local.is_own() {
            return Some(self.special.heaplens);
        }
        let is_walking = self.course.load(Relaxed) & WALKING != 0;
        (!is_walking).then(|| self.site_before_start())
    }

    #[cold]
    fn site_before_start(&self) -> NodeId {
        if self.has_tables {
            return self.special.before_start;
        }
        self.losses.stack_table_full();
        self.special.table_full
    }

    /// [`Self::walk`] for the callers that matter less.
    #[inline(never)]
    fn walk_apart(&self, memory: &mut Memory, caller: Registers) -> NodeId {
        self.walk(memory, caller)
    }

    #[inline(always)]
    fn walk(&self, memory: &mut Memory, caller: Registers) -> NodeId {
        let Captured { node, truncated } = self.walker.capture(memory, caller);
        if let Some(cause) = truncated {
            self.losses.truncated(cause);
        }
        if node == NO_NODE {
            self.losses.stack_table_full();
            return self.special.table_full;
        }
        node
    }

    /// Runs `work` unless this thread is already inside the recorder, as a signal handler that
    /// allocates can be.
    #[inline(always)]
    fn exclusively<R>(&self, local: &Local, sp: u64, work: impl FnOnce() -> R) -> Option<R> {
        let active = local.active.get();
        if active != 0 && !self.recovers(local, sp, active) {
            return None;
        }
        local.active.set(sp);
        compiler_fence(SeqCst);
        let result = work();
        compiler_fence(SeqCst);
        local.active.set(0);
        Some(result)
    }

    /// Whether the marked frame is gone: a handler that jumps out (siglongjmp) leaves the mark set.
    ///
    /// Whoever stands higher on the thread's own stack proves it, and who stands there at all where
    /// the mark is on the signal stack. The frame may have left the last stack half-written.
    #[cold]
    fn recovers(&self, local: &Local, sp: u64, active: u64) -> bool {
        // It may lie within the thread's own stack.
        let signal_stack = platform::signal_stack();
        let is_on_own = |sp| !signal_stack.contains(&sp) && self.walker.bounds.end_of(sp).is_some();
        let is_gone =
            is_on_own(sp) && (signal_stack.contains(&active) || sp >= active && is_on_own(active));
        if let Some(state) = local.state().filter(|_| is_gone) {
            // SAFETY: this thread owns the state, and the frame that had the memory is gone.
            unsafe { (*state.as_ptr()).memory.forget() };
        }
        is_gone
    }

    /// The block at this address, if it is one of exact mode's: its size, its site, and a number that other
    /// blocks at this address hardly have.
    ///
    /// # Safety
    /// The 16 bytes before `block` are readable, and `block` is a multiple of 8.
    #[inline(always)]
    pub(crate) unsafe fn find_block(&self, block: u64) -> Option<(u64, NodeId, u64)> {
        // SAFETY: passed on.
        unsafe { header::find(block as *const u8, self.key) }
    }

    /// The size of the block of exact mode that was freed at this address, as long as its memory tells.
    ///
    /// # Safety
    /// As for [`Self::find_block`].
    #[inline(always)]
    pub(crate) unsafe fn find_freed(&self, block: u64) -> Option<u64> {
        // SAFETY: passed on.
        unsafe { header::find_freed(block as *const u8, self.key) }
    }

    /// Whether a block was allocated in a scope, or in one within it.
    ///
    /// # Safety
    /// [`Self::find_block`] has found it.
    pub(crate) unsafe fn is_in_scope(&self, block: u64, scope: ScopeId) -> bool {
        // SAFETY: passed on.
        let born_in = unsafe { header::scope(block as *const u8) };
        self.scopes.is_within(born_in, scope)
    }

    /// Starts and lengths in bytes of everything that is the recorder's own memory.
    pub(crate) fn own_memory(&self) -> impl Iterator<Item = (NonNull<u8>, usize)> {
        let itself = (NonNull::from(self).cast(), size_of::<Self>());
        self.mappings()
            .chain([itself, self.walker.stepper.modules.room()])
    }

    /// Starts and lengths in bytes of all mappings but the room for sampled blocks.
    pub(crate) fn mappings(&self) -> impl Iterator<Item = (NonNull<u8>, usize)> {
        let tables = [self.walker.tree.range()]
            .into_iter()
            .chain(self.counters.ranges());
        tables
            .chain([self.walker.stepper.rules.range()])
            .chain(self.samples.table_ranges())
            .chain(self.scopes.ranges())
            .chain(self.threads.ranges())
    }
}
