//! What no pointer reaches any more, found by scans of the process while other tests run in it.

use crate::failures::{failing_test, needs_exact_mode};
use heaplens::snapshot::graph::Role;
use heaplens::snapshot::{Limits, read};
use heaplens::testing::{Amount, Scope, assert_no_cycles};
use std::cell::RefCell;
use std::hint::black_box;
use std::process::Command;
use std::rc::{Rc, Weak};

struct Panel {
    #[expect(dead_code, reason = "hangs on it")]
    name: String,
    children: RefCell<Vec<Rc<Panel>>>,
    parent: RefCell<Option<Rc<Panel>>>,
    weak_parent: RefCell<Weak<Panel>>,
}

fn panel() -> Rc<Panel> {
    Rc::new(Panel {
        name: String::from("a name"),
        children: RefCell::default(),
        parent: RefCell::default(),
        weak_parent: RefCell::default(),
    })
}

fn sizes() -> (u64, u64) {
    // Two counters, and the value; room for four pointers.
    (size_of::<Panel>() as u64 + 16, 32)
}

/// Two panels, their names, and the vector of the child.
#[inline(never)]
fn lose_cycles(times: usize) {
    for _ in 0..times {
        let (parent, child) = (panel(), panel());
        *child.parent.borrow_mut() = Some(Rc::clone(&parent));
        parent.children.borrow_mut().push(child);
    }
}

#[inline(never)]
fn lose_boxes(times: usize) {
    (0..times).for_each(|_| std::mem::forget(black_box(Box::new([7_u64; 4]))));
}

/// As it should be: the way back does not hold.
fn tree() -> Rc<Panel> {
    let (parent, child) = (panel(), panel());
    *child.weak_parent.borrow_mut() = Rc::downgrade(&parent);
    parent.children.borrow_mut().push(child);
    parent
}

#[test]
fn what_is_held_or_freed_is_not_lost() {
    assert_no_cycles!(tree);
    assert_no_cycles!(|| drop(tree()), "{} trees", 1);
    let scope = Scope::begin();
    let held = tree();
    // Held by this frame alone.
    *held.parent.borrow_mut() = Some(Rc::clone(&held));
    assert_no_cycles!(scope);
    assert_no_cycles!();
    assert_eq!(scope.unreachable().amount(), Amount::default());
    *held.parent.borrow_mut() = None;
    drop(held);
    assert_no_cycles!(scope, "after {} tree", 1);
}

/// In a process of its own: where hundreds of threads have ended, words on their stacks hold some.
#[test]
fn a_scope_has_its_own_cycles_to_the_byte() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "cycles::has_its_own_cycles", "--ignored"])
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    assert!(stdout.contains("1 passed"), "{stdout}");
}

#[test]
#[ignore = "runs in a process of its own"]
fn has_its_own_cycles() {
    let outer = Scope::begin();
    let scope = Scope::begin();
    lose_cycles(3);
    let found = scope.unreachable();
    let (panel, vector) = sizes();
    let lost = Amount {
        bytes: 3 * (2 * panel + 2 * 6 + vector),
        blocks: 15,
    };
    assert_eq!(found.amount(), lost, "{found}");
    assert_eq!(found.cycles(), 3);
    let [shape] = found.shapes().collect::<Vec<_>>()[..] else {
        panic!("{found}");
    };
    assert!(shape.is_cycle());
    assert_eq!((shape.instances(), shape.amount()), (3, lost));
    // The parent, the child and the vector.
    let on_it = shape
        .members()
        .filter(|member| member.role() == Role::Cycle);
    assert_eq!(on_it.map(|member| member.amount().blocks).sum::<u64>(), 9);
    for member in shape.members() {
        let frames = member.frames();
        let is_named = |name: &str| frames.iter().any(|frame| frame.function.contains(name));
        assert!(is_named("lose_cycles"), "{frames:?}");
    }
    assert!(
        found.to_string().contains("a reference cycle, 3 times: "),
        "{found}"
    );
    // They are the outer one's too, and nobody else's.
    assert_eq!(outer.unreachable().cycles(), 3);
    drop(scope);
    let other = Scope::empty();
    assert_eq!(other.unreachable().amount(), Amount::default());
    assert_no_cycles!(other);
}

#[test]
fn what_is_forgotten_is_no_cycle() {
    let scope = Scope::begin();
    lose_boxes(500);
    assert_no_cycles!(scope);
    assert_no_cycles!(|| lose_boxes(500));
    let found = scope.unreachable();
    // Threads of other tests that have ended leave words on their stacks, which may point at some.
    let blocks = found.amount().blocks;
    assert!((900..=1_000).contains(&blocks), "{found}");
    assert_eq!(found.amount().bytes, 32 * blocks);
    assert_eq!(found.cycles(), 0);
    assert!(found.shapes().all(|shape| !shape.is_cycle()));
}

#[test]
fn cycles_of_other_tests_are_no_matter_of_this_one() {
    let threads: Vec<_> = (0..2)
        .map(|_| {
            std::thread::spawn(|| {
                let scope = Scope::begin();
                lose_cycles(20);
                let found = scope.unreachable();
                assert!((1..=20).contains(&found.cycles()), "{found}");
            })
        })
        .collect();
    for _ in 0..3 {
        assert_no_cycles!(tree);
        let _scope = Scope::begin();
        assert_no_cycles!();
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
#[ignore = "fails, to be looked at by another test"]
fn loses() {
    assert_no_cycles!(|| lose_cycles(3), "after {} panels", 6);
}

#[test]
#[ignore = "fails, to be looked at by another test"]
fn loses_somewhere() {
    lose_cycles(2);
    assert_no_cycles!(); // Here.
}

/// Where the one line of this file that begins like this is.
fn place(start: &str) -> String {
    let mut lines = include_str!("cycles.rs").lines().enumerate();
    let found = lines.find(|(_, line)| line.trim_start().starts_with(start));
    format!("tests/scopes/cycles.rs:{}", found.unwrap().0 + 1)
}

#[test]
fn a_cycle_is_named_with_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let text = failing_test("cycles::loses", folder.path());
    let (panel, vector) = sizes();
    let lost = 3 * (2 * panel + 2 * 6 + vector);
    for part in [
        "after 6 panels: reference cycles: 3, and not none\n",
        &format!("a reference cycle, 3 times: {lost} bytes in 15 blocks\n"),
        &format!("  on it: {} bytes in 3 blocks, allocated by\n", 3 * panel),
        &format!("    scopes::cycles::panel ({})\n", place("Rc::new(Panel {")),
        &format!(
            "    scopes::cycles::lose_cycles ({})\n",
            place("let (parent, child) = (panel(), panel());")
        ),
        "  hanging on it: 18 bytes in 3 blocks, allocated by\n",
        &format!(
            "panicked at {}:5",
            place("assert_no_cycles!(|| lose_cycles(3)")
        ),
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert!(!text.contains("the whole process"), "{text}");
    let (_, file) = text
        .split_once("To see who points at whom: heaplens leaks '")
        .unwrap();
    let snapshot = read(file.split_once('\'').unwrap().0, &Limits::default()).unwrap();
    let graph = snapshot.graph.unwrap();
    assert_eq!(graph.groups.cycle, [true]);
    assert_eq!(graph.groups.instances, [3]);
    assert_eq!(graph.sites.unreached_bytes.iter().sum::<u64>(), lost);
}

#[test]
fn without_a_scope_it_is_of_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let text = failing_test("cycles::loses_somewhere", folder.path());
    for part in [
        "reference cycles: 2, and not none\n",
        "The thread is in no scope, so these are of the whole process",
        &format!("panicked at {}:5", place("assert_no_cycles!(); // Here.")),
        "heaplens leaks '",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn without_exact_mode_it_fails_and_says_so() {
    needs_exact_mode("cycles::loses_somewhere");
}
