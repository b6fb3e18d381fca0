//! Outputs: one file each, from analysed data to a writer. Nothing here reads files.

pub mod check;
pub mod diff_json;
pub mod diff_text;
pub mod differential;
pub mod escape;
pub mod flamegraph;
pub mod folded;
mod graph_words;
mod heading;
pub mod inspect_json;
pub mod inspect_text;
mod json;
pub mod leaks_json;
pub mod leaks_text;
pub mod palette;
mod path_text;
mod place;
mod reasons;
pub mod report;
pub mod retained_json;
pub mod retained_text;
pub mod speedscope;
mod stacks;
pub mod suspects_json;
pub mod suspects_text;
mod table;

pub mod top_json;
pub mod top_text;
pub mod units;
pub mod watch_text;
mod words;
