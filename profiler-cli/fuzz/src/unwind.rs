//! The unwinder of the library: unwind tables, code behind calls, and notes of what is loaded.

use heaplens::internals::{Frame, Steps, UnwindBytes, build_id};

/// Where the segment lies. Nothing is there: what is read of it, is read of the bytes.
const ADDRESS: u64 = 0x40_0000;

/// Addresses that are looked up.
const PLACES: u64 = 256;

/// Words of the stack that steps are taken on.
const WORDS: usize = 64;

/// Steps from all over a segment, of which the first byte says how long its header is, in words.
pub fn unwind(data: &[u8]) {
    let _ = build_id(data);
    let Some((&words, segment)) = data.split_first() else {
        return;
    };
    let Some(tables) = UnwindBytes::new(ADDRESS, segment, 4 * usize::from(words)) else {
        return;
    };
    let stack: [u64; WORDS] = std::array::from_fn(|at| at as u64 * 0x1001 % 61);
    let sp = stack.as_ptr() as u64;
    let len = segment.len() as u64;
    let apart = (len / PLACES).max(1);
    let near = (0..PLACES).map(|place| ADDRESS + place * apart);
    for return_address in near.chain(named(segment)).chain([0, 1, u64::MAX]) {
        for bp in [0, sp, sp + 64, sp + 8 * (WORDS as u64 - 2), u64::MAX - 7] {
            if let Some(steps) = tables.step(return_address, bp, &stack) {
                holds(steps, &stack);
            }
        }
    }
}

/// Starts of functions as the header's table has them, and a little behind.
fn named(segment: &[u8]) -> impl Iterator<Item = u64> {
    let entries = segment.get(12..).unwrap_or_default().chunks_exact(8);
    entries.take(PLACES as usize).flat_map(|entry| {
        let offset = i32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]);
        let start = ADDRESS.wrapping_add(i64::from(offset) as u64);
        [1, 5, 64].map(|behind| start.wrapping_add(behind))
    })
}

/// A caller's frame is further out, and within the stack, which its return address is read from; and the
/// usual way leads where the checked one does.
fn holds(steps: Steps, stack: &[u64]) {
    if steps.usual.is_some() {
        assert_eq!(steps.usual, steps.checked);
    }
    let Some(Frame {
        return_address, sp, ..
    }) = steps.checked
    else {
        return;
    };
    let start = stack.as_ptr() as u64;
    assert!(sp > start, "{steps:x?}");
    // Of a frame that a signal has interrupted, its own registers tell.
    let is_read = |word: &u64| *word == return_address || word.wrapping_add(1) == return_address;
    assert!(stack.iter().any(is_read), "{steps:x?}");
}
