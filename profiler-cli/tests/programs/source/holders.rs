//! Holds memory in a static, three structures deep, on its stack and in a thread-local; leaves a graph of the
//! heap; and then drops what its argument names, and prints how many bytes were freed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

const CONFIG: heaplens::Config = heaplens::Config::new();

/// Counts what is freed, whatever heaplens says, and leaves nothing of earlier blocks in new ones: a word that
/// is left over in the room of a vector holds what it points at.
struct Counting;

static PROFILED: heaplens::Allocator<System> = heaplens::Allocator::new(System, CONFIG);

thread_local! {
    /// Bytes that this thread has freed.
    static FREED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: passed on to an allocator that keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { PROFILED.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        FREED.set(FREED.get() + layout.size());
        // SAFETY: as above.
        unsafe { PROFILED.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static CATALOG: Mutex<Option<HashMap<u32, Shelf>>> = Mutex::new(None);

pub struct Shelf {
    items: Vec<Box<Item>>,
    /// Some of them lie on the stack too.
    tag: Arc<Tag>,
}

pub struct Item {
    name: String,
    price: u64,
}

pub struct Tag([u8; 300]);

thread_local! {
    static SESSIONS: RefCell<BTreeMap<u64, Session>> = const { RefCell::new(BTreeMap::new()) };
}

pub struct Session {
    log: Vec<u64>,
}

/// A tree whose nodes and lists of children take turns.
pub struct Node {
    children: Vec<Rc<Node>>,
    label: Option<Box<[u8; 24]>>,
}

#[inline(never)]
fn name(number: u32) -> String {
    let mut name = String::with_capacity(40); // [name]
    name.push_str("item ");
    name.push_str(&number.to_string());
    name
}

#[inline(never)]
fn item(number: u32) -> Box<Item> {
    let name = name(number);
    let price = u64::from(number) % 90;
    Box::new(Item { name, price }) // [item]
}

#[inline(never)]
fn items(count: u32) -> Vec<Box<Item>> {
    let mut items = Vec::new();
    for number in 0..count {
        items.push(item(number)); // [items]
    }
    items
}

#[inline(never)]
fn tag() -> Arc<Tag> {
    Arc::new(Tag([black_box(1); 300])) // [tag]
}

#[inline(never)]
fn stock(number: u32, shelf: Shelf) {
    let mut catalog = CATALOG.lock().unwrap();
    let shelves = catalog.get_or_insert_with(HashMap::new);
    shelves.insert(number, shelf); // [shelves]
}

#[inline(never)]
fn session(number: u64) {
    let log = vec![number; 10]; // [log]
    SESSIONS.with_borrow_mut(|sessions| sessions.insert(number, Session { log })); // [sessions]
}

#[inline(never)]
fn label() -> Box<[u8; 24]> {
    Box::new([black_box(7); 24]) // [label]
}

#[inline(never)]
fn children(depth: u32) -> Vec<Rc<Node>> {
    let mut children = Vec::new();
    for _ in 0..if depth == 0 { 0 } else { 3 } {
        children.push(node(depth - 1)); // [children]
    }
    children
}

#[inline(never)]
fn node(depth: u32) -> Rc<Node> {
    let (children, label) = (children(depth), Some(label()));
    Rc::new(Node { children, label }) // [node]
}

/// What lies on the stack of `main`.
struct Held {
    boxed: Option<Box<[u64; 50]>>,
    lines: Vec<Box<[u8; 70]>>,
    counted: Option<Arc<Vec<u16>>>,
    tree: Option<Rc<Node>>,
    tags: [Option<Arc<Tag>>; 3],
}

#[inline(never)]
fn boxed() -> Box<[u64; 50]> {
    Box::new([black_box(3); 50]) // [boxed]
}

#[inline(never)]
fn line() -> Box<[u8; 70]> {
    Box::new([black_box(5); 70]) // [line]
}

#[inline(never)]
fn lines() -> Vec<Box<[u8; 70]>> {
    let mut lines = Vec::new();
    for _ in 0..30 {
        lines.push(line()); // [lines]
    }
    lines
}

#[inline(never)]
fn numbers() -> Vec<u16> {
    vec![black_box(1); 500] // [numbers]
}

#[inline(never)]
fn counted() -> Arc<Vec<u16>> {
    let numbers = numbers();
    Arc::new(numbers) // [counted]
}

#[inline(never)]
fn build(held: &mut Held) {
    for number in 0..100 {
        let tag = tag();
        if let Some(place) = held.tags.get_mut(number as usize) {
            *place = Some(Arc::clone(&tag));
        }
        let items = items(number % 7);
        stock(number, Shelf { items, tag });
    }
    (0..60).for_each(session);
    held.boxed = Some(boxed());
    held.lines = lines();
    held.counted = Some(counted());
    held.tree = Some(node(4));
}

/// Overwrites what calls that have returned left on the stack.
#[inline(never)]
fn clear_stack() {
    black_box([0_u8; 256 << 10]);
}

fn each_shelf(each: impl FnMut(&mut Shelf)) {
    let mut catalog = CATALOG.lock().unwrap();
    catalog.iter_mut().flat_map(HashMap::values_mut).for_each(each);
}

fn each_node(node: &mut Rc<Node>, each: &mut impl FnMut(&mut Node)) {
    let node = Rc::get_mut(node).expect("nobody else holds it");
    node.children.iter_mut().for_each(|child| each_node(child, each));
    each(node);
}

#[inline(never)]
fn drop_named(what: &str, held: &mut Held) {
    match what {
        "static" => drop(CATALOG.lock().unwrap().take()),
        "items" => each_shelf(|shelf| shelf.items = Vec::new()),
        "item" => each_shelf(|shelf| shelf.items.clear()),
        "name" => each_shelf(|shelf| shelf.items.iter_mut().for_each(|item| item.name = String::new())),
        "sessions" => drop(SESSIONS.take()),
        "log" => SESSIONS.with_borrow_mut(|sessions| sessions.values_mut().for_each(|one| one.log = Vec::new())),
        "boxed" => held.boxed = None,
        "lines" => held.lines = Vec::new(),
        "line" => held.lines.clear(),
        "counted" => held.counted = None,
        "node" => held.tree = None,
        // The outermost, and with it all the others.
        "children" => Rc::get_mut(held.tree.as_mut().unwrap()).unwrap().children = Vec::new(),
        "label" => each_node(held.tree.as_mut().unwrap(), &mut |node| node.label = None),
        _ => panic!("nothing is called {what}"),
    }
}

fn main() {
    let profiler = heaplens::start(CONFIG).expect("heaplens starts");
    let what = std::env::args().nth(1).expect("what is to be dropped");
    let mut held = Held {
        boxed: None,
        lines: Vec::new(),
        counted: None,
        tree: None,
        tags: [const { None }; 3],
    };
    build(&mut held);
    clear_stack();
    heaplens::snapshot_graph().expect("a graph of the heap");
    let before = FREED.get();
    drop_named(&what, &mut held);
    println!("{}", FREED.get() - before);
    black_box(&mut held);
    drop(profiler);
}
