//! Rendering: from a tree of panes to HTML or SVG.
//!
//! Everything that a user named is escaped on its way out. The result is plain text: nothing in it
//! refers to the panes.

use std::fmt::{self, Write};

use serde::Deserialize;

use super::compose::Pane;

/// What a widget is rendered to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// A page with one section for each pane.
    #[default]
    Html,
    /// One drawing.
    Svg,
}

impl Format {
    /// The value of the `Content-Type` header.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Svg => "image/svg+xml",
        }
    }
}

/// Renders a widget named `name`.
pub(crate) fn render(name: &str, root: &Pane, format: Format) -> String {
    let mut out = String::new();
    match format {
        Format::Html => html(&mut out, name, root),
        Format::Svg => svg(&mut out, name, root),
    }
    .expect("a string takes every text");
    out
}

fn html(out: &mut String, name: &str, root: &Pane) -> fmt::Result {
    let name = Escaped(name);
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <title>{name}</title>\n</head>\n<body>\n<h1>{name}</h1>\n"
    )?;
    html_pane(out, root)?;
    out.write_str("</body>\n</html>\n")
}

fn html_pane(out: &mut String, pane: &Pane) -> fmt::Result {
    writeln!(
        out,
        "<section class=\"depth-{}\">\n<h2>{}</h2>\n<svg width=\"{}\" height=\"{}\">",
        pane.depth(),
        Escaped(&pane.title),
        pane.width,
        pane.height
    )?;
    curve(out, pane)?;
    writeln!(
        out,
        "</svg>\n<p>expected at {:.3}</p>\n<ul>",
        pane.expected_position()
    )?;
    for line in &pane.legend {
        writeln!(out, "<li>{}</li>", Escaped(line))?;
    }
    out.write_str("</ul>\n")?;
    for child in pane.children() {
        html_pane(out, child)?;
    }
    out.write_str("</section>\n")
}

fn svg(out: &mut String, name: &str, root: &Pane) -> fmt::Result {
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\">\n<title>{}</title>",
        width(root),
        height(root),
        Escaped(name)
    )?;
    svg_pane(out, root)?;
    out.write_str("</svg>\n")
}

/// Draws a pane with its children below it, each moved to its place.
fn svg_pane(out: &mut String, pane: &Pane) -> fmt::Result {
    writeln!(out, "<g>\n<text y=\"12\">{}</text>", Escaped(&pane.title))?;
    curve(out, pane)?;
    let mut top = u32::from(pane.height);
    for child in pane.children() {
        writeln!(out, "<g transform=\"translate(16 {top})\">")?;
        svg_pane(out, child)?;
        out.write_str("</g>\n")?;
        top += height(child);
    }
    out.write_str("</g>\n")
}

fn curve(out: &mut String, pane: &Pane) -> fmt::Result {
    write!(
        out,
        "<polyline fill=\"none\" stroke=\"hsl({} 70% 45%)\" points=\"",
        pane.hue()
    )?;
    for point in &pane.outline {
        // Whole pixels: finer ones cost bytes and time, and cannot be seen.
        write!(out, "{},{} ", point.x as i32, point.y as i32)?;
    }
    out.write_str("\"/>\n")
}

fn height(pane: &Pane) -> u32 {
    u32::from(pane.height)
        + pane
            .children()
            .iter()
            .map(|child| height(child))
            .sum::<u32>()
}

fn width(pane: &Pane) -> u32 {
    let inner = pane
        .children()
        .iter()
        .map(|child| 16 + width(child))
        .max()
        .unwrap_or(0);
    u32::from(pane.width).max(inner)
}

/// Text that is safe between tags and inside quoted attributes, of HTML and of XML.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // XML has no way to write the other control characters.
                '\t' | '\n' | '\r' => f.write_char(c)?,
                c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                    f.write_char('\u{fffd}')?;
                }
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::compose::{Links, compose};
    use super::super::definitions::tests::{complex, simple};
    use super::super::layout_index::LayoutIndex;
    use super::*;

    #[test]
    fn hostile_names_are_escaped_in_both_formats() {
        let hostile = "</title><script>alert('1')</script>\"&\u{1}";
        let mut definition = simple(1);
        definition.panes[0].title = hostile.to_owned();
        let widget = compose(&definition, 0, Links::Weak, &Arc::default());
        for format in [Format::Html, Format::Svg] {
            let text = render(hostile, &widget, format);
            let escaped =
                "&lt;/title&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;\u{fffd}";
            assert!(
                !text.contains("<script") && !text.contains('\u{1}'),
                "{text}"
            );
            assert!(text.matches(escaped).count() >= 2, "{text}");
        }
    }

    #[test]
    fn every_pane_is_drawn_once_and_tags_match() {
        let layouts = Arc::new(LayoutIndex::default());
        let definition = complex(1);
        let widget = compose(&definition, 3, Links::Weak, &layouts);
        for (format, tags) in [
            (Format::Html, ["section", "svg"]),
            (Format::Svg, ["g", "svg"]),
        ] {
            let text = render("w", &widget, format);
            assert_eq!(text.matches("<polyline").count(), definition.panes.len());
            for tag in tags {
                let opened = text.matches(&format!("<{tag}>")).count()
                    + text.matches(&format!("<{tag} ")).count();
                assert_eq!(
                    opened,
                    text.matches(&format!("</{tag}>")).count(),
                    "{tag}: {text}"
                );
            }
        }
    }
}
