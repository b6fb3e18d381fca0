//! Names of calls, from this process's own debug information.

use crate::recorder;
use crate::snapshot::SpecialFrame;
use crate::stack::replay::special_code;
use crate::tables::site_tree::NodeId;
use std::fmt;
use std::path::{Path, PathBuf};

/// A call in a [`Path`](super::Path).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The demangled name; an address where none is known.
    pub function: String,
    /// The source file, where it is known.
    pub file: Option<PathBuf>,
    /// The line in it, where it is known.
    pub line: Option<u32>,
}

/// Crates of functions that stand between a program's own code and the allocator or a test's start.
const MACHINERY: [&str; 5] = ["alloc::", "core::", "std::", "test::", "__rust"];

/// Functions of the system that do.
const SYSTEM: [&str; 6] = [
    "__libc_start_call_main",
    "__libc_start_main",
    "_start",
    "clone",
    "clone3",
    "start_thread",
];

/// Where the sources lie that are not a program's own: the standard library's and those of packages.
const FOREIGN: [&str; 3] = ["/rustc/", "/.cargo/registry/", "/.cargo/git/"];

impl Frame {
    /// Whether this is surely code of the program: by its source file.
    pub(super) fn is_own(&self) -> bool {
        let file = self.file.as_ref().map(|file| file.to_string_lossy());
        file.is_some_and(|file| !FOREIGN.iter().any(|folder| file.contains(folder)))
            && !self.is_machinery()
    }

    /// Whether this is code of the system, of the standard library or of heaplens: by its name.
    pub(super) fn is_machinery(&self) -> bool {
        let name = self.function.trim_start_matches(['<', '&']);
        SYSTEM.contains(&name)
            || self.function.contains("heaplens::testing::")
            || MACHINERY.iter().any(|of_crate| name.starts_with(of_crate))
    }

    /// Whether this is what a test's attribute makes around the test itself.
    pub(super) fn is_wrapper_of(&self, inner: &Self) -> bool {
        self.function.strip_suffix("::{{closure}}") == Some(&inner.function)
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.function)?;
        let Some(file) = &self.file else {
            return Ok(());
        };
        let folder = std::env::current_dir().unwrap_or_default();
        let file = file.strip_prefix(folder).unwrap_or(file);
        write!(f, " ({}", file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(")")
    }
}

/// The calls that lead to a site, innermost first.
pub(super) fn of(site: NodeId) -> Vec<Frame> {
    let mut frames = Vec::new();
    let tree = recorder::global().map(|recorder| &recorder.walker.tree);
    let mut node = site;
    while let Some((caller, frame)) = tree.and_then(|tree| tree.get(node)) {
        match special_code(frame) {
            Some(code) => frames.push(special(code)),
            None => resolve(frame, &mut frames),
        }
        node = caller;
    }
    frames
}

fn special(code: u64) -> Frame {
    let name = SpecialFrame::from_code(code).map(|frame| frame.to_string());
    Frame {
        function: name.unwrap_or_else(|| format!("[{code}]")),
        file: None,
        line: None,
    }
}

/// Adds the function at an address inside of a call, and those that it was inlined into.
fn resolve(address: u64, frames: &mut Vec<Frame>) {
    let known = frames.len();
    // The crate takes a return address, and steps back into the call.
    let return_address = (address + 1) as *mut std::ffi::c_void;
    backtrace::resolve(return_address, |symbol| {
        if let Some(name) = symbol.name() {
            frames.push(Frame {
                function: format!("{name:#}"),
                file: symbol.filename().map(Path::to_owned),
                line: symbol.lineno(),
            });
        }
    });
    if frames.len() == known {
        frames.push(Frame {
            function: format!("{address:#x}"),
            file: None,
            line: None,
        });
    }
}
