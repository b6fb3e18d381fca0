//! Composes nested widgets and never lets go of them.
//!
//! `service stacks`: to a known depth, in the main thread and in two others. `service leak`: more
//! and more of them, snapshots before and after, then waits to be killed. `service exit 7`: some,
//! and ends with that code.

#![forbid(unsafe_code)]

use std::sync::Mutex;

/// Frames of `compose` in the deepest stack.
const DEPTH: usize = 40;

trait Part: Send {
    fn pixels(&self) -> usize;
}

struct Widget {
    own: Box<[u8; 4096]>,
    children: Vec<Box<dyn Part>>,
}

impl Part for Widget {
    fn pixels(&self) -> usize {
        self.own.len() + self.children.iter().map(|child| child.pixels()).sum::<usize>()
    }
}

static WIDGETS: Mutex<Vec<Box<dyn Part>>> = Mutex::new(Vec::new());

fn main() {
    heaplens::profile!();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["stacks"] => {
            serve(1);
            for _ in 0..2 {
                std::thread::spawn(|| serve(1)).join().expect("the thread ends");
            }
        }
        ["leak"] => {
            serve(1);
            heaplens::snapshot("before").expect("a snapshot");
            serve(200);
            heaplens::snapshot("after").expect("a snapshot");
            println!("leaked");
            std::thread::sleep(std::time::Duration::from_secs(600));
        }
        ["exit", code] => {
            serve(1);
            std::process::exit(code.parse().expect("a number"));
        }
        _ => panic!("unknown arguments: {arguments:?}"),
    }
}

#[inline(never)]
fn serve(requests: usize) {
    for _ in 0..requests {
        let widget = compose(DEPTH - 1);
        assert_eq!(widget.pixels(), DEPTH * 4096);
        WIDGETS.lock().expect("no thread panics").push(widget);
    }
}

/// One block of 4,096 bytes at each level.
#[inline(never)]
fn compose(levels_below: usize) -> Box<dyn Part> {
    let own = Box::new(std::hint::black_box([7; 4096])); // [own]
    let mut widget = Widget { own, children: Vec::new() };
    if levels_below > 0 {
        nest(&mut widget, way(levels_below), &|| compose(levels_below - 1));
    }
    Box::new(widget)
}

/// 0, 1 or 2, so that no row of levels is followed by the same row: it would be recorded as one. The
/// differences in the sequence of Thue and Morse, where each number stands for the parity of its ones.
fn way(level: usize) -> u32 {
    let parity = |level: usize| level.count_ones() & 1;
    (3 + parity(level + 1) - parity(level)) % 3
}

/// Calls back through a pointer, as handlers are called, from one of three places.
#[inline(never)]
fn nest(widget: &mut Widget, way: u32, make: &dyn Fn() -> Box<dyn Part>) {
    let child = match way {
        0 => made_at::<0>(make),
        1 => made_at::<1>(make),
        _ => made_at::<2>(make),
    };
    widget.children.push(child);
}

/// A place of its own for each number: calls that are the same would be merged.
#[inline(always)]
fn made_at<const PLACE: u32>(make: &dyn Fn() -> Box<dyn Part>) -> Box<dyn Part> {
    std::hint::black_box(PLACE);
    let child = make();
    std::hint::black_box(PLACE);
    child
}
