//! Text from outside that is safe to print.

use std::fmt::Write as _;

/// Longest text from outside that a message repeats, in characters.
const PRINTABLE_CHARS: usize = 400;

/// Makes a text from outside safe to print in one line: what is [unprintable](is_unprintable) is escaped, and the
/// end of a very long text is left out.
pub(crate) fn printable(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(PRINTABLE_CHARS));
    for (count, char) in text.chars().enumerate() {
        if count == PRINTABLE_CHARS {
            line.push('…');
            break;
        }
        if is_unprintable(char) {
            // Writing to a string does not fail.
            let _ = write!(line, "{}", char.escape_unicode());
        } else {
            line.push(char);
        }
    }
    line
}

/// Whether a character must not reach a terminal or a page as it is: C0 and C1 controls, marks of
/// direction, invisible characters, separators of lines, and what XML forbids.
pub fn is_unprintable(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{fffe}'..='\u{ffff}'
        | '\u{e0000}'..='\u{e007f}')
}
