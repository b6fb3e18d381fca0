//! From the bytes in a symbol table to text that is safe to keep: demangled, bounded in length,
//! without characters that steer a terminal or turn the reading direction.
//!
//! Escaping for HTML, SVG or JSON is not done here: that is the business of each output.

use std::fmt::{self, Write};

use cpp_demangle::{DemangleOptions, ParseOptions};

/// Longest name kept, in bytes. Real ones of generic async code reach some thousands; hostile
/// ones expand to megabytes when they are demangled.
const MAX_NAME: usize = 16 << 10;

/// Deepest nesting of a C++ name that is read. One that breaks off is tried in every way that it might go
/// on: twice the time and memory for each few levels. Of 72,629 names, most of them LLVM's, 47 are
/// deeper; they stay mangled.
const MAX_CPP_DEPTH: u32 = 48;

/// The name of a function as people write it.
///
/// Rust names lose the hash that differs from build to build, C++ names their parameters.
pub fn function_name(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let mut name = CleanText::default();
    if let Ok(rust) = rustc_demangle::try_demangle(&text) {
        // An error only says that the name was cut at its bound.
        let _ = write!(name, "{rust:#}");
    } else if let Some(cpp) = cpp_symbol(raw) {
        let options = DemangleOptions::new().no_params().no_return_type();
        if cpp.structured_demangle(&mut name, &options).is_err() && !name.full {
            name = CleanText::default();
            let _ = name.write_str(&text);
        }
    } else {
        let _ = name.write_str(&text);
    }
    name.text
}

/// Whether a name is mangled, so that it carries the path of its function.
pub(super) fn is_mangled(raw: &[u8]) -> bool {
    is_rust(raw) || cpp_symbol(raw).is_some()
}

/// Whether a name was mangled by rustc, in either scheme. The older one looks like C++ but for
/// the hash at its end.
pub(super) fn is_rust(raw: &[u8]) -> bool {
    std::str::from_utf8(raw).is_ok_and(|text| {
        (text.starts_with("_R") || text.contains("17h"))
            && rustc_demangle::try_demangle(text).is_ok()
    })
}

/// Types as debug information lists them.
pub(super) fn type_list(raw: &[u8]) -> String {
    clean(&String::from_utf8_lossy(raw))
}

/// Any other text from a file: a path, an error message.
pub(crate) fn clean(text: &str) -> String {
    let mut clean = CleanText::default();
    let _ = clean.write_str(text);
    clean.text
}

fn cpp_symbol(raw: &[u8]) -> Option<cpp_demangle::Symbol<&[u8]>> {
    raw.starts_with(b"_Z")
        .then(|| {
            let options = ParseOptions::default().recursion_limit(MAX_CPP_DEPTH);
            cpp_demangle::Symbol::new_with_options(raw, &options).ok()
        })
        .flatten()
}

/// A sink that replaces what a terminal would obey and stops at [`MAX_NAME`].
#[derive(Default)]
struct CleanText {
    text: String,
    full: bool,
}

impl fmt::Write for CleanText {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        for character in part.chars() {
            if self.text.len() + character.len_utf8() > MAX_NAME {
                if !self.full {
                    self.text.push('…');
                }
                self.full = true;
                return Err(fmt::Error);
            }
            self.text.push(if steers(character) {
                char::REPLACEMENT_CHARACTER
            } else {
                character
            });
        }
        Ok(())
    }
}

/// Control characters (C0, DEL, C1), line and paragraph separators, and the marks, embeddings,
/// overrides and isolates of bidirectional text.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_as_written() {
        for (raw, expected) in [
            ("_ZN6widget7compose17h0123456789abcdefE", "widget::compose"),
            (
                "_ZN4core3ops8function6FnOnce9call_once17h0123456789abcdefE.llvm.123",
                "core::ops::function::FnOnce::call_once",
            ),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            ("_ZN7rocksdb2DB4OpenERKNS_7OptionsE", "rocksdb::DB::Open"),
            ("sqlite3_exec", "sqlite3_exec"),
            ("_Znot mangled", "_Znot mangled"),
        ] {
            assert_eq!(function_name(raw.as_bytes()), expected);
        }
    }

    #[test]
    fn rust_is_told_from_cpp() {
        assert!(is_rust(b"_ZN6widget7compose17h0123456789abcdefE"));
        assert!(is_rust(b"_RNvCs1234_7mycrate3foo"));
        assert!(!is_rust(b"_ZN7rocksdb2DB4OpenERKNS_7OptionsE"));
        assert!(is_mangled(b"_ZN7rocksdb2DB4OpenERKNS_7OptionsE"));
        assert!(!is_mangled(b"compose"));
    }

    #[test]
    fn nothing_steers_a_terminal() {
        let hostile = "a\u{1b}]0;x\u{7}b\u{9b}31m\u{202e}c\u{2066}d\n\u{7f}\u{2028}<script>";
        let name = function_name(hostile.as_bytes());
        assert_eq!(
            name,
            "a\u{fffd}]0;x\u{fffd}b\u{fffd}31m\u{fffd}c\u{fffd}d\u{fffd}\u{fffd}\u{fffd}<script>"
        );
        assert_eq!(function_name(b"a\xff\xfeb"), "a\u{fffd}\u{fffd}b");
    }

    #[test]
    fn length_is_bounded() {
        let long = "x".repeat(10 * MAX_NAME);
        assert_eq!(
            function_name(long.as_bytes()).len(),
            MAX_NAME + '…'.len_utf8()
        );
        let bomb = exponential_name(30);
        assert!(bomb.len() < 400);
        assert!(rustc_demangle::try_demangle(&bomb).is_ok(), "{bomb}");
        assert_eq!(
            function_name(bomb.as_bytes()).len(),
            MAX_NAME + '…'.len_utf8()
        );
    }

    /// A function whose type arguments are pairs, each of two references to the pair before: the
    /// written length doubles with every level.
    fn exponential_name(levels: usize) -> String {
        const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let reference = |position: usize| match position - 1 {
            low @ ..62 => format!("B{}_", DIGITS[low] as char),
            high => format!(
                "B{}{}_",
                DIGITS[high / 62] as char,
                DIGITS[high % 62] as char
            ),
        };
        // Positions count from behind the `_R`.
        let mut name = String::from("_RINvC1a1f");
        let mut pair = name.len() - 2;
        name.push_str("TllE");
        for _ in 0..levels {
            let before = reference(pair);
            pair = name.len() - 2;
            name.push_str(&format!("T{before}{before}E"));
        }
        name + "E"
    }
}
