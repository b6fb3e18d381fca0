//! Serves requests, with a cache that fills in the first half of the run.
//!
//! `requests leak`: keeps a KiB of each. `requests fit`: keeps nothing. `requests fail`: ends with code 3
//! after all of them. `requests wait`: is done with them, and waits to be stopped.

use std::hint::black_box;
use std::process::ExitCode;

/// Entries that the cache holds.
const ENTRIES: usize = 500;

struct Service {
    cache: Vec<Vec<u8>>,
    log: Vec<Box<[u8; 1024]>>,
    served: usize,
}

impl Service {
    #[inline(never)]
    fn remember(&mut self) {
        if self.cache.len() == ENTRIES {
            self.cache.remove(0);
        }
        self.cache.push(black_box(vec![1; 3000])); // [remember]
    }

    #[inline(never)]
    fn log(&mut self) {
        self.log.push(Box::new(black_box([2; 1024]))); // [log]
    }

    #[inline(never)]
    fn serve(&mut self, leaks: bool) {
        black_box(vec![3_u8; 10_000]);
        self.served += 1;
        // Every other request is for something new.
        if self.served % 2 == 0 {
            self.remember();
        }
        if leaks {
            self.log();
        }
    }
}

fn main() -> ExitCode {
    heaplens::profile!();
    let what = std::env::args().nth(1).expect("what to do");
    let count = std::env::var("HEAPLENS_ITERATIONS").map_or(0, |n| n.parse().expect("a number"));
    // Of its full size from the start, so that it never moves.
    let mut service = Service {
        cache: Vec::with_capacity(ENTRIES),
        log: Vec::with_capacity(count),
        served: 0,
    };
    if count > 0 {
        heaplens::iterate(|| service.serve(what == "leak"));
    }
    black_box(&service);
    match what.as_str() {
        "fail" => ExitCode::from(3),
        "wait" => loop {
            std::thread::sleep(std::time::Duration::from_secs(600));
        },
        _ => ExitCode::SUCCESS,
    }
}
