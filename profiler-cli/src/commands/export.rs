//! `heaplens export`

use std::path::Path;

use heaplens::snapshot::pprof;

use crate::args::{ExportArgs, ExportFormat};
use crate::error::Error;
use crate::input;
use crate::output;
use crate::render::{folded, speedscope};

pub(super) fn run(args: &ExportArgs) -> Result<(), Error> {
    let file = args.view.output.as_deref();
    let format = args.to.map_or_else(|| by_name(file), Ok)?;
    if format == ExportFormat::Pprof {
        return export_pprof(args);
    }
    let profile = super::load(&args.snapshots, &args.view.profile.options())?;
    output::write(file, |out| match format {
        ExportFormat::Folded => folded::live(&profile, false, out),
        _ => speedscope::write(&profile, out),
    })
}

/// Straight from the snapshots, whose addresses and binaries a profile of ours has no more.
fn export_pprof(args: &ExportArgs) -> Result<(), Error> {
    let file = args.view.output.as_deref();
    if output::is_terminal(file) {
        return Err(Error::Usage(
            "a pprof profile is not for a terminal: pass -o FILE.pb.gz".to_owned(),
        ));
    }
    let options = args.view.profile.options();
    if options.filter.hide.is_some() || options.filter.no_std {
        return Err(Error::Usage(
            "--hide and --no-std leave frames out, and a pprof profile keeps all: pass -hide to `go \
             tool pprof`"
                .to_owned(),
        ));
    }
    let snapshot =
        super::loaded(|show, notes| input::load_snapshot(&args.snapshots, &options, show, notes))?;
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
    let endings = [
        (".pb.gz", ExportFormat::Pprof),
        (".folded", ExportFormat::Folded),
        (".speedscope.json", ExportFormat::Speedscope),
    ];
    super::format_of(file, "--to", &endings)
}
