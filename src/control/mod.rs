//! Everything that is not the hook.

pub(crate) mod freeze;
