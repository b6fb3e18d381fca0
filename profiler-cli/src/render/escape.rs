//! Text that is safe to show.
//!
//! Names come out of files that someone else may have made. A terminal obeys control characters,
//! and bidirectional marks let a name show as another one.

use std::borrow::Cow;

use heaplens::snapshot::is_unprintable;

/// The text with everything invisible or obeyed by a terminal written out: `\u{1b}`.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unprintable(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn controls_are_written_out() {
        assert_eq!(printable("a\u{1b}]0;x\u{7}b"), "a\\u{1b}]0;x\\u{7}b");
        assert_eq!(printable("a\u{9b}31mb\n"), "a\\u{9b}31mb\\u{a}");
        assert_eq!(printable("a\u{202e}b\u{2066}"), "a\\u{202e}b\\u{2066}");
    }

    #[test]
    fn plain_text_stays() {
        let text = "<shop::Café as core::fmt::Debug>::fmt 😀";
        assert!(matches!(printable(text), Cow::Borrowed(same) if same == text));
    }

    proptest! {
        #[test]
        fn nothing_unsafe_is_left(text in any::<String>()) {
            prop_assert!(!printable(&text).chars().any(|c| c.is_control() || is_unprintable(c)));
        }
    }
}
