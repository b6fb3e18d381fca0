//! The reader of snapshots: gzip, JSON, and what a snapshot must hold.

use heaplens::snapshot::{Error, Limits, is_unprintable, read_bytes, read_header_from, write};

use super::memory::within;

/// So tight that the bound on memory can be reached by small files.
const LIMITS: Limits = Limits {
    decompressed_bytes: 16 << 20,
    parsed_bytes: 8 << 20,
};

/// Beside what a file parses into: buffers, and the decompressor's window.
const BUFFERS: u64 = 512 << 10;

/// Reads a file whole, and its header alone.
pub fn snapshot(data: &[u8]) {
    let bound = LIMITS.parsed_bytes + BUFFERS;
    let header = within(bound, || read_header_from("some/file", data, &LIMITS));
    let whole = within(bound, || read_bytes("some/file", data, &LIMITS));
    for error in [header.as_ref().err(), whole.as_ref().err()] {
        error.into_iter().for_each(is_one_clear_line);
    }
    let Ok(whole) = whole else { return };
    // Where a key comes twice the first header may already have been enough.
    assert_eq!(header.expect("a part of what was read"), whole.header);
    let mut file = Vec::new();
    write(&whole, &mut file).expect("what was read can be written");
    let again = read_bytes("again", &file, &Limits::default()).expect("our own file");
    assert_eq!(again, whole);
}

/// Names the file, and has nothing that a terminal would obey.
fn is_one_clear_line(error: &Error) {
    let line = error.to_string();
    assert!(line.starts_with("some/file: "), "{line:?}");
    assert!(!line.chars().any(is_unprintable), "{line:?}");
}
