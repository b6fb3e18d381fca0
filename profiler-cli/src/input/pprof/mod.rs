//! Reads a pprof profile of a heap as a snapshot, so that every verb takes profiles of Go, of
//! jemalloc through `jemalloc_pprof`, of tcmalloc, and of heaplens.
//!
//! `docs/formats.md` says which field becomes which. What such profiles do not tell stays empty, and
//! is said: how old blocks are, when the process started, which process it was. Labels are passed
//! over, and so are `drop_frames`: the frames of allocators are told by their names later.
//!
//! Files come from anywhere: memory is charged before it is taken, references are checked, and what
//! comes out is a snapshot that `validate` has accepted. The protobuf is read where it lies by code
//! of our own, since libraries for that build all messages first, at many times the size of the file.

mod budget;
mod stacks;
mod tables;
mod values;
mod wire;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use heaplens::snapshot::pprof::field;
use heaplens::snapshot::{
    self, ErrorKind, FORMAT, FORMAT_VERSION, Header, Limits, Program, Reason, Recorder,
    RecorderMode, Sites, Snapshot, Totals, rfc3339, validate,
};

use self::budget::Budget;
use self::stacks::Tree;
use self::tables::Tables;
use self::values::Columns;
use self::wire::{Damage, Part};
use crate::error::Error;

/// What [`read`] makes of a profile.
#[derive(Debug)]
pub struct Imported {
    /// The profile as a snapshot.
    pub snapshot: Snapshot,
    /// What profiles of its kind do not tell, if anything: one line that is safe to print.
    pub note: Option<String>,
}

/// Whether bytes begin as a profile does: with the type of a sample's values or, as Go has it, of its
/// period. No text begins so.
pub(super) fn is_profile(start: &[u8]) -> bool {
    const SAMPLE_TYPE: u8 = (field::profile::SAMPLE_TYPE << 3 | 2) as u8;
    const PERIOD_TYPE: u8 = (field::profile::PERIOD_TYPE << 3 | 2) as u8;
    /// A message of two numbers.
    const LONGEST: u8 = 22;
    match start {
        [SAMPLE_TYPE | PERIOD_TYPE, 0, ..] => true,
        [SAMPLE_TYPE | PERIOD_TYPE, 2..=LONGEST, first, ..] => {
            let [name, unit] = [field::value_type::TYPE, field::value_type::UNIT];
            [name << 3, unit << 3].contains(&u32::from(*first))
        }
        _ => false,
    }
}

/// Reads a profile that is not compressed from a stream. `path` is its name in errors.
///
/// `binaries` are folders to look for binaries in, beside the usual places: in a profile without
/// names, addresses are places in a file, whose segments tell where they are in its address space.
/// Without it they stay what they are, and cannot be named.
///
/// # Errors
///
/// A file that cannot be read, is damaged or too large, or is no profile of a heap.
pub fn read(
    path: &Path,
    input: impl Read,
    limits: &Limits,
    binaries: Option<&[PathBuf]>,
) -> Result<Imported, Error> {
    let at = |kind| {
        Error::Snapshot(snapshot::Error {
            path: path.to_owned(),
            kind,
        })
    };
    let bytes = whole(input, limits).map_err(at)?;
    let mut budget = Budget::new(limits);
    let profile = Part::whole(&bytes);
    let tables = Tables::read(profile, &mut budget).map_err(at)?;
    let columns = Columns::of(&tables).map_err(|what| Error::input(path, what))?;
    let snapshot = convert(profile, &tables, &columns, binaries, &mut budget).map_err(at)?;
    Ok(Imported {
        snapshot,
        note: columns.unknown(),
    })
}

/// All bytes, up to the limit.
fn whole(input: impl Read, limits: &Limits) -> Result<Vec<u8>, ErrorKind> {
    let limit = limits.decompressed_bytes;
    let mut bytes = Vec::new();
    let read = input.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| match error.kind() {
        _ if error.raw_os_error().is_some() => ErrorKind::Io(error),
        io::ErrorKind::UnexpectedEof => ErrorKind::Truncated,
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            ErrorKind::Damaged(format!("its gzip data: {error}"))
        }
        _ => ErrorKind::Io(error),
    })?;
    if bytes.len() as u64 > limit {
        return Err(ErrorKind::TooLarge {
            what: "its protobuf",
            limit,
        });
    }
    Ok(bytes)
}

fn convert(
    profile: Part<'_>,
    tables: &Tables<'_>,
    columns: &Columns,
    binaries: Option<&[PathBuf]>,
    budget: &mut Budget,
) -> Result<Snapshot, ErrorKind> {
    let mut tree = Tree::new(tables, binaries, budget)?;
    let mut sites = Sites::default();
    let (mut locations, mut values) = (Vec::new(), Vec::new());
    for field in profile.fields() {
        let field = field?;
        if field.number != field::profile::SAMPLE {
            continue;
        }
        locations.clear();
        values.clear();
        for field in field.part()?.fields() {
            let field = field?;
            match field.number {
                field::sample::LOCATION_ID => {
                    for id in field.numbers()? {
                        let id = id?;
                        let location = tables.location(id).ok_or_else(|| {
                            let sample = sites.stack.len() + 1;
                            ErrorKind::Damaged(format!(
                                "sample {sample} has location {id}, which is not there"
                            ))
                        })?;
                        budget.room_for(&locations)?;
                        locations.push(location);
                    }
                }
                field::sample::VALUE => {
                    for value in field.numbers()? {
                        budget.room_for(&values)?;
                        values.push(value?.cast_signed());
                    }
                }
                _ => {}
            }
        }
        let row = tree.row(&locations, budget)?;
        columns.add(&mut sites, row, &values, budget)?;
    }
    let (modules, stacks, symbols) = tree.finish();
    let snapshot = Snapshot {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        header: header(tables, columns, &sites, modules.get(1)),
        modules,
        stacks,
        sites,
        graph: None,
        symbols,
        complete: true,
    };
    validate(&snapshot).map_err(ErrorKind::Invalid)?;
    Ok(snapshot)
}

fn header(
    tables: &Tables<'_>,
    columns: &Columns,
    sites: &Sites,
    program: Option<&snapshot::Module>,
) -> Header {
    let taken_unix_ms = u64::try_from(tables.time_nanos).unwrap_or(0) / 1_000_000;
    let live_bytes = sum(&sites.live_bytes);
    Header {
        program: Program {
            executable: program.map_or_else(String::new, |module| module.path.clone()),
            build_id: program.and_then(|module| module.build_id.clone()),
            ..Program::default()
        },
        taken: if taken_unix_ms > 0 {
            rfc3339(taken_unix_ms)
        } else {
            String::new()
        },
        taken_unix_ms,
        reason: Reason::Other,
        recorder: Recorder {
            mode: if columns.mean == 1 {
                RecorderMode::Exact
            } else {
                RecorderMode::Sampled
            },
            sample_bytes: if columns.mean == 1 { 0 } else { columns.mean },
            ..Recorder::default()
        },
        totals: Totals {
            live_bytes,
            live_count: sum(&sites.live_count),
            total_bytes: sites
                .total_bytes
                .iter()
                .fold(0, |sum, n| u64::saturating_add(sum, *n)),
            total_count: sites
                .total_count
                .iter()
                .fold(0, |sum, n| u64::saturating_add(sum, *n)),
            live_bytes_variance: sites.live_bytes_variance.iter().sum(),
            peak_live_bytes: live_bytes,
        },
        ..Header::default()
    }
}

fn sum(column: &[i64]) -> i64 {
    column.iter().fold(0, |sum, &n| i64::saturating_add(sum, n))
}

impl From<Damage> for ErrorKind {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage.to_string())
    }
}
