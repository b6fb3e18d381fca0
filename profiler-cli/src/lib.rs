//! Turns heaplens snapshots into flamegraphs of what is retained, tables and diffs.

pub mod symbols;
