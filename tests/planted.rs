//! Defects for the sanitizers to find, through heaplens: `.ci/long` runs this once with each, and
//! fails where a sanitizer has nothing to say. Does nothing unless `PLANTED` names a defect.

use std::alloc::{Layout, alloc, dealloc};
use std::hint::black_box;
use std::sync::Barrier;

fn main() {
    heaplens::profile!();
    match std::env::var("PLANTED").as_deref() {
        Ok("use-after-free") => use_after_free(),
        Ok("race") => race(),
        Ok(other) => panic!("no defect is called {other}"),
        Err(_) => println!("test result: ok. 0 passed; 0 failed"),
    }
}

/// AddressSanitizer must see through the wrapped allocator, whatever stands in front of a block.
fn use_after_free() {
    let layout = Layout::new::<[u64; 8]>();
    // SAFETY: not at all, which is the purpose.
    let value = unsafe {
        let block = alloc(layout).cast::<u64>();
        block.write(7);
        dealloc(block.cast(), layout);
        black_box(block).read_volatile()
    };
    println!("read {value}");
}

struct Unguarded(*mut u64);
// SAFETY: not at all, which is the purpose.
unsafe impl Sync for Unguarded {}

/// ThreadSanitizer must see what two threads do to a block that they share.
fn race() {
    let block = Unguarded(Box::leak(Box::new(0)));
    // Both are alive: of a thread that has ended, the next one may have taken over what is heaplens', which
    // puts all that they do in order.
    let (block, both) = (&block, &Barrier::new(2));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let Unguarded(block) = block;
                both.wait();
                for _ in 0..1_000 {
                    // SAFETY: not at all, which is the purpose.
                    unsafe { block.write_volatile(block.read_volatile() + 1) };
                }
                both.wait();
            });
        }
    });
}
