//! What heaplens says of the snapshots that are left, by its own command line or as a library.

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

use heaplens_cli::analysis::suspects::{Class, Finding, suspects};
use heaplens_cli::input;
use heaplens_cli::profile::{NodeId, Profile};
use heaplens_cli::render::escape::printable;

/// An owner that `heaplens suspects` names.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Its function.
    pub owner: String,
    /// File and line of its site, where the program has line tables.
    pub place: Option<String>,
    /// What it is called.
    pub class: Class,
    /// The type whose memory it retains, where names tell.
    pub retained: Option<String>,
}

/// The classes of all owners that `heaplens suspects` names in files or folders, the first suspect first.
pub fn judge<P: AsRef<Path>>(snapshots: &[P]) -> Result<Vec<Judged>, String> {
    let explain = |error: heaplens_cli::Error| error.to_string();
    let mut notes = Vec::new();
    let options = input::Options::default();
    let runs = input::runs(snapshots, &options, &mut input::quiet, &mut notes).map_err(explain)?;
    let run = runs.first().ok_or("no snapshots to judge")?;
    let history =
        input::history::load(run, &options, &mut input::quiet, &mut notes).map_err(explain)?;
    let suspects = suspects(&history);
    let profile = &history.profile;
    let judged = |finding: &Finding| Judged {
        owner: printable(profile.name(finding.node)).into_owned(),
        place: place(profile, finding.node),
        class: finding.class,
        retained: profile
            .retained_type(finding.site())
            .map(|retained| printable(&retained).into_owned()),
    };
    Ok(suspects.findings.iter().map(judged).collect())
}

/// File and line of a node, the file as seen from the folder of the examples.
pub fn place(profile: &Profile, node: NodeId) -> Option<String> {
    let frame = profile.frame(node);
    let file = profile.frames().file(frame.function)?;
    let file = file.rsplit_once("examples/").map_or(file, |(_, file)| file);
    Some(format!("{}:{}", printable(file), frame.line))
}

/// Calls the command line `heaplens` with these words.
pub fn heaplens<const N: usize>(words: [&OsStr; N]) -> ExitCode {
    let program: &OsStr = "heaplens".as_ref();
    heaplens_cli::run([program].into_iter().chain(words).map(OsStr::to_owned))
}
