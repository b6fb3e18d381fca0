//! `heaplens flamegraph`

use crate::args::{FlamegraphArgs, FlamegraphFormat};
use crate::error::Error;
use crate::output;
use crate::render::{flamegraph, folded};

pub(super) fn run(args: &FlamegraphArgs) -> Result<(), Error> {
    let file = args.output.as_deref();
    let format = args
        .format
        .unwrap_or_else(|| match super::ending(file).as_deref() {
            Some("folded" | "txt") => FlamegraphFormat::Folded,
            _ => FlamegraphFormat::Svg,
        });
    if format == FlamegraphFormat::Svg && output::is_terminal(file) {
        return Err(Error::Usage(
            "an SVG is not for a terminal: pass -o FILE.svg".to_owned(),
        ));
    }
    let profile = super::load(&args.snapshots, &args.profile.options())?;
    output::write(file, |out| match format {
        FlamegraphFormat::Svg => flamegraph::live_svg(&profile, args.inverted, out),
        FlamegraphFormat::Folded => folded::live(&profile, args.inverted, out),
    })
}
