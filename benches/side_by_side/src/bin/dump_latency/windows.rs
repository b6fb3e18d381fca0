//! Times pairs of allocation and free, in windows with and without something beside them.
//!
//! Windows of all kinds take turns within one process, so that the heap is the same for all.

use crate::args::Options;
use crate::sites;
use hdrhistogram::Histogram;
use heaplens::snapshot::Limits;
use measure::{clocks, memory};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What happens beside the pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    Nothing,
    /// Nothing once more: what the same gives a second time.
    NothingAgain,
    /// Snapshots, one after the other.
    Snapshots,
    /// A thread that computes for as much of the time as the snapshots did.
    Computing,
}

impl Beside {
    pub(crate) const ALL: [Self; 4] = [
        Self::Nothing,
        Self::NothingAgain,
        Self::Snapshots,
        Self::Computing,
    ];
}

/// Calls of the paths that the pairs are on, and how many of these there are.
const CALLS: u32 = 3;
const PATHS: u32 = 256;
/// Latencies are kept to three digits, up to a minute.
const LONGEST_NS: u64 = 60_000_000_000;

/// Latencies in nanoseconds, from all windows with the same thing beside them.
#[derive(Debug)]
pub(crate) struct Timed {
    pub(crate) all: Histogram<u64>,
    /// The 99.99th percentile of each window, round by round.
    pub(crate) tails: Vec<u64>,
}

impl Timed {
    pub(crate) fn new() -> Self {
        Self {
            all: histogram(),
            tails: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, window: &Histogram<u64>) {
        self.all.add(window).expect("all have the same bounds");
        self.tails.push(window.value_at_quantile(0.9999));
    }
}

pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(LONGEST_NS, 3).expect("the bounds are valid")
}

/// All windows of a run.
#[derive(Debug)]
pub(crate) struct Rounds {
    /// Live sites in a snapshot.
    pub(crate) sites: usize,
    /// In the order of [`Beside::ALL`].
    pub(crate) timed: [Timed; 4],
    pub(crate) snapshots: u64,
    /// CPU time of all threads but the one that times, during snapshots.
    pub(crate) snapshots_cpu: Duration,
    /// By how much the peak of resident memory grew beyond what was resident before.
    pub(crate) extra_bytes: u64,
}

/// Measures in turns.
pub(crate) fn measure(options: &Options) -> Result<Rounds, String> {
    let mut histogram = histogram();
    let mut rounds = Rounds {
        sites: 0,
        timed: std::array::from_fn(|_| Timed::new()),
        snapshots: 0,
        snapshots_cpu: Duration::ZERO,
        extra_bytes: 0,
    };
    window(options.window / 4, &mut histogram);
    let resident = memory::rss().map_err(|error| format!("cannot read memory: {error}"))?;
    // The first snapshot makes what all others use; and it shows whether there will be any.
    snapshot()?;
    let mut share = 1.0;
    for round in 0..options.rounds as usize {
        for turn in 0..Beside::ALL.len() {
            let kind = (round + turn) % Beside::ALL.len();
            match Beside::ALL[kind] {
                Beside::Nothing | Beside::NothingAgain => window(options.window, &mut histogram),
                Beside::Computing => beside(
                    |stop| compute(stop, share),
                    || window(options.window, &mut histogram),
                )?,
                Beside::Snapshots => {
                    let (wall, cpu) = (Instant::now(), others_cpu_ns());
                    rounds.snapshots += beside(snapshot_until, || {
                        window(options.window, &mut histogram);
                    })?;
                    let cpu = Duration::from_nanos(others_cpu_ns() - cpu);
                    share = cpu.as_secs_f64() / wall.elapsed().as_secs_f64();
                    rounds.snapshots_cpu += cpu;
                }
            }
            rounds.timed[kind].add(&histogram);
        }
    }
    let peak = memory::peak_rss().map_err(|error| format!("cannot read memory: {error}"))?;
    rounds.extra_bytes = peak.saturating_sub(resident);
    // Last, since reading one takes memory too.
    rounds.sites = live_sites(&snapshot()?)?;
    Ok(rounds)
}

/// Runs `timing` while another thread runs `work`, which is to return once it is told to stop.
fn beside<T: Send>(
    work: impl FnOnce(&AtomicBool) -> Result<T, String> + Send,
    timing: impl FnOnce(),
) -> Result<T, String> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let worker = scope.spawn(|| work(&stop));
        timing();
        stop.store(true, Ordering::Relaxed);
        worker.join().map_err(|_| "the other thread panicked")?
    })
}

/// Times pairs for so long. Two readings of the clock are part of each.
fn window(length: Duration, histogram: &mut Histogram<u64>) {
    histogram.reset();
    let begin = Instant::now();
    let mut turn = 0u32;
    let mut passed = Duration::ZERO;
    while passed < length {
        turn = turn.wrapping_add(1);
        let path = turn.wrapping_mul(0x9e37_79b1) % PATHS;
        sites::on_path(path as usize, CALLS, &mut || {
            let start = Instant::now();
            drop(black_box(Box::new([0u8; 64])));
            let end = Instant::now();
            let took = u64::try_from((end - start).as_nanos()).unwrap_or(u64::MAX);
            histogram.saturating_record(took);
            passed = end - begin;
        });
    }
}

fn snapshot() -> Result<PathBuf, String> {
    heaplens::snapshot("latency").map_err(|error| format!("cannot take a snapshot: {error}"))
}

fn live_sites(snapshot: &Path) -> Result<usize, String> {
    let snapshot = heaplens::snapshot::read(snapshot, &Limits::default())
        .map_err(|error| format!("cannot read a snapshot: {error}"))?;
    let live = snapshot.sites.live_bytes.iter().filter(|bytes| **bytes > 0);
    Ok(live.count())
}

/// Takes snapshots until it is told to stop, at least one. Returns how many.
fn snapshot_until(stop: &AtomicBool) -> Result<u64, String> {
    let mut snapshots = 0;
    loop {
        snapshot()?;
        snapshots += 1;
        if stop.load(Ordering::Relaxed) {
            return Ok(snapshots);
        }
    }
}

/// Computes for that share of the time until it is told to stop.
fn compute(stop: &AtomicBool, share: f64) -> Result<(), String> {
    const SLICE: Duration = Duration::from_millis(10);
    let busy = SLICE.mul_f64(share.clamp(0.0, 1.0));
    while !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        while start.elapsed() < busy {
            black_box((0..1_000u64).fold(0, |sum, number| black_box(sum ^ number)));
        }
        thread::sleep(SLICE - busy);
    }
    Ok(())
}

/// CPU time of all threads but this one.
fn others_cpu_ns() -> u64 {
    let own = clocks::thread_cpu_ns();
    clocks::process_cpu_ns().saturating_sub(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_times_pairs_and_ends() {
        let mut histogram = histogram();
        window(Duration::from_millis(5), &mut histogram);
        assert!(histogram.len() > 10 && histogram.min() > 0);
    }

    #[test]
    fn the_other_thread_is_told_to_stop_and_its_failure_is_told() {
        assert_eq!(beside(|stop| compute(stop, 0.5), || ()), Ok(()));
        let failed: Result<(), _> = beside(|_| Err("no".to_owned()), || ());
        assert_eq!(failed, Err("no".to_owned()));
    }
}
