//! Which values of a sample are which numbers of a site, and how sure they are.

use heaplens::snapshot::{ErrorKind, Sites};

use super::budget::{Budget, GROWTH};
use super::tables::Tables;

/// What one site takes in its columns.
const SITE_BYTES: u64 = GROWTH * (4 + 6 * 8);

/// Places of the numbers among the values of a sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns {
    values: usize,
    live_bytes: usize,
    live_count: Option<usize>,
    total_bytes: Option<usize>,
    total_count: Option<usize>,
    /// Mean distance between samples in bytes: 1 if all was recorded, 0 where it is not told.
    pub(super) mean: u64,
}

/// The start of a text, for a message.
fn short(text: &[u8]) -> String {
    const MOST_BYTES: usize = 40;
    String::from_utf8_lossy(&text[..text.len().min(MOST_BYTES)]).into_owned()
}

/// Numbers of one sample.
#[derive(Debug, Default, Clone, Copy)]
struct Numbers {
    bytes: i64,
    count: Option<i64>,
}

impl Columns {
    /// Finds them by their types' names: Go's, or those of tcmalloc and of what pprof makes of older
    /// formats.
    pub(super) fn of(tables: &Tables<'_>) -> Result<Self, String> {
        let types: Vec<[&[u8]; 2]> = tables
            .sample_types
            .iter()
            .map(|&(name, unit)| [name, unit].map(|text| tables.text(text)))
            .collect();
        let find = |names: &[&str], unit: &str| {
            names.iter().find_map(|wanted| {
                let is_it = |[name, of]: &[&[u8]; 2]| {
                    *name == wanted.as_bytes() && (*of == unit.as_bytes() || of.is_empty())
                };
                types.iter().position(is_it)
            })
        };
        let live_bytes = find(&["inuse_space", "space"], "bytes").ok_or_else(|| {
            let types: Vec<String> = types
                .iter()
                .take(8)
                .map(|pair| pair.map(short).join("/"))
                .collect();
            format!(
                "a pprof profile, but of no heap: its samples have {}, and a heap's have \
                 inuse_space/bytes or space/bytes",
                if types.is_empty() {
                    "no values".to_owned()
                } else {
                    types.join(", ")
                }
            )
        })?;
        let is_by_bytes = tables.text(tables.period_type.0) == b"space";
        Ok(Self {
            values: types.len(),
            live_bytes,
            live_count: find(&["inuse_objects", "objects"], "count"),
            total_bytes: find(&["alloc_space"], "bytes"),
            total_count: find(&["alloc_objects"], "count"),
            mean: u64::try_from(tables.period).unwrap_or(0) * u64::from(is_by_bytes),
        })
    }

    /// What is not told, and how that shows; none if all is.
    pub(super) fn unknown(&self) -> Option<String> {
        let unknown: Vec<&str> = [
            (self.live_count.is_none(), "numbers of blocks (shown as 0)"),
            (
                self.total_bytes.is_none(),
                "what was ever allocated (shown as 0), so that nobody knows what is freed",
            ),
            (
                self.mean == 0,
                "how samples were taken, so that there are no error bars",
            ),
        ]
        .into_iter()
        .filter_map(|(is_unknown, what)| is_unknown.then_some(what))
        .collect();
        (!unknown.is_empty()).then(|| {
            format!(
                "pprof profiles of this kind do not tell {}",
                unknown.join("; nor ")
            )
        })
    }
}

impl Columns {
    /// Adds a sample as a site whose stack ends in row `stack`. Samples with one stack stay apart, as
    /// those of different sizes do.
    pub(super) fn add(
        &self,
        sites: &mut Sites,
        stack: u32,
        values: &[i64],
        budget: &mut Budget,
    ) -> Result<(), ErrorKind> {
        let sample = sites.stack.len() + 1;
        if values.len() != self.values {
            return Err(ErrorKind::Damaged(format!(
                "sample {sample} has {} values, but there are {} types of them",
                values.len(),
                self.values
            )));
        }
        budget.take(SITE_BYTES)?;
        let at = |place: Option<usize>| place.map(|place| values[place]);
        let live = Numbers {
            bytes: values[self.live_bytes],
            count: at(self.live_count),
        };
        let total = Numbers {
            bytes: at(self.total_bytes).unwrap_or(0),
            count: at(self.total_count),
        };
        let ever = |value: i64| {
            u64::try_from(value).map_err(|_| {
                ErrorKind::Damaged(format!(
                    "sample {sample} has allocated {value}: the difference of two profiles is none; \
                     pass both to `heaplens diff`"
                ))
            })
        };
        sites.stack.push(stack);
        sites.live_bytes.push(live.bytes);
        sites.live_count.push(live.count.unwrap_or(0));
        sites.total_bytes.push(ever(total.bytes)?);
        sites.total_count.push(ever(total.count.unwrap_or(0))?);
        if self.mean > 1 {
            sites.live_bytes_variance.push(live.variance(self.mean));
            sites.total_bytes_variance.push(total.variance(self.mean));
        }
        Ok(())
    }
}

impl Numbers {
    /// Variance of the bytes, in bytes squared, as if all blocks were of one size: n·s²·(1−p)/p for n
    /// blocks of s bytes, each of which was sampled with p = 1−e^(−s/mean). Where their number is not
    /// known, the bound that it comes near for small blocks: bytes · mean.
    fn variance(self, mean: u64) -> f64 {
        let (bytes, mean) = (self.bytes.unsigned_abs() as f64, mean as f64);
        let count = self.count.map_or(0, i64::unsigned_abs) as f64;
        if count == 0.0 {
            return bytes * mean;
        }
        let size = bytes / count;
        let chance = -(-size / mean).exp_m1();
        if chance > 0.0 {
            bytes * size * (1.0 - chance) / chance
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variance_is_that_of_a_poisson_sample() {
        let of = |bytes, count| Numbers { bytes, count }.variance(512 << 10);
        // A thousand blocks of 1 KiB: nearly bytes times mean.
        let small = of(1_024_000, Some(1_000));
        let bound = of(1_024_000, None);
        assert_eq!(bound, 1_024_000.0 * f64::from(512 << 10));
        assert!(small < bound && small > 0.998 * bound, "{small} {bound}");
        // One of 64 MiB: next to certain.
        assert!(of(64 << 20, Some(1)) < 1.0);
        assert_eq!(of(0, Some(0)), 0.0);
        assert_eq!(of(0, Some(3)), 0.0);
    }
}
