//! What no pointer reaches any more: a scan of the heap, told by shape.

use super::entries::Hold;
use super::failure;
use super::frames::{self, Frame};
use super::installed;
use super::report::Amount;
use crate::control::scans;
use crate::graph::{self, Found};
use crate::platform;
use crate::recorder;
use crate::snapshot::graph::Role;
use crate::tables::scopes::NO_SCOPE;
use crate::tables::site_tree::NodeId;
use std::fmt::{self, Write};
use std::time::Duration;

/// Longest time for each of the two copies of the process.
const TIME: Duration = Duration::from_secs(30);
/// Shapes that are printed, and members of each.
const SHAPES: usize = 5;
const MEMBERS: usize = 4;

/// Blocks of a scope, or of the whole process, that no pointer reaches, as
/// [`Scope::unreachable`](super::Scope::unreachable) finds them.
///
/// Two copies of the process follow every aligned word that points at or into a block, from static data,
/// stacks, thread-locals and registers on. What neither of them reaches is here. So
///
/// - a block **shows and is not lost** whose only pointer is encoded, unaligned, or kept by the kernel;
/// - a block **is lost and does not show** as long as a word that was left over points at it: above all a
///   variable of a function that has not returned yet, in a build without optimisation also one that was moved
///   out of or dropped. So what may lose something belongs in a function of its own, or a closure.
#[derive(Debug)]
pub struct Unreachable {
    scope: Option<Hold>,
    found: Found,
}

/// Unreachable blocks of one kind: cycles through the same call paths, or blocks that were forgotten at the same
/// one, each with all that hangs on it.
#[derive(Debug, Clone, Copy)]
pub struct Shape<'a>(&'a graph::Shape);

/// Blocks of a [`Shape`] that come from one call path.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    site: NodeId,
    role: Role,
    amount: Amount,
}

/// Calls that have returned leave nothing on the stack that a scan would take for pointers.
#[doc(hidden)]
pub fn clear_stack() {
    platform::clear_stack();
}

impl Unreachable {
    /// Of a scope, or of the whole process.
    #[track_caller]
    pub(super) fn of(scope: Option<Hold>) -> Self {
        if let Err(advice) = installed::ensure() {
            panic!("{advice}");
        }
        clear_stack();
        let id = scope.as_ref().map_or(NO_SCOPE, Hold::id);
        let found = recorder::as_own(|| {
            let found = scans::scan_scope(id, None, TIME, || false);
            found.map_err(|error| format!("the heap cannot be scanned: {error}"))
        });
        match found {
            Ok(found) => Self { scope, found },
            Err(error) => panic!("{error}"),
        }
    }

    /// Blocks that were allocated in the scope.
    pub fn amount(&self) -> Amount {
        let mut sum = Amount::default();
        for (_, verdict) in &self.found.verdicts {
            sum.bytes += verdict.unreached.bytes;
            sum.blocks += verdict.unreached.count;
        }
        sum
    }

    /// What they look like: the heaviest first, and 256 at most. The head of each, its cycle or its forgotten
    /// block, is of the scope at least in part.
    pub fn shapes(&self) -> impl Iterator<Item = Shape<'_>> {
        self.found.shapes.iter().map(Shape)
    }

    /// Reference cycles, of all shapes.
    pub fn cycles(&self) -> u64 {
        let cycles = self.shapes().filter(Shape::is_cycle);
        cycles.map(|shape| shape.instances()).sum()
    }

    /// Cycles and forgotten blocks beyond those of [`shapes`](Self::shapes): which, is not known.
    pub(super) fn left_out(&self) -> u64 {
        self.found.left_out.1
    }

    pub(super) fn scope(&self) -> Option<&Hold> {
        self.scope.as_ref()
    }

    pub(super) fn found(&self) -> &Found {
        &self.found
    }

    /// The shapes that `keep` keeps, as text. To be called as heaplens' own.
    pub(super) fn describe(&self, keep: impl Fn(&Shape<'_>) -> bool) -> String {
        let shapes: Vec<Shape<'_>> = self.shapes().filter(keep).collect();
        let mut text = String::new();
        for shape in shapes.iter().take(SHAPES) {
            shape.push_to(&mut text);
        }
        // Writing to a string cannot fail.
        if let Some(more @ 1..) = shapes.len().checked_sub(SHAPES) {
            let _ = writeln!(text, "and {more} more kinds");
        }
        if self.left_out() > 0 {
            let more = failure::grouped(self.left_out());
            let _ = writeln!(text, "and {more} cycles or forgotten blocks of other kinds");
        }
        if !self.found.registers {
            text.push_str(
                "The registers of some threads could not be read: what only they hold counts too.\n",
            );
        }
        text
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = recorder::as_own(|| {
            let amount = failure::amount(self.amount());
            format!("no pointer reaches {amount}\n\n{}", self.describe(|_| true))
        });
        f.write_str(&text)
    }
}

impl Shape<'_> {
    /// Whether each instance is a reference cycle with what hangs on it; else it is a block that was forgotten.
    pub fn is_cycle(&self) -> bool {
        self.0.is_cycle
    }

    /// How many cycles or forgotten blocks.
    pub fn instances(&self) -> u64 {
        self.0.instances
    }

    /// All blocks of all instances, also what hangs on them and is of no scope, or another one.
    pub fn amount(&self) -> Amount {
        amount(&self.0.blocks)
    }

    /// What they are made of; 24 at most.
    pub fn members(&self) -> impl Iterator<Item = Member> {
        self.0.members.iter().map(|&(site, role, ref sum)| Member {
            site,
            role: match role {
                graph::Role::Cycle => Role::Cycle,
                graph::Role::Forgotten => Role::Forgotten,
                graph::Role::Hanging => Role::Hanging,
            },
            amount: amount(sum),
        })
    }

    fn push_to(&self, text: &mut String) {
        let times = match self.instances() {
            1 => "once".to_owned(),
            times => format!("{} times", failure::grouped(times)),
        };
        let what = match self.is_cycle() {
            true => "a reference cycle",
            false => "a forgotten block",
        };
        let amount = failure::amount(self.amount());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{what}, {times}: {amount}");
        let mut members: Vec<Member> = self.members().collect();
        members.sort_by_key(|member| (member.role, std::cmp::Reverse(member.amount.bytes)));
        for member in members.iter().take(MEMBERS) {
            let role = match member.role {
                Role::Cycle => "on it",
                Role::Forgotten => "itself",
                Role::Hanging => "hanging on it",
            };
            let amount = failure::amount(member.amount);
            let _ = writeln!(text, "  {role}: {amount}, allocated by");
            failure::push_frames(text, &member.frames());
        }
        if let Some(more @ 1..) = members.len().checked_sub(MEMBERS) {
            let _ = writeln!(text, "  and {more} more paths");
        }
    }
}

impl Member {
    /// How these blocks belong to the shape.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The blocks, of all instances.
    pub fn amount(&self) -> Amount {
        self.amount
    }

    /// The calls that have allocated them, innermost first. Looks names up, which takes long the first time.
    pub fn frames(&self) -> Vec<Frame> {
        recorder::as_own(|| frames::of(self.site))
    }
}

fn amount(sum: &graph::Sum) -> Amount {
    Amount {
        bytes: sum.bytes,
        blocks: sum.count,
    }
}
