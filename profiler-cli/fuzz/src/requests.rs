//! What a client sends to the endpoint of a program.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::OnceLock;

use heaplens::http::{Access, answer_to};
use tempfile::NamedTempFile;

use super::memory::within;

/// The pages, and words about what is wrong.
const ROOM: u64 = 64 << 10;

const TOKEN: &str = "s3cret";

/// Sends bytes, of which the first says who sends them to whom.
pub fn requests(data: &[u8]) {
    let Some((&kind, request)) = data.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let text = text.replace("\r\n", "\n");
    // Empty lines may come before a request.
    let text = text.trim_start_matches(['\r', '\n']);
    let head = text.split("\n\n").next().unwrap_or_default();
    // Who may ask for these waits a fifth of a second before the next.
    let waits = ["/pprof/heap", "/pprof/allocs", "/heaplens/snapshot"];
    let is_here = kind & 1 == 0 && !waits.iter().any(|path| head.contains(path));
    let peer = match is_here {
        true => Ipv4Addr::LOCALHOST,
        false => Ipv4Addr::new(192, 0, 2, 7),
    };
    let access = match kind >> 1 & 1 {
        0 => Access::Loopback,
        _ => Access::Token(token_file().to_owned()),
    };
    let bound = ROOM + 8 * request.len() as u64;
    let answer = within(bound, || answer_to(request, IpAddr::V4(peer), &access));
    let status = is_an_answer(&answer);
    if status == 200 {
        match access {
            Access::Token(_) => assert!(head.contains(TOKEN), "served without the token"),
            _ => {
                assert!(is_here, "served to another machine");
                assert!(head.contains("\nhost:"), "served under no name");
                let is_foreign = |header: &str| head.contains(&format!("\n{header}:"));
                assert!(
                    !["forwarded", "x-forwarded-for", "via"]
                        .into_iter()
                        .any(is_foreign)
                );
            }
        }
    }
}

/// A file with the token.
fn token_file() -> &'static Path {
    static FILE: OnceLock<NamedTempFile> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let file = NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), TOKEN).expect("writing");
        file
    });
    file.path()
}

/// One answer, whose headers say what they are meant to, and a line where it is refused. Returns its
/// status.
fn is_an_answer(answer: &[u8]) -> u16 {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.expect("a head") + 4);
    let head = str::from_utf8(head).expect("UTF-8");
    assert!(
        head.chars()
            .all(|c| c == '\r' || c == '\n' || (' '..='~').contains(&c))
    );
    let mut lines = head.trim_end().split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    let status: u16 = status.expect("HTTP")[..3].parse().expect("a number");
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header");
        match name {
            "Content-Length" => assert_eq!(value, body.len().to_string()),
            "Connection"
            | "Content-Type"
            | "Cache-Control"
            | "X-Content-Type-Options"
            | "WWW-Authenticate"
            | "Retry-After" => {}
            _ => panic!("{line}"),
        }
    }
    let body = str::from_utf8(body).expect("UTF-8");
    if status != 200 {
        assert!(body.len() < 256 && body.lines().count() <= 1, "{body}");
        assert!(!body.trim_end().chars().any(char::is_control), "{body:?}");
    }
    status
}
