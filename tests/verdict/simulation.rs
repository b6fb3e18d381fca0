//! One run: the program that a scenario describes, in time that is set.

use crate::parts::{Block, OWNERS, Owner, leaking, noisy_answer, noisy_index};
use crate::random::{events, exponential, uniform};
use crate::scenario::{Habit, Leak, Run, Shape};
use fastrand::Rng;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

/// Seconds between looks at the clock: the resolution of births.
const STEP: u32 = 10;
/// Sizes of blocks in bytes.
const SIZES: std::ops::Range<usize> = 64..1500;
const MEAN_SIZE: f64 = 781.5;
/// More blocks than any habit keeps, so that what keeps them does not grow.
const ROOM: usize = 4 << 10;
/// Units of work in a step, before the load rises.
const WORK: f64 = 100.0;

/// Is the program of this run, and takes its snapshots.
pub(crate) fn run(run: &Run) {
    let _profiler = heaplens::start(heaplens::Config::new()).expect("nothing else starts it");
    let scenario = &run.scenario;
    let span = scenario.span();
    let seed = run.seed << 1 | u64::from(run.leaks);
    let mut random = Rng::with_seed(seed);
    let random = &mut random;
    let mut habits: Vec<Running> = scenario
        .habits
        .iter()
        .zip(OWNERS)
        .map(|(&habit, owner)| Running::new(habit, owner, Shape::draw(random, habit, span)))
        .collect();
    if matches!(scenario.leak, Leak::NoisyOwner | Leak::NoisyPath) {
        // Also without the leak: noise alone is none.
        let noise = Shape {
            level: 150e3,
            lifetime: uniform(random, 5.0, 30.0),
            ..Shape::draw(random, Habit::Steady, span)
        };
        habits.push(Running::new(Habit::Steady, noisy_answer, noise));
    }
    let mut leak = Leaking::new(run, random);
    for second in (0..=scenario.snapshots * scenario.interval).step_by(STEP as usize) {
        heaplens::set_uptime(Duration::from_secs(second.into()));
        // At each step, since what a snapshot allocates is not always the same. Distances to samples
        // have no memory, so drawing a fresh one changes nothing for the estimates.
        heaplens::internals::seed_sampling(seed ^ u64::from(second) << 32);
        let now = f64::from(second);
        for habit in &mut habits {
            habit.step(now, span, random);
        }
        if run.leaks {
            leak.step(now, span, random);
        }
        if scenario.reports_work {
            let load = habits.iter().map(|habit| habit.load(now, span));
            heaplens::work_done((WORK * load.fold(1.0, f64::max)) as u64);
        }
        if second > 0 && second % scenario.interval == 0 {
            heaplens::snapshot("step").expect("a snapshot");
        }
    }
}

/// A block, and the second that it dies at.
struct Mortal(
    f64,
    #[allow(dead_code, reason = "is kept, and freed when dropped")] Block,
);

impl PartialEq for Mortal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Mortal {}

impl PartialOrd for Mortal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Mortal {
    fn cmp(&self, other: &Self) -> Ordering {
        // The first to die is the greatest.
        other.0.total_cmp(&self.0)
    }
}

/// A habit in a run.
struct Running {
    habit: Habit,
    owner: Owner,
    shape: Shape,
    mortal: BinaryHeap<Mortal>,
    kept: VecDeque<Block>,
}

impl Running {
    fn new(habit: Habit, owner: Owner, shape: Shape) -> Self {
        Self {
            habit,
            owner,
            shape,
            mortal: BinaryHeap::with_capacity(ROOM),
            kept: VecDeque::with_capacity(ROOM),
        }
    }

    /// By how much the load is above that of the start.
    fn load(&self, now: f64, span: f64) -> f64 {
        match self.habit {
            Habit::Ramp => 1.0 + (self.shape.factor - 1.0) * now / span,
            _ => 1.0,
        }
    }

    fn step(&mut self, now: f64, span: f64, random: &mut Rng) {
        let step = f64::from(STEP);
        let Shape {
            level,
            lifetime,
            period,
            phase,
            ..
        } = self.shape;
        while self.mortal.peek().is_some_and(|block| block.0 <= now) {
            self.mortal.pop();
        }
        let mortals = level / MEAN_SIZE / lifetime * step;
        match self.habit {
            Habit::Steady | Habit::Ramp => {
                self.bear(now, mortals * self.load(now, span), random);
            }
            Habit::Wave => {
                let swing = ((now + phase) / period * std::f64::consts::TAU).sin();
                self.bear(now, mortals * (1.0 + 0.8 * swing), random);
            }
            Habit::Burst => {
                // Two of them, and a little all the time.
                let is_on = (now - phase).abs() < period / 2.0
                    || (now - phase + span / 2.0).abs() < period / 2.0;
                self.bear(now, mortals * if is_on { 4.0 } else { 0.2 }, random);
            }
            Habit::Sawtooth => {
                if (now + phase) % period < step {
                    self.kept.clear();
                }
                self.keep(level / MEAN_SIZE / period * step, random);
            }
            Habit::Cache => {
                self.keep(level / MEAN_SIZE / period * step, random);
                while self.kept.len() as f64 > level / MEAN_SIZE {
                    // The oldest for half of the caches, any for the others.
                    let at = match phase < span / 2.0 {
                        true => 0,
                        false => random.usize(..self.kept.len()),
                    };
                    self.kept.remove(at);
                }
            }
            Habit::Startup => {
                // Half at once, then four more times in the first half.
                let is_late = (1..=4).any(|k| (now - f64::from(k) * span / 8.0).abs() < step / 2.0);
                if now == 0.0 {
                    self.keep(level / MEAN_SIZE / 2.0, random);
                } else if is_late {
                    self.keep(level / MEAN_SIZE / 8.0, random);
                }
            }
        }
    }

    fn bear(&mut self, now: f64, mean: f64, random: &mut Rng) {
        for _ in 0..events(random, mean) {
            let end = now + exponential(random, self.shape.lifetime);
            self.mortal
                .push(Mortal(end, (self.owner)(random.usize(SIZES))));
        }
    }

    fn keep(&mut self, mean: f64, random: &mut Rng) {
        for _ in 0..events(random, mean) {
            self.kept.push_back((self.owner)(random.usize(SIZES)));
        }
    }
}

/// The leak of a run.
struct Leaking {
    leak: Leak,
    owner: Owner,
    /// Blocks in a second.
    rate: f64,
    shape: Shape,
    leaked: Vec<Block>,
}

impl Leaking {
    fn new(run: &Run, random: &mut Rng) -> Self {
        let scenario = &run.scenario;
        let rate = scenario.leak_rate() / MEAN_SIZE;
        Self {
            leak: scenario.leak,
            owner: match scenario.leak {
                Leak::NoisyOwner => noisy_index,
                Leak::NoisyPath => noisy_answer,
                _ => leaking,
            },
            rate,
            shape: Shape::draw(random, Habit::Ramp, scenario.span()),
            leaked: Vec::with_capacity((rate * scenario.span()) as usize * 2 + 256),
        }
    }

    fn step(&mut self, now: f64, span: f64, random: &mut Rng) {
        let rate = self.rate * f64::from(STEP);
        let rate = match self.leak {
            Leak::UnderRisingLoad => {
                let rise = self.shape.factor - 1.0;
                rate * (1.0 + rise * now / span) / (1.0 + rise / 2.0)
            }
            // Six times as much in a sixth of the time.
            Leak::InBursts => match (now / f64::from(STEP)) as u32 % 6 {
                0 => rate * 6.0,
                _ => 0.0,
            },
            _ => rate,
        };
        for _ in 0..events(random, rate) {
            self.leaked.push((self.owner)(random.usize(SIZES)));
        }
    }
}
