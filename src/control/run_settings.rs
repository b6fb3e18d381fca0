//! What the profiler runs with, from the environment, the program's config and the defaults.
//!
//! Precedence: environment, then code, then default. Values from code are checked here; reading the
//! environment's text is `environment`'s business.

use super::StartError;
use super::config::{Config, MIN_INTERVAL};
use super::environment::Environment;
use super::scans;
use super::signal::Signal;
use super::triggers::{ALLOWED, Rules};
use crate::settings::{DEPTH_RANGE, Settings};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Most snapshot files of a program in a folder, and most bytes of them, unless somebody says so.
pub(super) const KEEP: usize = 48;
pub(super) const MAX_DISK: u64 = 256 << 20;

/// What the profiler runs with: environment over code over defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunSettings {
    pub(super) dir: PathBuf,
    /// `None` for no regular snapshots.
    pub(super) interval: Option<Duration>,
    pub(super) keep: usize,
    pub(super) max_disk: u64,
    pub(super) signal: Signal,
    pub(super) on_term: bool,
    pub(super) triggers: Rules,
    /// Whether somebody has asked for these triggers: the default ones need no thread by themselves.
    pub(super) asks_for_triggers: bool,
    /// Limit of memory to reckon with; `None` for that of the control group.
    pub(super) limit: Option<u64>,
    /// When the heap is scanned.
    pub(super) graph: scans::When,
    /// `None` for no server.
    pub(super) listen: Option<Listen>,
}

/// Where the server listens, and the file with the token that it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listen {
    pub(super) address: SocketAddr,
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "nothing listens"))]
    pub(super) token_file: Option<PathBuf>,
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
        let triggers = match &environment.triggers {
            Some(rules) => Some(rules.clone()),
            None => config.triggers.map(parse_triggers).transpose()?,
        };
        Ok(Self {
            dir: dir.unwrap_or(Path::new("heaplens")).to_owned(),
            interval: (!interval.is_zero()).then_some(interval),
            keep: environment.keep.or(config.keep).unwrap_or(KEEP),
            max_disk: environment.max_disk.or(config.max_disk).unwrap_or(MAX_DISK),
            signal: environment.signal.or(config.signal).unwrap_or(Signal::Usr2),
            on_term: environment.on_term.or(config.on_term).unwrap_or(false),
            asks_for_triggers: triggers.as_ref().is_some_and(|rules| !rules.is_empty()),
            triggers: triggers.unwrap_or_default(),
            limit: environment.limit.or(config.limit),
            graph: environment.graph.unwrap_or_default(),
            listen: match environment.http {
                Some(asked) => asked,
                None => config.http,
            }
            .map(|address| Listen {
                address,
                token_file: environment
                    .http_token_file
                    .clone()
                    .or(config.http_token_file.map(PathBuf::from)),
            }),
        })
    }
}

fn parse_triggers(text: &str) -> Result<Rules, StartError> {
    Rules::parse(text).ok_or(StartError::OutOfRange {
        setting: "triggers",
        allowed: ALLOWED,
    })
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
    if config.limit == Some(0) {
        return refuse("limit", "at least 1 byte");
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
    use crate::settings::Mode;
    use std::net::{IpAddr, Ipv4Addr};

    const ANYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 6070);

    fn resolve(config: Config, environment: Environment) -> Result<RunSettings, String> {
        RunSettings::resolve(&config, &environment, Settings::DEFAULT)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn defaults() {
        let expected = RunSettings {
            dir: PathBuf::from("heaplens"),
            interval: Some(Duration::from_secs(60)),
            keep: 48,
            max_disk: 256 << 20,
            signal: Signal::Usr2,
            on_term: false,
            triggers: Rules::default(),
            asks_for_triggers: false,
            limit: None,
            graph: scans::When::Never,
            listen: None,
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
            .signal(Signal::Hup)
            .on_term(true)
            .triggers("peak")
            .limit(1 << 30)
            .http(ANYWHERE)
            .http_token_file("/run/token");
        let from_code = resolve(config.clone(), Environment::default()).expect("a valid config");
        assert_eq!(
            from_code,
            RunSettings {
                dir: PathBuf::from("code"),
                interval: Some(Duration::from_secs(1)),
                keep: 1,
                max_disk: 1,
                signal: Signal::Hup,
                on_term: true,
                triggers: Rules::parse("peak").expect("a rule"),
                asks_for_triggers: true,
                limit: Some(1 << 30),
                graph: scans::When::Never,
                listen: Some(Listen {
                    address: ANYWHERE,
                    token_file: Some(PathBuf::from("/run/token")),
                }),
            }
        );
        let environment = Environment {
            dir: Some(PathBuf::from("environment")),
            interval: Some(Duration::ZERO),
            keep: Some(2),
            max_disk: Some(2),
            signal: Some(Signal::None),
            on_term: Some(false),
            triggers: Rules::parse("none"),
            limit: Some(7),
            http: Some(None),
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
                on_term: false,
                triggers: Rules::parse("none").expect("no rule"),
                asks_for_triggers: false,
                limit: Some(7),
                graph: scans::When::Never,
                listen: None,
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
                Config::new().limit(0),
                "limit is out of range: at least 1 byte",
            ),
            (
                Config::new().triggers("growth"),
                "triggers is out of range: none, or some of growth=50%, growth=64MiB, limit, \
                 limit=60%/80%/90% and peak, separated by commas",
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
