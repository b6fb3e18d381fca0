//! The results as a picture: a panel for each workload, a bar for each profiler, on a logarithmic scale.
//!
//! The picture has a background of its own, so that it can be read on light pages and on dark ones.

use crate::results::Lines;
use crate::table;
use measure::Workload;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Workloads that are shown, in the order of the panels.
const PANELS: [Workload; 6] = [
    Workload::Json,
    Workload::Btree,
    Workload::Compose,
    Workload::Service,
    Workload::Churn,
    Workload::Churn2,
];
/// Contenders that are shown: name, base, text, and whether it is heaplens.
const BARS: [(&str, &str, &str, bool); 7] = [
    ("sampled-system", "system", "heaplens, sampled", true),
    (
        "jemalloc-prof",
        "jemalloc-prof-off",
        "jemalloc, sampled",
        false,
    ),
    ("exact-system", "system", "heaplens, exact", true),
    ("heapscope", "system-fp", "heapscope", false),
    ("heaptrack", "system", "heaptrack --raw", false),
    ("dhat", "system", "dhat", false),
    (
        "jemalloc-prof-all",
        "jemalloc-prof-off",
        "jemalloc, exact",
        false,
    ),
];

/// How wide a panel is.
const PANEL: i32 = 500;
const COLUMNS: usize = 2;
/// Where bars begin, and how wide the widest is.
const LEFT: i32 = 150;
const WIDEST: i32 = 270;
const TOP: i32 = 48;
const STEP: i32 = 24;
const MARGIN: i32 = 20;
const HEADING: i32 = 56;

const PAPER: RGBColor = RGBColor(255, 255, 255);
const INK: RGBColor = RGBColor(36, 41, 47);
const FAINT: RGBColor = RGBColor(110, 119, 129);
const OURS: RGBColor = RGBColor(0, 114, 178);
const THEIRS: RGBColor = RGBColor(170, 176, 184);

/// A bar to draw.
struct Bar {
    text: &'static str,
    ours: bool,
    ratio: f64,
    interval: Option<(f64, f64)>,
    void: bool,
}

/// Draws the results as SVG.
pub(crate) fn render(lines: &Lines) -> Result<String, String> {
    let panels: Vec<(Workload, Vec<Bar>)> = PANELS
        .into_iter()
        .map(|workload| (workload, bars(lines, workload)))
        .filter(|(_, bars)| !bars.is_empty())
        .collect();
    if panels.is_empty() {
        return Err("nothing was measured that the picture shows".to_owned());
    }
    let mut svg = String::new();
    draw(&mut svg, &panels).map_err(|error| format!("cannot draw the picture: {error}"))?;
    Ok(svg + "\n")
}

fn bars(lines: &Lines, workload: Workload) -> Vec<Bar> {
    let bar = |(contender, base, text, ours): (_, _, _, _)| {
        let line = lines.find(workload, contender, base)?;
        let median = line.cpu()?;
        Some(Bar {
            text,
            ours,
            ratio: median.value,
            interval: median.interval,
            void: lines.void(line).is_some(),
        })
    };
    BARS.into_iter().filter_map(bar).collect()
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Failure = DrawingAreaErrorKind<<SVGBackend<'static> as DrawingBackend>::ErrorType>;

fn draw(svg: &mut String, panels: &[(Workload, Vec<Bar>)]) -> Result<(), Failure> {
    let rows = panels.len().div_ceil(COLUMNS) as i32;
    let bars = panels.iter().map(|(_, bars)| bars.len()).max();
    let height = TOP + STEP * bars.unwrap_or(0) as i32 + MARGIN;
    let size = (PANEL * COLUMNS as i32 + 2 * MARGIN, HEADING + height * rows);
    let area = SVGBackend::with_string(svg, (size.0 as u32, size.1 as u32)).into_drawing_area();
    area.fill(&PAPER)?;
    let heading = "CPU time beside the same allocator without the profiler";
    write(&area, heading, (MARGIN, 20), 19, &INK, HPos::Left)?;
    let note = "shorter is better, 1 is free; logarithmic; whiskers: 95 % interval of the median";
    write(&area, note, (MARGIN, 42), 13, &FAINT, HPos::Left)?;
    let ratios = panels
        .iter()
        .flat_map(|(_, bars)| bars)
        .map(|bar| bar.ratio);
    let most = ratios.fold(2.0, f64::max);
    for (index, (workload, bars)) in panels.iter().enumerate() {
        let corner = (
            MARGIN + PANEL * (index % COLUMNS) as i32,
            HEADING + height * (index / COLUMNS) as i32,
        );
        panel(&area, corner, *workload, bars, most)?;
    }
    area.present()
}

fn panel(
    area: &Area,
    (x, y): (i32, i32),
    workload: Workload,
    bars: &[Bar],
    most: f64,
) -> Result<(), Failure> {
    write(area, workload.name(), (x, y + 16), 16, &INK, HPos::Left)?;
    write(
        area,
        workload.summary(),
        (x, y + 34),
        12,
        &FAINT,
        HPos::Left,
    )?;
    let left = x + LEFT;
    // A bar of no length still shows where it is.
    let reach = |ratio: f64| left + ((ratio.ln() / most.ln() * f64::from(WIDEST)) as i32).max(1);
    let bottom = y + TOP + STEP * bars.len() as i32;
    area.draw(&PathElement::new(
        vec![(left, y + TOP), (left, bottom)],
        FAINT,
    ))?;
    for (index, bar) in bars.iter().enumerate() {
        let middle = y + TOP + STEP / 2 + STEP * index as i32;
        write(area, bar.text, (left - 8, middle), 13, &INK, HPos::Right)?;
        let corners = [(left, middle - 8), (reach(bar.ratio), middle + 8)];
        let color = if bar.ours { OURS } else { THEIRS };
        area.draw(&Rectangle::new(
            corners,
            color.mix(if bar.void { 0.35 } else { 1.0 }).filled(),
        ))?;
        let mut end = reach(bar.ratio);
        if let Some((low, high)) = bar.interval {
            end = reach(high);
            let whisker = vec![(reach(low), middle), (end, middle)];
            area.draw(&PathElement::new(whisker, INK.stroke_width(2)))?;
        }
        let mut text = format!("×{}", table::ratio(bar.ratio));
        if bar.void {
            text.push_str(" (void)");
        }
        write(area, &text, (end + 6, middle), 13, &INK, HPos::Left)?;
    }
    Ok(())
}

fn write(
    area: &Area,
    text: &str,
    at: (i32, i32),
    size: i32,
    color: &RGBColor,
    side: HPos,
) -> Result<(), Failure> {
    let style = ("sans-serif", size)
        .into_text_style(area)
        .color(color)
        .pos(Pos::new(side, VPos::Center));
    area.draw_text(text, &style, at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::line;

    #[test]
    fn shows_what_was_measured_and_marks_what_is_void() {
        let lines = Lines(vec![
            line(Workload::Json, "system", "system", &[1.0; 15]),
            line(Workload::Json, "exact-system", "system", &[1.5; 15]),
            line(Workload::Json, "dhat", "system", &[30.0; 2]),
        ]);
        let svg = render(&lines).unwrap();
        assert!(
            svg.contains("×1.500") && !svg.contains("×1.500 (void)"),
            "{svg}"
        );
        assert!(svg.contains("×30 (void)"), "{svg}");
        assert!(!svg.contains("heaptrack"), "{svg}");
        assert!(render(&Lines(Vec::new())).is_err());
    }
}
