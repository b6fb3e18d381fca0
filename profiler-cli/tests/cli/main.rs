//! Drives the built command on made-up snapshots.

mod diff;
mod failures;
mod fixture;
mod flamegraph;
mod hostile;
mod inspect;
mod symbolize;
mod top;
