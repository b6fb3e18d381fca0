//! The HTTP endpoint, asked as clients do, and as those who mean no good.

#[path = "processes/mod.rs"]
mod processes;

use heaplens::snapshot::{self, FileName, Limits};
use heaplens::{Allocator, Config};
use processes::{LONG, command, play, wait_until};
use std::alloc::System;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::new(System, Config::new());

const HELD: usize = 5 << 20;

fn main() {
    if play(&[("serve", serves)]) {
        return;
    }
    let tests: [(&str, fn()); 7] = [
        ("profiles", profiles),
        ("snapshots", snapshots),
        ("metrics", metrics),
        ("read-only folder", read_only_folder),
        ("access", access),
        ("nothing listens by default", nothing_listens_by_default),
        ("hostile clients", hostile_clients),
    ];
    for (name, test) in tests {
        test();
        println!("test {name} ... ok");
    }
    println!("test result: ok. {} passed; 0 failed", tests.len());
}

/// Holds 5 MiB until its standard input ends.
fn serves() {
    let _profiler = heaplens::start(Config::new()).expect("the profiler starts");
    let held: Vec<Vec<u8>> = (0..HELD >> 12).map(|_| vec![1; 1 << 12]).collect();
    heaplens::work_done(7);
    println!("ready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("a pipe");
    drop(black_box(held));
}

/// A process that serves.
struct Service {
    child: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Service {
    fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_in(tempfile::tempdir().expect("a temporary folder"), settings)
    }

    fn start_in(folder: tempfile::TempDir, settings: &[(&str, &str)]) -> Self {
        let address = free_address();
        let mut command = command("serve", folder.path(), settings);
        command
            .env("HEAPLENS_HTTP", address.to_string())
            .env("HEAPLENS_MODE", "exact")
            .stdin(Stdio::piped());
        let mut child = command.spawn().expect("this program starts");
        let mut stdout = BufReader::with_capacity(1, child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a pipe");
        assert_eq!(line, "ready\n");
        Self {
            child,
            address,
            folder,
        }
    }

    fn ask(&self, request: &str) -> Answer {
        ask(self.address, request.as_bytes())
    }

    fn get(&self, target: &str) -> Answer {
        self.ask(&format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    fn post(&self, target: &str) -> Answer {
        self.ask(&format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        ))
    }

    /// Ends it, and returns what it said.
    fn end(mut self) -> String {
        drop(self.child.stdin.take());
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().expect("a pipe");
        stderr.read_to_string(&mut said).expect("text");
        assert!(processes::wait(&mut self.child).success(), "{said}");
        said
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("text")
    }
}

fn ask(address: SocketAddr, request: &[u8]) -> Answer {
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

fn read(body: &[u8]) -> snapshot::Snapshot {
    snapshot::read_bytes("answer", body, &Limits::default()).expect("a snapshot")
}

fn profiles() {
    let service = Service::start(&[]);
    for target in [
        "/debug/pprof/heap",
        "/debug/pprof/allocs",
        "/debug/pprof/heap?seconds=1",
    ] {
        let answer = service.get(target);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body[..2], [0x1f, 0x8b], "gzip");
    }
    let text = service.get("/debug/pprof/heap?debug=1");
    let live = text.text().lines().nth(1).expect("totals");
    let live: usize = live
        .split(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .expect("bytes");
    assert!((HELD..HELD + (1 << 20)).contains(&live), "{live}");
    // Nothing is allocated meanwhile.
    let delta = service.get("/debug/pprof/heap?seconds=1&debug=1");
    let live = delta.text().lines().nth(1).expect("totals").to_owned();
    assert!(live.starts_with("0 B live in 0 blocks"), "{live}");
    assert_eq!(service.get("/debug/pprof/heap?seconds=0").status, 400);
    assert_eq!(service.post("/debug/pprof/heap").status, 405);
    assert_eq!(service.get("/debug/pprof/other").status, 404);
    assert!(service.get("/").text().contains("/debug/pprof/heap"));
    assert_eq!(service.end(), "");
}

fn snapshots() {
    let service = Service::start(&[]);
    let taken = service.post("/debug/heaplens/snapshot");
    assert_eq!(taken.status, 200, "{taken:?}");
    let taken = read(&taken.body);
    assert_eq!(taken.header.label.as_deref(), Some("http"));
    assert_eq!(taken.header.sequence, 1);
    // Of a run that was killed.
    let other = "heaplens.other.20260105T140000.000Z-7.000048.limit.json.gz";
    fs::write(service.folder.path().join(other), "evidence").expect("a file");
    fs::write(service.folder.path().join("secret"), "secret").expect("a file");
    std::os::unix::fs::symlink(
        "/etc/passwd",
        service.folder.path().join(other.replace("48", "49")),
    )
    .expect("a link");
    let listed = service.get("/debug/heaplens/snapshots");
    let names: Vec<&str> = listed
        .text()
        .lines()
        .map(|line| line.trim().split_once(' ').expect("size and name").1)
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.iter().all(|name| FileName::parse(name).is_some()));
    assert!(names.contains(&other));
    let fetch = |name: &str| service.get(&format!("/debug/heaplens/snapshots/{name}"));
    assert_eq!(fetch(other).body, b"evidence");
    let own = names.iter().find(|name| **name != other).expect("our own");
    assert_eq!(read(&fetch(own).body), taken);
    for name in [
        "secret",
        "../secret",
        "..%2fsecret",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "",
        ".",
        &other.replace("48", "49"),
        &format!("../{other}"),
        &format!("{other}/../secret"),
    ] {
        let answer = fetch(name);
        assert!(matches!(answer.status, 404 | 500), "{name}: {answer:?}");
        assert!(!answer.text().contains("root:"), "{name}");
    }
    assert_eq!(service.end(), "");
}

fn metrics() {
    let service = Service::start(&[]);
    let open = service.ask(
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\
         Accept: application/openmetrics-text; version=1.0.0,text/plain;q=0.5\r\n\r\n",
    );
    assert!(
        open.head.contains("application/openmetrics-text"),
        "{open:?}"
    );
    assert!(open.text().ends_with("# EOF\n"));
    let plain = service.get("/metrics");
    let value = |text: &str, name: &str| -> f64 {
        let sample = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let sample = sample.unwrap_or_else(|| panic!("no {name} in {text}"));
        sample.parse().expect("a number")
    };
    for text in [open.text(), plain.text()] {
        let live = value(text, "heaplens_live_bytes");
        assert!(
            (HELD as f64..(HELD + (1 << 20)) as f64).contains(&live),
            "{live}"
        );
        assert!(value(text, "heaplens_allocated_bytes_total") >= live);
        assert_eq!(value(text, "heaplens_work_total"), 7.0);
        assert_eq!(value(text, "heaplens_snapshots_total"), 0.0);
        assert!(value(text, "heaplens_resident_bytes") > live);
        assert_eq!(
            value(text, "heaplens_losses_total{cause=\"reentered\"}"),
            0.0
        );
    }
    match promtool(plain.text()) {
        Some(complaints) => assert_eq!(complaints, ""),
        None => processes::skip("promtool, of Debian's prometheus"),
    }
    assert_eq!(service.end(), "");
}

/// What promtool finds wrong; `None` if it is not there.
fn promtool(text: &str) -> Option<String> {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    Some(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// Where nothing can be written, snapshots come from memory.
fn read_only_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    // Not even root makes a folder in a file.
    let inside = file.join("snapshots");
    let service = Service::start(&[("HEAPLENS_DIR", inside.to_str().expect("a path"))]);
    let taken = service.post("/debug/heaplens/snapshot");
    assert_eq!(taken.status, 200, "{}", taken.head);
    let live = read(&taken.body).header.totals.live_bytes;
    assert!(live >= HELD as i64, "{live}");
    assert_eq!(service.get("/debug/pprof/heap").status, 200);
    drop(service);
}

fn access() {
    let by = |service: &Service, host: &str, more: &str| {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n{more}\r\n");
        service.ask(&request).status
    };
    let service = Service::start(&[]);
    assert_eq!(by(&service, "127.0.0.1:6070", ""), 200);
    assert_eq!(by(&service, "evil.example", ""), 403);
    assert_eq!(service.ask("GET /metrics HTTP/1.0\r\n\r\n").status, 403);
    drop(service);

    let folder = tempfile::tempdir().expect("a temporary folder");
    let token = folder.path().join("token");
    fs::write(&token, "secret\n").expect("a file");
    let settings = [("HEAPLENS_HTTP_TOKEN_FILE", token.to_str().expect("a path"))];
    let service = Service::start(&settings);
    assert_eq!(by(&service, "pod-7.example", ""), 401);
    assert_eq!(
        by(&service, "pod-7.example", "Authorization: Bearer no\r\n"),
        401
    );
    assert_eq!(
        by(
            &service,
            "pod-7.example",
            "Authorization: Bearer secret\r\n"
        ),
        200
    );
    drop(service);

    let left = processes::run("serve", &[("HEAPLENS_HTTP", "0.0.0.0:0")]);
    assert_eq!(left.lines.len(), 1, "{:?}", left.lines);
    let line = &left.lines[0];
    assert!(
        line.contains("not listening") && line.contains("HEAPLENS_HTTP_TOKEN_FILE"),
        "{line}"
    );
}

fn nothing_listens_by_default() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut child = command("serve", folder.path(), &[])
        .stdin(Stdio::piped())
        .spawn()
        .expect("this program starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    stdout.read_line(&mut String::new()).expect("a pipe");
    let open = fs::read_dir(format!("/proc/{}/fd", child.id())).expect("its descriptors");
    let sockets = open
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter(|target| {
            target.starts_with(Path::new("socket:"))
                || target.to_string_lossy().starts_with("socket:")
        })
        .count();
    assert_eq!(sockets, 0);
    drop(child.stdin.take());
    assert!(processes::wait(&mut child).success());
}

/// Floods, slow clients and noise: the service goes on, and answers who asks properly.
fn hostile_clients() {
    let service = Service::start(&[]);
    let connect = || TcpStream::connect(service.address).expect("it listens");
    for noise in [
        &b"\x16\x03\x01\x02\x00"[..],
        b"GET",
        b"\0\0\0\0\r\n\r\n",
        &[b'a'; 100_000],
    ] {
        let mut stream = connect();
        let _ = stream.write_all(noise);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer);
        assert!(
            text.is_empty() || text.starts_with("HTTP/1.1 400"),
            "{text}"
        );
    }
    let long = format!(
        "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "a".repeat(20_000)
    );
    assert_eq!(service.ask(&long).status, 400);
    let body = "POST /debug/heaplens/snapshot HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n";
    assert_eq!(service.ask(body).status, 413);

    // Those who say nothing take all places, and are turned out in time.
    let silent: Vec<TcpStream> = (0..40).map(|_| connect()).collect();
    let status = || {
        let mut stream = connect();
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer.split(' ').nth(1).map(str::to_owned)
    };
    wait_until("an answer", || status().as_deref() == Some("200"));
    drop(silent);
    // Many at once are served or turned away.
    thread::scope(|scope| {
        for _ in 0..60 {
            scope.spawn(|| {
                let status = status();
                assert!(
                    matches!(status.as_deref(), Some("200" | "503") | None),
                    "{status:?}"
                );
            });
        }
    });
    // One who does not read.
    let mut deaf = connect();
    deaf.write_all(b"GET /debug/pprof/heap HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .expect("sent");
    thread::sleep(Duration::from_millis(300));
    wait_until("an answer", || service.get("/metrics").status == 200);
    drop(deaf);
    assert_eq!(service.end(), "");
}
