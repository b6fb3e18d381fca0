//! The service as a process of its own: start it, talk to it, stop it.
//!
//! It is this same program, told by an environment variable to be the service. Whatever goes wrong
//! on this side, the process ends with it: it is killed when [`Service`] is dropped, and it stops
//! by itself when its standard input ends.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::load::Request;

/// Set in the environment of the process that is to be the service.
const ROLE: &str = "WIDGET_SERVICE_ROLE";
/// Mean distance between samples, in bytes. Finer than heaplens' default, since a run of seconds
/// leaks a thousandth of what a night leaks, and its noise is to be as small.
const SAMPLE_BYTES: &str = "32KiB";
/// Longest time from the start of the process to its address.
const START_LIMIT: Duration = Duration::from_secs(20);
/// Longest time for one request.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);
/// Longest time from the wish to stop to the end of the process.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// Is the service, whose `main` is given, if this process is to be it.
pub fn be_the_service(main: impl FnOnce() -> ExitCode) -> Option<ExitCode> {
    std::env::var_os(ROLE).map(|_| main())
}

/// A running service.
#[derive(Debug)]
pub struct Service {
    process: Child,
    client: Client,
}

impl Service {
    /// Starts the service on any port, with snapshots in that folder when they are asked for.
    pub fn start(fixed: bool, snapshots: &Path) -> Result<Self, String> {
        let environment = [
            ("HEAPLENS_DIR", snapshots.as_os_str()),
            ("HEAPLENS_INTERVAL", "0".as_ref()),
            ("HEAPLENS_SAMPLE_BYTES", SAMPLE_BYTES.as_ref()),
        ];
        Self::launch(fixed, &[], &environment)
    }

    /// Starts the service in exact mode, in which it takes a graph of the heap when it is asked for one.
    pub fn start_exact(fixed: bool, snapshots: &Path) -> Result<Self, String> {
        let environment = [
            ("HEAPLENS_DIR", snapshots.as_os_str()),
            ("HEAPLENS_INTERVAL", "0".as_ref()),
            ("HEAPLENS_MODE", "exact".as_ref()),
        ];
        Self::launch(fixed, &[], &environment)
    }

    /// Starts the service with these arguments, and these settings of heaplens and no others, and waits
    /// until it listens.
    pub fn launch(
        fixed: bool,
        arguments: &[&OsStr],
        environment: &[(&str, &OsStr)],
    ) -> Result<Self, String> {
        let program = std::env::current_exe()
            .map_err(|error| format!("cannot tell where this program is: {error}"))?;
        let mut command = Command::new(&program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HEAPLENS_") {
                command.env_remove(name);
            }
        }
        command
            .args(fixed.then_some("--fixed"))
            .args(arguments)
            .arg("--stop-with-stdin")
            .env(ROLE, "1")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let process = command
            .spawn()
            .map_err(|error| format!("cannot start {} again: {error}", program.display()))?;
        // From here on the process ends with this value, also when the address does not come.
        let mut service = Self {
            process,
            client: Client::new(String::new()),
        };
        service.client = Client::new(service.listening()?);
        Ok(service)
    }

    /// Reads the address that the service prints once it listens.
    fn listening(&mut self) -> Result<String, String> {
        let stdout = self
            .process
            .stdout
            .take()
            .ok_or("the service has no output")?;
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            // To the end, or the service would fail to write what nobody reads.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let line = receiver
            .recv_timeout(START_LIMIT)
            .map_err(|error| match error {
                mpsc::RecvTimeoutError::Timeout => {
                    format!(
                        "the service does not listen after {} s",
                        START_LIMIT.as_secs()
                    )
                }
                mpsc::RecvTimeoutError::Disconnected => "the service ended at its start".to_owned(),
            })?;
        let address = line.strip_prefix("listening on ");
        Ok(address
            .ok_or_else(|| format!("the service says {line:?}, not its address"))?
            .to_owned())
    }

    /// Where it listens: host and port.
    pub fn address(&self) -> String {
        self.client.url.trim_start_matches("http://").to_owned()
    }

    /// What talks to it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Adds to an error that the service has ended, if it has: then that is the reason.
    pub fn explain(&mut self, error: String) -> String {
        match self.process.try_wait() {
            Ok(Some(status)) => format!("the service ended early, with {status} ({error})"),
            _ => error,
        }
    }

    /// Asks the service to stop, and waits until it has written its last snapshot and ended.
    pub fn stop(mut self) -> Result<(), String> {
        self.client.post("/shutdown")?;
        let deadline = Instant::now() + STOP_LIMIT;
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("the service ended with {status}")),
                Ok(None) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Ok(None) => {
                    return Err(
                        format!("the service runs on {} s after", STOP_LIMIT.as_secs())
                            + " it was told to stop",
                    );
                }
                Err(error) => return Err(format!("cannot wait for the service: {error}")),
            }
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Both fail only where the process has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Talks HTTP to the service. Connections are kept and shared.
#[derive(Debug)]
pub struct Client {
    /// Without a slash at its end.
    pub url: String,
    agent: ureq::Agent,
}

impl Client {
    fn new(url: String) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(REQUEST_LIMIT));
        Self {
            url,
            agent: config.build().into(),
        }
    }

    /// Sends the request and reads the answer to its end.
    pub fn send(&self, request: &Request) -> Result<(), String> {
        match request {
            Request::Publish(definition) => {
                let path = format!("/widgets/{}", definition.id);
                let body = serde_json::to_string(definition).map_err(|error| error.to_string())?;
                let put = self.agent.put(format!("{}{path}", self.url));
                let answer = put.header("content-type", "application/json").send(body);
                check(&path, answer).map(drop)
            }
            Request::View {
                widget,
                tick,
                format,
            } => {
                let path = format!("/widgets/{widget}?tick={tick}&format={format}");
                check(&path, self.agent.get(format!("{}{path}", self.url)).call()).map(drop)
            }
        }
    }

    /// Takes a snapshot and returns its file.
    pub fn snapshot(&self, label: &str) -> Result<PathBuf, String> {
        self.post(&format!("/snapshot?label={label}"))
            .map(|path| path.trim_end().into())
    }

    /// Takes a snapshot with a graph of the heap and returns its file.
    pub fn graph(&self) -> Result<PathBuf, String> {
        self.post("/graph").map(|path| path.trim_end().into())
    }

    /// Whether it is well.
    pub fn healthz(&self) -> Result<(), String> {
        let answer = self.agent.get(format!("{}/healthz", self.url)).call();
        check("/healthz", answer).map(drop)
    }

    /// What the service says that it holds.
    pub fn stats(&self) -> Result<serde_json::Value, String> {
        let text = check(
            "/stats",
            self.agent.get(format!("{}/stats", self.url)).call(),
        )?;
        serde_json::from_str(&text).map_err(|error| format!("/stats: {error}"))
    }

    fn post(&self, path: &str) -> Result<String, String> {
        check(
            path,
            self.agent.post(format!("{}{path}", self.url)).send_empty(),
        )
    }
}

type Answer = Result<ureq::http::Response<ureq::Body>, ureq::Error>;

fn check(path: &str, answer: Answer) -> Result<String, String> {
    let mut answer = answer.map_err(|error| format!("{path}: {error}"))?;
    let status = answer.status();
    let text = answer
        .body_mut()
        .read_to_string()
        .map_err(|error| format!("{path}: {error}"))?;
    match status.is_success() {
        true => Ok(text),
        false => Err(format!("{path}: {status}: {}", text.trim_end())),
    }
}
