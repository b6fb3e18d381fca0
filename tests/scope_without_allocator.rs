//! A test binary that has forgotten `install!()`.

use heaplens::testing::{Scope, assert_allocations};

#[test]
#[should_panic(expected = "heaplens::testing::install!();")]
fn an_assertion_says_what_is_missing() {
    assert_allocations!(|| drop(Box::new(1)) == 1);
}

#[test]
#[should_panic(expected = "heaplens::testing::install!(mimalloc::MiMalloc);")]
fn a_scope_says_how_another_allocator_is_wrapped() {
    drop(Scope::begin());
}

#[test]
fn marks_do_nothing_and_runs_are_run() {
    heaplens::mark("nobody looks");
    let mut runs = 0;
    assert_eq!(
        heaplens::iterate(|| {
            runs += 1;
            "result"
        }),
        "result"
    );
    assert_eq!(runs, 1);
}
