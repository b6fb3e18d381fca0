//! `heaplens report`: a page that says what leaks and shows why, in one file that asks for nothing.
//!
//! | file | does |
//! |---|---|
//! | `verdict` | the first screen: what, how much, since when, until when |
//! | `timeline`, `chart` | resident and live memory and the owners that matter, over the run |
//! | `suspects` | reasons, courses and stacks |
//! | `pointers`, `shape`, `drawing` | what pointers lead to, and the cycles that nobody holds, drawn |
//! | `owners` | what grew and shrank by owner: the flamegraph as a table |
//! | `data`, `vlq` | the flamegraph's numbers, in columns |
//! | `page`, `html` | the file around it: policy, style, script, escaping |
//! | `page.html`, `page.css`, `*.js` | what the browser does: lay out and draw what is in view, zoom, search |
//!
//! All words and charts are written here, and can be read without a script. The flamegraph is drawn
//! by the page itself: a hundred thousand sites are too many to write each as an element.

mod chart;
mod data;
mod drawing;
mod html;
mod owners;
mod page;
mod pointers;
mod shape;
mod suspects;
mod timeline;
mod verdict;
mod vlq;

use std::io::{self, Write};

use self::html::Text;
use super::heading::when;
use super::words;
use crate::analysis::diff::{Diff, Side};
use crate::analysis::suspects::Suspects;

/// What a report is made of.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// The judgement of a run.
    pub suspects: &'a Suspects<'a>,
    /// Two snapshots of it: see [`compared`]. The earlier side is empty if there is one snapshot only.
    pub diff: &'a Diff<'a>,
    /// Memory limit in bytes, in place of the control group's.
    pub limit: Option<u64>,
}

/// Which two snapshots of a run to compare, as places in its history: the first one after warm-up, if
/// there is more than one, and the last one that is not of the program's end.
pub fn compared(suspects: &Suspects<'_>) -> Option<(Option<usize>, usize)> {
    match suspects.used[..] {
        [] => suspects
            .history
            .snapshots
            .len()
            .checked_sub(1)
            .map(|at| (None, at)),
        [only] => Some((None, only)),
        [.., last] => {
            let first = suspects.used[suspects.warm_up];
            Some(((first < last).then_some(first), last))
        }
    }
}

/// Writes the page.
pub fn write(report: Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Report {
        suspects,
        diff,
        limit,
    } = report;
    page::write(out, |blank, out| match blank {
        "title" => write!(
            out,
            "{}: heaplens report",
            Text(words::program_name(suspects))
        ),
        "about" => match words::about(suspects) {
            Some(about) => write!(out, "{}", Text(about)),
            None => Ok(()),
        },
        "newest" => write!(out, "{}", Text(when(diff.profile(Side::After)))),
        "verdict" => verdict::write(suspects, limit, out),
        "timeline" => timeline::write(suspects, limit, out),
        "pointers-link" if suspects.history.graph.is_some() => {
            write!(out, "<a href=\"#pointers\">Pointers</a> ")
        }
        "pointers-link" => Ok(()),
        "pointers" => {
            let history = suspects.history;
            pointers::write(&history.profile, history.graph.as_ref(), out)
        }
        "pair" => pair(diff, out),
        "suspects" => self::suspects::write(suspects, out),
        "owners" => owners::write(diff, out),
        "data" => data::write(diff, out),
        unknown => Err(io::Error::other(format!("the page has a blank {unknown}"))),
    })
}

/// Says which snapshots are compared.
fn pair(diff: &Diff<'_>, out: &mut dyn Write) -> io::Result<()> {
    let [before, after] =
        [Side::Before, Side::After].map(|side| Text(when(diff.profile(side))).to_string());
    if diff.profile(Side::Before).sources().is_empty() {
        return write!(out, "{after}. With a second snapshot, growth would show.");
    }
    write!(out, "<b>before</b> is {before}, <b>after</b> is {after}")
}
