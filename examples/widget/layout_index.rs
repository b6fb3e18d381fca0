//! The layout index: where the panes of complex widgets go on the page.
//!
//! It holds ids and plain numbers and no reference to any widget, so it keeps none alive. A widget
//! is in it from composition until its [`Registration`] is dropped, and [`LayoutIndex::sweep`]
//! lays all of them out anew on each request: what is never dropped makes every request slower.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// The most columns that a layout tries.
const MAX_COLUMNS: usize = 12;

/// The layouts of all complex widgets that are alive.
#[derive(Debug, Default)]
pub(crate) struct LayoutIndex {
    layouts: Mutex<Layouts>,
}

#[derive(Debug, Default)]
struct Layouts {
    next_id: u64,
    by_id: BTreeMap<u64, Layout>,
}

/// The sizes of one widget's panes, and the columns that suit them best.
#[derive(Debug)]
struct Layout {
    sizes: Box<[(u16, u16)]>,
    columns: usize,
}

impl LayoutIndex {
    /// Registers a widget by the widths and heights of its panes, until the registration is dropped.
    pub(crate) fn register(
        index: &Arc<Self>,
        sizes: impl Iterator<Item = (u16, u16)>,
    ) -> Registration {
        let layout = Layout {
            sizes: sizes.collect(),
            columns: 1,
        };
        let mut layouts = index.layouts.lock();
        let id = layouts.next_id;
        layouts.next_id += 1;
        layouts.by_id.insert(id, layout);
        Registration {
            id,
            index: Arc::clone(index),
        }
    }

    /// Lays out every registered widget for a viewport of this width.
    pub(crate) fn sweep(&self, viewport: u32) {
        for layout in self.layouts.lock().by_id.values_mut() {
            layout.columns = layout.best_columns(viewport);
        }
    }

    /// How many widgets are registered.
    pub(crate) fn registered(&self) -> usize {
        self.layouts.lock().by_id.len()
    }
}

impl Layout {
    /// The number of columns that fits the viewport and gives the lowest page.
    fn best_columns(&self, viewport: u32) -> usize {
        let widest = self
            .sizes
            .iter()
            .map(|&(width, _)| u32::from(width))
            .max()
            .unwrap_or(0);
        let fitting = (viewport / widest.max(1)).clamp(1, MAX_COLUMNS as u32) as usize;
        (1..=fitting)
            .min_by_key(|&columns| self.page_height(columns))
            .unwrap_or(1)
    }

    /// The height of the page, with each pane placed into the column that is lowest so far.
    fn page_height(&self, columns: usize) -> u32 {
        let mut heights = [0_u32; MAX_COLUMNS];
        let heights = &mut heights[..columns];
        for &(_, height) in &self.sizes {
            if let Some(lowest) = heights.iter_mut().min() {
                *lowest += u32::from(height);
            }
        }
        heights.iter().copied().max().unwrap_or(0)
    }
}

/// A widget's place in the index; dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Registration {
    id: u64,
    index: Arc<LayoutIndex>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.index.layouts.lock().by_id.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_registration_gives_its_place_back() {
        let index = Arc::new(LayoutIndex::default());
        let first = LayoutIndex::register(&index, [(10, 10)].into_iter());
        let second = LayoutIndex::register(&index, [(20, 20)].into_iter());
        drop(first);
        assert_eq!(index.registered(), 1);
        drop(second);
        assert_eq!(index.registered(), 0);
    }

    #[test]
    fn a_sweep_gives_each_layout_the_lowest_page_that_fits() {
        let index = Arc::new(LayoutIndex::default());
        let _lone = LayoutIndex::register(&index, [(100, 100)].into_iter());
        let _four = LayoutIndex::register(&index, [(100, 100); 4].into_iter());
        let _wide = LayoutIndex::register(&index, [(300, 100); 4].into_iter());
        index.sweep(400);
        let columns: Vec<usize> = index
            .layouts
            .lock()
            .by_id
            .values()
            .map(|layout| layout.columns)
            .collect();
        assert_eq!(columns, [1, 4, 1]);
    }
}
