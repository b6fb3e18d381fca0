//! Call paths as text: a profile for a look with nothing but `curl`, and the heaviest paths for
//! metrics. Frames are addresses in their module, which `addr2line` and `heaplens` name.

use crate::settings::Mode;
use crate::snapshot::{SPECIAL_MODULE, Snapshot, SpecialFrame};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Write;

/// Stacks that are listed.
const MOST: usize = 100;

pub(super) fn profile(snapshot: &Snapshot) -> String {
    let (header, sites) = (&snapshot.header, &snapshot.sites);
    let totals = &header.totals;
    let mut text = String::new();
    let how = match header.recorder.mode {
        Mode::Sampled => format!(
            "estimated from one sample in {} B",
            header.recorder.sample_bytes
        ),
        _ => "exact".to_owned(),
    };
    let _ = writeln!(
        text,
        "heap of {} at {}, {how}\n{} B live in {} blocks, {} B in {} blocks allocated",
        header.program.executable,
        header.taken,
        totals.live_bytes,
        totals.live_count,
        totals.total_bytes,
        totals.total_count,
    );
    let mut order: Vec<usize> = (0..sites.stack.len()).collect();
    order.sort_by_key(|&site| Reverse(sites.live_bytes[site].unsigned_abs()));
    for site in order.into_iter().take(MOST) {
        let _ = writeln!(
            text,
            "\n{} B live in {} blocks, {} B in {} blocks allocated",
            sites.live_bytes[site],
            sites.live_count[site],
            sites.total_bytes[site],
            sites.total_count[site],
        );
        for row in rows(snapshot, sites.stack[site]) {
            let _ = writeln!(text, "    {}", frame(snapshot, row, |path| path));
        }
    }
    text
}

/// A call path for metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    /// The innermost frames, innermost first.
    pub(super) frames: String,
    pub(super) live_bytes: i64,
}

/// Frames that a path of the metrics is told by. Paths that share them are one.
const FRAMES: usize = 8;

/// The paths that hold most, at most so many.
pub(super) fn heaviest(snapshot: &Snapshot, most: usize) -> Vec<Path> {
    let sites = &snapshot.sites;
    let mut by_frames: HashMap<Vec<(u32, u64)>, (usize, i64)> = HashMap::new();
    for (site, &stack) in sites.stack.iter().enumerate() {
        let stacks = &snapshot.stacks;
        let innermost = rows(snapshot, stack).take(FRAMES);
        let key = innermost.map(|row| (stacks.module[row], stacks.address[row]));
        let (_, live_bytes) = by_frames.entry(key.collect()).or_insert((site, 0));
        *live_bytes = live_bytes.saturating_add(sites.live_bytes[site]);
    }
    let mut paths: Vec<(usize, i64)> = by_frames.into_values().collect();
    paths.sort_unstable_by_key(|&(site, live_bytes)| (Reverse(live_bytes), site));
    let described = paths.into_iter().take(most).map(|(site, live_bytes)| {
        let innermost = rows(snapshot, sites.stack[site]).take(FRAMES);
        let frames: Vec<String> = innermost
            .map(|row| frame(snapshot, row, file_name))
            .collect();
        Path {
            frames: frames.join(" "),
            live_bytes,
        }
    });
    described.collect()
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Rows of a stack, innermost first.
fn rows(snapshot: &Snapshot, stack: u32) -> impl Iterator<Item = usize> {
    let caller = |&row: &usize| usize::try_from(snapshot.stacks.parent[row]).ok();
    std::iter::successors(Some(stack as usize), caller)
}

/// A frame as module and address, or the name of one that is no code.
fn frame(snapshot: &Snapshot, row: usize, shown: fn(&str) -> &str) -> String {
    let (module, address) = (snapshot.stacks.module[row], snapshot.stacks.address[row]);
    let special = SpecialFrame::from_code(address).filter(|_| module == SPECIAL_MODULE);
    if let Some(special) = special {
        return special.to_string();
    }
    let module = snapshot.modules.get(module as usize);
    let path = module.map_or("?", |module| shown(&module.path));
    format!("{path}+{address:#x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Module, Sites, Stacks};

    #[test]
    fn paths_with_the_same_innermost_frames_are_one() {
        // A chain of ten frames, two chains that end in its last nine, and one of its own.
        let mut stacks = Stacks::default();
        let mut push = |parent: i64, module, address| {
            stacks.parent.push(parent);
            stacks.module.push(module);
            stacks.address.push(address);
            stacks.parent.len() as i64 - 1
        };
        let mut leaves = Vec::new();
        for outermost in [0x100, 0x200] {
            let mut row = push(-1, 1, outermost);
            for address in 1..=9 {
                row = push(row, 1, address);
            }
            leaves.push(row as u32);
        }
        leaves.push(push(-1, SPECIAL_MODULE, SpecialFrame::NoStack.code()) as u32);
        leaves.push(push(-1, 1, 0xabc) as u32);
        let module = |path: &str| Module {
            path: path.to_owned(),
            ..Module::default()
        };
        let snapshot = Snapshot {
            modules: vec![module("[special]"), module("/srv/shop")],
            stacks,
            sites: Sites {
                stack: leaves,
                live_bytes: vec![30, 40, 50, 1],
                ..Sites::default()
            },
            ..crate::snapshot::examples::small()
        };
        let found = heaviest(&snapshot, 2);
        let [first, second] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!(first.live_bytes, 70);
        assert!(first.frames.starts_with("shop+0x9 shop+0x8 "), "{first:?}");
        assert_eq!(first.frames.split(' ').count(), FRAMES);
        assert_eq!((&*second.frames, second.live_bytes), ("[no stack]", 50));
        assert_eq!(heaviest(&snapshot, 0), []);
    }
}
