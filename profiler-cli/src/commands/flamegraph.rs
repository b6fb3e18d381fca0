//! `heaplens flamegraph`

use crate::args::{FlamegraphArgs, FlamegraphFormat};
use crate::error::Error;
use crate::output;
use crate::render::{flamegraph, folded};

pub(super) fn run(args: &FlamegraphArgs) -> Result<(), Error> {
    let file = args.view.output.as_deref();
    const FOLDED: [(&str, FlamegraphFormat); 2] = [
        (".folded", FlamegraphFormat::Folded),
        (".txt", FlamegraphFormat::Folded),
    ];
    let by_ending = || super::format_of(file?, "--format", &FOLDED).ok();
    let format = args.format.or_else(by_ending).unwrap_or_default();
    if format == FlamegraphFormat::Svg && output::is_terminal(file) {
        return Err(Error::Usage(
            "an SVG is not for a terminal: pass -o FILE.svg".to_owned(),
        ));
    }
    let profile = super::load(&args.snapshots, &args.view.profile.options())?;
    output::write(file, |out| match format {
        FlamegraphFormat::Svg => flamegraph::live_svg(&profile, args.inverted, out),
        FlamegraphFormat::Folded => folded::live(&profile, args.inverted, out),
    })
}
