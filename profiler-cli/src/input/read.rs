//! One file or answer, a snapshot or a pprof profile: which of the two it is shows in its first bytes.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use heaplens::snapshot::{self, ErrorKind, Header, Limits, Snapshot};

use super::http::is_url;
use super::{Options, pprof, push_new};
use crate::error::Error;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// More than a header of gzip and the start of its data take.
const START_BYTES: u64 = 4 << 10;

/// A file whose start was looked at.
struct Input {
    is_profile: bool,
    bytes: io::Chain<Cursor<Vec<u8>>, Box<dyn Read>>,
}

impl Input {
    fn open(path: &Path, options: &Options) -> Result<Self, Error> {
        let fail = |error| snapshot::Error {
            path: path.to_owned(),
            kind: ErrorKind::Io(error),
        };
        let mut all: Box<dyn Read> = match is_url(path) {
            true => Box::new(options.remote.open(path)?),
            false => Box::new(File::open(path).map_err(fail)?),
        };
        let mut start = Vec::new();
        let read = all.by_ref().take(START_BYTES).read_to_end(&mut start);
        read.map_err(fail)?;
        Ok(Self {
            is_profile: begins_profile(&start),
            bytes: Cursor::new(start).chain(all),
        })
    }

    fn profile(
        self,
        path: &Path,
        limits: &Limits,
        binaries: Option<&[PathBuf]>,
    ) -> Result<pprof::Imported, Error> {
        let mut bytes = BufReader::new(self.bytes);
        let is_gzip = io::BufRead::fill_buf(&mut bytes).is_ok_and(|b| b.starts_with(&GZIP_MAGIC));
        if is_gzip {
            pprof::read(path, MultiGzDecoder::new(bytes), limits, binaries)
        } else {
            pprof::read(path, bytes, limits, binaries)
        }
    }
}

fn begins_profile(start: &[u8]) -> bool {
    if !start.starts_with(&GZIP_MAGIC) {
        return pprof::is_profile(start);
    }
    let mut first = Vec::new();
    // What is wrong with its gzip shows when it is read.
    let _ = MultiGzDecoder::new(start).take(3).read_to_end(&mut first);
    pprof::is_profile(&first)
}

/// Reads a snapshot, or a pprof profile as one. What such a profile does not tell is noted.
///
/// # Errors
///
/// A file that is neither, or that cannot be read.
pub fn read(path: &Path, options: &Options, notes: &mut Vec<String>) -> Result<Snapshot, Error> {
    let input = Input::open(path, options)?;
    if !input.is_profile {
        return Ok(snapshot::read_from(path, input.bytes, &options.limits)?);
    }
    let imported = input.profile(path, &options.limits, Some(&options.debug_dirs))?;
    if let Some(note) = imported.note {
        push_new(notes, note);
    }
    Ok(imported.snapshot)
}

/// Reads only the header of a snapshot. That the rest of the file is sound is not known afterwards.
///
/// # Errors
///
/// Those of [`read`], as far as they show.
pub(super) fn read_header(path: &Path, options: &Options) -> Result<Header, Error> {
    let limits = &options.limits;
    let input = Input::open(path, options)?;
    if !input.is_profile {
        return Ok(snapshot::read_header_from(path, input.bytes, limits)?);
    }
    Ok(input.profile(path, limits, None)?.snapshot.header)
}

/// Whether a file is a pprof profile.
pub(crate) fn is_profile(path: &Path, options: &Options) -> bool {
    Input::open(path, options).is_ok_and(|input| input.is_profile)
}
