//! The same leak in one snapshot: what no pointer of the service reaches.
//!
//! The service runs anew, in exact mode, and is asked for a graph of its heap as soon as complex widgets
//! were viewed. No trend is needed, and no load but a few requests.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use heaplens_cli::analysis::heap_graph::reach::{Amount, Verdict};
use heaplens_cli::analysis::heap_graph::shapes::{Member, Shape};
use heaplens_cli::input;
use heaplens_cli::profile::Profile;
use heaplens_cli::render::leaks_text;
use quantum::drive::load::{Script, send};
use quantum::drive::service::{Client, Service};

use super::evidence::Part;

/// The seed of the load, and how many requests there are: half of them view complex widgets.
const SEED: u64 = 0x9a_b0_1e;
const VIEWS: usize = 100;

/// What the first graph of a run says.
#[derive(Debug)]
pub(crate) struct Pointers {
    /// What no pointer was found to, in all.
    pub(crate) unreached: Amount,
    /// The cycles of composition in words, the heaviest first.
    pub(crate) cycles: Vec<String>,
    /// Whether the first of them has two sides or more, each with line and type.
    pub(crate) is_named: bool,
    /// From the first request for a complex widget to the words, the load included.
    pub(crate) took: Duration,
}

/// Runs the service from start to stop, with or without the fix, for one graph.
pub(crate) fn run(fixed: bool, snapshots: &Path) -> Result<Pointers, String> {
    let mut service = Service::start_exact(fixed, snapshots)?;
    let (since, file) = drive(service.client()).map_err(|error| service.explain(error))?;
    let pointers = read(since, &file)?;
    service.stop()?;
    Ok(pointers)
}

fn drive(client: &Client) -> Result<(Instant, PathBuf), String> {
    let mut script = Script::new(SEED);
    send(client, &script.publications(), &|| ())?;
    let since = Instant::now();
    send(client, &script.busy_views(VIEWS), &|| ())?;
    Ok((since, client.graph()?))
}

fn read(since: Instant, file: &Path) -> Result<Pointers, String> {
    let (options, mut notes) = (input::Options::default(), Vec::new());
    let graphed = input::load_graph(&[file.into()], &options, &mut input::quiet, &mut notes);
    let input::Graphed { profile, graph } = graphed.map_err(|error| error.to_string())?;
    let cycles = graph
        .shapes
        .iter()
        .filter(|shape| shape.is_cycle && shape.heads().any(|head| is_composition(&profile, head)));
    let mut cycles = cycles.peekable();
    let is_named = cycles
        .peek()
        .is_some_and(|shape| names_both_sides(&profile, shape));
    Ok(Pointers {
        unreached: graph.totals.of(Verdict::Unreached),
        is_named,
        cycles: cycles
            .map(|shape| leaks_text::title(&profile, shape))
            .collect(),
        took: since.elapsed(),
    })
}

fn is_composition(profile: &Profile, member: &Member) -> bool {
    Part::of(profile.name(member.label.owner)) == Some(Part::Compose)
}

fn names_both_sides(profile: &Profile, shape: &Shape) -> bool {
    let is_named = |member: &Member| {
        let owner = profile.frame(member.label.owner);
        let has_line = owner.line > 0 && profile.frames().file(owner.function).is_some();
        has_line && member.label.retained.is_some()
    };
    shape.heads().count() > 1 && shape.heads().all(is_named)
}
