//! Flamegraphs as SVG.
//!
//! Width is bytes, callers stand below what they call. Colour tells whose code a frame is: red and
//! orange for the user's own, yellow for dependencies, grey for the runtime. The same input gives
//! the same bytes.

use std::io::{self, Write};

use inferno::flamegraph::color::{Color, PaletteMap};
use inferno::flamegraph::{Options, TextTruncateDirection, from_lines};
use quick_xml::escape::escape;

use super::stacks::{self, Drawn, drawn, frame_text, live_bytes};
use super::{heading, units};
use crate::profile::{CallTree, Origin, Profile};

/// Draws what a profile holds: width is live bytes. Callers are on top if `inverted`.
pub fn live_svg(profile: &Profile, inverted: bool, out: &mut dyn Write) -> io::Result<()> {
    let frames = profile.frames();
    let (tree, own) = live_bytes(profile);
    let labels = (0..frames.function_count() as u32)
        .map(|function| (frames.name(function), frames.origin(function)));
    let totals = profile.totals();
    let title = format!("Live memory: {}", units::bytes(totals.live_bytes));
    let subtitle = format!(
        "{}, {} blocks, {}",
        heading::when(profile),
        units::count(totals.live_count),
        heading::mode(profile.is_sampled()),
    );
    draw(
        Picture {
            tree,
            own,
            inverted,
            title,
            subtitle,
        },
        labels,
        out,
    )
}

/// What is drawn, apart from the texts.
struct Picture {
    tree: CallTree,
    own: Vec<u64>,
    inverted: bool,
    title: String,
    subtitle: String,
}

fn draw<'a>(
    picture: Picture,
    labels: impl Iterator<Item = (&'a str, Origin)>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Picture {
        mut tree,
        mut own,
        inverted,
        title,
        subtitle,
    } = picture;
    if inverted {
        let weights: Vec<[u64; 1]> = own.into_iter().map(|weight| [weight]).collect();
        let (turned, weights) = stacks::inverted(&tree, &weights);
        (tree, own) = (turned, weights.into_flattened());
    }
    let mut palette = PaletteMap::default();
    let texts: Vec<String> = labels
        .map(|(name, origin)| {
            let text = frame_text(name);
            palette.insert(&text, colour(origin, &text));
            text
        })
        .collect();
    let Drawn { lines, factor } = drawn(&tree, &own, &texts);
    if lines.is_empty() {
        return write_empty(&title, &subtitle, out);
    }
    let mut options = Options::default();
    options.title = title;
    options.subtitle = Some(subtitle);
    options.count_name = "bytes".to_owned();
    options.font_type = "monospace".to_owned();
    options.factor = factor as f64;
    options.palette_map = Some(&mut palette);
    // Frames without an entry, such as `[deeper frames]`.
    options.deterministic = true;
    // Names begin with their crate.
    options.text_truncate_direction = TextTruncateDirection::Right;
    from_lines(&mut options, lines.iter().map(String::as_str), out)
}

/// A colour that tells the origin, a little different from name to name.
fn colour(origin: Origin, name: &str) -> Color {
    // FNV-1a: the colour of a function must not depend on the run.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)
    });
    let vary = |base: u8, range: u64, shift: u32| base + ((hash >> shift) % range) as u8;
    match origin {
        Origin::Own => Color::new(vary(225, 30, 8), vary(80, 65, 24), 55),
        Origin::Unplaced => Color::new(vary(240, 15, 8), vary(150, 35, 24), 75),
        Origin::Library => Color::new(vary(240, 12, 8), vary(210, 25, 24), vary(120, 30, 40)),
        Origin::Runtime => {
            let grey = vary(205, 30, 8);
            Color::new(grey, grey, grey)
        }
        Origin::Special => Color::new(180, 180, 190),
    }
}

/// `inferno` draws no empty graph; one that says so is an answer too.
fn write_empty(title: &str, subtitle: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        r##"<?xml version="1.0" standalone="no"?>
<svg version="1.1" width="1200" height="120" viewBox="0 0 1200 120" xmlns="http://www.w3.org/2000/svg">
<rect width="100%" height="100%" fill="#f8f8f8"/>
<g text-anchor="middle" font-family="monospace" font-size="12">
<text id="title" x="600" y="28" font-size="17">{}</text>
<text id="subtitle" x="600" y="54">{}</text>
<text x="600" y="90">Nothing is live.</text>
</g>
</svg>"##,
        escape(title),
        escape(subtitle),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_do_not_depend_on_the_run() {
        assert_eq!(colour(Origin::Own, "a::b"), colour(Origin::Own, "a::b"));
        assert_ne!(colour(Origin::Own, "a::b"), colour(Origin::Library, "a::b"));
    }
}
