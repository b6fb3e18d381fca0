//! The hook's pipeline: what happens on `alloc`, `realloc` and `dealloc`.
//!
//! `exact` records every block behind a header, `sampled` a Poisson sample of them; both ask the
//! [`Recorder`] for the site of the call and count what they did. The recorder is made at the
//! first allocation of the process, from the environment and the allocator's constants, in mapped
//! memory, and is never moved or freed.
//!
//! Nothing that can be reached from `alloc`, `realloc` or `dealloc` allocates through the wrapped
//! allocator, takes a lock, panics, does I/O or resolves symbols.

pub(crate) mod ages;
pub(crate) mod exact;
mod forward;
mod header;
pub(crate) mod losses;
pub(crate) mod poisson;
pub(crate) mod sampled;
mod thread_state;

use crate::platform;
use crate::settings::{self, Mode, Settings};
use crate::snapshot::SpecialFrame;
use crate::stack::replay::{Captured, Memory, Walker, special_frame};
use crate::stack::{CallRecord, Registers};
use crate::tables::age_map::AgeMap;
use crate::tables::counter_cache::Shared;
use crate::tables::counters::Counters;
use crate::tables::site_tree::{NO_NODE, NodeId, ROOT};
pub(crate) use forward::{be_patient, forward_alloc};
use losses::LossCounters;
use sampled::Samples;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{
    AtomicBool, AtomicPtr, Ordering::Acquire, Ordering::Release, compiler_fence,
};
use thread_state::{Emergency, Local, Threads, local};

/// Most nodes of the tree of stacks, and so of sites.
const NODES: usize = 1 << 20;

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
    /// Key of the checks in headers.
    key: u64,
    /// Stacks are recorded from here on.
    is_walking: AtomicBool,
    /// The system gave memory for every table.
    has_tables: bool,
    pub(crate) walker: Walker,
    pub(crate) ages: AgeMap,
    /// Exact mode only.
    pub(crate) counters: Counters,
    /// Sampled mode only.
    pub(crate) samples: Samples,
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

/// The recorder of this process: null before the first allocation, dangling where there is none.
static GLOBAL: AtomicPtr<Recorder> = AtomicPtr::new(null_mut());
const NONE: *mut Recorder = NonNull::dangling().as_ptr();

/// The recorder, once an allocator of ours has served an allocation and is not off.
#[inline(always)]
pub(crate) fn global() -> Option<&'static Recorder> {
    published(GLOBAL.load(Acquire))
}

#[inline(always)]
fn published(recorder: *mut Recorder) -> Option<&'static Recorder> {
    // SAFETY: neither of the two marks, so published by `install` and never freed.
    (!recorder.is_null() && recorder != NONE).then(|| unsafe { &*recorder })
}

/// The recorder; made now if this is the first allocation of the process.
#[inline(always)]
pub(crate) fn global_or_install(defaults: &Settings) -> Option<&'static Recorder> {
    let recorder = GLOBAL.load(Acquire);
    if recorder.is_null() {
        return installed(defaults);
    }
    published(recorder)
}

#[cold]
#[inline(never)]
fn installed(defaults: &Settings) -> Option<&'static Recorder> {
    install(defaults);
    global()
}

fn install(defaults: &Settings) {
    let settings = settings_from_environment(defaults);
    let recorder = match settings.mode {
        Mode::Off => None,
        Mode::Sampled | Mode::Exact => platform::map_zeroed(size_of::<Recorder>()),
    };
    let Some(place) = recorder.map(|place| place.cast::<MaybeUninit<Recorder>>()) else {
        sampled::set_free_mask(Mode::Off);
        let _ = GLOBAL.compare_exchange(null_mut(), NONE, Release, Acquire);
        return;
    };
    // SAFETY: mapped just now, large enough, page-aligned, and nobody else knows it.
    let recorder = unsafe { (*place.as_ptr()).write(Recorder::new(settings)) };
    // A signal handler may have come in between and made one too; the first one counts.
    if GLOBAL
        .compare_exchange(null_mut(), recorder, Release, Acquire)
        .is_ok()
    {
        recorder.threads.watch_exits(at_thread_exit);
        sampled::set_free_mask(settings.mode);
    }
}

/// The allocator's constants, overridden by the environment. A bad value is ignored here; the
/// start reports it.
fn settings_from_environment(defaults: &Settings) -> Settings {
    let read = platform::environment;
    let mode = read(c"HEAPLENS_MODE").and_then(settings::parse_mode);
    let sample_bytes = read(c"HEAPLENS_SAMPLE_BYTES").and_then(settings::parse_bytes);
    let depth = read(c"HEAPLENS_DEPTH").and_then(settings::parse_depth);
    Settings {
        mode: mode.unwrap_or(defaults.mode),
        sample_bytes: sample_bytes
            .filter(|&bytes| bytes > 0)
            .unwrap_or(defaults.sample_bytes)
            .max(1),
        depth: depth.unwrap_or(defaults.depth),
    }
}

unsafe extern "C" fn at_thread_exit(state: *mut c_void) {
    if let (Some(recorder), Some(state)) = (global(), NonNull::new(state)) {
        // SAFETY: the exit key hands each thread its own state.
        unsafe { recorder.threads.at_exit(state.cast(), &recorder.shared()) };
    }
}

/// The settings in force, or `None` while no heaplens allocator has served an allocation.
pub(crate) fn settings() -> Option<Settings> {
    match global() {
        Some(recorder) => Some(recorder.settings),
        None => (GLOBAL.load(Acquire) == NONE).then_some(Settings {
            mode: Mode::Off,
            ..Settings::DEFAULT
        }),
    }
}

/// Whether the system gave memory for all tables. Without, little or nothing is recorded.
pub(crate) fn has_tables() -> bool {
    global().is_none_or(|recorder| recorder.has_tables)
}

/// From here on stacks are recorded. Called once, outside the hook.
pub(crate) fn start() {
    if let Some(recorder) = global() {
        recorder.walker.prepare();
        recorder.is_walking.store(recorder.has_tables, Release);
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
        recorder.is_walking.store(false, Relaxed);
    }
}

/// Runs `work` with this thread's allocations counted as heaplens' own.
pub(crate) fn as_own<R>(work: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            local().is_own.set(self.0);
        }
    }
    let _restore = Restore(local().is_own.replace(true));
    work()
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
            has_tables: tree.capacity() > 0 && has_room,
            key: platform::process_random(),
            is_walking: AtomicBool::new(false),
            special,
            ages: AgeMap::new(),
            counters,
            samples,
            walker,
            threads: Threads::new(),
            emergency: Emergency::new(),
            losses: LossCounters::new(),
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The site that stands for heaplens itself.
    pub(crate) fn own_site(&self) -> NodeId {
        self.special.heaplens
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
            Some(mut state) => Some(self.walk(unsafe { &mut state.as_mut().memory }, caller)),
            None => self.emergency.borrow(|memory| self.walk(memory, caller)),
        });
        walked.flatten().unwrap_or_else(|| {
            self.losses.reentered();
            self.special.no_stack
        })
    }

    /// The site of all calls of this thread, where no stack is to be taken.
    #[inline(always)]
    fn site_without_stack(&self, local: &Local) -> Option<NodeId> {
        if local.is_own.get() {
            return Some(self.special.heaplens);
        }
        (!self.is_walking.load(Relaxed)).then(|| self.site_before_start())
    }

    #[cold]
    fn site_before_start(&self) -> NodeId {
        if self.has_tables {
            return self.special.before_start;
        }
        self.losses.stack_table_full();
        self.special.table_full
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

    /// Starts and lengths in bytes of all mappings but the room for sampled blocks.
    pub(crate) fn mappings(&self) -> impl Iterator<Item = (NonNull<u8>, usize)> {
        let tables = [self.walker.tree.range()]
            .into_iter()
            .chain(self.counters.ranges());
        tables
            .chain([self.walker.stepper.rules.range()])
            .chain(self.samples.table_ranges())
            .chain(self.threads.ranges())
    }
}
