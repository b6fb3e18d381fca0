//! What a profile says: pure functions from profiles to rows. Nothing here writes text or files.

pub mod diff;
pub mod gate;
pub mod heap_graph;
mod identity;
pub mod inspect;
pub mod suspects;
pub mod top;
pub mod trend;
pub mod watch;
