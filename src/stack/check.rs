//! How a remembered step is checked against the stack, in a word.

/// What a step read, beside the return address below the caller's stack pointer, and whether it
/// matters.
///
/// The value of rbp is part of what a step starts from, but few steps use it: those of frames that
/// find the CFA by it, and those that hand it unchanged to such a frame. To all others it is *dead*:
/// they replace it by the one that the frame has saved, or nobody asks for it. Programs keep
/// counters and pointers in rbp, which change all the time; dead ones are not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Check(u32);

impl Check {
    /// Comparing words is not enough.
    const SPECIAL: u32 = 1;
    /// The saved rbp is compared too: it is live in the caller.
    const COMPARES_BASE: u32 = 1 << 1;
    /// rbp was saved in the frame: that many words above the stack pointer as the bits from
    /// [`Self::OFFSET`] on say.
    const SAVES_BASE: u32 = 1 << 2;
    /// rbp is live.
    const LIVE: u32 = 1 << 3;
    /// The step itself uses rbp.
    const USES_BASE: u32 = 1 << 4;
    const OFFSET: u32 = 5;

    /// The step is taken anew.
    pub(super) const AGAIN: Self = Self(Self::SPECIAL | Self::USES_BASE);
    /// Outermost: the rule alone says so.
    pub(super) const END: Self = Self(Self::SPECIAL);

    /// Of a step that has read the return address alone.
    #[inline(always)]
    pub(super) fn return_address(uses_base: bool) -> Self {
        match uses_base {
            true => Self(Self::USES_BASE),
            false => Self(0),
        }
    }

    /// Of a step that has read rbp as well, so many words above the stack pointer.
    #[inline(always)]
    pub(super) fn saved(words: u64, uses_base: bool) -> Self {
        if words >> (u32::BITS - Self::OFFSET) != 0 {
            return Self::AGAIN;
        }
        let offset = (words as u32) << Self::OFFSET;
        Self(Self::return_address(uses_base).0 | Self::SAVES_BASE | offset)
    }

    /// As a rule keeps it.
    #[inline(always)]
    pub(super) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// See [`Self::from_bits`].
    pub(super) fn bits(self) -> u32 {
        self.0
    }

    /// What depends on the step alone, and not on those further out.
    #[inline(always)]
    pub(super) fn own(self) -> Self {
        Self(self.0 & !(Self::COMPARES_BASE | Self::LIVE))
    }

    /// Of a step's own check: whether that is all of it where the caller has the check `outward`,
    /// and the return address all that is compared. So it is for most: rbp has no part in them.
    #[inline(always)]
    pub(super) fn is_whole_before(self, outward: Self) -> bool {
        self.0 & (Self::SPECIAL | Self::USES_BASE) | outward.0 & Self::LIVE == 0
    }

    /// The check of a step, of which this is its own part, whose caller has the check `outward`;
    /// [`Self::END`] if there is none.
    #[inline(always)]
    pub(super) fn before(self, outward: Self) -> Self {
        let live = outward.0 & Self::LIVE;
        let used = (self.0 & Self::USES_BASE) >> 1;
        Self(match self.0 & Self::SAVES_BASE {
            0 => self.0 | used | live,
            _ => self.0 | used | live >> 2,
        })
    }

    /// Whether the return address is all that is compared.
    #[inline(always)]
    pub(super) fn is_plain(self) -> bool {
        self.0 & (Self::SPECIAL | Self::COMPARES_BASE) == 0
    }

    #[inline(always)]
    pub(super) fn is_by_words(self) -> bool {
        self.0 & Self::SPECIAL == 0
    }

    #[inline(always)]
    pub(super) fn compares_base(self) -> bool {
        self.0 & Self::COMPARES_BASE != 0
    }

    #[inline(always)]
    pub(super) fn is_base_live(self) -> bool {
        self.0 & Self::LIVE != 0
    }

    #[inline(always)]
    pub(super) fn saves_base(self) -> bool {
        self.0 & Self::SAVES_BASE != 0
    }

    /// Bytes from the stack pointer up to the saved rbp; 0 where there is none.
    #[inline(always)]
    pub(super) fn saved_base_offset(self) -> u64 {
        u64::from(self.0 >> Self::OFFSET) * 8
    }
}
