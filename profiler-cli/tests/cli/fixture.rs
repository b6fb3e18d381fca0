//! Snapshots to try the command line on, and ways to call it.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use heaplens::snapshot::*;
use tempfile::TempDir;

pub(crate) const REGISTRY: &str = "/home/u/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f";
pub(crate) const STD: &str = "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library";

/// Frames of every stack below `shop::main`, outermost first.
const START: [&str; 4] = [
    "_start",
    "__libc_start_main",
    "std::rt::lang_start::{{closure}}@/rustc/59807616e1fa/library/std/src/rt.rs:206",
    "std::sys::backtrace::__rust_begin_short_backtrace@/rustc/59807616e1fa/library/std/src/sys/backtrace.rs:158",
];

/// Builds a snapshot site by site. A frame is written `function@file:line`, outermost first.
#[derive(Clone)]
pub(crate) struct Fixture {
    snapshot: Snapshot,
    symbols: Symbols,
    rows: HashMap<(i64, String), i64>,
    row_frames: Vec<u32>,
}

impl Fixture {
    /// An exact snapshot of `/srv/shop`, number `sequence` of its run, taken `sequence` minutes
    /// after 14:00.
    pub(crate) fn new(sequence: u64) -> Self {
        let module = |path: &str, build_id: Option<&str>| Module {
            path: path.to_owned(),
            build_id: build_id.map(str::to_owned),
            ..Module::default()
        };
        let header = Header {
            program: Program {
                executable: "/srv/shop".to_owned(),
                build_id: Some("00aa".to_owned()),
                host: "pod-a".to_owned(),
                pid: 7,
                started: "2026-01-05T14:00:00.000Z".to_owned(),
                started_unix_ms: 1_767_621_600_000,
                heaplens_version: "0.1.0".to_owned(),
            },
            taken: format!("2026-01-05T14:{sequence:02}:00.000Z"),
            taken_unix_ms: 1_767_621_600_000 + sequence * 60_000,
            uptime_ms: sequence * 60_000,
            sequence,
            reason: Reason::Interval,
            recorder: Recorder {
                mode: RecorderMode::Exact,
                depth: 128,
                unwinder: "eh-frame".to_owned(),
                ..Recorder::default()
            },
            ..Header::default()
        };
        let snapshot = Snapshot {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            header,
            modules: vec![module("[special]", None), module("/srv/shop", Some("00aa"))],
            stacks: Stacks::default(),
            sites: Sites {
                ages: Ages {
                    bounds_seconds: AGE_BOUNDS_SECONDS.to_vec(),
                    live_bytes: vec![Vec::new(); AGE_CLASSES],
                },
                ..Sites::default()
            },
            graph: None,
            symbols: None,
            complete: true,
        };
        Self {
            snapshot,
            symbols: Symbols::default(),
            rows: HashMap::new(),
            row_frames: Vec::new(),
        }
    }

    /// The snapshot's number.
    pub(crate) fn sequence(&self) -> u64 {
        self.snapshot.header.sequence
    }

    /// Changes anything in the snapshot.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Snapshot)) -> Self {
        change(&mut self.snapshot);
        self
    }

    /// Adds a site with `count` live blocks of together `bytes`; twice as much was allocated.
    pub(crate) fn site(self, frames: &[&str], bytes: i64, count: i64) -> Self {
        let frames: Vec<&str> = START
            .iter()
            .copied()
            .chain(frames.iter().copied())
            .collect();
        self.bare_site(&frames, bytes, count)
    }

    /// The same without the frames below `main`.
    pub(crate) fn bare_site(mut self, frames: &[&str], bytes: i64, count: i64) -> Self {
        let mut row = -1;
        for frame in frames {
            row = self.row(row, frame);
        }
        let sites = &mut self.snapshot.sites;
        sites
            .stack
            .push(u32::try_from(row).expect("a site has frames"));
        sites.live_bytes.push(bytes);
        sites.live_count.push(count);
        sites.total_bytes.push(bytes.unsigned_abs() * 2);
        sites.total_count.push(count.unsigned_abs() * 2);
        for (class, column) in sites.ages.live_bytes.iter_mut().enumerate() {
            column.push(if class == 0 { bytes } else { 0 });
        }
        self
    }

    /// Makes it a sampled snapshot in which each site has this variance.
    pub(crate) fn sampled(mut self, variance: f64) -> Self {
        self.snapshot.header.recorder.mode = RecorderMode::Sampled;
        self.snapshot.header.recorder.sample_bytes = 512 << 10;
        let sites = &mut self.snapshot.sites;
        let rows = sites.stack.len();
        sites.live_samples = vec![4; rows];
        sites.total_samples = vec![8; rows];
        sites.live_bytes_variance = vec![variance; rows];
        sites.total_bytes_variance = vec![variance * 2.0; rows];
        self.snapshot.header.totals.live_bytes_variance = variance * rows as f64;
        self
    }

    fn row(&mut self, parent: i64, frame: &str) -> i64 {
        if let Some(&row) = self.rows.get(&(parent, frame.to_owned())) {
            return row;
        }
        let special = frame
            .strip_prefix('#')
            .map(|code| code.parse::<u64>().unwrap());
        let stacks = &mut self.snapshot.stacks;
        let row = stacks.parent.len() as i64;
        stacks.parent.push(parent);
        stacks
            .module
            .push(if special.is_some() { SPECIAL_MODULE } else { 1 });
        stacks
            .address
            .push(special.unwrap_or(0x1000 + row as u64 * 16));
        self.row_frames.push(if special.is_some() {
            u32::MAX
        } else {
            let (function, place) = frame.split_once('@').unwrap_or((frame, ""));
            let (file, line) = place.rsplit_once(':').unwrap_or((place, "0"));
            let mut text = |text: &str| {
                self.symbols.strings.push(text.to_owned());
                self.symbols.strings.len() - 1
            };
            let (function, file) = (
                text(function) as u32,
                if file.is_empty() {
                    -1
                } else {
                    text(file) as i64
                },
            );
            self.symbols.function.push(function);
            self.symbols.file.push(file);
            self.symbols.line.push(line.parse().unwrap());
            self.symbols.inlined.push(false);
            self.symbols.function.len() as u32 - 1
        });
        self.rows.insert((parent, frame.to_owned()), row);
        row
    }

    /// The snapshot, with totals that match its sites; with names if `named`.
    pub(crate) fn build(mut self, named: bool) -> Snapshot {
        let (sites, totals) = (&self.snapshot.sites, &mut self.snapshot.header.totals);
        totals.live_bytes = sites.live_bytes.iter().sum();
        totals.live_count = sites.live_count.iter().sum();
        totals.total_bytes = sites.total_bytes.iter().sum();
        totals.total_count = sites.total_count.iter().sum();
        totals.peak_live_bytes = totals.live_bytes.max(0);
        if named {
            let mut symbols = self.symbols;
            for frame in self.row_frames {
                symbols.first_frame.push(symbols.frame.len() as u32);
                if frame != u32::MAX {
                    symbols.frame.push(frame);
                }
            }
            symbols.first_frame.push(symbols.frame.len() as u32);
            symbols.sources = vec![SymbolSource::Missing, SymbolSource::DebugInfo];
            symbols.sources.truncate(self.snapshot.modules.len());
            self.snapshot.symbols = Some(symbols);
        }
        self.snapshot
    }

    /// Writes the snapshot with names.
    pub(crate) fn write(self, folder: &TempDir, name: &str) -> PathBuf {
        write(&self.build(true), &folder.path().join(name))
    }
}

pub(crate) fn write(snapshot: &Snapshot, path: &Path) -> PathBuf {
    heaplens::snapshot::write(snapshot, File::create(path).unwrap()).unwrap();
    path.to_owned()
}

/// A shop in which composition keeps memory, beside a cache: at minute 1 and at minute 9.
pub(crate) fn before() -> Fixture {
    shop(1).site(&[MAIN, GONE], 500, 1)
}

pub(crate) fn after() -> Fixture {
    let push = format!("alloc::vec::Vec<T,A>::push@{STD}/alloc/src/vec/mod.rs:2442");
    shop(9)
        .site(&[MAIN, COMPOSE], 9_000_000, 9_000)
        .site(&[MAIN, COMPOSE, &push], 1_000_000, 100)
}

pub(crate) const MAIN: &str = "shop::main@/w/shop/src/main.rs:10";
pub(crate) const CACHE: &str = "shop::cache::put@/w/shop/src/cache.rs:33";
pub(crate) const COMPOSE: &str = "shop::compose::compose_complex@/w/shop/src/compose.rs:142";
pub(crate) const GONE: &str = "shop::warm_up@/w/shop/src/main.rs:77";

/// The cache shrinks by 1,000 bytes a minute.
fn shop(minute: u64) -> Fixture {
    let insert =
        format!("hashbrown::map::HashMap<K,V>::insert@{REGISTRY}/hashbrown-0.15.2/src/map.rs:1755");
    let bytes = 1_000_000 - 1_000 * minute as i64;
    Fixture::new(minute).site(&[MAIN, CACHE, &insert, "__rust_alloc"], bytes, 10)
}

/// A command line from anything that can be an argument.
macro_rules! args {
    ($($arg:expr),* $(,)?) => { vec![$(std::ffi::OsString::from(&$arg)),*] };
}
pub(crate) use args;

/// Runs the command with these arguments.
pub(crate) fn heaplens<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_heaplens"))
        .args(args)
        .output()
        .unwrap()
}

/// The same, which must succeed; its standard output.
pub(crate) fn stdout<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> String {
    let output = heaplens(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?} {stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The same as JSON.
pub(crate) fn json<S: AsRef<std::ffi::OsStr>>(
    args: impl IntoIterator<Item = S>,
) -> serde_json::Value {
    serde_json::from_str(&stdout(args)).unwrap()
}

/// Runs the command, which must fail with exit code 2 and one line; that line.
pub(crate) fn failure<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> String {
    let output = heaplens(args);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(output.stdout.is_empty());
    let line = stderr
        .strip_prefix("heaplens: ")
        .unwrap_or_else(|| panic!("{stderr}"))
        .trim_end();
    assert!(!line.contains('\n'), "{stderr}");
    line.to_owned()
}

/// Says what a test lacks; fails where skipping is not allowed.
pub(crate) fn skip(needs: &str) {
    let required = std::env::var_os("HEAPLENS_TEST_TOOLS").is_some_and(|set| set == "require");
    assert!(!required, "needs {needs}");
    println!("SKIPPED: needs {needs}");
}
