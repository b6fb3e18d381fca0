//! What can be wrong with a text, by what a reader can do about it.

use serde::de;
use std::{fmt, io};

/// Why a text did not parse.
#[derive(Debug)]
pub(in crate::snapshot) enum Error {
    /// The stream failed.
    Input(io::Error),
    /// The text ends inside of a value.
    End,
    /// The text is longer than allowed.
    Text,
    /// The values would take more memory than allowed.
    Memory,
    /// The text is not JSON.
    Syntax(&'static str),
    /// It is JSON, but not of the type asked for.
    Data(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(error) => error.fmt(f),
            Self::End => f.write_str("the text ends inside of a value"),
            Self::Text => f.write_str("the text is too long"),
            Self::Memory => f.write_str("the values take too much memory"),
            Self::Syntax(problem) => f.write_str(problem),
            Self::Data(problem) => f.write_str(problem),
        }
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(problem: T) -> Self {
        Self::Data(problem.to_string())
    }
}
