//! Where a walk must end early.

use super::probe::{Fixture, memory};
use super::*;
use crate::tables::site_tree::NO_NODE;

#[test]
fn code_in_no_module_ends_the_stack_with_a_mark() {
    let fixture = Fixture::new(128);
    let walker = &fixture.walker;
    let mut here = Registers::here();
    here.return_address = 0x1001;
    let captured = walker.capture(memory(), here);
    assert_eq!(captured.truncated, Some(TruncatedCause::UnknownModule));
    let frames = fixture.frames(captured.node);
    let mark = SpecialFrame::Truncated(TruncatedCause::UnknownModule);
    assert_eq!(frames, [0x1000, special_frame(mark)]);
    assert!(fixture.walker.stepper.modules.is_refresh_wanted());
}

#[test]
fn a_stack_of_unknown_bounds_is_read_within_its_page_only() {
    let fixture = Fixture::new(128);
    let walker = &fixture.walker;
    // Two pages, the second unreadable: a walk that reads on would die.
    let pages = crate::platform::map_zeroed(8192).unwrap();
    // SAFETY: the pages were mapped above, for this test.
    unsafe { libc::mprotect(pages.as_ptr().add(4096).cast(), 4096, libc::PROT_NONE) };
    let mut here = Registers::here();
    // Every frame takes more than a word, whatever it is like.
    here.sp = pages.as_ptr() as u64 + 4096 - 8;
    here.bp = here.sp;
    let captured = walker.capture(memory(), here);
    assert_eq!(captured.truncated, Some(TruncatedCause::BadStack));
}

#[test]
fn a_full_tree_gives_no_node_and_recovers_nothing_false() {
    let mut fixture = Fixture::new(128);
    fixture.walker.tree = SiteTree::new(4, 128);
    let walker = &fixture.walker;
    let memory = memory();
    for _ in 0..3 {
        assert_eq!(walker.capture(memory, Registers::here()).node, NO_NODE);
    }
}
