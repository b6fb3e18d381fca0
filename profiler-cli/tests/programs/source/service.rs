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
        nest(&mut widget, &|| compose(levels_below - 1));
    }
    Box::new(widget)
}

/// Calls back through a pointer, as handlers are called.
#[inline(never)]
fn nest(widget: &mut Widget, make: &dyn Fn() -> Box<dyn Part>) {
    let child = make();
    widget.children.push(child);
}
