//! The numbers of each site, read from the tables while the program runs on.
//!
//! Few nodes of the tree are sites: most are callers alone. Only sites get a row, and a table that
//! was never written to is not read.

use crate::recorder::Recorder;
use crate::recorder::ages::{AgeBins, TICK_SECONDS, class_of};
use crate::recorder::poisson::Weight;
use crate::snapshot::{AGE_CLASSES, Totals};
use crate::tables::counters::{Counters, Sums};
use crate::tables::site_tree::NodeId;

/// Times that a site's counters are read before a moving one is taken as it is.
const ROUNDS: usize = 8;

/// A site with anything recorded.
#[derive(Default)]
pub(super) struct Row {
    pub(super) site: NodeId,
    pub(super) sums: Sums,
    pub(super) ages: [i64; AGE_CLASSES],
    pub(super) live_samples: u64,
    pub(super) total_samples: u64,
    pub(super) live_variance: f64,
    pub(super) total_variance: f64,
    /// Sampled mode: live blocks, before they are rounded.
    pub(super) live_count: f64,
}

/// Rows, found by their sites.
struct Rows {
    rows: Vec<Row>,
    /// For each node the place of its row, plus one; 0 for none.
    places: Vec<u32>,
}

impl Rows {
    /// No rows yet, for sites below `sites`.
    fn new(sites: usize) -> Self {
        Self {
            rows: Vec::new(),
            places: vec![0; sites],
        }
    }

    fn has(&self, site: NodeId) -> bool {
        self.places
            .get(site as usize)
            .is_some_and(|&place| place != 0)
    }

    /// The row of a site, which is added where it is missing. `None` for a site that is newer than
    /// this snapshot: it belongs to the next one.
    fn of(&mut self, site: NodeId) -> Option<&mut Row> {
        let place = self.places.get_mut(site as usize)?;
        if *place == 0 {
            self.rows.push(Row {
                site,
                ..Row::default()
            });
            *place = self.rows.len() as u32;
        }
        self.rows.get_mut(*place as usize - 1)
    }

    /// Those that `keep` keeps, in the order of their sites.
    fn finish(self, keep: impl FnMut(&Row) -> bool) -> Vec<Row> {
        let mut rows = self.rows;
        rows.retain(keep);
        rows.sort_unstable_by_key(|row| row.site);
        rows
    }
}

/// Exact mode: the sum of all sites but our own. A change that is flushed meanwhile may count twice or
/// not at all.
pub(super) fn totals_exact(recorder: &Recorder) -> Totals {
    let counters = &recorder.counters;
    let own = recorder.own_site();
    let sites = recorder.walker.tree.len().min(counters.len());
    let mut totals = Totals::default();
    for site in (0..sites as NodeId).filter(|&site| site != own) {
        if flushes(counters, site) != 0 {
            let (row, _) = counters.read(site as usize);
            add(&mut totals, &row);
        }
    }
    let mut cached = Sums::default();
    for cache in recorder.threads.caches() {
        cache.read(|site, _, delta| {
            if site != own {
                cached.add(&delta);
            }
        });
    }
    add(&mut totals, &cached);
    totals
}

/// Adds what a site, or several, sum up to.
pub(super) fn add(totals: &mut Totals, sums: &Sums) {
    totals.live_bytes = totals.live_bytes.saturating_add(sums.live_bytes);
    totals.live_count = totals.live_count.saturating_add(sums.live_count);
    totals.total_bytes = totals.total_bytes.saturating_add(sums.total_bytes);
    totals.total_count = totals.total_count.saturating_add(sums.total_count);
}

/// Sampled mode: the weights of the live samples, and of all ever taken.
pub(super) fn totals_sampled(recorder: &Recorder) -> Totals {
    let mut totals = Totals::default();
    for site in 0..recorder.walker.tree.len() as NodeId {
        let sampled = recorder.samples.totals(site);
        totals.total_bytes = totals.total_bytes.saturating_add(sampled.bytes);
        totals.total_count = totals.total_count.saturating_add(sampled.count);
    }
    let mut live = Weight::default();
    for sample in recorder.samples.live() {
        let weight = Weight::of(sample.size, sample.mean);
        live.bytes += weight.bytes;
        live.count += weight.count;
        live.variance += weight.variance;
    }
    totals.live_bytes = live.bytes.round() as i64;
    totals.live_count = live.count.round() as i64;
    totals.live_bytes_variance = live.variance;
    totals
}

/// Exact mode: shared rows and threads' caches. A site whose counters were flushed in between is
/// read again. Returns how many were still moving at the last try.
pub(super) fn exact(recorder: &Recorder, bins: &AgeBins) -> (Vec<Row>, u64) {
    let counters = &recorder.counters;
    let sites = recorder.walker.tree.len().min(counters.len());
    let mut rows = Rows::new(sites);
    let mut reading: Vec<NodeId> = (0..sites as NodeId).collect();
    let mut is_reading = vec![true; sites];
    for _ in 0..ROUNDS {
        let mut before = Vec::with_capacity(reading.len());
        for &site in &reading {
            let flushes = flushes(counters, site);
            before.push(flushes);
            // A shared row that was never flushed to holds nothing.
            if flushes == 0 && !rows.has(site) {
                continue;
            }
            let (sums, by_bin) = counters.read(site as usize);
            if let Some(row) = rows.of(site) {
                row.sums = sums;
                row.ages = bins.classes(&by_bin);
            }
        }
        for cache in recorder.threads.caches() {
            cache.read(|site, birth, delta| {
                if !is_reading.get(site as usize).is_some_and(|&is| is) {
                    return;
                }
                if let Some(row) = rows.of(site) {
                    row.sums.add(&delta);
                    let class = &mut row.ages[bins.class_of_bin(recorder.ages.bin(birth))];
                    *class = class.wrapping_add(delta.live_bytes());
                }
            });
        }
        reading = reading
            .into_iter()
            .zip(before)
            .filter(|&(site, before)| before == IN_FLIGHT || flushes(counters, site) != before)
            .map(|(site, _)| site)
            .collect();
        if reading.is_empty() {
            break;
        }
        is_reading.fill(false);
        for &site in &reading {
            is_reading[site as usize] = true;
        }
    }
    let unsettled = reading.len() as u64;
    (rows.finish(|row| row.sums != Sums::default()), unsettled)
}

/// A flush is under way.
const IN_FLIGHT: u32 = u32::MAX;

/// How often a shared row was flushed to, modulo 2^32.
fn flushes(counters: &Counters, site: NodeId) -> u32 {
    // Both halves are the same in a row that is settled.
    counters
        .settled(site as usize)
        .map_or(IN_FLIGHT, |flushes| flushes as u32)
}

/// Sampled mode: the weights of the live samples, and of all ever taken.
pub(super) fn sampled(recorder: &Recorder) -> Vec<Row> {
    let sites = recorder.walker.tree.len();
    let mut rows = Rows::new(sites);
    for site in 0..sites as NodeId {
        let totals = recorder.samples.totals(site);
        if totals.samples == 0 {
            continue;
        }
        if let Some(row) = rows.of(site) {
            row.sums.total_bytes = totals.bytes;
            row.sums.total_count = totals.count;
            row.total_samples = totals.samples;
            row.total_variance = totals.variance;
        }
    }
    let now = recorder.ages.now();
    for sample in recorder.samples.live() {
        let Some(row) = rows.of(sample.site) else {
            continue;
        };
        let weight = Weight::of(sample.size, sample.mean);
        let bytes = weight.bytes.round() as i64;
        let ticks = now.saturating_sub(sample.birth).saturating_sub(1);
        row.sums.live_bytes += bytes;
        row.ages[class_of(u64::from(ticks) * TICK_SECONDS)] += bytes;
        row.live_samples += 1;
        row.live_variance += weight.variance;
        row.live_count += weight.count;
    }
    for row in &mut rows.rows {
        row.sums.live_count = row.live_count.round() as i64;
    }
    rows.finish(|_| true)
}
