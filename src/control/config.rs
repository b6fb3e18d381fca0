//! What a program can set in code.
//!
//! Values are kept as they are given; only those in the allocator's static are checked here, when the
//! program is compiled. All other checks, and how code meets the environment, are `run_settings`'
//! business.

use super::signal::Signal;
use crate::allocator::Allocator;
use crate::settings::{DEPTH_RANGE, Mode, Settings};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Shortest time between snapshots.
pub(super) const MIN_INTERVAL: Duration = Duration::from_millis(10);

/// Settings of the profiler. What is not set comes from the environment, or is the default.
///
/// ```
/// # use std::time::Duration;
/// use heaplens::{Config, Mode, Signal};
///
/// const CONFIG: Config = Config::new()
///     .mode(Mode::Exact)
///     .interval(Duration::from_secs(10))
///     .signal(Signal::Usr1);
/// ```
///
/// The environment has the last word: `HEAPLENS_INTERVAL=1s` overrides the ten seconds above.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    pub(super) mode: Option<Mode>,
    pub(super) sample_bytes: Option<u64>,
    pub(super) depth: Option<u32>,
    pub(super) dir: Option<PathBuf>,
    pub(super) static_dir: Option<&'static str>,
    pub(super) interval: Option<Duration>,
    pub(super) keep: Option<usize>,
    pub(super) max_disk: Option<u64>,
    pub(super) signal: Option<Signal>,
    pub(super) on_term: Option<bool>,
    pub(super) triggers: Option<&'static str>,
    pub(super) limit: Option<u64>,
    pub(super) http: Option<SocketAddr>,
    pub(super) http_token_file: Option<&'static str>,
}

impl Config {
    /// Nothing set.
    pub const fn new() -> Self {
        Self {
            mode: None,
            sample_bytes: None,
            depth: None,
            dir: None,
            static_dir: None,
            interval: None,
            keep: None,
            max_disk: None,
            signal: None,
            on_term: None,
            triggers: None,
            limit: None,
            http: None,
            http_token_file: None,
        }
    }

    /// How allocations are recorded (`HEAPLENS_MODE`). Fixed before `main`, hence in the
    /// allocator's static.
    #[must_use]
    pub const fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Mean distance between samples in bytes, at least 1 (`HEAPLENS_SAMPLE_BYTES`). Taken from the
    /// allocator's static, before `main`; [`set_sample_bytes`](crate::set_sample_bytes) changes it later.
    #[must_use]
    pub const fn sample_bytes(mut self, bytes: u64) -> Self {
        self.sample_bytes = Some(bytes);
        self
    }

    /// Most frames kept of one stack, 8 to 256 (`HEAPLENS_DEPTH`). Fixed before `main`.
    #[must_use]
    pub const fn depth(mut self, frames: u32) -> Self {
        self.depth = Some(frames);
        self
    }

    /// Folder for snapshots (`HEAPLENS_DIR`). A relative one lies in the directory that the
    /// program works in when the profiler starts.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// The same for a constant. [`Config::dir`] has precedence over it.
    #[must_use]
    pub const fn static_dir(mut self, dir: &'static str) -> Self {
        self.static_dir = Some(dir);
        self
    }

    /// Time between snapshots, at least 10 ms, or zero for none (`HEAPLENS_INTERVAL`).
    ///
    /// With neither an interval nor a [signal](Self::signal) heaplens starts its thread no sooner
    /// than a snapshot is asked for, or the program ends. glibc's allocator is faster in a program of
    /// one thread, and that stays one. Ages count from the thread's start, and libraries that are
    /// loaded later are known from then on.
    #[must_use]
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Most snapshot files of this executable in the folder, at least 1 (`HEAPLENS_KEEP`).
    #[must_use]
    pub const fn keep(mut self, files: usize) -> Self {
        self.keep = Some(files);
        self
    }

    /// Most bytes of these files, at least 1 (`HEAPLENS_MAX_DISK`). The newest file stays even if
    /// it alone is larger.
    #[must_use]
    pub const fn max_disk(mut self, bytes: u64) -> Self {
        self.max_disk = Some(bytes);
        self
    }

    /// Signal that asks for a snapshot (`HEAPLENS_SIGNAL`).
    #[must_use]
    pub const fn signal(mut self, signal: Signal) -> Self {
        self.signal = Some(signal);
        self
    }

    /// Whether `SIGTERM` and `SIGINT` take the last snapshot before they end the program
    /// (`HEAPLENS_ON_TERM`). By default they do not.
    ///
    /// The program then dies by that signal as it would have, 10 seconds later at most, and at once
    /// by a second one. Process 1 of a container, which the system spares, exits with 128 and the
    /// signal's number. A handler of the program's own stays or takes the place of heaplens', and
    /// ends the program as it likes.
    #[must_use]
    pub const fn on_term(mut self, takes_snapshot: bool) -> Self {
        self.on_term = Some(takes_snapshot);
        self
    }

    /// What takes a snapshot beside the interval (`HEAPLENS_TRIGGERS`): `none`, or some of these,
    /// separated by commas. Memory is looked at once a second, and from half of the limit on ten
    /// times a second.
    ///
    /// - `limit=60%/80%/90%`: memory has passed one of these steps of its limit. `limit` alone stands
    ///   for these three, and is the default. Counted is what the control group uses without the
    ///   files that the system could drop at once (`inactive_file`), and where a
    ///   [limit](Self::limit) is given, the resident memory of the process.
    /// - `growth=50%` or `growth=64MiB`: live bytes have grown by so much since the last snapshot, and
    ///   by 1 MiB at least.
    /// - `peak`: live bytes are higher by a tenth, and by 1 MiB at least, than at any snapshot before.
    #[must_use]
    pub const fn triggers(mut self, rules: &'static str) -> Self {
        self.triggers = Some(rules);
        self
    }

    /// Limit of memory in bytes for [triggers](Self::triggers), at least 1 (`HEAPLENS_LIMIT`). By
    /// default that of the control group.
    #[must_use]
    pub const fn limit(mut self, bytes: u64) -> Self {
        self.limit = Some(bytes);
        self
    }

    /// Where a server for profiles, snapshots and metrics listens (`HEAPLENS_HTTP`); needs the feature
    /// `http`. By default nothing listens. Other machines reach it only with a
    /// [token](Self::http_token_file).
    #[must_use]
    pub const fn http(mut self, address: SocketAddr) -> Self {
        self.http = Some(address);
        self
    }

    /// A file whose content every request has to bring as `Authorization: Bearer TOKEN`
    /// (`HEAPLENS_HTTP_TOKEN_FILE`). It is read each time, so that tokens can be renewed.
    #[must_use]
    pub const fn http_token_file(mut self, file: &'static str) -> Self {
        self.http_token_file = Some(file);
        self
    }

    /// The part that the allocator must know before it serves its first allocation.
    ///
    /// # Panics
    ///
    /// In a constant, hence when the program is compiled: if a value is out of range.
    pub(crate) const fn allocator_settings(&self) -> Settings {
        let mut settings = Settings::DEFAULT;
        if let Some(mode) = self.mode {
            settings.mode = mode;
        }
        if let Some(bytes) = self.sample_bytes {
            assert!(bytes >= 1, "sample_bytes is at least 1");
            settings.sample_bytes = bytes;
        }
        if let Some(depth) = self.depth {
            let in_range = depth >= *DEPTH_RANGE.start() && depth <= *DEPTH_RANGE.end();
            assert!(in_range, "depth is 8 to 256 frames");
            settings.depth = depth;
        }
        settings
    }

    /// The folder for snapshots, if one is set.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.dir.as_deref().or(self.static_dir.map(Path::new))
    }
}

impl<A> Allocator<A> {
    /// Wraps `inner`. Mode, sampling mean and depth of `config` are fixed here, since allocations
    /// happen before `main`; the environment overrides them.
    pub const fn new(inner: A, config: Config) -> Self {
        let settings = config.allocator_settings();
        // A constant must not run destructors; there is nothing behind a constant to free.
        std::mem::forget(config);
        Self::with_settings(inner, settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_is_a_constant() {
        static CONFIG: Config = Config::new()
            .mode(Mode::Exact)
            .depth(32)
            .static_dir("snapshots");
        static SETTINGS: Settings = CONFIG.allocator_settings();
        assert_eq!(SETTINGS.mode, Mode::Exact);
        assert_eq!(SETTINGS.depth, 32);
        assert_eq!(SETTINGS.sample_bytes, Settings::DEFAULT.sample_bytes);
    }
}
