//! Names for the addresses of snapshots: those that a snapshot carries, or new ones. The processes of a
//! fleet run the same binaries, so that their snapshots are named together: each binary is looked at once.

use std::mem;
use std::path::{Path, PathBuf};

use heaplens::snapshot::{SPECIAL_MODULE, Snapshot, Stacks, Symbols};
use rustc_hash::FxHashMap;

use super::concat::place;
use super::{Options, Step, push_new};
use crate::profile::ProfileBuilder;
use crate::symbols::{self, symbolize};

/// Rows of stacks that are held to be named together.
const MOST_ROWS: usize = 4 << 20;

/// New names for a snapshot; none if those that it carries are to be used.
pub(super) fn names_of(
    snapshot: &Snapshot,
    options: &Options,
    progress: &mut dyn FnMut(Step<'_>),
    notes: &mut Vec<String>,
) -> Option<Symbols> {
    if snapshot.symbols.is_some() && options.debug_dirs.is_empty() {
        return None;
    }
    let outcome = name(snapshot, options, progress);
    for note in outcome
        .notes
        .iter()
        .filter(|note| !note.is_about_system_library())
    {
        push_new(notes, note.to_string());
    }
    Some(outcome.symbols)
}

/// Resolves the addresses of a snapshot.
pub fn name(
    snapshot: &Snapshot,
    options: &Options,
    progress: &mut dyn FnMut(Step<'_>),
) -> symbols::Outcome {
    let options = symbols::Options {
        debug_dirs: options.debug_dirs.clone(),
    };
    symbolize(snapshot, &options, &mut |done, total| {
        progress(Step::Symbolizing { done, total })
    })
}

/// Snapshots that wait for names.
#[derive(Debug, Default)]
pub(super) struct Batch {
    snapshots: Vec<(PathBuf, Snapshot)>,
    rows: usize,
}

impl Batch {
    pub(super) fn push(&mut self, file: &Path, snapshot: Snapshot) {
        self.rows += snapshot.stacks.parent.len();
        self.snapshots.push((file.to_owned(), snapshot));
    }

    /// Whether it takes enough memory.
    pub(super) fn is_full(&self) -> bool {
        self.rows >= MOST_ROWS
    }

    /// Names all that is here and adds it to a profile, in the order in which it came.
    pub(super) fn move_to(
        &mut self,
        builder: &mut ProfileBuilder,
        options: &Options,
        progress: &mut dyn FnMut(Step<'_>),
        notes: &mut Vec<String>,
    ) {
        let Self { snapshots, .. } = mem::take(self);
        let unnamed = snapshots.iter().map(|(_, snapshot)| snapshot);
        let unnamed: Vec<&Snapshot> = unnamed
            .filter(|snapshot| snapshot.symbols.is_none())
            .collect();
        // One has nothing to share.
        let mut shared = (unnamed.len() > 1).then(|| {
            let (all, rows) = merged(&unnamed);
            let names = names_of(&all, options, progress, notes);
            (Shared::new(names.unwrap_or_default()), rows.into_iter())
        });
        for (file, snapshot) in &snapshots {
            let file = file.to_string_lossy();
            if snapshot.symbols.is_none()
                && let Some((shared, rows)) = &mut shared
            {
                let rows = rows.next().unwrap_or_default();
                builder.add(&file, snapshot, Some(shared.of_rows(&rows)));
                continue;
            }
            let names = names_of(snapshot, options, progress, notes);
            builder.add(
                &file,
                snapshot,
                names.as_ref().or(snapshot.symbols.as_ref()),
            );
        }
    }
}

/// One snapshot with each address of these snapshots once, and no more than that; and for each of them
/// which of its rows is where. A row that is no address is nowhere.
fn merged(snapshots: &[&Snapshot]) -> (Snapshot, Vec<Vec<Option<u32>>>) {
    let first = snapshots[0];
    let mut all = Snapshot {
        format: first.format.clone(),
        format_version: first.format_version,
        header: first.header.clone(),
        modules: Vec::new(),
        stacks: Stacks::default(),
        sites: Default::default(),
        graph: None,
        symbols: None,
        complete: true,
    };
    let mut known: FxHashMap<(u32, u64), u32> = FxHashMap::default();
    let mut rows = Vec::with_capacity(snapshots.len());
    for snapshot in snapshots {
        let modules: Vec<u32> = snapshot
            .modules
            .iter()
            .map(|module| place(&mut all.modules, module.clone()))
            .collect();
        let stacks = &snapshot.stacks;
        let addresses = stacks.module.iter().zip(&stacks.address);
        let row = |(&module, &address): (&u32, &u64)| {
            let is_address = module != SPECIAL_MODULE;
            let module = *modules.get(module as usize).filter(|_| is_address)?;
            (module != SPECIAL_MODULE).then(|| {
                *known.entry((module, address)).or_insert_with(|| {
                    all.stacks.parent.push(-1);
                    all.stacks.module.push(module);
                    all.stacks.address.push(address);
                    (all.stacks.parent.len() - 1) as u32
                })
            })
        };
        rows.push(addresses.map(row).collect());
    }
    (all, rows)
}

/// Names of the rows of [`merged`], shown as those of one snapshot after the other.
struct Shared {
    /// Its columns for rows are those of the snapshot that is shown.
    symbols: Symbols,
    first_frame: Vec<u32>,
    frame: Vec<u32>,
}

impl Shared {
    fn new(mut symbols: Symbols) -> Self {
        Self {
            first_frame: mem::take(&mut symbols.first_frame),
            frame: mem::take(&mut symbols.frame),
            symbols,
        }
    }

    /// The names of a snapshot whose rows are these.
    fn of_rows(&mut self, rows: &[Option<u32>]) -> &Symbols {
        let Symbols {
            first_frame, frame, ..
        } = &mut self.symbols;
        first_frame.clear();
        frame.clear();
        first_frame.push(0);
        for row in rows {
            let frames = row.and_then(|row| {
                let at = row as usize;
                let (from, to) = (self.first_frame.get(at)?, self.first_frame.get(at + 1)?);
                self.frame.get(*from as usize..*to as usize)
            });
            frame.extend_from_slice(frames.unwrap_or_default());
            first_frame.push(frame.len() as u32);
        }
        &self.symbols
    }
}
