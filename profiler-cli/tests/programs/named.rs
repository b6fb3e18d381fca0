//! Stacks of a snapshot with their names.

use std::path::{Path, PathBuf};

use heaplens::snapshot::{Limits, SPECIAL_MODULE, Snapshot, Symbols, read};

use crate::run::{args, heaplens};

/// One frame; inlined calls are frames as well.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Frame {
    pub(crate) function: String,
    /// File name without its folder, and line.
    pub(crate) place: Option<(String, u32)>,
    /// File name of the module, `[special]` for what is no code.
    pub(crate) module: String,
    pub(crate) inlined: bool,
}

/// A call site: numbers, and frames from the innermost to the outermost.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Site {
    pub(crate) frames: Vec<Frame>,
    pub(crate) live_bytes: i64,
    pub(crate) live_count: i64,
}

impl Site {
    /// How many times a function is on the stack.
    pub(crate) fn count(&self, function: &str) -> usize {
        let frames = self.frames.iter();
        frames.filter(|frame| frame.function == function).count()
    }

    /// The innermost function of a crate.
    pub(crate) fn innermost(&self, name: &str) -> Option<&str> {
        let path = format!("{name}::");
        let mut functions = self.frames.iter().map(|frame| frame.function.as_str());
        functions.find(|function| function.starts_with(&path))
    }

    /// One line, for messages.
    pub(crate) fn path(&self) -> String {
        let names: Vec<&str> = self.frames.iter().map(|frame| &*frame.function).collect();
        names.join(" < ")
    }
}

/// Folds names into a copy of a snapshot, with the debug files of a folder.
pub(crate) fn symbolized(snapshot: &Path, debug_dir: Option<&Path>) -> Snapshot {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let named: PathBuf = folder.path().join("named.json.gz");
    let mut arguments = args!["symbolize", *snapshot.as_os_str(), "-o", named].to_vec();
    if let Some(debug_dir) = debug_dir {
        arguments.extend_from_slice(args!["--debug-dir", *debug_dir.as_os_str()]);
    }
    let output = heaplens(&arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    read(&named, &Limits::default()).expect("a snapshot")
}

/// All sites of a snapshot that has names.
pub(crate) fn sites(snapshot: &Snapshot) -> Vec<Site> {
    let symbols = snapshot.symbols.as_ref().expect("names");
    let sites = &snapshot.sites;
    let rows = sites.stack.iter().enumerate();
    rows.map(|(site, &row)| {
        let mut frames = Vec::new();
        let mut row = i64::from(row);
        while let Ok(index) = usize::try_from(row) {
            frames.extend(frames_of_row(snapshot, symbols, index));
            row = snapshot.stacks.parent[index];
        }
        Site {
            frames,
            live_bytes: sites.live_bytes[site],
            live_count: sites.live_count[site],
        }
    })
    .collect()
}

fn frames_of_row(snapshot: &Snapshot, symbols: &Symbols, row: usize) -> Vec<Frame> {
    let module = snapshot.stacks.module[row];
    let module_path = &snapshot.modules[module as usize].path;
    let module_name = module_path.rsplit('/').next().unwrap_or_default();
    if module == SPECIAL_MODULE {
        let code = snapshot.stacks.address[row];
        let special = heaplens::snapshot::SpecialFrame::from_code(code).expect("a known code");
        return vec![Frame {
            function: special.to_string(),
            place: None,
            module: module_name.to_owned(),
            inlined: false,
        }];
    }
    let text = |index: u32| symbols.strings[index as usize].clone();
    let range = symbols.first_frame[row] as usize..symbols.first_frame[row + 1] as usize;
    let frames = symbols.frame[range].iter().map(|&frame| {
        let frame = frame as usize;
        let file = u32::try_from(symbols.file[frame]).ok().map(text);
        let name = |file: String| file.rsplit('/').next().unwrap_or_default().to_owned();
        Frame {
            function: text(symbols.function[frame]),
            place: file.map(|file| (name(file), symbols.line[frame])),
            module: module_name.to_owned(),
            inlined: symbols.inlined[frame],
        }
    });
    frames.collect()
}
