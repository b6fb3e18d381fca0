//! Lines over time as SVG that is as wide as its page: lines stretch, texts do not.
//!
//! Drawn here and not by a library in the page: it is read without a script, prints, and takes
//! nothing on board.

use std::fmt::Write;

/// What a chart's inner picture measures, whatever its size on the page.
const SIZE: f64 = 1_000.0;

/// A number, and the largest and smallest that are shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// From the least to the most of `values`.
    pub(super) fn over(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = values
            .into_iter()
            .fold((f64::MAX, f64::MIN), |(low, high), value| {
                (low.min(value), high.max(value))
            });
        Self { low, high }
    }

    /// From zero, or the least of `values`, to the most.
    pub(super) fn from_zero(values: impl IntoIterator<Item = f64>) -> Self {
        Self::over(values.into_iter().chain([0.0]))
    }

    pub(super) fn high(self) -> f64 {
        self.high
    }

    pub(super) fn low(self) -> f64 {
        self.low
    }

    /// The same up to `high` at least.
    pub(super) fn up_to(self, high: f64) -> Self {
        Self {
            high: self.high.max(high),
            ..self
        }
    }

    /// Where a value stands: 0 to 1; in the middle where all are the same.
    pub(super) fn part(self, value: f64) -> f64 {
        let range = self.high - self.low;
        if range > 0.0 && range.is_finite() {
            ((value - self.low) / range).clamp(0.0, 1.0)
        } else {
            0.5
        }
    }

    /// Multiples of `step` that are shown.
    pub(super) fn ticks(self, step: f64) -> impl Iterator<Item = f64> {
        let first = (self.low / step).ceil();
        (0..MOST_TICKS)
            .map(move |at| (first + f64::from(at)) * step)
            .take_while(move |&tick| tick <= self.high)
    }
}

/// Ticks that are ever drawn: a step is chosen so that there are fewer.
const MOST_TICKS: u32 = 12;

/// Of `steps`, which grow, the first that divides `range` into `most` parts or fewer.
pub(super) fn step(range: f64, most: f64, steps: impl IntoIterator<Item = f64>) -> f64 {
    let mut last = 1.0;
    for step in steps {
        last = step;
        if range <= step * most {
            break;
        }
    }
    last
}

/// The points of a line, for the inner picture.
pub(super) fn points(x: Scale, y: Scale, values: impl Iterator<Item = (f64, f64)>) -> String {
    let mut points = String::new();
    for (at, value) in values {
        let (left, top) = (x.part(at) * SIZE, (1.0 - y.part(value)) * SIZE);
        // Writing into a string never fails.
        let _ = write!(points, "{left:.1},{top:.1} ");
    }
    points
}

/// A small line without axes. Its numbers stand beside it.
pub(super) fn sparkline(times: &[f64], values: &[i64], class: &str) -> String {
    let pairs = || times.iter().zip(values).map(|(&t, &v)| (t, v as f64));
    let x = Scale::over(times.iter().copied());
    let y = Scale::from_zero(pairs().map(|(_, value)| value));
    let line = points(x, y, pairs());
    let [left, right] = [x.low(), x.high()].map(|at| x.part(at) * SIZE);
    format!(
        "<svg class=\"sparkline {class}\" viewBox=\"0 -40 {SIZE} 1080\" preserveAspectRatio=\"none\" \
         aria-hidden=\"true\"><polygon points=\"{left},{SIZE} {line}{right},{SIZE}\"/>\
         <polyline points=\"{line}\"/></svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fill_their_picture() {
        let (x, y) = (Scale::over([0.0, 10.0]), Scale::from_zero([50.0, 100.0]));
        let line = points(x, y, [(0.0, 0.0), (5.0, 50.0), (10.0, 100.0)].into_iter());
        assert_eq!(line, "0.0,1000.0 500.0,500.0 1000.0,0.0 ");
    }

    #[test]
    fn numbers_without_a_range_are_drawn_too() {
        for values in [&[][..], &[7], &[i64::MIN, i64::MAX]] {
            let times: Vec<f64> = values.iter().map(|_| 3.0).collect();
            let svg = sparkline(&times, values, "");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }

    #[test]
    fn ticks_are_few_and_round() {
        let scale = Scale::from_zero([0.0, 100.0]);
        let chosen = step(100.0, 5.0, (0..60).map(|power| 2_f64.powi(power)));
        assert_eq!(chosen, 32.0);
        assert_eq!(
            scale.ticks(chosen).collect::<Vec<_>>(),
            [0.0, 32.0, 64.0, 96.0]
        );
        let huge = Scale::from_zero([i64::MIN as f64, i64::MAX as f64]);
        assert!(huge.ticks(1.0).count() <= MOST_TICKS as usize);
    }
}
