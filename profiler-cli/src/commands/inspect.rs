//! `heaplens inspect`

use crate::analysis::inspect::inspect;
use crate::args::{Format, InspectArgs};
use crate::error::Error;
use crate::input::{Options, Step, gather, read};
use crate::output;
use crate::progress::Progress;
use crate::render::{inspect_json, inspect_text};

pub(super) fn run(args: &InspectArgs) -> Result<(), Error> {
    let options = Options {
        remote: args.http.remote(false),
        ..Options::default()
    };
    let progress = Progress::new();
    let mut notes = Vec::new();
    let mut show = |step: Step<'_>| progress.show(step);
    let files = gather(&args.snapshots, &options, &mut show, &mut notes)?;
    let mut inspections = Vec::with_capacity(files.len());
    for (at, file) in files.iter().enumerate() {
        show(Step::Reading {
            file,
            number: at + 1,
            of: files.len(),
        });
        let snapshot = read(file, &options, &mut notes)?;
        inspections.push(inspect(&file.to_string_lossy(), &snapshot));
    }
    drop(progress);
    super::tell(&notes);
    output::write(args.output.as_deref(), |out| match args.format {
        Format::Text => inspect_text::write(&inspections, out),
        Format::Json => inspect_json::write(&inspections, out),
    })
}
