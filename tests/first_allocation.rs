//! A program that has allocated nothing before it starts the profiler: it is profiled all the same.
//!
//! Without the standard library's own `main`, which may allocate or not, as its version will have it.

#![no_main]

use heaplens::{Allocator, Config, Signal};
use std::alloc::System;
use std::ffi::c_int;
use std::time::Duration;

const CONFIG: Config = Config::new()
    .static_dir(concat!(env!("CARGO_TARGET_TMPDIR"), "/first_allocation"))
    .interval(Duration::ZERO)
    .signal(Signal::None);

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::new(System, CONFIG);

// SAFETY: nothing else has this name, and the C library calls it as such.
#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    let started = heaplens::start(CONFIG);
    match &started {
        Ok(_) => println!("test result: ok. 1 passed; 0 failed"),
        Err(error) => println!("test result: FAILED: {error}"),
    }
    c_int::from(started.is_err())
}
