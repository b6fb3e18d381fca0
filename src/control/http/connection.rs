//! One connection: reads a request, writes the answer, and ends. A client that is slow, floods, or
//! speaks something else costs one thread for seconds.

use super::{Access, FORWARDED, Request, Response, handle};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// Time for a request to arrive.
const REQUEST_CAP: Duration = Duration::from_secs(5);
/// Time for an answer to leave: at 64 MiB, a client with 1 MiB/s.
const RESPONSE_CAP: Duration = Duration::from_secs(60);
/// Longest head of a request.
const MOST_HEAD: usize = 16 << 10;
const MOST_HEADERS: usize = 64;
/// Longest body that is read, to be ignored: `go tool pprof` sends addresses that it has no names for.
const MOST_BODY: u64 = 16 << 20;
/// Time for a client to see its answer and leave.
const LINGER: Duration = Duration::from_millis(200);

/// Serves the one request of a connection. What goes wrong is the client's to notice.
pub(super) fn serve(mut stream: TcpStream, access: &Access) -> io::Result<()> {
    let response = match read_head(&mut stream)? {
        None => return Ok(()),
        Some(head) => match parse(&head) {
            Ok(parsed) => {
                let refused = drain(&mut stream, &parsed, &head)?;
                let peer = stream.peer_addr()?.ip();
                refused.unwrap_or_else(|| handle(&parsed.request(peer), access))
            }
            Err(refused) => refused,
        },
    };
    write(&mut stream, &response)?;
    stream.shutdown(Shutdown::Write)?;
    // Closed with anything unread, the connection would be reset, and the answer lost with it.
    read_away(&mut stream, MOST_BODY, LINGER)
}

/// The answer to a request that is there as bytes, to a client from `peer`.
#[cfg(feature = "internals")]
pub fn answer_to(bytes: &[u8], peer: IpAddr, access: &Access) -> Vec<u8> {
    let response = match parse(bytes) {
        Ok(parsed) => handle(&parsed.request(peer), access),
        Err(refused) => refused,
    };
    [head_of(&response), response.body].concat()
}

/// Says that there are too many, without looking at the request.
pub(super) fn turn_away(mut stream: TcpStream) -> io::Result<()> {
    stream.set_write_timeout(Some(Duration::from_millis(100)))?;
    let busy = Response::busy();
    stream.write_all(&head_of(&busy))?;
    stream.write_all(&busy.body)?;
    stream.shutdown(Shutdown::Write)
}

/// What a request's head says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parsed {
    method: String,
    target: String,
    host: Option<String>,
    authorization: Option<String>,
    origin: Option<String>,
    fetch_site: Option<String>,
    forwarded: Option<String>,
    accept: Option<String>,
    body_bytes: u64,
    /// Length of the head.
    end: usize,
}

impl Parsed {
    fn request(&self, peer: IpAddr) -> Request<'_> {
        Request {
            method: &self.method,
            target: &self.target,
            peer: Some(peer),
            host: self.host.as_deref(),
            authorization: self.authorization.as_deref(),
            origin: self.origin.as_deref(),
            fetch_site: self.fetch_site.as_deref(),
            forwarded: self.forwarded.as_deref(),
            accept: self.accept.as_deref(),
        }
    }
}

fn parse(head: &[u8]) -> Result<Parsed, Response> {
    let malformed = || Response::refused(400, "not a request of HTTP/1.1");
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let end = match request.parse(head) {
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) => return Err(malformed()),
        Err(error) => return Err(Response::refused(400, error)),
    };
    let header = |name: &str| -> Result<Option<String>, Response> {
        let mut values = request
            .headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case(name));
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(one), None) => match str::from_utf8(one.value) {
                Ok(value) => Ok(Some(value.to_owned())),
                Err(_) => Err(malformed()),
            },
            // Which of them counts, others might see in another way.
            (Some(_), Some(_)) if name == "accept" => Ok(None),
            (Some(_), Some(_)) => Err(malformed()),
        }
    };
    let body_bytes = match header("content-length")? {
        None => 0,
        Some(length) => length.parse().map_err(|_| malformed())?,
    };
    if header("transfer-encoding")?.is_some() {
        return Err(Response::refused(411, "a body needs a Content-Length"));
    }
    let mut forwarded = None;
    for name in FORWARDED {
        forwarded = forwarded.or(header(name)?);
    }
    Ok(Parsed {
        method: request.method.unwrap_or_default().to_owned(),
        target: request.path.unwrap_or_default().to_owned(),
        host: header("host")?,
        authorization: header("authorization")?,
        origin: header("origin")?,
        fetch_site: header("sec-fetch-site")?,
        forwarded,
        accept: header("accept")?,
        body_bytes,
        end,
    })
}

/// Reads up to the empty line; `None` if the client has left.
fn read_head(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let deadline = Instant::now() + REQUEST_CAP;
    let mut head = Vec::new();
    let mut buffer = [0; 2048];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || head.len() > MOST_HEAD {
            // Something that is no request is answered as such.
            return Ok(Some(head));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer) {
            Ok(0) if head.is_empty() => return Ok(None),
            Ok(0) => return Ok(Some(head)),
            Ok(read) => head.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_timeout(&error) => return Ok(Some(head)),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(head))
}

/// Reads a body away. Refuses a long one.
fn drain(stream: &mut TcpStream, parsed: &Parsed, head: &[u8]) -> io::Result<Option<Response>> {
    if parsed.body_bytes > MOST_BODY {
        return Ok(Some(Response::refused(413, "no request here has a body")));
    }
    let here = (head.len() - parsed.end) as u64;
    let rest = parsed.body_bytes.saturating_sub(here);
    read_away(stream, rest, REQUEST_CAP)?;
    Ok(None)
}

/// Reads so many bytes, or what comes of them in that time.
fn read_away(stream: &mut TcpStream, mut bytes: u64, cap: Duration) -> io::Result<()> {
    let deadline = Instant::now() + cap;
    let mut buffer = [0; 4096];
    while bytes > 0 {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        stream.set_read_timeout(Some(left))?;
        let wanted = buffer
            .len()
            .min(usize::try_from(bytes).unwrap_or(usize::MAX));
        match stream.read(&mut buffer[..wanted]) {
            Ok(0) => break,
            Ok(read) => bytes -= read as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_timeout(&error) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn write(stream: &mut TcpStream, response: &Response) -> io::Result<()> {
    let deadline = Instant::now() + RESPONSE_CAP;
    let head = head_of(response);
    for part in [&*head, &*response.body] {
        let mut rest = part;
        while !rest.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            stream.set_write_timeout(Some(left))?;
            match stream.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn head_of(response: &Response) -> Vec<u8> {
    let reason = match response.status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    };
    let mut head = format!(
        "HTTP/1.1 {} {reason}\r\nConnection: close\r\n",
        response.status
    );
    // Without a body it answers HEAD, and GET's would have another length.
    if !response.body.is_empty() {
        head += &format!("Content-Length: {}\r\n", response.body.len());
    }
    for (name, value) in &response.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    head.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_is_read() {
        let head =
            b"POST /debug/heaplens/snapshot?x HTTP/1.1\r\nHOST: localhost:1\r\naccept: */*\r\n\
                     Authorization: Bearer t\r\ncontent-length: 3\r\n\r\nabc";
        let expected = Parsed {
            method: "POST".into(),
            target: "/debug/heaplens/snapshot?x".into(),
            host: Some("localhost:1".into()),
            authorization: Some("Bearer t".into()),
            origin: None,
            fetch_site: None,
            forwarded: None,
            accept: Some("*/*".into()),
            body_bytes: 3,
            end: head.len() - 3,
        };
        assert_eq!(parse(head), Ok(expected));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let with = |line: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n");
        for (text, status) in [
            (String::new(), 400),
            ("GET / HTTP/1.1\r\n".to_owned(), 400),
            ("\u{16}\u{3}\u{1}\r\n\r\n".to_owned(), 400),
            (with("Host: b"), 400),
            (with("Authorization: a\r\nauthorization: b"), 400),
            (with("Content-Length: -1"), 400),
            (with("Transfer-Encoding: chunked"), 411),
            (with(&"a: b\r\n".repeat(70)), 400),
        ] {
            let refused = parse(text.as_bytes()).expect_err(&text);
            assert_eq!(refused.status, status, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_request_or_none(bytes in any::<Vec<u8>>(), front in "(GET /)?( HTTP/1.1\r\n)?") {
            let head = [front.as_bytes(), &bytes, b"\r\n\r\n"].concat();
            if let Ok(parsed) = parse(&head) {
                prop_assert!(parsed.end <= head.len());
            }
        }
    }
}
