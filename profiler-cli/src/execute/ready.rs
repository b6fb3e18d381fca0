//! Whether a server answers yet: by its port, or by an address of HTTP.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Longest time for one try.
const TRY: Duration = Duration::from_secs(1);

/// When a server is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ready {
    /// When it accepts a connection at this address.
    Accepts(String),
    /// When it answers a request with a status below 400.
    Answers {
        /// Name and port.
        address: String,
        /// With its slash.
        path: String,
    },
}

impl Ready {
    /// Reads a port, `host:port`, or `http://host:port/path`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Ok(port @ 1..) = text.parse::<u16>() {
            return Ok(Self::Accepts(format!("localhost:{port}")));
        }
        let wrong = || {
            Err(format!(
                "--ready {text}: not a port, an address such as localhost:8080, or \
                 http://localhost:8080/healthz"
            ))
        };
        let has_port = |address: &str| {
            let port = address
                .rsplit_once(':')
                .map(|(_, port)| port.parse::<u16>());
            matches!(port, Some(Ok(1..)))
        };
        let Some(rest) = text.strip_prefix("http://") else {
            return match has_port(text) && !text.contains('/') {
                true => Ok(Self::Accepts(text.to_owned())),
                false => wrong(),
            };
        };
        let (address, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if address.is_empty() || text.chars().any(|c| c.is_control() || c == ' ') {
            return wrong();
        }
        Ok(Self::Answers {
            address: match has_port(address) {
                true => address.to_owned(),
                false => format!("{address}:80"),
            },
            path: if path.is_empty() { "/" } else { path }.to_owned(),
        })
    }

    /// Whether it is so now.
    pub(crate) fn is_so(&self) -> bool {
        match self {
            Self::Accepts(address) => connect(address).is_some(),
            Self::Answers { address, path } => {
                let status = connect(address).and_then(|stream| status(stream, address, path));
                status.is_some_and(|status| (200..400).contains(&status))
            }
        }
    }
}

fn connect(address: &str) -> Option<TcpStream> {
    let mut addresses = address.to_socket_addrs().ok()?;
    addresses.find_map(|address| TcpStream::connect_timeout(&address, TRY).ok())
}

/// The status that a request is answered with.
fn status(mut stream: TcpStream, host: &str, path: &str) -> Option<u16> {
    stream.set_read_timeout(Some(TRY)).ok()?;
    stream.set_write_timeout(Some(TRY)).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut start = Vec::new();
    // `HTTP/1.1 200`
    stream.take(12).read_to_end(&mut start).ok()?;
    let start = str::from_utf8(&start).ok()?;
    start.strip_prefix("HTTP/1.")?.get(2..)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn ports_addresses_and_urls_are_read() {
        let accepts = |address: &str| Ok(Ready::Accepts(address.to_owned()));
        let answers = |address: &str, path: &str| {
            Ok(Ready::Answers {
                address: address.to_owned(),
                path: path.to_owned(),
            })
        };
        assert_eq!(Ready::parse("8080"), accepts("localhost:8080"));
        assert_eq!(Ready::parse("[::1]:80"), accepts("[::1]:80"));
        assert_eq!(Ready::parse("http://a/b?c"), answers("a:80", "/b?c"));
        assert_eq!(Ready::parse("http://a:8080"), answers("a:8080", "/"));
        for text in [
            "",
            "0",
            "shop",
            "https://a/",
            "http://",
            "http://a/b c",
            "a:b",
            "99999",
        ] {
            let error = Ready::parse(text).unwrap_err();
            assert!(error.contains("http://localhost:8080/healthz"), "{error}");
        }
    }

    #[test]
    fn a_server_is_ready_when_it_answers_well() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(Ready::parse(&address.to_string()).unwrap().is_so());
        // The connection that has just been tried.
        drop(listener.accept().unwrap());
        let ready = Ready::parse(&format!("http://{address}/healthz")).unwrap();
        for (answer, expected) in [
            ("HTTP/1.1 503 No\r\n", false),
            ("HTTP/1.0 204 x\r\n", true),
            ("", false),
        ] {
            let asked = std::thread::scope(|scope| {
                scope.spawn(|| {
                    let (mut stream, _) = listener.accept().unwrap();
                    let mut request = [0; 24];
                    stream.read_exact(&mut request).unwrap();
                    assert_eq!(&request, b"GET /healthz HTTP/1.1\r\nH");
                    stream.write_all(answer.as_bytes()).unwrap();
                });
                ready.is_so()
            });
            assert_eq!(asked, expected, "{answer}");
        }
        drop(listener);
        assert!(!ready.is_so());
    }
}
