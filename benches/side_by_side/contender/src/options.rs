//! The command line. It is written by the driver, or by somebody who looks into a single run.

use measure::Workload;
use std::time::Duration;
use workloads::{Amount, Budget};

/// What to run, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) workload: Workload,
    pub(crate) budget: Budget,
    /// Run with one more thread that does nothing: the C library takes other paths then.
    pub(crate) idle_thread: bool,
}

impl Options {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut arguments = arguments.into_iter();
        let name = arguments.next().ok_or("which workload?")?;
        let workload = Workload::by_name(&name).ok_or(format!("there is no workload {name:?}"))?;
        let mut options = Self {
            workload,
            budget: Budget(Amount::Cpu(Duration::from_millis(500))),
            idle_thread: false,
        };
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let text = arguments.next().unwrap_or_default();
                match text.parse() {
                    Ok(0) | Err(_) => Err(format!("{argument} {text:?}: not a number from 1")),
                    Ok(number) => Ok(number),
                }
            };
            match argument.as_str() {
                "--milliseconds" => {
                    options.budget = Budget(Amount::Cpu(Duration::from_millis(number()?)));
                }
                "--units" => options.budget = Budget(Amount::Units(number()?)),
                "--idle-thread" => options.idle_thread = true,
                _ => return Err(format!("unknown argument {argument:?}")),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn reads_what_the_driver_writes() {
        let options = parse("churn --milliseconds 20 --idle-thread").unwrap();
        assert_eq!(options.workload, Workload::Churn);
        assert_eq!(
            options.budget,
            Budget(Amount::Cpu(Duration::from_millis(20)))
        );
        assert!(options.idle_thread);
        assert_eq!(
            parse("json --units 3").unwrap().budget,
            Budget(Amount::Units(3))
        );
    }

    #[test]
    fn refuses_the_rest_by_name() {
        for (line, part) in [
            ("", "which workload"),
            ("chrun", "\"chrun\""),
            ("churn --units", "--units"),
            ("churn --units 0", "\"0\""),
            ("churn --fast", "\"--fast\""),
        ] {
            assert!(parse(line).unwrap_err().contains(part), "{line}");
        }
    }
}
