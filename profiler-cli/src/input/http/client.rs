//! One request and its answer, with a limit to what either may cost.

use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use ureq::http::{HeaderMap, Response, StatusCode, header};
use ureq::{Agent, Body, RequestBuilder};

use super::url::Request;
use crate::render::units;

/// Longest time for a whole answer, unless another is given: a service writes for a minute at most, and
/// may wait for a turn before.
const USUAL_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest time for a connection to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Times that a server is asked which says that it is busy.
const TRIES: u32 = 3;
/// Longest wait between them.
const MOST_WAIT: Duration = Duration::from_secs(5);
/// Longest answer: what all snapshots of a program take on disk, unless it is told otherwise.
const MOST_BYTES: u64 = 256 << 20;
/// All answers together.
const MOST_BYTES_IN_ALL: u64 = 1 << 30;
/// Longest list, a good two thousand names.
const MOST_LIST_BYTES: u64 = 256 << 10;
/// Part of a refusal that is shown.
const MOST_REASON: usize = 200;
const MOST_TOKEN_BYTES: u64 = 4096;
const CHUNK: usize = 64 << 10;

/// How to ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// File with a token to send along.
    pub token_file: Option<PathBuf>,
    /// Longest time for one answer; two minutes if it is not given.
    pub timeout: Option<Duration>,
    /// Goes on without those that do not answer.
    pub partial: bool,
}

/// What was answered.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) body: Arc<[u8]>,
    /// The name to save it by, as the server has it: anything.
    pub(super) file_name: Option<String>,
}

/// Asks servers. Errors are what is wrong, without the URL.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    pub(super) settings: Settings,
    most_bytes: u64,
    bytes_left: AtomicU64,
}

impl Client {
    /// A client that takes in no answer of more than `most_bytes`, and than it ever does.
    pub(super) fn new(settings: Settings, most_bytes: u64) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // A connection that is kept may be closed just when it is used again.
            .max_idle_connections(0)
            // What is asked is near, and a proxy would get to see the token.
            .proxy(None)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .user_agent(concat!("heaplens/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            agent: config.new_agent(),
            settings,
            most_bytes: most_bytes.min(MOST_BYTES),
            bytes_left: AtomicU64::new(most_bytes.saturating_mul(4).min(MOST_BYTES_IN_ALL)),
        }
    }

    /// Asks for a file.
    pub(super) fn file(&self, request: &Request) -> Result<Answer, String> {
        self.ask(request, self.most_bytes)
    }

    /// Asks for a text.
    pub(super) fn text(&self, request: &Request) -> Result<String, String> {
        let answer = self.ask(request, MOST_LIST_BYTES)?;
        match str::from_utf8(&answer.body) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(format!("{} answers with no text", request.url)),
        }
    }

    /// Asks, and asks again where the server is busy for a moment.
    fn ask(&self, request: &Request, most_bytes: u64) -> Result<Answer, String> {
        let timeout = self.settings.timeout.unwrap_or(USUAL_TIMEOUT);
        let timeout = timeout + Duration::from_secs(request.seconds);
        let deadline = Instant::now() + timeout;
        let mut tries = 1;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let response = self
                .send(request, left)
                .map_err(|error| explain(error, timeout))?;
            let status = response.status();
            if status == StatusCode::OK {
                return self
                    .receive(response, most_bytes)
                    .map_err(|error| explain(error, timeout));
            }
            let refusal = refusal(request, response);
            let busy = matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
            );
            let Some(wait) = refusal.retry_after.filter(|_| busy) else {
                return Err(refusal.text);
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if tries == TRIES || wait > MOST_WAIT || wait >= left {
                let wait = units::span(wait.as_millis() as u64);
                return Err(format!("{}; it asks to try again in {wait}", refusal.text));
            }
            tries += 1;
            thread::sleep(wait);
        }
    }

    fn send(&self, request: &Request, timeout: Duration) -> Result<Response<Body>, Failure> {
        let token = self.token().map_err(Failure::Told)?;
        let token = token.as_deref();
        let response = match request.takes {
            true => prepared(self.agent.post(&request.url), token, timeout).send_empty(),
            false => prepared(self.agent.get(&request.url), token, timeout).call(),
        };
        response.map_err(Failure::Ureq)
    }

    /// The token, read each time, since tokens are renewed.
    fn token(&self) -> Result<Option<String>, String> {
        let Some(file) = &self.settings.token_file else {
            return Ok(None);
        };
        let unusable = |what: String| format!("the token file {} {what}", file.display());
        let unreadable = |error: io::Error| unusable(format!("cannot be read: {error}"));
        let mut text = String::new();
        fs::File::open(file)
            .and_then(|open| open.take(MOST_TOKEN_BYTES + 1).read_to_string(&mut text))
            .map_err(unreadable)?;
        let token = text.trim();
        let is_one = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        match is_one && text.len() as u64 <= MOST_TOKEN_BYTES {
            true => Ok(Some(token.to_owned())),
            false => Err(unusable(
                "holds no token: one line without spaces, of 4096 bytes at most".to_owned(),
            )),
        }
    }

    fn receive(&self, response: Response<Body>, most_bytes: u64) -> Result<Answer, Failure> {
        let file_name = file_name(response.headers());
        let too_long = || {
            let most = units::unsigned_bytes(most_bytes);
            Failure::Told(format!(
                "the answer is longer than {most}, the most that is taken in"
            ))
        };
        let announced = response.body().content_length();
        if announced.is_some_and(|bytes| bytes > most_bytes) {
            return Err(too_long());
        }
        let mut reader = response.into_body().into_reader();
        let mut body = Vec::new();
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = match reader.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) => return Err(Failure::Ureq(error.into())),
            };
            if (body.len() + read) as u64 > most_bytes {
                return Err(too_long());
            }
            let take = |left: u64| left.checked_sub(read as u64);
            if self
                .bytes_left
                .fetch_update(Relaxed, Relaxed, take)
                .is_err()
            {
                return Err(Failure::Told(
                    "all answers together are longer than what is taken in, 1.0 GiB or less: ask \
                     for fewer at a time"
                        .to_owned(),
                ));
            }
            body.extend_from_slice(&chunk[..read]);
        }
        Ok(Answer {
            body: body.into(),
            file_name,
        })
    }
}

fn prepared<B>(
    request: RequestBuilder<B>,
    token: Option<&str>,
    timeout: Duration,
) -> RequestBuilder<B> {
    let request = match token {
        Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
        None => request,
    };
    // Of no time at all it would have no end.
    let timeout = timeout.max(Duration::from_millis(1));
    request.config().timeout_global(Some(timeout)).build()
}

/// Why there is no answer.
enum Failure {
    Ureq(ureq::Error),
    /// In words already.
    Told(String),
}

/// An answer that is not the one that was asked for.
struct Refusal {
    text: String,
    retry_after: Option<Duration>,
}

fn refusal(request: &Request, mut response: Response<Body>) -> Refusal {
    let status = response.status();
    let header = |name| response.headers().get(name)?.to_str().ok();
    let retry_after = header(header::RETRY_AFTER);
    let retry_after = retry_after.and_then(|seconds| seconds.trim().parse().ok());
    let text = if status.is_redirection() {
        let to = header(header::LOCATION).unwrap_or("nowhere");
        let to: String = to.chars().take(MOST_REASON).collect();
        format!("redirects to {to}, which is not followed: pass that URL if it is the right one")
    } else {
        let reason = reason(&mut response);
        let hint = match status {
            StatusCode::UNAUTHORIZED => {
                "; pass --token-file FILE, a file with the token that the service has in \
                 HEAPLENS_HTTP_TOKEN_FILE"
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED if request.takes => {
                "; is this the address of a heaplens endpoint?"
            }
            _ => "",
        };
        format!("answers {status}{reason}{hint}")
    };
    Refusal {
        text,
        retry_after: retry_after.map(Duration::from_secs),
    }
}

/// The first line of what is said with a refusal.
fn reason(response: &mut Response<Body>) -> String {
    let mut start = Vec::new();
    // There may be none, and it may be anything.
    let mut body = response.body_mut().as_reader().take(4 * MOST_REASON as u64);
    let _ = body.read_to_end(&mut start);
    let text = String::from_utf8_lossy(&start);
    let line = text.lines().next().unwrap_or_default().trim();
    match line.is_empty() || line.starts_with('<') {
        true => String::new(),
        false => format!(": {}", line.chars().take(MOST_REASON).collect::<String>()),
    }
}

/// The name in `Content-Disposition: attachment; filename="…"`.
fn file_name(headers: &HeaderMap) -> Option<String> {
    let disposition = headers.get(header::CONTENT_DISPOSITION)?.to_str().ok()?;
    let (_, name) = disposition.split_once("filename=")?;
    let name = name.split(';').next().unwrap_or_default();
    Some(name.trim().trim_matches('"').to_owned())
}

fn explain(failure: Failure, timeout: Duration) -> String {
    let error = match failure {
        Failure::Told(what) => return what,
        Failure::Ureq(error) => error,
    };
    match error {
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => format!(
            "no connection within {}",
            units::span(CONNECT_TIMEOUT.as_millis() as u64)
        ),
        ureq::Error::Timeout(_) => format!(
            "no whole answer within {}: --http-timeout allows for more",
            units::span(timeout.as_millis() as u64)
        ),
        ureq::Error::HostNotFound => "no such host".to_owned(),
        ureq::Error::Io(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                "connection refused: nothing listens there; a service with heaplens' feature `http` \
                 does with HEAPLENS_HTTP=127.0.0.1:6070"
                    .to_owned()
            }
            io::ErrorKind::UnexpectedEof => "the answer was cut short".to_owned(),
            io::ErrorKind::TimedOut => "no connection".to_owned(),
            _ => error.to_string(),
        },
        ureq::Error::Protocol(error) => format!("does not answer in HTTP: {error}"),
        ureq::Error::LargeResponseHeader(..) => {
            "does not answer in HTTP: the head of its answer is too long".to_owned()
        }
        error => error.to_string(),
    }
}
