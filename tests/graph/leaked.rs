//! Programs that lose blocks, and know how many.

use crate::held::text;
use crate::{Build, Program};
use std::cell::RefCell;
use std::hint::black_box;
use std::mem;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;

pub(crate) const ALL: [Build; 9] = [
    ("cycle-of-two", || rings::<2>(6_000)),
    ("cycle-of-one", || rings::<1>(8_000)),
    ("cycle-of-five", || rings::<5>(3_000)),
    ("doubly-linked-lists", doubly_linked),
    ("trees-with-parents", trees),
    ("closures-that-hold-themselves", closures),
    ("arcs-of-a-thread-that-ended", arcs),
    ("forgotten-boxes", || {
        lost(
            20_000,
            false,
            || mem::forget(black_box(Box::new([7_u64; 4]))),
            1,
        )
    }),
    ("forgotten-vectors", || {
        lost(
            5_000,
            false,
            || mem::forget((0..3).map(text).collect::<Vec<_>>()),
            4,
        )
    }),
];

/// Loses something so many times, each of so many blocks.
fn lost(times: u64, is_cycle: bool, lose: impl Fn(), blocks: u64) -> Program {
    (0..times).for_each(|_| lose());
    Program {
        unreached: times * blocks,
        instances: times,
        is_cycle,
        ..Program::default()
    }
}

#[derive(Default)]
struct Node {
    next: RefCell<Option<Rc<Node>>>,
    back: RefCell<Option<Rc<Node>>>,
}

/// A function for each length, and so call paths of its own.
fn rings<const LEN: u64>(times: u64) -> Program {
    let ring = || {
        let first = Rc::new(Node::default());
        let last = (1..LEN).fold(Rc::clone(&first), |last, _| {
            let next = Rc::new(Node::default());
            *last.next.borrow_mut() = Some(Rc::clone(&next));
            next
        });
        *last.next.borrow_mut() = Some(first);
    };
    lost(times, true, ring, LEN)
}

fn doubly_linked() -> Program {
    let list = || {
        let mut last = Rc::new(Node::default());
        for _ in 1..10 {
            let next = Rc::new(Node::default());
            *next.back.borrow_mut() = Some(Rc::clone(&last));
            *last.next.borrow_mut() = Some(Rc::clone(&next));
            last = next;
        }
    };
    lost(4_000, true, list, 10)
}

struct Panel {
    #[expect(dead_code, reason = "hangs on it")]
    name: String,
    parent: RefCell<Option<Rc<Panel>>>,
    children: RefCell<Vec<Rc<Panel>>>,
}

fn panel(name: u64) -> Rc<Panel> {
    Rc::new(Panel {
        name: text(name),
        parent: RefCell::default(),
        children: RefCell::default(),
    })
}

fn trees() -> Program {
    let tree = || {
        let root = panel(0);
        for name in 0..4 {
            let child = panel(name);
            *child.parent.borrow_mut() = Some(Rc::clone(&root));
            root.children.borrow_mut().push(child);
        }
    };
    // Five panels with their names, and the vector of the children.
    lost(8_000, true, tree, 11)
}

#[derive(Default)]
struct Button {
    on_click: RefCell<Option<Box<dyn Fn() -> bool>>>,
}

fn closures() -> Program {
    let button = || {
        let button = Rc::new(Button::default());
        let itself = Rc::clone(&button);
        let on_click = move || itself.on_click.borrow().is_some();
        *button.on_click.borrow_mut() = Some(Box::new(on_click));
    };
    lost(10_000, true, button, 2)
}

#[derive(Default)]
struct Shared {
    other: Mutex<Option<Arc<Shared>>>,
}

fn arcs() -> Program {
    let pair = || {
        let (one, other) = (Arc::new(Shared::default()), Arc::new(Shared::default()));
        *one.other.lock().expect("no panic") = Some(Arc::clone(&other));
        *other.other.lock().expect("no panic") = Some(one);
    };
    let thread = thread::spawn(move || (0..4_000).for_each(|_| pair()));
    thread.join().expect("no panic");
    Program {
        unreached: 8_000,
        instances: 4_000,
        is_cycle: true,
        ..Program::default()
    }
}
