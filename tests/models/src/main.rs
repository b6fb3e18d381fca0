//! Runs small programs over the library's own tables under every order of their threads' steps,
//! and with every value that a load may return. Shows no more than these programs: a few threads
//! and a few steps each.
//!
//! With the feature `weakened` all orderings are relaxed, and a model that still passes is a
//! failure: it would have proved nothing.

use std::panic::catch_unwind;
use std::process::ExitCode;

mod atomic;
mod mapped;
mod models;
#[allow(
    dead_code,
    reason = "each model uses a part of its table, and none lists mappings"
)]
mod tables;

fn main() -> ExitCode {
    let must_fail = cfg!(feature = "weakened");
    let mut wrong = 0;
    for (name, model) in models::ALL {
        let mut builder = loom::model::Builder::new();
        builder.max_branches = 20_000;
        builder.preemption_bound = Some(3);
        let failed = catch_unwind(move || builder.check(model)).is_err();
        println!(
            "{name}: {}",
            match (failed, must_fail) {
                (false, false) => "holds",
                (true, true) => "fails without orderings, as it must",
                (true, false) => "FAILS",
                (false, true) => "HOLDS WITHOUT ORDERINGS",
            }
        );
        wrong += u8::from(failed != must_fail);
    }
    ExitCode::from(wrong)
}
