//! A recursive composition, as user interfaces are made: no two widgets have the same call path, since
//! each is one of three children that are composed on lines of their own.

use crate::budget::Budget;
use measure::Measurement;
use std::hint::black_box;

/// Levels below the root.
const DEPTH: u32 = 8;
/// (3⁹ − 1) / 2
const WIDGETS: u64 = 9_841;

/// Places at which a widget's density is plotted.
const SAMPLES: usize = 24;

/// The fields are there to be allocated; nobody reads them.
struct Widget {
    _title: String,
    _density: Vec<f64>,
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
    let density = density(depth);
    let mut children = Vec::new();
    if depth > 0 {
        children.push(compose(depth - 1));
        children.push(compose(depth - 1));
        children.push(compose(depth - 1));
    }
    Widget {
        _title: title,
        _density: density,
        _children: children,
    }
}

/// The density of a particle in a box, as the widgets of the examples plot it: sin²(kπx), by
/// sin(nθ) = 2 cos θ sin((n−1)θ) − sin((n−2)θ), so that it sums to 1.
#[inline(never)]
fn density(depth: u32) -> Vec<f64> {
    let step = f64::from(depth + 1) * std::f64::consts::PI / (SAMPLES - 1) as f64;
    let (mut before, mut state) = (0.0, step.sin());
    let cos = step.cos();
    let mut density = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        density.push(before * before);
        (before, state) = (state, 2.0 * cos * state - before);
    }
    let sum: f64 = density.iter().sum();
    density.iter_mut().for_each(|value| *value /= sum);
    density
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

    #[test]
    fn densities_sum_to_one_and_vanish_at_the_walls() {
        for depth in 0..=DEPTH {
            let density = density(depth);
            assert!((density.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            assert!(density[0] == 0.0 && density[SAMPLES - 1] < 1e-12);
        }
    }
}
