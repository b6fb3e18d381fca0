//! Text in a page: whatever it is, it stays text.

use std::fmt::{self, Display, Write};

use crate::render::escape::printable;

/// Text of a snapshot, for an element or a quoted attribute. What has a meaning in HTML is escaped,
/// what is invisible or turns the direction of writing is written out.
pub(super) struct Text<T>(pub(super) T);

impl<T: AsRef<str>> Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in printable(self.0.as_ref()).chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A function's name. A line may break behind each `::`, and the modules that say least are quiet.
pub(super) struct Name<T>(pub(super) T);

/// Parts at the end of a path that tell a function from others.
const TELLING: usize = 2;

impl<T: AsRef<str>> Display for Name<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.as_ref();
        // In a type, `::` is no place to begin at.
        let quiet = match name.contains('<') {
            true => 0,
            false => name.split("::").count().saturating_sub(TELLING),
        };
        f.write_str("<code class=\"name\">")?;
        for (at, part) in name.split("::").enumerate() {
            match at {
                0 if quiet > 0 => f.write_str("<span class=\"path\">")?,
                0 => {}
                at if at == quiet => f.write_str("::<wbr></span>")?,
                _ => f.write_str("::<wbr>")?,
            }
            Text(part).fmt(f)?;
        }
        f.write_str("</code>")
    }
}

/// File and line. A line may break behind each `/`.
pub(super) struct Place<T>(pub(super) T);

impl<T: AsRef<str>> Display for Place<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<code class=\"place\">")?;
        for (at, part) in self.0.as_ref().split('/').enumerate() {
            if at > 0 {
                f.write_str("/<wbr>")?;
            }
            Text(part).fmt(f)?;
        }
        f.write_str("</code>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_text_is_left() {
        let hostile = "</script><b a='\"'>&amp;\u{202e}\u{1b}";
        assert_eq!(
            Text(hostile).to_string(),
            "&lt;/script&gt;&lt;b a=&#39;&quot;&#39;&gt;&amp;amp;\\u{202e}\\u{1b}"
        );
        assert_eq!(
            Name("a::<b>").to_string(),
            "<code class=\"name\">a::<wbr>&lt;b&gt;</code>"
        );
        assert_eq!(
            Place("/a/<b>.rs:7").to_string(),
            "<code class=\"place\">/<wbr>a/<wbr>&lt;b&gt;.rs:7</code>"
        );
        assert_eq!(
            Name("a::b::c").to_string(),
            "<code class=\"name\"><span class=\"path\">a::<wbr></span>b::<wbr>c</code>"
        );
    }
}
