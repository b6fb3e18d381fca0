//! A recursive composition, as user interfaces are made: no two widgets have the same call path, since
//! each is one of three children that are composed on lines of their own.

use crate::budget::Budget;
use measure::Measurement;
use std::hint::black_box;

/// Levels below the root.
const DEPTH: u32 = 8;
/// (3⁹ − 1) / 2
const WIDGETS: u64 = 9_841;

/// The fields are there to be allocated; nobody reads them.
struct Widget {
    _title: String,
    _outline: Vec<f32>,
    _children: Vec<Widget>,
}

pub(super) fn run(budget: Budget) -> Measurement {
    budget.measure(WIDGETS, |units| {
        for _ in 0..units {
            drop(black_box(compose(DEPTH)));
        }
    })
}

#[inline(never)]
fn compose(depth: u32) -> Widget {
    let title = format!("widget at depth {depth}");
    let outline = (0..16).map(|point| point as f32 * 0.5).collect();
    let mut children = Vec::new();
    if depth > 0 {
        children.push(compose(depth - 1));
        children.push(compose(depth - 1));
        children.push(compose(depth - 1));
    }
    Widget {
        _title: title,
        _outline: outline,
        _children: children,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_widgets_is_right() {
        fn count(widget: &Widget) -> u64 {
            1 + widget._children.iter().map(count).sum::<u64>()
        }
        assert_eq!(count(&compose(DEPTH)), WIDGETS);
    }
}
