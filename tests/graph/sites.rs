//! What scans have told of each program, and whether that is true.
//!
//! Of programs that share a process, call paths belong to the one in whose making they came first. Which they
//! are is asked of another process: the question would leave its traces in the memory that is scanned.

use crate::processes::Left;
use crate::{Program, registers};
use heaplens::snapshot::Snapshot;
use heaplens::snapshot::graph::Graph;
use std::collections::{HashMap, HashSet};

/// Module and address of each call, innermost first, as text.
type Path = String;

/// Programs, with the blocks that each has lost, and whose a call path is.
pub(crate) struct Sites {
    programs: Vec<(String, u64)>,
    of: HashMap<Path, usize>,
}

/// Blocks that no pointer reaches.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Unreached {
    blocks: u64,
    bytes: u64,
}

const PROGRAM: &str = "program";
const PATH: &str = "path";

/// Prints what [`Sites::told`] reads.
pub(crate) struct Telling {
    known: HashSet<Path>,
}

impl Telling {
    pub(crate) fn begin() -> Self {
        Self {
            known: paths().collect(),
        }
    }

    /// Call paths that are new are this program's.
    pub(crate) fn tell(&mut self, name: &str, program: &Program) {
        println!("{PROGRAM} {name} {}", program.unreached);
        for path in paths().filter(|path| self.known.insert(path.clone())) {
            println!("{PATH} {path}");
        }
    }
}

/// All call paths so far.
fn paths() -> impl Iterator<Item = Path> {
    let snapshot = heaplens::snapshot_in_memory("").expect("a snapshot");
    let stacks = snapshot.sites.stack.clone();
    stacks.into_iter().map(move |stack| path(&snapshot, stack))
}

fn path(snapshot: &Snapshot, stack: u32) -> Path {
    let stacks = &snapshot.stacks;
    let mut path = Path::new();
    let mut row = i64::from(stack);
    while let Ok(at) = usize::try_from(row) {
        path += &format!("{}:{:x} ", stacks.module[at], stacks.address[at]);
        row = stacks.parent[at];
    }
    path
}

impl Sites {
    pub(crate) fn told(text: &str) -> Self {
        let mut sites = Self {
            programs: Vec::new(),
            of: HashMap::new(),
        };
        for line in text.lines() {
            match line.split_once(' ') {
                Some((PROGRAM, program)) => {
                    let (name, lost) = program.split_once(' ').expect("two words");
                    let lost = lost.parse().expect("a number");
                    sites.programs.push((name.to_owned(), lost));
                }
                Some((PATH, path)) => {
                    sites.of.insert(path.to_owned(), sites.programs.len() - 1);
                }
                _ => {}
            }
        }
        sites
    }

    /// Judges what a process has left that ran all programs.
    pub(crate) fn judge(&self, left: &Left, inner: &str) {
        let snapshots = left.files.values().filter(|file| file.graph.is_some());
        let told: Vec<Vec<Unreached>> = snapshots
            .enumerate()
            .map(|(round, snapshot)| {
                let (of_programs, of_others) = self.unreached(snapshot);
                let place = format!("over {inner}, scan {round}");
                of_others.judge(0, &format!("no program {place}"));
                for ((name, lost), told) in self.programs.iter().zip(&of_programs) {
                    told.judge(*lost, &format!("{name} {place}"));
                }
                of_programs
            })
            .collect();
        assert!(!told.is_empty());
        for (at, (name, lost)) in self.programs.iter().enumerate() {
            let of_scans: Vec<Unreached> = told.iter().map(|of_programs| of_programs[at]).collect();
            if *lost > 0 {
                println!("{name} over {inner}: {}", sum_up(*lost, &of_scans));
            }
        }
    }

    /// What a scan has found unreached: of each program, and of nobody.
    fn unreached(&self, snapshot: &Snapshot) -> (Vec<Unreached>, Unreached) {
        let verdicts = &snapshot.graph.as_ref().expect("a graph").sites;
        let mut of_programs = vec![Unreached::default(); self.programs.len()];
        let mut of_others = Unreached::default();
        for (row, &site) in verdicts.site.iter().enumerate() {
            let path = path(snapshot, snapshot.sites.stack[site as usize]);
            let sum = match self.of.get(&path) {
                Some(&program) => &mut of_programs[program],
                None => &mut of_others,
            };
            sum.blocks += verdicts.unreached_count[row];
            sum.bytes += verdicts.unreached_bytes[row];
        }
        (of_programs, of_others)
    }
}

impl Unreached {
    /// Of the whole process.
    pub(crate) fn of(graph: &Graph) -> Self {
        Self {
            blocks: graph.sites.unreached_count.iter().sum(),
            bytes: graph.sites.unreached_bytes.iter().sum(),
        }
    }

    /// No block that is held is told as unreached, and of those that are lost nearly all are.
    pub(crate) fn judge(self, lost: u64, of: &str) {
        let told = self.blocks;
        assert!(told <= lost, "{of}: {told} unreached, {lost} lost");
        let missed = lost - told;
        assert!(
            missed * 1_000 <= lost,
            "{of}: {missed} of {lost} lost ones missed"
        );
    }

    pub(crate) fn is_all_of(self, lost: u64) -> bool {
        self.blocks == lost
    }
}

/// Whether a program holds something in registers alone.
pub(crate) fn is_in_registers(name: &str) -> bool {
    registers::HELD.iter().any(|(held, _)| *held == name)
}

/// Whether a scan says that it knows enough to tell what this program holds: on a machine with far more to do
/// than it can, threads do not stop in time, and then their registers are not known.
pub(crate) fn can_be_judged(name: &str, graph: &Graph) -> bool {
    let can = graph.scan.registers || !is_in_registers(name);
    if !can {
        println!("{name}: a scan without registers");
    }
    can
}

/// What all scans have told of a program, in a line. Bytes are held to the bound of the blocks.
pub(crate) fn sum_up(lost: u64, told: &[Unreached]) -> String {
    let missed = told.iter().map(|told| lost - told.blocks);
    let all_missed: u64 = missed.clone().sum();
    let most_missed = missed.max().unwrap_or(0);
    // Whoever has missed nothing knows their bytes.
    let all = told.iter().find(|told| told.blocks == lost);
    let missed_bytes = all.map(|all| {
        let missed = told.iter().map(|told| all.bytes - told.bytes).max();
        let missed = missed.unwrap_or(0);
        assert!(missed * 1_000 <= all.bytes, "{missed} bytes missed");
        missed
    });
    format!(
        "{} scans; {lost} lost, at most {most_missed} of them missed, {} bytes, {all_missed} in all scans",
        told.len(),
        missed_bytes.map_or("?".to_owned(), |bytes| bytes.to_string()),
    )
}
