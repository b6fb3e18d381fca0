//! Who may ask, and those who mean no good.

use crate::processes::{self, command, wait_until};
use crate::service::Service;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;
use std::{fs, thread};

pub(crate) fn access() {
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

/// A browser on this machine says by `Origin` whose page asks.
pub(crate) fn pages_of_others() {
    let service = Service::start(&[]);
    let by = |origin: &str| {
        let request = format!(
            "POST /debug/heaplens/settings?mode=exact HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\n\r\n"
        );
        service.ask(&request).status
    };
    assert_eq!(by("https://evil.example"), 403);
    assert_eq!(by("null"), 403);
    assert_eq!(by("http://localhost:8080"), 200);
    assert_eq!(service.end(), "");
}

pub(crate) fn nothing_listens_by_default() {
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
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count();
    assert_eq!(sockets, 0);
    drop(child.stdin.take());
    assert!(processes::wait(&mut child).success());
}

/// Floods, slow clients and noise: the service goes on, and answers who asks properly.
pub(crate) fn hostile_clients() {
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
    let body = "POST /debug/heaplens/snapshot HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n";
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
    // One whose body never ends.
    let mut trickle = connect();
    let head =
        "POST /debug/pprof/symbol HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n";
    trickle.write_all(head.as_bytes()).expect("sent");
    let moment = Duration::from_millis(50);
    trickle.set_read_timeout(Some(moment)).expect("a time");
    wait_until("an answer to half of a request", || {
        // Whoever has answered may have closed.
        let _ = trickle.write_all(b"x");
        trickle.read(&mut [0; 12]).is_ok_and(|read| read > 0)
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
