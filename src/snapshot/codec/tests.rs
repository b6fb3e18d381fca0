use super::*;
use crate::snapshot::examples::{small, with_graph};
use crate::snapshot::graph::{Role, RootKind};
use proptest::prelude::*;

fn gzip(json: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(json).expect("a vector takes all");
    gzip.finish().expect("a vector takes all")
}

fn gunzip(bytes: &[u8]) -> String {
    let mut json = String::new();
    MultiGzDecoder::new(bytes)
        .read_to_string(&mut json)
        .expect("own output");
    json
}

fn small_file() -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&small(), &mut bytes).expect("a vector takes all");
    bytes
}

fn graph_file() -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&with_graph(), &mut bytes).expect("a vector takes all");
    bytes
}

fn small_json() -> String {
    gunzip(&small_file())
}

fn line(bytes: &[u8]) -> String {
    line_within(bytes, &Limits::default())
}

fn line_within(bytes: &[u8], limits: &Limits) -> String {
    let error = read_bytes("dir/x.json.gz", bytes, limits).expect_err("not a snapshot");
    let line = error.to_string();
    assert!(line.starts_with("dir/x.json.gz: "), "{line}");
    assert!(!line.contains('\n'), "{line}");
    line["dir/x.json.gz: ".len()..].to_owned()
}

fn header_line(bytes: &[u8]) -> String {
    let header = read_header_from("x", bytes, &Limits::default());
    header.expect_err("not a header").to_string()
}

#[test]
fn what_is_written_is_read() {
    let read = read_bytes("x", &small_file(), &Limits::default());
    assert_eq!(read.expect("own output"), small());
    let json = small_json();
    let plain = read_bytes("x", json.as_bytes(), &Limits::default());
    assert_eq!(plain.expect("plain JSON"), small());
    assert!(json.starts_with("{\"format\":\"heaplens-snapshot\",\"format_version\":1,"));
    assert!(json.ends_with(",\"complete\":true}"));
    assert!(json.contains("\"9007199254740993\""));
}

#[test]
fn a_graph_is_written_and_read() {
    let file = graph_file();
    let read = read_bytes("x", &file, &Limits::default()).expect("own output");
    assert_eq!(read, with_graph());
    // Readers without a use for it pass over it.
    let json = gunzip(&file).replace("\"graph\":", "\"unknown\":");
    let read = read_bytes("x", json.as_bytes(), &Limits::default()).expect("an unknown field");
    assert_eq!(read, small());
}

#[test]
fn words_from_the_future_in_a_graph_are_taken_for_the_weakest() {
    let json = gunzip(&graph_file())
        .replace("\"cycle\",\"cycle\"", "\"cycle\",\"woven\"")
        .replace("\"global\"", "\"enclave\"");
    let read = read_bytes("x", json.as_bytes(), &Limits::default()).expect("other words");
    let graph = read.graph.expect("still there");
    assert_eq!(graph.groups.members.role[1], Role::Hanging);
    assert_eq!(graph.roots.expect("still there").kind, [RootKind::Foreign]);
}

#[test]
fn a_field_from_the_future_is_ignored() {
    let json = small_json().replace("\"stacks\":", "\"future\":[{\"a\":[1]}],\"stacks\":");
    let read = read_bytes("x", json.as_bytes(), &Limits::default());
    assert_eq!(read.expect("an unknown field"), small());
}

#[test]
fn every_prefix_is_refused_as_cut_short() {
    let file = small_file();
    for length in 1..file.len() {
        let line = line(&file[..length]);
        assert_eq!(
            line, "cut short: the file ends before the snapshot does",
            "{length}"
        );
    }
    let json = small_json();
    for length in 2..json.len() {
        assert!(
            line(&json.as_bytes()[..length]).starts_with("cut short:"),
            "{length}"
        );
        let zipped = gzip(&json.as_bytes()[..length]);
        assert!(line(&zipped).starts_with("cut short:"), "{length}");
    }
    assert_eq!(line(b""), "not a heaplens snapshot: the file is empty");
}

#[test]
fn a_file_without_its_last_field_is_cut_short() {
    for end in ["}", ",\"complete\":false}"] {
        let json = small_json().replace(",\"complete\":true}", end);
        assert!(line(&gzip(json.as_bytes())).starts_with("cut short:"));
    }
}

#[test]
fn foreign_files_are_named_so() {
    for text in ["hello", "<svg/>", "\u{0}\u{1}", "{format: 1}", "nope"] {
        assert_eq!(
            line(text.as_bytes()),
            "not a heaplens snapshot: its content is not JSON"
        );
        assert_eq!(line(&gzip(text.as_bytes())), line(text.as_bytes()));
        assert!(header_line(text.as_bytes()).contains("its content is not JSON"));
    }
    for text in [
        "{}",
        "[1,2]",
        "42 ",
        "{\"format\":\"v8\"}",
        "{\"format\":1}",
        "{\"a\":{\"b\":[]}}",
    ] {
        let expected =
            "not a heaplens snapshot: JSON, but without \"format\": \"heaplens-snapshot\"";
        assert_eq!(line(text.as_bytes()), expected, "{text}");
        assert!(header_line(text.as_bytes()).ends_with(expected), "{text}");
    }
}

#[test]
fn a_newer_version_is_named_with_ours() {
    // Whatever a newer version has made of the columns.
    let json = small_json()
        .replace("\"format_version\":1", "\"format_version\":2")
        .replace("\"parent\":[", "\"parent\":[[[\"new\"]],");
    let line = line(&gzip(json.as_bytes()));
    assert!(
        line.contains("format version 2") && line.contains("reads version 1"),
        "{line}"
    );
    assert!(header_line(&gzip(json.as_bytes())).contains("format version 2"));
}

#[test]
fn damaged_files_say_where() {
    let json = small_json();
    let line_after = |from: &str, to: &str| {
        assert!(json.contains(from));
        line(json.replace(from, to).as_bytes())
    };
    let parent = line_after("\"parent\":[-1,0,0]", "\"parent\":[-1,0,7]");
    assert!(
        parent.starts_with("damaged: stacks.parent[2] is 7"),
        "{parent}"
    );
    let total = line_after("\"total_bytes\":[\"", "\"total_bytes\":[\"x");
    assert!(
        total.starts_with("damaged: not a decimal number at byte "),
        "{total}"
    );
    let address = line_after("\"address\":[", "\"address\":[1e99,");
    assert!(address.starts_with("damaged: invalid type"), "{address}");
    let module = line_after("\"module\":[1", "\"module\":[-1");
    assert!(module.starts_with("damaged: invalid value"), "{module}");
    let mut flipped = small_file();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    assert!(read_bytes("x", &flipped, &Limits::default()).is_err());
    let mut trailed = small_file();
    trailed.extend_from_slice(b"something behind the end");
    assert!(line(&trailed).starts_with("damaged: "));
}

#[test]
fn bombs_are_refused_early() {
    let limits = Limits {
        decompressed_bytes: 100_000,
        ..Limits::default()
    };
    let bomb = gzip(&[b' '; 10_000_000]);
    assert!(bomb.len() < 100_000);
    let expected = "too large: its JSON would pass the limit of 100000 bytes";
    assert_eq!(line_within(&bomb, &limits), expected);
    let header = read_header_from("x", bomb.as_slice(), &limits);
    assert!(header.expect_err("a bomb").to_string().ends_with(expected));
}

#[test]
fn deep_nesting_does_not_reach_the_stack() {
    let deep = "[".repeat(100_000);
    let json = small_json();
    for (from, to) in [
        ("\"stacks\":", format!("\"x\":{deep},\"stacks\":")),
        ("\"parent\":", format!("\"parent\":{deep}")),
        ("\"header\":", format!("\"header\":{{\"label\":{deep}")),
    ] {
        assert!(line(json.replace(from, &to).as_bytes()).starts_with("damaged: "));
    }
    let balanced = format!("\"x\":{deep}{},\"stacks\":", "]".repeat(100_000));
    let json = json.replace("\"stacks\":", &balanced);
    let read = read_bytes("x", json.as_bytes(), &Limits::default());
    assert_eq!(read.expect("an unknown field"), small());
}

#[test]
fn a_text_that_would_unfold_in_memory_is_refused() {
    let many = format!("\"modules\":[{}", "{},".repeat(6_000_000));
    let json = small_json().replace("\"modules\":[", &many);
    let limits = Limits {
        parsed_bytes: 100 << 20,
        ..Limits::default()
    };
    assert_eq!(
        line_within(json.as_bytes(), &limits),
        "too large: memory for its content would pass the limit of 104857600 bytes"
    );
}

#[test]
fn a_header_reads_from_the_front_alone() {
    let json = small_json();
    let end = json.find("\"modules\"").expect("written after the header");
    let header = read_header_from("x", &json.as_bytes()[..end], &Limits::default());
    assert_eq!(header.expect("all of the header is there"), small().header);
    for length in 2..end - 1 {
        let line = header_line(&json.as_bytes()[..length]);
        assert!(line.contains("cut short:"), "{length}: {line}");
    }
}

#[test]
fn a_header_reads_from_any_place() {
    let json = small_json();
    let value: serde_json::Value = serde_json::from_str(&json).expect("own output");
    let header = &value["header"];
    for text in [
        format!(
            "{{\"stacks\":{{\"parent\":[]}},\"header\":{header},\"format_version\":1,\"format\":\"heaplens-snapshot\"}}"
        ),
        format!(
            "{{\"format\":\"heaplens-snapshot\",\"x\":[1],\"format_version\":1,\"header\":{header}}}"
        ),
    ] {
        let read = read_header_from("x", text.as_bytes(), &Limits::default());
        assert_eq!(read.expect("any order"), small().header);
    }
}

#[test]
fn an_unreadable_snapshot_is_not_written() {
    let mut snapshot = small();
    snapshot.sites.live_bytes_variance = vec![0.0, f64::NAN];
    let error = write(&snapshot, &mut Vec::new()).expect_err("JSON has no NaN");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn a_missing_file_is_named() {
    let error = read("no/such/file", &Limits::default()).expect_err("no such file");
    assert!(
        error
            .to_string()
            .starts_with("no/such/file: cannot be read: No such file")
    );
    assert!(read_header("no/such/file").is_err());
}

proptest! {
    #[test]
    fn nothing_panics_on_flipped_bytes(at in any::<prop::sample::Index>(), with in 1..=255_u8) {
        let mut json = gunzip(&graph_file()).into_bytes();
        let at = at.index(json.len());
        json[at] ^= with;
        for bytes in [json.clone(), gzip(&json)] {
            if let Err(error) = read_bytes("x", &bytes, &Limits::default()) {
                prop_assert!(!error.to_string().contains('\n'));
            }
            let _ = read_header_from("x", bytes.as_slice(), &Limits::default());
        }
    }
}
