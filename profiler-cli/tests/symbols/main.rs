//! The symbolizer against programs built for the purpose.

mod fixture;
mod hostile;
mod names;
mod search;
mod split;
mod travel;
