use super::*;
use std::collections::BTreeMap;
use std::sync::Mutex;

fn counted(scopes: &Scopes, id: ScopeId) -> BTreeMap<Option<NodeId>, SiteSums> {
    let mut sites = BTreeMap::new();
    scopes.read(id, |site, counts| {
        assert!(sites.insert(site, counts).is_none(), "{site:?} came twice");
    });
    sites
}

fn sums(allocated: (u64, u64), freed: (u64, u64), largest_bytes: u64) -> SiteSums {
    SiteSums {
        sums: Delta {
            allocated_bytes: allocated.0,
            allocated_count: allocated.1,
            freed_bytes: freed.0,
            freed_count: freed.1,
        },
        largest_bytes,
    }
}

#[test]
fn what_is_within_counts_outside_too_and_a_block_stays_where_it_was_born() {
    let scopes = Scopes::new();
    let outer = scopes.begin(NO_SCOPE).unwrap();
    let inner = scopes.begin(outer).unwrap();
    assert_eq!(scopes.allocated(outer, 7, 100), outer);
    assert_eq!(scopes.allocated(inner, 7, 30), inner);
    assert_eq!(scopes.allocated(inner, 8, 5), inner);
    scopes.freed(inner, 7, 30);
    scopes.freed(outer, 7, 100);
    let both = |scope| counted(&scopes, scope);
    assert_eq!(
        both(inner),
        BTreeMap::from([
            (Some(7), sums((30, 1), (30, 1), 30)),
            (Some(8), sums((5, 1), (0, 0), 5)),
        ])
    );
    assert_eq!(
        both(outer),
        BTreeMap::from([
            (Some(7), sums((130, 2), (130, 2), 100)),
            (Some(8), sums((5, 1), (0, 0), 5)),
        ])
    );
    assert_eq!(scopes.live_and_peak(inner), (5, 35));
    assert_eq!(scopes.live_and_peak(outer), (5, 135));
}

#[test]
fn what_comes_after_the_end_counts_around_it() {
    let scopes = Scopes::new();
    let outer = scopes.begin(NO_SCOPE).unwrap();
    let inner = scopes.begin(outer).unwrap();
    scopes.close(inner);
    assert_eq!(scopes.allocated(inner, 1, 10), outer);
    scopes.close(outer);
    assert_eq!(scopes.allocated(inner, 1, 10), NO_SCOPE);
    assert_eq!(scopes.live_and_peak(inner), (0, 0));
    assert_eq!(scopes.live_and_peak(outer), (10, 10));
}

#[test]
fn a_number_is_given_out_again_once_all_is_over_and_starts_from_nothing() {
    let scopes = Scopes::new();
    let outer = scopes.begin(NO_SCOPE).unwrap();
    let inner = scopes.begin(outer).unwrap();
    assert_eq!(scopes.allocated(inner, 3, 64), inner);
    scopes.release(outer);
    scopes.release(inner);
    // The block still holds the inner scope, and that the outer one.
    let third = scopes.begin(NO_SCOPE).unwrap();
    assert!(![outer, inner].contains(&third));
    assert!(scopes.hold_if_held(inner) && scopes.hold_if_held(outer));
    scopes.release(inner);
    scopes.release(outer);
    scopes.freed(inner, 3, 64);
    assert!(!scopes.hold_if_held(inner) && !scopes.hold_if_held(outer));
    for _ in 0..2 {
        let again = scopes.begin(NO_SCOPE).unwrap();
        assert!([outer, inner].contains(&again));
        assert_eq!(scopes.live_and_peak(again), (0, 0));
        assert_eq!(counted(&scopes, again), BTreeMap::new());
        assert!(scopes.is_open(again));
    }
}

#[test]
fn sites_without_a_row_are_counted_together() {
    let scopes = Scopes::new();
    let id = scopes.begin(NO_SCOPE).unwrap();
    let sites = ROWS as NodeId + 9;
    for site in 0..sites {
        scopes.allocated(id, site, 1 + u64::from(site));
    }
    for site in 0..sites {
        scopes.freed(id, site, 1 + u64::from(site));
    }
    let counted = counted(&scopes, id);
    assert_eq!(counted.len(), ROWS);
    let rest: u64 = (sites - 10..sites).map(|site| 1 + u64::from(site)).sum();
    let largest = u64::from(sites);
    assert_eq!(counted[&None], sums((rest, 10), (rest, 10), largest));
    assert_eq!(counted[&Some(0)], sums((1, 1), (1, 1), 1));
    assert_eq!(scopes.live_and_peak(id).0, 0);
}

#[test]
fn there_are_as_many_as_the_header_can_name_and_then_none() {
    let scopes = Scopes::new();
    let mut ids: Vec<ScopeId> = std::iter::from_fn(|| scopes.begin(NO_SCOPE)).collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=SCOPES as ScopeId).collect::<Vec<_>>());
    scopes.release(77);
    assert_eq!(scopes.begin(NO_SCOPE), Some(77));
    assert_eq!(Scopes::none().begin(NO_SCOPE), None);
}

#[test]
fn threads_that_free_for_each_other_lose_nothing() {
    const THREADS: u64 = 4;
    let scopes = Scopes::new();
    let mailbox = Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for thread in 0..THREADS {
            let (scopes, mailbox) = (&scopes, &mailbox);
            threads.spawn(move || {
                for round in 0..2_000 {
                    let id = scopes.begin(NO_SCOPE).unwrap();
                    assert_eq!(counted(scopes, id), BTreeMap::new());
                    for site in 0..4 {
                        scopes.allocated(id, site, thread * 10_000 + round);
                        mailbox
                            .lock()
                            .unwrap()
                            .push((id, site, thread * 10_000 + round));
                    }
                    let mine = counted(scopes, id);
                    let allocated = mine.values().map(|counts| counts.sums.allocated_count);
                    assert_eq!(allocated.sum::<u64>(), 4);
                    scopes.close(id);
                    scopes.release(id);
                    for _ in 0..4 {
                        let index = fastrand::usize(..);
                        let mut mailbox = mailbox.lock().unwrap();
                        let index = index % mailbox.len();
                        let (id, site, bytes) = mailbox.swap_remove(index);
                        drop(mailbox);
                        scopes.freed(id, site, bytes);
                    }
                }
            });
        }
    });
    assert_eq!(scopes.taken.taken().count(), 0);
}
