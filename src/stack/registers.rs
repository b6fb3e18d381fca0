//! The registers that an unwind starts from.

/// Instruction pointer, stack pointer and frame base of a place in the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Registers {
    /// An address inside the instruction that is executing: for a caller, inside its call.
    pub(crate) pc: u64,
    pub(crate) sp: u64,
    pub(crate) bp: u64,
}

impl Registers {
    /// The registers of the function that this is inlined into.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(crate) fn here() -> Self {
        let (pc, sp, bp): (u64, u64, u64);
        // SAFETY: reads three registers and nothing else.
        unsafe {
            std::arch::asm!(
                "lea {pc}, [rip]",
                "mov {sp}, rsp",
                "mov {bp}, rbp",
                pc = out(reg) pc,
                sp = out(reg) sp,
                bp = out(reg) bp,
                options(nomem, nostack, preserves_flags),
            );
        }
        Self { pc, sp, bp }
    }

    /// No unwinder for this processor: a place in no module, so that every stack is marked.
    #[cfg(not(target_arch = "x86_64"))]
    #[inline(always)]
    pub(crate) fn here() -> Self {
        Self {
            pc: 0,
            sp: 0,
            bp: 0,
        }
    }
}
