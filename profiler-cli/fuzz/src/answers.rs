//! What a server answers to the command line, and URLs.

use std::io::{self, Read, Write};
use std::mem;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use heaplens::snapshot::{Header, is_unprintable};
use heaplens_cli::Error;
use heaplens_cli::analysis::watch::Watched;
use heaplens_cli::input::http::{Remote, Settings};
use heaplens_cli::input::live::complete;
use heaplens_cli::profile::Profile;
use heaplens_cli::render::watch_text;

use super::memory::within;

/// Buffers for a connection, and the answer while it is taken in.
const ROOM: u64 = 2 << 20;

/// The first line is a URL, the rest what the server there answers, whatever it is asked.
pub fn answers(data: &[u8]) {
    let end = data.iter().position(|&byte| byte == b'\n');
    let (line, answer) = data.split_at(end.unwrap_or(data.len()));
    let line = String::from_utf8_lossy(line);
    let answer = answer.get(1..).unwrap_or_default();
    let bound = ROOM + 8 * data.len() as u64;
    let remote = Remote::new(Settings {
        timeout: Some(Duration::from_millis(500)),
        ..Settings::default()
    });
    // Any URL is read, but only this server is asked.
    let _ = remote.takes_now(Path::new(&*line));
    let server = Server::get();
    let url = format!("http://127.0.0.1:{}/{line}", server.port);
    let url = Path::new(&url);
    server.answers(answer);

    match within(bound, || remote.list(url)) {
        Err(error) => is_one_clear_line(&error),
        Ok(None) => {}
        Ok(Some(listed)) => {
            for one in listed {
                let one = one.to_str().expect("UTF-8");
                assert!(one.starts_with("http://127.0.0.1:"), "{one}");
                assert!(
                    !one.contains("/../") && !one.chars().any(is_unprintable),
                    "{one}"
                );
            }
        }
    }
    match within(bound, || remote.open(url)) {
        Err(error) => is_one_clear_line(&error),
        Ok(mut body) => {
            let mut bytes = Vec::new();
            body.read_to_end(&mut bytes).expect("it is in memory");
            assert!(bytes.len() <= answer.len());
            if let Some(name) = remote.file_name(url).expect("it is known") {
                assert!(
                    !name.contains(['/', '\\']) && !name.starts_with('.'),
                    "{name}"
                );
            }
        }
    }
    if let Err(error) = within(bound, || remote.live(url)) {
        is_one_clear_line(&error);
    }
    for request in server.requests() {
        is_one_request(&request);
    }
    watch(&String::from_utf8_lossy(answer));
}

/// Looks twice at a program with these metrics.
fn watch(metrics: &str) {
    let profile = Profile::default();
    let mut watched = Watched::default();
    let mut header = Header::default();
    for _ in 0..2 {
        if complete(&mut header, metrics).is_ok() {
            let view = watched.see(&profile, &header);
            for line in watch_text::lines(&view, 10) {
                assert!(!line.chars().any(is_unprintable), "{line:?}");
            }
        }
    }
}

/// A request line and the headers that are meant, whatever the URL says.
fn is_one_request(request: &str) {
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    assert_eq!(body, "");
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default();
    let words: Vec<&str> = line.split(' ').collect();
    assert!(
        matches!(words[..], ["GET" | "POST", _, "HTTP/1.1"]),
        "{line}"
    );
    for line in lines {
        let (name, _) = line.split_once(": ").expect("a header");
        let name = name.to_ascii_lowercase();
        let known = [
            "host",
            "user-agent",
            "accept",
            "accept-encoding",
            "content-length",
        ];
        assert!(known.contains(&&*name), "{line}");
    }
}

fn is_one_clear_line(error: &Error) {
    let line = error.to_string();
    assert!(line.starts_with("http://127.0.0.1:"), "{line:?}");
    assert!(!line.chars().any(is_unprintable), "{line:?}");
    assert!(
        line.len() < 4096 + 3 * line.find(": ").unwrap_or_default(),
        "{line:?}"
    );
}

/// A server on this machine that answers each request with the same bytes.
#[derive(Clone)]
struct Server {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    answer: Vec<u8>,
    requests: Vec<String>,
}

impl Server {
    fn get() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("an address");
            let server = Self {
                port: listener.local_addr().expect("its address").port(),
                state: Arc::default(),
            };
            let own = server.clone();
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    // A client that has gone needs no answer.
                    let _ = own.serve(stream);
                }
            });
            server
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                read => request.extend_from_slice(&buffer[..read]),
            }
        }
        let request = String::from_utf8_lossy(&request).into_owned();
        let answer = {
            let mut state = self.state();
            state.requests.push(request);
            state.answer.clone()
        };
        stream.write_all(&answer)
    }

    fn answers(&self, answer: &[u8]) {
        *self.state() = State {
            answer: answer.to_vec(),
            requests: Vec::new(),
        };
    }

    /// What it has been asked since it was told its answer.
    fn requests(&self) -> Vec<String> {
        mem::take(&mut self.state().requests)
    }
}
