//! Scopes, under the standard harness with its tests in parallel, each against a model of its own.

heaplens::testing::install!();

mod asynchronous;
mod cost;
mod ends;
mod failures;
mod models;
mod nextest;
mod parallel;
