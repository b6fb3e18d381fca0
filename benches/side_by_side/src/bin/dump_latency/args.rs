//! The command line.

use std::time::Duration;

/// The text that `--help` prints.
pub(crate) const HELP: &str = "\
Times pairs of allocation and free while snapshots are taken, and while they are not.

Usage: dump_latency [OPTIONS]

Options:
      --modes LIST       exact, sampled or both [default: exact,sampled]
      --sites N          Live call sites [default: 100000]
      --heap MIB         Live memory [default: 1024]
      --rounds N         Windows of each kind [default: 15]
      --milliseconds N   Length of a window [default: 1000]
      --quick            2 rounds of 200 ms, 10,000 sites, 64 MiB: shows that it works
  -h, --help             Print this
";

/// As many as there are call paths.
const MOST_SITES: u32 = 10u32.pow(super::sites::CALLS);

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Options {
    pub(crate) modes: Vec<String>,
    pub(crate) sites: u32,
    pub(crate) heap_bytes: u64,
    pub(crate) rounds: u32,
    pub(crate) window: Duration,
    pub(crate) help: bool,
}

impl Options {
    /// Reads the arguments that follow the program's name.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            modes: ["exact", "sampled"].map(str::to_owned).to_vec(),
            sites: 100_000,
            heap_bytes: 1 << 30,
            rounds: 15,
            window: Duration::from_secs(1),
            help: false,
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_default();
            let number = |text: String, most: u32| match text.parse() {
                Ok(number) if (1..=most).contains(&number) => Ok(number),
                _ => Err(format!(
                    "{argument} {text:?}: not a number from 1 to {most}"
                )),
            };
            match argument.as_str() {
                "--modes" => options.modes = modes(&value())?,
                "--sites" => options.sites = number(value(), MOST_SITES)?,
                "--heap" => {
                    options.heap_bytes = u64::from(number(value(), 1 << 20)?) << 20;
                }
                "--rounds" => options.rounds = number(value(), 1_000)?,
                "--milliseconds" => {
                    let milliseconds = number(value(), 600_000)?;
                    options.window = Duration::from_millis(milliseconds.into());
                }
                "--quick" => {
                    options.rounds = 2;
                    options.window = Duration::from_millis(200);
                    options.sites = 10_000;
                    options.heap_bytes = 64 << 20;
                }
                "-h" | "--help" => options.help = true,
                _ => return Err(format!("unknown argument {argument:?} (see --help)")),
            }
        }
        Ok(options)
    }
}

fn modes(list: &str) -> Result<Vec<String>, String> {
    list.split(',')
        .map(|mode| match mode {
            "exact" | "sampled" => Ok(mode.to_owned()),
            _ => Err(format!("--modes {mode:?}: neither exact nor sampled")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_is_promised_is_what_is_measured_by_default() {
        let options = parse("").unwrap();
        assert_eq!((options.sites, options.heap_bytes), (100_000, 1 << 30));
        assert_eq!(options.modes, ["exact", "sampled"]);
    }

    #[test]
    fn refuses_the_rest_in_one_line() {
        for (line, part) in [
            ("--modes off", "--modes \"off\""),
            ("--sites 1000001", "1000000"),
            ("--heap", "--heap \"\""),
            ("--slow", "\"--slow\""),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(part) && !error.contains('\n'), "{error}");
        }
    }
}
