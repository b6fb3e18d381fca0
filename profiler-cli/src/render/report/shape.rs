//! A shape of lost blocks as a small picture: a box for each kind of block, an arrow for each kind of
//! pointer.
//!
//! What a cycle is made of stands in one row, or in two that go around; what hangs on it stands above or
//! below. There is nothing to run.

use rustc_hash::FxHashMap;

use super::drawing::{BOX, Drawing, GAP, Point};
use crate::analysis::heap_graph::shapes::{Link, Shape};
use crate::profile::Profile;
use crate::render::{graph_words, units};

/// Boxes in a row, of those that a shape begins with, and of those that hang on it.
const ROW: usize = 4;
const MOST_HEADS: usize = 2 * ROW;
const MOST_HANGING: usize = ROW;
/// Members of a cycle from which it is two rows.
const LONG: usize = 4;
/// Arrows.
const MOST_ARROWS: usize = 24;

/// A picture, and how many members are not in it.
pub(super) fn svg(profile: &Profile, shape: &Shape) -> (String, usize) {
    let centres = places(shape);
    let mut drawing = Drawing::default();
    for (from, to, count, offset) in arrows(shape, &centres) {
        let label = match offset {
            Some(offset) => format!("{} at +{offset}", units::unsigned_count(count)),
            None => units::unsigned_count(count),
        };
        match from == to {
            true => drawing.turn(centres[&from], &label),
            false => drawing.arrow(centres[&from], centres[&to], &label),
        }
    }
    // In the order of members, whatever that of the table.
    for (at, member) in shape.members.iter().enumerate() {
        let Some(&centre) = centres.get(&at) else {
            continue;
        };
        let (what, place) = graph_words::label_parts(profile, &member.label);
        let amount = format!(
            "{} in {}",
            units::unsigned_bytes(member.amount.bytes),
            units::unsigned_count(member.amount.blocks),
        );
        drawing.block(centre, member.role, [&what, &place, &amount]);
    }
    let name = graph_words::kind_and_members(profile, shape);
    (
        drawing.finish(&name),
        shape.members.len().saturating_sub(centres.len()),
    )
}

/// The centres of the members that are shown.
fn places(shape: &Shape) -> FxHashMap<usize, Point> {
    let heads = shape.heads().count();
    let mut order = shape.ring().unwrap_or_else(|| (0..heads).collect());
    order.truncate(MOST_HEADS);
    let mut rows: Vec<Vec<usize>> = Vec::new();
    if order.len() < LONG {
        rows.push(order);
    } else {
        // There and back again.
        let mut back = order.split_off(order.len().div_ceil(2));
        back.reverse();
        rows.extend([order, back]);
    }
    // Above what hangs on the first of two rows, and below what hangs on others.
    let is_above = |&member: &usize| {
        let holder = shape.links.iter().find(|link| link.to == member);
        rows.len() > 1 && holder.is_some_and(|link| rows[0].contains(&link.from))
    };
    let hanging = (heads..shape.members.len()).take(MOST_HANGING);
    let (above, below) = hanging.partition(is_above);
    rows.insert(0, above);
    rows.push(below);
    rows.retain(|row| !row.is_empty());
    let mut centres = FxHashMap::default();
    for (y, row) in rows.iter().enumerate() {
        for (x, &member) in row.iter().enumerate() {
            let middle = (row.len() - 1) as f64 / 2.0;
            let centre = (
                (x as f64 - middle) * (BOX.0 + GAP.0),
                y as f64 * (BOX.1 + GAP.1),
            );
            centres.insert(member, centre);
        }
    }
    centres
}

/// From where to where pointers lead between members that are shown, how many they are, and at which
/// offset if that is one. Those that are most come first.
fn arrows(shape: &Shape, shown: &FxHashMap<usize, Point>) -> Vec<(usize, usize, u64, Option<u64>)> {
    let mut arrows: Vec<(usize, usize, u64, Option<u64>)> = Vec::new();
    for &Link {
        from,
        to,
        offset,
        count,
    } in &shape.links
    {
        if !shown.contains_key(&from) || !shown.contains_key(&to) {
            continue;
        }
        let same = |arrow: &(usize, usize, u64, Option<u64>)| (arrow.0, arrow.1) == (from, to);
        match arrows.iter().position(same) {
            Some(at) => arrows[at] = (from, to, arrows[at].2.saturating_add(count), None),
            None if arrows.len() < MOST_ARROWS => arrows.push((from, to, count, offset)),
            None => {}
        }
    }
    arrows
}

#[cfg(test)]
mod tests {
    use heaplens::snapshot::graph::Role;

    use super::*;

    #[test]
    fn a_long_cycle_goes_there_and_back() {
        let member = |role| crate::analysis::heap_graph::shapes::Member {
            label: crate::analysis::heap_graph::labels::Label {
                owner: 0,
                retained: None,
            },
            role,
            amount: Default::default(),
            sites: Vec::new(),
        };
        let link = |from, to| Link {
            from,
            to,
            offset: None,
            count: 1,
        };
        let mut members: Vec<_> = (0..5).map(|_| member(Role::Cycle)).collect();
        members.push(member(Role::Hanging));
        let shape = Shape {
            is_cycle: true,
            members,
            links: (0..5)
                .map(|at| link(at, (at + 1) % 5))
                .chain([link(1, 5)])
                .collect(),
            ..Shape::default()
        };
        let centres = places(&shape);
        let (step_x, step_y) = (BOX.0 + GAP.0, BOX.1 + GAP.1);
        assert_eq!(centres[&5], (0.0, 0.0));
        assert_eq!(centres[&0], (-step_x, step_y));
        assert_eq!(centres[&2], (step_x, step_y));
        assert_eq!(centres[&3], (step_x / 2.0, 2.0 * step_y));
        assert_eq!(centres[&4], (-step_x / 2.0, 2.0 * step_y));
        // No two in one place.
        let mut all: Vec<_> = centres
            .values()
            .map(|(x, y)| (*x as i64, *y as i64))
            .collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 6);
    }
}
