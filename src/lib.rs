//! Finds memory leaks in Rust services.

#[cfg(feature = "recorder")]
mod control;
#[cfg(feature = "recorder")]
mod recorder;
#[cfg(feature = "recorder")]
mod settings;
pub mod snapshot;
