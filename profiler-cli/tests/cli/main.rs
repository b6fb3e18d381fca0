//! Drives the built command on made-up snapshots.

mod bombs;
mod browser;
mod diff;
mod failures;
mod fixture;
mod flamegraph;
mod hostile;
mod inspect;
mod scale;
mod symbolize;
mod top;
