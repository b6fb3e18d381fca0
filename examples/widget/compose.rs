//! Composition: from a definition to a tree of panes, ready to render.
//!
//! This is where the service leaks. A child takes its theme and its place from its parent, so it
//! refers to it; with [`Links::Strong`] that reference counts, parent and children keep each other
//! alive, and no complex widget is ever released. [`Links::Weak`] is the fix: one word.
//!
//! Composition does not render and does not cache.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock, Weak};

use super::definitions::{Definition, PaneDefinition};
use super::layout_index::{LayoutIndex, Registration};

/// Points of a plotted density, and the steps of its numeric integration.
const SAMPLES: usize = 256;
/// Every how many samples the outline has a point.
const OUTLINE_STEP: usize = 2;

/// How a child refers to its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// By a counted reference: parent and child form a cycle that is never released.
    Strong,
    /// By a weak reference: the tree is released with its root.
    Weak,
}

/// A pane's reference to the pane around it.
#[derive(Debug)]
enum Parent {
    None,
    Strong(Arc<Pane>),
    Weak(Weak<Pane>),
}

impl Parent {
    fn new(parent: &Arc<Pane>, links: Links) -> Self {
        match links {
            Links::Strong => Self::Strong(Arc::clone(parent)),
            Links::Weak => Self::Weak(Arc::downgrade(parent)),
        }
    }

    fn get(&self) -> Option<Arc<Pane>> {
        match self {
            Self::None => None,
            Self::Strong(pane) => Some(Arc::clone(pane)),
            Self::Weak(pane) => pane.upgrade(),
        }
    }
}

/// A point of an outline, in pixels from the pane's upper left corner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub(crate) x: f32,
    pub(crate) y: f32,
}

/// A composed pane: the root of a widget, or one nested in another.
#[derive(Debug)]
pub(crate) struct Pane {
    pub(crate) title: String,
    pub(crate) width: u16,
    pub(crate) height: u16,
    /// Probability density at [`SAMPLES`] equidistant places; sums to 1.
    density: Vec<f64>,
    /// The density as a curve to draw.
    pub(crate) outline: Vec<Point>,
    /// One line of text for each energy level.
    pub(crate) legend: Vec<String>,
    hue: Option<u16>,
    parent: Parent,
    children: OnceLock<Vec<Arc<Pane>>>,
    /// The place of a complex widget in the layout index, given back when its root is dropped.
    _registration: Option<Registration>,
}

impl Pane {
    /// The panes nested in this one.
    pub(crate) fn children(&self) -> &[Arc<Pane>] {
        self.children.get().map_or(&[], Vec::as_slice)
    }

    /// The colour of the widget: that of the nearest pane around this one that has one.
    pub(crate) fn hue(&self) -> u16 {
        self.hue
            .or_else(|| self.parent.get().map(|parent| parent.hue()))
            .unwrap_or_default()
    }

    /// Where the particle is to be expected, as a share of the box's width.
    pub(crate) fn expected_position(&self) -> f64 {
        let last = (self.density.len().max(2) - 1) as f64;
        self.density
            .iter()
            .enumerate()
            .map(|(sample, share)| sample as f64 / last * share)
            .sum()
    }

    /// How many panes are around this one.
    pub(crate) fn depth(&self) -> usize {
        self.parent.get().map_or(0, |parent| parent.depth() + 1)
    }
}

/// Composes a widget as it is at `tick`. Complex widgets are registered in the layout index until
/// they are dropped.
// Neither this nor what it is made of is inlined: so the names also stand in the symbol tables of
// builds without debug information.
#[inline(never)]
pub(crate) fn compose(
    definition: &Definition,
    tick: u32,
    links: Links,
    layouts: &Arc<LayoutIndex>,
) -> Arc<Pane> {
    let registration = definition.is_complex().then(|| {
        LayoutIndex::register(
            layouts,
            definition
                .panes
                .iter()
                .map(|pane| (pane.width, pane.height)),
        )
    });
    compose_pane(definition, 0, tick, links, Parent::None, registration)
}

fn compose_pane(
    definition: &Definition,
    index: usize,
    tick: u32,
    links: Links,
    parent: Parent,
    registration: Option<Registration>,
) -> Arc<Pane> {
    let source = &definition.panes[index];
    let density = density(source.levels, tick);
    let outline = outline(&density, source);
    let pane = Arc::new(Pane {
        title: source.title.clone(),
        width: source.width,
        height: source.height,
        legend: legend(source.levels, tick),
        density,
        outline,
        hue: matches!(parent, Parent::None).then_some((definition.id % 360) as u16),
        parent,
        children: OnceLock::new(),
        _registration: registration,
    });
    let mut children = Vec::with_capacity(definition.children_of(index).count());
    for child in definition.children_of(index) {
        let parent = Parent::new(&pane, links);
        children.push(compose_pane(definition, child, tick, links, parent, None));
    }
    pane.children.get_or_init(|| children);
    pane
}

/// The probability density of a particle in a box, in an equal superposition of the lowest
/// `levels` states, after `tick` steps of time.
///
/// The states are sin(nπx) with energies that go with n²; sin(nπx) comes from its two predecessors
/// by sin(nθ) = 2 cos θ sin((n−1)θ) − sin((n−2)θ).
#[inline(never)]
fn density(levels: u8, tick: u32) -> Vec<f64> {
    let phases: Vec<(f64, f64)> = (1..=u32::from(levels))
        .map(|n| (f64::from(n * n) * f64::from(tick) * 0.01).sin_cos())
        .collect();
    let mut density = Vec::with_capacity(SAMPLES);
    for sample in 0..SAMPLES {
        let x = sample as f64 / (SAMPLES - 1) as f64;
        let (sin, cos) = (x * std::f64::consts::PI).sin_cos();
        let (mut before, mut state) = (0.0, sin);
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (phase_sin, phase_cos) in &phases {
            real += state * phase_cos;
            imaginary -= state * phase_sin;
            (before, state) = (state, 2.0 * cos * state - before);
        }
        density.push(real * real + imaginary * imaginary);
    }
    let sum: f64 = density.iter().sum();
    density.iter_mut().for_each(|value| *value /= sum);
    density
}

/// The density as a curve that fills the pane.
#[inline(never)]
fn outline(density: &[f64], pane: &PaneDefinition) -> Vec<Point> {
    let highest = density.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let scale_x = f32::from(pane.width) / (SAMPLES - 1) as f32;
    let mut outline = Vec::with_capacity(SAMPLES / OUTLINE_STEP);
    for (sample, value) in density.iter().enumerate().step_by(OUTLINE_STEP) {
        let share = (value / highest) as f32;
        outline.push(Point {
            x: sample as f32 * scale_x,
            y: f32::from(pane.height) * (1.0 - share),
        });
    }
    outline
}

/// One line for each energy level: its number, its energy, and its phase at `tick`.
#[inline(never)]
fn legend(levels: u8, tick: u32) -> Vec<String> {
    let mut legend = Vec::with_capacity(usize::from(levels));
    for level in 1..=u32::from(levels) {
        let mut line = String::with_capacity(48);
        let energy = level * level;
        let phase = (f64::from(energy) * f64::from(tick) * 0.01) % std::f64::consts::TAU;
        write!(
            line,
            "level {level}: energy {energy} E1, phase {phase:.2} rad"
        )
        .expect("a string takes every text");
        legend.push(line);
    }
    legend
}

#[cfg(test)]
mod tests {
    use super::super::definitions::tests::{complex, simple};
    use super::*;

    #[test]
    fn strong_links_leave_complex_widgets_registered_for_ever() {
        let layouts = Arc::new(LayoutIndex::default());
        for _ in 0..5 {
            drop(compose(&complex(7), 0, Links::Strong, &layouts));
        }
        assert_eq!(layouts.registered(), 5);
    }

    #[test]
    fn weak_links_release_complex_widgets() {
        let layouts = Arc::new(LayoutIndex::default());
        let widget = compose(&complex(7), 0, Links::Weak, &layouts);
        assert_eq!(layouts.registered(), 1);
        let root = Arc::downgrade(&widget);
        drop(widget);
        assert_eq!((layouts.registered(), root.strong_count()), (0, 0));
    }

    #[test]
    fn simple_widgets_are_released_either_way_and_never_registered() {
        let layouts = Arc::new(LayoutIndex::default());
        let widget = compose(&simple(3), 0, Links::Strong, &layouts);
        assert_eq!(layouts.registered(), 0);
        let root = Arc::downgrade(&widget);
        drop(widget);
        assert_eq!(root.strong_count(), 0);
    }

    #[test]
    fn children_take_their_colour_from_the_root() {
        let layouts = Arc::new(LayoutIndex::default());
        for links in [Links::Strong, Links::Weak] {
            let widget = compose(&complex(361), 0, links, &layouts);
            let grandchild = &widget.children()[0].children()[0];
            assert_eq!((grandchild.hue(), grandchild.depth()), (1, 2));
        }
    }

    #[test]
    fn densities_sum_to_one_and_vanish_at_the_walls() {
        for levels in [1, 2, 9] {
            let density = density(levels, 17);
            assert!((density.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            assert!(density.iter().all(|share| (0.0..1.0).contains(share)));
            assert!(density[0] < 1e-12 && density[SAMPLES - 1] < 1e-12);
        }
    }
}
