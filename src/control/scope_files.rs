//! Snapshots of a scope alone, as files: what a failed assertion of a test leaves behind.
//!
//! Written by the thread that asks, with no keeper, into the same kind of folder and by the same rules:
//! whole or not at all, thinned as they grow in number.

use super::environment::Environment;
use super::run_settings::{KEEP, MAX_DISK};
use super::store::Store;
use super::{clock, freeze, process_memory, program};
use crate::graph::Found;
use crate::snapshot::{Header, Program, Reason, Totals, reason_slug};
use crate::tables::counters::Sums;
use crate::tables::site_tree::NodeId;
use parking_lot::Mutex;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

static FILES: Mutex<Option<Files>> = Mutex::new(None);

/// The files of this process.
struct Files {
    store: Store,
    program: Program,
    started: Instant,
    sequence: u64,
}

/// What a snapshot is to show.
pub(crate) enum Content<'a> {
    /// These sites, with the most bytes that were ever live, and perhaps what a scan has found at them.
    Sites {
        sites: Vec<(NodeId, Sums)>,
        peak_live_bytes: u64,
        scan: Option<&'a Found>,
    },
    /// All sites of the process, with what a scan has found.
    Process(&'a Found),
}

/// Writes a snapshot, and returns its path. The label stands in the file's name too.
pub(crate) fn write(label: &str, content: Content<'_>) -> io::Result<PathBuf> {
    FILES
        .lock()
        .get_or_insert_with(Files::new)
        .write(label, content)
}

impl Files {
    fn new() -> Self {
        let (environment, _) = Environment::of_process();
        let (program, run) = program::of_process(clock::unix_ms());
        let folder = environment.dir.unwrap_or_else(default_folder);
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        let keep = environment.keep.unwrap_or(KEEP);
        let max_disk = environment.max_disk.unwrap_or(MAX_DISK);
        Self {
            store: Store::new(folder, run, keep, max_disk),
            program,
            started: Instant::now(),
            sequence: 0,
        }
    }

    fn write(&mut self, label: &str, content: Content<'_>) -> io::Result<PathBuf> {
        self.sequence += 1;
        let header = Header {
            sequence: self.sequence,
            reason: Reason::Request,
            label: Some(label.to_owned()),
            ..program::header(&self.program, self.started)
        };
        let slug = reason_slug(label);
        let folder = self.store.open()?;
        let file = self.store.create(&folder, self.sequence, &slug)?;
        let snapshot = match content {
            Content::Sites {
                sites,
                peak_live_bytes,
                scan,
            } => {
                let totals = Totals {
                    peak_live_bytes: i64::try_from(peak_live_bytes).unwrap_or(i64::MAX),
                    ..Totals::default()
                };
                freeze::freeze_sites(Header { totals, ..header }, sites, scan)
            }
            Content::Process(found) => freeze::freeze(header, Some(found)),
        };
        self.store.save(&folder, file, &snapshot, &slug)
    }
}

/// `heaplens` in cargo's target folder, where this program lies in one, and else in the folder that it
/// works in.
fn default_folder() -> PathBuf {
    let executable = process_memory::executable().unwrap_or_default();
    let target = executable
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").is_file());
    target.unwrap_or(Path::new("target")).join("heaplens")
}
