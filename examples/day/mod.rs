//! The day, part by part. Whatever does not come as it should ends it.
//!
//! | file | does |
//! |---|---|
//! | [`backends`] | the two services, and their replacement |
//! | [`visitors`] | the load through nginx |
//! | [`windows`] | response times, and whether they are back |
//! | [`evidence`] | what heaplens has left and says: suspects, runbook, gate |
//! | [`dashboard`] | the dashboard's queries, asked |
//! | [`look`] | how it goes: times, alerts, failures; its end |
//! | [`timeline`], [`picture`] | what is written |

use std::path::PathBuf;
use std::time::{Duration, Instant};

use quantum::drive::nginx::{Configuration, Nginx};
use quantum::drive::prometheus::Prometheus;
use quantum::drive::{output, pace};

use backends::Backends;
pub(crate) use evidence::be_heaplens;
use look::{mib, ms};
use timeline::Timeline;
use visitors::{Kind, Visitors};
use windows::{Measured, Outcome, judge};

mod backends;
mod dashboard;
mod evidence;
mod look;
mod picture;
mod timeline;
mod visitors;
mod windows;

/// The alert that the day is about.
const ALERT: &str = "HeapGrowsSteadily";
/// Windows of the quiet part, and of the same requests after the fix.
const QUIET_WINDOWS: u32 = 8;
/// Windows of the same requests while the leak is there.
const LEAKED_WINDOWS: u32 = 3;
/// Until caches are warm, and connections there.
const WARM_UP: Duration = Duration::from_secs(3);
/// Until what was asked for before is answered.
const SETTLE: Duration = Duration::from_millis(500);
/// Views of complex widgets in a second: as they begin, and in the busy hours. Each retains [`RETAINED`].
const FIRST_RATE: u32 = 10;
const BUSY_RATE: u32 = 70;
/// Longest time from the first leaked byte to its line, and the most that may have leaked by then.
const NAMING_LIMIT: Duration = Duration::from_secs(60);
const NAMING_BYTES: f64 = (64 << 20) as f64;
/// What a view of a complex widget retains: 64 panes with 256 numbers of 8 bytes, 128 points of 8, 16 lines of 48
/// and their 16 strings of 24 each, and some 200 for the rest (`widget/compose.rs`).
const RETAINED: usize = 64 * (256 * 8 + 128 * 8 + 16 * 48 + 16 * 24 + 200);
/// Longest time until the alert fires in the busy hours: three hours of growth and half an hour more are 21 s.
const ALERT_LIMIT: Duration = Duration::from_secs(60);
/// The alert needs three hours without a restart, and half an hour more, to fire: so long the fixed release
/// must bear the busy hours.
const PROOF: Duration = Duration::from_secs(4 * 3600 / pace::FACTOR);
/// How long it leaks on where it does not stand out.
const LEAK_ON: Duration = Duration::from_secs(8);
/// How often times are taken where they are not back, or the machine is busy.
const ATTEMPTS: u32 = 5;

/// The live memory of both services, in bytes.
const LIVE: &str = "sum(heaplens_live_bytes)";

/// Why the day has ended before its time.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Something did not come as it should.
    Wrong(String),
    /// The machine has too much else to do for times to be compared.
    CannotTell(String),
}

impl From<String> for Ended {
    fn from(error: String) -> Self {
        Self::Wrong(error)
    }
}

/// What the day has, from its beginning to its end.
struct Day {
    timeline: Timeline,
    parts: Vec<(Instant, &'static str)>,
    output: PathBuf,
    backends: Backends,
    prometheus: Prometheus,
    /// The dashboard's.
    queries: Vec<String>,
    visitors: Visitors,
    // After the visitors, which come through it.
    _nginx: Nginx,
    notes: Vec<String>,
    // Last: all of these are in it.
    work: tempfile::TempDir,
}

/// The whole day.
pub(crate) fn run() -> Result<(), Ended> {
    let output = output::folder("heaplens-incident-day");
    let mut day = Day::begin(output)?;
    let quiet = day.quiet()?;
    let leaked_since = day.first_complex_widgets()?;
    day.busy_hours()?;
    day.runbook()?;
    let leaked = day.what_has_leaked(&quiet)?;
    day.roll_out(leaked_since)?;
    day.proof()?;
    day.quiet_again(&quiet, &leaked)?;
    Ok(day.end()?)
}

impl Day {
    fn begin(output: PathBuf) -> Result<Self, String> {
        let explain = |error: std::io::Error| format!("cannot prepare the day: {error}");
        std::fs::create_dir_all(&output).map_err(explain)?;
        let work = tempfile::tempdir().map_err(explain)?;
        // Whatever tool is missing is missed before two minutes have gone by.
        let queries = dashboard::queries()?;
        let backends = Backends::start(work.path(), &output)?;
        let nginx = Nginx::start(work.path(), &Configuration::Ours, &backends.addresses())?;
        let prometheus = Prometheus::start(work.path(), &backends.endpoints(), &backends.token)?;
        let visitors = Visitors::start(nginx.address())?;
        Ok(Self {
            timeline: Timeline::begin(),
            parts: Vec::new(),
            output,
            work,
            backends,
            prometheus,
            queries,
            visitors,
            _nginx: nginx,
            notes: vec![format!(
                "Scaled by {}: durations in the alert rules and in the dashboard's queries, and the one \
                 threshold that counts by the second. An hour is {} s. Not scaled: memory, sampling \
                 (one in 512 KiB, the default), the time that `heaplens suspects` takes.",
                pace::FACTOR,
                3600 / pace::FACTOR
            )],
        })
    }

    fn part(&mut self, name: &'static str) {
        self.parts.push((Instant::now(), name));
    }

    /// Load without complex widgets.
    fn quiet(&mut self) -> Result<Measured, Ended> {
        self.part("quiet");
        self.timeline.add(
            "visitors come through nginx, for simple widgets only",
            "before the incident",
        );
        std::thread::sleep(WARM_UP);
        let quiet = self.measure(QUIET_WINDOWS)?;
        let (least, most) = quiet.simple.range();
        self.timeline.add(
            format!(
                "quiet: p95 is {} to {} ms in {QUIET_WINDOWS} equal windows (A/A)",
                ms(least),
                ms(most)
            ),
            "",
        );
        self.expect_alert("inactive")?;
        Ok(quiet)
    }

    /// Complex widgets begin to be asked for, until their leak has a line. Returns when they began.
    fn first_complex_widgets(&mut self) -> Result<Instant, String> {
        self.part("leak begins");
        let before = self.one(LIVE)?;
        self.visitors.ask_for_complex(FIRST_RATE);
        let since = Instant::now();
        self.timeline.add(
            format!("the first leaked byte: complex widgets, {FIRST_RATE} a second"),
            "it begins to slow down; memory is not monitored",
        );
        let folder = self.backends.snapshots(0, false);
        let (leak, place) = loop {
            std::thread::sleep(Duration::from_millis(250));
            if let Some(named) = evidence::named_line(&folder) {
                break named;
            }
            if since.elapsed() > NAMING_LIMIT {
                return Err(format!(
                    "`heaplens suspects` names no line after {} s",
                    NAMING_LIMIT.as_secs()
                ));
            }
        };
        let took = since.elapsed();
        let asked = self
            .visitors
            .visits()
            .iter()
            .filter(|visit| visit.kind == Kind::Complex)
            .count();
        let leaked = (asked * RETAINED) as f64;
        let grown = self.one(LIVE)? - before;
        let line = format!(
            "`heaplens suspects` names {place} ({}) {:.1} s after the first leaked byte, with {} leaked \
             in both services (live memory: {} more, with caches), at a sampling mean of 512 KiB and {FIRST_RATE} leaking requests a second",
            leak.owner.rsplit("::").next().unwrap_or_default(),
            took.as_secs_f64(),
            mib(leaked),
            mib(grown),
        );
        self.timeline.add(
            line,
            "six hours in the database, the cache's eviction and the network",
        );
        match leaked < NAMING_BYTES {
            true => Ok(since),
            false => Err(format!(
                "the line is named late: {} have leaked",
                mib(leaked)
            )),
        }
    }

    /// More and more of them, until the alert fires.
    fn busy_hours(&mut self) -> Result<(), String> {
        self.part("busy hours");
        self.visitors.ask_for_complex(BUSY_RATE);
        let since = Instant::now();
        while self.alert_state(ALERT)? != "firing" {
            if since.elapsed() > ALERT_LIMIT {
                let state = self.alert_state(ALERT)?;
                return Err(format!(
                    "Prometheus says that {ALERT} is {state}, not firing"
                ));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        let alerts = self.prometheus.alerts()?;
        let firing = |(name, state): &(String, String)| (state == "firing").then(|| name.clone());
        let firing: Vec<String> = alerts.iter().filter_map(firing).collect();
        let live = self.one(LIVE)?;
        self.timeline.add(
            format!(
                "Prometheus says `firing`: {}; {} are live",
                firing.join(", "),
                mib(live)
            ),
            "no alert",
        );
        let folder = self.backends.snapshots(0, false);
        let [by_growth, by_time] =
            ["growth", "interval"].map(|reason| evidence::snapshots(&folder, reason));
        if by_growth == 0 {
            return Err("growth has left no snapshot".to_owned());
        }
        self.timeline.add(
            format!("on disk by then, unasked: {by_growth} snapshots of growth, {by_time} by time"),
            "",
        );
        Ok(())
    }

    /// The runbook's commands, as they stand there.
    fn runbook(&mut self) -> Result<(), String> {
        self.part("runbook");
        let collected = output::clean(&self.output.join("collected"))?;
        let owner = evidence::follow_runbook(
            self.work.path(),
            &self.output,
            &collected,
            &self.backends.endpoints()[0],
            &self.backends.token,
        )?;
        self.timeline.add(
            format!("the runbook's commands end at `{owner}`; the report is written"),
            "restarts on a schedule, which throw the evidence away",
        );
        Ok(())
    }

    /// The same requests as in quiet, with what has leaked: if that is no slower, being back says nothing. On
    /// a busy machine it takes more of the leak to be slower.
    fn what_has_leaked(&mut self, quiet: &Measured) -> Result<Measured, Ended> {
        for _ in 0..ATTEMPTS {
            self.visitors.ask_for_complex(0);
            std::thread::sleep(SETTLE);
            let leaked = self.measure(LEAKED_WINDOWS)?;
            let p95 = ms(leaked.simple.median());
            if judge(quiet, &leaked, quiet) != Outcome::NoPower {
                self.timeline.add(
                    format!(
                        "complex widgets pause, and the same requests as in quiet have a p95 of {p95} ms: \
                         what has leaked slows down everybody"
                    ),
                    "slow for 16 hours",
                );
                return Ok(leaked);
            }
            self.timeline.add(
                format!("a p95 of {p95} ms does not stand out on this machine: it leaks on"),
                "",
            );
            self.visitors.ask_for_complex(BUSY_RATE);
            std::thread::sleep(LEAK_ON);
        }
        Err(Ended::CannotTell(
            "the machine is too busy to see the leak in response times".to_owned(),
        ))
    }

    /// The fix, one backend after the other, in the busy hours.
    fn roll_out(&mut self, leaked_since: Instant) -> Result<(), String> {
        self.part("fix");
        self.visitors.ask_for_complex(BUSY_RATE);
        for number in 0..2 {
            self.backends.replace(number)?;
        }
        self.expect_no_failure()?;
        self.timeline.add(
            format!(
                "the fix is on both backends, {:.0} s after the first leaked byte; no request has failed",
                leaked_since.elapsed().as_secs_f64()
            ),
            "",
        );
        Ok(())
    }

    /// The busy hours go on, for as long as the alert needs to come again.
    fn proof(&mut self) -> Result<(), String> {
        self.part("fixed, busy");
        let since = Instant::now();
        let before = self.one(LIVE)?;
        while since.elapsed() < PROOF {
            std::thread::sleep(Duration::from_millis(500));
            if self.alert_state(ALERT)? == "firing" && since.elapsed() > Duration::from_secs(1) {
                return Err(format!("{ALERT} is firing with the fix"));
            }
        }
        self.expect_alert("inactive")?;
        let grown = self.one(LIVE)? - before;
        self.timeline.add(
            format!(
                "Prometheus says `inactive`; growth in {} s of busy hours: {}",
                PROOF.as_secs(),
                mib(grown)
            ),
            "",
        );
        Ok(())
    }

    /// The same requests as in quiet.
    fn quiet_again(&mut self, quiet: &Measured, leaked: &Measured) -> Result<(), Ended> {
        self.part("quiet");
        self.visitors.ask_for_complex(0);
        std::thread::sleep(SETTLE);
        for attempt in 1..=ATTEMPTS {
            let fixed = self.measure(QUIET_WINDOWS)?;
            let (least, most) = quiet.simple.range();
            let p95 = format!(
                "p95 of the same requests is {} ms, in quiet it was {} to {} ms",
                ms(fixed.simple.median()),
                ms(least),
                ms(most)
            );
            let control = format!(
                "control: {} ms, in quiet {} to {} ms",
                ms(fixed.control.median()),
                ms(quiet.control.range().0),
                ms(quiet.control.range().1)
            );
            match judge(quiet, leaked, &fixed) {
                Outcome::Back => {
                    self.timeline
                        .add(format!("{p95} ({control})"), "16 hours later");
                    return Ok(());
                }
                Outcome::BusyMachine if attempt < ATTEMPTS => self.timeline.add(
                    format!("{p95}, but the machine is busier ({control}): once more"),
                    "",
                ),
                Outcome::Slower if attempt < ATTEMPTS => self
                    .timeline
                    .add(format!("not back yet: {p95} ({control})"), ""),
                Outcome::BusyMachine => {
                    return Err(Ended::CannotTell(format!(
                        "whether response times are back, as the machine has become busier \
                         ({control}): {p95}"
                    )));
                }
                Outcome::Slower | Outcome::NoPower => {
                    return Err(Ended::Wrong(format!("{p95} ({control})")));
                }
            }
        }
        Ok(())
    }
}
