//! The atomics that tables are made of. `tests/models` compiles the tables with others in their
//! place, to try all orders in which threads may run.

pub(super) use std::sync::atomic::*;
