//! The library's own files. What they ask the system for, `mapped` makes here.

pub(crate) use crate::{atomic, mapped};

#[rustfmt::skip]
#[path = "../../../src/tables/counters.rs"]
pub(crate) mod counters;
#[rustfmt::skip]
#[path = "../../../src/tables/large_samples.rs"]
pub(crate) mod large_samples;
#[rustfmt::skip]
#[path = "../../../src/tables/site_tree.rs"]
pub(crate) mod site_tree;
#[rustfmt::skip]
#[path = "../../../src/tables/slot_bitmap.rs"]
pub(crate) mod slot_bitmap;

/// Of the age map the counters need only this.
pub(crate) mod age_map {
    pub(crate) const AGE_BINS: usize = 2;
}

/// What a cache does when it gives up its line, for the models.
pub(crate) fn flush(
    counters: &counters::Counters,
    site: u32,
    delta: &counters::Delta,
    clear: impl FnOnce(),
) {
    counters.flush(site, 0, delta, clear);
}
