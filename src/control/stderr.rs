//! Lines to the person who runs the program.
//!
//! Straight to the descriptor: the host may hold the lock of the standard library's handle for as
//! long as it likes, and may have closed the descriptor.

use crate::snapshot::printable;

/// Prints one line, if there is anywhere to print it.
pub(super) fn line(text: &str) {
    let line = format!("heaplens: {}\n", printable(text));
    // SAFETY: the buffer is valid for its length. Whether anyone has read it is not our concern,
    // so neither is the result.
    unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
}
