//! Servers that are busy, broken, or mean no good: each of them costs a bounded time and memory, and ends
//! in one line. Real endpoints are asked in `tests/programs`.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::bombs::{ADDRESS_SPACE, limited, unfolding};
use crate::fixture::*;
use tempfile::tempdir;

/// A server that answers each connection by a function of what is asked, until the test ends.
pub(crate) struct Server {
    pub(crate) url: String,
    /// The heads of all requests.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, heads) = (Arc::new(answer), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, heads) = (Arc::clone(&answer), Arc::clone(&heads));
                thread::spawn(move || {
                    let mut stream = stream;
                    let head = head(&mut stream);
                    heads.lock().unwrap().push(head.clone());
                    answer(&head, &mut stream);
                });
            }
        });
        Self { url, asked }
    }

    /// One that answers each request in the same way.
    fn saying(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::start(move |_, stream| {
            // Whoever has heard enough hangs up.
            let _ = stream.write_all(&bytes);
        })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

pub(crate) fn ok(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn status(status: &str, headers: &str, body: &str) -> String {
    let bytes = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {bytes}\r\n\r\n{body}")
}

fn snapshot_bytes() -> Vec<u8> {
    let folder = tempdir().unwrap();
    fs::read(after().write(&folder, "a.json.gz")).unwrap()
}

/// What every verb says of a server, after its URL.
#[track_caller]
fn refused(server: &Server, what: &str) {
    let folder = tempdir().unwrap();
    let good = after().write(&folder, "good.json.gz");
    let (url, short) = (&server.url, "--http-timeout=400ms");
    for line in [
        args!["top", url, short],
        args!["diff", good, url, short],
        args!["suspects", url, short],
        args!["inspect", url, short],
        args!["watch", url, short],
        args!["snapshot", url, "--timeout=400ms"],
    ] {
        let error = failure(&line);
        assert!(error.starts_with(url), "{line:?}: {error}");
        assert!(error.contains(what), "{line:?}: {error}");
        let is_safe = |c: char| !c.is_control() && c != '\u{202e}';
        assert!(error.chars().all(is_safe), "{line:?}: {error:?}");
    }
}

#[test]
fn what_is_no_endpoint_gets_one_line() {
    let page = "<html>\u{1b}[2Jnothing here";
    for (answer, what) in [
        (status("404 Not Found", "", page), "answers 404 Not Found"),
        (
            status(
                "500 Oh\u{7f}",
                "",
                "no\u{1b}]0;owned\u{7}\u{202e} way\nmore",
            ),
            "",
        ),
        (
            status(
                "403 Forbidden",
                "",
                "the header Host names \u{1b}[31mnothing",
            ),
            "403 Forbidden: the header Host names \\u{1b}[31mnothing",
        ),
        (status("204 No Content", "", ""), "answers 204 No Content"),
        (
            "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
            "does not answer in HTTP",
        ),
        (String::new(), "cut short"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabc".to_owned(),
            "",
        ),
        (
            format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1 << 20)),
            "does not answer in HTTP",
        ),
    ] {
        refused(&Server::saying(answer), what);
    }
    let page = Server::saying(ok(b"<html>"));
    let error = failure(args!["top", page.url]);
    assert!(error.contains("not a heaplens snapshot"), "{error}");
    let error = failure(args!["suspects", page.url]);
    assert!(error.contains("no list of snapshots"), "{error}");
    let error = failure(args!["watch", page.url]);
    assert!(error.contains("not a heaplens snapshot"), "{error}");
}

#[test]
fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = failure(args!["top", url]);
    assert!(
        error.contains("connection refused: nothing listens"),
        "{error}"
    );
    let error = failure(args!["top", "http://no.such.host.invalid:6070"]);
    assert!(
        error.starts_with("http://no.such.host.invalid:6070: "),
        "{error}"
    );
    let error = failure(args!["top", "https://127.0.0.1:6070"]);
    assert!(error.contains("speaks no TLS"), "{error}");
    let error = failure(args!["top", url, url.replace("127.0.0.1", "127.0.0.2")]);
    assert!(
        error.ends_with("(and 1 more of 2: --partial goes on without them)"),
        "{error}"
    );
}

#[test]
fn redirects_lead_nowhere() {
    let elsewhere = Server::saying(ok(&snapshot_bytes()));
    for target in [
        "file:///etc/passwd",
        &*elsewhere.url,
        "/debug/pprof/heap",
        "\u{202e}",
    ] {
        let header = format!("Location: {target}\r\n");
        for code in ["301 Moved", "303 See Other", "307 Moved"] {
            let server = Server::saying(status(code, &header, ""));
            let error = failure(args!["top", server.url]);
            assert!(error.contains("which is not followed"), "{error}");
            assert!(!error.contains('\u{1b}'), "{error}");
            assert_eq!(server.asked().len(), 1);
        }
    }
    assert!(elsewhere.asked().is_empty());
}

#[test]
fn the_slow_and_the_silent_are_left() {
    refused(
        &Server::start(|_, _| thread::sleep(Duration::from_secs(60))),
        "no whole answer within 400ms",
    );
    let drip = |_: &str, stream: &mut TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(b" ").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    };
    refused(&Server::start(drip), "no whole answer within 400ms");
}

#[test]
fn what_never_ends_is_cut_at_its_bound() {
    let most = ADDRESS_SPACE / 8;
    let bound = format!("longer than {} MiB", (most >> 20) as f64);
    let bound = bound.replace(" MiB", ".0 MiB");
    let chunk = vec![b'x'; 1 << 20];
    let endless = move |_: &str, stream: &mut TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&chunk).is_ok() {}
    };
    let announced = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", most + 1);
    for server in [Server::start(endless), Server::saying(announced)] {
        let output = limited(&[String::from("top").into(), server.url.clone().into()]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(&bound), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn a_bomb_is_refused_as_one_in_a_file_is() {
    let folder = tempdir().unwrap();
    let bomb = unfolding(folder.path(), "\"stacks\":", "", " ");
    let server = Server::saying(ok(&fs::read(bomb).unwrap()));
    for line in [
        args!["top", server.url],
        args!["snapshot", server.url, "-o", folder.path().join("taken")],
    ] {
        let output = limited(&line);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        let start = format!("heaplens: {}: too large: its JSON", server.url);
        assert!(stderr.starts_with(&start), "{stderr}");
    }
    assert!(!folder.path().join("taken").exists());
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let body = ok(&snapshot_bytes());
    let busy = |after: &'static str, until: usize| {
        let (asked, body) = (AtomicUsize::new(0), body.clone());
        Server::start(move |_, stream| {
            let refused = status(
                "503 Service Unavailable",
                after,
                "others are taking snapshots\n",
            );
            let answer = match asked.fetch_add(1, SeqCst) < until {
                true => refused.as_bytes(),
                false => &body,
            };
            let _ = stream.write_all(answer);
        })
    };
    let server = busy("Retry-After: 1\r\n", 1);
    stdout(args!["top", server.url]);
    assert_eq!(server.asked().len(), 2);
    // Not for ever, and not at whatever time it likes.
    for (server, asked, wait) in [
        (busy("Retry-After: 0\r\n", 99), 3, "0ms"),
        (busy("Retry-After: 3600\r\n", 99), 1, "1h"),
    ] {
        let error = failure(args!["top", server.url]);
        let what = format!(
            "answers 503 Service Unavailable: others are taking snapshots; it asks to try again in {wait}"
        );
        assert!(error.contains(&what), "{error}");
        assert_eq!(server.asked().len(), asked);
    }
}

#[test]
fn names_from_a_server_stay_names() {
    let folder = tempdir().unwrap();
    let body = snapshot_bytes();
    for name in [
        "../../evil.json.gz",
        "/etc/evil.json.gz",
        ".bashrc",
        "evil\u{202e}.json.gz",
        "",
    ] {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        let server = Server::saying([head.as_bytes(), &body].concat());
        let error = failure(args!["snapshot", server.url]);
        assert!(error.contains("pass -o FILE"), "{error}");
        let file = folder.path().join("taken.json.gz");
        stdout(args!["snapshot", server.url, "-o", file, "--force"]);
        assert_eq!(fs::read(&file).unwrap(), body);
    }
    for list in ["5 ../../etc/passwd\n", "x heaplens.json.gz\n", "12\n", "{}"] {
        let server = Server::saying(ok(list.as_bytes()));
        let error = failure(args!["suspects", server.url]);
        assert!(error.contains("no list of snapshots"), "{error}");
        assert_eq!(server.asked().len(), 1);
    }
}

#[test]
fn what_is_asked_is_what_the_url_says() {
    let body = ok(&snapshot_bytes());
    let name = "heaplens.shop.20260105T140000.000Z-7.000048.limit.json.gz";
    let list = ok(format!("{:>12} {name}\n", 1).as_bytes());
    let server = Server::start(move |head, stream| {
        let is_list = head.starts_with("GET /debug/heaplens/snapshots HTTP");
        let _ = stream.write_all(if is_list { &list } else { &body });
    });
    let folder = tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, " t0ken \n").unwrap();
    let url = &server.url;
    // One URL is asked once, however often it is named.
    stdout(args!["diff", url, url, "--token-file", token]);
    stdout(args!["top", format!("{url}/debug/pprof/heap?seconds=1")]);
    stdout(args!["suspects", url]);
    stdout(args!["report", format!("{url}/debug/heaplens/snapshots/")]);
    let asked = server.asked();
    let lines: Vec<&str> = asked
        .iter()
        .filter_map(|head| head.lines().next())
        .collect();
    let file = format!("GET /debug/heaplens/snapshots/{name} HTTP/1.1");
    let list = "GET /debug/heaplens/snapshots HTTP/1.1";
    let (taken, rest) = lines.split_at(lines.len() - 5);
    assert!(
        !taken.is_empty()
            && taken
                .iter()
                .all(|line| *line == "POST /debug/heaplens/snapshot HTTP/1.1"),
        "{lines:?}"
    );
    assert_eq!(
        rest,
        [
            "GET /debug/pprof/heap?seconds=1 HTTP/1.1",
            list,
            &file,
            list,
            &file
        ]
    );
    let with_token = |head: &&String| {
        head.to_lowercase()
            .contains("authorization: bearer t0ken\r\n")
    };
    assert_eq!(asked.iter().filter(with_token).count(), taken.len());
    let unreadable = args!["top", url, "--token-file", folder.path()];
    assert!(failure(unreadable).contains("the token file"), "{url}");
}

#[test]
fn lists_name_fleets() {
    let server = Server::saying(ok(&snapshot_bytes()));
    let folder = tempdir().unwrap();
    before().write(&folder, "a.json.gz");
    let list = folder.path().join("list");
    let at = format!("@{}", list.display());
    let glob = folder.path().join("*.json.gz");
    fs::write(
        &list,
        format!("# one pod\n{}\n\n{}\n", server.url, glob.display()),
    )
    .unwrap();
    let top = json(args!["top", at, "--format", "json"]);
    let files: Vec<&str> = top["snapshots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|snapshot| snapshot["file"].as_str().unwrap())
        .collect();
    assert_eq!(files[0], server.url);
    assert!(Path::new(files[1]).ends_with("a.json.gz"));
}
