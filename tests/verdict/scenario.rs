//! Two hundred scenarios, each from its number: what the program does, how it is recorded, and how
//! it leaks if it does.

use crate::random::{spread, uniform};
use fastrand::Rng;

/// How many scenarios there are.
pub(crate) const SCENARIOS: u64 = 200;
/// Mean distance between samples, in bytes. Small, so that a run is cheap: power depends on the
/// number of samples, not on their size.
pub(crate) const SAMPLE_BYTES: f64 = 4096.0;

/// Tells a process which run it is.
const RUN: &str = "VERDICT_RUN";

/// One run of a scenario.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) scenario: Scenario,
    /// Of what happens by chance in this run.
    pub(crate) seed: u64,
    pub(crate) leaks: bool,
    text: String,
}

impl Run {
    pub(crate) fn new(number: u64, seed: u64, leaks: bool) -> Self {
        Self {
            scenario: Scenario::nth(number),
            seed,
            leaks,
            text: format!("{number} {seed} {}", u8::from(leaks)),
        }
    }

    /// The run that this process is to be.
    pub(crate) fn of_this_process() -> Option<Self> {
        let text = std::env::var(RUN).ok()?;
        let numbers: Vec<u64> = text
            .split(' ')
            .map(|number| number.parse().expect("a run is three numbers"))
            .collect();
        Some(Self::new(numbers[0], numbers[1], numbers[2] == 1))
    }

    /// What tells a process that it is this run.
    pub(crate) fn environment(&self) -> (&'static str, &str) {
        (RUN, &self.text)
    }
}

/// How a program leaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Leak {
    /// At an even rate.
    Steady,
    /// Under a load that rises.
    UnderRisingLoad,
    /// Several at a time, with pauses.
    InBursts,
    /// On one path of an owner that holds much, in and out, on another.
    NoisyOwner,
    /// On a path on which most blocks are freed.
    NoisyPath,
}

impl Leak {
    pub(crate) const ALL: [Self; 5] = [
        Self::Steady,
        Self::UnderRisingLoad,
        Self::InBursts,
        Self::NoisyOwner,
        Self::NoisyPath,
    ];
}

/// What else the program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Habit {
    /// Blocks come and go.
    Steady,
    /// Fills up, then replaces the oldest or any.
    Cache,
    /// Grows, and is freed in bulk.
    Sawtooth,
    /// Much for a short time.
    Burst,
    /// A level that follows a rising load.
    Ramp,
    /// A level that goes up and down.
    Wave,
    /// Kept for good: from the start, and a little later.
    Startup,
}

impl Habit {
    const ALL: [Self; 7] = [
        Self::Steady,
        Self::Cache,
        Self::Sawtooth,
        Self::Burst,
        Self::Ramp,
        Self::Wave,
        Self::Startup,
    ];
}

/// A scenario.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) exact: bool,
    pub(crate) snapshots: u32,
    /// Seconds between snapshots.
    pub(crate) interval: u32,
    pub(crate) leak: Leak,
    /// Bytes expected to leak from the first snapshot to the last, in sampling means.
    pub(crate) leaked_means: f64,
    pub(crate) habits: Vec<Habit>,
    /// Whether the program reports the work that it does.
    pub(crate) reports_work: bool,
}

impl Scenario {
    fn nth(number: u64) -> Self {
        let mut random = Rng::with_seed(0x5ca1_ab1e ^ number);
        let pick = |random: &mut Rng, from: &[u32]| from[random.usize(..from.len())];
        let mut habits = vec![Habit::ALL[number as usize % 7]];
        for _ in 0..random.usize(2..=5) {
            habits.push(Habit::ALL[random.usize(..7)]);
        }
        Self {
            exact: number % 4 == 3,
            snapshots: pick(&mut random, &[8, 8, 10, 12, 16, 24]),
            interval: pick(&mut random, &[60, 120, 300]),
            leak: Leak::ALL[(number / 4 + number / 20) as usize % 5],
            // A quarter of the scenarios leak just as much as is promised to be found.
            leaked_means: match number % 16 {
                0 | 5 | 10 | 15 => 20.0,
                _ => spread(&mut random, 20.0, 400.0),
            },
            habits,
            reports_work: random.bool(),
        }
    }

    /// Seconds from the start to the last snapshot.
    pub(crate) fn span(&self) -> f64 {
        f64::from(self.snapshots * self.interval)
    }

    /// Bytes leaked in a second on average.
    pub(crate) fn leak_rate(&self) -> f64 {
        self.leaked_means * SAMPLE_BYTES / f64::from((self.snapshots - 1) * self.interval)
    }
}

/// Numbers of a habit in one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Bytes: a level, or how high it gets.
    pub(crate) level: f64,
    /// Seconds that a block lives, on average.
    pub(crate) lifetime: f64,
    /// Seconds: a period, or until a cache is full.
    pub(crate) period: f64,
    /// Seconds: where a period begins, when a burst is.
    pub(crate) phase: f64,
    /// From what to what a load rises.
    pub(crate) factor: f64,
}

impl Shape {
    pub(crate) fn draw(random: &mut Rng, habit: Habit, span: f64) -> Self {
        let period = match habit {
            Habit::Cache => uniform(random, 0.08, 0.5),
            Habit::Sawtooth => uniform(random, 0.1, 0.4),
            Habit::Wave => uniform(random, 0.1, 0.5),
            _ => uniform(random, 0.02, 0.15),
        };
        let longest = match habit {
            Habit::Steady => span / 6.0,
            _ => 60.0,
        };
        Self {
            level: spread(random, 20e3, 150e3),
            lifetime: spread(random, 8.0, longest.max(10.0)),
            period: period * span,
            phase: uniform(random, 0.0, span),
            factor: uniform(random, 1.5, 4.0),
        }
    }
}
