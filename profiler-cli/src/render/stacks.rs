//! Call trees as folded stacks, `outer;inner;innermost 42`: complete, or cut down for a picture.

use std::io::{self, Write};

use crate::profile::{CallTree, NodeId, Profile, TreeBuilder};

/// Name of what is too deep to be drawn.
pub(super) const DEEPER: &str = "[deeper frames]";
/// Name of stacks that are too small to be drawn and have no caller that is drawn.
const SMALL: &str = "[small stacks]";
/// Frames of one stack in a picture: more than the recorder keeps, inlined calls aside.
pub(super) const MAX_DEPTH: u32 = 512;
/// Text that a picture's stacks may take together.
const MAX_TEXT: usize = 64 << 20;
/// The part of the whole below which a stack is not drawn: a tenth of a pixel.
const SMALLEST_PART: u64 = 10_000;
/// Sums up to here are exact where `inferno` calculates with `f64`.
const MAX_SUM_BITS: u32 = 53;

/// Stacks to draw.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    /// Folded lines, in no order.
    pub(super) lines: Vec<String>,
    /// What a unit in a line stands for: 1, or more where the sum would be too large.
    pub(super) factor: u64,
}

/// Folds a tree whose nodes have `own` weights, and leaves out what nobody could see: the weight
/// of a stack that is too small or too deep goes to the frame that it is left out of, so that
/// all sums stay right. Labels are texts that [`frame_text`] made.
pub(super) fn drawn(tree: &CallTree, own: &[u64], texts: &[String]) -> Drawn {
    let sum: u128 = own.iter().map(|&weight| u128::from(weight)).sum();
    let shift = (u128::BITS - sum.leading_zeros()).saturating_sub(MAX_SUM_BITS);
    let own: Vec<u64> = own.iter().map(|&weight| weight >> shift).collect();
    let inclusive = inclusive(tree, &own);
    let total: u64 = own.iter().sum();
    let mut smallest = (total / SMALLEST_PART).max(1);
    loop {
        let pruned = Pruned::of(tree, &own, &inclusive, smallest);
        if let Some(lines) = pruned.lines(tree, texts) {
            return Drawn {
                lines,
                factor: 1 << shift,
            };
        }
        smallest = smallest.saturating_mul(4);
    }
}

/// The live bytes of a profile by function: a tree whose labels are functions, and weights of its
/// nodes.
pub(super) fn live_bytes(profile: &Profile) -> (CallTree, Vec<u64>) {
    let frames = profile.frames();
    let (tree, nodes) = profile.tree().relabel(|frame| frames.get(frame).function);
    let mut own = vec![0_u64; tree.len()];
    for site in profile.sites() {
        let weight = &mut own[nodes[site.node as usize] as usize];
        *weight = weight.saturating_add(positive(site.values.live_bytes));
    }
    (tree, own)
}

/// Pictures and folded stacks know no negative numbers.
pub(super) fn positive(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or(0)
}

/// The stacks that end at these nodes, turned over: what allocates comes first, its callers after
/// it. The second value has the node where each of them ends then, at its outermost caller.
pub(super) fn turned_over(
    tree: &CallTree,
    ends: impl Iterator<Item = NodeId>,
) -> (CallTree, Vec<NodeId>) {
    let mut builder = TreeBuilder::default();
    let ends = ends
        .map(|end| {
            let last = tree.stack(end).fold(None, |inner, caller| {
                Some(builder.child(inner, tree.label(caller)))
            });
            last.unwrap_or_default()
        })
        .collect();
    (builder.finish(), ends)
}

/// A tree whose stacks with weight are turned over.
pub(super) fn inverted<const N: usize>(
    tree: &CallTree,
    own: &[[u64; N]],
) -> (CallTree, Vec<[u64; N]>) {
    let (nodes, own): (Vec<NodeId>, Vec<[u64; N]>) = tree
        .nodes()
        .zip(own)
        .filter(|(_, weight)| **weight != [0; N])
        .unzip();
    let (tree, ends) = turned_over(tree, nodes.into_iter());
    let mut weights = vec![[0; N]; tree.len()];
    for (end, weight) in ends.into_iter().zip(own) {
        // Different stacks are different when turned over, so nothing is there yet.
        weights[end as usize] = weight;
    }
    (tree, weights)
}

/// The weight of each node with all that it calls.
fn inclusive(tree: &CallTree, own: &[u64]) -> Vec<u64> {
    let mut inclusive = own.to_vec();
    for node in tree.nodes().rev() {
        if let Some(caller) = tree.caller(node) {
            inclusive[caller as usize] += inclusive[node as usize];
        }
    }
    inclusive
}

/// A tree without its small and deep parts.
struct Pruned {
    /// Weight that ends at each node, what was cut off it included.
    rest: Vec<u64>,
    /// Weight of what is too deep, at its deepest drawn caller.
    deeper: Vec<(NodeId, u64)>,
    /// Weight of small stacks without a caller.
    small: u64,
}

impl Pruned {
    fn of(tree: &CallTree, own: &[u64], inclusive: &[u64], smallest: u64) -> Self {
        let mut pruned = Self {
            rest: vec![0; tree.len()],
            deeper: Vec::new(),
            small: 0,
        };
        // Depth of a drawn node, 0 for one that is left out.
        let mut depth = vec![0_u32; tree.len()];
        for node in tree.nodes() {
            let at = node as usize;
            let caller = tree.caller(node).map(|caller| caller as usize);
            let above = match caller {
                Some(caller) if depth[caller] == 0 => continue,
                Some(caller) => depth[caller],
                None => 0,
            };
            let weight = inclusive[at];
            if weight == 0 {
                continue;
            }
            if weight >= smallest && above < MAX_DEPTH {
                depth[at] = above + 1;
                pruned.rest[at] += own[at];
                continue;
            }
            match caller {
                Some(caller) if above >= MAX_DEPTH => pruned.deeper.push((caller as u32, weight)),
                Some(caller) => pruned.rest[caller] += weight,
                None => pruned.small += weight,
            }
        }
        pruned
    }

    /// Folded lines; `None` if they would be too long together.
    fn lines(&self, tree: &CallTree, texts: &[String]) -> Option<Vec<String>> {
        let mut lines = Vec::new();
        let mut size = 0;
        let mut add = |line: String| {
            size += line.len();
            lines.push(line);
            (size <= MAX_TEXT).then_some(())
        };
        for (node, &weight) in tree
            .nodes()
            .zip(&self.rest)
            .filter(|(_, weight)| **weight > 0)
        {
            add(format!("{} {weight}", folded(tree, node, texts)))?;
        }
        for &(node, weight) in &self.deeper {
            add(format!("{};{DEEPER} {weight}", folded(tree, node, texts)))?;
        }
        if self.small > 0 {
            add(format!("{SMALL} {}", self.small))?;
        }
        Some(lines)
    }
}

fn folded(tree: &CallTree, node: NodeId, texts: &[String]) -> String {
    let mut frames: Vec<&str> = tree
        .stack(node)
        .map(|node| texts[tree.label(node) as usize].as_str())
        .collect();
    frames.reverse();
    frames.join(";")
}

/// Writes one line for each node with weight, its columns behind it. Needs memory for one stack.
pub(super) fn write_folded<const N: usize>(
    out: &mut dyn Write,
    tree: &CallTree,
    texts: &[String],
    own: &[[u64; N]],
) -> io::Result<()> {
    for (node, columns) in tree.nodes().zip(own) {
        if columns.iter().all(|&column| column == 0) {
            continue;
        }
        out.write_all(folded(tree, node, texts).as_bytes())?;
        for column in columns {
            write!(out, " {column}")?;
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// A function's name as a frame of a folded stack: printable, in one piece, of bounded length.
pub(super) fn frame_text(name: &str) -> String {
    const MAX_LENGTH: usize = 256;
    let printable = super::escape::printable(name.trim());
    let mut text: String = printable.chars().take(MAX_LENGTH).collect();
    if text.len() < printable.len() {
        text.push('…');
    }
    // The separator of frames; `[u8; 8]` has one.
    let mut text = text.replace(';', ":");
    // What stands behind the last blank is read as a number if it looks like one, and `# ` at
    // the start as a comment.
    let is_number = |word: &str| word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if let Some((front, last)) = text.rsplit_once(' ')
        && is_number(last)
    {
        text = format!("{front}\u{a0}{last}");
    }
    if let Some(rest) = text.strip_prefix("# ") {
        text = format!("#\u{a0}{rest}");
    }
    if text.is_empty() {
        "[unnamed]".to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::TreeBuilder;
    use proptest::prelude::*;

    fn sum(lines: &[String]) -> u64 {
        lines
            .iter()
            .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
            .sum()
    }

    #[test]
    fn small_stacks_end_at_their_caller() {
        let mut builder = TreeBuilder::default();
        let main = builder.child(None, 0);
        builder.child(Some(main), 1);
        builder.child(None, 2);
        let texts = ["main", "tiny", "alone"].map(String::from);
        let drawn = drawn(&builder.finish(), &[1_000_000, 3, 4], &texts);
        assert_eq!(drawn.lines, ["main 1000003", "[small stacks] 4"]);
        assert_eq!(drawn.factor, 1);
    }

    #[test]
    fn inverted_stacks_begin_where_memory_is_allocated() {
        let mut builder = TreeBuilder::default();
        let main = builder.child(None, 0);
        let a = builder.child(Some(main), 1);
        builder.child(Some(a), 2);
        let b = builder.child(Some(main), 3);
        builder.child(Some(b), 2);
        let texts = ["main", "a", "push", "b"].map(String::from);
        let (tree, own) = inverted(&builder.finish(), &[[7], [0], [10], [0], [20]]);
        let own: Vec<u64> = own.into_iter().flatten().collect();
        let mut lines = drawn(&tree, &own, &texts).lines;
        lines.sort();
        assert_eq!(lines, ["main 7", "push;a;main 10", "push;b;main 20"]);
    }

    #[test]
    fn deep_stacks_are_cut_and_do_not_recurse() {
        let mut builder = TreeBuilder::default();
        let mut node = None;
        for _ in 0..100_000 {
            node = Some(builder.child(node, 0));
        }
        let tree = builder.finish();
        let mut own = vec![0; tree.len()];
        own[99_999] = 42;
        let drawn = drawn(&tree, &own, &["f".to_owned()]);
        assert_eq!(drawn.lines.len(), 1);
        assert!(drawn.lines[0].ends_with("f;[deeper frames] 42"));
        assert_eq!(drawn.lines[0].matches(';').count(), MAX_DEPTH as usize);
    }

    #[test]
    fn huge_sums_are_scaled() {
        let mut builder = TreeBuilder::default();
        for label in 0..4 {
            builder.child(None, label);
        }
        let texts: Vec<String> = (0..4).map(|n| format!("f{n}")).collect();
        let drawn = drawn(&builder.finish(), &[u64::MAX; 4], &texts);
        assert!(sum(&drawn.lines) <= 1 << 53);
        assert_eq!(drawn.factor, 1 << 13);
    }

    #[test]
    fn names_cannot_break_a_line() {
        for (name, text) in [
            ("a;b", "a:b"),
            ("a 12", "a\u{a0}12"),
            ("a 1.5", "a\u{a0}1.5"),
            ("# a", "#\u{a0}a"),
            ("", "[unnamed]"),
            ("a\nb", "a\\u{a}b"),
            ("<A as B>::c", "<A as B>::c"),
        ] {
            assert_eq!(frame_text(name), text);
        }
    }

    proptest! {
        #[test]
        fn no_weight_is_lost(
            shape in prop::collection::vec((0_usize..40, 0_u32..4, 0_u64..1_000_000), 1..40),
        ) {
            let mut builder = TreeBuilder::default();
            let mut nodes: Vec<NodeId> = Vec::new();
            let mut weights = vec![0; shape.len()];
            for (caller, label, weight) in shape {
                let node = builder.child(nodes.get(caller).copied(), label);
                nodes.push(node);
                weights[node as usize] += weight;
            }
            let tree = builder.finish();
            weights.truncate(tree.len());
            let texts = ["a", "b", "c", "d"].map(String::from);
            let drawn = drawn(&tree, &weights, &texts);
            prop_assert_eq!(sum(&drawn.lines), weights.iter().sum::<u64>());
        }
    }
}
