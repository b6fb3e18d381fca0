//! What a program can set in code, and how that meets the environment.
//!
//! Precedence: environment, then code, then default. Reading the environment's text is
//! `environment`'s business.

use super::StartError;
use super::environment::Environment;
use crate::allocator::Allocator;
use crate::settings::{DEPTH_RANGE, Mode, Settings};
use std::path::{Path, PathBuf};
use std::time::Duration;

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
}

/// A signal that asks for a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// No signal does.
    None,
    /// `SIGUSR1`.
    Usr1,
    /// `SIGUSR2`, the default.
    Usr2,
    /// `SIGHUP`.
    Hup,
    /// `SIGQUIT`.
    Quit,
    /// `SIGWINCH`.
    Winch,
}

impl Signal {
    pub(super) const ALL: [(&'static str, Self); 6] = [
        ("none", Self::None),
        ("USR1", Self::Usr1),
        ("USR2", Self::Usr2),
        ("HUP", Self::Hup),
        ("QUIT", Self::Quit),
        ("WINCH", Self::Winch),
    ];
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
        }
    }

    /// How allocations are recorded (`HEAPLENS_MODE`). Fixed before `main`, hence in the
    /// allocator's static.
    #[must_use]
    pub const fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Mean distance between samples in bytes, at least 1 (`HEAPLENS_SAMPLE_BYTES`). Fixed before
    /// `main`.
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

    fn folder(&self) -> Option<&Path> {
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

/// Shortest time between snapshots.
pub(super) const MIN_INTERVAL: Duration = Duration::from_millis(10);

/// What the profiler runs with: environment over code over defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunSettings {
    pub(super) dir: PathBuf,
    /// `None` for no regular snapshots.
    pub(super) interval: Option<Duration>,
    pub(super) keep: usize,
    pub(super) max_disk: u64,
    pub(super) signal: Signal,
}

impl RunSettings {
    /// Puts environment, code and defaults together. `recorded` is what the allocator runs with.
    pub(super) fn resolve(
        config: &Config,
        environment: &Environment,
        recorded: Settings,
    ) -> Result<Self, StartError> {
        check_ranges(config)?;
        check_fixed(config, environment, recorded)?;
        let dir = environment.dir.as_deref().or(config.folder());
        let interval = environment
            .interval
            .or(config.interval)
            .unwrap_or(Duration::from_secs(60));
        Ok(Self {
            dir: dir.unwrap_or(Path::new("heaplens")).to_owned(),
            interval: (!interval.is_zero()).then_some(interval),
            keep: environment.keep.or(config.keep).unwrap_or(48),
            max_disk: environment
                .max_disk
                .or(config.max_disk)
                .unwrap_or(256 << 20),
            signal: environment.signal.or(config.signal).unwrap_or(Signal::Usr2),
        })
    }
}

fn check_ranges(config: &Config) -> Result<(), StartError> {
    let refuse = |setting, allowed| Err(StartError::OutOfRange { setting, allowed });
    if config.sample_bytes == Some(0) {
        return refuse("sample_bytes", "at least 1");
    }
    if config
        .depth
        .is_some_and(|depth| !DEPTH_RANGE.contains(&depth))
    {
        return refuse("depth", "8 to 256 frames");
    }
    if config
        .folder()
        .is_some_and(|dir| dir.as_os_str().is_empty())
    {
        return refuse("dir", "the path of a folder");
    }
    if config
        .interval
        .is_some_and(|time| !time.is_zero() && time < MIN_INTERVAL)
    {
        return refuse("interval", "at least 10 ms, or zero for none");
    }
    if config.keep == Some(0) {
        return refuse("keep", "at least 1 file");
    }
    if config.max_disk == Some(0) {
        return refuse("max_disk", "at least 1 byte");
    }
    Ok(())
}

/// What is fixed before `main` cannot be set here any more, unless it is set to what it is, or the
/// environment has overridden it anyway.
fn check_fixed(
    config: &Config,
    environment: &Environment,
    recorded: Settings,
) -> Result<(), StartError> {
    let refuse = |setting, asked: String, in_force: String| {
        Err(StartError::Fixed {
            setting,
            asked,
            in_force,
        })
    };
    if let Some(mode) = config.mode
        && environment.mode.is_none()
        && mode != recorded.mode
    {
        return refuse("mode", format!("{mode:?}"), format!("{:?}", recorded.mode));
    }
    if let Some(bytes) = config.sample_bytes
        && environment.sample_bytes.is_none()
        && bytes != recorded.sample_bytes
    {
        return refuse(
            "sample_bytes",
            bytes.to_string(),
            recorded.sample_bytes.to_string(),
        );
    }
    if let Some(depth) = config.depth
        && environment.depth.is_none()
        && depth != recorded.depth
    {
        return refuse("depth", depth.to_string(), recorded.depth.to_string());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(config: Config, environment: Environment) -> Result<RunSettings, String> {
        RunSettings::resolve(&config, &environment, Settings::DEFAULT)
            .map_err(|error| error.to_string())
    }

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

    #[test]
    fn defaults() {
        let expected = RunSettings {
            dir: PathBuf::from("heaplens"),
            interval: Some(Duration::from_secs(60)),
            keep: 48,
            max_disk: 256 << 20,
            signal: Signal::Usr2,
        };
        assert_eq!(resolve(Config::new(), Environment::default()), Ok(expected));
    }

    #[test]
    fn environment_over_code() {
        let config = Config::new()
            .dir("code")
            .static_dir("constant")
            .interval(Duration::from_secs(1))
            .keep(1)
            .max_disk(1)
            .signal(Signal::Hup);
        let from_code = resolve(config.clone(), Environment::default()).expect("a valid config");
        assert_eq!(
            from_code,
            RunSettings {
                dir: PathBuf::from("code"),
                interval: Some(Duration::from_secs(1)),
                keep: 1,
                max_disk: 1,
                signal: Signal::Hup,
            }
        );
        let environment = Environment {
            dir: Some(PathBuf::from("environment")),
            interval: Some(Duration::ZERO),
            keep: Some(2),
            max_disk: Some(2),
            signal: Some(Signal::None),
            ..Environment::default()
        };
        assert_eq!(
            resolve(config, environment),
            Ok(RunSettings {
                dir: PathBuf::from("environment"),
                interval: None,
                keep: 2,
                max_disk: 2,
                signal: Signal::None,
            })
        );
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for (config, line) in [
            (
                Config::new().sample_bytes(0),
                "sample_bytes is out of range: at least 1",
            ),
            (
                Config::new().depth(3),
                "depth is out of range: 8 to 256 frames",
            ),
            (
                Config::new().dir(""),
                "dir is out of range: the path of a folder",
            ),
            (
                Config::new().static_dir(""),
                "dir is out of range: the path of a folder",
            ),
            (
                Config::new().interval(Duration::from_millis(9)),
                "interval is out of range: at least 10 ms, or zero for none",
            ),
            (
                Config::new().keep(0),
                "keep is out of range: at least 1 file",
            ),
            (
                Config::new().max_disk(0),
                "max_disk is out of range: at least 1 byte",
            ),
        ] {
            assert_eq!(
                resolve(config, Environment::default()),
                Err(line.to_owned())
            );
        }
    }

    #[test]
    fn what_the_allocator_has_fixed_stays() {
        let default = Settings::DEFAULT;
        let same = Config::new().mode(default.mode).depth(default.depth);
        assert!(resolve(same, Environment::default()).is_ok());
        let error = resolve(Config::new().mode(Mode::Exact), Environment::default());
        assert_eq!(
            error,
            Err(
                "mode is Exact in the config, but the allocator runs with Sampled: it is fixed \
                 before main, so set it where the allocator's static is"
                    .to_owned()
            )
        );
        assert!(resolve(Config::new().sample_bytes(1), Environment::default()).is_err());
        assert!(resolve(Config::new().depth(8), Environment::default()).is_err());
        // The environment has overridden static and config alike.
        let environment = Environment {
            mode: Some(Mode::Sampled),
            sample_bytes: Some(default.sample_bytes),
            depth: Some(default.depth),
            ..Environment::default()
        };
        let config = Config::new().mode(Mode::Exact).sample_bytes(1).depth(8);
        assert!(resolve(config, environment).is_ok());
    }
}
