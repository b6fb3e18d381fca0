//! Runs the Quantum Widget API, the leaking service that heaplens was made for.
//!
//! ```text
//! cargo run --release --example widget_service -- --help
//! ```
//!
//! The service itself is in `widget/`; the `incident` example starts it and drives it.

use std::process::ExitCode;

use quantum::widget::{options, service};

#[tokio::main]
pub(crate) async fn main() -> ExitCode {
    heaplens::profile!();
    let options = match options::Options::parse(std::env::args().skip(1)) {
        Ok(options) if options.help => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(options) => options,
        Err(error) => {
            eprintln!("widget_service: {error}");
            return ExitCode::from(2);
        }
    };
    match service::run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("widget_service: {error}");
            ExitCode::FAILURE
        }
    }
}
