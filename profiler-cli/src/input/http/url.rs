//! What a URL asks for.
//!
//! | URL | asks for |
//! |---|---|
//! | `http://pod:6070` | a snapshot taken now; where a folder would do, the snapshots in the service's folder |
//! | `…/debug/heaplens/snapshot` | a snapshot taken now |
//! | `…/debug/heaplens/snapshots` | the snapshots in the service's folder |
//! | any other | the file there |

use std::path::Path;

use ureq::http::Uri;

const TAKE: &str = "/debug/heaplens/snapshot";
const LIST: &str = "/debug/heaplens/snapshots";
const PROFILE: &str = "/debug/pprof/heap";
/// Where a service with the router of its own framework has them too.
const METRICS: &str = "/debug/heaplens/metrics";

/// Whether an input is a URL and no file.
pub(crate) fn is_url(input: &Path) -> bool {
    let text = input.to_str().unwrap_or_default();
    scheme(text).is_some_and(|(scheme, _)| {
        ["http", "https"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known))
    })
}

fn scheme(text: &str) -> Option<(&str, &str)> {
    text.split_once("://")
}

/// A URL that can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    /// Host and port.
    pub(super) host: String,
    /// Path without query, and without a slash at its end.
    path: String,
    query: Option<String>,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) url: String,
    /// Whether it changes something there: the method is `POST`, else `GET`.
    pub(super) takes: bool,
    /// Seconds that the answer is meant to take, as a profile over a time does.
    pub(super) seconds: u64,
}

impl Url {
    /// Reads a URL; what is wrong with it otherwise.
    pub(super) fn parse(input: &Path) -> Result<Self, String> {
        let (scheme, rest) = input
            .to_str()
            .and_then(scheme)
            .ok_or("not a URL such as http://127.0.0.1:6070")?;
        if scheme.eq_ignore_ascii_case("https") {
            return Err(
                "heaplens speaks no TLS: forward a port (`kubectl port-forward`, `ssh -L`) and pass \
                 http://127.0.0.1:PORT, or fetch the file with `curl -O` and pass that"
                    .to_owned(),
            );
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (before, query) = match rest.split_once('?') {
            Some((before, query)) => (before, Some(query.to_owned())),
            None => (rest, None),
        };
        let (host, path) = match before.find('/') {
            Some(at) => before.split_at(at),
            None => (before, ""),
        };
        if host.contains('@') {
            return Err(
                "a password in a URL would be shown: put a token into a file and pass --token-file"
                    .to_owned(),
            );
        }
        let url = Self {
            host: host.to_owned(),
            path: path.trim_end_matches('/').to_owned(),
            query,
        };
        let uri: Result<Uri, _> = url.to(&url.path).parse();
        let host = uri.as_ref().ok().and_then(Uri::host);
        match host.is_some_and(|host| !host.is_empty()) {
            true => Ok(url),
            false => Err("not a URL such as http://127.0.0.1:6070".to_owned()),
        }
    }

    /// What to ask for one snapshot or profile.
    pub(super) fn one(&self) -> Result<Request, String> {
        if self.path.ends_with(LIST) {
            return Err(format!(
                "a list of snapshots, where one is wanted: pass one of them, or http://{} to take one \
                 now",
                self.host
            ));
        }
        if let Some(root) = self.root() {
            return Ok(self.request(&format!("{root}{TAKE}"), true));
        }
        Ok(self.request(&self.path, self.path.ends_with(TAKE)))
    }

    /// What to ask for the list of snapshots; none if the URL is that of a single file.
    pub(super) fn list(&self) -> Option<Request> {
        let root = self.root().or_else(|| self.path.strip_suffix(LIST))?;
        Some(self.request(&format!("{root}{LIST}"), false))
    }

    /// The URL of a snapshot in the list.
    pub(super) fn listed(&self, name: &str) -> String {
        let root = self.path.strip_suffix(LIST).unwrap_or(&self.path);
        format!("http://{}{root}{LIST}/{name}", self.host)
    }

    /// The URLs of a profile made in memory, and of the metrics, of the endpoint that this URL is of.
    pub(super) fn live(&self) -> [String; 2] {
        let root = self.path.split("/debug/").next().unwrap_or_default();
        [PROFILE, METRICS].map(|path| format!("http://{}{root}{path}", self.host))
    }

    /// The path of an endpoint, if the URL names no more than that.
    fn root(&self) -> Option<&str> {
        (self.path.is_empty() && self.query.is_none()).then_some(&*self.path)
    }

    fn request(&self, path: &str, takes: bool) -> Request {
        let seconds = self.query.iter().flat_map(|query| query.split('&'));
        let seconds = seconds
            .filter_map(|pair| pair.strip_prefix("seconds="))
            .find_map(|value| value.parse::<u64>().ok());
        Request {
            url: self.to(path),
            takes,
            seconds: seconds.unwrap_or(0).min(3600),
        }
    }

    fn to(&self, path: &str) -> String {
        let path = if path.is_empty() { "/" } else { path };
        match &self.query {
            Some(query) => format!("http://{}{path}?{query}", self.host),
            None => format!("http://{}{path}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(url: &str) -> (String, bool) {
        let request = Url::parse(Path::new(url)).unwrap().one().unwrap();
        (request.url, request.takes)
    }

    #[test]
    fn an_address_takes_a_snapshot_and_all_else_is_a_file() {
        let taken = ("http://pod:6070/debug/heaplens/snapshot".to_owned(), true);
        assert_eq!(one("http://pod:6070"), taken);
        assert_eq!(one("HTTP://pod:6070/"), taken);
        assert_eq!(one("http://pod:6070/debug/heaplens/snapshot"), taken);
        for file in [
            "http://pod:6070/debug/heaplens/snapshots/heaplens.x.json.gz",
            "http://pod:6070/debug/pprof/heap?seconds=5",
            "http://[::1]:80/a.json.gz",
            "http://ci/artefacts?name=a.json.gz",
        ] {
            assert_eq!(one(file), (file.to_owned(), false));
        }
        let list = Url::parse(Path::new("http://pod/debug/heaplens/snapshots/")).unwrap();
        assert!(list.one().unwrap_err().contains("http://pod to take one"));
    }

    #[test]
    fn an_address_and_a_list_have_many() {
        let list = |url: &str| {
            let url = Url::parse(Path::new(url)).unwrap();
            url.list().map(|request| (request.url, url.listed("x")))
        };
        let listed = "http://pod:1/debug/heaplens/snapshots";
        let both = Some((listed.to_owned(), format!("{listed}/x")));
        assert_eq!(list("http://pod:1"), both);
        assert_eq!(list("http://pod:1/debug/heaplens/snapshots"), both);
        assert_eq!(list("http://pod:1/debug/heaplens/snapshots/a"), None);
        assert_eq!(list("http://pod:1/debug/pprof/heap"), None);
    }

    #[test]
    fn a_profile_over_a_time_may_take_it() {
        let url = Url::parse(Path::new("http://a/debug/pprof/heap?debug=0&seconds=30")).unwrap();
        assert_eq!(url.one().unwrap().seconds, 30);
        assert_eq!(
            url.live(),
            [
                "http://a/debug/pprof/heap",
                "http://a/debug/heaplens/metrics"
            ]
        );
    }

    #[test]
    fn what_cannot_be_asked_is_told() {
        for (url, what) in [
            ("https://pod:6070", "speaks no TLS"),
            ("http://user:secret@pod", "--token-file"),
            ("http://", "not a URL"),
            ("http://:6070", "not a URL"),
            ("http://a b/", "not a URL"),
            ("http://a\n/", "not a URL"),
        ] {
            assert!(is_url(Path::new(url)));
            let error = Url::parse(Path::new(url)).unwrap_err();
            assert!(error.contains(what), "{url}: {error}");
        }
        for file in [
            "a.json.gz",
            "ftp://a",
            "/http://a",
            "http:a",
            "file:///etc/passwd",
        ] {
            assert!(!is_url(Path::new(file)), "{file}");
        }
    }
}
