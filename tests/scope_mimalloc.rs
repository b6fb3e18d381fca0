//! Scopes over another allocator.

use heaplens::testing::{Scope, assert_peak, assert_retained};

heaplens::testing::install!(mimalloc::MiMalloc);

#[test]
fn are_the_same() {
    let scope = Scope::begin();
    let kept: Vec<u8> = Vec::with_capacity(1_000);
    drop(vec![0_u8; 1 << 20]);
    let report = scope.end();
    assert_retained!(&report == 1_000);
    assert_peak!(&report == 1_000 + (1 << 20));
    drop(kept);
}
