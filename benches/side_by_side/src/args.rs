//! The command line.

use crate::contenders::{self, Contender};
use measure::Workload;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

const USAGE: &str = "\
Runs the same workloads under each allocator, each run in a process of its own, in turns,
and compares CPU time and peak memory with the base that each has.

Usage: side_by_side [OPTIONS]

Options:
      --workloads LIST    Names, separated by commas [default: all]
      --contenders LIST   Names, or beginnings of names followed by *; what they are
                          compared with is added [default: all]
      --pairs N           Pairs of runs for each comparison [default: 15]
      --milliseconds N    CPU time measured in each run [default: 500]
      --quick             3 pairs of 60 ms: shows that everything works, and no more
      --layouts N         Compare exact-system in N more programs, in which the linker
                          has put the functions in other orders [default: 0]
      --pin               Keep single-threaded workloads on one CPU
      --write FILE        Put the results into this Markdown file, between its marks
      --plot FILE         Draw them as SVG
      --json FILE         Write every single run
  -h, --help              Print this

A result counts if it comes from at least 15 pairs and the base, compared with itself in
the same run, is within 1 % of itself. Others are marked as void.
";

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Options {
    pub(crate) workloads: Vec<Workload>,
    pub(crate) contenders: Vec<&'static Contender>,
    pub(crate) pairs: usize,
    pub(crate) time: Duration,
    pub(crate) layouts: u32,
    pub(crate) pin: bool,
    pub(crate) write: Option<PathBuf>,
    pub(crate) plot: Option<PathBuf>,
    pub(crate) json: Option<PathBuf>,
    pub(crate) help: bool,
    /// `contenders` were named one by one, so that a missing one is an error.
    pub(crate) named: bool,
}

impl Options {
    /// Reads the arguments that follow the program's name.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            workloads: Workload::ALL.to_vec(),
            contenders: contenders::ALL.iter().collect(),
            pairs: 15,
            time: Duration::from_millis(500),
            layouts: 0,
            pin: false,
            write: None,
            plot: None,
            json: None,
            help: false,
            named: false,
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let missing = || format!("{argument} needs a value (see --help)");
                arguments.next().ok_or_else(missing)
            };
            match argument.as_str() {
                "--workloads" => options.workloads = workloads(&value()?)?,
                "--contenders" => {
                    options.contenders = chosen(&value()?)?;
                    options.named = true;
                }
                "--pairs" => options.pairs = number(&argument, &value()?, 1_000)? as usize,
                "--milliseconds" => {
                    let milliseconds = number(&argument, &value()?, 60_000)?;
                    options.time = Duration::from_millis(milliseconds.into());
                }
                "--quick" => {
                    options.pairs = 3;
                    options.time = Duration::from_millis(60);
                }
                "--layouts" => options.layouts = number(&argument, &value()?, 100)?,
                "--pin" => options.pin = true,
                "--write" => options.write = Some(value()?.into()),
                "--plot" => options.plot = Some(value()?.into()),
                "--json" => options.json = Some(value()?.into()),
                "-h" | "--help" => options.help = true,
                _ => return Err(format!("unknown argument {argument:?} (see --help)")),
            }
        }
        Ok(options)
    }
}

/// The text that `--help` prints.
pub(crate) fn help() -> String {
    let mut text = format!("{USAGE}\nWorkloads:\n");
    for workload in Workload::ALL {
        list(&mut text, workload.name(), workload.summary());
    }
    text.push_str("\nContenders:\n");
    for contender in contenders::ALL {
        list(&mut text, contender.name, contender.summary);
    }
    text
}

fn list(text: &mut String, name: &str, summary: &str) {
    writeln!(text, "  {name:<19} {summary}").expect("a string takes every text");
}

fn number(argument: &str, text: &str, most: u32) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(format!(
            "{argument} {text:?}: not a number from 1 to {most}"
        )),
    }
}

fn workloads(list: &str) -> Result<Vec<Workload>, String> {
    let named: Result<Vec<_>, _> = list
        .split(',')
        .map(|name| {
            Workload::by_name(name)
                .ok_or_else(|| format!("there is no workload {name:?} (see --help)"))
        })
        .collect();
    let named = named?;
    Ok(Workload::ALL
        .into_iter()
        .filter(|workload| named.contains(workload))
        .collect())
}

fn chosen(list: &str) -> Result<Vec<&'static Contender>, String> {
    let patterns: Vec<&str> = list.split(',').collect();
    let matches = |pattern: &str, name: &str| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    };
    for pattern in &patterns {
        let mut all = contenders::ALL.iter();
        if !all.any(|contender| matches(pattern, contender.name)) {
            return Err(format!("there is no contender {pattern:?} (see --help)"));
        }
    }
    let all = contenders::ALL.iter();
    Ok(all
        .filter(|contender| {
            patterns
                .iter()
                .any(|pattern| matches(pattern, contender.name))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn everything_fifteen_times_unless_told_otherwise() {
        let options = parse("").unwrap();
        assert_eq!(options.workloads.len(), Workload::ALL.len());
        assert_eq!(options.contenders.len(), contenders::ALL.len());
        assert_eq!(options.pairs, 15);
    }

    #[test]
    fn names_and_beginnings_of_names() {
        let options = parse("--contenders exact-*,dhat --workloads json,churn").unwrap();
        let names: Vec<_> = options.contenders.iter().map(|one| one.name).collect();
        assert_eq!(
            names,
            [
                "exact-system",
                "exact-thread",
                "exact-mimalloc",
                "exact-jemalloc",
                "dhat"
            ]
        );
        assert_eq!(options.workloads, [Workload::Json, Workload::Churn]);
    }

    #[test]
    fn refuses_the_rest_in_one_line() {
        for (line, part) in [
            ("--contenders exacd", "contender \"exacd\""),
            ("--contenders x*", "contender \"x*\""),
            ("--workloads jsn", "workload \"jsn\""),
            ("--pairs 0", "--pairs \"0\": not a number from 1 to 1000"),
            ("--pairs", "--pairs needs a value"),
            ("--fast", "\"--fast\""),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(part) && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn help_names_everything() {
        let help = help();
        for contender in contenders::ALL {
            assert!(help.contains(contender.summary));
        }
    }
}
