//! The command line of the service.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::compose::Links;

/// The text that `--help` prints.
pub const HELP: &str = "\
The Quantum Widget API, a service that leaks memory.

Usage: widget_service [OPTIONS]

Options:
      --fixed             Run without the leak
      --listen ADDR       Listen here [default: 127.0.0.1:0, any free port]
      --database FILE     Keep definitions in this file [default: in memory]
      --stop-with-stdin   Stop when the standard input ends, as it does when the
                          process that started this one is gone
  -h, --help              Print this

Example:
  widget_service --listen 127.0.0.1:8080
  curl -X PUT http://127.0.0.1:8080/widgets/1 -H 'content-type: application/json' \\
    -d '{\"name\":\"W\",\"panes\":[{\"title\":\"P\",\"levels\":3,\"width\":200,\"height\":80}]}'
  curl 'http://127.0.0.1:8080/widgets/1?format=svg&tick=7'
";

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub(crate) links: Links,
    pub(crate) listen: SocketAddr,
    pub(crate) database: Option<PathBuf>,
    pub(crate) stop_with_stdin: bool,
    /// Whether they ask for [`HELP`] and nothing else.
    pub help: bool,
}

impl Options {
    /// Reads the arguments that follow the program's name.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            links: Links::Strong,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            database: None,
            stop_with_stdin: false,
            help: false,
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = |what: &str| {
                arguments
                    .next()
                    .ok_or_else(|| format!("{argument} needs {what} (see --help)"))
            };
            match argument.as_str() {
                "--fixed" => options.links = Links::Weak,
                "--listen" => {
                    let address = value("an address such as 127.0.0.1:8080")?;
                    options.listen = address.parse().map_err(|_| {
                        format!("--listen {address:?}: not an address such as 127.0.0.1:8080")
                    })?;
                }
                "--database" => options.database = Some(value("a file")?.into()),
                "--stop-with-stdin" => options.stop_with_stdin = true,
                "-h" | "--help" => options.help = true,
                _ => return Err(format!("unknown argument {argument:?} (see --help)")),
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
    fn leaks_on_a_free_port_of_loopback_unless_told_otherwise() {
        let options = parse("").unwrap();
        assert_eq!(
            (options.links, options.listen.to_string()),
            (Links::Strong, "127.0.0.1:0".into())
        );
        let options = parse("--listen [::1]:80 --fixed --database w.sqlite").unwrap();
        assert_eq!(
            (options.links, options.listen.to_string()),
            (Links::Weak, "[::1]:80".into())
        );
        assert_eq!(options.database, Some("w.sqlite".into()));
    }

    #[test]
    fn refuses_what_it_does_not_know_by_name() {
        assert!(parse("--fix").unwrap_err().contains("\"--fix\""));
        assert!(
            parse("--listen")
                .unwrap_err()
                .contains("--listen needs an address")
        );
        assert!(parse("--listen 8080").unwrap_err().contains("\"8080\""));
    }
}
