//! `heaplens top`

use crate::analysis::diff::diff;
use crate::analysis::top::{Sort, top, top_since};
use crate::args::{Format, TopArgs, limit};
use crate::error::Error;
use crate::output;
use crate::profile::Profile;
use crate::render::{top_json, top_text};

const TEXT_ROWS: usize = 20;

pub(super) fn run(args: &TopArgs) -> Result<(), Error> {
    let options = args.view.profile.options();
    if !args.base.is_empty() {
        let sides = super::load_pair(&args.base, &args.snapshots, &options, Vec::new())?;
        let [base, profile] = super::comparable(sides);
        return write(args, &profile, Some(&base));
    }
    if args.sort == Sort::Growth {
        let what = "--sort growth needs --base SNAP, the snapshot that growth counts from";
        return Err(Error::Usage(what.to_owned()));
    }
    write(args, &super::load(&args.snapshots, &options)?, None)
}

fn write(args: &TopArgs, profile: &Profile, base: Option<&Profile>) -> Result<(), Error> {
    let TopArgs { by, sort, .. } = *args;
    let diff = base.map(|base| diff(base, profile));
    let rows = match &diff {
        Some(diff) => top_since(diff, by, sort),
        None => top(profile, by, sort),
    };
    output::write(args.view.output.as_deref(), |out| match args.format {
        Format::Text => top_text::write(profile, &rows, by, sort, limit(args.rows, TEXT_ROWS), out),
        Format::Json => top_json::write(
            profile,
            base,
            &rows,
            (by, sort),
            limit(args.rows, usize::MAX),
            out,
        ),
    })
}
