//! Composes widgets whose children point back to them. With `leak` they do so by counted pointers, and nobody
//! ever lets go of a widget.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hint::black_box;
use std::rc::{Rc, Weak};
use std::sync::Mutex;

static NAMES: Mutex<Option<HashMap<u64, String>>> = Mutex::new(None);

pub struct Panel {
    children: RefCell<Vec<Rc<Child>>>,
}

pub struct Child {
    counted: RefCell<Option<Rc<Panel>>>,
    weak: RefCell<Weak<Panel>>,
}

#[inline(never)]
fn panel() -> Rc<Panel> {
    let children = RefCell::default();
    Rc::new(Panel { children }) // [panel]
}

#[inline(never)]
fn child() -> Rc<Child> {
    let (counted, weak) = (RefCell::default(), RefCell::default());
    Rc::new(Child { counted, weak }) // [child]
}

#[inline(never)]
fn compose(leaks: bool) {
    let (panel, child) = (panel(), child());
    match leaks {
        true => *child.counted.borrow_mut() = Some(Rc::clone(&panel)),
        false => *child.weak.borrow_mut() = Rc::downgrade(&panel),
    }
    panel.children.borrow_mut().push(child);
    black_box(&panel);
}

fn main() {
    heaplens::profile!();
    let names = (0..1_000).map(|id| (id, format!("widget {id}")));
    *NAMES.lock().unwrap() = Some(names.collect());
    let leaks = std::env::args().nth(1).is_some_and(|mode| mode == "leak");
    for _ in 0..2_000 {
        compose(leaks);
    }
    heaplens::snapshot_graph().expect("a graph of the heap");
}
