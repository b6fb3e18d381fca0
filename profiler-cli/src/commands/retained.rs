//! `heaplens retained`

use crate::analysis::gate::pattern::Pattern;
use crate::analysis::heap_graph::Held;
use crate::analysis::heap_graph::retained::Retained;
use crate::args::{Format, RetainedArgs, limit};
use crate::error::Error;
use crate::input;
use crate::output;
use crate::render::{retained_json, retained_text};

const TEXT_ROWS: usize = 10;

pub(super) fn run(args: &RetainedArgs) -> Result<(), Error> {
    let RetainedArgs { owner, graph: args } = args;
    let options = args.view.profile.options();
    let held =
        super::loaded(|show, notes| input::load_held(&args.snapshots, &options, show, notes))?;
    let Held {
        profile, retention, ..
    } = &held;
    let pattern = owner.as_deref().map(Pattern::whole);
    let is_named = |one: &Retained| {
        let name = retention.name(profile, one.holder);
        pattern
            .as_ref()
            .is_none_or(|pattern| name.is_some_and(|name| pattern.matches(name)))
    };
    let mut ranked = retention.ranked();
    ranked.retain(is_named);
    output::write(args.view.output.as_deref(), |out| match args.format {
        Format::Text => retained_text::write(&held, &ranked, limit(args.rows, TEXT_ROWS), out),
        Format::Json => retained_json::write(&held, &ranked, limit(args.rows, usize::MAX), out),
    })
}
