//! The evidence over HTTP: heap profiles that `go tool pprof` reads, snapshots that `heaplens` reads,
//! metrics that Prometheus reads.
//!
//! | request | answer |
//! |---|---|
//! | `GET /debug/pprof/heap`, `GET /debug/pprof/allocs` | a gzipped pprof profile; `?seconds=N` for what changed in N seconds, `?debug=1` for text |
//! | `POST /debug/heaplens/snapshot` | takes a snapshot, in a file too if the folder can be written, and returns it; `?graph=1` scans the heap for it |
//! | `GET /debug/heaplens/snapshots` | the snapshots in the folder, one a line: size in bytes and name |
//! | `GET /debug/heaplens/snapshots/NAME` | one of them; those that a killed predecessor left too |
//! | `GET /debug/heaplens/settings` | how allocations are recorded |
//! | `POST /debug/heaplens/settings?mode=off` | switches sampling off; `mode=sampled` on again, `sample_bytes=64KiB` sets its mean distance |
//! | `GET /metrics`, `GET /debug/heaplens/metrics` | metrics as OpenMetrics or Prometheus text, whichever is asked for; `?paths=N` with the N call paths that hold most |
//!
//! For programs that have no HTTP server there is one of heaplens' own (`HEAPLENS_HTTP=127.0.0.1:6070`,
//! [`Config::http`](crate::Config::http)). Others pass requests to [`handle`], or merge the router for
//! axum, of the feature `axum`. Nothing listens unless it is told to. One profile or snapshot is taken
//! at a time.
//!
//! It does not name functions and does not draw: that is the command line's part. It knows no TLS.

mod access;
#[cfg(feature = "axum")]
mod axum_router;
mod connection;
mod delta;
mod metrics;
mod pages;
mod places;
mod query;
mod server;
mod text;

pub use access::Access;
#[cfg(feature = "axum")]
pub use axum_router::router;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub use connection::answer_to;
pub(super) use server::start;

use crate::recorder;
use std::net::IpAddr;

/// Requests that are served at a time; more are turned away (503).
const MOST_AT_A_TIME: usize = 8;

/// Headers by which proxies say for whom they ask.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// What of a request matters here. None of them has a body that would be read.
///
/// A header that a request has several times is best left out, since which of them counts, others
/// might see in another way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// `GET`, `HEAD` or `POST`.
    pub method: &'a str,
    /// Path and query, as in the request's first line.
    pub target: &'a str,
    /// Where the connection comes from.
    pub peer: Option<IpAddr>,
    /// The header `Host`, or the authority of HTTP/2.
    pub host: Option<&'a str>,
    /// The header `Authorization`.
    pub authorization: Option<&'a str>,
    /// The header `Origin`, by which browsers say whose page asks.
    pub origin: Option<&'a str>,
    /// The header `Sec-Fetch-Site`, by which they say it of requests without an `Origin` too.
    pub fetch_site: Option<&'a str>,
    /// One of the headers by which a proxy says for whom it asks: `Forwarded`, `X-Forwarded-For`,
    /// `X-Real-IP` or `Via`.
    pub forwarded: Option<&'a str>,
    /// The header `Accept`.
    pub accept: Option<&'a str>,
}

/// What to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Headers, without those about the length of the body and the connection.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for `HEAD`.
    pub body: Vec<u8>,
}

impl Response {
    fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut headers = vec![
            ("Content-Type", content_type.to_owned()),
            ("Cache-Control", "no-store".to_owned()),
            ("X-Content-Type-Options", "nosniff".to_owned()),
        ];
        match status {
            401 => headers.push(("WWW-Authenticate", "Bearer".to_owned())),
            429 | 503 => headers.push(("Retry-After", "1".to_owned())),
            _ => {}
        }
        Self {
            status,
            headers,
            body: body.into(),
        }
    }

    fn text(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, TEXT, body)
    }

    /// Something to save under a name.
    fn file(content_type: &str, name: &str, body: Vec<u8>) -> Self {
        let mut response = Self::new(200, content_type, body);
        let disposition = format!("attachment; filename=\"{name}\"");
        response.headers.push(("Content-Disposition", disposition));
        response
    }

    /// An error in one line.
    fn refused(status: u16, why: impl std::fmt::Display) -> Self {
        Self::new(status, TEXT, format!("{why}\n"))
    }

    /// For more requests at a time than are served.
    fn busy() -> Self {
        Self::refused(503, "too many requests at a time; try again later")
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

/// Answers a request, if that client may ask. Waits while a profile is made, for `?seconds=N` so many
/// seconds: not for the thread of an event loop.
///
/// ```
/// use heaplens::http::{Access, Request, handle};
///
/// // As it came in at the program's own server, which has checked who asks.
/// let response = handle(
///     &Request {
///         method: "GET",
///         target: "/metrics",
///         ..Request::default()
///     },
///     &Access::Open,
/// );
/// // The profiler has not been started here.
/// assert_eq!(response.status, 503);
/// ```
pub fn handle(request: &Request<'_>, access: &Access) -> Response {
    recorder::as_own(|| {
        let answered = access.check(request).and_then(|()| pages::answer(request));
        let mut response = answered.unwrap_or_else(|refused| refused);
        if request.method == "HEAD" {
            response.body = Vec::new();
        }
        response
    })
}
