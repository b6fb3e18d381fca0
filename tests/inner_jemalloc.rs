//! The suite for inner allocators, over tikv_jemallocator::Jemalloc.

mod inner;

use inner::spy::Spy;
use inner::{in_each_mode, lazy, numbers, stacks};

#[global_allocator]
static ALLOCATOR: heaplens::Allocator<Spy<tikv_jemallocator::Jemalloc>> =
    heaplens::Allocator::new(Spy(tikv_jemallocator::Jemalloc), heaplens::Config::new());

fn main() {
    let _profiler = heaplens::start(heaplens::Config::new()).unwrap();
    in_each_mode(|mode| {
        numbers::add_up(mode);
        lazy::as_the_bare_allocator(&tikv_jemallocator::Jemalloc);
        stacks::equal_backtrace();
    });
}
