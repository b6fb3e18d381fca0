//! The evidence over HTTP: heap profiles that `go tool pprof` reads, snapshots that `heaplens` reads,
//! metrics that Prometheus reads.
//!
//! | request | answer |
//! |---|---|
//! | `GET /debug/pprof/heap`, `GET /debug/pprof/allocs` | a gzipped pprof profile; `?seconds=N` for what changed in N seconds, `?debug=1` for text |
//! | `POST /debug/heaplens/snapshot` | takes a snapshot, in a file too if the folder can be written, and returns it |
//! | `GET /debug/heaplens/snapshots` | the snapshots in the folder, one a line: size in bytes and name |
//! | `GET /debug/heaplens/snapshots/NAME` | one of them; those that a killed predecessor left too |
//! | `GET /metrics` | metrics as OpenMetrics or Prometheus text, whichever is asked for |
//!
//! A program that has an HTTP server passes requests to [`handle`]; for others there is a server of
//! heaplens' own (`HEAPLENS_HTTP=127.0.0.1:6070`, [`Config::http`](crate::Config::http)). Nothing
//! listens unless it is told to. One profile or snapshot is taken at a time.
//!
//! It does not name functions and does not draw: that is the command line's part. It knows no TLS.

mod access;
mod connection;
mod delta;
mod metrics;
mod query;
mod server;
mod text;

pub(super) use server::start;

use super::{SnapshotError, snapshot_folder, snapshot_in_memory, status};
use crate::recorder;
use crate::snapshot::{self, Snapshot, pprof};
use parking_lot::Mutex;
use query::Query;
use std::io::{self, Read};
use std::time::{Duration, Instant};

/// Longest wait for others who take a snapshot.
const TURN_CAP: Duration = Duration::from_secs(10);
/// Shortest time between two snapshots, from the end of one to the start of the next.
const DISTANCE: Duration = Duration::from_millis(200);

/// What of a request matters here.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// `GET`, `HEAD` or `POST`.
    pub method: &'a str,
    /// Path and query, as in the request's first line.
    pub target: &'a str,
    /// The header `Accept`.
    pub accept: Option<&'a str>,
}

/// What to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header `Content-Type`.
    pub content_type: &'static str,
    /// A name to save the body by, for `Content-Disposition`.
    pub file_name: Option<String>,
    /// The body; empty for `HEAD`.
    pub body: Vec<u8>,
}

const TEXT: &str = "text/plain; charset=utf-8";
const GZIP: &str = "application/gzip";
const PROFILE: &str = "application/octet-stream";

impl Response {
    fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            content_type,
            file_name: None,
            body: body.into(),
        }
    }

    fn file(content_type: &'static str, name: impl Into<String>, body: Vec<u8>) -> Self {
        Self {
            file_name: Some(name.into()),
            ..Self::new(200, content_type, body)
        }
    }

    /// An error in one line.
    fn refused(status: u16, why: impl std::fmt::Display) -> Self {
        Self::new(status, TEXT, format!("{why}\n"))
    }
}

/// Answers a request. Waits while a profile is made, for `?seconds=N` so many seconds: not for the
/// thread of an event loop. Whether the client may ask is for the caller to know.
///
/// ```
/// use heaplens::http::{Request, handle};
///
/// let response = handle(&Request {
///     method: "GET",
///     target: "/metrics",
///     ..Request::default()
/// });
/// // The profiler has not been started here.
/// assert_eq!(response.status, 503);
/// ```
pub fn handle(request: &Request<'_>) -> Response {
    recorder::as_own(|| {
        let mut response = answer(request).unwrap_or_else(|refused| refused);
        if request.method == "HEAD" {
            response.body = Vec::new();
        }
        response
    })
}

fn answer(request: &Request<'_>) -> Result<Response, Response> {
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
        "/debug/heaplens/snapshot" => {
            allow(&["POST"])?;
            take_and_return()
        }
        "/debug/heaplens/snapshots" => {
            allow(READ)?;
            let listed = snapshot_folder::list().map_err(unreadable)?;
            let lines = listed
                .iter()
                .map(|file| format!("{:>12} {}\n", file.bytes, file.name));
            Ok(Response::new(200, TEXT, lines.collect::<String>()))
        }
        "/metrics" => {
            allow(READ)?;
            let status = status::status()
                .ok_or_else(|| Response::refused(503, "the profiler does not run"))?;
            let format = metrics::Format::accepted(request.accept);
            Ok(Response::new(
                200,
                format.content_type(),
                metrics::text(&status, format),
            ))
        }
        "/" | "/debug/pprof/" | "/debug/heaplens/" => {
            allow(READ)?;
            Ok(Response::new(200, TEXT, INDEX))
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
POST /debug/heaplens/snapshot       takes a snapshot and returns it
GET  /debug/heaplens/snapshots      snapshots in the folder
GET  /debug/heaplens/snapshots/NAME one of them
GET  /metrics                       metrics for Prometheus
";

fn profile(query: &Query<'_>) -> Result<Response, Response> {
    let seconds = query.number("seconds", 1..=600)?;
    let as_text = query.number("debug", 0..=2)?.is_some_and(|debug| debug > 0);
    let mut snapshot = held()?;
    if let Some(seconds) = seconds {
        std::thread::sleep(Duration::from_secs(seconds));
        snapshot = delta::between(&snapshot, held()?);
    }
    if as_text {
        return Ok(Response::new(200, TEXT, text::profile(&snapshot)));
    }
    let mut body = Vec::new();
    pprof::write(&snapshot, &mut body).map_err(|error| Response::refused(500, error))?;
    Ok(Response::file(PROFILE, "heap.pb.gz", body))
}

/// A snapshot in memory.
fn held() -> Result<Snapshot, Response> {
    in_turn(|| snapshot_in_memory("http"))?.map_err(unavailable)
}

fn take_and_return() -> Result<Response, Response> {
    let path = match in_turn(|| super::snapshot("http"))? {
        Ok(path) => path,
        // A folder that cannot be written keeps nobody from looking.
        Err(SnapshotError::Write { .. }) => {
            let mut body = Vec::new();
            snapshot::write(&held()?, &mut body).map_err(|error| Response::refused(500, error))?;
            return Ok(Response::file(GZIP, "heaplens.json.gz", body));
        }
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
fn in_turn<R>(take: impl FnOnce() -> R) -> Result<R, Response> {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let Some(mut last) = LAST.try_lock_for(TURN_CAP) else {
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
