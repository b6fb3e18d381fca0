//! `heaplens suspects`

use crate::analysis::suspects::judge::LEAST_SNAPSHOTS;
use crate::analysis::suspects::suspects;
use crate::args::{Format, SuspectsArgs, limit};
use crate::error::Error;
use crate::input::{choose, history, runs};
use crate::output;
use crate::progress::Progress;
use crate::render::{suspects_json, suspects_text};

const TEXT_ROWS: usize = 10;

pub(super) fn run(args: &SuspectsArgs) -> Result<(), Error> {
    let progress = Progress::new();
    let mut notes = Vec::new();
    let mut show = |step: crate::input::Step<'_>| progress.show(step);
    let runs = runs(&args.snapshots, &mut show, &mut notes)?;
    let run = choose(runs, LEAST_SNAPSHOTS, &mut notes)
        .ok_or_else(|| Error::Usage("none of these files is a snapshot".to_owned()))?;
    let history = history::load(&run, &args.profile.options(), &mut show, &mut notes)?;
    drop(progress);
    super::tell(&notes);
    let suspects = suspects(&history);
    output::write(args.output.as_deref(), |out| match args.format {
        Format::Text => {
            suspects_text::write(&suspects, args.limit, limit(args.rows, TEXT_ROWS), out)
        }
        Format::Json => {
            suspects_json::write(&suspects, args.limit, limit(args.rows, usize::MAX), out)
        }
    })
}
