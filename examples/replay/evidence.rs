//! The evidence: what the snapshots of a run say.
//!
//! Names are compared, numbers added up; nothing is judged here.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use heaplens_cli::analysis::diff::{Diff, Side, diff};
use heaplens_cli::input;
use heaplens_cli::profile::{NodeId, Profile, Values};
use heaplens_cli::render::differential::{self, View};
use heaplens_cli::render::escape::printable;

use super::run::Run;
use quantum::drive::suspects::{self, Judged, place};

/// A part of the service that memory belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Composition of widgets.
    Compose,
    /// The cache of renderings.
    Cache,
    /// SQLite, and what reads and writes it.
    Database,
}

impl Part {
    pub(crate) const ALL: [Self; 3] = [Self::Compose, Self::Cache, Self::Database];

    /// Whether a function belongs to this part.
    fn has(self, function: &str) -> bool {
        let modules: &[&str] = match self {
            Self::Compose => &["widget::compose::"],
            Self::Cache => &["widget::cache::"],
            Self::Database => &["widget::definitions::", "widget::sqlite_memory::", "sqlite"],
        };
        modules.iter().any(|module| function.contains(module))
    }

    /// The part that a function belongs to.
    pub(crate) fn of(function: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.has(function))
    }
}

/// Memory at the three snapshots of a run, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) start: i64,
    pub(crate) warm: i64,
    pub(crate) end: i64,
    /// Half width of the 95 % interval around the change after warm-up; 0 for exact numbers.
    pub(crate) error: i64,
}

impl Memory {
    /// Live bytes of the sites that `counts` says.
    fn live(start: &Profile, diff: &Diff<'_>, counts: impl Fn(&Profile, NodeId) -> bool) -> Self {
        let sum = |profile: &Profile| {
            let mut sum = Values::default();
            for site in profile
                .sites()
                .iter()
                .filter(|site| counts(profile, site.node))
            {
                sum.add(&site.values);
            }
            sum
        };
        let [warm, end] = [Side::Before, Side::After].map(|side| sum(diff.profile(side)));
        Self {
            start: sum(start).live_bytes,
            warm: warm.live_bytes,
            end: end.live_bytes,
            error: diff.change_error(&warm, &end).round() as i64,
        }
    }

    /// Growth after warm-up.
    pub(crate) fn change(&self) -> i64 {
        self.end - self.warm
    }
}

/// Growth after warm-up of what one function of the service allocated.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(crate) function: String,
    /// File and line, where the program has line tables.
    pub(crate) place: Option<String>,
    pub(crate) change: i64,
}

/// What the snapshots of a run say.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// Live heap.
    pub(crate) heap: Memory,
    /// Resident memory of the process, where the system tells it.
    pub(crate) resident: Option<Memory>,
    /// Live heap of each part, in the order of [`Part::ALL`].
    pub(crate) parts: [Memory; 3],
    /// The sum of what grew after warm-up: the width of the flamegraph.
    pub(crate) grown: i64,
    /// Growth after warm-up of all paths that lead through `compose`.
    pub(crate) through_compose: i64,
    /// Where `compose` is: file and line.
    pub(crate) compose_place: Option<String>,
    /// Whether `compose` is on the path that one follows by taking the widest frame at each step.
    pub(crate) compose_in_widest_path: bool,
    /// Owners after warm-up, the largest growth first.
    pub(crate) owners: Vec<Owner>,
    /// What `heaplens suspects` says after the fourth step of the busy hours, the first suspect first.
    pub(crate) suspects: Vec<Judged>,
}

/// Reads the snapshots of a run. Draws the growth after warm-up to `svg`, where there is one.
pub(crate) fn gather(run: &Run, svg: Option<&Path>) -> Result<Evidence, String> {
    let [start, warm, end] = [load(&run.start)?, load(&run.warm)?, load(&run.end)?];
    let diff = diff(&warm, &end);
    if let Some(svg) = svg {
        draw(&diff, svg).map_err(|error| format!("cannot write {}: {error}", svg.display()))?;
    }

    let resident = |profile: &Profile| {
        let header = &profile.sources().first()?.header;
        i64::try_from(header.memory.rss_bytes?).ok()
    };
    let resident = match [&start, &warm, &end].map(resident) {
        [Some(start), Some(warm), Some(end)] => Some(Memory {
            start,
            warm,
            end,
            error: 0,
        }),
        _ => None,
    };
    let widest = widest_path(&diff);
    let mut through_compose = 0;
    for row in diff.rows().iter().filter(|row| row.change() > 0) {
        if diff
            .tree()
            .stack(row.node)
            .any(|node| is_compose(name(&diff, node)))
        {
            through_compose += row.change();
        }
    }
    Ok(Evidence {
        heap: Memory::live(&start, &diff, |_, _| true),
        resident,
        parts: Part::ALL.map(|part| {
            Memory::live(&start, &diff, |profile, node| {
                part_of(profile, node) == Some(part)
            })
        }),
        grown: diff.grown_bytes(),
        through_compose,
        compose_place: end
            .tree()
            .nodes()
            .find(|&node| is_compose(end.name(node)))
            .and_then(|node| place(&end, node)),
        compose_in_widest_path: widest.iter().any(|&node| is_compose(name(&diff, node))),
        suspects: suspects::judge(&run.early)?,
        owners: diff
            .owners()
            .iter()
            .map(|owner| {
                let profile = diff.profile(owner.side);
                Owner {
                    function: printable(profile.name(owner.node)).into_owned(),
                    place: place(profile, owner.node),
                    change: owner.change(),
                }
            })
            .collect(),
    })
}

fn load(snapshot: &Path) -> Result<Profile, String> {
    let loaded = input::load([snapshot], &input::Options::default(), &mut input::quiet)
        .map_err(|error| error.to_string())?;
    Ok(loaded.profile)
}

fn draw(diff: &Diff<'_>, svg: &Path) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(svg)?);
    differential::svg(diff, View::default(), &mut file)?;
    file.flush()
}

/// The part that a site belongs to: that of its innermost function that belongs to any.
fn part_of(profile: &Profile, site: NodeId) -> Option<Part> {
    profile
        .tree()
        .stack(site)
        .find_map(|node| Part::of(profile.name(node)))
}

fn is_compose(function: &str) -> bool {
    function.ends_with("widget::compose::compose")
}

/// The name of a node of the diff's tree.
fn name<'a>(diff: &Diff<'a>, node: NodeId) -> &'a str {
    let (profile, function) = diff.function(diff.tree().label(node));
    profile.frames().name(function)
}

/// The path along the widest frame at each step, outermost first.
fn widest_path(diff: &Diff<'_>) -> Vec<NodeId> {
    let tree = diff.tree();
    let mut width = vec![0_i64; tree.len()];
    for row in diff.rows() {
        width[row.node as usize] = row.change().max(0);
    }
    // Callers stand before what they call, so this way round each width is complete when passed on.
    for node in tree.nodes().rev() {
        if let Some(caller) = tree.caller(node) {
            width[caller as usize] += width[node as usize];
        }
    }
    let mut widest_call: Vec<Option<NodeId>> = vec![None; tree.len()];
    let mut outermost: Option<NodeId> = None;
    for node in tree.nodes() {
        let slot = match tree.caller(node) {
            Some(caller) => &mut widest_call[caller as usize],
            None => &mut outermost,
        };
        if slot.is_none_or(|other| width[node as usize] > width[other as usize]) {
            *slot = Some(node);
        }
    }
    let mut path = Vec::new();
    let mut next = outermost.filter(|&node| width[node as usize] > 0);
    while let Some(node) = next {
        path.push(node);
        next = widest_call[node as usize].filter(|&call| width[call as usize] > 0);
    }
    path
}
