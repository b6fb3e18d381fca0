//! Pods of a service with an endpoint each, on this machine.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdout};

use crate::build::{PLAIN, Profile};
use crate::run::command;

/// The release that is good, and the one that leaks.
pub(crate) const GOOD: Profile = Profile {
    features: "http",
    ..PLAIN
};
pub(crate) const LEAKY: Profile = Profile {
    features: "http,next",
    ..PLAIN
};
/// What a round of requests leaves behind in the leaky release, without the vector that holds it.
pub(crate) const LEAKED: i64 = 256 * 4096;

/// A pod that runs, until it is dropped.
pub(crate) struct Pod {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    stdout: BufReader<ChildStdout>,
}

impl Pod {
    pub(crate) fn start(program: &Path, folder: &Path, settings: &[(&str, &str)]) -> Self {
        Self::start_at(free_address(), program, folder, settings)
    }

    /// Starts one that listens on this address.
    pub(crate) fn start_at(
        address: SocketAddr,
        program: &Path,
        folder: &Path,
        settings: &[(&str, &str)],
    ) -> Self {
        let mut command = command(program, &[("HEAPLENS_DIR", folder.as_os_str())]);
        command
            .env("HEAPLENS_HTTP", address.to_string())
            .env("HEAPLENS_MODE", "exact")
            .envs(settings.iter().copied())
            .stdin(std::process::Stdio::piped())
            .stderr(std::process::Stdio::inherit());
        let mut child = command.spawn().expect("the pod starts");
        let stdout = child.stdout.take().expect("a pipe");
        let mut pod = Self {
            child,
            address,
            stdout: BufReader::new(stdout),
        };
        assert_eq!(pod.line(), "ready\n");
        pod
    }

    /// Serves a round of requests.
    pub(crate) fn serve(&mut self) {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        stdin.write_all(b"\n").expect("the pod reads");
        assert_eq!(self.line(), "served\n");
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a line");
        line
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        // Whoever has gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}
