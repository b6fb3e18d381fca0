//! Finds memory leaks in Rust services.

#[cfg(feature = "recorder")]
mod allocator;
#[cfg(feature = "recorder")]
mod control;
#[cfg(feature = "recorder")]
mod platform;
#[cfg(feature = "recorder")]
mod recorder;
#[cfg(feature = "recorder")]
mod settings;
pub mod snapshot;
#[cfg(feature = "recorder")]
mod stack;
#[cfg(feature = "recorder")]
mod tables;
#[cfg(feature = "recorder")]
pub use allocator::Allocator;
#[derive(Debug)]
pub struct Config;
impl Config {
    pub(crate) const fn allocator_settings(&self) -> settings::Settings {
        settings::Settings::DEFAULT
    }
}
