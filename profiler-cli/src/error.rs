//! What can go wrong, in one line each.

use std::fmt::{self, Display};
use std::io;
use std::path::{Path, PathBuf};

use heaplens::snapshot;

use crate::render::escape::printable;

/// Why a command could not do its work. The text is one line that is safe to print, and says what
/// is wrong, where, and what would be right.
#[derive(Debug)]
pub enum Error {
    /// A file that is no snapshot that can be read.
    Snapshot(snapshot::Error),
    /// A pattern that cannot be used, or a file that cannot be used for this.
    Input {
        /// The file or the pattern.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file that cannot be written.
    Output {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Options that do not go together.
    Usage(String),
    /// The standard output failed.
    Stdout(io::Error),
}

impl Error {
    pub(crate) fn input(file: &Path, what: impl Display) -> Self {
        Self::Input {
            file: file.to_owned(),
            what: what.to_string(),
        }
    }

    pub(crate) fn output(file: &Path, what: impl Display) -> Self {
        Self::Output {
            file: file.to_owned(),
            what: what.to_string(),
        }
    }

    /// The same, with more to say of it.
    pub(crate) fn with(self, more: &str) -> Self {
        match self {
            Self::Input { file, what } => Self::Input {
                file,
                what: what + more,
            },
            other => other,
        }
    }

    /// Whether the reader of the output has gone away, which is no failure: `heaplens top | head`.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Stdout(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(error) => error.fmt(f),
            Self::Input { file, what } | Self::Output { file, what } => {
                write!(
                    f,
                    "{}: {}",
                    printable(&file.to_string_lossy()),
                    printable(what)
                )
            }
            Self::Usage(what) => f.write_str(&printable(what)),
            Self::Stdout(error) => write!(f, "standard output: {error}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<snapshot::Error> for Error {
    fn from(error: snapshot::Error) -> Self {
        Self::Snapshot(error)
    }
}
