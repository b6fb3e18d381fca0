//! Scopes, under the standard harness with its tests in parallel, each against a model of its own.

heaplens::testing::install!();

mod asynchronous;
mod cost;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod cycles;
mod ends;
mod failures;
mod models;
mod nextest;
mod parallel;
