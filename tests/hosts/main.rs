//! Hostile programs with heaplens as their allocator: none of them hangs, crashes, sees another result
//! than without, or is recorded wrongly.
//!
//! Each scenario runs in processes of their own, over several inner allocators and in both modes. The
//! default is a tenth of each storm; with `HEAPLENS_STORMS=full` in the environment it is all of it.
//! Arguments name scenarios, or parts of their names. Without a harness: its threads would allocate too.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod c_library;
#[path = "../processes/children.rs"]
mod children;
mod driver;
mod host;
mod inner;
mod scenarios;
mod stack_use;
mod watchdog;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: heaplens::Allocator<inner::Inner> =
    heaplens::Allocator::new(inner::Inner, heaplens::Config::new());

fn main() -> ExitCode {
    match std::env::var(driver::SCENARIO) {
        Ok(name) => {
            scenarios::run(&name);
            ExitCode::SUCCESS
        }
        Err(_) => driver::main(),
    }
}
