//! A view that stays in its place on a terminal; elsewhere a block of text for each turn.
//!
//! Between two turns the cursor stands below the view, nothing is hidden and no mode is set: whatever ends
//! the program leaves a terminal as it should be.

use std::io::{self, Write};

use console::{Term, truncate_str};

/// The standard output.
#[derive(Debug)]
pub(crate) struct Screen {
    /// Lines of the view that is there; none elsewhere than on a terminal.
    drawn: Option<usize>,
    is_first: bool,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self {
            drawn: Term::stdout().is_term().then_some(0),
            is_first: true,
        }
    }

    /// Puts lines in the place of those that were drawn before.
    pub(crate) fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let text = match self.drawn {
            None if self.is_first => block(lines),
            None => format!("\n{}", block(lines)),
            Some(drawn) => {
                let (rows, columns) = Term::stdout().size();
                // The last row is the cursor's.
                let lines = fit(lines, rows.saturating_sub(1).into(), columns.into());
                self.drawn = Some(lines.len());
                format!("{}{}", erase(drawn), block(&lines))
            }
        };
        self.is_first = false;
        // At once, so that no half of a view is ever seen, and none is left behind.
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

fn block(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Goes up to the first of the lines and erases all from there.
fn erase(lines: usize) -> String {
    match lines {
        0 => String::new(),
        lines => format!("\r\x1b[{lines}A\x1b[J"),
    }
}

/// What has room: a line that wraps would be two.
fn fit(lines: &[String], rows: usize, columns: usize) -> Vec<String> {
    let cut = |line: &String| truncate_str(line, columns, "…").into_owned();
    lines.iter().take(rows).map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_takes_no_more_room_than_there_is() {
        let lines = ["short", "of ten cells", "third"].map(str::to_owned);
        assert_eq!(fit(&lines, 2, 10), ["short", "of ten ce…"]);
        assert_eq!(fit(&lines, 0, 10), [""; 0]);
        assert_eq!(fit(&lines[..1], 9, 80), ["short"]);
    }

    #[test]
    fn only_what_was_drawn_is_erased() {
        assert_eq!(erase(0), "");
        assert_eq!(erase(7), "\r\x1b[7A\x1b[J");
        assert_eq!(block(&["a".to_owned(), String::new()]), "a\n\n");
    }
}
