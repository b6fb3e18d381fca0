//! Lock-free tables in memory of their own.
//!
//! Every table is a value over a mapping, filled by compare-and-swap and never moved, so that the
//! hook can use it anywhere. A table knows nothing of stacks, modes or time. A full table refuses,
//! and the caller counts the loss; a table that could not be mapped has no room from the start.

pub(crate) mod age_map;
mod atomic;
pub(crate) mod counter_cache;
pub(crate) mod counters;
pub(crate) mod large_samples;
pub(crate) mod mapped;
pub(crate) mod sample_slots;
#[cfg_attr(
    not(feature = "testing"),
    allow(dead_code, reason = "nothing opens scopes")
)]
pub(crate) mod scopes;
pub(crate) mod site_tree;
pub(crate) mod slot_bitmap;

#[cfg(test)]
mod tests;
