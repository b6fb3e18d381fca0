//! `heaplens diff`

use std::path::Path;
use std::slice;

use crate::analysis::diff::diff;
use crate::args::{DiffArgs, DiffFormat, limit};
use crate::error::Error;
use crate::output;
use crate::profile::Profile;
use crate::render::differential::{self, View};
use crate::render::{diff_json, diff_text, folded};

const TEXT_ROWS: usize = 10;

pub(super) fn run(args: &DiffArgs) -> Result<(), Error> {
    let file = args.view.output.as_deref();
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
    let [before, after] = sides(args)?;
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

/// What is compared.
fn sides(args: &DiffArgs) -> Result<[Profile; 2], Error> {
    let options = args.view.profile.options();
    if let Some(wanted) = &args.by_build {
        let sides = super::load_releases(&args.snapshots, wanted, &options)?;
        return Ok(sides.map(Profile::mean));
    }
    let (before, after) = match (&*args.base, &*args.snapshots) {
        ([], [before, after]) => (slice::from_ref(before), slice::from_ref(after)),
        ([], given) => {
            return Err(Error::Usage(format!(
                "BEFORE and AFTER are wanted, and there {}: pass those of a side as a quoted glob or \
                 @LIST, or those of the earlier side by --base",
                match given.len() {
                    1 => "is one only".to_owned(),
                    many => format!("are {many}"),
                },
            )));
        }
        (base, after) => (base, after),
    };
    super::load_pair(before, after, &options, Vec::new()).map(super::comparable)
}

/// The format that a file's name asks for.
fn by_ending(file: Option<&Path>) -> Result<DiffFormat, Error> {
    let Some(file) = file.filter(|file| *file != Path::new("-")) else {
        return Ok(DiffFormat::Text);
    };
    let endings = [
        (".svg", DiffFormat::Svg),
        (".txt", DiffFormat::Text),
        (".json", DiffFormat::Json),
        (".folded", DiffFormat::Folded),
    ];
    super::format_of(file, "--format", &endings)
}

fn swapped(before: &Profile, after: &Profile) -> Option<String> {
    let (first, _) = before.taken_unix_ms()?;
    let (_, last) = after.taken_unix_ms()?;
    (last < first).then(|| {
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
