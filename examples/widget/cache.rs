//! The cache of rendered widgets: bounded in bytes, with eviction by the clock algorithm.
//!
//! It owns the rendered bytes and nothing else: no entry refers to a composed widget. It grows until
//! it is full and then stays as large as it is. Under suspicion, and innocent.

use std::collections::{HashMap, VecDeque};

use axum::body::Bytes;
use parking_lot::Mutex;

use super::render::Format;

/// What tells one rendering from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) widget: u64,
    pub(crate) tick: u32,
    pub(crate) format: Format,
}

/// Rendered widgets by key, with at most `capacity` bytes of them.
#[derive(Debug)]
pub(crate) struct Cache {
    capacity: usize,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Key, Entry>,
    /// The hand of the clock stands at the front. Holds each key of `by_key` once.
    clock: VecDeque<Key>,
    bytes: usize,
    evicted: u64,
}

#[derive(Debug)]
struct Entry {
    body: Bytes,
    used: bool,
}

/// What the cache holds and has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheStats {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
    pub(crate) evicted: u64,
}

impl Cache {
    /// An empty cache that will hold at most `capacity` bytes.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            entries: Mutex::default(),
        }
    }

    /// The rendering of that key, if it is here; it then survives the next turn of the clock.
    pub(crate) fn get(&self, key: &Key) -> Option<Bytes> {
        let mut entries = self.entries.lock();
        let entry = entries.by_key.get_mut(key)?;
        entry.used = true;
        Some(entry.body.clone())
    }

    /// Keeps a copy of the rendering, exactly as large as it is, and evicts others to make room.
    /// A rendering larger than the whole cache is not kept.
    #[inline(never)]
    pub(crate) fn insert(&self, key: Key, rendering: &[u8]) -> Bytes {
        let body = Bytes::copy_from_slice(rendering);
        if body.len() > self.capacity {
            return body;
        }
        let mut entries = self.entries.lock();
        let entry = Entry {
            body: body.clone(),
            used: false,
        };
        match entries.by_key.insert(key, entry) {
            Some(replaced) => entries.bytes -= replaced.body.len(),
            None => entries.clock.push_back(key),
        }
        entries.bytes += body.len();
        while entries.bytes > self.capacity {
            entries.evict_one();
        }
        body
    }

    /// Forgets all renderings of a widget, since its definition has changed.
    pub(crate) fn forget(&self, widget: u64) {
        let mut entries = self.entries.lock();
        let Entries {
            by_key,
            clock,
            bytes,
            ..
        } = &mut *entries;
        clock.retain(|key| {
            let keep = key.widget != widget;
            if !keep && let Some(entry) = by_key.remove(key) {
                *bytes -= entry.body.len();
            }
            keep
        });
    }

    /// What the cache holds and has done.
    pub(crate) fn stats(&self) -> CacheStats {
        let entries = self.entries.lock();
        CacheStats {
            entries: entries.by_key.len(),
            bytes: entries.bytes,
            evicted: entries.evicted,
        }
    }
}

impl Entries {
    /// Moves the hand to the first entry that was not used since it last passed, and evicts that.
    fn evict_one(&mut self) {
        while let Some(key) = self.clock.pop_front() {
            match self.by_key.get_mut(&key) {
                Some(entry) if entry.used => {
                    entry.used = false;
                    self.clock.push_back(key);
                }
                _ => {
                    if let Some(entry) = self.by_key.remove(&key) {
                        self.bytes -= entry.body.len();
                        self.evicted += 1;
                    }
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(widget: u64) -> Key {
        Key {
            widget,
            tick: 0,
            format: Format::Svg,
        }
    }

    #[test]
    fn stays_within_its_bound_under_any_insertions() {
        let cache = Cache::new(10_000);
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..5_000 {
            let key = Key {
                tick: random.u32(..3),
                ..key(random.u64(..40))
            };
            if cache.get(&key).is_none() || random.bool() {
                cache.insert(key, &vec![b'x'; random.usize(..1_500)]);
            }
            if random.u8(..) == 0 {
                cache.forget(random.u64(..40));
            }
            let entries = cache.entries.lock();
            let bytes: usize = entries.by_key.values().map(|entry| entry.body.len()).sum();
            assert!(bytes <= 10_000);
            assert_eq!(bytes, entries.bytes);
            assert_eq!(entries.by_key.len(), entries.clock.len());
        }
        assert!(cache.stats().evicted > 1_000, "{:?}", cache.stats());
    }

    #[test]
    fn evicts_what_was_not_used() {
        let cache = Cache::new(300);
        for widget in 0..3 {
            cache.insert(key(widget), &[b'x'; 100]);
        }
        assert!(cache.get(&key(0)).is_some());
        cache.insert(key(3), &[b'x'; 100]);
        let kept: Vec<bool> = (0..4)
            .map(|widget| cache.get(&key(widget)).is_some())
            .collect();
        assert_eq!(kept, [true, false, true, true]);
    }

    #[test]
    fn does_not_keep_what_is_larger_than_the_cache() {
        let cache = Cache::new(10);
        assert_eq!(cache.insert(key(1), &[b'x'; 11]).len(), 11);
        assert_eq!(
            cache.stats(),
            CacheStats {
                entries: 0,
                bytes: 0,
                evicted: 0
            }
        );
    }

    #[test]
    fn forgets_a_widget_and_no_other() {
        let cache = Cache::new(100);
        cache.insert(key(1), b"one");
        cache.insert(Key { tick: 1, ..key(1) }, b"later");
        cache.insert(key(2), b"two");
        cache.forget(1);
        assert_eq!(
            cache.stats(),
            CacheStats {
                entries: 1,
                bytes: 3,
                evicted: 0
            }
        );
        assert_eq!(cache.get(&key(2)).as_deref(), Some(&b"two"[..]));
    }
}
