//! Files that would unfold, never end, or lead out of a table, under limits of the system: each
//! verb ends with exit code 2 and one line that names the file and the place. Where a defence is
//! missing the command dies by a signal, for want of memory or of time.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fixture::*;
use crate::protobuf::{Message, Profile};
use flate2::{Compression, write::GzEncoder};
use tempfile::tempdir;

/// Much less than a bomb unfolds to.
pub(crate) const ADDRESS_SPACE: u64 = 128 << 20;
const CPU_SECONDS: u64 = 30;
/// What `text` repeated unfolds to.
const UNFOLDED: usize = 20 << 20;

pub(crate) fn limited(args: &[std::ffi::OsString]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heaplens"));
    let limits = || {
        for (what, most) in [
            (libc::RLIMIT_AS, ADDRESS_SPACE),
            (libc::RLIMIT_CPU, CPU_SECONDS),
            (libc::RLIMIT_CORE, 0),
        ] {
            let limit = libc::rlimit {
                rlim_cur: most,
                rlim_max: most,
            };
            // SAFETY: the structure lives as long as the call.
            if unsafe { libc::setrlimit(what, &limit) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: between fork and exec there is nothing but system calls.
    unsafe { command.args(args).pre_exec(limits) }
        .output()
        .unwrap()
}

/// Every verb refuses the file with a line that says `what`.
#[track_caller]
fn refused(file: &Path, what: &str) {
    let good = file.with_file_name("good.json.gz");
    write(&after().build(true), &good);
    for line in [
        args!["top", file],
        args!["top", good, "--base", file, "--sort", "growth"],
        args!["flamegraph", file, "--format", "folded"],
        args!["diff", good, file],
        args!["symbolize", file],
        args!["inspect", file],
    ] {
        refused_by(&line, file, what);
    }
}

#[track_caller]
fn refused_by(line: &[std::ffi::OsString], file: &Path, what: &str) {
    let output = limited(line);
    let stderr = String::from_utf8(output.stderr).unwrap();
    let status = output.status;
    assert_eq!(status.code(), Some(2), "{line:?}: {status}: {stderr}");
    let start = format!("heaplens: {}: ", file.display());
    assert!(stderr.starts_with(&start), "{line:?}: {stderr}");
    assert!(stderr.contains(what), "{line:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{line:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{line:?}");
}

fn json() -> String {
    serde_json::to_string(&after().build(true)).unwrap()
}

/// The snapshot with `from` replaced, which must be in it.
#[track_caller]
fn with(from: &str, to: &str) -> String {
    let json = json();
    assert!(json.contains(from), "{from}");
    json.replacen(from, to, 1)
}

/// The snapshot with `piece` before `place` so often that it takes [`UNFOLDED`] bytes, gzipped.
pub(crate) fn unfolding(folder: &Path, place: &str, start: &str, piece: &str) -> PathBuf {
    let json = json();
    let (before, after) = json.split_once(place).unwrap();
    let file = folder.join("bomb.json.gz");
    let mut gzip = GzEncoder::new(File::create(&file).unwrap(), Compression::fast());
    gzip.write_all(before.as_bytes()).unwrap();
    gzip.write_all(start.as_bytes()).unwrap();
    let chunk = piece.repeat((1 << 20) / piece.len());
    for _ in 0..UNFOLDED / chunk.len() {
        gzip.write_all(chunk.as_bytes()).unwrap();
    }
    gzip.write_all(after.as_bytes()).unwrap();
    gzip.finish().unwrap();
    assert!(std::fs::metadata(&file).unwrap().len() < 4 << 20);
    file
}

#[test]
fn what_would_unfold_is_refused_at_its_bound() {
    let folder = tempdir().unwrap();
    let bound = ADDRESS_SPACE / 8;
    let text = format!("too large: its JSON would pass the limit of {bound} bytes");
    let memory = format!("too large: memory for its content would pass the limit of {bound} bytes");
    for (place, start, piece, what) in [
        ("\"stacks\":", "", " ", &text),
        ("\"stacks\":", "\"unknown\":", "[", &text),
        ("\"stacks\":", "\"unknown\":\"", "x", &text),
        ("\"stacks\":", "\"", "key", &text),
        ("\"program\":", "\"label\":\"", "\\ud83d\\ude00", &text),
        ("\"modules\":", "\"modules\":[", "{},", &memory),
        ("\"stacks\":", "\"stacks\":{\"parent\":[", "0,", &memory),
        (
            "\"symbols\":",
            "\"symbols\":{\"strings\":[",
            "\"\",",
            &memory,
        ),
        ("\"symbols\":", "\"graph\":{\"unknown\":", "[", &text),
        (
            "\"symbols\":",
            "\"graph\":{\"dominators\":{\"parent\":[",
            "0,",
            &memory,
        ),
        (
            "\"symbols\":",
            "\"graph\":{\"groups\":{\"members\":{\"role\":[",
            "\"cycle\",",
            &memory,
        ),
    ] {
        let file = unfolding(folder.path(), place, start, piece);
        // One bound behind all verbs: the other tests go through each.
        let line = args!["inspect", file];
        refused_by(&line, &file, what);
    }
}

#[test]
fn profiles_that_would_unfold_are_refused_at_their_bound() {
    let folder = tempdir().unwrap();
    let start = Profile::new(&[("inuse_space", "bytes")]);
    let bound = ADDRESS_SPACE / 8;
    let whole = format!("too large: its protobuf would pass the limit of {bound} bytes");
    let memory = format!("too large: memory for its content would pass the limit of {bound} bytes");
    let message = |bytes: &[u8]| Message(bytes.to_vec());
    let place = start
        .clone()
        .mapping(1, [0, 9, 0], "x")
        .location(1, 5, "f", 1);
    for (profile, what) in [
        (
            start.clone().field(6, message(&vec![b'x'; UNFOLDED])),
            &whole,
        ),
        // Empty texts, empty samples, functions without any field, one stack of a million frames.
        (
            start.clone().with(message(&[0x32, 0].repeat(1 << 20))),
            &memory,
        ),
        (
            place
                .clone()
                .with(message(&[0x12, 3, 0x12, 1, 5].repeat(1 << 20))),
            &memory,
        ),
        (
            start
                .clone()
                .with(message(&[0x22, 2, 0x22, 0].repeat(1 << 20))),
            &memory,
        ),
        (place.sample(&vec![1; 1 << 20], &[5]), &memory),
    ] {
        let file = profile.write(&folder.path().join("bomb.pb.gz"));
        // One bound behind all verbs.
        let line = args!["inspect", file];
        refused_by(&line, &file, what);
    }
    let file = folder.path().join("bomb.pb.gz");
    let good = folder.path().join("good.json.gz");
    write(&after().build(true), &good);
    for line in [
        args!["top", file],
        args!["diff", good, file],
        args!["suspects", file],
        args!["export", file, "--to", "speedscope"],
        args!["export", file, "--to", "pprof"],
    ] {
        refused_by(&line, &file, &memory);
    }
}

/// Budgets, baselines and lists are text of people: what never ends is none.
#[test]
fn texts_that_never_end_are_refused() {
    let folder = tempdir().unwrap();
    let good = folder.path().join("good.json.gz");
    write(&after().build(true), &good);
    let endless = Path::new("/dev/zero");
    for line in [
        args!["check", good, "--budget", endless],
        args!["check", good, "--baseline", endless],
        args!["top", "@/dev/zero"],
    ] {
        let output = limited(&line);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line:?}: {stderr}");
        assert!(stderr.contains("/dev/zero: "), "{line:?}: {stderr}");
        assert!(stderr.contains("longer than 1.0 MiB"), "{line:?}: {stderr}");
    }
}

#[test]
fn many_empty_members_of_gzip_end() {
    let folder = tempdir().unwrap();
    let empty = GzEncoder::new(Vec::new(), Compression::fast())
        .finish()
        .unwrap();
    let file = folder.path().join("members.json.gz");
    std::fs::write(&file, empty.repeat(100_000)).unwrap();
    refused(&file, "cut short");
}

#[test]
fn tables_that_lead_nowhere_are_refused_with_column_and_row() {
    let folder = tempdir().unwrap();
    let huge = i64::MAX.to_string();
    for (from, to, what) in [
        ("\"parent\":[-1,", "\"parent\":[0,", "stacks.parent[0] is 0"),
        (
            "\"parent\":[-1,0,",
            "\"parent\":[-1,2,",
            "stacks.parent[1] is 2",
        ),
        (
            "\"parent\":[-1,0,",
            "\"parent\":[-1,-2,",
            "stacks.parent[1] is -2",
        ),
        (
            "\"module\":[1,",
            "\"module\":[4294967295,",
            "stacks.module[0] is 4294967295",
        ),
        ("\"module\":[1,", "\"module\":[4294967296,", "invalid value"),
        ("\"address\":[", "\"address\":[1,", "stacks.address has"),
        ("\"stack\":[", "\"stack\":[99999,", "sites.live_bytes has"),
        (
            "\"live_bytes\":[",
            &format!("\"live_bytes\":[{huge},"),
            "sites.live_bytes",
        ),
        (
            "\"first_frame\":[0,1",
            "\"first_frame\":[0,9",
            "symbols.first_frame[",
        ),
        (
            "\"first_frame\":[0,1",
            "\"first_frame\":[0,4294967295",
            "symbols.first_frame[",
        ),
        (
            "\"frame\":[0,",
            "\"frame\":[4000000000,",
            "symbols.frame[0] is 4000000000",
        ),
        (
            "\"function\":[0,",
            "\"function\":[77777,",
            "symbols.function[0] is 77777",
        ),
        ("\"file\":[-1", "\"file\":[-9", "symbols.file[0] is -9"),
        ("\"live_count\":[", "\"live_count\":[1e999,", "at byte "),
        (
            "\"parent\":[",
            "\"parent\":[],\"parent\":[",
            "duplicate field `parent`",
        ),
        ("\"sites\":", "\"sites\":{},\"sites\":", "missing field"),
        (
            "\"modules\":",
            "\"modules\":[],\"modules\":",
            "duplicate field `modules`",
        ),
        (
            "\"header\":",
            "\"header\":{},\"header\":",
            "duplicate field `header`",
        ),
    ] {
        let file = folder.path().join("table.json");
        std::fs::write(&file, with(from, to)).unwrap();
        refused(&file, what);
    }
}

#[test]
fn sums_that_overflow_are_refused() {
    let folder = tempdir().unwrap();
    let bound = (1_i64 << 62).to_string();
    let mut snapshot = after().build(true);
    assert!(snapshot.sites.stack.len() >= 3);
    snapshot.sites.live_bytes[0] = 1 << 61;
    snapshot.sites.live_bytes[1] = -(1 << 61);
    let file = folder.path().join("sum.json");
    std::fs::write(&file, serde_json::to_vec(&snapshot).unwrap()).unwrap();
    refused(&file, "sites.live_bytes[1] brings the column's sum to 2^62");
    let total = with(
        "\"total_bytes\":\"",
        &format!("\"total_bytes\":\"{bound}\",\"x\":\""),
    );
    std::fs::write(&file, total).unwrap();
    refused(&file, "header.totals.total_bytes");
}

/// A program of nothing but segments, each of which is the whole file: together they have the bytes
/// of a file of 240 GB.
fn overlapping_segments() -> Vec<u8> {
    const SEGMENTS: u16 = u16::MAX - 1;
    let size = 64 + 56 * u64::from(SEGMENTS);
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend([3, 0, 62, 0, 1, 0, 0, 0]);
    for word in [0, 64, 0_u64] {
        elf.extend(word.to_le_bytes());
    }
    elf.extend([0, 0, 0, 0, 64, 0, 56, 0]);
    elf.extend(SEGMENTS.to_le_bytes());
    elf.extend([64, 0, 0, 0, 0, 0]);
    for _ in 0..SEGMENTS {
        // Loaded, readable and executable.
        elf.extend([1, 0, 0, 0, 5, 0, 0, 0]);
        for word in [0, 0, 0, size, size, 1_u64] {
            elf.extend(word.to_le_bytes());
        }
    }
    assert_eq!(elf.len() as u64, size);
    elf
}

#[test]
fn a_program_of_overlapping_segments_is_not_hashed_for_hours() {
    let folder = tempdir().unwrap();
    let program = folder.path().join("svc");
    std::fs::write(&program, overlapping_segments()).unwrap();
    let mut snapshot = after().build(false);
    snapshot.modules[1].path = program.to_str().unwrap().to_owned();
    snapshot.modules[1].build_id = None;
    snapshot.modules[1].text_hash = Some("0123456789abcdef".to_owned());
    let file = write(&snapshot, &folder.path().join("a.json.gz"));
    let line = args!["top", file];
    let output = limited(&line);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{}: {stderr}", output.status);
    assert!(stderr.contains("is of another build"), "{stderr}");
}
