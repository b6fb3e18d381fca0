//! Snapshots that are valid, and otherwise whatever some bytes say.

mod graph;

use heaplens::snapshot::{
    AGE_BOUNDS_SECONDS, AGE_CLASSES, Ages, FORMAT, FORMAT_VERSION, Header, Module, Program, Reason,
    Recorder, RecorderMode, Sites, Snapshot, Stacks, SymbolSource, Symbols, Totals,
};

/// What names are made of, beside letters: each has a meaning to a browser, a terminal, a shell, or
/// to a reader of names.
const PIECES: [&str; 32] = [
    "</script><script>alert(1)</script>",
    "\"><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "]]>",
    "<!--",
    "&#x3c;script&#x3e;",
    "&amp;",
    "<![CDATA[",
    "<?xml",
    "<!DOCTYPE x [<!ENTITY y \"z\">]>",
    "javascript:alert(1)",
    "\u{1b}]0;title\u{7}",
    "\u{9b}31m",
    "\u{9d}8;;http://x\u{9c}",
    "\r\n",
    "\0",
    "\u{202e}",
    "\u{2066}",
    "\u{feff}",
    "\u{fffe}",
    "../../etc/passwd",
    ";",
    " 42",
    "\t",
    "::{{closure}}",
    "<core::iter::Map<I,F> as core::iter::Iterator>::next",
    "__rust_alloc",
    "alloc::vec::Vec<T,A>::push",
    "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/std/src/rt.rs",
    "/home/u/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/a-1.0.0/src/lib.rs",
    "shop::main",
    "[h0123456789abcdef]",
];

/// Most sums of a column that a snapshot may have are 2^62; a column has few rows here.
const MOST: i64 = 1 << 50;

/// Bytes, read from the front; zeros behind the end.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl Bytes<'_> {
    pub(super) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    fn below(&mut self, bound: usize) -> usize {
        let number = usize::from(self.byte()) << 8 | usize::from(self.byte());
        number % bound.max(1)
    }

    /// Numbers of all magnitudes, of either sign.
    fn number(&mut self) -> i64 {
        let (shift, low) = (self.byte(), i64::from(self.byte()) - 64);
        (low << (shift % 48)).clamp(-MOST, MOST)
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.byte() % 6 {
            match self.byte() {
                piece @ ..128 => text.push_str(PIECES[usize::from(piece) % PIECES.len()]),
                letter => text.push(char::from(letter - 128)),
            }
        }
        text
    }
}

/// The next snapshot that the bytes describe.
pub(super) fn snapshot(bytes: &mut Bytes<'_>) -> Snapshot {
    let modules: Vec<Module> = (0..1 + bytes.below(4)).map(|_| module(bytes)).collect();
    let rows = bytes.below(64);
    let mut stacks = Stacks::default();
    for row in 0..rows {
        // Often the row before, so that stacks become deep.
        let parent = match bytes.byte() {
            ..160 => row as i64 - 1,
            _ => bytes.below(row + 1) as i64 - 1,
        };
        stacks.parent.push(parent);
        stacks.module.push(bytes.below(modules.len()) as u32);
        stacks.address.push(bytes.number() as u64);
    }
    let sampled = bytes.byte() % 2 == 1;
    let sites = match rows {
        0 => Sites::default(),
        rows => sites(bytes, rows, sampled),
    };
    let symbols = symbols(bytes, rows, modules.len());
    let header = header(bytes, sampled);
    let graph = graph::graph(bytes, sites.stack.len());
    Snapshot {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        header,
        modules,
        stacks,
        sites,
        graph,
        symbols: Some(symbols),
        complete: true,
    }
}

fn module(bytes: &mut Bytes<'_>) -> Module {
    Module {
        path: bytes.text(),
        build_id: (bytes.byte() % 2 == 1).then(|| bytes.text()),
        text_hash: (bytes.byte() % 4 == 1).then(|| bytes.text()),
    }
}

fn header(bytes: &mut Bytes<'_>, sampled: bool) -> Header {
    Header {
        program: Program {
            executable: bytes.text(),
            build_id: Some(bytes.text()),
            host: bytes.text(),
            started: bytes.text(),
            heaplens_version: bytes.text(),
            ..Program::default()
        },
        taken: bytes.text(),
        taken_unix_ms: bytes.number() as u64,
        uptime_ms: bytes.number() as u64,
        reason: Reason::Interval,
        label: Some(bytes.text()),
        recorder: Recorder {
            mode: if sampled {
                RecorderMode::Sampled
            } else {
                RecorderMode::Exact
            },
            unwinder: bytes.text(),
            ..Recorder::default()
        },
        totals: Totals {
            live_bytes: bytes.number(),
            total_bytes: bytes.number().unsigned_abs(),
            peak_live_bytes: bytes.number(),
            ..Totals::default()
        },
        ..Header::default()
    }
}

fn sites(bytes: &mut Bytes<'_>, rows: usize, sampled: bool) -> Sites {
    let mut sites = Sites {
        ages: Ages {
            bounds_seconds: AGE_BOUNDS_SECONDS.to_vec(),
            live_bytes: vec![Vec::new(); AGE_CLASSES],
        },
        ..Sites::default()
    };
    for _ in 0..bytes.below(24) {
        sites.stack.push(bytes.below(rows) as u32);
        sites.live_bytes.push(bytes.number());
        sites.live_count.push(bytes.number());
        sites.total_bytes.push(bytes.number().unsigned_abs());
        sites.total_count.push(bytes.number().unsigned_abs());
        for class in &mut sites.ages.live_bytes {
            class.push(0);
        }
        if sampled {
            sites.live_samples.push(bytes.number().unsigned_abs());
            sites.total_samples.push(bytes.number().unsigned_abs());
            let variance = (bytes.number() as f64).powi(2);
            sites.live_bytes_variance.push(variance);
            sites.total_bytes_variance.push(variance);
        }
    }
    sites
}

fn symbols(bytes: &mut Bytes<'_>, rows: usize, modules: usize) -> Symbols {
    let strings: Vec<String> = (0..1 + bytes.below(16)).map(|_| bytes.text()).collect();
    let mut symbols = Symbols {
        sources: vec![SymbolSource::DebugInfo; modules],
        first_frame: vec![0],
        ..Symbols::default()
    };
    for _ in 0..1 + bytes.below(24) {
        symbols.function.push(bytes.below(strings.len()) as u32);
        symbols.file.push(bytes.below(strings.len() + 1) as i64 - 1);
        symbols.line.push(bytes.below(1 << 16) as u32);
        symbols.inlined.push(bytes.byte() % 2 == 1);
    }
    for _ in 0..rows {
        for _ in 0..bytes.byte() % 4 {
            let frame = bytes.below(symbols.function.len());
            symbols.frame.push(frame as u32);
        }
        symbols.first_frame.push(symbols.frame.len() as u32);
    }
    symbols.strings = strings;
    symbols
}
