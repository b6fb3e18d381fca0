//! Which stacks and frames of a profile are looked at.
//!
//! `focus` and `ignore` choose whole stacks, by any frame on them; `hide` and `no_std` leave frames
//! out of the stacks that stay. A pattern matches a function if it matches its name or the path of
//! its source file, anywhere in it. Stacks are chosen before frames are left out, so a frame that
//! is not shown can still choose. Numbers of what stays do not change, and all sums are sums of
//! what stays.

use regex_lite::Regex;

use super::merge::SPECIAL_BINARY;
use super::owner::Origin;
use super::sites::SitesByNode;
use super::{Frame, FrameId, Frames, FunctionId, NodeId, Profile, TreeBuilder, Values};

/// Name of a stack of which no frame is left.
const HIDDEN: &str = "[hidden]";

/// What to look at. The default looks at everything.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Filters")]
pub struct Filter {
    /// Only stacks with a function whose name or source file matches
    #[arg(long, value_name = "REGEX", value_parser = pattern)]
    pub focus: Option<Regex>,
    /// No stacks with a function that matches
    #[arg(long, value_name = "REGEX", value_parser = pattern)]
    pub ignore: Option<Regex>,
    /// Leave functions that match out of the stacks
    #[arg(long, value_name = "REGEX", value_parser = pattern)]
    pub hide: Option<Regex>,
    /// Leave the standard library out of the stacks
    #[arg(long)]
    pub no_std: bool,
}

fn pattern(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| format!("not a regular expression: {error}"))
}

impl Filter {
    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        let Self {
            focus,
            ignore,
            hide,
            no_std,
        } = self;
        focus.is_none() && ignore.is_none() && hide.is_none() && !no_std
    }
}

/// What a filter says of a function.
struct Judged {
    in_focus: bool,
    is_ignored: bool,
    is_hidden: bool,
}

impl Judged {
    fn new(filter: &Filter, profile: &Profile, function: FunctionId) -> Self {
        let frames = profile.frames();
        let (name, file) = (frames.name(function), frames.file(function));
        let matches = |pattern: &Option<Regex>| {
            pattern.as_ref().is_some_and(|pattern| {
                pattern.is_match(name) || file.is_some_and(|file| pattern.is_match(file))
            })
        };
        Self {
            in_focus: filter.focus.is_none() || matches(&filter.focus),
            is_ignored: matches(&filter.ignore),
            is_hidden: matches(&filter.hide)
                || filter.no_std && frames.origin(function) == Origin::Runtime,
        }
    }
}

/// What becomes of a node.
#[derive(Clone, Copy)]
struct Fate {
    in_focus: bool,
    is_ignored: bool,
    /// The node that it is, or the nearest caller that is not hidden.
    kept: Option<NodeId>,
}

impl Profile {
    /// The part of this profile that passes a filter, and for each node here the one that a site of
    /// its stack belongs to there, if it passes.
    pub(super) fn filtered(mut self, filter: &Filter) -> (Self, Vec<Option<NodeId>>) {
        let judged: Vec<Judged> = (0..self.frames.function_count() as FunctionId)
            .map(|function| Judged::new(filter, &self, function))
            .collect();
        let mut tree = TreeBuilder::default();
        let mut owners: Vec<NodeId> = Vec::new();
        let mut fates: Vec<Fate> = Vec::with_capacity(self.tree.len());
        for node in self.tree.nodes() {
            let caller = self.tree.caller(node).map(|caller| fates[caller as usize]);
            let of_function = &judged[self.frame(node).function as usize];
            let above = caller.and_then(|caller| caller.kept);
            let kept = if of_function.is_hidden {
                above
            } else {
                let kept = tree.child(above, self.tree.label(node));
                if kept as usize == owners.len() {
                    // An owner that is hidden leaves the blame to its nearest caller, or else to
                    // the function itself.
                    let owner = match self.owner(node) {
                        owner if owner == node => Some(kept),
                        owner => fates[owner as usize].kept,
                    };
                    owners.push(owner.unwrap_or(kept));
                }
                Some(kept)
            };
            fates.push(Fate {
                in_focus: of_function.in_focus || caller.is_some_and(|caller| caller.in_focus),
                is_ignored: of_function.is_ignored
                    || caller.is_some_and(|caller| caller.is_ignored),
                kept,
            });
        }
        let hidden = hidden_frame(&mut self.frames);
        let passed: Vec<Option<NodeId>> = fates
            .iter()
            .map(|fate| {
                let passes = fate.in_focus && !fate.is_ignored;
                passes.then(|| fate.kept.unwrap_or_else(|| tree.child(None, hidden)))
            })
            .collect();
        // The node of stacks without frames owns itself.
        owners.extend((owners.len() as NodeId..).take(tree.tree().len() - owners.len()));
        let mut sites = SitesByNode::default();
        self.totals = Values::default();
        for site in &self.sites {
            if let Some(node) = passed[site.node as usize] {
                self.totals.add(&site.values);
                sites.add(node, &site.values);
            }
        }
        self.tree = tree.finish();
        self.owners = owners;
        self.sites = sites.finish();
        (self, passed)
    }
}

/// The frame of stacks of which no frame is left.
fn hidden_frame(frames: &mut Frames) -> FrameId {
    let function = frames.function(HIDDEN, None, SPECIAL_BINARY);
    for (number, origin) in frames.functions_mut() {
        if number == function {
            *origin = Origin::Special;
        }
    }
    frames.frame(Frame {
        function,
        line: 0,
        inlined: false,
        generics: None,
    })
}
