//! A running program, looked at again and again: by its endpoint, or by the snapshots that it leaves in a
//! folder.
//!
//! An endpoint makes a profile in memory for each look and gives its metrics, which have what profiles
//! lack: times, and the process's memory. Nothing is written there.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use heaplens::snapshot::{FileName, Header};

use super::{Options, is_url, load, quiet};
use crate::error::Error;
use crate::profile::Profile;

/// What one look has seen.
#[derive(Debug, Clone)]
pub struct Look {
    /// The program's memory by path. Its totals are those of `header`, or close to them.
    pub profile: Profile,
    /// Totals, times and the memory of the process.
    pub header: Header,
    /// What the user should know of the profile, each of them one line that is safe to print.
    pub notes: Vec<String>,
}

/// A folder or an endpoint to look at.
#[derive(Debug)]
pub struct Live<'a> {
    target: &'a Path,
    options: &'a Options,
    /// The file that was seen last, so that nothing is read twice.
    last: Option<PathBuf>,
}

impl<'a> Live<'a> {
    /// What `target` names: a folder, or a URL.
    pub fn new(target: &'a Path, options: &'a Options) -> Self {
        Self {
            target,
            options,
            last: None,
        }
    }

    /// Looks. Empty if there is nothing new; of a folder, the first look has the snapshot before the
    /// newest too.
    ///
    /// # Errors
    ///
    /// A folder without snapshots, and whatever cannot be read or does not answer.
    pub fn look(&mut self) -> Result<Vec<Look>, Error> {
        match is_url(self.target) {
            true => Ok(vec![self.ask()?]),
            false => self.read(),
        }
    }

    fn ask(&self) -> Result<Look, Error> {
        let remote = self.options.remote.forgetful();
        let (profile, metrics) = remote.live(self.target)?;
        let options = Options {
            remote: Arc::new(remote),
            ..self.options.clone()
        };
        let mut look = one(&profile, &options)?;
        complete(&mut look.header, &metrics).map_err(|lacks| {
            Error::input(
                self.target,
                format!("its metrics lack {lacks}: is this the address of a heaplens endpoint?"),
            )
        })?;
        Ok(look)
    }

    fn read(&mut self) -> Result<Vec<Look>, Error> {
        let newest = newest_run(self.target)?;
        let last = self.last.as_ref();
        let new = match last.and_then(|last| newest.iter().position(|file| file == last)) {
            Some(at) => &newest[at + 1..],
            None => &newest[newest.len().saturating_sub(2)..],
        };
        // Whoever looks rarely is not kept waiting by what was in between.
        let new = &new[new.len().saturating_sub(2)..];
        let looks = new.iter().map(|file| one(file, self.options)).collect();
        self.last = newest.last().cloned().or(self.last.take());
        looks
    }
}

fn one(file: &Path, options: &Options) -> Result<Look, Error> {
    let loaded = load([file], options, &mut quiet)?;
    let header = loaded.profile.sources().first();
    Ok(Look {
        header: header
            .map(|source| source.header.clone())
            .unwrap_or_default(),
        profile: loaded.profile,
        notes: loaded.notes,
    })
}

/// The snapshots of the run in a folder that was started last, oldest first.
fn newest_run(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let explain = |error: std::io::Error| Error::input(folder, error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(explain)? {
        let path = entry.map_err(explain)?.path();
        let name = path.file_name().and_then(OsStr::to_str);
        if let Some(name) = name.and_then(FileName::parse) {
            found.push((name, path));
        }
    }
    let newest = found.iter().map(|(name, _)| &name.run);
    let Some(newest) = newest.max_by_key(|run| run.started_unix_ms).cloned() else {
        return Err(Error::input(folder, "no snapshots in this folder yet"));
    };
    found.retain(|(name, _)| name.run == newest);
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Takes over what an endpoint's metrics tell.
///
/// # Errors
///
/// The name of the first that is needed and not there.
pub fn complete(header: &mut Header, metrics: &str) -> Result<(), &'static str> {
    let value = |name: &'static str| {
        let sample = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        metrics
            .lines()
            .find_map(sample)
            .filter(|value: &f64| value.is_finite())
    };
    let needed = |name| value(name).ok_or(name);
    header.uptime_ms = (needed("heaplens_uptime_seconds")? * 1000.0) as u64;
    let totals = &mut header.totals;
    totals.live_bytes = needed("heaplens_live_bytes")? as i64;
    totals.live_count = needed("heaplens_live_blocks")? as i64;
    totals.total_bytes = needed("heaplens_allocated_bytes_total")? as u64;
    let memory = &mut header.memory;
    let bytes = |name| value(name).map(|bytes| bytes as u64);
    memory.rss_bytes = bytes("heaplens_resident_bytes");
    memory.cgroup_limit_bytes = bytes("heaplens_cgroup_limit_bytes");
    memory.cgroup_usage_bytes = bytes("heaplens_cgroup_usage_bytes");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_tell_what_a_profile_does_not() {
        let mut header = Header::default();
        let metrics = "# HELP heaplens_live_bytes Bytes.\nheaplens_live_bytes 5e6\n\
                       heaplens_live_blocks 7\nheaplens_live_bytes_x 9\n\
                       heaplens_allocated_bytes_total 18446744073709551615\n\
                       heaplens_uptime_seconds 1.5\nheaplens_resident_bytes NaN\n";
        assert_eq!(complete(&mut header, metrics), Ok(()));
        assert_eq!(header.totals.live_bytes, 5_000_000);
        assert_eq!(header.uptime_ms, 1500);
        assert_eq!(header.memory.rss_bytes, None);
        assert_eq!(
            complete(&mut header, "up 1\n"),
            Err("heaplens_uptime_seconds")
        );
    }

    #[test]
    fn the_run_that_was_started_last_counts() {
        let folder = tempfile::tempdir().unwrap();
        assert!(newest_run(folder.path()).is_err());
        let name = |start: &str, number: u32| {
            let start = format!("20260105T1400{start}.000Z-7");
            format!("heaplens.shop.{start}.{number:06}.interval.json.gz")
        };
        let all = [name("00", 9), name("01", 2), name("01", 1), name("01", 10)];
        for name in all
            .iter()
            .map(String::as_str)
            .chain(["heaplens.x", "secret"])
        {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let expected = [2, 1, 3].map(|at| folder.path().join(&all[at]));
        assert_eq!(newest_run(folder.path()).unwrap(), expected);
    }
}
