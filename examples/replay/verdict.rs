//! The verdict: is the leak named, and is it gone with the fix?

use heaplens_cli::analysis::suspects::Class;

use super::evidence::{Evidence, Part};
use super::pointers::Pointers;
use super::run::Run;
use quantum::drive::suspects::Judged;

/// The least share of the growth that must lead through `compose`.
const LEAST_SHARE: f64 = 0.60;
/// The least growth of a run that leaks, in bytes: less would say nothing.
const LEAST_LEAK: i64 = 64 << 20;
/// The most that the fixed run may grow, as a share of the growth of the leaking run.
const MOST_FIXED: f64 = 0.02;
/// How many of the first growing owners neither the cache nor the database may be among.
const FIRST_OWNERS: usize = 3;

/// What is wrong with the evidence of the leaking run: nothing if it names the leak.
pub(crate) fn leak_is_named(run: &Run, evidence: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    let change = evidence.heap.change();
    if change < LEAST_LEAK {
        wrong.push(format!(
            "the service grew by {change} bytes only, so there is no leak to name"
        ));
    }
    if run.registered == 0 {
        wrong.push("no complex widget was left, so the service did not leak".to_owned());
    }
    if run.evicted_when_warm == 0 {
        wrong.push("the cache was not full after warm-up, so it may have grown since".to_owned());
    }
    if !evidence.compose_in_widest_path {
        wrong.push("`compose` is not in the widest path of the flamegraph".to_owned());
    }
    let share = evidence.compose_share();
    if share < LEAST_SHARE {
        wrong.push(format!(
            "only {:.1} % of the growth leads through `compose`",
            share * 100.0
        ));
    }
    let leaks: Vec<&str> = evidence.leaks().map(|leak| leak.owner.as_str()).collect();
    if leaks.first().and_then(|owner| Part::of(owner)) != Some(Part::Compose) {
        wrong.push(format!(
            "`heaplens suspects` does not name composition as the first leak, but {leaks:?}"
        ));
    }
    // Not of all: the layout index, which grows with the widgets, may count as a leak too.
    if evidence
        .leaks()
        .next()
        .is_some_and(|leak| leak.retained.is_none())
    {
        wrong.push("`heaplens suspects` does not say which type is retained".to_owned());
    }
    for owner in &leaks {
        if let Some(part @ (Part::Cache | Part::Database)) = Part::of(owner) {
            wrong.push(format!("`heaplens suspects` accuses {part:?}: {owner}"));
        }
    }
    for (place, owner) in evidence.owners.iter().take(FIRST_OWNERS).enumerate() {
        if let Some(part @ (Part::Cache | Part::Database)) = Part::of(&owner.function) {
            wrong.push(format!(
                "{part:?} is number {} of the growing owners",
                place + 1
            ));
        }
    }
    wrong
}

/// What is wrong with the evidence of the fixed run: nothing if the leak is gone.
pub(crate) fn leak_is_gone(run: &Run, fixed: &Evidence, leaking: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    if run.registered > 0 {
        wrong.push(format!(
            "with the fix {} complex widgets are left",
            run.registered
        ));
    }
    let (left, leaked) = (fixed.heap.change(), leaking.heap.change());
    if left as f64 >= leaked as f64 * MOST_FIXED {
        wrong.push(format!(
            "with the fix the service grew by {left} bytes, without by {leaked}"
        ));
    }
    for leak in fixed.leaks() {
        wrong.push(format!(
            "with the fix `heaplens suspects` accuses {}",
            leak.owner
        ));
    }
    wrong
}

/// What is wrong with the first graph of the leaking service: nothing if it shows the cycle.
pub(crate) fn cycle_is_named(leaking: &Pointers) -> Vec<String> {
    match (leaking.cycles.first(), leaking.is_named) {
        (None, _) => vec!["the graph of the heap has no cycle of composition".to_owned()],
        (Some(cycle), false) => vec![format!(
            "not both sides of a cycle have line and type: {cycle}"
        )],
        (Some(_), true) => Vec::new(),
    }
}

/// What is wrong with the graph of the fixed service: nothing if it has no cycle.
pub(crate) fn no_cycle_is_left(fixed: &Pointers) -> Vec<String> {
    let left = fixed.cycles.iter();
    left.map(|cycle| format!("with the fix there is a {cycle}"))
        .collect()
}

impl Evidence {
    /// Owners that `heaplens suspects` says leak, the fastest first.
    pub(crate) fn leaks(&self) -> impl Iterator<Item = &Judged> {
        self.suspects
            .iter()
            .filter(|judged| judged.class == Class::Leak)
    }

    /// The share of the growth after warm-up that leads through `compose`, from 0 to 1.
    pub(crate) fn compose_share(&self) -> f64 {
        match self.grown {
            ..=0 => 0.0,
            grown => self.through_compose as f64 / grown as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use heaplens_cli::analysis::heap_graph::reach::Amount;

    use super::super::evidence::{Memory, Owner};
    use super::*;

    fn judged(owner: &str, class: Class) -> Judged {
        Judged {
            owner: owner.to_owned(),
            place: None,
            class,
            retained: Some("Vec<u8>".to_owned()),
        }
    }

    fn run(registered: u64) -> Run {
        let file = || "snapshot.json.gz".into();
        Run {
            steps: Vec::new(),
            start: file(),
            warm: file(),
            end: file(),
            early: Vec::new(),
            registered,
            evicted_when_warm: 1,
        }
    }

    fn evidence(change: i64) -> Evidence {
        let owner = |function: &str| Owner {
            function: function.into(),
            place: None,
            change: 1,
        };
        Evidence {
            heap: Memory {
                warm: 10 << 20,
                end: (10 << 20) + change,
                ..Memory::default()
            },
            resident: None,
            parts: [Memory::default(); 3],
            grown: change,
            through_compose: change,
            compose_place: None,
            compose_in_widest_path: true,
            owners: [
                "widget::compose::a",
                "widget::compose::b",
                "widget::render::c",
            ]
            .map(owner)
            .into(),
            suspects: vec![
                judged("widget::compose::a", Class::Leak),
                judged("widget::cache::insert", Class::Warming),
            ],
        }
    }

    fn leaking(change: impl FnOnce(&mut Evidence)) -> Vec<String> {
        let mut evidence = evidence(100 << 20);
        change(&mut evidence);
        leak_is_named(&run(9), &evidence)
    }

    #[test]
    fn a_leak_is_named_only_if_everything_points_at_compose() {
        assert_eq!(leaking(|_| ()), [""; 0]);
        assert_eq!(leaking(|e| e.heap.end = e.heap.warm).len(), 1);
        assert_eq!(leaking(|e| e.compose_in_widest_path = false).len(), 1);
        assert_eq!(leaking(|e| e.through_compose = e.grown / 100 * 59).len(), 1);
        assert_eq!(leaking(|e| e.through_compose = e.grown / 100 * 61).len(), 0);
        for suspect in [
            "widget::cache::Cache::insert",
            "widget::sqlite_memory::allocate",
        ] {
            assert_eq!(leaking(|e| e.owners[2].function = suspect.into()).len(), 1);
        }
        assert_eq!(leaking(|e| e.suspects[0].class = Class::Stable).len(), 1);
        assert_eq!(leaking(|e| e.suspects[1].class = Class::Leak).len(), 1);
        assert_eq!(leaking(|e| e.suspects[0].retained = None).len(), 1);
        assert_eq!(leak_is_named(&run(0), &evidence(100 << 20)).len(), 1);
    }

    #[test]
    fn a_leak_is_gone_only_below_two_percent_and_with_nothing_registered() {
        let gone = |left, registered| {
            let mut fixed = evidence(left);
            fixed.suspects.remove(0);
            leak_is_gone(&run(registered), &fixed, &evidence(100 << 20)).is_empty()
        };
        let accused = evidence(-1);
        assert_eq!(
            leak_is_gone(&run(0), &accused, &evidence(100 << 20)).len(),
            1
        );
        assert!(gone(-1, 0) && gone((2 << 20) - 1, 0));
        assert!(!gone(2 << 20, 0) && !gone(0, 1));
    }

    #[test]
    fn a_cycle_counts_if_both_sides_have_line_and_type_and_with_the_fix_at_all() {
        let graph = |cycles: &[&str], is_named| Pointers {
            unreached: Amount::default(),
            cycles: cycles.iter().map(|&cycle| cycle.to_owned()).collect(),
            is_named,
            took: Duration::ZERO,
        };
        let both = graph(
            &["cycle: Arc<Pane> (compose.rs:1) ↔ Vec<Arc<Pane>> (compose.rs:2)"],
            true,
        );
        assert!(cycle_is_named(&both).is_empty());
        assert_eq!(no_cycle_is_left(&both).len(), 1);
        assert_eq!(
            cycle_is_named(&graph(&["cycle: block (compose)"], false)).len(),
            1
        );
        let none = graph(&[], false);
        assert_eq!(cycle_is_named(&none).len(), 1);
        assert!(no_cycle_is_left(&none).is_empty());
    }
}
