//! How much of a workload is run, and the clocks around it.
//!
//! A workload is a function that does a given number of units, each of at least a millisecond. It is
//! first run for a while unmeasured: caches fill, call sites become known, and the time of a unit
//! shows how many fit the budget. All of a slow allocator's runs then take as long as a fast one's,
//! and a ratio compares times per unit.

use measure::{Measurement, clocks, memory};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget(pub Amount);

/// An amount of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// As many units as take about this much CPU time, and at least one.
    Cpu(Duration),
    /// So many units, whatever they take: for counting instructions.
    Units(u64),
}

impl Budget {
    /// Warms up and measures `run`, which does as many units as it is told.
    pub(crate) fn measure(self, operations_per_unit: u64, mut run: impl FnMut(u64)) -> Measurement {
        let units = match self.0 {
            Amount::Cpu(time) => units_for(time, &mut run),
            Amount::Units(units) => {
                run(units.div_ceil(4));
                units
            }
        };
        let (cpu, wall) = (clocks::process_cpu_ns(), Instant::now());
        run(units);
        let (cpu_ns, wall) = (clocks::process_cpu_ns() - cpu, wall.elapsed());
        Measurement {
            operations: units * operations_per_unit,
            cpu_ns,
            wall_ns: u64::try_from(wall.as_nanos()).expect("less than centuries"),
            peak_rss_bytes: memory::peak_rss().expect("/proc is mounted"),
            p99_ns: None,
        }
    }

    /// The same on `threads` threads at once, which live from the warm-up on and each do every unit.
    /// `worker` makes what a thread does, on that thread.
    pub(crate) fn measure_threads<Unit: FnMut()>(
        self,
        threads: usize,
        operations_per_unit: u64,
        worker: impl Fn(usize) -> Unit + Sync,
    ) -> Measurement {
        /// Units of the round that comes; zero ends the threads.
        static ROUND: AtomicU64 = AtomicU64::new(0);
        let gate = Barrier::new(threads + 1);
        let (gate, worker) = (&gate, &worker);
        thread::scope(|scope| {
            for index in 0..threads {
                scope.spawn(move || {
                    let mut unit = worker(index);
                    loop {
                        gate.wait();
                        let units = ROUND.load(Ordering::Relaxed);
                        if units == 0 {
                            return;
                        }
                        (0..units).for_each(|_| unit());
                        gate.wait();
                    }
                });
            }
            let mut round = |units| {
                ROUND.store(units, Ordering::Relaxed);
                gate.wait();
                gate.wait();
            };
            let operations = operations_per_unit * threads as u64;
            let measurement = self.measure(operations, &mut round);
            ROUND.store(0, Ordering::Relaxed);
            gate.wait();
            measurement
        })
    }
}

/// Warms up for at least a quarter of `time`, and tells how many units take `time`.
fn units_for(time: Duration, run: &mut impl FnMut(u64)) -> u64 {
    let time = time.as_nanos() as f64;
    let mut units = 1;
    loop {
        let begin = clocks::process_cpu_ns();
        run(units);
        let took = (clocks::process_cpu_ns() - begin) as f64;
        if took * 8.0 >= time {
            return ((time / took * units as f64) as u64).max(1);
        }
        units *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    #[test]
    fn a_number_of_units_is_kept_after_a_quarter_of_it_as_warm_up() {
        let mut calls = Vec::new();
        let measurement = Budget(Amount::Units(8)).measure(10, |units| calls.push(units));
        assert_eq!(calls, [2, 8]);
        assert_eq!(measurement.operations, 80);
    }

    #[test]
    fn time_is_filled_with_units() {
        let mut done = 0;
        let budget = Budget(Amount::Cpu(Duration::from_millis(5)));
        let measurement = budget.measure(1, |units| {
            for _ in 0..units * 10_000 {
                done = black_box(done + 1);
            }
        });
        assert!(measurement.operations >= 1 && measurement.cpu_ns > 0);
    }

    #[test]
    fn every_thread_does_every_unit() {
        let done = AtomicU64::new(0);
        let measurement = Budget(Amount::Units(4)).measure_threads(3, 2, |_| {
            || {
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
        assert_eq!(done.into_inner(), 3 * (1 + 4));
        assert_eq!(measurement.operations, 3 * 4 * 2);
    }
}
