//! Every file of the fuzz targets' corpora, through the functions that the targets call.

use std::fs;
use std::path::Path;

#[path = "../fuzz/src/lib.rs"]
pub mod readers;

fn each(corpus: &str, reader: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(corpus);
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Shown where the reader fails.
        println!("{}", path.display());
        reader(&fs::read(path).unwrap());
        files += 1;
    }
    assert!(files >= 4, "{files} files in the corpus of {corpus}");
}

#[test]
fn names() {
    each("names", readers::names);
}

#[test]
fn outputs() {
    each("outputs", readers::outputs);
}

#[test]
fn pprof() {
    each("pprof", readers::pprof);
}

#[test]
fn snapshot() {
    each("snapshot", readers::snapshot);
}

#[test]
fn symbols() {
    each("symbols", readers::symbols);
}

#[test]
fn texts() {
    each("texts", readers::texts);
}

#[test]
fn answers() {
    each("answers", readers::answers);
}

#[test]
fn requests() {
    each("requests", readers::requests);
}

#[test]
fn unwind() {
    each("unwind", readers::unwind);
}
