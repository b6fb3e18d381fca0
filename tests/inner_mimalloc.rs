//! The suite for inner allocators, over mimalloc::MiMalloc.

mod inner;

use inner::spy::Spy;
use inner::{in_each_mode, lazy, numbers, stacks};

#[global_allocator]
static ALLOCATOR: heaplens::Allocator<Spy<mimalloc::MiMalloc>> =
    heaplens::Allocator::new(Spy(mimalloc::MiMalloc), heaplens::Config::new());

fn main() {
    let _profiler = heaplens::start(heaplens::Config::new()).unwrap();
    in_each_mode(|mode| {
        numbers::add_up(mode);
        lazy::as_the_bare_allocator(&mimalloc::MiMalloc);
        stacks::equal_backtrace();
    });
}
