//! The one recorder of the process: made at the first allocation, from the allocator's constants and the
//! environment, and published for good. What it records is not known here.

use super::{Recorder, sampled};
use crate::platform;
use crate::settings::{self, Mode, Settings};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicPtr, Ordering::Acquire, Ordering::Release};

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
