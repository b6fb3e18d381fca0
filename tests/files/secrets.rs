//! What a snapshot must not hold: contents of the heap, arguments, environment, and what else names
//! the host's business. The path of the program, the host's name and labels are in it by design.

use crate::processes::{command, left};
use flate2::read::MultiGzDecoder;
use heaplens::Config;
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
        assert_eq!(left.files.len(), 2);
        let mut labels = 0;
        for entry in fs::read_dir(&dir).expect("the folder") {
            labels += usize::from(check(&entry.expect("an entry").path()));
        }
        // The search finds what is there.
        assert_eq!(labels, 1, "{mode}");
    }
}

/// Looks for all words in a file, as it is and unpacked. Returns whether the label is in it.
fn check(path: &Path) -> bool {
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
    holds(&word("label"))
}
