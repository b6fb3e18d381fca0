//! What a snapshot must not hold: contents of the heap, which scans of it do read, addresses of blocks, arguments,
//! environment, and what else names the host's business. The path of the program, the host's name and labels
//! are in it by design.

use crate::processes::{command, left};
use flate2::read::MultiGzDecoder;
use heaplens::Config;
use std::collections::HashSet;
use std::fs;
use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::thread;

pub(crate) const ROLES: &[(&str, fn())] = &[("secrets", holds_secrets)];

/// Pieces, so that the words stand in no constant of the program.
fn word(of: &str) -> String {
    ["canary", of, "9f3a71"].join("-")
}

const HIDDEN: [&str; 7] = [
    "heap",
    "freed",
    "argument",
    "variable",
    "thread",
    "directory",
    "stack",
];

/// In blocks, beside pointers: put together from two halves.
fn secret_number() -> u64 {
    black_box(0x5ec2_e7a1_u64) << 32 | black_box(0xde9f_3a71)
}

/// Before the address of a block on standard output.
const BLOCK: &str = "block ";

/// In exact mode makes a graph too, in which each text is held by a block that has the number in it.
fn holds_secrets() {
    let _profiler = heaplens::start(Config::new()).expect("the profiler starts");
    let held: Vec<String> = (0..1_000).map(|_| black_box(word("heap"))).collect();
    for _ in 0..1_000 {
        drop(black_box(word("freed")));
    }
    let on_stack: [u8; 32] = {
        let mut bytes = [0; 32];
        let word = word("stack");
        bytes[..word.len()].copy_from_slice(word.as_bytes());
        black_box(bytes)
    };
    let named = thread::Builder::new().name("canary-thread".to_owned());
    let thread = named.spawn(|| {
        let held = black_box(vec![word("heap"); 100]);
        heaplens::snapshot(&word("label")).expect("a snapshot");
        held.len()
    });
    assert_eq!(thread.expect("a thread").join().expect("no panic"), 100);
    if std::env::var_os("HEAPLENS_MODE").is_some_and(|mode| mode == "exact") {
        let holder = |text: &String| Box::new((secret_number(), text.clone()));
        let holders: Vec<Box<(u64, String)>> = held.iter().map(holder).collect();
        for holder in &holders {
            println!("{BLOCK}{}", &raw const **holder as usize);
        }
        heaplens::snapshot_graph().expect("a graph");
        black_box(holders);
    }
    black_box((held, on_stack));
}

#[test]
fn snapshots_keep_the_hosts_secrets() {
    for mode in ["exact", "sampled"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dir = folder.path().join("snapshots");
        let work = folder.path().join(word("directory"));
        fs::create_dir(&work).expect("a new folder");
        let settings = [("HEAPLENS_MODE", mode), ("HEAPLENS_SAMPLE_BYTES", "64")];
        let child = command("secrets", &dir, &settings)
            .current_dir(&work)
            // The harness takes it for the name of another test.
            .arg(word("argument"))
            .env("SERVICE_TOKEN", word("variable"))
            .spawn();
        let left = left(child.expect("this program starts"), &dir);
        assert!(left.status.success(), "{:?}", left.own_lines);
        let graphs = left.files.values().filter(|file| file.graph.is_some());
        let graphs = graphs.count();
        assert_eq!(graphs, usize::from(mode == "exact"));
        assert_eq!(left.files.len(), 2 + graphs);
        let blocks: Vec<&str> = left
            .stdout
            .lines()
            .filter_map(|line| line.strip_prefix(BLOCK))
            .collect();
        assert_eq!(blocks.len(), 1_000 * graphs);
        let mut labels = 0;
        for entry in fs::read_dir(&dir).expect("the folder") {
            labels += usize::from(check(&entry.expect("an entry").path(), &blocks));
        }
        // The search finds what is there.
        assert_eq!(labels, 1, "{mode}");
    }
}

/// Looks for all words and numbers in a file, as it is and unpacked. Returns whether the label is in it.
fn check(path: &Path, blocks: &[&str]) -> bool {
    let packed = fs::read(path).expect("a snapshot");
    let mut plain = Vec::new();
    let unpacked = MultiGzDecoder::new(&packed[..]).read_to_end(&mut plain);
    unpacked.expect("a gzip file");
    let holds = |word: &str| {
        let contains = |bytes: &[u8]| {
            bytes
                .windows(word.len())
                .any(|part| part == word.as_bytes())
        };
        contains(&packed) || contains(&plain)
    };
    for hidden in HIDDEN {
        assert!(!holds(&word(hidden)), "{hidden} in {}", path.display());
    }
    assert!(!holds("canary-thread"), "{}", path.display());
    assert!(!holds("SERVICE_TOKEN"), "{}", path.display());
    let number = secret_number();
    for number in [number.to_string(), format!("{number:x}")] {
        assert!(!holds(&number), "{number} in {}", path.display());
    }
    let numbers: HashSet<&[u8]> = plain.split(|byte| !byte.is_ascii_digit()).collect();
    for block in blocks {
        let is_there = numbers.contains(block.as_bytes());
        assert!(!is_there, "address {block} in {}", path.display());
    }
    holds(&word("label"))
}
