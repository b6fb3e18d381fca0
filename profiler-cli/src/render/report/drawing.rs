//! Boxes, bent arrows and labels as elements of an SVG, in the colours of the page.

use std::fmt::Write;

use heaplens::snapshot::graph::Role;

use super::html::Text;

/// What a box measures, and how far apart they are.
pub(super) const BOX: (f64, f64) = (218.0, 62.0);
pub(super) const GAP: (f64, f64) = (94.0, 84.0);
/// How far an arrow bends aside, and one that leads past other boxes.
const BEND: f64 = 34.0;
const DETOUR: f64 = 140.0;
/// How far a label is from its arrow.
const BESIDE: (f64, f64) = (40.0, 10.0);
/// Characters of a box's texts.
const LENGTH: usize = 26;

pub(super) type Point = (f64, f64);

/// Elements, and the area that they take.
pub(super) struct Drawing {
    elements: String,
    low: Point,
    high: Point,
}

impl Default for Drawing {
    fn default() -> Self {
        Self {
            elements: String::new(),
            low: (0.0, 0.0),
            high: (0.0, 0.0),
        }
    }
}

impl Drawing {
    fn covers(&mut self, (x, y): Point, (width, height): Point) {
        self.low = (
            self.low.0.min(x - width / 2.0),
            self.low.1.min(y - height / 2.0),
        );
        self.high = (
            self.high.0.max(x + width / 2.0),
            self.high.1.max(y + height / 2.0),
        );
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing into a string never fails.
        let _ = self.elements.write_fmt(element);
    }

    /// A bent arrow between two boxes.
    pub(super) fn arrow(&mut self, from: Point, to: Point, label: &str) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy).max(1.0);
        let is_past_others = dy == 0.0 && length > 1.5 * (BOX.0 + GAP.0);
        // Aside to the left of its way, so that there and back are two; past others in the first row, above
        // it, where nothing hangs.
        let (aside, bend) = match is_past_others {
            true if from.1 == 0.0 => ((0.0, -1.0), DETOUR),
            true => ((0.0, -dx / length), DETOUR),
            false => ((dy / length, -dx / length), BEND),
        };
        let control = (
            (from.0 + to.0) / 2.0 + aside.0 * bend,
            (from.1 + to.1) / 2.0 + aside.1 * bend,
        );
        let (start, end) = (edge(from, control), edge(to, control));
        self.add(format_args!(
            "<path class=\"pointer\" d=\"M{:.1} {:.1}Q{:.1} {:.1} {:.1} {:.1}\"/>",
            start.0, start.1, control.0, control.1, end.0, end.1
        ));
        self.head(control, end);
        let middle = |a: f64, b: f64, c: f64| (a + 2.0 * b + c) / 4.0;
        // On the outer side of the bend.
        let at = (
            middle(start.0, control.0, end.0) + aside.0 * BESIDE.0,
            middle(start.1, control.1, end.1) + aside.1 * BESIDE.1,
        );
        self.label(at, "middle", label);
    }

    /// An arrow from a box to itself, at its upper right corner.
    pub(super) fn turn(&mut self, (x, y): Point, label: &str) {
        let (right, top) = (x + BOX.0 / 2.0, y - BOX.1 / 2.0);
        let (start, end) = ((right - 64.0, top), (right - 20.0, top));
        let height = top - 36.0;
        self.add(format_args!(
            "<path class=\"pointer\" d=\"M{:.1} {:.1}C{:.1} {height:.1} {:.1} {height:.1} {:.1} {:.1}\"/>",
            start.0, start.1, start.0, end.0, end.0, end.1
        ));
        self.head((end.0, height), end);
        self.label((start.0 - 8.0, top - 16.0), "end", label);
    }

    /// The head of an arrow that comes from somewhere.
    fn head(&mut self, from: Point, (x, y): Point) {
        let (dx, dy) = (x - from.0, y - from.1);
        let length = dx.hypot(dy).max(1.0);
        let (dx, dy) = (dx / length * 9.0, dy / length * 9.0);
        self.add(format_args!(
            "<polygon class=\"head\" points=\"{x:.1},{y:.1} {:.1},{:.1} {:.1},{:.1}\"/>",
            x - dx - dy * 0.45,
            y - dy + dx * 0.45,
            x - dx + dy * 0.45,
            y - dy - dx * 0.45,
        ));
    }

    fn label(&mut self, at: Point, anchor: &str, label: &str) {
        self.covers(at, (GAP.0, 24.0));
        self.add(format_args!(
            "<text class=\"count\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            at.0,
            at.1 + 4.0,
            Text(label)
        ));
    }

    /// A box with three lines.
    pub(super) fn block(&mut self, centre: Point, role: Role, lines: [&str; 3]) {
        self.covers(centre, BOX);
        let (left, top) = (centre.0 - BOX.0 / 2.0, centre.1 - BOX.1 / 2.0);
        let class = match role {
            Role::Hanging => "block hanging",
            Role::Cycle | Role::Forgotten => "block",
        };
        self.add(format_args!(
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{}\" height=\"{}\" rx=\"6\"/>",
            BOX.0, BOX.1
        ));
        for (at, line) in lines.into_iter().enumerate() {
            let class = ["what", "where", "amount"][at];
            self.add(format_args!(
                "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                left + 10.0,
                top + 19.0 + 17.0 * at as f64,
                Text(shortened(line))
            ));
        }
    }

    /// The picture, and what it is called.
    pub(super) fn finish(self, name: &str) -> String {
        let (width, height) = (
            self.high.0 - self.low.0 + 8.0,
            self.high.1 - self.low.1 + 8.0,
        );
        format!(
            "<svg class=\"shape\" viewBox=\"{:.1} {:.1} {width:.1} {height:.1}\" width=\"{width:.0}\" \
             height=\"{height:.0}\" role=\"img\" aria-label=\"{}\">{}</svg>",
            self.low.0 - 4.0,
            self.low.1 - 4.0,
            Text(name),
            self.elements
        )
    }
}

/// Where the way from the centre of a box to a point leaves the box.
fn edge(centre: Point, to: Point) -> Point {
    let (dx, dy) = (to.0 - centre.0, to.1 - centre.1);
    let part = |half: f64, way: f64| {
        if way == 0.0 {
            f64::INFINITY
        } else {
            half / way.abs()
        }
    };
    // A little outside, so that heads are seen.
    let inside = part(BOX.0 / 2.0 + 2.0, dx)
        .min(part(BOX.1 / 2.0 + 2.0, dy))
        .min(1.0);
    (centre.0 + dx * inside, centre.1 + dy * inside)
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LENGTH) {
        Some(_) => text.chars().take(LENGTH - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_leaves_its_box_at_the_edge() {
        assert_eq!(edge((0.0, 0.0), (1_000.0, 0.0)), (111.0, 0.0));
        assert_eq!(edge((0.0, 0.0), (0.0, -1_000.0)), (0.0, -33.0));
        assert_eq!(edge((5.0, 5.0), (5.0, 5.0)), (5.0, 5.0));
    }

    #[test]
    fn long_names_end_in_dots() {
        assert_eq!(shortened("é"), "é");
        assert_eq!(shortened(&"é".repeat(40)).chars().count(), LENGTH);
    }
}
