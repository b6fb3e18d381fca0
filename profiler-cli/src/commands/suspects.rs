//! `heaplens suspects`

use crate::analysis::suspects::suspects;
use crate::args::{Format, SuspectsArgs, limit};
use crate::error::Error;
use crate::output;
use crate::render::{suspects_json, suspects_text};

const TEXT_ROWS: usize = 10;

pub(super) fn run(args: &SuspectsArgs) -> Result<(), Error> {
    let run = &args.run;
    let (_, history, notes) = super::load_run(&run.snapshots, &run.view.profile.options())?;
    super::tell(&notes);
    let suspects = suspects(&history);
    output::write(run.view.output.as_deref(), |out| match args.format {
        Format::Text => {
            suspects_text::write(&suspects, run.limit, limit(args.rows, TEXT_ROWS), out)
        }
        Format::Json => {
            suspects_json::write(&suspects, run.limit, limit(args.rows, usize::MAX), out)
        }
    })
}
