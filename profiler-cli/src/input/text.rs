//! Text that people write: budgets, baselines, suppressions, lists of files.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Most bytes of such a text: read, one of tables within tables takes some 550 times its length.
const MOST_BYTES: u64 = 1 << 20;

/// All of a file.
pub fn read_text(file: &Path) -> io::Result<String> {
    text_of(File::open(file)?)
}

/// All of an input.
pub fn text_of(input: impl Read) -> io::Result<String> {
    let mut text = String::new();
    input.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        let error = "longer than 1.0 MiB, the most that such a text may have";
        return Err(io::Error::new(ErrorKind::FileTooLarge, error));
    }
    Ok(text)
}

/// The files, globs and URLs that a list names: one a line, without empty lines and those that begin with `#`.
///
/// # Errors
///
/// A list that names nothing, and one that names another list.
pub fn listed(text: &str) -> Result<Vec<&str>, String> {
    let lines = text.lines().map(str::trim);
    let lines: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    if lines.is_empty() {
        return Err("the list names nothing: it has a file, glob or URL on each line".to_owned());
    }
    match lines.iter().find(|line| line.starts_with('@')) {
        Some(nested) => Err(format!(
            "{nested} is a list in a list: name its files instead"
        )),
        None => Ok(lines),
    }
}
