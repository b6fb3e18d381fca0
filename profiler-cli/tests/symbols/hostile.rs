//! Damaged files, and snapshots that try to misuse the search. Nothing here may panic.

use std::{fs, path::Path};

use heaplens_cli::symbols::Note;
use object::{Object, ObjectSection};

use crate::fixture::{Built, Known, all_frames, run, tool};

/// A library of a few kilobytes, so that damage hits what is read.
const LIBRARY: &str = r#"
#![no_std]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! { loop {} }
#[inline(always)]
fn leaf(n: u64) -> u64 { core::hint::black_box(n) + 1 }
#[unsafe(no_mangle)]
pub extern "C" fn outer(n: u64) -> u64 { leaf(n) * leaf(n ^ 3) }
#[unsafe(no_mangle)]
pub extern "C" fn other(n: u64) -> u64 { core::hint::black_box(n) / 3 }
"#;

fn library(more: &[&str]) -> Built {
    let arguments = [
        "--crate-type=cdylib",
        "-Cpanic=abort",
        "-Cdebuginfo=2",
        "-Clink-arg=-nostdlib",
    ];
    Built::of_source(LIBRARY, &[&arguments, more].concat())
}

/// A small generator of pseudo-random numbers (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

#[track_caller]
fn check_whole(known: &Known, debug_dirs: &[&Path]) -> Vec<Note> {
    let mut addresses = known.addresses("outer");
    addresses.extend(known.addresses("other"));
    addresses.extend([0, u64::MAX, u64::MAX - 1]);
    let outcome = run(&known.snapshot(&addresses), debug_dirs);
    let rows = all_frames(&outcome.symbols);
    assert_eq!(rows.len(), addresses.len() + 1);
    assert!(rows[1..].iter().all(|frames| !frames.is_empty()));
    for note in &outcome.notes {
        assert!(!note.to_string().contains('\n'));
    }
    outcome.notes
}

#[test]
fn mutated_files_never_panic() {
    for arguments in [
        &[][..],
        &["-Clink-arg=-Wl,--compress-debug-sections=zlib"],
        &["-Csplit-debuginfo=packed"],
    ] {
        let built = library(arguments);
        let known = Known::of(&built.path);
        assert_eq!(check_whole(&known, &[]), []);
        let package = built.at("svc.dwp");
        let target = if package.exists() {
            &package
        } else {
            &built.path
        };
        let good = fs::read(target).expect("reading");

        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut noted = 0;
        for round in 0..600 {
            let mut bad = good.clone();
            for _ in 0..=random.below(12) {
                // Headers, and the debug sections and tables in the second half.
                let position = match random.below(4) {
                    0 => random.below(1024),
                    1 => bad.len() - 1 - random.below(2500),
                    _ => bad.len() / 4 + random.below(bad.len() - bad.len() / 4),
                };
                bad[position] = match random.below(3) {
                    0 => 0xff,
                    1 => bad[position] ^ (1 << random.below(8)),
                    _ => random.below(256) as u8,
                };
            }
            if round % 5 == 0 {
                bad.truncate(random.below(good.len()));
            }
            // A new file each time: a mapping of the one before must not change.
            fs::remove_file(target).expect("removing");
            fs::write(target, &bad).expect("writing");
            noted += usize::from(!check_whole(&known, &[]).is_empty());
        }
        assert!(
            noted > 60,
            "the damage should have hit what is read: {noted} notes"
        );
    }
}

#[test]
fn files_of_another_kind_get_a_note() {
    let built = library(&[]);
    let known = Known::of(&built.path);
    let path = &built.path;
    let check = |what: &str| {
        let notes = check_whole(&known, &[]);
        let unreadable =
            |note: &Note| matches!(note, Note::Unreadable { path: of, .. } if of == path);
        assert!(notes.iter().any(unreadable), "{what}: {notes:?}");
    };
    for (what, content) in [
        ("empty", &b""[..]),
        ("text", b"#!/bin/sh\n"),
        ("cut", b"\x7fELF"),
        ("cut", b"\x7fELF\x02\x01\x01"),
    ] {
        fs::write(path, content).expect("writing");
        check(what);
    }
    fs::remove_file(path).expect("removing");
    fs::create_dir(path).expect("making a folder");
    check("a folder");
    fs::remove_dir(path).expect("removing");
    tool!("mkfifo", path);
    check("a pipe, which would block for ever");
}

#[test]
fn a_section_that_claims_to_inflate_to_gigabytes_is_left_alone() {
    let built = library(&["-Clink-arg=-Wl,--compress-debug-sections=zlib"]);
    let known = Known::of(&built.path);
    let mut bytes = fs::read(&built.path).expect("reading");
    let header = {
        let file = object::File::parse(&*bytes).expect("an ELF file");
        let section = file.section_by_name(".debug_info").expect("a section");
        section.file_range().expect("bytes in the file").0 as usize
    };
    // The size in the header of a compressed section, behind its type and a reserved word.
    let claim: u64 = 3 << 30;
    bytes[header + 8..header + 16].copy_from_slice(&claim.to_le_bytes());
    fs::write(&built.path, bytes).expect("writing");
    let notes = check_whole(&known, &[]);
    let is_told = |note: &Note| note.to_string().contains("claim to inflate to 3221225472");
    assert!(notes.iter().any(is_told), "{notes:?}");
}

#[test]
fn a_build_id_that_is_no_hex_leads_nowhere() {
    let built = library(&[]);
    let mut known = Known::of(&built.path);
    let dir = built.at("debug/.build-id/..");
    fs::create_dir_all(&dir).expect("making folders");
    fs::copy(&built.path, built.at("debug/secret.debug")).expect("copying");
    // The first two characters of a build id name a folder.
    known.module.build_id = Some("..secret".into());
    let notes = check_whole(&known, &[&built.at("debug")]);
    assert_eq!(
        notes,
        [Note::NoIdentity {
            module: known.module.path.clone()
        }]
    );
}

#[test]
fn stacks_that_point_nowhere_have_no_frames() {
    let built = library(&[]);
    let known = Known::of(&built.path);
    let mut snapshot = known.snapshot(&known.addresses("outer"));
    snapshot.stacks.module[2] = 99;
    snapshot.stacks.address.truncate(5);
    let outcome = run(&snapshot, &[]);
    let rows = all_frames(&outcome.symbols);
    assert_eq!(rows.len(), snapshot.stacks.parent.len());
    assert!(!rows[1].is_empty() && rows[2].is_empty() && rows[6].is_empty());
}

#[test]
fn a_debug_folder_that_is_not_there_is_named() {
    let built = library(&[]);
    let known = Known::of(&built.path);
    let missing = built.at("no/such");
    let notes = check_whole(&known, &[&missing]);
    assert_eq!(notes, [Note::NoSuchFolder { path: missing }]);
}
