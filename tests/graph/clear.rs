//! What calls and blocks that are gone have left behind, written over.

/// What calls that have returned left on the stack.
#[inline(never)]
pub(crate) fn stack() {
    std::hint::black_box([0_u8; 256 << 10]);
}

/// Calls so far down the stack that [`stack`] writes over all that is left of it.
#[inline(never)]
pub(crate) fn within<R>(call: impl FnOnce() -> R) -> R {
    let room = std::hint::black_box([0_u8; 4 << 10]);
    let result = call();
    std::hint::black_box(&room);
    result
}

/// Blocks of each size, as many as an allocator may have free of what it has had before: what comes later comes from
/// memory that nobody has an old address of.
pub(crate) fn fill() -> Vec<Vec<u8>> {
    const LARGEST: usize = 64 << 10;
    const OF_EACH_SIZE: usize = 128 << 10;
    let small = (8..=1_024).step_by(8);
    let large = (1_024..=LARGEST).step_by(1_024);
    small
        .chain(large)
        .flat_map(|bytes| (0..OF_EACH_SIZE / bytes).map(move |_| vec![0xff; bytes]))
        .collect()
}
