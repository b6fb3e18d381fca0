//! The process as a whole: is it a leak, a cache, fragmentation or memory that nobody tracks? When
//! is the limit reached? And what do losses mean for what was judged?

use heaplens::snapshot::{Header, RecorderMode};

use super::finding::{Class, Suspects};
use super::judge::{FULL_SNAPSHOTS, SIGNIFICANT, is_at_end};
use crate::analysis::trend::{mann_kendall, theil_sen};

/// Where a process's growth comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Diagnosis {
    /// Live memory of leaking sites grows.
    Leak,
    /// Live memory grows, and it is too early to tell whether it leaks.
    LeakOrCache,
    /// Live memory grows, and nothing leaks.
    Cache,
    /// What the allocator keeps grows, and live memory does not.
    Fragmentation,
    /// Resident memory grows, and neither live memory nor what the allocator keeps does.
    Untracked,
    /// Resident memory grows, live memory does not, and the allocator does not tell what it keeps.
    FragmentationOrUntracked,
    /// Something has grown, and there are too few snapshots to tell whether it goes on.
    TooEarly,
    /// Nothing grows for sure.
    Steady,
}

/// A number of the process at the first and the last snapshot after warm-up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantity {
    /// In bytes, at first.
    pub first: i64,
    /// In bytes, at last.
    pub last: i64,
    /// Theil–Sen slope in bytes a second.
    pub rate: f64,
    /// Whether it [has grown](Self::has_grown), and that is no chance, by the test of trend.
    pub grows: bool,
}

impl Quantity {
    /// Whether there is more of it at last than at first, by one percent at least.
    pub fn has_grown(&self) -> bool {
        (self.last - self.first) as f64 >= LEAST_GROWTH * self.first.max(1) as f64
    }
}

/// What the process's memory is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Program {
    /// Live bytes as heaplens tracks them.
    pub live: Quantity,
    /// What the allocator keeps resident, where it tells.
    pub allocator: Option<Quantity>,
    /// Resident memory of the process without heaplens' own, where the system tells.
    pub resident: Option<Quantity>,
    /// Where growth comes from.
    pub diagnosis: Diagnosis,
}

/// Least growth of a quantity to be any, as a part of it.
const LEAST_GROWTH: f64 = 0.01;

/// Looks at the process as a whole; `None` without any snapshot.
pub fn program(suspects: &Suspects<'_>) -> Option<Program> {
    let times = &suspects.times[suspects.warm_up..];
    let quantity = |of: &dyn Fn(&Header) -> Option<i64>| {
        let values: Option<Vec<i64>> = suspects.used[suspects.warm_up..]
            .iter()
            .map(|&at| of(&suspects.history.snapshots[at].header))
            .collect();
        let values = values?;
        let (first, last) = (*values.first()?, *values.last()?);
        let numbers: Vec<f64> = values.iter().map(|&v| v as f64).collect();
        let quantity = Quantity {
            first,
            last,
            rate: theil_sen(times, &numbers).rate,
            grows: false,
        };
        let grows = quantity.has_grown() && mann_kendall(&numbers) <= SIGNIFICANT;
        Some(Quantity { grows, ..quantity })
    };
    let live = quantity(&|header| Some(header.totals.live_bytes))?;
    let allocator = quantity(&|header| bytes(header.memory.allocator_resident_bytes?));
    let resident = quantity(&|header| {
        let overhead = &header.overhead;
        let own = overhead.tables_bytes.saturating_add(overhead.block_bytes);
        Some(bytes(header.memory.rss_bytes?)?.saturating_sub(bytes(own)?))
    });
    let any = |class| suspects.of(class).next().is_some();
    let diagnosis = match (allocator, resident) {
        _ if suspects.growing().next().is_some() => Diagnosis::Leak,
        _ if live.grows && any(Class::Leak) => Diagnosis::Leak,
        _ if live.grows && any(Class::TooLittle) => Diagnosis::LeakOrCache,
        _ if live.grows => Diagnosis::Cache,
        (Some(allocator), _) if allocator.grows => Diagnosis::Fragmentation,
        (allocator, Some(resident)) if resident.grows => match allocator {
            Some(_) => Diagnosis::Untracked,
            None => Diagnosis::FragmentationOrUntracked,
        },
        (_, resident) if times.len() < FULL_SNAPSHOTS => {
            match live.has_grown() || resident.is_some_and(|resident| resident.has_grown()) {
                true => Diagnosis::TooEarly,
                false => Diagnosis::Steady,
            }
        }
        _ => Diagnosis::Steady,
    };
    Some(Program {
        live,
        allocator,
        resident,
        diagnosis,
    })
}

fn bytes(amount: u64) -> Option<i64> {
    i64::try_from(amount).ok()
}

/// A limit of memory, and when it is reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// In bytes.
    pub bytes: u64,
    /// What counts towards it at the newest snapshot, where known.
    pub used: u64,
    /// When that snapshot was taken, in milliseconds since the Unix epoch.
    pub taken_unix_ms: u64,
    /// Seconds from the newest snapshot at the faster of two rates: that of all leaks, and that of resident
    /// memory where it grows. `None` if nothing leaks, and resident memory grows with live memory at most.
    pub reached_in_seconds: Option<f64>,
    /// Whether the rate is that of resident memory.
    pub is_by_resident: bool,
}

/// The newest snapshot that tells what is used: why it was taken does not matter to that.
fn newest<'a>(suspects: &'a Suspects<'_>) -> Option<&'a Header> {
    let newest_first = suspects.history.snapshots.iter().rev();
    let mut headers = newest_first.map(|source| &source.header);
    headers.find(|header| !is_at_end(header.reason))
}

/// The limit that was given, else that of the control group, in bytes.
pub fn limit_bytes(suspects: &Suspects<'_>, given: Option<u64>) -> Option<u64> {
    given.or(newest(suspects)?.memory.cgroup_limit_bytes)
}

/// The same, and when it is reached, for the process as [`program()`] sees it.
pub fn limit(
    suspects: &Suspects<'_>,
    program: Option<&Program>,
    given: Option<u64>,
) -> Option<Limit> {
    let bytes = limit_bytes(suspects, given)?;
    let header = newest(suspects)?;
    let memory = &header.memory;
    let used = match given {
        None => memory.cgroup_usage_bytes.or(memory.rss_bytes),
        Some(_) => memory.rss_bytes,
    };
    let live = u64::try_from(header.totals.live_bytes).unwrap_or(0);
    let used = used.unwrap_or(live);
    let leaks = suspects.leak_rate();
    let resident = program
        .filter(|program| leaks > 0.0 || !program.live.grows)
        .and_then(|program| program.resident)
        .filter(|resident| resident.grows);
    let resident = resident.map_or(0.0, |resident| resident.rate);
    let rate = leaks.max(resident);
    let room = bytes.saturating_sub(used) as f64;
    Some(Limit {
        bytes,
        used,
        taken_unix_ms: header.taken_unix_ms,
        reached_in_seconds: (rate > 0.0).then(|| room / rate),
        is_by_resident: resident > leaks,
    })
}

/// The part of all allocations that was recorded, as far as the losses tell: 0 to 1. What was not is
/// in no series, so this is a bound on how sure anything can be.
pub fn recorded_share(suspects: &Suspects<'_>) -> f64 {
    let Some(newest) = suspects.history.snapshots.last() else {
        return 1.0;
    };
    let header = &newest.header;
    let lost = (header.losses.stack_table_full + header.losses.sample_table_full) as f64;
    let seen = match header.recorder.mode {
        // A lost sample stands for a sampling mean of bytes, or for its own size where that is more.
        RecorderMode::Sampled => {
            header.totals.total_bytes as f64 / (header.recorder.sample_bytes.max(1) as f64)
        }
        _ => header.totals.total_count as f64,
    };
    if lost > 0.0 {
        seen / (seen + lost)
    } else {
        1.0
    }
}
