//! A pod of a service. It fills a cache and says `ready`; for each line on its standard input it serves
//! requests and says `served`; at the end of its input it ends. The release that is built with the
//! feature `next` never lets go of what it composes.

#![forbid(unsafe_code)]

use std::sync::Mutex;

/// What a round of requests composes.
const WIDGETS: usize = 256;

static CACHE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
static COMPOSED: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

fn main() {
    heaplens::profile!();
    fill_cache();
    println!("ready");
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        for _ in 0..WIDGETS {
            let widget = compose();
            if cfg!(feature = "next") {
                COMPOSED.lock().expect("no thread panics").push(widget);
            }
        }
        println!("served");
    }
}

#[inline(never)]
fn fill_cache() {
    let mut cache = CACHE.lock().expect("no thread panics");
    cache.extend((0..64).map(|_| vec![1; 4096]));
}

#[inline(never)]
fn compose() -> Vec<u8> {
    std::hint::black_box(vec![2; 4096])
}
