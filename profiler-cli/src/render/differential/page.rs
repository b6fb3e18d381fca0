//! The picture as SVG: heading, legend, frames and the script that zooms and searches.
//!
//! The same input gives the same bytes. Without scripts, as in a README, it is a picture all the
//! same. Frames are nested `svg` elements with places in percent: they cut off their text, follow
//! the width of the window, and zooming moves nothing else.

use std::io::{self, Write};

use quick_xml::escape::escape;

use super::frames::{Frame, Name};
use super::is_own;
use super::label::short;
use super::layout::Span;
use crate::analysis::diff::{Diff, OwnerChange, Side, State};
use crate::render::escape::printable;
use crate::render::palette::{Change, Colour, LIGHT};
use crate::render::place::at;
use crate::render::stacks::DEEPER;
use crate::render::{heading, units};

/// Width of the picture, where nothing else says how wide it is.
const WIDTH: u32 = 1200;
/// Height of a row of frames, of which the last pixel is a gap.
const ROW: u32 = 18;
/// Where the frames begin, below the heading and the line on the frame that is pointed at.
const TOP: u32 = 178;
/// Owners that the heading names.
const OWNERS: usize = 3;
/// Most characters of a name.
const NAME: usize = 160;
/// Most names of frames that are folded into one.
const NAMES: usize = 40;

/// Parts of one script; what is used stands before what uses it.
const SCRIPTS: [&str; 2] = [include_str!("../units.js"), include_str!("view.js")];
const STYLE: &str = include_str!("view.css");

/// Writes the picture.
pub(super) fn write(
    diff: &Diff<'_>,
    frames: &[Frame],
    spans: &[Span],
    out: &mut dyn Write,
) -> io::Result<()> {
    let rows = 1 + frames.iter().map(|frame| frame.depth).max().unwrap_or(0);
    let height = TOP + rows * ROW + 12;
    writeln!(
        out,
        r##"<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">
<style>{STYLE}</style>
<defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="2" height="7" fill="{}" fill-opacity="0.35"/></pattern></defs>
<rect width="100%" height="100%" fill="{}"/>"##,
        LIGHT.text, LIGHT.page,
    )?;
    write_heading(diff, out)?;
    write_legend(diff.is_sampled(), out)?;
    let frames_height = rows * ROW;
    writeln!(
        out,
        r#"<svg id="frames" x="1%" y="{TOP}" width="98%" height="{frames_height}">"#
    )?;
    let owners: Vec<u32> = growing_owners(diff)
        .iter()
        .map(|owner| {
            let function = diff.profile(owner.side).frame(owner.node).function;
            diff.identity(owner.side, function)
        })
        .collect();
    for (frame, span) in frames.iter().zip(spans) {
        let drawn = Drawn {
            frame,
            span,
            y: frames_height - (frame.depth + 1) * ROW,
            owner: match frame.name {
                Name::Function(name) => owners.iter().position(|&owner| owner == name),
                _ => None,
            },
        };
        drawn.write(diff, out)?;
    }
    writeln!(out, "</svg>")?;
    write!(
        out,
        "<script type=\"text/ecmascript\"><![CDATA[\n\"use strict\";(() => {{\n{}}})();\n]]></script>\n</svg>\n",
        SCRIPTS.concat(),
    )
}

/// The owners that grew most.
fn growing_owners(diff: &Diff<'_>) -> Vec<OwnerChange> {
    let mut owners = diff.owners();
    owners.retain(|owner| owner.change() > 0);
    owners.truncate(OWNERS);
    owners
}

fn write_heading(diff: &Diff<'_>, out: &mut dyn Write) -> io::Result<()> {
    let later = heading::distance(diff)
        .map(|later| format!(", {later}"))
        .unwrap_or_default();
    let net = units::change(diff.change());
    writeln!(
        out,
        r#"<text id="title" x="1%" y="30">Live memory: {net}{later}</text>"#
    )?;
    let owners = growing_owners(diff);
    if owners.is_empty() {
        let nothing = match diff.shrunk_bytes() {
            0 => "No path changed.",
            _ => "No owner grew.",
        };
        writeln!(out, r#"<text class="owner" x="1%" y="60">{nothing}</text>"#)?;
    }
    for (number, owner) in owners.iter().enumerate() {
        let y = 60 + 21 * number as u32;
        let profile = diff.profile(owner.side);
        let error = diff.change_error(&owner.before, &owner.after);
        let place = at(profile, owner.node).unwrap_or_default();
        writeln!(
            out,
            r#"<text class="owner" x="1%" y="{y}" data-find="{}">{} ▸ <tspan class="strong">{}</tspan>{}, {} of growth, in <tspan class="strong">{}</tspan>  {}</text>"#,
            text(profile.name(owner.node)),
            number + 1,
            units::change(owner.change()),
            plus_minus(error),
            units::share(owner.change(), diff.grown_bytes()),
            text(&short(profile.name(owner.node))),
            text(&place),
        )?;
    }
    for (side, name, y) in [(Side::Before, "BEFORE", 128), (Side::After, "AFTER", 145)] {
        let profile = diff.profile(side);
        let what = format!(
            "{}{}, {} live{}, {}: {}",
            heading::when(profile),
            heading::behind(heading::build(diff, side)),
            units::bytes(profile.totals().live_bytes),
            heading::behind(heading::mean(profile)),
            heading::mode(profile.is_sampled()),
            heading::files(profile),
        );
        writeln!(
            out,
            r#"<text id="{}" x="1%" y="{y}"><tspan class="strong">{name}</tspan> <tspan x="6.5%">{}</tspan></text>"#,
            name.to_lowercase(),
            text(&what),
        )?;
    }
    writeln!(
        out,
        r#"<svg x="1%" y="152" width="80%" height="18"><text id="details" y="13">Width: bytes by which paths grew ({} together) or shrank ({}). Callers are below what they call; bold is your code.</text></svg>"#,
        units::bytes(diff.grown_bytes()),
        units::bytes(diff.shrunk_bytes().saturating_neg()),
    )
}

fn plus_minus(error: f64) -> String {
    match error > 0.0 {
        true => format!(" {}", units::error(error)),
        false => String::new(),
    }
}

fn write_legend(sampled: bool, out: &mut dyn Write) -> io::Result<()> {
    let kinds = [State::New, State::Grew, State::Shrank, State::Gone];
    for (at, kind) in kinds.into_iter().enumerate() {
        write_key(68 + 8 * at as u32, Some(kind), out)?;
    }
    if sampled {
        writeln!(
            out,
            r#"<text class="note" x="99%" y="113">pale: within the sampling error (95 %)</text>"#
        )?;
    }
    writeln!(
        out,
        r#"<text class="note control" id="search" x="99%" y="165">search: /</text>
<text class="note control" id="reset" x="90%" y="165">reset: Esc</text>"#
    )
}

/// A box of the legend.
fn write_key(x: u32, state: Option<State>, out: &mut dyn Write) -> io::Result<()> {
    let (name, fill) = (word(state), colour(state));
    writeln!(
        out,
        r#"<svg class="key {name}" x="{x}%" y="16" width="7%" height="{}"><rect width="100%" height="100%" fill="{fill}"/>{}<text x="4" y="13" fill="{}">{name}</text></svg>"#,
        ROW - 1,
        hatch(state),
        fill.ink(),
    )
}

/// What lies over the colour.
fn hatch(state: Option<State>) -> &'static str {
    match state {
        Some(State::Gone) => r#"<rect width="100%" height="100%" fill="url(#hatch)"/>"#,
        _ => "",
    }
}

/// The colour of a state, always its full one: what is pale is noise.
fn colour(state: Option<State>) -> Colour {
    let change = match state {
        None => Change::Unchanged,
        Some(State::New) => Change::New,
        Some(State::Grew) => Change::Grew(1.0),
        Some(State::Shrank) => Change::Shrank(1.0),
        Some(State::Gone) => Change::Gone,
    };
    change.fill(LIGHT)
}

/// A frame, where it goes and how it looks.
struct Drawn<'a> {
    frame: &'a Frame,
    span: &'a Span,
    y: u32,
    /// Its place among the owners of the heading.
    owner: Option<usize>,
}

impl Drawn<'_> {
    fn write(&self, diff: &Diff<'_>, out: &mut dyn Write) -> io::Result<()> {
        let Self { frame, span, .. } = self;
        let (before, after) = (frame.before.live_bytes, frame.after.live_bytes);
        let change = units::change(frame.change());
        let error = diff.change_error(&frame.before, &frame.after);
        let state = State::of(before, after);
        let is_own = matches!(frame.name, Name::Function(identity) if is_own(diff, identity));
        let mut class = format!("frame {}", word(state));
        for (is, more) in [
            (is_own, " own"),
            ((frame.change().unsigned_abs() as f64) < error, " noise"),
        ] {
            class += if is { more } else { "" };
        }
        let fill = colour(state);
        write!(
            out,
            r#"<svg class="{class}" x="{:.4}%" y="{}" width="{:.4}%" height="{}" data-caller="{}" data-before="{before}" data-after="{after}" data-change="{}"><title>"#,
            span.left * 100.0,
            self.y,
            span.width * 100.0,
            ROW - 1,
            frame.caller,
            frame.change(),
        )?;
        for name in self.names(diff).take(NAMES) {
            writeln!(out, "{}", text(name))?;
        }
        if frame.inner.len() >= NAMES {
            writeln!(out, "… {} more frames", frame.inner.len() + 1 - NAMES)?;
        }
        writeln!(
            out,
            r#"before {}, after {}: {change}{}, {}</title><rect width="100%" height="100%" fill="{fill}"/>{}<text x="3" y="13" fill="{}">{} {change}</text></svg>"#,
            units::bytes(before),
            units::bytes(after),
            plus_minus(error),
            word(state),
            hatch(state),
            fill.ink(),
            self.label(diff),
        )
    }

    /// What it stands for, outermost first.
    fn names<'d>(&self, diff: &Diff<'d>) -> impl DoubleEndedIterator<Item = &'d str> {
        let name = move |identity| {
            let (profile, function) = diff.function(identity);
            profile.frames().name(function)
        };
        let outermost = match self.frame.name {
            Name::All => "all",
            Name::Deeper => DEEPER,
            Name::Function(identity) => name(identity),
        };
        std::iter::once(outermost).chain(self.frame.inner.iter().map(move |&at| name(at)))
    }

    /// What is written on it.
    fn label(&self, diff: &Diff<'_>) -> String {
        let mut names = self.names(diff).map(short);
        let outermost = text(&names.next().unwrap_or_default());
        let outermost = match self.owner {
            Some(owner) => format!("{} ▸ {outermost}", owner + 1),
            None => outermost,
        };
        match names.next_back() {
            None => outermost,
            Some(innermost) => format!(
                "{outermost} … {} ({} frames)",
                text(&innermost),
                self.frame.inner.len() + 1
            ),
        }
    }
}

fn word(state: Option<State>) -> &'static str {
    match state {
        None => "unchanged",
        Some(State::New) => "new",
        Some(State::Grew) => "grew",
        Some(State::Shrank) => "shrank",
        Some(State::Gone) => "gone",
    }
}

/// Text of a snapshot as text of the page.
fn text(name: &str) -> String {
    let printable = printable(name);
    let mut shown: String = printable.chars().take(NAME).collect();
    if shown.len() < printable.len() {
        shown.push('…');
    }
    escape(shown.as_str()).into_owned()
}
