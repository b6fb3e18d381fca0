//! One program over time, look by look: how fast it grows, and which owners do.
//!
//! Growth counts from the first look at a run. A run that was started again counts from its own first
//! look; that is told by its start, or by a clock that has gone back.

use heaplens::snapshot::{Header, ProcessMemory};
use rustc_hash::FxHashMap;

use super::top::{By, Sort, TopRow, top};
use crate::profile::{NodeId, Profile, run_of};

/// What is shown of one look.
#[derive(Debug, Clone)]
pub struct View<'a> {
    /// What the owners are nodes of.
    pub profile: &'a Profile,
    /// Totals, times and memory.
    pub header: &'a Header,
    /// Time since the first look at this run, on its own clock.
    pub watched_ms: u64,
    /// Change a second since the look before; none at the first.
    pub rates: Option<Rates>,
    /// Owners that hold more than at the first look, the largest growth first.
    pub owners: Vec<Growth>,
    /// Set where the run before was another one: how long it had been up.
    pub restarted_after_ms: Option<u64>,
}

/// Change in bytes a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Of live bytes.
    pub live: f64,
    /// Bytes allocated.
    pub allocated: f64,
    /// Of the resident set, where that is known.
    pub resident: Option<f64>,
}

/// An owner that grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// The owner.
    pub node: NodeId,
    /// Live bytes now.
    pub live_bytes: i64,
    /// Live bytes more than at the first look.
    pub growth_bytes: i64,
    /// The same a second.
    pub bytes_per_second: f64,
}

/// A program that is watched.
#[derive(Debug, Default)]
pub struct Watched {
    run: Option<Run>,
    restarted_after_ms: Option<u64>,
}

/// The run that is watched now.
#[derive(Debug)]
struct Run {
    first_uptime_ms: u64,
    /// Live bytes of each owner at the first look.
    first: FxHashMap<String, i64>,
    last: Header,
}

impl Watched {
    /// Takes in a look.
    pub fn see<'a>(&mut self, profile: &'a Profile, header: &'a Header) -> View<'a> {
        let rows = top(profile, By::Owner, Sort::Live);
        if let Some(run) = &self.run
            && !is_same_run(&run.last, header)
        {
            self.restarted_after_ms = Some(run.last.uptime_ms);
            self.run = None;
        }
        let rates = self.run.as_ref().and_then(|run| rates(&run.last, header));
        let run = self.run.get_or_insert_with(|| Run {
            first_uptime_ms: header.uptime_ms,
            first: rows
                .iter()
                .map(|row| (row.name(By::Owner).to_owned(), row.values.live_bytes))
                .collect(),
            last: header.clone(),
        });
        let watched_ms = header.uptime_ms.saturating_sub(run.first_uptime_ms);
        let growth = |row: &TopRow<'_>| {
            let live_bytes = row.values.live_bytes;
            let before = run.first.get(row.name(By::Owner)).copied().unwrap_or(0);
            let growth_bytes = live_bytes.saturating_sub(before);
            (growth_bytes > 0).then(|| Growth {
                node: row.owner(),
                live_bytes,
                growth_bytes,
                bytes_per_second: per_second(growth_bytes as f64, watched_ms),
            })
        };
        let mut owners: Vec<Growth> = rows.iter().filter_map(growth).collect();
        owners.sort_by_key(|owner| std::cmp::Reverse(owner.growth_bytes));
        run.last = header.clone();
        View {
            profile,
            header,
            watched_ms,
            rates,
            owners,
            restarted_after_ms: self.restarted_after_ms,
        }
    }
}

fn is_same_run(before: &Header, after: &Header) -> bool {
    run_of(&before.program) == run_of(&after.program) && before.uptime_ms <= after.uptime_ms
}

fn rates(before: &Header, after: &Header) -> Option<Rates> {
    let ms = after.uptime_ms.checked_sub(before.uptime_ms)?;
    let change = |before: i128, after: i128| per_second((after - before) as f64, ms);
    let (old, new) = (&before.totals, &after.totals);
    let resident = |memory: &ProcessMemory| memory.rss_bytes.map(i128::from);
    let resident = resident(&before.memory).zip(resident(&after.memory));
    (ms > 0).then(|| Rates {
        live: change(old.live_bytes.into(), new.live_bytes.into()),
        allocated: change(old.total_bytes.into(), new.total_bytes.into()),
        resident: resident.map(|(old, new)| change(old, new)),
    })
}

fn per_second(amount: f64, ms: u64) -> f64 {
    match ms {
        0 => 0.0,
        ms => amount * 1000.0 / ms as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(started_unix_ms: u64, uptime_ms: u64, live_bytes: i64) -> Header {
        let mut header = Header {
            uptime_ms,
            ..Header::default()
        };
        header.program.started_unix_ms = started_unix_ms;
        header.totals.live_bytes = live_bytes;
        header.totals.total_bytes = uptime_ms * 10;
        header
    }

    /// What is seen of these headers, one after the other.
    fn seen(headers: &[Header]) -> Vec<(Option<Rates>, u64, Option<u64>)> {
        let (mut watched, profile) = (Watched::default(), Profile::default());
        let see = |header| {
            let view = watched.see(&profile, header);
            (view.rates, view.watched_ms, view.restarted_after_ms)
        };
        headers.iter().map(see).collect()
    }

    #[test]
    fn rates_count_from_the_look_before() {
        let rates = Rates {
            live: -25.0,
            allocated: 10_000.0,
            resident: None,
        };
        let headers = [(1_000, 100), (3_000, 50), (3_000, 70)];
        assert_eq!(
            seen(&headers.map(|(uptime, live)| header(1, uptime, live))),
            [
                (None, 0, None),
                (Some(rates), 2_000, None),
                (None, 2_000, None)
            ]
        );
    }

    #[test]
    fn a_run_that_was_started_again_counts_anew() {
        // The third has another start, though its clock is further; the fourth tells none, but its
        // clock has gone back.
        let headers = [(1, 5_000), (1, 9_000), (2, 10_000), (2, 100), (2, 200)];
        let seen = seen(&headers.map(|(start, uptime)| header(start, uptime, 0)));
        let restarted: Vec<_> = seen.iter().map(|(_, _, after)| *after).collect();
        let (first, second) = (Some(9_000), Some(10_000));
        assert_eq!(restarted, [None, None, first, second, second]);
        let watched: Vec<_> = seen.iter().map(|(_, watched, _)| *watched).collect();
        assert_eq!(watched, [0, 4_000, 0, 0, 100]);
    }
}
