//! Runs the programs of others for a check. All in their process group ends with them, and they end with
//! this one.
//!
//! | file | does |
//! |---|---|
//! | [`group`] | a command and all processes that it starts |
//! | [`watch`] | waits, and passes signals on meanwhile |
//! | [`ready`] | whether a server answers yet |
//! | [`snapshots`] | asks for snapshots from outside, and waits for their files |

pub(crate) mod group;
pub(crate) mod ready;
pub(crate) mod snapshots;
pub(crate) mod watch;
