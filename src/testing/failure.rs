//! What an assertion that fails says: the numbers, the paths behind them, and where to look further.

use super::frames::Frame;
use super::report::{Amount, Path, Report};
use crate::control::scope_files::{self, Content};
use crate::recorder;
use std::fmt::Write;

/// Paths that are printed, and calls of each.
const PATHS: usize = 5;
const FRAMES: usize = 12;

/// Which numbers of the paths matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// What is not freed.
    Retained,
    /// All that was allocated.
    Allocated,
}

/// Panics with what was found, the paths that are the cause, and the command that draws them.
#[track_caller]
pub(super) fn fail(found: &str, report: &Report, cause: Cause) -> ! {
    let text = recorder::as_own(|| format!("{found}\n\n{}", explain(report, cause)));
    std::panic::panic_any(text)
}

/// A report as text.
pub(super) fn describe(report: &Report) -> String {
    let cause = match report.retained().bytes {
        0 => Cause::Allocated,
        _ => Cause::Retained,
    };
    format!("{}\n{}", summary(report), paths(report, cause))
}

fn explain(report: &Report, cause: Cause) -> String {
    let mut text = format!("{}\n{}\n", summary(report), paths(report, cause));
    let content = Content::Sites {
        sites: report.sites().collect(),
        peak_live_bytes: report.peak_bytes(),
        scan: None,
    };
    push_command(&mut text, content, |file| match cause {
        Cause::Retained => format!("To draw it: heaplens flamegraph '{file}' -o retained.svg"),
        Cause::Allocated => format!("To list it: heaplens top --sort total '{file}'"),
    });
    text
}

/// Writes a snapshot, and adds the command that shows it.
pub(super) fn push_command(
    text: &mut String,
    content: Content<'_>,
    command: impl Fn(std::path::Display<'_>) -> String,
) {
    let label = std::thread::current().name().unwrap_or("test").to_owned();
    // Writing to a string cannot fail.
    let _ = match scope_files::write(&label, content) {
        Ok(file) => writeln!(text, "{}", command(file.display())),
        Err(error) => writeln!(text, "No snapshot of it could be written: {error}"),
    };
}

fn summary(report: &Report) -> String {
    format!(
        "allocated {}, freed {}, retained {}, at most {} at a time\n",
        amount(report.allocated()),
        amount(report.freed()),
        amount(report.retained()),
        bytes(report.peak_bytes()),
    )
}

fn paths(report: &Report, cause: Cause) -> String {
    let measure = |path: &Path| match cause {
        Cause::Retained => path.retained(),
        Cause::Allocated => path.allocated(),
    };
    let mut paths: Vec<&Path> = report.paths().iter().collect();
    paths.retain(|path| measure(path).blocks > 0);
    paths.sort_by_key(|path| std::cmp::Reverse(measure(path).bytes));
    let mut text = String::new();
    for path in paths.iter().take(PATHS) {
        let verb = match cause {
            Cause::Retained => "retained",
            Cause::Allocated => "allocated",
        };
        let largest = bytes(path.largest_block_bytes());
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{} {verb}, the largest block {largest}, by",
            amount(measure(path))
        );
        push_frames(&mut text, &path.frames());
    }
    if let Some(more @ 1..) = paths.len().checked_sub(PATHS) {
        let _ = writeln!(text, "and {more} more paths");
    }
    text
}

/// The calls of the program, without the libraries below, above and between them.
pub(super) fn push_frames(text: &mut String, frames: &[Frame]) {
    let those = |keep: fn(&Frame) -> bool| frames.iter().filter(|frame| keep(frame)).collect();
    let mut own: Vec<&Frame> = those(Frame::is_own);
    if own.is_empty() {
        own = those(|frame| !frame.is_machinery());
    }
    if own.is_empty() {
        own = those(|_| true);
    }
    own.dedup_by(|outer, inner| outer.is_wrapper_of(inner));
    for frame in own.iter().take(FRAMES) {
        let _ = writeln!(text, "    {frame}");
    }
    if own.len() > FRAMES {
        let _ = writeln!(text, "    … {} more calls", own.len() - FRAMES);
    }
}

/// `4,096 bytes in 2 blocks`.
pub(super) fn amount(amount: Amount) -> String {
    let blocks = match amount.blocks {
        1 => "1 block".to_owned(),
        blocks => format!("{} blocks", grouped(blocks)),
    };
    format!("{} in {blocks}", bytes(amount.bytes))
}

/// `4,096 bytes`, the form in which numbers can be compared to the byte.
pub(super) fn bytes(bytes: u64) -> String {
    match bytes {
        1 => "1 byte".to_owned(),
        bytes => format!("{} bytes", grouped(bytes)),
    }
}

/// `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        let text = |bytes, blocks| amount(Amount { bytes, blocks });
        assert_eq!(text(0, 0), "0 bytes in 0 blocks");
        assert_eq!(text(1, 1), "1 byte in 1 block");
        assert_eq!(text(1_234_567, 1_000), "1,234,567 bytes in 1,000 blocks");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(123_456), "123,456");
    }
}
