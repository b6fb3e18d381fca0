//! Drives the built command on made-up snapshots.

mod ages;
mod bombs;
mod browser;
mod chromium;
mod diff;
mod differential;
mod failures;
mod filter;
mod fixture;
mod flamegraph;
mod hostile;
mod inspect;
mod pprof;
mod protobuf;
mod report;
mod report_page;
mod scale;
mod suspects;
mod symbolize;
mod top;
