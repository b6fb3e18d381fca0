//! The siege: quiet, attacked behind our configuration, attacked without it.
//!
//! | file | does |
//! |---|---|
//! | [`slow`] | the slow clients |
//! | [`normal`] | the clients that are to notice nothing |
//!
//! Each client has an address of its own, so limits by address help only as far as they would against a
//! botnet.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::runtime::Runtime;

use normal::Outcome;
use quantum::drive::load::{LARGEST_WIDGET, Script, large_widget};
use quantum::drive::nginx::{Configuration, Nginx};
use quantum::drive::service::Service;

mod normal;
mod slow;

/// The text that `--help` prints.
pub(crate) const HELP: &str = "\
Attacks nginx with slow clients, with our configuration and without.

Usage: slow_clients [OPTIONS]

Options:
      --seconds N     Attack for so long, each time [default: 15]
      --clients N     Slow clients of each of the three kinds [default: 200]
      --addresses N   Addresses that they come from [default: one for each]
      --against FILE  Compare with this nginx.conf instead of the built-in one; it listens
                      on 127.0.0.1:8080, for backends on 127.0.0.1:8081 and 8082
  -h, --help          Print this
";

/// How much later than in quiet the slowest hundredth of the normal clients may be served.
const ALLOWED_DELAY: Duration = Duration::from_millis(50);
/// What counts as being noticed.
const NOTICED: Duration = Duration::from_secs(1);

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    seconds: u64,
    clients: u32,
    addresses: u32,
    against: Option<PathBuf>,
}

impl Options {
    /// Reads the arguments that follow the program's name; `None` where they ask for help.
    pub(crate) fn parse(
        arguments: impl IntoIterator<Item = String>,
    ) -> Result<Option<Self>, String> {
        let (mut seconds, mut clients, mut addresses, mut against) = (15, 200, None, None);
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            let number = |text: String, most: u32| match text.parse() {
                Ok(number) if (1..=most).contains(&number) => Ok(number),
                _ => Err(format!(
                    "{argument} {text:?}: not a number from 1 to {most}"
                )),
            };
            match argument.as_str() {
                "--seconds" => seconds = number(value()?, 3_600)?,
                "--clients" => clients = number(value()?, 5_000)?,
                "--addresses" => addresses = Some(number(value()?, 15_000)?),
                "--against" => against = Some(PathBuf::from(value()?)),
                "-h" | "--help" => return Ok(None),
                _ => return Err(format!("unknown argument {argument:?}")),
            }
        }
        Ok(Some(Self {
            seconds: seconds.into(),
            clients,
            addresses: addresses.unwrap_or(clients * 3),
            against,
        }))
    }
}

/// Runs it all. An error says what the normal clients noticed, or did not.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let services = [
        start_service(folder.path(), "a")?,
        start_service(folder.path(), "b")?,
    ];
    let backends = services.each_ref().map(Service::address);
    let runtime = Runtime::new().map_err(|error| format!("cannot start a runtime: {error}"))?;
    let attack_time = Duration::from_secs(options.seconds);
    let quiet_time = (attack_time / 3).max(Duration::from_secs(2));

    println!(
        "{} slow clients of each kind from {} addresses, {} s each time",
        options.clients, options.addresses, options.seconds
    );
    let nginx = Nginx::start(folder.path(), &Configuration::Ours, &backends)?;
    runtime.block_on(normal::finds_nothing_inside(nginx.address()))?;
    let quiet = runtime.block_on(normal::drive(nginx.address(), quiet_time));
    println!("quiet                   {quiet}");
    let ours = attacked(&runtime, options, nginx.address(), attack_time);
    println!("with our configuration  {ours}");
    drop(nginx);

    let plain = match &options.against {
        Some(file) => Configuration::File(file.clone()),
        None => Configuration::PassThrough,
    };
    let nginx = Nginx::start(folder.path(), &plain, &backends)?;
    let without = attacked(&runtime, options, nginx.address(), attack_time);
    println!("without                 {without}");
    drop(nginx);

    judge(&quiet, &ours, &without)
}

fn attacked(runtime: &Runtime, options: &Options, nginx: SocketAddr, time: Duration) -> Outcome {
    runtime.block_on(async {
        let attack = slow::Attack::start(nginx, options.clients, options.addresses);
        let outcome = normal::drive(nginx, time).await;
        println!("{}", attack.stop());
        outcome
    })
}

fn judge(quiet: &Outcome, ours: &Outcome, without: &Outcome) -> Result<(), String> {
    if quiet.errors() > 0 {
        return Err("normal clients saw errors without any attack".to_owned());
    }
    if ours.errors() > 0 {
        return Err("normal clients saw errors, in spite of our configuration".to_owned());
    }
    if ours.p99() > quiet.p99() + ALLOWED_DELAY {
        return Err(format!(
            "p99 rose by more than {} ms, in spite of our configuration",
            ALLOWED_DELAY.as_millis()
        ));
    }
    if without.errors() == 0 && without.p99() <= NOTICED {
        return Err("without our configuration nobody noticed either: no attack".to_owned());
    }
    println!("our configuration holds; without it the attack succeeds");
    Ok(())
}

/// A service without the leak, which is not the question here, with all widgets published.
fn start_service(folder: &Path, name: &str) -> Result<Service, String> {
    let service = Service::start(true, &folder.join(name))?;
    for request in Script::new(1).publications() {
        service.client().send(&request)?;
    }
    service.client().send(&large_widget(LARGEST_WIDGET))?;
    Ok(service)
}
