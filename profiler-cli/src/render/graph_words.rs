//! A graph of the heap in words: the same in a terminal, in a check and on a page. All of it is safe to
//! print.
//!
//! Nothing here says that something is proved: a scan takes words for pointers, and cannot see all of them.

use heaplens::snapshot::graph::{LeftOut, Role, RootKind, Scan};

use super::escape::printable;
use super::place::named;
use super::units;
use crate::analysis::heap_graph::HeapGraph;
use crate::analysis::heap_graph::labels::Label;
use crate::analysis::heap_graph::reach::{Amount, Verdict};
use crate::analysis::heap_graph::retained::{Holder, Retention};
use crate::analysis::heap_graph::shapes::{Member, Shape};
use crate::profile::{FunctionId, Profile};

/// Members that the title of a shape names.
const NAMED: usize = 4;

/// What a scan cannot see, and what it may take for a pointer.
pub(super) const UNSEEN: &str = "A scan takes each aligned word that points at or into a block for a pointer to \
    it. It does not see pointers that the kernel alone keeps (epoll's data, a timer's, io_uring's), pointers that \
    are encoded or carry tags that lead out of the block (XOR lists, compressed or NaN-boxed pointers), and \
    pointers that are not aligned (packed structs): a block that only such a pointer leads to is told of here \
    although the program has it. A word that looks like a pointer by chance keeps a block that is lost, which is \
    not told of then.";

/// The verdict in one or two words, and what it means.
pub(super) fn verdict(graph: &HeapGraph) -> (&'static str, String) {
    let (all, unreached) = (graph.totals.all(), graph.totals.of(Verdict::Unreached));
    match unreached.blocks {
        0 => (
            "ALL HELD",
            format!("a pointer was found to each of {}", blocks(all.blocks)),
        ),
        _ => (
            "NO POINTER FOUND",
            format!(
                "to {}, of {} that the scan found",
                amount(unreached),
                units::unsigned_bytes(all.bytes),
            ),
        ),
    }
}

/// Bytes and blocks: `5.1 MiB in 20,000 blocks`.
pub(super) fn amount(amount: Amount) -> String {
    format!(
        "{} in {}",
        units::unsigned_bytes(amount.bytes),
        blocks(amount.blocks)
    )
}

/// Type and owner of blocks with its whole name, file and line.
pub(super) fn described(profile: &Profile, label: &Label) -> String {
    let retained = label.retained.as_deref().unwrap_or("block");
    format!("{}  {}", printable(retained), named(profile, label.owner))
}

/// Where in a block a pointer stands; `None` for several places.
pub(super) fn offset(offset: Option<u64>) -> String {
    match offset {
        Some(offset) => format!("at +{offset}"),
        None => "at several offsets".to_owned(),
    }
}

/// A part of bytes in percent.
pub(super) fn share(part: Amount, whole: Amount) -> String {
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    units::share(signed(part.bytes), signed(whole.bytes))
}

fn blocks(count: u64) -> String {
    counted(count, "block", "blocks")
}

fn counted(count: u64, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{} {many}", units::unsigned_count(count)),
    }
}

/// What the scan was, and what it cost.
pub(super) fn scan(scan: &Scan) -> String {
    let mut text = format!(
        "{} within {} beside the program, which stood still for {} at a time, with {} of memory",
        counted(u64::from(scan.scans), "scan", "scans"),
        units::span(scan.scan_ms),
        microseconds(scan.pause_us),
        units::unsigned_bytes(scan.child_peak_bytes),
    );
    if !scan.registers {
        text += "; the registers of some threads were not read, and what only one of them held shows as lost";
    }
    if scan.interrupted_calls > 0 {
        text += &format!(
            "; {} of the program returned early",
            counted(scan.interrupted_calls, "system call", "system calls")
        );
    }
    if scan.skipped_bytes > 0 {
        text += &format!(
            "; {} of devices and of memory shared with others were not looked at",
            units::unsigned_bytes(scan.skipped_bytes)
        );
    }
    text
}

fn microseconds(time: u64) -> String {
    match time {
        ..1_000 => format!("{time} µs"),
        1_000..100_000 => format!("{:.1} ms", time as f64 / 1_000.0),
        _ => units::span(time / 1_000),
    }
}

/// A shape in a line: `cycle: Rc<Panel> (compose.rs:41) ↔ Rc<Child> (compose.rs:57), 10,000 times, 5.1 MiB`.
pub fn title(profile: &Profile, shape: &Shape) -> String {
    format!(
        "{}, {}, {}",
        kind_and_members(profile, shape),
        counted(shape.instances, "time", "times"),
        units::unsigned_bytes(shape.amount.bytes),
    )
}

/// Shapes that a reason names.
const SHAPES: usize = 2;

/// The heaviest shapes, each in a line: of an owner, or of all.
pub(super) fn titles(
    profile: &Profile,
    graph: &HeapGraph,
    owner: Option<FunctionId>,
) -> impl Iterator<Item = String> {
    let is_of = move |shape: &&Shape| owner.is_none_or(|owner| shape.is_of(profile, owner));
    let shapes = graph.shapes.iter().filter(is_of).take(SHAPES);
    shapes.map(|shape| title(profile, shape))
}

/// The same without numbers.
pub(super) fn kind_and_members(profile: &Profile, shape: &Shape) -> String {
    let label = |member: &Member| self::label(profile, &member.label);
    let heads: Vec<&Member> = shape.heads().collect();
    if heads.is_empty() {
        return format!(
            "on blocks that are left out: {}",
            list(shape.members.iter().map(label))
        );
    }
    let ring: Option<Vec<String>> = shape.ring().map(|ring| {
        let members = ring.into_iter().map(|at| &shape.members[at]);
        members.map(label).collect()
    });
    match (shape.is_cycle, ring.as_deref()) {
        (false, _) => format!("forgotten: {}", list(heads.into_iter().map(label))),
        (true, Some([one])) => format!("cycle: {one} ↔ the same"),
        (true, Some([one, other])) => format!("cycle: {one} ↔ {other}"),
        (true, Some(ring)) => format!("cycle: {} → back", ring.join(" → ")),
        (true, None) => format!("cycle among {}", list(heads.into_iter().map(label))),
    }
}

/// The first of some texts, and how many more there are.
fn list(mut texts: impl Iterator<Item = String>) -> String {
    let named: Vec<String> = texts.by_ref().take(NAMED).collect();
    let named = named.join(", ");
    match texts.count() {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Blocks in short: `Rc<Panel> (compose.rs:41)`.
pub(super) fn label(profile: &Profile, label: &Label) -> String {
    let (what, place) = label_parts(profile, label);
    format!("{what} ({place})")
}

/// The same in two parts: the type, or the owner where none is known; and where it is made.
pub(super) fn label_parts(profile: &Profile, label: &Label) -> (String, String) {
    let frame = profile.frame(label.owner);
    let function = short_name(profile.name(label.owner));
    let file = profile.frames().file(frame.function);
    let place = file.map(|file| match (file.rsplit('/').next(), frame.line) {
        (name, 0) => name.unwrap_or(file).to_owned(),
        (name, line) => format!("{}:{line}", name.unwrap_or(file)),
    });
    let retained = label.retained.as_deref().map(short_name);
    let (what, place) = match (retained, place) {
        (Some(retained), Some(place)) => (retained, place),
        (Some(retained), None) => (retained, function),
        (None, Some(place)) => (format!("block of {function}"), place),
        (None, None) => ("block".to_owned(), function),
    };
    (
        printable(&what).into_owned(),
        printable(&place).into_owned(),
    )
}

/// A type or a function without the modules that things are in: `Rc<RefCell<Panel>>`.
fn short_name(name: &str) -> String {
    let mut short = String::new();
    let mut part = 0;
    for c in name.chars() {
        match c {
            ':' => short.truncate(part),
            c => {
                short.push(c);
                if !(c == '_' || c.is_alphanumeric()) {
                    part = short.len();
                }
            }
        }
    }
    short
}

/// What blocks are to their shape.
pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Cycle => "on the cycle",
        Role::Forgotten => "forgotten",
        Role::Hanging => "hangs on it",
    }
}

/// What kind of place a root is.
pub(super) fn root_kind(kind: RootKind) -> &'static str {
    match kind {
        RootKind::Global => "static",
        RootKind::Stack => "the stack of a thread",
        RootKind::ThreadLocal => "a thread-local",
        RootKind::Register => "a register",
        RootKind::Moving => "a pointer that moved meanwhile",
        RootKind::Foreign => "memory that is not ours",
    }
}

/// A holder in short: `static shop::CACHE`, `HashMap<u32, Cart> (cache.rs:33)`.
pub(super) fn holder(profile: &Profile, retention: &Retention, holder: Holder) -> String {
    match holder {
        Holder::Blocks(label) => self::label(profile, &retention.labels[label as usize]),
        Holder::Root(root) => {
            let root = &retention.roots[root];
            let kind = root_kind(root.kind);
            let name = root.name.as_deref();
            name.map_or(kind.to_owned(), |name| {
                format!("{kind} {}", printable(name))
            })
        }
        Holder::LeftOut => "blocks that are left out".to_owned(),
    }
}

/// Shapes that the file had no room for.
pub(super) fn left_out(left_out: &LeftOut) -> Option<String> {
    (left_out.shapes > 0).then(|| {
        format!(
            "{} more, with {}, for which the file had no room",
            counted(left_out.shapes, "kind", "kinds"),
            amount(Amount {
                blocks: left_out.blocks,
                bytes: left_out.bytes
            })
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_modules_and_keep_their_arguments() {
        for (name, short) in [
            (
                "Rc<core::cell::RefCell<shop::compose::Panel>>",
                "Rc<RefCell<Panel>>",
            ),
            ("HashMap<u32, (a::B, c::D)>", "HashMap<u32, (B, D)>"),
            ("String", "String"),
            ("<shop::A as core::fmt::Debug>::fmt", "<A as Debug>fmt"),
            (":::", ""),
        ] {
            assert_eq!(short_name(name), short);
        }
    }

    #[test]
    fn times_have_a_unit_that_fits() {
        assert_eq!(microseconds(999), "999 µs");
        assert_eq!(microseconds(1_500), "1.5 ms");
        assert_eq!(microseconds(2_000_000), "2s");
    }
}
