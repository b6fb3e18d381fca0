//! Columns of text.

use std::io::{self, Write};

/// Writes columns to the right but for the last, which is text.
pub(super) fn write(table: &[Vec<String>], out: &mut dyn Write) -> io::Result<()> {
    let columns = table.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        table
            .iter()
            .filter_map(|line| line.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    for line in table {
        for (at, (cell, &width)) in line.iter().zip(&widths).enumerate() {
            if at + 1 == columns {
                writeln!(out, "{cell}")?;
            } else {
                write!(out, "{cell:>width$}  ")?;
            }
        }
    }
    Ok(())
}
