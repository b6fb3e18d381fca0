//! Scans of the heap in programs whose graph is known: what is held is never reported as unreached, and
//! what was lost is.
//!
//! Each program runs over each inner allocator in a process of its own, while other threads allocate and
//! hand blocks to each other. By default all programs share a process; with `GRAPH_SCANS=200` in the environment
//! each has its own, and is scanned so often. Without a harness: its threads would allocate too.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod held;
mod inner;
mod leaked;
mod load;
#[path = "../processes/mod.rs"]
mod processes;
mod registers;
mod trust;

use heaplens::snapshot::graph::Graph;
use heaplens::snapshot::{Limits, read};
use inner::Inner;
use std::any::Any;

#[global_allocator]
static ALLOCATOR: heaplens::Allocator<Inner> =
    heaplens::Allocator::new(Inner, heaplens::Config::new());

/// What a program holds and has lost.
struct Program {
    #[expect(dead_code, reason = "is held until the end")]
    kept: Box<dyn Any>,
    /// Blocks that no pointer reaches.
    unreached: u64,
    /// Blocks that only foreign memory holds, at least.
    foreign: u64,
    /// How many times the same was lost, and whether that is a cycle.
    instances: u64,
    is_cycle: bool,
}

impl Default for Program {
    fn default() -> Self {
        Self {
            kept: Box::new(()),
            unreached: 0,
            foreign: 0,
            instances: 0,
            is_cycle: false,
        }
    }
}

type Build = (&'static str, fn() -> Program);

/// Names a program, or [`TOGETHER`].
const PROGRAM: &str = "GRAPH_PROGRAM";
const TOGETHER: &str = "together";

fn main() {
    if processes::play(&[
        ("program", program),
        ("trust", trust::many_scans_leave_nothing),
    ]) {
        return;
    }
    let mut passed = 0;
    let mut run = |role, name: &str, inner| {
        let settings = [
            ("HEAPLENS_MODE", "exact"),
            (PROGRAM, name),
            (inner::INNER, inner),
        ];
        let left = processes::run(role, &settings);
        assert!(
            left.status.success(),
            "{role} {name} over {inner}: {}\n{}",
            left.status,
            left.own_lines.join("\n")
        );
        passed += 1;
    };
    run("trust", "", "system");
    for (name, _) in registers::UNSEEN {
        run("program", name, "system");
    }
    for inner in inner::NAMES {
        if std::env::var_os("GRAPH_SCANS").is_none() {
            run("program", TOGETHER, inner);
            continue;
        }
        for (name, _) in seen() {
            run("program", name, inner);
        }
    }
    println!("test result: ok. {passed} passed; 0 failed");
}

/// Programs of which a scan sees everything.
fn seen() -> impl Iterator<Item = Build> {
    held::ALL
        .into_iter()
        .chain(registers::HELD)
        .chain(leaked::ALL)
}

/// One program, or all that are named so together, scanned again and again.
fn program() {
    let _profiler = heaplens::start(heaplens::Config::new()).expect("heaplens starts");
    let asked = std::env::var(PROGRAM).expect("a program is named");
    let asked_for = |&(name, _): &Build| name == asked || asked == TOGETHER;
    let unseen = registers::UNSEEN
        .into_iter()
        .filter(|(name, _)| *name == asked);
    let programs: Vec<Program> = seen()
        .filter(asked_for)
        .chain(unseen)
        .map(|(_, build)| build())
        .collect();
    assert!(!programs.is_empty(), "no program {asked}");
    clear_stack();
    let lost: u64 = programs.iter().map(|program| program.unreached).sum();
    let foreign: u64 = programs.iter().map(|program| program.foreign).sum();
    let load = load::Load::begin();
    for round in 0..number_from("GRAPH_SCANS", 3) {
        let graph = scan();
        let told = sum(&graph.sites.unreached_count);
        assert!(
            told <= lost,
            "{asked}, scan {round}: {told} unreached, {lost} lost: {graph:#?}"
        );
        let missed = lost - told;
        assert!(
            missed * 1_000 <= lost,
            "{asked}, scan {round}: {missed} of {lost} lost ones missed"
        );
        let outside = sum(&graph.sites.foreign_count);
        assert!(
            outside >= foreign,
            "{asked}: {outside} foreign, {foreign} expected"
        );
        assert_eq!(graph.scan.interrupted_calls, 0);
        if let [program] = &programs[..] {
            has_shape(program, &graph);
        }
    }
    load.end();
}

/// What was lost over and over is one shape.
fn has_shape(program: &Program, graph: &Graph) {
    if program.instances == 0 {
        return;
    }
    let groups = &graph.groups;
    assert_eq!(groups.cycle, [program.is_cycle]);
    let missed = program.instances - groups.instances[0];
    assert!(
        missed * 1_000 <= program.instances,
        "{missed} instances missed"
    );
    assert_eq!(groups.blocks[0], sum(&groups.members.count));
}

fn scan() -> Graph {
    let path = match heaplens::snapshot_graph() {
        Ok(path) => path,
        Err(heaplens::SnapshotError::NotStarted) => {
            std::mem::forget(heaplens::start(heaplens::Config::new()));
            return scan();
        }
        Err(error) => panic!("{error}"),
    };
    let snapshot = read(&path, &Limits::default()).expect("a snapshot");
    snapshot.graph.expect("a graph")
}

fn sum(column: &[u64]) -> u64 {
    column.iter().sum()
}

fn number_from(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// Overwrites what calls that have returned left on the stack.
#[inline(never)]
fn clear_stack() {
    std::hint::black_box([0_u8; 256 << 10]);
}
