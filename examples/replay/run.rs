//! One run of the service: quiet hours that fill the cache and the database, then busy hours.

use std::path::{Path, PathBuf};

use super::progress::Progress;
use quantum::drive::load::{Script, Times, send};
use quantum::drive::service::{Client, Service};

/// The seed of the load. Both runs get the same requests.
const SEED: u64 = 0x51_0e_a5;
/// Views in the quiet hours: enough to fill the cache and to evict from it.
const QUIET_VIEWS: usize = 8_000;
/// Steps of the quiet hours, with a snapshot after each.
const QUIET_STEPS: usize = 8;
/// Steps of the busy hours. Response times are compared between the first and the last.
const STEPS: usize = 16;
/// Views in each step.
const VIEWS_PER_STEP: usize = 200;
/// Snapshots of the busy hours after which a verdict must be possible.
const EARLY_STEPS: usize = 4;

/// What a run leaves behind.
#[derive(Debug)]
pub(crate) struct Run {
    /// Response times of each step of the busy hours.
    pub(crate) steps: Vec<Times>,
    /// Snapshot of the service before the first request.
    pub(crate) start: PathBuf,
    /// Snapshot after the quiet hours: cache and database are as large as they get.
    pub(crate) warm: PathBuf,
    /// Snapshot after the busy hours.
    pub(crate) end: PathBuf,
    /// All snapshots from the start to the fourth step of the busy hours, as an interval leaves them.
    pub(crate) early: Vec<PathBuf>,
    /// How many widgets the layout index holds in the end. No request is under way.
    pub(crate) registered: u64,
    /// How many renderings the cache evicted in the quiet hours: it was full if any.
    pub(crate) evicted_when_warm: u64,
}

/// Runs the service from start to stop, with or without the fix.
pub(crate) fn run(fixed: bool, snapshots: &Path) -> Result<Run, String> {
    let mut service = Service::start(fixed, snapshots)?;
    let run = drive(service.client()).map_err(|error| service.explain(error))?;
    service.stop()?;
    Ok(run)
}

fn drive(client: &Client) -> Result<Run, String> {
    let mut script = Script::new(SEED);
    let start = client.snapshot("start")?;
    let mut early = vec![start.clone()];

    let publications = script.publications();
    let quiet_views = script.quiet_views(QUIET_VIEWS);
    let progress = Progress::begin("warm-up", publications.len() + quiet_views.len());
    send(client, &publications, &|| progress.done())?;
    for views in quiet_views.chunks(QUIET_VIEWS / QUIET_STEPS) {
        send(client, views, &|| progress.done())?;
        early.push(client.snapshot("quiet")?);
    }
    drop(progress);
    let evicted_when_warm = number(&client.stats()?, "/cache/evicted")?;
    let warm = client.snapshot("after-warm-up")?;

    let progress = Progress::begin("busy hours", STEPS * VIEWS_PER_STEP);
    let mut steps = Vec::with_capacity(STEPS);
    for step in 0..STEPS {
        let views = script.busy_views(VIEWS_PER_STEP);
        steps.push(send(client, &views, &|| progress.done())?);
        let snapshot = client.snapshot("busy")?;
        if step < EARLY_STEPS {
            early.push(snapshot);
        }
    }
    drop(progress);
    let registered = number(&client.stats()?, "/registered_layouts")?;
    let end = client.snapshot("after-load")?;
    Ok(Run {
        steps,
        start,
        warm,
        end,
        early,
        registered,
        evicted_when_warm,
    })
}

fn number(stats: &serde_json::Value, pointer: &str) -> Result<u64, String> {
    stats
        .pointer(pointer)
        .and_then(serde_json::Value::as_u64)
        .ok_or_else(|| format!("/stats has no number {pointer}"))
}
