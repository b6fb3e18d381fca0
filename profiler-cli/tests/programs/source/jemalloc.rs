//! Keeps some blocks and drops others under jemalloc, and writes its profile where its argument says.

use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Block = Box<[u8; 4096]>;

#[inline(never)]
fn keep(kept: &mut Vec<Block>, blocks: usize) {
    for number in 0..blocks {
        kept.push(Box::new(black_box([number as u8; 4096])));
    }
}

#[inline(never)]
fn pass(blocks: usize) {
    for number in 0..blocks {
        drop(black_box(Box::new([number as u8; 1024])));
    }
}

fn main() {
    let mut kept = Vec::with_capacity(100);
    keep(&mut kept, 100);
    pass(1000);
    let profiler = jemalloc_pprof::PROF_CTL.as_ref().expect("jemalloc profiles");
    let profile = profiler.blocking_lock().dump_pprof().expect("a profile");
    let file = std::env::args_os().nth(1).expect("a file");
    std::fs::write(file, profile).expect("writing the profile");
    drop(black_box(kept));
}
