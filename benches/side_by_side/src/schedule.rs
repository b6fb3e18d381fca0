//! Which comparisons are made, and in which order: base and contender in turns, so that what changes
//! on the machine over minutes meets both.

use crate::args::Options;
use crate::build::Programs;
use crate::contenders::{self, Contender, Launcher, Program};
use crate::results::{Line, Lines};
use crate::run::Run;
use crate::service;
use measure::{Kind, Measurement, Workload};
use std::path::Path;
use std::process::{Command, Stdio};

/// A contender beside its base. A base beside itself is a control.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Comparison {
    workload: Workload,
    base: Contender,
    contender: Contender,
}

/// All comparisons of a run.
#[derive(Debug)]
pub(crate) struct Plan(Vec<Comparison>);

impl Plan {
    pub(crate) fn new(options: &Options) -> Result<Self, String> {
        let mut chosen: Vec<Contender> = options.contenders.iter().copied().copied().collect();
        let needs_heaptrack =
            |contender: &Contender| matches!(contender.launcher, Launcher::Heaptrack);
        if chosen.iter().any(needs_heaptrack) && !is_installed("heaptrack") {
            let missing = "heaptrack is not installed (Debian's package has the same name)";
            if options.named {
                return Err(missing.to_owned());
            }
            eprintln!("left out: {missing}");
            chosen.retain(|contender| !needs_heaptrack(contender));
        }
        if let Some(exact) = chosen
            .iter()
            .find(|one| one.name == "exact-system")
            .copied()
        {
            chosen.extend((1..=options.layouts).map(|layout| exact.in_layout(layout)));
        }
        let mut comparisons = Vec::new();
        for workload in &options.workloads {
            comparisons.extend(of_workload(*workload, &chosen));
        }
        match comparisons.is_empty() {
            true => Err("none of these contenders takes part in these workloads".to_owned()),
            false => Ok(Self(comparisons)),
        }
    }

    /// The programs that it takes, each once.
    pub(crate) fn programs(&self) -> Vec<Program> {
        let mut programs = Vec::new();
        for comparison in &self.0 {
            for contender in [comparison.base, comparison.contender] {
                if !programs.contains(&contender.program) {
                    programs.push(contender.program);
                }
            }
        }
        programs
    }
}

/// The comparisons on one workload: controls first, each base once.
fn of_workload(workload: Workload, chosen: &[Contender]) -> Vec<Comparison> {
    let mut controls: Vec<Comparison> = Vec::new();
    let mut comparisons = Vec::new();
    for contender in chosen {
        let layout = contender.program.layout;
        let mut bases: Vec<Contender> = contender
            .bases
            .iter()
            .filter_map(|base| contenders::by_name(base))
            .map(|base| base.in_layout(layout))
            .collect();
        // Shuffled programs answer one question only.
        bases.truncate(if layout > 0 { 1 } else { bases.len() });
        for base in bases {
            if takes_part(workload, contender) && takes_part(workload, &base) {
                comparisons.push(Comparison {
                    workload,
                    base,
                    contender: *contender,
                });
            }
        }
        if contender.bases.is_empty() && takes_part(workload, contender) {
            comparisons.push(control(workload, *contender));
        }
    }
    for comparison in &comparisons {
        let control = control(workload, comparison.base);
        if !controls.contains(&control) {
            controls.push(control);
        }
    }
    comparisons.retain(|comparison| comparison.base != comparison.contender);
    controls.extend(comparisons);
    controls
}

fn control(workload: Workload, base: Contender) -> Comparison {
    Comparison {
        workload,
        base,
        contender: base,
    }
}

/// Leaves out what would tell nothing.
fn takes_part(workload: Workload, contender: &Contender) -> bool {
    match workload.kind() {
        // Only a service runs until it is told to stop.
        kind if contender.is_scraped => kind == Kind::Service,
        Kind::SingleThread => true,
        // There are several threads anyway.
        Kind::Threads | Kind::Service => !contender.idle_thread && contender.program.layout == 0,
        Kind::Scaling => {
            contender.is_over_system() && !contender.idle_thread && contender.program.layout == 0
        }
    }
}

fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Makes all comparisons of the plan whose programs are there, workload by workload.
pub(crate) fn run(plan: &Plan, programs: &Programs, options: &Options) -> Result<Lines, String> {
    let folder = tempfile::tempdir()
        .map_err(|error| format!("cannot make a folder for the contenders' files: {error}"))?;
    let mut lines = Vec::new();
    for workload in &options.workloads {
        let comparisons: Vec<_> = plan
            .0
            .iter()
            .filter(|comparison| comparison.workload == *workload)
            .filter(|comparison| programs.has(comparison.base.program))
            .filter(|comparison| programs.has(comparison.contender.program))
            .collect();
        let mut of_workload: Vec<Line> = comparisons
            .iter()
            .map(|one| Line::new(*workload, &one.contender, &one.base))
            .collect();
        for round in 0..options.pairs {
            eprintln!(
                "{}: round {} of {}",
                workload.name(),
                round + 1,
                options.pairs
            );
            for (index, (comparison, line)) in comparisons.iter().zip(&mut of_workload).enumerate()
            {
                if line.failure.is_some() {
                    continue;
                }
                let base_first = (round + index) % 2 == 0;
                match pair(comparison, base_first, programs, options, folder.path()) {
                    Ok(pair) => line.pairs.push(pair),
                    Err(error) => {
                        eprintln!("{}: {error}", workload.name());
                        line.failure = Some(error);
                    }
                }
            }
        }
        lines.extend(of_workload);
    }
    Ok(Lines(lines))
}

/// One run of each: base and contender.
fn pair(
    comparison: &Comparison,
    base_first: bool,
    programs: &Programs,
    options: &Options,
    folder: &Path,
) -> Result<(Measurement, Measurement), String> {
    let run = |contender| Run {
        contender,
        program: programs.path(contender.program),
        workload: comparison.workload,
        time: options.time,
        pin: options.pin,
        folder,
    };
    let (base, contender) = (run(&comparison.base), run(&comparison.contender));
    let (first, second) = match base_first {
        true => (&base, &contender),
        false => (&contender, &base),
    };
    let [first, second] = match comparison.workload.kind() {
        Kind::Service => service::measure([first, second])?,
        _ => {
            let measure = |run: &Run| {
                run.measure()
                    .map_err(|error| format!("{}: {error}", run.contender.label()))
            };
            [measure(first)?, measure(second)?]
        }
    };
    Ok(match base_first {
        true => (first, second),
        false => (second, first),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(line: &str) -> Vec<(&'static str, String, String)> {
        let options = Options::parse(line.split_whitespace().map(str::to_owned)).unwrap();
        let plan = Plan::new(&options).unwrap();
        plan.0
            .iter()
            .map(|one| (one.workload.name(), one.contender.label(), one.base.label()))
            .collect()
    }

    #[test]
    fn every_base_is_compared_with_itself() {
        let all = plan("");
        assert!(all.len() > 100);
        for (workload, _, base) in &all {
            assert!(
                all.contains(&(workload, base.clone(), base.clone())),
                "{workload} {base}"
            );
        }
    }

    #[test]
    fn nothing_is_compared_twice() {
        let mut all = plan("--layouts 2");
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn shuffled_programs_are_compared_with_bases_shuffled_alike() {
        let all = plan("--layouts 1 --workloads json,service --contenders exact-system");
        let line = |contender: &str, base: &str| ("json", contender.to_owned(), base.to_owned());
        assert!(all.contains(&line("exact-system@1", "system@1")));
        assert!(all.contains(&line("system@1", "system@1")));
        assert!(!all.contains(&line("exact-system@1", "system-thread@1")));
        assert!(
            all.iter()
                .all(|one| one.0 == "json" || !one.1.contains('@'))
        );
    }

    #[test]
    fn a_base_alone_is_its_control() {
        let expected = ("json", "system".to_owned(), "system".to_owned());
        assert_eq!(plan("--workloads json --contenders system"), [expected]);
    }
}
