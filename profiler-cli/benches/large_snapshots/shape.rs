//! Snapshots of a million sites: trees of several frames for each site, that grow as those of a
//! program do, and numbers that compress about as badly as real ones.

use heaplens::snapshot::*;

const SITES: usize = 1_000_000;
/// Distinct call addresses, and functions that they lie in.
const ADDRESSES: u64 = 50_000;
const FUNCTIONS: u32 = 20_000;
const SOURCE_FILES: u32 = 1_000;

/// What a snapshot is like.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// Rows of the stacks for each site.
    rows_per_site: usize,
    is_sampled: bool,
    has_names: bool,
}

pub(crate) const SHAPES: [Shape; 4] = [
    Shape {
        name: "exact, 3 frames a site, named",
        rows_per_site: 3,
        is_sampled: false,
        has_names: true,
    },
    Shape {
        name: "exact, 3 frames a site, unnamed",
        rows_per_site: 3,
        is_sampled: false,
        has_names: false,
    },
    Shape {
        name: "sampled, 3 frames a site, named",
        rows_per_site: 3,
        is_sampled: true,
        has_names: true,
    },
    Shape {
        name: "exact, 8 frames a site, named",
        rows_per_site: 8,
        is_sampled: false,
        has_names: true,
    },
];

/// Pseudo-random numbers, the same in each run.
struct Numbers(u64);

impl Numbers {
    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((u128::from(self.0) * u128::from(bound)) >> 64) as u64
    }
}

impl Shape {
    /// The snapshot of one side. A twentieth of the sites of each side is not on the other one.
    pub(crate) fn snapshot(&self, is_after: bool) -> Snapshot {
        let mut numbers = Numbers(7);
        let mut stacks = Stacks::default();
        let mut sites = Sites::default();
        for site in 0..SITES {
            if site == SITES / 20 * 19 {
                numbers = Numbers(u64::from(is_after));
            }
            let rows = stacks.parent.len() as u64;
            let mut parent = match site {
                0 => -1,
                _ => numbers.below(rows) as i64,
            };
            for _ in 0..self.rows_per_site {
                stacks.parent.push(parent);
                stacks.module.push(1);
                stacks.address.push(0x1000 + numbers.below(ADDRESSES) * 37);
                parent = stacks.parent.len() as i64 - 1;
            }
            sites.stack.push(parent as u32);
            let blocks = 1 + numbers.below(numbers_of_magnitude(site));
            let live = blocks * if is_after && site % 3 == 0 { 2 } else { 1 };
            let size = 16 + numbers.below(500);
            sites.live_count.push(live as i64);
            sites.live_bytes.push((live * size) as i64);
            let total = live + numbers.below(1 << 24);
            sites.total_count.push(total);
            sites.total_bytes.push(total * size);
        }
        let ages = &mut sites.ages;
        ages.bounds_seconds = AGE_BOUNDS_SECONDS.to_vec();
        ages.live_bytes = (0..AGE_CLASSES)
            .map(|class| {
                let live = sites.live_bytes.iter().enumerate();
                live.map(|(site, &bytes)| {
                    if site % AGE_CLASSES == class {
                        bytes
                    } else {
                        0
                    }
                })
                .collect()
            })
            .collect();
        if self.is_sampled {
            sites.live_samples = sites.live_count.iter().map(|&n| n as u64 % 7).collect();
            sites.total_samples = sites.total_count.iter().map(|n| n % 50).collect();
            let variance = |bytes: f64| bytes * 52_428.7 * std::f64::consts::E;
            sites.live_bytes_variance = sites
                .live_bytes
                .iter()
                .map(|&b| variance(b as f64))
                .collect();
            sites.total_bytes_variance = sites
                .total_bytes
                .iter()
                .map(|&b| variance(b as f64))
                .collect();
        }
        let symbols = self.has_names.then(|| symbols(&stacks));
        let module = |path: &str| Module {
            path: path.to_owned(),
            ..Module::default()
        };
        Snapshot {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            header: self.header(is_after),
            modules: vec![module("[special]"), module("/no/such/folder/service")],
            stacks,
            sites,
            graph: None,
            symbols,
            complete: true,
        }
    }

    fn header(&self, is_after: bool) -> Header {
        Header {
            program: Program {
                executable: "/no/such/folder/service".to_owned(),
                pid: 7,
                ..Program::default()
            },
            taken_unix_ms: 1_767_621_600_000 + u64::from(is_after) * 600_000,
            sequence: 1 + u64::from(is_after),
            recorder: Recorder {
                mode: if self.is_sampled {
                    RecorderMode::Sampled
                } else {
                    RecorderMode::Exact
                },
                depth: 128,
                ..Recorder::default()
            },
            ..Header::default()
        }
    }
}

/// Few sites have many blocks.
fn numbers_of_magnitude(site: usize) -> u64 {
    match site % 100 {
        0 => 100_000,
        1..20 => 1_000,
        _ => 20,
    }
}

/// Names by address: one frame, and an inlined one at every second address.
fn symbols(stacks: &Stacks) -> Symbols {
    let mut symbols = Symbols {
        strings: (0..FUNCTIONS)
            .map(|n| {
                format!(
                    "<shop::module_{}::Shape{n} as shop::area::Area>::measure::{{{{closure}}}}",
                    n % 400
                )
            })
            .chain((0..SOURCE_FILES).map(|n| format!("/work/shop/src/area/module_{n}.rs")))
            .collect(),
        sources: vec![SymbolSource::Missing, SymbolSource::DebugInfo],
        ..Symbols::default()
    };
    let frames = ADDRESSES as u32 * 2;
    symbols.function = (0..frames)
        .map(|n| n.wrapping_mul(7_919) % FUNCTIONS)
        .collect();
    symbols.file = symbols
        .function
        .iter()
        .map(|n| i64::from(FUNCTIONS + n % SOURCE_FILES))
        .collect();
    symbols.line = (0..frames).map(|n| 1 + n % 3_000).collect();
    symbols.inlined = (0..frames).map(|n| n % 2 == 1).collect();
    for address in &stacks.address {
        symbols.first_frame.push(symbols.frame.len() as u32);
        let address = ((address - 0x1000) / 37) as u32;
        if address % 2 == 1 {
            symbols.frame.push(address * 2 + 1);
        }
        symbols.frame.push(address * 2);
    }
    symbols.first_frame.push(symbols.frame.len() as u32);
    symbols
}
