//! Slow clients against the nginx configuration in `examples/operations/nginx`.
//!
//! ```text
//! cargo run --release --example slow_clients -- --seconds 60
//! ```
//!
//! Starts two widget services, puts nginx in front of them, and attacks it with clients that send their
//! heads slowly, send their bodies slowly, or read slowly, while normal clients go on. Then the same
//! against an nginx that passes everything through as it comes.
//!
//! Ends with exit code 1 and the reason if the normal clients noticed the attack behind our
//! configuration, or did not notice it without: then the attack is none, and proves nothing.

use std::process::ExitCode;

use quantum::drive::service;

mod siege;
// As a file of its own, and not below `siege`: it is the very service of the other example.
#[path = "widget_service.rs"]
mod widget_service;

fn main() -> ExitCode {
    if let Some(code) = service::be_the_service(widget_service::main) {
        return code;
    }
    let options = match siege::Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", siege::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("slow_clients: {error} (see --help)");
            return ExitCode::from(2);
        }
    };
    match siege::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("slow_clients: {error}");
            ExitCode::FAILURE
        }
    }
}
