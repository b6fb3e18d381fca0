//! Why a snapshot could not be read: one line, with the file's name.
//!
//! Texts that come from the file itself are made harmless here, since they end up on terminals.

use super::model::FORMAT_VERSION;
use super::printable::printable;
use super::validate::Invalid;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// A snapshot that could not be read.
#[derive(Debug)]
pub struct Error {
    /// The file, as the caller named it.
    pub path: PathBuf,
    /// What is wrong with it.
    pub kind: ErrorKind,
}

/// What is wrong with a file.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The system could not open or read it.
    Io(io::Error),
    /// It is something else than a snapshot.
    Foreign(&'static str),
    /// It ends before the snapshot does.
    Truncated,
    /// It was written in a version of the format that this library does not know.
    Version(u64),
    /// It is larger than [`Limits`](super::Limits) allow.
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed, in bytes.
        limit: u64,
    },
    /// Its bytes are not what they once were.
    Damaged(String),
    /// Its columns do not fit together.
    Invalid(Invalid),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", printable(&self.path.to_string_lossy()))?;
        match &self.kind {
            ErrorKind::Io(error) => write!(f, "cannot be read: {error}"),
            ErrorKind::Foreign(what) => write!(f, "not a heaplens snapshot: {what}"),
            ErrorKind::Truncated => {
                f.write_str("cut short: the file ends before the snapshot does")
            }
            ErrorKind::Version(found) => write!(
                f,
                "has snapshot format version {found}, but this heaplens reads version \
                 {FORMAT_VERSION}: read it with a heaplens as new as the one that wrote it"
            ),
            ErrorKind::TooLarge { what, limit } => {
                write!(f, "too large: {what} would pass the limit of {limit} bytes")
            }
            ErrorKind::Damaged(problem) => write!(f, "damaged: {}", printable(problem)),
            ErrorKind::Invalid(invalid) => write!(f, "damaged: {invalid}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            ErrorKind::Io(error) => Some(error),
            ErrorKind::Invalid(invalid) => Some(invalid),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_stay_in_one_harmless_line() {
        let error = Error {
            path: PathBuf::from("a\nb\u{1b}[31m\u{202e}.gz"),
            kind: ErrorKind::Damaged("x\ty".repeat(1_000)),
        };
        let line = error.to_string();
        assert!(
            line.starts_with(r"a\u{a}b\u{1b}[31m\u{202e}.gz: damaged: x\u{9}y"),
            "{line}"
        );
        assert!(line.ends_with('…') && line.len() < 2_500);
        assert!(!line.contains(char::is_control));
    }
}
