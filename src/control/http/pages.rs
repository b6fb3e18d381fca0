//! The pages: which request gets which answer. Who may ask is not asked here.

use super::places::Places;
use super::query::Query;
use super::{Request, Response, delta, metrics, text};
use crate::control::{
    self, SnapshotError, sampling, set_mode, set_sample_bytes, snapshot_folder, snapshot_in_memory,
    status,
};
use crate::recorder;
use crate::settings::{Mode, parse_bytes, parse_mode};
use crate::snapshot::{self, Snapshot, pprof};
use parking_lot::Mutex;
use std::io::{self, Read};
use std::time::{Duration, Instant};

/// Longest wait for others who take a snapshot.
const TURN_CAP: Duration = Duration::from_secs(10);
/// The same for a scrape, which has a time limit of its own.
const METRICS_CAP: Duration = Duration::from_secs(1);
/// Shortest time between two snapshots, from the end of one to the start of the next.
const DISTANCE: Duration = Duration::from_millis(200);
/// Most call paths among the metrics.
const MOST_PATHS: u64 = 50;

const GZIP: &str = "application/gzip";
const PROFILE: &str = "application/octet-stream";

pub(super) fn answer(request: &Request<'_>) -> Result<Response, Response> {
    let (path, query) = match request.target.split_once('?') {
        Some((path, query)) => (path, Query::new(query)),
        None => (request.target, Query::default()),
    };
    let allow = |methods: &[&str]| match methods.contains(&request.method) {
        true => Ok(()),
        false => Err(Response::refused(
            405,
            format_args!("{path} is for {}", methods.join(" and ")),
        )),
    };
    const READ: &[&str] = &["GET", "HEAD"];
    match path {
        "/debug/pprof/heap" | "/debug/pprof/allocs" => {
            allow(READ)?;
            profile(&query)
        }
        // What `go tool pprof` asks about code that it finds no binary of: it gives up on an error.
        "/debug/pprof/symbol" => {
            allow(&["GET", "HEAD", "POST"])?;
            Ok(Response::text("num_symbols: 0\n"))
        }
        "/debug/heaplens/snapshot" => {
            allow(&["POST"])?;
            take_and_return(&query)
        }
        "/debug/heaplens/snapshots" => {
            allow(READ)?;
            let listed = snapshot_folder::list().map_err(unreadable)?;
            let lines = listed
                .iter()
                .map(|file| format!("{:>12} {}\n", file.bytes, file.name));
            Ok(Response::text(lines.collect::<String>()))
        }
        "/debug/heaplens/settings" => {
            allow(&["GET", "HEAD", "POST"])?;
            if request.method == "POST" {
                change(&query)?;
            }
            settings()
        }
        // The shorter one is often the program's own.
        "/metrics" | "/debug/heaplens/metrics" => {
            allow(READ)?;
            let paths = query.number("paths", 0..=MOST_PATHS)?.unwrap_or(0);
            let status = status::status()
                .ok_or_else(|| Response::refused(503, "the profiler does not run"))?;
            // While others take snapshots, the rest of the metrics is not to wait for long.
            let snapshot = (paths > 0).then(|| held(METRICS_CAP).ok()).flatten();
            let heaviest = snapshot.map(|snapshot| text::heaviest(&snapshot, paths as usize));
            let format = metrics::Format::accepted(request.accept);
            let page = metrics::text(&status, heaviest.as_deref(), format);
            Ok(Response::new(200, format.content_type(), page))
        }
        "/" | "/debug/pprof/" | "/debug/heaplens/" => {
            allow(READ)?;
            Ok(Response::text(INDEX))
        }
        _ => {
            let Some(name) = path.strip_prefix("/debug/heaplens/snapshots/") else {
                return Err(Response::refused(404, "no such page; / lists all"));
            };
            allow(READ)?;
            fetch(name)
        }
    }
}

const INDEX: &str = "\
heaplens: which code allocated the memory that is still here

GET  /debug/pprof/heap              pprof profile; ?seconds=N, ?debug=1
GET  /debug/pprof/allocs            the same
POST /debug/heaplens/snapshot       takes a snapshot and returns it; ?graph=1: with a scan of the heap
GET  /debug/heaplens/snapshots      snapshots in the folder
GET  /debug/heaplens/snapshots/NAME one of them
GET  /debug/heaplens/settings       how allocations are recorded
POST /debug/heaplens/settings       ?mode=off, ?mode=sampled, ?sample_bytes=64KiB
GET  /debug/heaplens/metrics        metrics for Prometheus; ?paths=N
GET  /metrics                       the same
";

const TOO_MANY_LONG: &str =
    "two profiles with ?seconds are being made, and no more are at a time; try again later";

fn profile(query: &Query<'_>) -> Result<Response, Response> {
    let seconds = query.number("seconds", 1..=600)?;
    let as_text = query.number("debug", 0..=2)?.is_some_and(|debug| debug > 0);
    // Who waits for minutes is not to keep others from a place.
    static LONG: Places = Places::new(2);
    let _place = match seconds.map(|_| LONG.take()) {
        Some(None) => return Err(Response::refused(429, TOO_MANY_LONG)),
        place => place,
    };
    let mut snapshot = held(TURN_CAP)?;
    if let Some(seconds) = seconds {
        std::thread::sleep(Duration::from_secs(seconds));
        snapshot = delta::between(&snapshot, held(TURN_CAP)?);
    }
    if as_text {
        return Ok(Response::text(text::profile(&snapshot)));
    }
    let mut body = Vec::new();
    pprof::write(&snapshot, &mut body).map_err(|error| Response::refused(500, error))?;
    Ok(Response::file(PROFILE, "heap.pb.gz", body))
}

fn settings() -> Result<Response, Response> {
    let settings = recorder::settings()
        .ok_or_else(|| Response::refused(503, "the program allocates without heaplens"))?;
    let (mode, sample_bytes) = match (settings.mode, sampling::now()) {
        (Mode::Exact, _) => ("exact", 0),
        (Mode::Sampled, Some(sampling)) if sampling.is_on => ("sampled", sampling.sample_bytes),
        (_, sampling) => ("off", sampling.map_or(0, |sampling| sampling.sample_bytes)),
    };
    Ok(Response::text(format!(
        "mode={mode}\nsample_bytes={sample_bytes}\ndepth={}\n",
        settings.depth
    )))
}

/// Changes what the query names, once all of it makes sense.
fn change(query: &Query<'_>) -> Result<(), Response> {
    const MODES: &str = "off, sampled or exact";
    const SIZES: &str = "a size of at least 1 byte, such as 64KiB";
    let mode = query.value("mode", MODES, parse_mode)?;
    let at_least_1 = |text: &[u8]| parse_bytes(text).filter(|&bytes| bytes > 0);
    let sample_bytes = query.value("sample_bytes", SIZES, at_least_1)?;
    if mode.is_none() && sample_bytes.is_none() {
        return Err(Response::refused(
            400,
            format_args!("takes mode={MODES}, or sample_bytes={SIZES}"),
        ));
    }
    // In this order, a process that refuses the second has changed nothing by the first.
    let changed = mode.map_or(Ok(()), set_mode);
    let changed = changed.and_then(|()| sample_bytes.map_or(Ok(()), set_sample_bytes));
    changed.map_err(|error| Response::refused(409, error))
}

/// A snapshot in memory.
fn held(cap: Duration) -> Result<Snapshot, Response> {
    in_turn(cap, || snapshot_in_memory("http"))?.map_err(unavailable)
}

fn take_and_return(query: &Query<'_>) -> Result<Response, Response> {
    let with_graph = query.number("graph", 0..=1)? == Some(1);
    let take = || match with_graph {
        true => control::snapshot_graph(),
        false => control::snapshot("http"),
    };
    let path = match in_turn(TURN_CAP, take)? {
        Ok(path) => path,
        // A folder that cannot be written keeps nobody from looking.
        Err(SnapshotError::Write { .. }) if !with_graph => {
            let mut body = Vec::new();
            snapshot::write(&held(TURN_CAP)?, &mut body)
                .map_err(|error| Response::refused(500, error))?;
            return Ok(Response::file(GZIP, "heaplens.json.gz", body));
        }
        Err(error @ SnapshotError::Scan(_)) => return Err(Response::refused(409, error)),
        Err(error) => return Err(unavailable(error)),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    fetch(&name)
}

fn fetch(name: &str) -> Result<Response, Response> {
    let file = snapshot_folder::open(name).map_err(unreadable)?;
    let mut file = file.ok_or_else(|| {
        Response::refused(
            404,
            "no such snapshot; /debug/heaplens/snapshots lists them",
        )
    })?;
    let mut body = Vec::new();
    file.read_to_end(&mut body).map_err(unreadable)?;
    Ok(Response::file(GZIP, name, body))
}

/// Takes something when nobody else does, and a little later than the last one.
fn in_turn<R>(cap: Duration, take: impl FnOnce() -> R) -> Result<R, Response> {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let Some(mut last) = LAST.try_lock_for(cap) else {
        return Err(Response::refused(
            429,
            "others are taking snapshots; try again later",
        ));
    };
    if let Some(last) = *last {
        std::thread::sleep(DISTANCE.saturating_sub(last.elapsed()));
    }
    let taken = take();
    *last = Some(Instant::now());
    Ok(taken)
}

fn unavailable(error: SnapshotError) -> Response {
    Response::refused(503, error)
}

fn unreadable(error: io::Error) -> Response {
    Response::refused(500, format_args!("cannot read the folder: {error}"))
}
