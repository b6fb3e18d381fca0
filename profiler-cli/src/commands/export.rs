//! `heaplens export`

use std::path::Path;

use heaplens::snapshot::pprof;

use crate::args::{ExportArgs, ExportFormat};
use crate::error::Error;
use crate::input;
use crate::output;
use crate::progress::Progress;
use crate::render::{folded, speedscope};

pub(super) fn run(args: &ExportArgs) -> Result<(), Error> {
    let file = args.output.as_deref();
    let format = args.to.map_or_else(|| by_name(file), Ok)?;
    if format == ExportFormat::Pprof {
        return export_pprof(args);
    }
    let profile = super::load(&args.snapshots, &args.profile.options())?;
    output::write(file, |out| match format {
        ExportFormat::Folded => folded::live(&profile, false, out),
        _ => speedscope::write(&profile, out),
    })
}

/// Straight from the snapshots, whose addresses and binaries a profile of ours has no more.
fn export_pprof(args: &ExportArgs) -> Result<(), Error> {
    let file = args.output.as_deref();
    if output::is_terminal(file) {
        return Err(Error::Usage(
            "a pprof profile is not for a terminal: pass -o FILE.pb.gz".to_owned(),
        ));
    }
    let options = args.profile.options();
    if options.filter.hide.is_some() || options.filter.no_std {
        return Err(Error::Usage(
            "--hide and --no-std leave frames out, and a pprof profile keeps all: pass -hide to `go \
             tool pprof`"
                .to_owned(),
        ));
    }
    let progress = Progress::new();
    let mut notes = Vec::new();
    let mut show = |step: input::Step<'_>| progress.show(step);
    let snapshot = input::load_snapshot(&args.snapshots, &options, &mut show, &mut notes)?;
    drop(progress);
    super::tell(&notes);
    output::write(file, |out| match &snapshot {
        Some(snapshot) => pprof::write(snapshot, out),
        None => Ok(()),
    })
}

/// The format that a file's name asks for.
fn by_name(file: Option<&Path>) -> Result<ExportFormat, Error> {
    let Some(file) = file.filter(|file| *file != Path::new("-")) else {
        return Err(Error::Usage(
            "--to says what to export to: pprof, folded or speedscope".to_owned(),
        ));
    };
    let name = file.to_string_lossy().to_ascii_lowercase();
    [
        (".pb.gz", ExportFormat::Pprof),
        (".folded", ExportFormat::Folded),
        (".speedscope.json", ExportFormat::Speedscope),
    ]
    .into_iter()
    .find_map(|(ending, format)| name.ends_with(ending).then_some(format))
    .ok_or_else(|| {
        Error::output(
            file,
            "its ending tells no format: pass --to, or a name that ends in .pb.gz, .folded or \
             .speedscope.json",
        )
    })
}
