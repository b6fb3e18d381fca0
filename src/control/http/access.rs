//! Who may ask: by token, or from this machine by a name of this machine.
//!
//! Without a token nothing but loopback is served, and only under its own names: else a web page
//! could have a browser on this machine ask under a name that its author controls.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// Longest token.
const MOST_BYTES: u64 = 4096;

/// Who is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Access {
    /// Whoever names this machine's loopback.
    Loopback,
    /// Whoever has the token in this file, which is read each time, since tokens are renewed.
    Token(PathBuf),
}

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No name of loopback in `Host`.
    Host,
    /// No token, or another one.
    Token,
    /// The token cannot be read.
    Unreadable,
}

impl Access {
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

    /// Lets a request in, or not.
    pub(super) fn check(
        &self,
        host: Option<&str>,
        authorization: Option<&str>,
    ) -> Result<(), Refusal> {
        match self {
            Self::Loopback => match host.is_some_and(is_loopback_name) {
                true => Ok(()),
                false => Err(Refusal::Host),
            },
            Self::Token(file) => {
                let token = read(file).map_err(|_| Refusal::Unreadable)?;
                let given = authorization.and_then(bearer).unwrap_or_default();
                match is_same(token.as_bytes(), given.as_bytes()) {
                    true => Ok(()),
                    false => Err(Refusal::Token),
                }
            }
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

    #[test]
    fn loopback_goes_by_its_own_names_alone() {
        for host in [
            "localhost",
            "LocalHost:6070",
            "127.0.0.1:6070",
            "127.9.9.9",
            "[::1]:6070",
        ] {
            assert_eq!(Access::Loopback.check(Some(host), None), Ok(()), "{host}");
        }
        for host in [
            "evil.example:6070",
            "localhost.evil.example",
            "10.0.0.7",
            "",
            "[::2]",
            "0.0.0.0",
        ] {
            assert_eq!(
                Access::Loopback.check(Some(host), None),
                Err(Refusal::Host),
                "{host}"
            );
        }
        assert_eq!(Access::Loopback.check(None, None), Err(Refusal::Host));
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
        let check = |authorization| access.check(Some("pod.example"), authorization);
        assert_eq!(check(Some("Bearer secret")), Ok(()));
        assert_eq!(check(Some("bearer  secret ")), Ok(()));
        for wrong in [
            "secret",
            "Bearer secre",
            "Bearer secrets",
            "Bearer ",
            "Basic secret",
            "",
        ] {
            assert_eq!(check(Some(wrong)), Err(Refusal::Token), "{wrong}");
        }
        assert_eq!(check(None), Err(Refusal::Token));
        fs::write(&file, "renewed").expect("a file");
        assert_eq!(check(Some("Bearer secret")), Err(Refusal::Token));
        assert_eq!(check(Some("Bearer renewed")), Ok(()));
        fs::remove_file(&file).expect("the file");
        assert_eq!(check(Some("Bearer renewed")), Err(Refusal::Unreadable));
    }
}
