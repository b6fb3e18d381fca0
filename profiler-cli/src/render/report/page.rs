//! The page around its parts: one file that asks for nothing.
//!
//! A policy in its head allows one style and one script, each by its hash, and nothing else: no
//! request, no other script, and no text that becomes markup. So even if a name got out of the text
//! that it is written as, it could do nothing.

use std::io::{self, Write};

use super::vlq::base64;
use crate::render::palette::{self, Change, Colour, DARK, LIGHT, Theme};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
/// Each file is a part of one script, in an order in which all that is used is defined before.
const SCRIPTS: [&str; 11] = [
    include_str!("columns.js"),
    include_str!("../units.js"),
    include_str!("model.js"),
    include_str!("views.js"),
    include_str!("layout.js"),
    include_str!("paint.js"),
    include_str!("search.js"),
    include_str!("table.js"),
    include_str!("flamegraph.js"),
    include_str!("timeline.js"),
    include_str!("main.js"),
];
/// Steps of a scale of colours.
const STEPS: u8 = 8;

/// Fills the page's blanks, `{{name}}`, by `part`.
pub(super) fn write(
    out: &mut dyn Write,
    mut part: impl FnMut(&str, &mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let style = format!("{}{STYLE}", colours());
    let script = format!("\"use strict\";(() => {{\n{}}})();", SCRIPTS.concat());
    let mut pieces = PAGE.split("{{");
    out.write_all(pieces.next().unwrap_or_default().as_bytes())?;
    for piece in pieces {
        let (blank, rest) = piece.split_once("}}").unwrap_or((piece, ""));
        match blank {
            "policy" => out.write_all(policy(&style, &script).as_bytes())?,
            "style" => out.write_all(style.as_bytes())?,
            "script" => out.write_all(script.as_bytes())?,
            "version" => out.write_all(env!("CARGO_PKG_VERSION").as_bytes())?,
            blank => part(blank, out)?,
        }
        out.write_all(rest.as_bytes())?;
    }
    Ok(())
}

fn policy(style: &str, script: &str) -> String {
    let [style, script] =
        [style, script].map(|text| base64(&hmac_sha256::Hash::hash(text.as_bytes())));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'; \
         form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

/// The palette as custom properties of the style sheet, where the script finds it too.
fn colours() -> String {
    format!(
        ":root{{{}}}\n@media (prefers-color-scheme:dark){{:root{{{}}}}}\n",
        properties(LIGHT),
        properties(DARK)
    )
}

fn properties(theme: Theme) -> String {
    // Each colour with the one for text on it, from the smallest change to the largest.
    let scale = |change: fn(f64) -> Change| {
        let steps = (0..=STEPS).map(|step| {
            let part = (f64::from(step) / f64::from(STEPS)).powi(2);
            with_ink(change(part).fill(theme))
        });
        steps.collect::<Vec<_>>().join(",")
    };
    let mut text = format!(
        "--page:{};--text:{};--unchanged:{};--grew:{};--shrank:{};--new:{};--gone:{};",
        theme.page,
        theme.text,
        with_ink(theme.unchanged),
        scale(Change::Grew),
        scale(Change::Shrank),
        with_ink(palette::NEW),
        with_ink(palette::GONE),
    );
    // The plain colours, for what is no scale.
    for (name, colour) in [
        ("grew", palette::GREW),
        ("shrank", palette::SHRANK),
        ("new", palette::NEW),
        ("gone", palette::GONE),
        ("unchanged", theme.unchanged),
    ] {
        text += &format!("--plain-{name}:{colour};");
    }
    for (at, colour) in palette::LINES.iter().enumerate() {
        text += &format!("--owner-{at}:{colour};");
    }
    text
}

fn with_ink(colour: Colour) -> String {
    format!("{colour} {}", colour.ink())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> String {
        let mut out = Vec::new();
        write(&mut out, |_, out| out.write_all(text.as_bytes())).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_fills_a_blank_is_not_a_blank() {
        let page = filled("{{script}}");
        assert!(page.contains("<title>{{script}}</title>"), "{page}");
    }

    #[test]
    fn nothing_in_the_page_s_own_text_ends_it_early_or_asks_for_anything() {
        for script in SCRIPTS {
            for taboo in [
                "</script",
                "<!--",
                "innerHTML",
                "outerHTML",
                "eval(",
                "fetch(",
                "http",
            ] {
                assert!(!script.contains(taboo), "{taboo}");
            }
        }
        assert!(!STYLE.contains("</style") && !STYLE.contains("url("));
    }
}
