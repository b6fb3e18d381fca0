//! `heaplens leaks`

use crate::args::{Format, GraphArgs, limit};
use crate::error::Error;
use crate::input::{self, Graphed};
use crate::output;
use crate::render::{leaks_json, leaks_text};

const TEXT_ROWS: usize = 10;

pub(super) fn run(args: &GraphArgs) -> Result<(), Error> {
    let options = args.view.profile.options();
    let Graphed { profile, graph } =
        super::loaded(|show, notes| input::load_graph(&args.snapshots, &options, show, notes))?;
    output::write(args.view.output.as_deref(), |out| match args.format {
        Format::Text => leaks_text::write(&profile, &graph, limit(args.rows, TEXT_ROWS), out),
        Format::Json => leaks_json::write(&profile, &graph, limit(args.rows, usize::MAX), out),
    })
}
