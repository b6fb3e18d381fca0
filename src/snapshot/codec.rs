//! Reads and writes a snapshot as gzipped JSON.
//!
//! Files come from anywhere: reading bounds its memory, refuses whatever is cut short, and returns
//! a snapshot only if [`validate`] accepts it. Files as such (names, folders, what is kept) are not
//! this module's business.

use super::envelope::{self, input_error};
use super::error::{Error, ErrorKind};
use super::json::{Bounds, Parser};
use super::model::{FORMAT, FORMAT_VERSION, Header, Snapshot};
use super::validate::validate;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BUFFER_BYTES: usize = 64 << 10;
/// Level 1 saves a third of the time and makes files half as large again; level 3 takes two thirds
/// more time for files 6 % smaller.
pub(super) const COMPRESSION: Compression = Compression::new(2);

/// Bounds on what reading a file may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of JSON after decompression.
    pub decompressed_bytes: u64,
    /// Most bytes of memory for what the JSON parses into, estimated from above.
    pub parsed_bytes: u64,
}

impl Default for Limits {
    /// 2 GiB of JSON and 4 GiB parsed. A million sites take about a tenth of either.
    fn default() -> Self {
        Self {
            decompressed_bytes: 2 << 30,
            parsed_bytes: 4 << 30,
        }
    }
}

impl Limits {
    fn bounds(&self) -> Bounds {
        Bounds {
            text: self.decompressed_bytes,
            memory: self.parsed_bytes,
        }
    }
}

/// Writes a snapshot. `format`, `format_version` and `complete` are written as this library's own,
/// whatever the snapshot says.
///
/// # Errors
///
/// Those of `output`, and `InvalidData` for a snapshot that [`read`] would refuse.
pub fn write(snapshot: &Snapshot, output: impl Write) -> io::Result<()> {
    validate(snapshot).map_err(|invalid| io::Error::new(io::ErrorKind::InvalidData, invalid))?;
    // The fields of `Snapshot`, in the file's order: the first three let a reader stop early, the
    // last one proves that there is nothing missing.
    #[derive(Serialize)]
    struct File<'a> {
        format: &'static str,
        format_version: u32,
        header: &'a Header,
        modules: &'a [super::Module],
        stacks: &'a super::Stacks,
        sites: &'a super::Sites,
        #[serde(skip_serializing_if = "Option::is_none")]
        graph: &'a Option<super::graph::Graph>,
        #[serde(skip_serializing_if = "Option::is_none")]
        symbols: &'a Option<super::Symbols>,
        complete: bool,
    }
    let Snapshot {
        format: _,
        format_version: _,
        header,
        modules,
        stacks,
        sites,
        graph,
        symbols,
        complete: _,
    } = snapshot;
    let file = File {
        format: FORMAT,
        format_version: FORMAT_VERSION,
        header,
        modules,
        stacks,
        sites,
        graph,
        symbols,
        complete: true,
    };
    let gzip = GzEncoder::new(output, COMPRESSION);
    let mut json = BufWriter::with_capacity(BUFFER_BYTES, gzip);
    serde_json::to_writer(&mut json, &file)?;
    let gzip = json.into_inner().map_err(io::IntoInnerError::into_error)?;
    gzip.finish()?.flush()
}

/// Reads a whole snapshot from a file, gzipped or plain.
///
/// # Errors
///
/// An [`Error`] that says in one line what is wrong with the file.
pub fn read(path: impl AsRef<Path>, limits: &Limits) -> Result<Snapshot, Error> {
    let path = path.as_ref();
    let file = open(path)?;
    read_from(path, file, limits)
}

/// Reads a whole snapshot from memory. `path` is its name in errors.
///
/// # Errors
///
/// Those of [`read`].
pub fn read_bytes(
    path: impl AsRef<Path>,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Snapshot, Error> {
    read_from(path, bytes, limits)
}

/// Reads a whole snapshot from a stream. `path` is its name in errors.
///
/// # Errors
///
/// Those of [`read`].
pub fn read_from(
    path: impl AsRef<Path>,
    input: impl Read,
    limits: &Limits,
) -> Result<Snapshot, Error> {
    let path = path.as_ref();
    let whole = || {
        let mut parser = Parser::new(json_text(input)?, limits.bounds());
        let snapshot = envelope::read_snapshot(&mut parser, limits)?;
        validate(&snapshot).map_err(ErrorKind::Invalid)?;
        Ok(snapshot)
    };
    whole().map_err(|kind| at(path, kind))
}

/// Reads only a snapshot's header: quick, since nothing behind it is read. That the rest of the
/// file is there and sound is not known afterwards.
///
/// # Errors
///
/// Those of [`read`], as far as they show before the end of the header.
pub fn read_header(path: impl AsRef<Path>) -> Result<Header, Error> {
    let path = path.as_ref();
    let file = open(path)?;
    read_header_from(path, file, &Limits::default())
}

/// The same from a stream. `path` is its name in errors.
///
/// # Errors
///
/// Those of [`read_header`].
pub fn read_header_from(
    path: impl AsRef<Path>,
    input: impl Read,
    limits: &Limits,
) -> Result<Header, Error> {
    let path = path.as_ref();
    let header = || {
        let mut parser = Parser::new(json_text(input)?, limits.bounds());
        envelope::read_header(&mut parser, limits)
    };
    header().map_err(|kind| at(path, kind))
}

/// The JSON inside of `input`, which may be compressed or not.
fn json_text<'a>(mut input: impl Read + 'a) -> Result<Box<dyn Read + 'a>, ErrorKind> {
    let mut start = Vec::new();
    let magic = GZIP_MAGIC.len();
    input
        .by_ref()
        .take(magic as u64)
        .read_to_end(&mut start)
        .map_err(input_error)?;
    if start.is_empty() {
        return Err(ErrorKind::Foreign("the file is empty"));
    }
    if start.len() < magic {
        return Err(ErrorKind::Truncated);
    }
    let gzip = start == GZIP_MAGIC;
    let all = io::Cursor::new(start).chain(input);
    if gzip {
        Ok(Box::new(MultiGzDecoder::new(BufReader::with_capacity(
            BUFFER_BYTES,
            all,
        ))))
    } else {
        Ok(Box::new(all))
    }
}

fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(|error| at(path, ErrorKind::Io(error)))
}

fn at(path: &Path, kind: ErrorKind) -> Error {
    Error {
        path: path.to_owned(),
        kind,
    }
}

#[cfg(test)]
mod tests;
