//! What a profile says: pure functions from profiles to rows. Nothing here writes text or files.

pub mod diff;
pub mod inspect;
pub mod top;
