//! `heaplens snapshot`

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::args::SnapshotArgs;
use crate::error::Error;
use crate::input::{Options, Step, gather, is_url, read};
use crate::output::{self, Existing, private, write_file};
use crate::progress::Progress;
use crate::render::escape::printable;

pub(super) fn run(args: &SnapshotArgs) -> Result<(), Error> {
    let target = Path::new(&args.target);
    let path = if is_url(target) {
        of_url(target, args)?
    } else if let Ok(pid) = args.target.parse() {
        of_process(pid, args)?
    } else {
        let what = format!(
            "{} is neither a process id nor a URL such as http://127.0.0.1:6070",
            args.target
        );
        return Err(Error::Usage(what));
    };
    output::write(None, |out| {
        writeln!(out, "{}", printable(&path.to_string_lossy()))
    })
}

fn of_url(url: &Path, args: &SnapshotArgs) -> Result<PathBuf, Error> {
    let options = Options {
        remote: args.token.remote(Some(args.timeout), false),
        ..Options::default()
    };
    let (progress, mut notes) = (Progress::new(), Vec::new());
    let mut show = |step: Step<'_>| progress.show(step);
    gather([url], &options, &mut show, &mut notes)?;
    // That shows whether it is whole. What it lacks is to be said by who looks at it.
    read(url, &options, &mut notes)?;
    drop(progress);
    let file = match &args.output {
        Some(file) => file.clone(),
        None => match options.remote.file_name(url)? {
            Some(name) => PathBuf::from(name),
            None => {
                return Err(Error::input(
                    url,
                    "the answer has no name to save it by: pass -o FILE",
                ));
            }
        },
    };
    let mut answer = options.remote.open(url)?;
    save(args, &file, |out| io::copy(&mut answer, out).map(drop))
}

#[cfg(target_os = "linux")]
fn of_process(pid: u32, args: &SnapshotArgs) -> Result<PathBuf, Error> {
    let fail = |what: String| Error::Usage(format!("process {pid}: {what}"));
    let process = crate::process::Process::find(pid).map_err(fail)?;
    let progress = Progress::new();
    progress.wait(&format!("waiting for the snapshot of process {pid}"));
    let mut taken = process.snapshot(args.timeout).map_err(fail)?;
    drop(progress);
    match &args.output {
        None => Ok(taken.path),
        Some(file) => save(args, file, |out| io::copy(&mut taken.file, out).map(drop)),
    }
}

#[cfg(not(target_os = "linux"))]
fn of_process(_: u32, _: &SnapshotArgs) -> Result<PathBuf, Error> {
    Err(Error::Usage(
        "processes are asked on Linux only: pass the URL of an endpoint".to_owned(),
    ))
}

/// Puts a snapshot into a new file, for its owner alone as the first one was. Returns the file.
fn save(
    args: &SnapshotArgs,
    file: &Path,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> Result<PathBuf, Error> {
    let existing = match args.force {
        true => Existing::Replace,
        false => Existing::Keep,
    };
    write_file(file, existing, private(), write)?;
    Ok(fs::canonicalize(file).unwrap_or_else(|_| file.to_owned()))
}
