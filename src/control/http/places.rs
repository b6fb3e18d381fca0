//! How many may do something at a time: each who is served has a thread, and floods are not to take more.

use std::sync::atomic::{AtomicUsize, Ordering};

/// So many places.
pub(super) struct Places {
    most: usize,
    taken: AtomicUsize,
}

/// One of them, until it is dropped.
pub(super) struct Place(&'static Places);

impl Places {
    pub(super) const fn new(most: usize) -> Self {
        Self {
            most,
            taken: AtomicUsize::new(0),
        }
    }

    /// Takes a place, if one is free.
    pub(super) fn take(&'static self) -> Option<Place> {
        let before = self.taken.fetch_add(1, Ordering::Relaxed);
        // Dropped at once where there was none.
        let place = Place(self);
        (before < self.most).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ninth_waits_for_one_to_leave() {
        const MOST: usize = 8;
        static PLACES: Places = Places::new(MOST);
        let mut taken: Vec<Place> = (0..MOST).map(|_| PLACES.take().expect("free")).collect();
        assert!(PLACES.take().is_none() && PLACES.take().is_none());
        taken.pop();
        let again = PLACES.take().expect("one is free");
        assert!(PLACES.take().is_none());
        drop((again, taken));
        assert_eq!(PLACES.taken.load(Ordering::Relaxed), 0);
    }
}
