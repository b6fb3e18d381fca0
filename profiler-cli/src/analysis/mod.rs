//! What a profile says: pure functions from profiles to rows. Nothing here writes text or files.

pub mod diff;
mod identity;
pub mod inspect;
pub mod suspects;
pub mod top;
pub mod trend;
