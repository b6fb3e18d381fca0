//! `heaplens diff`

use std::path::Path;

use crate::analysis::diff::diff;
use crate::args::{DiffArgs, DiffFormat, limit};
use crate::error::Error;
use crate::output;
use crate::profile::Profile;
use crate::render::differential::{self, View};
use crate::render::{diff_json, diff_text, folded};

const TEXT_ROWS: usize = 10;

pub(super) fn run(args: &DiffArgs) -> Result<(), Error> {
    let file = args.output.as_deref();
    let format = args.format.map_or_else(|| by_ending(file), Ok)?;
    if format == DiffFormat::Svg && output::is_terminal(file) {
        return Err(Error::Usage(
            "an SVG is not for a terminal: pass -o FILE.svg".to_owned(),
        ));
    }
    if args.all_frames && format != DiffFormat::Svg {
        return Err(Error::Usage(
            "--all-frames is for pictures: the other formats have each frame anyway".to_owned(),
        ));
    }
    if args.inverted && matches!(format, DiffFormat::Text | DiffFormat::Json) {
        return Err(Error::Usage(
            "--inverted turns pictures and folded stacks over: text and JSON have what allocates \
             first anyway"
                .to_owned(),
        ));
    }
    let sides = [&args.before, &args.after].map(std::slice::from_ref);
    let [before, after] =
        super::load_pair(sides[0], sides[1], &args.profile.options(), Vec::new())?;
    let mut notes = Vec::new();
    notes.extend(swapped(&before, &after));
    notes.extend(unlike(&before, &after));
    super::tell(&notes);
    let diff = diff(&before, &after);
    output::write(file, |out| match format {
        DiffFormat::Svg => differential::svg(
            &diff,
            View {
                inverted: args.inverted,
                all_frames: args.all_frames,
            },
            out,
        ),
        DiffFormat::Text => diff_text::write(&diff, limit(args.rows, TEXT_ROWS), out),
        DiffFormat::Json => diff_json::write(&diff, limit(args.rows, usize::MAX), out),
        DiffFormat::Folded => folded::before_and_after(&diff, args.inverted, out),
    })
}

/// The format that a file's name asks for.
fn by_ending(file: Option<&Path>) -> Result<DiffFormat, Error> {
    let Some(file) = file.filter(|file| *file != Path::new("-")) else {
        return Ok(DiffFormat::Text);
    };
    match super::ending(Some(file)).as_deref() {
        Some("svg") => Ok(DiffFormat::Svg),
        Some("txt") => Ok(DiffFormat::Text),
        Some("json") => Ok(DiffFormat::Json),
        Some("folded") => Ok(DiffFormat::Folded),
        _ => Err(Error::output(
            file,
            "its ending tells no format: pass --format, or a name that ends in .svg, .txt, .json \
             or .folded",
        )),
    }
}

fn swapped(before: &Profile, after: &Profile) -> Option<String> {
    let taken = |profile: &Profile| {
        profile
            .sources()
            .iter()
            .map(|source| source.header.taken_unix_ms)
            .max()
    };
    (taken(after)? < taken(before)?).then(|| {
        "AFTER was taken earlier than BEFORE: the two may have been given in the wrong order"
            .to_owned()
    })
}

/// Two sides of which only one was sampled, or only one has inlined calls, differ for that alone.
fn unlike(before: &Profile, after: &Profile) -> Vec<String> {
    let mut notes = Vec::new();
    if before.is_sampled() != after.is_sampled() {
        notes.push(
            "one side is exact and the other one sampled: small changes may be noise".to_owned(),
        );
    }
    if before.has_lines() != after.has_lines() {
        notes.push(
            "one side has lines and inlined calls and the other one has not, so their paths \
             differ: symbolize both from debug information"
                .to_owned(),
        );
    }
    notes
}
