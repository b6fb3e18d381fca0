//! A process that serves, and a client that asks it.

use crate::processes::{self, LONG, command};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Stdio};

/// A process that serves.
pub(crate) struct Service {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
    pub(crate) folder: tempfile::TempDir,
}

impl Service {
    /// Holds 5 MiB.
    pub(crate) fn start(settings: &[(&str, &str)]) -> Self {
        Self::in_role("serve", "HEAPLENS_HTTP", settings)
    }

    /// Finds the address to listen at in a variable.
    pub(crate) fn in_role(role: &str, variable: &str, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let address = free_address();
        let mut command = command(role, folder.path(), &[("HEAPLENS_MODE", "exact")]);
        command
            .env(variable, address.to_string())
            .envs(settings.iter().copied())
            .stdin(Stdio::piped());
        let mut child = command.spawn().expect("this program starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut service = Self {
            child,
            stdout,
            address,
            folder,
        };
        assert_eq!(service.line(), "ready");
        service
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a pipe");
        line.trim_end().to_owned()
    }

    /// Tells it something, and waits for its answer.
    pub(crate) fn tell(&mut self, word: &str) -> String {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{word}").expect("it reads");
        self.line()
    }

    pub(crate) fn ask(&self, request: &str) -> Answer {
        ask(self.address, request.as_bytes())
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.ask(&format!(
            "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        ))
    }

    pub(crate) fn post(&self, target: &str) -> Answer {
        self.ask(&format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        ))
    }

    pub(crate) fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    /// Ends it, and returns what it said.
    pub(crate) fn end(mut self) -> String {
        drop(self.child.stdin.take());
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().expect("a pipe");
        stderr.read_to_string(&mut said).expect("text");
        assert!(processes::wait(&mut self.child).success(), "{said}");
        said
    }
}

pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("text")
    }
}

pub(crate) fn ask(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(LONG)).expect("a time");
    // A server that refuses early need not read all of it.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer");
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("no head: {:?}", String::from_utf8_lossy(&bytes)));
    let head = String::from_utf8(bytes[..end].to_vec()).expect("text");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Answer {
        status: status.expect("a status"),
        body: bytes[end + 4..].to_vec(),
        head,
    }
}
