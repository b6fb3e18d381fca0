//! Programs built for the tests, their addresses, and snapshots that hold these.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use heaplens::snapshot::{
    FORMAT, FORMAT_VERSION, Header, Module, Program, Sites, Snapshot, SpecialFrame, Stacks, Symbols,
};
use heaplens_cli::symbols::{Options, Outcome, symbolize, text_hash};
use object::{Object, ObjectSymbol};

/// The source of the programs.
pub(crate) const SOURCE: &str = include_str!("program.rs");

/// Line of a mark such as `[leaf]` in the source.
pub(crate) fn line_of(mark: &str) -> u32 {
    let mark = format!("// [{mark}]");
    let index = SOURCE.lines().position(|line| line.ends_with(&mark));
    index.expect("a mark of the source") as u32 + 1
}

/// A folder with a program in it.
pub(crate) struct Built {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl Built {
    /// Builds the program as `svc` with `rustc -O` and more arguments.
    pub(crate) fn new(arguments: &[&str]) -> Self {
        Self::of_source(SOURCE, arguments)
    }

    pub(crate) fn of_source(source: &str, arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let source_path = dir.path().join("program.rs");
        fs::write(&source_path, source).expect("writing the source");
        let path = dir.path().join("svc");
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let status = Command::new(rustc)
            .args(["--edition=2024", "-O", "-Clink-arg=-Wl,--build-id", "-o"])
            .args([path.as_os_str(), source_path.as_os_str()])
            .args(arguments)
            .current_dir(dir.path())
            .status()
            .expect("running rustc");
        assert!(status.success(), "rustc {arguments:?}");
        Self { dir, path }
    }

    /// A path in the program's folder.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Moves the program elsewhere in the folder, as deployments do.
    pub(crate) fn moved_to(&self, name: &str) -> PathBuf {
        let target = self.at(name);
        fs::create_dir_all(target.parent().expect("a folder")).expect("making a folder");
        fs::rename(&self.path, &target).expect("moving the program");
        target
    }
}

/// Runs a program of binutils, or says that the test is skipped without it.
pub(crate) fn run_tool(name: &str, arguments: &[&OsStr]) -> bool {
    match Command::new(name).args(arguments).status() {
        Ok(status) => {
            assert!(status.success(), "{name} {arguments:?}");
            true
        }
        Err(_) if std::env::var_os("HEAPLENS_TEST_TOOLS").is_some_and(|set| set == "require") => {
            panic!("needs {name}")
        }
        Err(_) => {
            println!("SKIPPED: needs {name}");
            false
        }
    }
}

/// Runs a tool; returns from the test without it.
macro_rules! tool {
    ($name:literal $(, $argument:expr)* $(,)?) => {
        if !$crate::fixture::run_tool($name, &[$(std::ffi::OsStr::new(&$argument)),*]) {
            return;
        }
    };
}
pub(crate) use tool;

/// What a snapshot would know of a file: its identity, and where its functions are.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) module: Module,
    functions: BTreeMap<String, (u64, u64)>,
}

impl Known {
    /// Reads an unstripped file.
    pub(crate) fn of(path: &Path) -> Self {
        let data = fs::read(path).expect("reading the program");
        let file = object::File::parse(&*data).expect("an ELF file");
        let build_id = file.build_id().expect("notes").map(hex);
        let text_hash = build_id
            .is_none()
            .then(|| text_hash(&file).expect("segments"));
        let functions = file
            .symbols()
            .filter(|symbol| symbol.size() > 0)
            .map(|symbol| {
                let name = rustc_demangle::demangle(symbol.name().expect("a name"));
                (format!("{name:#}"), (symbol.address(), symbol.size()))
            })
            .collect();
        let path = path.to_str().expect("UTF-8").to_owned();
        Self {
            module: Module {
                path,
                build_id,
                text_hash,
            },
            functions,
        }
    }

    pub(crate) fn recorded_at(mut self, path: &Path) -> Self {
        self.module.path = path.to_str().expect("UTF-8").to_owned();
        self
    }

    /// Each address of a function.
    pub(crate) fn addresses(&self, function: &str) -> Vec<u64> {
        let (start, size) = self.functions[function];
        (start..start + size).collect()
    }

    /// A snapshot with a row for each address, beside a special frame in row 0.
    pub(crate) fn snapshot(&self, addresses: &[u64]) -> Snapshot {
        let special = Module {
            path: "[special]".into(),
            ..Module::default()
        };
        let mut stacks = Stacks {
            parent: vec![-1],
            module: vec![0],
            address: vec![SpecialFrame::NoStack.code()],
        };
        for &address in addresses {
            stacks.parent.push(-1);
            stacks.module.push(1);
            stacks.address.push(address);
        }
        Snapshot {
            format: FORMAT.into(),
            format_version: FORMAT_VERSION,
            header: Header {
                program: Program {
                    executable: self.module.path.clone(),
                    build_id: self.module.build_id.clone(),
                    ..Program::default()
                },
                ..Header::default()
            },
            modules: vec![special, self.module.clone()],
            stacks,
            sites: Sites::default(),
            graph: None,
            symbols: None,
            complete: true,
        }
    }

    /// A snapshot of all of `compose` and `render`.
    pub(crate) fn sample(&self) -> Snapshot {
        let mut addresses = self.addresses("program::widget::compose");
        addresses.extend(self.addresses("program::widget::render"));
        self.snapshot(&addresses)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn run(snapshot: &Snapshot, debug_dirs: &[&Path]) -> Outcome {
    let options = Options {
        debug_dirs: debug_dirs.iter().map(PathBuf::from).collect(),
    };
    symbolize(snapshot, &options, &mut |_, _| {})
}

/// A frame as text and number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) function: String,
    pub(crate) file: Option<String>,
    pub(crate) line: u32,
    pub(crate) inlined: bool,
}

/// The frames of a row.
pub(crate) fn frames(symbols: &Symbols, row: usize) -> Vec<Frame> {
    let range = symbols.first_frame[row] as usize..symbols.first_frame[row + 1] as usize;
    symbols.frame[range]
        .iter()
        .map(|&frame| {
            let frame = frame as usize;
            let file = usize::try_from(symbols.file[frame]).ok();
            Frame {
                function: symbols.strings[symbols.function[frame] as usize].clone(),
                file: file.map(|file| symbols.strings[file].clone()),
                line: symbols.line[frame],
                inlined: symbols.inlined[frame],
            }
        })
        .collect()
}

/// The frames of all rows.
pub(crate) fn all_frames(symbols: &Symbols) -> Vec<Vec<Frame>> {
    (0..symbols.first_frame.len() - 1)
        .map(|row| frames(symbols, row))
        .collect()
}

/// Whether some row is `leaf` inlined into `middle` inlined into `compose`, each with its line.
pub(crate) fn has_inlined_chain(symbols: &Symbols) -> bool {
    all_frames(symbols).iter().any(|frames| {
        let Some(start) = frames.len().checked_sub(3) else {
            return false;
        };
        frames[start..]
            .iter()
            .zip(["leaf", "middle", "compose"])
            .all(|(frame, name)| {
                let short = frame.function.rsplit("::").next();
                let file = frame.file.as_deref().unwrap_or_default();
                short == Some(name)
                    && frame.line == line_of(name)
                    && file.ends_with("program.rs")
                    && frame.inlined == (name != "compose")
            })
    })
}
