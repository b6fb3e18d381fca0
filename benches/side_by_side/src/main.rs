//! Runs the same workloads under each allocator, each run in a process of its own, in turns, and
//! compares CPU time and peak memory.
//!
//! ```text
//! cargo run --release --manifest-path benches/side_by_side/Cargo.toml -- --help
//! ```
//!
//! | file | does |
//! |---|---|
//! | [`args`] | reads the command line |
//! | [`contenders`] | what is compared with what |
//! | [`build`] | builds the contender once for each allocator |
//! | [`schedule`] | runs base and contender in turns, and collects pairs |
//! | [`run`], [`service`] | one run in a process of its own; the load of the widget service |
//! | [`results`] | pairs to ratios, and which of them count |
//! | [`bounds`] | what the results are held to |
//! | [`table`], [`markdown`], [`plot`] | the results for a terminal, for the docs, as a picture |
//! | [`machine`] | what it was measured on |
//!
//! The measuring itself is done within the contender; this program allocates as it likes.

mod args;
mod bounds;
mod build;
mod contenders;
mod http;
mod machine;
mod markdown;
mod plot;
mod results;
mod run;
mod schedule;
mod service;
mod table;

use args::Options;
use machine::Machine;
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) if options.help => {
            print!("{}", args::help());
            return ExitCode::SUCCESS;
        }
        Ok(options) => options,
        Err(error) => {
            eprintln!("side_by_side: {error}");
            return ExitCode::from(2);
        }
    };
    match compare(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("side_by_side: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> Result<(), String> {
    if let Some(file) = &options.write {
        markdown::check(file)?;
    }
    let plan = schedule::Plan::new(options)?;
    let machine = Machine::describe();
    println!("{machine}\n");
    let programs = build::build_all(plan.programs(), options.named)?;
    let lines = schedule::run(&plan, &programs, options)?;
    let verdicts = bounds::judge(&lines);
    print!("{}", table::render(&lines, &verdicts));
    if let Some(file) = &options.json {
        let raw = serde_json::json!({ "machine": machine, "lines": lines });
        write(file, &format!("{raw:#}\n"))?;
    }
    if let Some(file) = &options.plot {
        write(file, &plot::render(&lines)?)?;
    }
    if let Some(file) = &options.write {
        markdown::update(file, &machine, &lines, &verdicts)?;
    }
    Ok(())
}

fn write(file: &std::path::Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))
}
