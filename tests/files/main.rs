//! The folder of snapshots under all that can happen to it: never a torn file under a lasting name,
//! nothing of others touched, and a host that goes on as if nothing were.
//!
//! With `HEAPLENS_STORMS=full` in the environment every system call of a snapshot is gone through,
//! otherwise every seventh.

mod calls;
mod folders;
#[path = "../processes/mod.rs"]
mod processes;
mod scans;
mod secrets;
#[path = "../system_calls/mod.rs"]
mod system_calls;

use heaplens::{Allocator, Config};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::new(System, Config::new());

#[test]
#[ignore = "what the other tests run in processes of their own"]
fn role() {
    let roles = [calls::ROLES, folders::ROLES, scans::ROLES, secrets::ROLES].concat();
    assert!(processes::play(&roles), "started by another test");
}
