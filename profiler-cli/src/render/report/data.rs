//! The flamegraph's data: the union of both call trees as columns, names once.
//!
//! | column | of each | is |
//! |---|---|---|
//! | `name`, `file`, `crate` | function | place in `strings`, 0 for none |
//! | `origin` | function | 0 own code, 1 unplaced, 2 library, 3 runtime, 4 no code |
//! | `caller` | frame | how many frames before it its caller stands, 0 for none |
//! | `label` | frame | its function |
//! | `line` | frame | of its heaviest stack, 0 for none |
//! | `site` | site | how many frames behind the site before it, from the first frame on |
//! | `before`, `after` | site | live bytes, signed |
//! | `total` | site | bytes ever allocated |
//! | `live_error`, `change_error` | site | square of the half width of the 95 % interval; if sampled |
//!
//! What they are written as is in `vlq`. Squares add up over sites, the widths do not.

use std::collections::hash_map::Entry;
use std::io::{self, Write};

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::vlq::Column;
use crate::analysis::diff::{Diff, Row, Side};
use crate::profile::{Frames, FunctionId, Origin, Profile};
use crate::render::{escape::printable, json, place};

/// Characters of a name that are shown.
const MOST_CHARACTERS: usize = 2_000;
const NO_LINE: u32 = u32::MAX;

#[derive(Serialize)]
struct Document {
    sampled: bool,
    /// Whether there is a snapshot to compare with.
    compared: bool,
    strings: Vec<String>,
    functions: Functions,
    frames: Tree,
    sites: Sites,
}

#[derive(Serialize)]
struct Functions {
    name: String,
    file: String,
    #[serde(rename = "crate")]
    crate_name: String,
    origin: String,
}

#[derive(Serialize)]
struct Tree {
    caller: String,
    label: String,
    line: String,
}

#[derive(Serialize)]
struct Sites {
    site: String,
    before: String,
    after: String,
    total: String,
    live_error: String,
    change_error: String,
}

/// Writes the data as JSON that a `script` element can hold.
pub(super) fn write(diff: &Diff<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut strings = Strings::default();
    let functions = functions(diff, &mut strings);
    let document = Document {
        sampled: diff.is_sampled(),
        compared: !diff.profile(Side::Before).sources().is_empty(),
        functions,
        frames: tree(diff),
        sites: sites(diff),
        strings: strings.texts,
    };
    let mut text = Vec::new();
    json::write(&mut text, &document)?;
    // In JSON this character can only stand in a string. Without it no element can end or begin.
    for part in text.split_inclusive(|&byte| byte == b'<') {
        match part.strip_suffix(b"<") {
            Some(clean) => {
                out.write_all(clean)?;
                out.write_all(b"\\u003c")?;
            }
            None => out.write_all(part)?,
        }
    }
    Ok(())
}

/// Texts that a page shows, each once; the first one is empty.
struct Strings {
    texts: Vec<String>,
    places: FxHashMap<String, usize>,
}

impl Default for Strings {
    fn default() -> Self {
        Self {
            texts: vec![String::new()],
            places: FxHashMap::from_iter([(String::new(), 0)]),
        }
    }
}

impl Strings {
    fn place(&mut self, text: &str) -> u64 {
        let shown: String = printable(text).chars().take(MOST_CHARACTERS).collect();
        let place = match self.places.entry(shown) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                self.texts.push(new.key().clone());
                *new.insert(self.texts.len() - 1)
            }
        };
        place as u64
    }
}

fn functions(diff: &Diff<'_>, strings: &mut Strings) -> Functions {
    let [mut names, mut files, mut crates, mut origins] = [(); 4].map(|()| Column::default());
    for (profile, function) in diff.functions() {
        let frames = profile.frames();
        names.push(strings.place(frames.name(function)));
        files.push(strings.place(frames.file(function).map_or("", place::short)));
        crates.push(strings.place(crate_of(profile, function)));
        origins.push(match frames.origin(function) {
            Origin::Own => 0,
            Origin::Unplaced => 1,
            Origin::Library => 2,
            Origin::Runtime => 3,
            Origin::Special => 4,
        });
    }
    Functions {
        name: names.finish(),
        file: files.finish(),
        crate_name: crates.finish(),
        origin: origins.finish(),
    }
}

/// The crate, or the library of C code, or what stands for code.
fn crate_of(profile: &Profile, function: FunctionId) -> &str {
    let frames: &Frames = profile.frames();
    match frames.origin(function) {
        Origin::Special => frames.name(function),
        _ => profile.crate_of(function).unwrap_or_else(|| {
            let binary = frames.binary(function);
            binary.rsplit('/').next().unwrap_or(binary)
        }),
    }
}

fn tree(diff: &Diff<'_>) -> Tree {
    let tree = diff.tree();
    let lines = lines(diff);
    let [mut callers, mut labels, mut line_column] = [(); 3].map(|()| Column::default());
    for node in tree.nodes() {
        // A caller stands before what it calls.
        callers.push(
            tree.caller(node)
                .map_or(0, |caller| u64::from(node - caller)),
        );
        labels.push(u64::from(tree.label(node)));
        line_column.push(match lines[node as usize] {
            NO_LINE => 0,
            line => u64::from(line),
        });
    }
    Tree {
        caller: callers.finish(),
        label: labels.finish(),
        line: line_column.finish(),
    }
}

/// Frames of the tree have no lines, since lines move from build to build: each gets that of its
/// heaviest stack.
fn lines(diff: &Diff<'_>) -> Vec<u32> {
    let tree = diff.tree();
    let mut lines = vec![NO_LINE; tree.len()];
    let mut rows: Vec<&Row> = diff.rows().iter().collect();
    let weight = |row: &Row| row.after.live_bytes.max(row.before.live_bytes);
    rows.sort_by_key(|row| std::cmp::Reverse(weight(row)));
    for row in rows {
        let profile = diff.profile(row.side);
        let stacks = tree.stack(row.node).zip(profile.tree().stack(row.example));
        for (node, example) in stacks {
            let line = &mut lines[node as usize];
            if *line != NO_LINE {
                // So have all its callers.
                break;
            }
            *line = profile.frame(example).line;
        }
    }
    lines
}

fn sites(diff: &Diff<'_>) -> Sites {
    let [
        mut nodes,
        mut before,
        mut after,
        mut total,
        mut live_error,
        mut change_error,
    ] = [(); 6].map(|()| Column::default());
    let mut rows: Vec<&Row> = diff.rows().iter().collect();
    rows.sort_by_key(|row| row.node);
    let mut last = 0;
    for row in rows {
        let bytes = [row.before.live_bytes, row.after.live_bytes];
        if bytes == [0; 2] && row.after.total_bytes == 0 {
            continue;
        }
        nodes.push(u64::from(row.node - last));
        last = row.node;
        before.push_signed(bytes[0]);
        after.push_signed(bytes[1]);
        total.push(row.after.total_bytes);
        if diff.is_sampled() {
            let square = |half_width: f64| half_width.powi(2) as u64;
            live_error.push(square(row.after.live_bytes_error()));
            change_error.push(square(diff.change_error(&row.before, &row.after)));
        }
    }
    Sites {
        site: nodes.finish(),
        before: before.finish(),
        after: after.finish(),
        total: total.finish(),
        live_error: live_error.finish(),
        change_error: change_error.finish(),
    }
}
