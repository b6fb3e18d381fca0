//! Scans of the heap in programs whose graph is known: what is held is never reported as unreached, and
//! what was lost is.
//!
//! Each program runs over each inner allocator, while other threads allocate and hand blocks to each other.
//! By default all programs share a process, and are told apart by their call paths. With
//! `HEAPLENS_STORMS=full` in the environment each has a process of its own, and is scanned 200 times;
//! `GRAPH_SCANS=50` makes other numbers of it. Without a harness: its threads would allocate too.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod clear;
mod ends;
mod foreign;
mod held;
mod holders;
mod inner;
mod leaked;
mod load;
#[path = "../processes/mod.rs"]
mod processes;
mod registers;
mod sites;
mod trust;

use heaplens::snapshot::graph::Graph;
use heaplens::snapshot::{Limits, Snapshot, read};
use inner::Inner;
use sites::{Sites, Unreached};
use std::any::Any;
use std::time::Instant;

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

/// Names a program, or all [`TOGETHER`], or asks for the call [`PATHS`] of all.
const PROGRAM: &str = "GRAPH_PROGRAM";
const TOGETHER: &str = "together";
const PATHS: &str = "paths";

/// A program that writes over what is left in free memory, and so misses nothing of what it has lost.
const CLEARED_PROGRAM: &str = "cleared program";

/// How often each program is scanned in a process of its own, where that is asked for.
fn scans_of_each() -> Option<u64> {
    let is_full = std::env::var_os("HEAPLENS_STORMS").is_some_and(|storms| storms == "full");
    let full = is_full.then_some(200);
    let number = std::env::var("GRAPH_SCANS").ok();
    number.map_or(full, |text| Some(text.parse().expect("a number")))
}

fn main() {
    if processes::play(&[
        ("program", program),
        (CLEARED_PROGRAM, cleared_program),
        ("trust", trust::many_scans_leave_nothing),
        ("sampled", ends::in_sampled_mode),
        ("too slow", ends::too_slow),
        ("return", ends::returns_while_it_is_scanned),
        ("terminate", ends::is_terminated_while_it_is_scanned),
        ("short", holders::short_of_memory),
    ]) {
        return;
    }
    let begun = Instant::now();
    let mut passed = 0;
    let mut run = |role, name: &str, inner| {
        let mode = if role == "sampled" { role } else { "exact" };
        let settings = [
            ("HEAPLENS_MODE", mode),
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
        left
    };
    run("trust", "", "system");
    ends::has_told_why(&run("sampled", "", "system"));
    run("too slow", "", "system");
    run("short", "", "system");
    for (name, _) in registers::UNSEEN {
        run("program", name, "system");
    }
    run("program", foreign::UNSEEN.0, "jemalloc");
    // 200 scans of one are done within a minute on a machine that does nothing else.
    processes::be_patient(10);
    match scans_of_each() {
        None => {
            let sites = Sites::told(&run("program", PATHS, "system").stdout);
            for inner in inner::NAMES {
                sites.judge(&run("program", TOGETHER, inner), inner);
                // Beside threads that must not be disturbed no scan knows all registers.
                for (name, _) in registers::HELD {
                    print!("{}", run("program", name, inner).stdout);
                }
            }
        }
        Some(_) => {
            for inner in inner::NAMES {
                for (name, _) in seen() {
                    print!("{}", run("program", name, inner).stdout);
                }
                for (name, _) in leaked::ALL {
                    print!("{}", run(CLEARED_PROGRAM, name, inner).stdout);
                }
            }
        }
    }
    ends::the_last_snapshot_does_not_wait();
    println!(
        "test result: ok. {} passed; 0 failed; {} s",
        passed + 1,
        begun.elapsed().as_secs()
    );
}

/// Programs of which a scan sees everything.
fn seen() -> impl Iterator<Item = Build> {
    held::ALL
        .into_iter()
        .chain(registers::HELD)
        .chain(leaked::ALL)
}

/// Builds the programs that are asked for. All of them the same way, whatever is done with them: call paths
/// are to be the same.
fn build() -> Vec<(&'static str, Program)> {
    let asked = std::env::var(PROGRAM).expect("a program is named");
    let is_for_all = asked == TOGETHER || asked == PATHS;
    let unseen = registers::UNSEEN
        .into_iter()
        .chain([foreign::UNSEEN])
        .filter(|(name, _)| *name == asked);
    let mut paths = (asked == PATHS).then(sites::Telling::begin);
    let mut programs = Vec::new();
    for (name, build) in seen()
        .filter(|(name, _)| (is_for_all && !sites::is_in_registers(name)) || *name == asked)
        .chain(unseen)
    {
        let program = build();
        if let Some(paths) = &mut paths {
            paths.tell(name, &program);
        }
        programs.push((name, program));
    }
    // Room that is not used keeps what was there before.
    programs.shrink_to_fit();
    assert!(!programs.is_empty(), "no program {asked}");
    match paths {
        Some(_) => Vec::new(),
        None => programs,
    }
}

/// One program, scanned again and again, or all of them. What scans have told of them all is for others to judge:
/// who looks at it here would leave its own addresses in memory that is free again.
fn program() {
    run_program(false);
}

fn cleared_program() {
    run_program(true);
}

fn run_program(is_cleared: bool) {
    let _profiler = heaplens::start(heaplens::Config::new()).expect("heaplens starts");
    // What the program loses gets addresses that nobody had before, and what that leaves is written over.
    let filled = is_cleared.then(clear::fill);
    let programs = clear::within(build);
    if programs.is_empty() {
        return;
    }
    if is_cleared {
        drop(clear::fill());
    }
    clear::stack();
    let load = load::Load::begin();
    let single = match &programs[..] {
        [single] => Some(single),
        _ => None,
    };
    let scans = single.and_then(|_| scans_of_each()).unwrap_or(3);
    let mut told = Vec::new();
    for round in 0..scans {
        let snapshot = scan();
        let graph = snapshot.graph.as_ref().expect("a graph");
        let foreign: u64 = programs.iter().map(|(_, program)| program.foreign).sum();
        let outside: u64 = graph.sites.foreign_count.iter().sum();
        assert!(outside >= foreign, "{outside} foreign, {foreign} expected");
        assert_eq!(graph.scan.interrupted_calls, 0);
        holders::add_up(graph);
        if let Some((name, program)) = single
            && sites::can_be_judged(name, graph)
        {
            let unreached = Unreached::of(graph);
            let of = format!("{name}, scan {round}");
            unreached.judge(program.unreached, &of);
            has_shape(program, graph);
            told.push(unreached);
        }
    }
    load.end();
    drop(filled);
    if let Some((name, program)) = single {
        let cleared = if is_cleared { ", cleared" } else { "" };
        let inner = std::env::var(inner::INNER).unwrap_or_default();
        println!(
            "{name} over {inner}{cleared}: {}",
            sites::sum_up(program.unreached, &told)
        );
        // Threads that run on may leave an address for as long as a scan takes.
        let finds_all = told.iter().any(|told| told.is_all_of(program.unreached));
        assert!(
            finds_all || !is_cleared,
            "{name}: something is always missed"
        );
    }
}

/// What was lost over and over is one shape.
fn has_shape(program: &Program, graph: &Graph) {
    if program.instances == 0 {
        return;
    }
    let groups = &graph.groups;
    let all_alike = groups.cycle.iter().all(|&cycle| cycle == program.is_cycle);
    assert!(all_alike && !groups.cycle.is_empty());
    // Words that are left over in a string's spare room join a few to others.
    let missed = program.instances - groups.instances[0];
    assert!(
        missed * 1_000 <= program.instances,
        "{missed} instances missed"
    );
    let rows = groups.first_member[0] as usize..groups.first_member[1] as usize;
    let blocks: u64 = groups.members.count[rows].iter().sum();
    assert_eq!(groups.blocks[0], blocks);
}

fn scan() -> Snapshot {
    let path = match heaplens::snapshot_graph() {
        Ok(path) => path,
        Err(heaplens::SnapshotError::NotStarted) => {
            std::mem::forget(heaplens::start(heaplens::Config::new()));
            return scan();
        }
        Err(error) => panic!("{error}"),
    };
    read(&path, &Limits::default()).expect("a snapshot")
}
