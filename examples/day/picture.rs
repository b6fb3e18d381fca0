//! The picture: memory, response times and the alert over the day, as SVG.

use std::fmt::Write as _;

const WIDTH: f64 = 900.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 16.0;
/// Height of a panel, and what is above each.
const PANEL: f64 = 130.0;
const GAP: f64 = 34.0;
const ALERT: f64 = 18.0;

/// A line: its name, its colour, and its points by seconds of the day.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) colour: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

/// All that is drawn.
#[derive(Debug)]
pub(crate) struct Picture {
    /// How long the day was, in seconds.
    pub(crate) end: f64,
    /// Beginnings of its parts, and their names.
    pub(crate) parts: Vec<(f64, &'static str)>,
    /// In MiB.
    pub(crate) memory: Vec<Line>,
    /// In milliseconds.
    pub(crate) latency: Vec<Line>,
    /// When the alert was firing, from and to.
    pub(crate) firing: Vec<(f64, f64)>,
}

impl Picture {
    /// The SVG.
    pub(crate) fn svg(&self) -> String {
        let top = [GAP * 1.6, GAP * 2.6 + PANEL];
        let alert = GAP * 3.4 + PANEL * 2.0;
        let height = alert + ALERT + GAP;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
        );
        for (index, &(from, name)) in self.parts.iter().enumerate() {
            let to = self.parts.get(index + 1).map_or(self.end, |next| next.0);
            let (x, next) = (self.x(from), self.x(to));
            let fill = ["#f4f4f4", "#fff"][index % 2];
            // Writing to a string does not fail, here and below.
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{:.0}\" width=\"{:.1}\" height=\"{:.0}\" fill=\"{fill}\"/>\
                 <text x=\"{:.1}\" y=\"16\" text-anchor=\"middle\" fill=\"#555\">{name}</text>",
                GAP * 0.6,
                next - x,
                alert + ALERT - GAP * 0.6,
                (x + next) / 2.0,
            );
        }
        self.panel(&mut svg, top[0], "live memory, MiB", &self.memory);
        self.panel(&mut svg, top[1], "p95 of simple widgets, ms", &self.latency);
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{:.0}\" font-weight=\"bold\">HeapGrowsSteadily is firing</text>",
            alert - 6.0
        );
        for &(from, to) in &self.firing {
            let _ = writeln!(
                svg,
                "<rect x=\"{:.1}\" y=\"{alert:.0}\" width=\"{:.1}\" height=\"{ALERT}\" fill=\"#c0392b\" shape-rendering=\"crispEdges\"/>",
                self.x(from),
                self.x(to) - self.x(from),
            );
        }
        for second in (0..=self.end as u32).step_by(10) {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\" fill=\"#555\">{second} s</text>",
                self.x(second.into()),
                alert + ALERT + 16.0,
            );
        }
        svg + "</svg>\n"
    }

    fn x(&self, second: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (second / self.end).clamp(0.0, 1.0)
    }

    fn panel(&self, svg: &mut String, top: f64, title: &str, lines: &[Line]) {
        let points = lines.iter().flat_map(|line| &line.points);
        let most = points.fold(1.0_f64, |most, point| most.max(point.1));
        let y = |value: f64| top + PANEL * (1.0 - value / most);
        let mut legend = format!("<tspan font-weight=\"bold\">{title}</tspan>");
        for line in lines {
            let _ = write!(
                legend,
                " <tspan dx=\"14\" fill=\"{}\">{}</tspan>",
                line.colour, line.name
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{:.0}\">{legend}</text>",
            top - 6.0
        );
        for value in [0.0, most] {
            let _ = writeln!(
                svg,
                "<path d=\"M{LEFT} {0:.1}H{1:.1}\" stroke=\"#ccc\"/>\
                 <text x=\"{2:.1}\" y=\"{3:.1}\" text-anchor=\"end\" fill=\"#555\">{value:.0}</text>",
                y(value),
                WIDTH - RIGHT,
                LEFT - 6.0,
                y(value) + 4.0,
            );
        }
        for line in lines {
            let points: Vec<String> = line
                .points
                .iter()
                .map(|&(second, value)| format!("{:.1},{:.1}", self.x(second), y(value)))
                .collect();
            let _ = writeln!(
                svg,
                "<polyline fill=\"none\" stroke-width=\"1.5\" stroke=\"{}\" points=\"{}\"/>",
                line.colour,
                points.join(" ")
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_as_wide_as_its_time_and_the_most_touches_the_top() {
        let picture = Picture {
            end: 100.0,
            parts: vec![(0.0, "quiet"), (50.0, "busy")],
            memory: vec![Line {
                name: "a".to_owned(),
                colour: "#000",
                points: vec![(0.0, 0.0), (100.0, 80.0)],
            }],
            latency: Vec::new(),
            firing: vec![(25.0, 75.0)],
        };
        let svg = picture.svg();
        let top = GAP * 1.6;
        let line = format!(
            "points=\"{LEFT:.1},{:.1} {:.1},{top:.1}\"",
            top + PANEL,
            WIDTH - RIGHT
        );
        assert!(svg.contains(&line), "{svg}");
        let half = (WIDTH - LEFT - RIGHT) / 2.0;
        assert!(svg.contains(&format!(
            "width=\"{half:.1}\" height=\"{ALERT}\" fill=\"#c0392b\""
        )));
    }
}
