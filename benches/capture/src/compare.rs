//! Builds the measured program with frame pointers and without, runs both in turns, and compares.
//!
//! The base of each round is the frame-pointer walk of the build that has them, measured before and
//! after the build without them: the ratio of these two is the control. See README.md.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Rounds where the argument asks for no other number.
const ROUNDS: usize = 15;
/// Frames of a stack.
const DEPTH: &str = "30";

/// Figures of one run by name.
type Figures = BTreeMap<String, f64>;

struct Round {
    base: Figures,
    plain: Figures,
    control: Figures,
}

/// What is compared: a name, the figure of the build without frame pointers, the one that it is
/// divided by and whether that is of the build with them, and the most that it may be.
type Comparison = (&'static str, &'static str, &'static str, bool, Option<f64>);

const COMPARISONS: [Comparison; 8] = [
    (
        "same leaf / frame pointers",
        "capture/same leaf",
        "frame-pointers/same leaf",
        true,
        Some(0.9),
    ),
    (
        "changed leaf / frame pointers",
        "capture/changed leaf",
        "frame-pointers/same leaf",
        true,
        Some(1.7),
    ),
    (
        "changed middle / frame pointers",
        "capture/changed middle",
        "frame-pointers/same leaf",
        true,
        None,
    ),
    (
        "random / frame pointers",
        "capture/random",
        "frame-pointers/same leaf",
        true,
        None,
    ),
    (
        "same leaf / backtrace",
        "capture/same leaf",
        "backtrace/same leaf",
        false,
        Some(0.01),
    ),
    (
        "changed leaf / backtrace",
        "capture/changed leaf",
        "backtrace/changed leaf",
        false,
        None,
    ),
    (
        "changed middle / backtrace",
        "capture/changed middle",
        "backtrace/changed middle",
        false,
        None,
    ),
    (
        "random / backtrace",
        "capture/random",
        "backtrace/random",
        false,
        None,
    ),
];

fn main() {
    let rounds = std::env::args().nth(1).map_or(ROUNDS, |rounds| {
        rounds.parse().expect("the argument is a number of rounds")
    });
    let plain = build("plain", "");
    let pointed = build("frame-pointers", "-C force-frame-pointers=yes");
    // The first run of each only warms up.
    let (figures, others) = (run(&plain), run(&pointed));
    for walk in ["captured", "frame-pointers", "backtrace"] {
        let name = format!("frames {walk}");
        println!(
            "{name}: {} without frame pointers, {} with them",
            figures[&name], others[&name]
        );
    }
    let rounds: Vec<Round> = (0..rounds)
        .map(|_| Round {
            base: run(&pointed),
            plain: run(&plain),
            control: run(&pointed),
        })
        .collect();
    println!(
        "\n{:<34} {:>8}  {:<19} bound",
        "ratio of CPU time", "median", "95 % interval"
    );
    for (name, of, by, has_pointers, bound) in COMPARISONS {
        let ratios = rounds.iter().map(|round| {
            let by = match has_pointers {
                true => (round.base[by] + round.control[by]) / 2.0,
                false => round.plain[by],
            };
            round.plain[of] / by
        });
        print(name, ratios.collect(), |median, _, _| match bound {
            None => String::new(),
            Some(bound) if median <= bound => format!("{bound} met"),
            Some(bound) => format!("{bound} NOT MET"),
        });
    }
    let control = rounds.iter().map(|round| {
        let name = "frame-pointers/same leaf";
        round.control[name] / round.base[name]
    });
    print(
        "control: frame pointers, twice",
        control.collect(),
        |median, low, high| {
            // A median may be near 1 by chance, where single ratios are far from it.
            let is_quiet = (0.99..=1.01).contains(&median) && low > 0.95 && high < 1.05;
            let verdict = match is_quiet {
                true => "met",
                false => "NOT MET: the run is void",
            };
            format!("1 ± 0.01, its interval ± 0.05 {verdict}")
        },
    );
    println!(
        "\n{:<34} {:>8}  without frame pointers, in ns",
        "walk/pattern", "median"
    );
    for name in rounds[0].plain.keys().filter(|name| name.contains('/')) {
        let (median, _, _) = median(rounds.iter().map(|round| round.plain[name]).collect());
        println!("{name:<34} {median:>8.1}");
    }
    let name = "frame-pointers/same leaf";
    let (median, _, _) = median(rounds.iter().map(|round| round.base[name]).collect());
    println!("{name:<34} {median:>8.1}  with frame pointers");
}

/// A line of the table; the verdict is told of the median and the ends of the interval.
fn print(name: &str, ratios: Vec<f64>, verdict: impl Fn(f64, f64, f64) -> String) {
    let (median, low, high) = median(ratios);
    let interval = format!("[{low:.4}, {high:.4}]");
    println!(
        "{name:<34} {median:>8.4}  {interval:<19} {}",
        verdict(median, low, high)
    );
}

/// Median, and the order statistics around it that hold the true one with a probability of at least
/// 95 %: as many values lie below it as coins show heads.
fn median(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    let (mut rank, mut below) = (0, 0.0);
    let mut heads = 0.5f64.powi(n as i32);
    for k in 0..n / 2 {
        below += heads;
        if below > 0.025 {
            break;
        }
        rank = k + 1;
        heads *= (n - k) as f64 / (k + 1) as f64;
    }
    let low = rank.saturating_sub(1);
    let middle = (values[(n - 1) / 2] + values[n / 2]) / 2.0;
    (middle, values[low], values[n - 1 - low])
}

/// Builds the measured program in a target folder of its own.
fn build(folder: &str, rustflags: &str) -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target_dir = package.join("target").join(folder);
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--bin", "measure"])
        .args(["--features", "measured"])
        .current_dir(package)
        .env("CARGO_TARGET_DIR", &target_dir)
        .env("RUSTFLAGS", rustflags)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .expect("cargo starts");
    assert!(status.success(), "{folder}: {status}");
    target_dir.join("release/measure")
}

fn run(program: &Path) -> Figures {
    let output = Command::new(program)
        .arg(DEPTH)
        .output()
        .expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", program.display());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let figure = |line: &str| {
        let (name, figure) = line.rsplit_once(' ')?;
        Some((name.to_owned(), figure.parse().ok()?))
    };
    text.lines()
        .map(|line| figure(line).expect("a figure"))
        .collect()
}
