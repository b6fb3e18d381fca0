//! Sampling that is switched off and on and made denser while the program runs: what snapshots say of
//! what was allocated stays without bias, and what is live is followed until it is freed.
//!
//! Seeds are fixed, so that nothing here fails by chance.

use heaplens::snapshot::Snapshot;
use heaplens::{Allocator, ChangeError, Config, Mode, internals};
use std::alloc::System;
use std::hint::black_box;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::new(
    System,
    Config::new().mode(Mode::Sampled).sample_bytes(16 * KIB),
);

type Blocks = Vec<Vec<u8>>;

fn main() {
    let config = Config::new()
        .interval(std::time::Duration::ZERO)
        .static_dir("/proc/no-folder");
    // Dropped at the end, it could not write its last snapshot.
    std::mem::forget(heaplens::start(config).expect("the profiler starts"));
    let tests: [(&str, fn()); 4] = [
        ("a mean that changes leaves no bias", without_bias),
        ("while it is off, frees are followed", frees_are_followed),
        ("each sample keeps its mean", samples_keep_their_mean),
        ("what cannot be changed says so", refusals),
    ];
    for (name, test) in tests {
        test();
        println!("test {name} ... ok");
    }
    println!("test result: ok. {} passed; 0 failed", tests.len());
}

fn snapshot() -> Snapshot {
    heaplens::snapshot_in_memory("test").expect("a snapshot")
}

/// Blocks of mixed sizes, and their bytes.
fn blocks(count: usize) -> (Blocks, u64) {
    const SIZES: [usize; 6] = [40, 300, 1_500, 9_000, 30_000, 100_000];
    let sizes = (0..count).map(|at| SIZES[at * 5 % SIZES.len()]);
    let blocks: Blocks = sizes.map(|size| black_box(vec![1_u8; size])).collect();
    let held: u64 = blocks.iter().map(|block| block.len() as u64).sum();
    // The list itself is a block too.
    (blocks, held + (count * size_of::<Vec<u8>>()) as u64)
}

/// What is held beyond `before`, as estimated; and the variance of that.
fn growth(before: &Snapshot, after: &Snapshot) -> (f64, f64) {
    let [before, after] = [before, after].map(|snapshot| &snapshot.header.totals);
    (
        (after.live_bytes - before.live_bytes) as f64,
        after.live_bytes_variance - before.live_bytes_variance,
    )
}

fn without_bias() {
    for means in [[4 * KIB, MIB], [MIB, 4 * KIB], [64 * KIB, 512 * KIB]] {
        let (mut error, mut variance) = (0.0, 0.0);
        // Many short runs: it is the first samples after a change that could be weighed by a wrong mean.
        // Each begins anew, since to and fro such errors would even out.
        for seed in 0..200 {
            let before = snapshot();
            heaplens::set_sample_bytes(means[0]).expect("a sampled process");
            internals::seed_sampling(seed * 1_000_003 + means[0]);
            let (first, first_bytes) = blocks(24);
            heaplens::set_sample_bytes(means[1]).expect("a sampled process");
            let (second, second_bytes) = blocks(24);
            let after = snapshot();
            assert_eq!(after.header.recorder.sample_bytes, means[1]);
            let (grown, of_run) = growth(&before, &after);
            error += grown - (first_bytes + second_bytes) as f64;
            variance += of_run;
            drop((first, second));
        }
        let z: f64 = error / f64::sqrt(variance);
        println!("{means:?}: z = {z:.2}");
        assert!(z.abs() < 4.0, "{means:?}: {z}");
    }
}

fn frees_are_followed() {
    heaplens::set_sample_bytes(4 * KIB).expect("a sampled process");
    internals::seed_sampling(1);
    let before = snapshot();
    let (held, bytes) = blocks(600);
    let full = snapshot();
    let (grown, variance) = growth(&before, &full);
    assert!(
        (grown - bytes as f64).abs() < 4.0 * variance.sqrt(),
        "{grown} of {bytes}"
    );

    heaplens::set_mode(Mode::Off).expect("a sampled process");
    let (unseen, _) = blocks(600);
    let off = snapshot();
    assert_eq!(off.header.totals, full.header.totals);
    assert_eq!(off.header.recorder.mode, Mode::Sampled);
    assert!(off.header.recorder.sampling_off_ms >= full.header.recorder.sampling_off_ms);
    drop(held);
    assert_eq!(growth(&before, &snapshot()), (0.0, 0.0));

    heaplens::set_mode(Mode::Sampled).expect("a sampled process");
    // What was not seen does not come to light, nor is it missed.
    drop(unseen);
    assert_eq!(growth(&before, &snapshot()), (0.0, 0.0));
    // This thread takes note within 8 MiB.
    drop(black_box(vec![1_u8; 9 << 20]));
    let (held, bytes) = blocks(600);
    let (grown, variance) = growth(&before, &snapshot());
    assert!(
        (grown - bytes as f64).abs() < 4.0 * variance.sqrt(),
        "{grown} of {bytes}"
    );
    drop(held);
}

fn samples_keep_their_mean() {
    heaplens::set_sample_bytes(512 * KIB).expect("a sampled process");
    internals::seed_sampling(7);
    let before = snapshot();
    let (held, _) = blocks(600);
    let full = snapshot();
    assert!(growth(&before, &full).0 > 0.0);
    // Weights are made when a snapshot is taken, and are none of the mean's that is in force then.
    for bytes in [KIB, 64 * MIB] {
        heaplens::set_sample_bytes(bytes).expect("a sampled process");
        assert_eq!(snapshot().header.totals, full.header.totals);
    }
    drop(held);
}

fn refusals() {
    let exact = heaplens::set_mode(Mode::Exact).expect_err("it is sampled");
    let asked = ChangeError::Mode {
        running: Mode::Sampled,
        asked: Mode::Exact,
    };
    assert_eq!(exact, asked);
    assert!(
        exact
            .to_string()
            .ends_with("start one anew with HEAPLENS_MODE=exact")
    );
    assert_eq!(heaplens::set_sample_bytes(0), Err(ChangeError::OutOfRange));
}
