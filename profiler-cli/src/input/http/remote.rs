//! What was asked of servers in this run of the command: each URL once, many at a time.

use std::collections::HashMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use heaplens::snapshot::FileName;

use super::client::{Answer, Client, Settings};
use super::is_url;
use super::url::{Request, Url};
use crate::error::Error;
use crate::input::limits::limits;

/// Servers that are asked at a time. Each of them gets one request at a time: a service has places for
/// eight, and others than us look at it too.
const MOST_SERVERS: usize = 16;

/// Asks URLs, and remembers what they answered.
#[derive(Debug)]
pub struct Remote {
    client: Client,
    answers: Mutex<HashMap<PathBuf, Answer>>,
}

impl Default for Remote {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

/// What could not be had of several URLs.
#[derive(Debug)]
pub(crate) struct Unanswered {
    pub(crate) input: PathBuf,
    pub(crate) error: Error,
}

impl Remote {
    /// One that has asked nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            client: Client::new(settings, limits().decompressed_bytes),
            answers: Mutex::default(),
        }
    }

    /// The same, with nothing remembered.
    pub(crate) fn forgetful(&self) -> Self {
        Self::new(self.client.settings.clone())
    }

    /// Whether to go on without those that do not answer.
    pub(crate) fn is_partial(&self) -> bool {
        self.client.settings.partial
    }

    /// Asks for all URLs among `inputs` that have not been asked for. Returns those without an answer,
    /// in their order. `progress` is called with the number of answers and of all that are asked for.
    pub(crate) fn fetch(
        &self,
        inputs: &[PathBuf],
        progress: &mut dyn FnMut(usize, usize),
    ) -> Vec<Unanswered> {
        let mut unanswered = Vec::new();
        let mut servers: Vec<(String, Vec<(usize, Request)>)> = Vec::new();
        let mut of = 0;
        for (at, input) in inputs.iter().enumerate() {
            let is_known = || self.answers().contains_key(input) || inputs[..at].contains(input);
            if !is_url(input) || is_known() {
                continue;
            }
            match Url::parse(input).and_then(|url| Ok((url.one()?, url.host))) {
                Ok((request, host)) => {
                    of += 1;
                    match servers.iter_mut().find(|(known, _)| *known == host) {
                        Some((_, requests)) => requests.push((at, request)),
                        None => servers.push((host, vec![(at, request)])),
                    }
                }
                Err(what) => unanswered.push((at, what)),
            }
        }
        let next = AtomicUsize::new(0);
        let (answer, answers) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..servers.len().min(MOST_SERVERS) {
                let (answer, next, servers) = (answer.clone(), &next, &servers);
                scope.spawn(move || {
                    while let Some((_, requests)) = servers.get(next.fetch_add(1, Relaxed)) {
                        for (at, request) in requests {
                            // Nobody waits for it any more only if this thread's parent panics.
                            let _ = answer.send((*at, self.client.file(request)));
                        }
                    }
                });
            }
            drop(answer);
            for (done, (at, answer)) in answers.iter().enumerate() {
                match answer {
                    Ok(answer) => {
                        self.answers().insert(inputs[at].clone(), answer);
                    }
                    Err(what) => unanswered.push((at, what)),
                }
                progress(done + 1, of);
            }
        });
        unanswered.sort_by_key(|(at, _)| *at);
        let unanswered = unanswered.into_iter();
        unanswered
            .map(|(at, what)| Unanswered {
                input: inputs[at].clone(),
                error: Error::input(&inputs[at], what),
            })
            .collect()
    }

    /// Whether a URL is one to take a snapshot by, as the bare address of an endpoint is.
    pub fn takes_now(&self, input: &Path) -> bool {
        let request = Url::parse(input).and_then(|url| url.one());
        request.is_ok_and(|request| request.takes)
    }

    /// The URLs of all snapshots in a service's folder; none if `input` is the URL of a single file.
    ///
    /// # Errors
    ///
    /// What is no URL, no answer, and an answer that is no list or an empty one.
    pub fn list(&self, input: &Path) -> Result<Option<Vec<PathBuf>>, Error> {
        let fail = |what: String| Error::input(input, what);
        let url = Url::parse(input).map_err(fail)?;
        let Some(request) = url.list() else {
            return Ok(None);
        };
        let text = self.client.text(&request).map_err(fail)?;
        let name = |line: &str| {
            let (bytes, name) = line.trim_start().split_once(' ')?;
            bytes.parse::<u64>().ok()?;
            FileName::parse(name)?;
            Some(PathBuf::from(url.listed(name)))
        };
        let listed: Option<Vec<PathBuf>> = text.lines().map(name).collect();
        match listed {
            None => Err(fail(format!(
                "{} answers with no list of snapshots: is this the address of a heaplens endpoint?",
                request.url
            ))),
            Some(listed) if listed.is_empty() => Err(fail(
                "no snapshots in the service's folder yet, or it cannot be written; `heaplens snapshot` \
                 takes one now"
                    .to_owned(),
            )),
            Some(listed) => Ok(Some(listed)),
        }
    }

    /// What a URL answered; asks for it if that has not been done.
    ///
    /// # Errors
    ///
    /// What is no URL, and no answer.
    pub fn open(&self, input: &Path) -> Result<Cursor<Arc<[u8]>>, Error> {
        Ok(Cursor::new(self.answer(input)?.body))
    }

    /// The name that the server has for what a URL answered, if it is a plain one of a snapshot or
    /// profile.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn file_name(&self, input: &Path) -> Result<Option<String>, Error> {
        let is_plain = |name: &String| {
            let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            name.len() < 255
                && name.chars().all(is_safe)
                && !name.starts_with('.')
                && [".json.gz", ".pb.gz"].iter().any(|end| name.ends_with(end))
        };
        Ok(self.answer(input)?.file_name.filter(is_plain))
    }

    /// A profile that the endpoint of `input` makes in memory, as an input, and its metrics.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), and metrics that are no text.
    pub fn live(&self, input: &Path) -> Result<(PathBuf, String), Error> {
        let fail = |what: String| Error::input(input, what);
        let [profile, metrics] = Url::parse(input).map_err(fail)?.live();
        let request = |url: String| Request {
            url,
            takes: false,
            seconds: 0,
        };
        let text = self.client.text(&request(metrics)).map_err(fail)?;
        let profile = PathBuf::from(profile);
        self.answer(&profile)?;
        Ok((profile, text))
    }

    fn answer(&self, input: &Path) -> Result<Answer, Error> {
        if let Some(known) = self.answers().get(input) {
            return Ok(known.clone());
        }
        let fail = |what: String| Error::input(input, what);
        let request = Url::parse(input).and_then(|url| url.one()).map_err(fail)?;
        let answer = self.client.file(&request).map_err(fail)?;
        self.answers().insert(input.to_owned(), answer.clone());
        Ok(answer)
    }

    /// The answers. Whoever panicked with the lock has changed nothing by half.
    fn answers(&self) -> MutexGuard<'_, HashMap<PathBuf, Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
