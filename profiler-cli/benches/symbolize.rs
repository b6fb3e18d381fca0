//! What it takes to name 50,000 addresses of a program with debug information.
//!
//! ```text
//! CARGO_PROFILE_RELEASE_DEBUG=full cargo build --release --example widget_service
//! PROGRAM=$PWD/target/release/examples/widget_service cargo bench -p heaplens-cli --bench symbolize
//! ```
//!
//! Without `PROGRAM` the benchmark takes its own executable.

use std::path::PathBuf;
use std::time::Instant;

use heaplens::snapshot::{FORMAT, FORMAT_VERSION, Header, Module, Sites, Snapshot, Stacks};
use heaplens_cli::symbols::{Options, symbolize, text_hash};
use object::{Object, ObjectSection};

const ADDRESSES: u64 = 50_000;

fn main() {
    let program = std::env::var_os("PROGRAM").map_or_else(
        || std::env::current_exe().expect("a program of its own"),
        PathBuf::from,
    );
    let snapshot = snapshot(&program);
    let start = Instant::now();
    let outcome = symbolize(&snapshot, &Options::default(), &mut |_, _| {});
    let took = start.elapsed();
    println!(
        "{:.2} s for {ADDRESSES} addresses of {}: {} frames, {} texts, {:?}",
        took.as_secs_f64(),
        program.display(),
        outcome.symbols.frame.len(),
        outcome.symbols.strings.len(),
        outcome.symbols.sources[1],
    );
    for note in outcome.notes {
        println!("{note}");
    }
}

/// A snapshot with a row for each of so many places, evenly spread over the program's code.
fn snapshot(program: &PathBuf) -> Snapshot {
    let bytes = std::fs::read(program).expect("a program");
    let file = object::File::parse(&*bytes).expect("a program");
    let code = file.section_by_name(".text").expect("code");
    let build_id = file.build_id().expect("notes that are whole");
    let module = Module {
        path: program.to_string_lossy().into_owned(),
        build_id: build_id.map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect()),
        text_hash: match build_id {
            Some(_) => None,
            None => Some(text_hash(&file).expect("segments within the file")),
        },
    };
    let rows = ADDRESSES as usize;
    Snapshot {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        header: Header::default(),
        modules: vec![Module::default(), module],
        stacks: Stacks {
            parent: vec![-1; rows],
            module: vec![1; rows],
            address: (0..ADDRESSES)
                .map(|n| code.address() + n * code.size() / ADDRESSES)
                .collect(),
        },
        sites: Sites::default(),
        graph: None,
        symbols: None,
        complete: true,
    }
}
