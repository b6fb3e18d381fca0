//! The snapshot files of this run among those of others, in one folder.
//!
//! Files of several runs of a program may share a folder, at the same time too. A run that is alive
//! holds a lock on the first of its files that is there; another run's files are touched only when
//! nobody holds that lock. Where the file system has no locks nobody else's files are touched.

use super::files::{Folder, Unnamed, is_unlocked, lock_exclusive};
use super::rotation::{self, Kept, Plan};
use crate::snapshot::{self, FileName, RunName, Snapshot};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

/// Writes snapshots of one run, and keeps the folder within its limits.
pub(super) struct Store {
    path: PathBuf,
    run: RunName,
    limits: rotation::Limits,
    /// Live bytes in the files of this run, by sequence.
    own_live_bytes: BTreeMap<u64, i64>,
    /// Live bytes in the files of earlier runs; `None` where they cannot be read.
    earlier_live_bytes: HashMap<FileName, Option<i64>>,
    lock: Option<Lock>,
}

/// The lock that tells others that this run is alive.
struct Lock {
    sequence: u64,
    /// Holds the lock while it is open.
    _file: File,
}

/// A file of a run, as listed.
struct Listed {
    name: FileName,
    bytes: u64,
}

impl Store {
    pub(super) fn new(path: PathBuf, run: RunName, files: usize, bytes: u64) -> Self {
        Self {
            path,
            run,
            limits: rotation::Limits { files, bytes },
            own_live_bytes: BTreeMap::new(),
            earlier_live_bytes: HashMap::new(),
            lock: None,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the folder. Fails early where a snapshot could not be written.
    pub(super) fn open(&self) -> io::Result<Folder> {
        Folder::open_or_create(&self.path)
    }

    /// A file to write a snapshot to.
    pub(super) fn create<'a>(
        &self,
        folder: &'a Folder,
        sequence: u64,
        reason: &str,
    ) -> io::Result<Unnamed<'a>> {
        folder.create(&temporary_name(&self.name(sequence, reason)))
    }

    /// Writes a snapshot and gives the file its name; then removes what is too much.
    pub(super) fn save(
        &mut self,
        folder: &Folder,
        file: Unnamed<'_>,
        snapshot: &Snapshot,
        reason: &str,
    ) -> io::Result<PathBuf> {
        snapshot::write(snapshot, BufWriter::with_capacity(64 << 10, file.file()))?;
        let sequence = snapshot.header.sequence;
        let name = self.name(sequence, reason).to_string();
        let fresh = Lock {
            sequence,
            _file: file.name(&name)?,
        };
        self.own_live_bytes
            .insert(sequence, snapshot.header.totals.live_bytes);
        // The snapshot is safe. If the folder cannot be tidied now, the next one will try again.
        let _ = self.rotate(folder, fresh);
        Ok(self.path.join(name))
    }

    fn name(&self, sequence: u64, reason: &str) -> FileName {
        FileName {
            run: self.run.clone(),
            sequence,
            reason: reason.to_owned(),
        }
    }

    /// Removes what is too much. `fresh` is the lock that the newest file of this run came with.
    fn rotate(&mut self, folder: &Folder, fresh: Lock) -> io::Result<()> {
        // Whatever fails below, this run has a lock from its first file on.
        let fresh = match self.lock {
            None => {
                self.lock = Some(fresh);
                None
            }
            Some(_) => Some(fresh),
        };
        let mut runs: BTreeMap<(u64, u32), Vec<Listed>> = BTreeMap::new();
        for entry in folder.entries()? {
            if let Some(name) = FileName::parse(&entry.name) {
                if name.run.executable == self.run.executable {
                    let run = (name.run.started_unix_ms, name.run.pid);
                    runs.entry(run).or_default().push(Listed {
                        name,
                        bytes: entry.bytes,
                    });
                }
            } else if self.is_stale_temporary(folder, &entry.name) {
                folder.remove(&entry.name)?;
            }
        }
        for files in runs.values_mut() {
            files.sort_by(|left, right| left.name.cmp(&right.name));
        }
        let own = runs
            .remove(&(self.run.started_unix_ms, self.run.pid))
            .unwrap_or_default();
        self.own_live_bytes
            .retain(|sequence, _| own.iter().any(|file| file.name.sequence == *sequence));
        let earlier: Vec<Vec<Listed>> = runs
            .into_values()
            .filter(|files| is_dead(folder, files))
            .collect();

        let plan = self.plan(folder, &own, &earlier);
        self.move_lock(folder, &own, &plan, fresh);
        for (files, gone) in earlier.iter().zip(&plan.earlier) {
            remove(folder, files, gone)?;
        }
        remove(folder, &own, &plan.own)
    }

    fn plan(&mut self, folder: &Folder, own: &[Listed], earlier: &[Vec<Listed>]) -> Plan {
        let own: Vec<Kept> = own
            .iter()
            .map(|file| file.kept(self.own_live_bytes.get(&file.name.sequence).copied()))
            .collect();
        let unread: Vec<Vec<Kept>> = earlier
            .iter()
            .map(|files| files.iter().map(|file| file.kept(None)).collect())
            .collect();
        let plan = rotation::plan(&own, &unread, self.limits);
        if plan.earlier.iter().all(Vec::is_empty) {
            return plan;
        }
        // Something of an earlier run must go, so its peak has to be known.
        let known = std::mem::take(&mut self.earlier_live_bytes);
        let live_bytes = |file: &Listed| match known.get(&file.name) {
            Some(live_bytes) => *live_bytes,
            None => read_live_bytes(folder, &file.name),
        };
        let mut read = Vec::with_capacity(earlier.len());
        for files in earlier {
            let mut run = Vec::with_capacity(files.len());
            for file in files {
                let live_bytes = live_bytes(file);
                self.earlier_live_bytes
                    .insert(file.name.clone(), live_bytes);
                run.push(file.kept(live_bytes));
            }
            read.push(run);
        }
        rotation::plan(&own, &read, self.limits)
    }

    /// Locks the file that will be the first of this run, before the one that was is removed.
    fn move_lock(&mut self, folder: &Folder, own: &[Listed], plan: &Plan, fresh: Option<Lock>) {
        let stays = |file: &&Listed| !plan.own.contains(&file.name.sequence);
        let Some(first) = own.iter().find(stays).map(|file| &file.name) else {
            return;
        };
        let is_on_first = |lock: &Lock| lock.sequence == first.sequence;
        if self.lock.as_ref().is_some_and(is_on_first) {
            return;
        }
        if let Some(fresh) = fresh.filter(is_on_first) {
            self.lock = Some(fresh);
        } else if let Ok(file) = folder.open_file_to_lock(&first.to_string()) {
            lock_exclusive(&file);
            self.lock = Some(Lock {
                sequence: first.sequence,
                _file: file,
            });
        }
    }

    /// Whether a name is that of an unfinished file of a run that is dead.
    fn is_stale_temporary(&self, folder: &Folder, name: &str) -> bool {
        let lasting = name
            .strip_prefix('.')
            .and_then(|name| name.strip_suffix(".tmp"));
        lasting.and_then(FileName::parse).is_some_and(|lasting| {
            lasting.run.executable == self.run.executable
                && lasting.run != self.run
                && folder.open_file(name).is_ok_and(|file| is_unlocked(&file))
        })
    }
}

impl Listed {
    fn kept(&self, live_bytes: Option<i64>) -> Kept {
        Kept {
            sequence: self.name.sequence,
            file_bytes: self.bytes,
            live_bytes,
        }
    }
}

fn temporary_name(lasting: &FileName) -> String {
    format!(".{lasting}.tmp")
}

/// A run whose first file is gone again by now is alive: its process has just removed it.
fn is_dead(folder: &Folder, files: &[Listed]) -> bool {
    let first = files
        .first()
        .map(|file| folder.open_file(&file.name.to_string()));
    matches!(first, Some(Ok(file)) if is_unlocked(&file))
}

fn read_live_bytes(folder: &Folder, name: &FileName) -> Option<i64> {
    let limits = snapshot::Limits {
        decompressed_bytes: 64 << 20,
        ..snapshot::Limits::default()
    };
    let name = name.to_string();
    let file = folder.open_file(&name).ok()?;
    let header = snapshot::read_header_from(&name, file, &limits).ok()?;
    Some(header.totals.live_bytes)
}

fn remove(folder: &Folder, files: &[Listed], gone: &[u64]) -> io::Result<()> {
    for file in files
        .iter()
        .filter(|file| gone.contains(&file.name.sequence))
    {
        match folder.remove(&file.name.to_string()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
