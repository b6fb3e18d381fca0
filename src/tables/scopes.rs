//! Counters of scopes: what was allocated within one, and what has become of it.
//!
//! A scope's number stands in each block that it has allocated, so whoever frees the block counts it
//! out of the right scope. A number is held by all who may still count in it: the scope's owner,
//! threads that are in it, its live blocks, and the scopes within it. Once nobody holds it, it is given
//! out again.
//!
//! Everything here is one addition after the other to shared counters. Sums are exact; a reader that
//! comes while others count sees each of them before or after. What a scope is for is not known here.

use super::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use super::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64};
use super::counters::Delta;
use super::mapped::{Mapped, Zeroed};
use super::site_tree::NodeId;
use super::slot_bitmap::SlotBitmap;
use crate::platform;
use std::ptr::NonNull;

/// Number of a scope.
pub(crate) type ScopeId = u32;

/// No scope's number.
pub(crate) const NO_SCOPE: ScopeId = 0;

/// Most scopes that are held at a time; also the highest number of one.
pub(crate) const SCOPES: usize = 63 * 64;

/// Rows of a scope: one for all sites that have none, and one each for the others.
const ROWS: usize = 4096;

/// Lists that a scope's rows are found by.
const BUCKETS: usize = 256;

/// All scopes.
pub(crate) struct Scopes {
    taken: SlotBitmap,
    scopes: Mapped<Scope>,
}

#[repr(C, align(64))]
struct Scope {
    holders: AtomicU64,
    live_bytes: AtomicU64,
    peak_bytes: AtomicU64,
    /// Mapped for the first scope of this number, and kept for the next ones.
    sites: AtomicPtr<Sites>,
    parent: AtomicU32,
    is_closed: AtomicBool,
}

// SAFETY: zeros, a null pointer and false.
unsafe impl Zeroed for Scope {}

/// A scope's counters by site. Valid when all zero.
#[repr(C)]
struct Sites {
    /// Rows that were given out. More were asked for if this is more than there are.
    used: AtomicU32,
    /// Row at the head of each list; 0 for none.
    first: [AtomicU32; BUCKETS],
    /// Row 0 is in no list: it counts for sites that found no row free.
    rows: [Row; ROWS],
}

#[repr(C)]
struct Row {
    site: AtomicU32,
    /// Next row of the list; 0 at its end.
    next: AtomicU32,
    allocated_bytes: AtomicU64,
    allocated_count: AtomicU64,
    freed_bytes: AtomicU64,
    freed_count: AtomicU64,
    largest_bytes: AtomicU64,
}

/// What a scope has counted at a site.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SiteSums {
    pub(crate) sums: Delta,
    /// Size of the largest block.
    pub(crate) largest_bytes: u64,
}

impl Scopes {
    /// No scopes yet. Takes no memory until there are some.
    pub(crate) fn new() -> Self {
        Self {
            taken: SlotBitmap::new(SCOPES),
            scopes: Mapped::new(SCOPES),
        }
    }

    /// For other modes than the exact one.
    pub(crate) fn none() -> Self {
        Self {
            taken: SlotBitmap::new(0),
            scopes: Mapped::EMPTY,
        }
    }

    /// A new scope, held once, within another one that the caller holds, or within none. `None`: there
    /// are too many, or there is no memory. Asks the system; not for the hook.
    pub(crate) fn begin(&self, parent: ScopeId) -> Option<ScopeId> {
        let slot = self.taken.take()?;
        let id = slot as ScopeId + 1;
        let scope = self.get(id)?;
        let sites = match scope.sites() {
            Some(sites) => {
                sites.clear();
                sites
            }
            None => {
                let Some(mapped) = platform::map_zeroed(size_of::<Sites>()) else {
                    self.taken.release(slot);
                    return None;
                };
                let sites: NonNull<Sites> = mapped.cast();
                scope.sites.store(sites.as_ptr(), Release);
                // SAFETY: mapped for ever, large enough, page-aligned, and valid when zero.
                unsafe { sites.as_ref() }
            }
        };
        debug_assert_eq!(sites.used.load(Relaxed), 0);
        if parent != NO_SCOPE {
            self.hold(parent);
        }
        scope.parent.store(parent, Relaxed);
        scope.is_closed.store(false, Relaxed);
        scope.live_bytes.store(0, Relaxed);
        scope.peak_bytes.store(0, Relaxed);
        scope.holders.store(1, Release);
        Some(id)
    }

    /// Holds a scope once more. The caller holds it already, or something that does.
    pub(crate) fn hold(&self, id: ScopeId) {
        if let Some(scope) = self.get(id) {
            scope.holders.fetch_add(1, Relaxed);
        }
    }

    /// Holds a scope, if anybody does.
    pub(crate) fn hold_if_held(&self, id: ScopeId) -> bool {
        let one_more = |holders: u64| (holders > 0).then(|| holders + 1);
        self.get(id).is_some_and(|scope| {
            scope
                .holders
                .fetch_update(Acquire, Relaxed, one_more)
                .is_ok()
        })
    }

    /// Gives a hold back. The last one frees the number, and gives back the hold of the scope around.
    pub(crate) fn release(&self, id: ScopeId) {
        let mut id = id;
        while let Some(scope) = self.get(id) {
            // Read first: without holders it may be another scope at once.
            let parent = scope.parent.load(Relaxed);
            if scope.holders.fetch_sub(1, AcqRel) != 1 {
                return;
            }
            self.taken.release(id as usize - 1);
            id = parent;
        }
    }

    /// From here on nothing is allocated in the scope; its blocks are still counted out.
    pub(crate) fn close(&self, id: ScopeId) {
        if let Some(scope) = self.get(id) {
            scope.is_closed.store(true, Release);
        }
    }

    /// Whether blocks can still be allocated in a scope.
    pub(crate) fn is_open(&self, id: ScopeId) -> bool {
        self.get(id)
            .is_some_and(|scope| !scope.is_closed.load(Acquire))
    }

    /// Whether a scope is another one or lies within it. Somebody holds both.
    pub(crate) fn is_within(&self, id: ScopeId, other: ScopeId) -> bool {
        self.outward(id).any(|(id, _)| id == other)
    }

    /// Counts a block in: in the first open scope from this one outward, which is returned and held
    /// by the block, and in all around it. The caller holds `id`.
    pub(crate) fn allocated(&self, id: ScopeId, site: NodeId, bytes: u64) -> ScopeId {
        let outward = self.outward(id);
        let Some(id) = outward.map(|(id, _)| id).find(|&id| self.is_open(id)) else {
            return NO_SCOPE;
        };
        self.hold(id);
        for (_, scope) in self.outward(id) {
            let live_bytes = scope
                .live_bytes
                .fetch_add(bytes, Relaxed)
                .wrapping_add(bytes);
            scope.peak_bytes.fetch_max(live_bytes, Relaxed);
            if let Some(sites) = scope.sites() {
                let row = sites.row(site).unwrap_or_else(|| sites.insert(site));
                row.allocated_bytes.fetch_add(bytes, Release);
                row.allocated_count.fetch_add(1, Release);
                row.largest_bytes.fetch_max(bytes, Relaxed);
            }
        }
        id
    }

    /// Counts a block out that was counted in by this scope, and gives back its hold.
    pub(crate) fn freed(&self, id: ScopeId, site: NodeId, bytes: u64) {
        for (_, scope) in self.outward(id) {
            scope.live_bytes.fetch_sub(bytes, Relaxed);
            if let Some(sites) = scope.sites() {
                let row = sites.row(site).unwrap_or(&sites.rows[0]);
                row.freed_bytes.fetch_add(bytes, Release);
                row.freed_count.fetch_add(1, Release);
            }
        }
        self.release(id);
    }

    /// Bytes of a scope's blocks that are not freed, and the most that they ever were.
    pub(crate) fn live_and_peak(&self, id: ScopeId) -> (u64, u64) {
        self.get(id).map_or((0, 0), |scope| {
            (
                scope.live_bytes.load(Relaxed),
                scope.peak_bytes.load(Relaxed),
            )
        })
    }

    /// What a scope has counted, by site; `None` for sites beyond those that have a row. A site may
    /// come twice. The caller holds the scope.
    pub(crate) fn read(&self, id: ScopeId, mut visit: impl FnMut(Option<NodeId>, SiteSums)) {
        let Some(sites) = self.get(id).and_then(Scope::sites) else {
            return;
        };
        for (index, row) in sites.in_use().iter().enumerate() {
            let counted = row.read();
            // Afterwards: a row that is given out anew has its site before it counts anything.
            let site = (index > 0).then(|| row.site.load(Relaxed));
            if counted != SiteSums::default() {
                visit(site, counted);
            }
        }
    }

    /// Starts and lengths in bytes of the mappings.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (NonNull<u8>, usize)> {
        let sites = self.scopes.iter().filter_map(Scope::sites);
        let sites = sites.map(|sites| (NonNull::from(sites).cast(), size_of::<Sites>()));
        [self.taken.range(), self.scopes.range()]
            .into_iter()
            .chain(sites)
    }

    /// A scope and those around it.
    fn outward(&self, id: ScopeId) -> impl Iterator<Item = (ScopeId, &Scope)> {
        let mut next = id;
        std::iter::from_fn(move || {
            let id = next;
            let scope = self.get(id)?;
            next = scope.parent.load(Relaxed);
            Some((id, scope))
        })
    }

    fn get(&self, id: ScopeId) -> Option<&Scope> {
        self.scopes.get((id as usize).checked_sub(1)?)
    }
}

impl Scope {
    fn sites(&self) -> Option<&Sites> {
        let sites = NonNull::new(self.sites.load(Acquire))?;
        // SAFETY: mapped by `begin`, never unmapped, and made of atomics.
        Some(unsafe { sites.as_ref() })
    }
}

impl Sites {
    /// The row of a site, if it has one.
    fn row(&self, site: NodeId) -> Option<&Row> {
        let mut link = &self.first[site as usize % BUCKETS];
        loop {
            // 0, which ends a list, is a row too, but no site's.
            let index = link.load(Acquire);
            let row = self.rows.get(index as usize).filter(|_| index != 0)?;
            if row.site.load(Relaxed) == site {
                return Some(row);
            }
            link = &row.next;
        }
    }

    /// A row for a site that has none. Two threads at once may make two, which add up.
    #[cold]
    fn insert(&self, site: NodeId) -> &Row {
        // Checked first, so that the count does not wrap around.
        if self.used.load(Relaxed) as usize >= ROWS - 1 {
            return &self.rows[0];
        }
        let index = self.used.fetch_add(1, Relaxed) + 1;
        let Some(row) = self.rows.get(index as usize) else {
            return &self.rows[0];
        };
        row.site.store(site, Relaxed);
        let first = &self.first[site as usize % BUCKETS];
        let mut next = first.load(Relaxed);
        loop {
            row.next.store(next, Relaxed);
            match first.compare_exchange_weak(next, index, Release, Relaxed) {
                Ok(_) => return row,
                Err(now) => next = now,
            }
        }
    }

    fn in_use(&self) -> &[Row] {
        let used = self.used.load(Acquire) as usize;
        &self.rows[..(used + 1).min(ROWS)]
    }

    /// Makes all of it zero again. Nobody else may look meanwhile.
    fn clear(&self) {
        for row in self.in_use() {
            row.clear();
        }
        if self.used.swap(0, Relaxed) != 0 {
            self.first.iter().for_each(|first| first.store(0, Relaxed));
        }
    }
}

impl Row {
    fn read(&self) -> SiteSums {
        // Frees first: each of them comes after its allocation.
        let (freed_bytes, freed_count) = (
            self.freed_bytes.load(Acquire),
            self.freed_count.load(Acquire),
        );
        SiteSums {
            sums: Delta {
                allocated_bytes: self.allocated_bytes.load(Acquire),
                allocated_count: self.allocated_count.load(Acquire),
                freed_bytes,
                freed_count,
            },
            largest_bytes: self.largest_bytes.load(Relaxed),
        }
    }

    fn clear(&self) {
        let words = [
            &self.allocated_bytes,
            &self.allocated_count,
            &self.freed_bytes,
            &self.freed_count,
            &self.largest_bytes,
        ];
        words.into_iter().for_each(|word| word.store(0, Relaxed));
    }
}

#[cfg(test)]
mod tests;
