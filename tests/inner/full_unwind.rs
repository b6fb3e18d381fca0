//! The stack as the `backtrace` crate sees it: the oracle.

/// Appends the addresses of the calls around this one, innermost first, as far as there is room.
/// Each lies inside its call, as heaplens' own do. Allocates nothing of its own.
#[inline(never)]
pub(crate) fn full_unwind(into: &mut Vec<u64>) {
    let mut is_interrupted = false;
    // SAFETY: other threads may trace too, but nobody resolves symbols.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            let address = frame.ip() as u64;
            // Behind the outermost frame of a thread there may be one more, at address 0.
            if address != 0 {
                // What a signal has interrupted is no call: the address is that of what comes next.
                into.push(address - u64::from(!is_interrupted));
                is_interrupted = is_trampoline(address);
            }
            into.len() < into.capacity()
        });
    }
}

/// Whether the code is what the kernel lets signal handlers return to: a system call
/// `rt_sigreturn`, which is how unwinders know it too.
fn is_trampoline(address: u64) -> bool {
    const CODE: [u8; 9] = [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05];
    (0..).zip(CODE).all(|(offset, byte)| {
        let at = (address + offset) as *const u8;
        // SAFETY: as many bytes of code follow as are equal, since no function ends with them.
        unsafe { at.read() == byte }
    })
}
