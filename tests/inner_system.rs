//! The suite for inner allocators, over std::alloc::System.

mod inner;

use inner::spy::Spy;
use inner::{in_each_mode, lazy, numbers, stacks};

#[global_allocator]
static ALLOCATOR: heaplens::Allocator<Spy<std::alloc::System>> =
    heaplens::Allocator::new(Spy(std::alloc::System), heaplens::Config::new());

fn main() {
    let _profiler = heaplens::start(heaplens::Config::new()).unwrap();
    in_each_mode(|mode| {
        numbers::add_up(mode);
        lazy::as_the_bare_allocator(&std::alloc::System);
        stacks::equal_backtrace();
    });
}
