//! Text that people write: budgets, baselines, suppressions, lists of files.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Most bytes of such a text.
const MOST_BYTES: u64 = 4 << 20;

/// All of a file.
pub fn read_text(file: &Path) -> io::Result<String> {
    text_of(File::open(file)?)
}

/// All of an input.
pub fn text_of(input: impl Read) -> io::Result<String> {
    let mut text = String::new();
    input.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        let error = "longer than 4.0 MiB, the most that such a text may have";
        return Err(io::Error::new(ErrorKind::FileTooLarge, error));
    }
    Ok(text)
}
