//! What the examples share.
//!
//! | module | is |
//! |---|---|
//! | [`widget`] | the Quantum Widget API: a rendering service with a leak, for heaplens to find |
//! | [`drive`] | what runs it: the service and nginx as processes, and load over HTTP |

pub mod drive;
pub mod widget;
