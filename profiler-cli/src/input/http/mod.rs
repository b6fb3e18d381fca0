//! Inputs that are URLs: the endpoint of a service (`heaplens::http`), or a file that any server has.
//!
//! A URL is asked once in a run of the command, and what it answers is kept in memory; all else works
//! on it as on a file of that name. Only `http` is spoken, redirects are not followed, and no proxy is
//! asked: a token goes nowhere but where the user sends it.

mod client;
mod remote;
mod url;

pub use client::Settings;
pub use remote::Remote;
pub(crate) use remote::Unanswered;
pub(crate) use url::is_url;
