//! What can be changed while the program runs: whether samples are taken, and how densely.
//!
//! The mode itself is fixed with the first allocation, since exact mode has a header in front of each
//! block from then on, and a process that is off has no tables. Keeps account of the time without
//! samples, so that snapshots can say it; each sample has its own mean in the recorder's tables.

use super::ChangeError;
use crate::recorder::{self, Recorder};
use crate::settings::Mode;
use parking_lot::Mutex;
use std::time::{Duration, Instant};

static CHANGED: Mutex<Changed> = Mutex::new(Changed {
    sample_bytes: None,
    off_since: None,
    off_before: Duration::ZERO,
});

struct Changed {
    /// `None`: as at the start.
    sample_bytes: Option<u64>,
    off_since: Option<Instant>,
    off_before: Duration,
}

/// How samples are taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sampling {
    pub(super) is_on: bool,
    /// Mean distance between samples; while none are taken, the one that there will be.
    pub(super) sample_bytes: u64,
    /// For how long none were taken so far.
    pub(super) off: Duration,
}

/// Switches sampling off and on again while the program runs. Each thread takes note within 8 MiB of
/// allocations.
///
/// Off, nothing that is allocated is recorded, and what is recorded already is followed until it is
/// freed. Snapshots say for how long sampling was off
/// ([`Recorder::sampling_off_ms`](crate::snapshot::Recorder::sampling_off_ms)).
///
/// ```no_run
/// use heaplens::Mode;
///
/// heaplens::set_mode(Mode::Off)?;
/// // ... something that is not to be looked at
/// heaplens::set_mode(Mode::Sampled)?;
/// # Ok::<(), heaplens::ChangeError>(())
/// ```
///
/// # Errors
///
/// If the process was not started in sampled mode, or is to be exact: that needs a start with
/// `HEAPLENS_MODE=exact`. Asking for the mode that it was started in is no error.
pub fn set_mode(mode: Mode) -> Result<(), ChangeError> {
    recorder::as_own(|| {
        let running = recorder::settings().ok_or(ChangeError::NoAllocator)?.mode;
        match (sampler(), mode) {
            (Some(recorder), Mode::Sampled) => {
                let mut changed = CHANGED.lock();
                let since = changed.off_since.take();
                changed.off_before += since.map_or(Duration::ZERO, |since| since.elapsed());
                recorder.set_sampling_mean(changed.sample_bytes(recorder));
            }
            (Some(recorder), Mode::Off) => {
                let mut changed = CHANGED.lock();
                changed.off_since.get_or_insert_with(Instant::now);
                recorder.set_sampling_mean(0);
            }
            _ if mode == running => {}
            _ => {
                return Err(ChangeError::Mode {
                    running,
                    asked: mode,
                });
            }
        }
        Ok(())
    })
}

/// Sets the mean distance between samples in bytes, at least 1, while the program runs. Each thread
/// takes note within 8 MiB of allocations. While sampling is [off](set_mode) it stays off.
///
/// Estimates stay unbiased: each sample keeps the mean that it was drawn at.
///
/// ```no_run
/// // Eight times as dense as by default, while the leak is small.
/// heaplens::set_sample_bytes(64 << 10)?;
/// # Ok::<(), heaplens::ChangeError>(())
/// ```
///
/// # Errors
///
/// If the process was not started in sampled mode, or the distance is 0.
pub fn set_sample_bytes(bytes: u64) -> Result<(), ChangeError> {
    recorder::as_own(|| {
        let running = recorder::settings().ok_or(ChangeError::NoAllocator)?.mode;
        let recorder = sampler().ok_or(ChangeError::Mode {
            running,
            asked: Mode::Sampled,
        })?;
        if bytes == 0 {
            return Err(ChangeError::OutOfRange);
        }
        let mut changed = CHANGED.lock();
        changed.sample_bytes = Some(bytes);
        if changed.off_since.is_none() {
            recorder.set_sampling_mean(bytes);
        }
        Ok(())
    })
}

/// How samples are taken now; `None` if the process does not sample.
pub(super) fn now() -> Option<Sampling> {
    let recorder = sampler()?;
    let changed = CHANGED.lock();
    let since = changed.off_since.map(|since| since.elapsed());
    Some(Sampling {
        is_on: since.is_none(),
        sample_bytes: changed.sample_bytes(recorder),
        off: changed.off_before + since.unwrap_or_default(),
    })
}

/// The recorder of a process that was started in sampled mode.
fn sampler() -> Option<&'static Recorder> {
    recorder::global().filter(|recorder| recorder.settings().mode == Mode::Sampled)
}

impl Changed {
    fn sample_bytes(&self, recorder: &Recorder) -> u64 {
        self.sample_bytes
            .unwrap_or(recorder.settings().sample_bytes)
    }
}
