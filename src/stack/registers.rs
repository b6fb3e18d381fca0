//! The registers that an unwind starts from.

/// Instruction pointer, stack pointer and frame base of a place in the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Registers {
    /// For a caller, where its call returns to: behind the call. For a place where a signal came in,
    /// one byte behind the start of the instruction. The byte before belongs to the instruction in
    /// either case.
    pub(crate) return_address: u64,
    pub(crate) sp: u64,
    pub(crate) bp: u64,
}

/// Who calls: what a function that begins with `push rbp` finds at its stack pointer afterwards.
#[repr(C)]
pub(crate) struct CallRecord {
    bp: u64,
    return_address: u64,
}

impl CallRecord {
    /// No unwinder for this processor: a place in no module, so that every stack is marked.
    #[cfg(not(target_arch = "x86_64"))]
    pub(crate) const UNKNOWN: Self = Self {
        bp: 0,
        return_address: 1,
    };

    /// The caller's registers, at its call.
    #[inline(always)]
    pub(crate) fn caller(&self) -> Registers {
        Registers {
            return_address: self.return_address,
            sp: &raw const *self as u64 + size_of::<Self>() as u64,
            bp: self.bp,
        }
    }
}

impl Registers {
    /// An address inside the instruction that is executing: for a caller, inside its call.
    #[inline(always)]
    pub(crate) fn pc(&self) -> u64 {
        self.return_address.wrapping_sub(1)
    }

    /// The stack pointer of the function that this is inlined into.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(crate) fn stack_pointer() -> u64 {
        let sp;
        // SAFETY: reads a register and nothing else.
        unsafe {
            std::arch::asm!("mov {}, rsp", out(reg) sp, options(nomem, nostack, preserves_flags));
        }
        sp
    }

    /// The registers of the function that this is inlined into.
    #[cfg(all(target_arch = "x86_64", any(test, feature = "internals")))]
    #[inline(always)]
    pub(crate) fn here() -> Self {
        let (return_address, sp, bp): (u64, u64, u64);
        // SAFETY: reads three registers and nothing else.
        unsafe {
            std::arch::asm!(
                "lea {return_address}, [rip]",
                "mov {sp}, rsp",
                "mov {bp}, rbp",
                return_address = out(reg) return_address,
                sp = out(reg) sp,
                bp = out(reg) bp,
                options(nomem, nostack, preserves_flags),
            );
        }
        Self {
            return_address,
            sp,
            bp,
        }
    }

    /// No stack is known on this processor.
    #[cfg(not(target_arch = "x86_64"))]
    #[inline(always)]
    pub(crate) fn stack_pointer() -> u64 {
        0
    }

    /// No unwinder for this processor: a place in no module, so that every stack is marked.
    #[cfg(all(not(target_arch = "x86_64"), any(test, feature = "internals")))]
    #[inline(always)]
    pub(crate) fn here() -> Self {
        Self {
            return_address: 1,
            sp: 0,
            bp: 0,
        }
    }
}
