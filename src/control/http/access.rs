//! Who may ask: by token, or from this machine by a name of this machine.
//!
//! Without a token nothing but loopback is served, and only under its own names: else a web page
//! could have a browser on this machine ask under a name that its author controls. Nor are requests
//! served that a browser says are another page's, since some of them change something.

use super::{Request, Response};
use crate::control::environment::Environment;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// Longest token.
const MOST_BYTES: u64 = 4096;

/// Who is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Programs on this machine: the connection comes from loopback, and `Host` names it. Not for a server
    /// behind a proxy on the same machine, through which everybody comes from loopback.
    Loopback,
    /// Whoever has the token in this file, as `Authorization: Bearer TOKEN`. The file is read each
    /// time, since tokens are renewed; white space around the token does not count.
    Token(PathBuf),
    /// Everybody, for a server that has checked by itself who asks.
    Open,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// From another machine, or who knows where.
    Peer,
    /// A proxy asks for somebody.
    Proxy,
    /// No name of loopback in `Host`.
    Host,
    /// A browser asks for a page of another server.
    Origin,
    /// No token, or another one.
    Token,
    /// The token cannot be read.
    Unreadable,
}

impl Refusal {
    fn response(self) -> Response {
        match self {
            Self::Peer => Response::refused(
                403,
                "without a token nobody is served but who connects from loopback",
            ),
            Self::Proxy => Response::refused(
                403,
                "without a token no proxy is served, since anybody may come through it",
            ),
            Self::Host => Response::refused(
                403,
                "the header Host names no address of this machine's loopback; with a token any will do",
            ),
            Self::Origin => Response::refused(403, "not for the pages of other servers"),
            Self::Token => Response::refused(401, "needs `Authorization: Bearer TOKEN`"),
            Self::Unreadable => Response::refused(503, "the token file cannot be read"),
        }
    }
}

impl Access {
    /// The token in the file that `HEAPLENS_HTTP_TOKEN_FILE` names; without that variable
    /// [`Access::Loopback`].
    pub fn from_environment() -> Self {
        let (environment, _) = Environment::of_process();
        environment
            .http_token_file
            .map_or(Self::Loopback, Self::Token)
    }

    /// What is safe on an address.
    pub(super) fn on(address: SocketAddr, token_file: Option<&Path>) -> Result<Self, String> {
        match token_file {
            Some(file) => {
                read(file).map_err(|error| {
                    format!("the token file {} cannot be used: {error}", file.display())
                })?;
                Ok(Self::Token(file.to_owned()))
            }
            None if address.ip().is_loopback() => Ok(Self::Loopback),
            None => Err(format!(
                "{address} can be reached from other machines, so that it needs a token: name a file \
                 with one in HEAPLENS_HTTP_TOKEN_FILE, or listen on 127.0.0.1"
            )),
        }
    }

    /// Lets a request in, or answers it.
    pub(super) fn check(&self, request: &Request<'_>) -> Result<(), Response> {
        self.refusal(request)
            .map_or(Ok(()), |refusal| Err(refusal.response()))
    }

    fn refusal(&self, request: &Request<'_>) -> Option<Refusal> {
        match self {
            Self::Loopback => {
                let is_here = |peer: IpAddr| peer.to_canonical().is_loopback();
                let is_own = |origin: &str| {
                    origin
                        .split_once("://")
                        .is_some_and(|(_, host)| is_loopback_name(host))
                };
                if !request.peer.is_some_and(is_here) {
                    Some(Refusal::Peer)
                } else if request.forwarded.is_some() {
                    Some(Refusal::Proxy)
                } else if !request.host.is_some_and(is_loopback_name) {
                    Some(Refusal::Host)
                } else {
                    let is_foreign = request.origin.is_some_and(|origin| !is_own(origin))
                        || matches!(request.fetch_site, Some("cross-site" | "same-site"));
                    is_foreign.then_some(Refusal::Origin)
                }
            }
            Self::Token(file) => match read(file) {
                Err(_) => Some(Refusal::Unreadable),
                Ok(token) => {
                    let given = request.authorization.and_then(bearer).unwrap_or_default();
                    (!is_same(token.as_bytes(), given.as_bytes())).then_some(Refusal::Token)
                }
            },
            Self::Open => None,
        }
    }
}

/// The token in a file.
fn read(file: &Path) -> io::Result<String> {
    let error = |what| Err(io::Error::new(io::ErrorKind::InvalidData, what));
    if fs::metadata(file)?.len() > MOST_BYTES {
        return error("it is longer than 4096 bytes");
    }
    let text = fs::read_to_string(file)?;
    match text.trim() {
        "" => error("it is empty"),
        token => Ok(token.to_owned()),
    }
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Compares in a time that depends on the lengths alone.
fn is_same(token: &[u8], given: &[u8]) -> bool {
    let differences = token.iter().zip(given).fold(0, |all, (a, b)| all | (a ^ b));
    // A word that the compiler cannot see through, so that it has no reason to stop early.
    std::hint::black_box(differences) == 0 && token.len() == given.len()
}

/// `localhost`, or an address of loopback, with or without a port.
fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request as from a program on this machine.
    const HERE: Request<'_> = Request {
        method: "GET",
        target: "/",
        peer: Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
        host: Some("localhost:6070"),
        authorization: None,
        origin: None,
        fetch_site: None,
        forwarded: None,
        accept: None,
    };

    #[test]
    fn neither_pages_of_others_nor_proxies_are_let_in_without_a_token() {
        let refusal = |request| Access::Loopback.refusal(&request);
        for (fetch_site, refused) in [
            (None, false),
            (Some("none"), false),
            (Some("same-origin"), false),
            (Some("same-site"), true),
            (Some("cross-site"), true),
        ] {
            let expected = refused.then_some(Refusal::Origin);
            assert_eq!(refusal(Request { fetch_site, ..HERE }), expected);
        }
        let forwarded = Some("203.0.113.7");
        assert_eq!(refusal(Request { forwarded, ..HERE }), Some(Refusal::Proxy));
    }

    #[test]
    fn loopback_goes_by_its_own_names_alone() {
        let with_host = |host| Access::Loopback.refusal(&Request { host, ..HERE });
        for host in [
            "localhost",
            "LocalHost:6070",
            "127.0.0.1:6070",
            "127.9.9.9",
            "[::1]:6070",
        ] {
            assert_eq!(with_host(Some(host)), None, "{host}");
        }
        for host in [
            "evil.example:6070",
            "localhost.evil.example",
            "10.0.0.7",
            "",
            "[::2]",
            "0.0.0.0",
        ] {
            assert_eq!(with_host(Some(host)), Some(Refusal::Host), "{host}");
        }
        assert_eq!(with_host(None), Some(Refusal::Host));
    }

    #[test]
    fn other_machines_may_not_call_themselves_localhost() {
        let from = |peer: Option<&str>| {
            let peer = peer.map(|peer| peer.parse().expect("an address"));
            Access::Loopback.refusal(&Request { peer, ..HERE })
        };
        for peer in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(from(Some(peer)), None, "{peer}");
        }
        for peer in ["10.0.0.7", "::ffff:10.0.0.7", "fe80::1", "0.0.0.0"] {
            assert_eq!(from(Some(peer)), Some(Refusal::Peer), "{peer}");
        }
        assert_eq!(from(None), Some(Refusal::Peer));
    }

    #[test]
    fn pages_of_other_servers_may_not_ask() {
        let of = |origin| Access::Loopback.refusal(&Request { origin, ..HERE });
        assert_eq!(of(Some("http://localhost:3000")), None);
        for origin in [
            "https://evil.example",
            "null",
            "",
            "file://",
            "http://127.0.0.1.evil.example",
        ] {
            assert_eq!(of(Some(origin)), Some(Refusal::Origin), "{origin}");
        }
    }

    #[test]
    fn other_addresses_need_a_token() {
        let anywhere: SocketAddr = "0.0.0.0:6070".parse().expect("an address");
        let error = Access::on(anywhere, None).expect_err("no token");
        assert!(error.contains("HEAPLENS_HTTP_TOKEN_FILE"), "{error}");
        let local: SocketAddr = "[::1]:6070".parse().expect("an address");
        assert_eq!(Access::on(local, None), Ok(Access::Loopback));
    }

    #[test]
    fn the_token_is_that_of_the_file_at_the_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("token");
        let local: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        assert!(Access::on(local, Some(&file)).is_err(), "it is not there");
        fs::write(&file, " \n").expect("a file");
        assert!(Access::on(local, Some(&file)).is_err(), "it is empty");
        fs::write(&file, "secret\n").expect("a file");
        let access = Access::on(local, Some(&file)).expect("a token");
        // From anywhere, under any name.
        let refusal = |authorization| {
            access.refusal(&Request {
                authorization,
                ..Request::default()
            })
        };
        assert_eq!(refusal(Some("Bearer secret")), None);
        assert_eq!(refusal(Some("bearer  secret ")), None);
        for wrong in [
            "secret",
            "Bearer secre",
            "Bearer secrets",
            "Bearer ",
            "Basic secret",
            "",
        ] {
            assert_eq!(refusal(Some(wrong)), Some(Refusal::Token), "{wrong}");
        }
        assert_eq!(refusal(None), Some(Refusal::Token));
        fs::write(&file, "renewed").expect("a file");
        assert_eq!(refusal(Some("Bearer secret")), Some(Refusal::Token));
        assert_eq!(refusal(Some("Bearer renewed")), None);
        fs::remove_file(&file).expect("the file");
        assert_eq!(refusal(Some("Bearer renewed")), Some(Refusal::Unreadable));
    }
}
