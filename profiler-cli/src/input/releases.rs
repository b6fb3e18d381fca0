//! The processes of a fleet, sorted by the build of the program that they run, and which two builds are
//! compared.

use std::path::PathBuf;

use heaplens::snapshot::Header;

use crate::error::Error;
use crate::profile::{is_imported, short_build_id as short};
use crate::render::{escape::printable, units};

/// The processes that run one build.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Release {
    /// The build id of the program.
    build_id: String,
    /// Which of the headers are of this build.
    processes: Vec<usize>,
    /// When the first of them was started, in milliseconds since the Unix epoch; none if one of them
    /// does not tell.
    started_unix_ms: Option<u64>,
}

/// The files of an earlier and of a later release, of files with their headers: those that `wanted`
/// names as `OLD..NEW` by the beginnings of their build ids, or the only two there are.
///
/// # Errors
///
/// A file whose program has no build id, and whatever leaves it open which two are meant.
pub fn two_releases(
    files: &[(PathBuf, Header)],
    wanted: &str,
    notes: &mut Vec<String>,
) -> Result<[Vec<PathBuf>; 2], Error> {
    let releases = releases(files.iter().map(|(_, header)| header)).map_err(|at| {
        Error::input(
            &files[at].0,
            "its program has no build id, which linkers write with --build-id",
        )
    })?;
    let pair = pair(&releases, wanted).map_err(Error::Usage)?;
    let others: Vec<Release> = releases
        .iter()
        .filter(|release| !pair.contains(release))
        .cloned()
        .collect();
    if !others.is_empty() {
        notes.push(format!("left out: {}", printable(&listed(&others))));
    }
    let program = |release: &Release| {
        let path = &files[release.processes[0]].1.program.executable;
        path.rsplit('/').next().unwrap_or_default().to_owned()
    };
    let [old, new] = pair.map(program);
    if old != new {
        notes.push(format!(
            "the builds are of different programs, {} and {}",
            printable(&old),
            printable(&new)
        ));
    }
    let file = |&at: &usize| files[at].0.clone();
    Ok(pair.map(|release| release.processes.iter().map(file).collect()))
}

/// Sorts processes by build, in the order in which the builds were started first. Fails with the place
/// of the first header whose program has no build id.
fn releases<'a>(headers: impl IntoIterator<Item = &'a Header>) -> Result<Vec<Release>, usize> {
    let mut releases: Vec<Release> = Vec::new();
    for (at, header) in headers.into_iter().enumerate() {
        let build_id = header.program.build_id.as_deref().ok_or(at)?;
        let started = (!is_imported(header)).then_some(header.program.started_unix_ms);
        let same = releases
            .iter_mut()
            .find(|release| release.build_id == build_id);
        match same {
            Some(release) => {
                release.processes.push(at);
                let both = release.started_unix_ms.zip(started);
                release.started_unix_ms = both.map(|(first, this)| first.min(this));
            }
            None => releases.push(Release {
                build_id: build_id.to_owned(),
                processes: vec![at],
                started_unix_ms: started,
            }),
        }
    }
    releases.sort_by_key(|release| release.started_unix_ms);
    Ok(releases)
}

/// The two releases to compare, the earlier one first; or why there are no such two.
fn pair<'a>(releases: &'a [Release], wanted: &str) -> Result<[&'a Release; 2], String> {
    if wanted.is_empty() {
        return match releases {
            [first, second] => match (first.started_unix_ms, second.started_unix_ms) {
                (Some(before), Some(after)) if before < after => Ok([first, second]),
                _ => Err(format!(
                    "which build is older is not known: pass --by-build={}..{} or the other way round",
                    short(&first.build_id),
                    short(&second.build_id),
                )),
            },
            [] => Err("there is nothing to compare".to_owned()),
            [_] => Err(format!(
                "there is only one build, {}: nothing to compare it with",
                listed(releases),
            )),
            several => Err(format!(
                "these are {} builds, {}: pass --by-build=OLD..NEW with the beginnings of two build ids",
                several.len(),
                listed(several),
            )),
        };
    }
    let (old, new) = wanted
        .split_once("..")
        .ok_or_else(|| format!("--by-build takes OLD..NEW, and not {wanted}"))?;
    let [old, new] = [find(releases, old)?, find(releases, new)?];
    match old == new {
        true => Err(format!("--by-build={wanted} names one build twice")),
        false => Ok([old, new]),
    }
}

fn find<'a>(releases: &'a [Release], start: &str) -> Result<&'a Release, String> {
    let start = start.to_ascii_lowercase();
    let mut found = releases
        .iter()
        .filter(|release| release.build_id.starts_with(&start));
    match (found.next(), found.next()) {
        (Some(release), None) if !start.is_empty() => Ok(release),
        (None, _) => Err(format!(
            "no process is of a build {start}; there are {}",
            listed(releases)
        )),
        _ => Err(format!(
            "the build ids of several processes begin with \"{start}\"; there are {}",
            listed(releases)
        )),
    }
}

/// Builds, with how many processes run each of them.
fn listed(releases: &[Release]) -> String {
    const MOST: usize = 8;
    let one = |release: &Release| {
        let started = release.started_unix_ms.map_or(String::new(), |started| {
            let started = heaplens::snapshot::rfc3339(started);
            format!(" since {}", units::time(&started))
        });
        let processes = release.processes.len();
        format!(
            "{} ({processes} {}{started})",
            short(&release.build_id),
            if processes == 1 {
                "process"
            } else {
                "processes"
            },
        )
    };
    let mut text: Vec<String> = releases.iter().take(MOST).map(one).collect();
    if releases.len() > MOST {
        text.push(format!("{} more", releases.len() - MOST));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(build: &str, started_unix_ms: u64) -> Header {
        let mut header = Header::default();
        header.program.build_id = Some(build.to_owned());
        header.program.started_unix_ms = started_unix_ms;
        header.program.heaplens_version = "1".to_owned();
        header
    }

    fn chosen(headers: &[Header], wanted: &str) -> Result<[String; 2], String> {
        let releases = releases(headers).unwrap();
        let pair = pair(&releases, wanted)?;
        Ok(pair.map(|release| release.build_id.clone()))
    }

    #[test]
    fn two_builds_are_compared_in_the_order_of_their_first_starts() {
        // A process of the old build was started again, after the first one of the new build.
        let headers = [header("bb", 50), header("aa", 70), header("aa", 10)];
        let both = ["aa".to_owned(), "bb".to_owned()];
        assert_eq!(chosen(&headers, ""), Ok(both.clone()));
        assert_eq!(chosen(&headers, "a..B"), Ok(both.clone()));
        let [old, new] = both;
        assert_eq!(chosen(&headers, "bb..aa"), Ok([new, old]));
        assert_eq!(releases(&headers).unwrap()[0].processes, [1, 2]);
    }

    #[test]
    fn what_cannot_be_told_is_asked() {
        let two = [header("abc1", 5), header("abd2", 9)];
        for (headers, wanted, what) in [
            (&two[..1], "", "only one build, abc1 (1 process"),
            (&[][..], "", "nothing to compare"),
            (&[header("a", 5), header("b", 5)][..], "", "=a..b or the"),
            (
                &[header("a", 5), header("b", 6), header("c", 7)][..],
                "",
                "these are 3 builds, a (1 process since 1970-01-01 00:00:00 UTC), b",
            ),
            (&two[..], "abc1", "takes OLD..NEW"),
            (&two[..], "ab..abd", "begin with \"ab\""),
            (&two[..], "x..abd", "no process is of a build x"),
            (&two[..], "..abd", "begin with \"\""),
            (&two[..], "abd..abd2", "names one build twice"),
        ] {
            let error = chosen(headers, wanted).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
        let mut profile = header("b", 9);
        profile.program.heaplens_version = String::new();
        let error = chosen(&[header("a", 5), profile], "").unwrap_err();
        assert!(error.contains("which build is older"), "{error}");
        assert_eq!(releases(&[header("a", 1), Header::default()]), Err(1));
    }
}
