//! Writing and reading snapshots of many sites.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use heaplens::snapshot::{
    AGE_BOUNDS_SECONDS, AGE_CLASSES, Ages, FORMAT, FORMAT_VERSION, Header, Limits, Module, Sites,
    Snapshot, Stacks, read_bytes, write,
};

/// A tree with three rows for each site, and numbers that compress about as badly as real ones.
fn snapshot(sites: usize) -> Snapshot {
    let mut seed = 1u64;
    let mut number = |bits: u32| {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        seed >> (64 - bits)
    };
    let rows = sites * 3;
    let stacks = Stacks {
        parent: (0..rows as i64)
            .map(|row| (row - 1) / 2 - i64::from(row == 0))
            .collect(),
        module: vec![1; rows],
        address: (0..rows).map(|_| number(24)).collect(),
    };
    let live_bytes: Vec<i64> = (0..sites).map(|_| number(20) as i64).collect();
    let mut ages = vec![vec![0; sites]; AGE_CLASSES];
    ages[2].clone_from(&live_bytes);
    Snapshot {
        format: FORMAT.into(),
        format_version: FORMAT_VERSION,
        header: Header::default(),
        modules: vec![
            Module {
                path: "[special]".into(),
                ..Module::default()
            },
            Module {
                path: "/usr/bin/service".into(),
                ..Module::default()
            },
        ],
        stacks,
        sites: Sites {
            stack: (0..sites as u32).map(|site| site * 3 + 2).collect(),
            live_count: live_bytes.iter().map(|bytes| bytes / 64).collect(),
            total_bytes: (0..sites).map(|_| number(40)).collect(),
            total_count: (0..sites).map(|_| number(30)).collect(),
            live_bytes,
            ages: Ages {
                bounds_seconds: AGE_BOUNDS_SECONDS.to_vec(),
                live_bytes: ages,
            },
            ..Sites::default()
        },
        graph: None,
        symbols: None,
        complete: true,
    }
}

fn files(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("snapshot file");
    group.sample_size(10);
    for sites in [10_000usize, 100_000] {
        let snapshot = snapshot(sites);
        let mut file = Vec::new();
        write(&snapshot, &mut file).expect("a vector takes anything");
        group.bench_with_input(
            BenchmarkId::new("write", sites),
            &snapshot,
            |bencher, snapshot| {
                bencher.iter(|| write(snapshot, std::io::sink()).expect("a sink takes anything"));
            },
        );
        group.bench_with_input(BenchmarkId::new("read", sites), &file, |bencher, file| {
            bencher
                .iter(|| read_bytes("bench", file, &Limits::default()).expect("what was written"));
        });
    }
}

criterion_group!(benches, files);
criterion_main!(benches);
