//! The reader of pprof profiles, and our own writer behind it.

use std::path::Path;

use heaplens::snapshot::{
    Limits, Sites, Snapshot, is_unprintable, pprof::write, read_bytes, write as write_file,
};
use heaplens_cli::Error;
use heaplens_cli::input::pprof::read;

use super::memory::within;

/// So tight that the bound on memory can be reached by small files.
const LIMITS: Limits = Limits {
    decompressed_bytes: 16 << 20,
    parsed_bytes: 8 << 20,
};

/// Beside what is charged: a name while it is demangled, and messages.
const BUFFERS: u64 = 512 << 10;

/// Reads a profile, and reads again what we write of it, as a profile and as a snapshot.
pub fn pprof(data: &[u8]) {
    // The bytes themselves, while the buffer that they are read into grows.
    let bound = LIMITS.parsed_bytes + 3 * data.len() as u64 + BUFFERS;
    let snapshot = match within(bound, || read(Path::new("some/file"), data, &LIMITS, None)) {
        Ok(imported) => imported.snapshot,
        Err(error) => return is_one_clear_line(&error),
    };
    let mut file = Vec::new();
    write_file(&snapshot, &mut file).expect("what was read can be written");
    let again = read_bytes("again", &file, &Limits::default()).expect("our own file");
    assert_eq!(again, snapshot);

    let mut profile = Vec::new();
    write(&snapshot, &mut profile).expect("what was read can be written");
    let unpacked = flate2::read::GzDecoder::new(&profile[..]);
    let again = read(Path::new("again"), unpacked, &Limits::default(), None);
    let again = again.expect("our own profile").snapshot;
    assert_eq!(numbers(&again), numbers(&snapshot));
    assert_eq!(depths(&again), depths(&snapshot));
    assert_eq!(again.header.program, snapshot.header.program);
    assert_eq!(again.header.taken, snapshot.header.taken);
}

fn numbers(snapshot: &Snapshot) -> [Vec<i128>; 4] {
    let Sites {
        live_bytes,
        live_count,
        total_bytes,
        total_count,
        ..
    } = &snapshot.sites;
    [
        live_bytes.iter().map(|&n| n.into()).collect(),
        live_count.iter().map(|&n| n.into()).collect(),
        total_bytes.iter().map(|&n| n.into()).collect(),
        total_count.iter().map(|&n| n.into()).collect(),
    ]
}

/// Rows on the stack of each site.
fn depths(snapshot: &Snapshot) -> Vec<u32> {
    let mut depths: Vec<u32> = Vec::new();
    for &parent in &snapshot.stacks.parent {
        let above = usize::try_from(parent).map_or(0, |parent| depths[parent]);
        depths.push(above + 1);
    }
    let sites = snapshot.sites.stack.iter();
    sites.map(|&stack| depths[stack as usize]).collect()
}

/// Names the file, and has nothing that a terminal would obey.
fn is_one_clear_line(error: &Error) {
    let line = error.to_string();
    assert!(line.starts_with("some/file: "), "{line:?}");
    assert!(!line.chars().any(is_unprintable), "{line:?}");
}
