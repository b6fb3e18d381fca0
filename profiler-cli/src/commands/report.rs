//! `heaplens report`

use std::path::PathBuf;

use crate::analysis::diff::diff;
use crate::analysis::suspects::suspects;
use crate::args::RunArgs;
use crate::error::Error;
use crate::output;
use crate::render::report::{self, Report, compared};

pub(super) fn run(args: &RunArgs) -> Result<(), Error> {
    let file = args.view.output.as_deref();
    if output::is_terminal(file) {
        return Err(Error::Usage(
            "a page is not for a terminal: pass -o FILE.html".to_owned(),
        ));
    }
    let options = args.view.profile.options();
    let (run, history, notes) = super::load_run(&args.snapshots, &options)?;
    let suspects = suspects(&history);
    let (before, after) = compared(&suspects)
        .ok_or_else(|| Error::Usage("none of these files is a snapshot".to_owned()))?;
    let files = |at: Option<usize>| -> Vec<PathBuf> {
        let name = at.map(|at| history.snapshots[at].file.as_str());
        let files = run.snapshots.iter().map(|(file, _)| file);
        let named = files.filter(|file| name.is_some_and(|name| file.to_string_lossy() == name));
        named.take(1).cloned().collect()
    };
    let [before, after] = super::load_pair(&files(before), &files(Some(after)), &options, notes)?;
    let diff = diff(&before, &after);
    let report = Report {
        suspects: &suspects,
        diff: &diff,
        limit: args.limit,
    };
    output::write(file, |out| report::write(report, out))
}
