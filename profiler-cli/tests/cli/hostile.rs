//! Snapshots that were made to hurt.

use std::fs::File;
use std::io::Read;

use crate::fixture::*;
use crate::heap_graph::GraphFixture;
use crate::protobuf::Profile;
use flate2::read::GzDecoder;
use heaplens::snapshot::graph::Role;
use heaplens::snapshot::{Module, SPECIAL_MODULE};
use tempfile::{TempDir, tempdir};

/// Closes a script, sets a terminal's title, recolours it in C1, turns the direction of writing.
const NAME: &str =
    "evil::</script><script>alert(1)</script>\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}x;y\n\"'&]]> 12";

fn hostile(folder: &TempDir, sequence: u64, bytes: i64) -> std::path::PathBuf {
    let evil_frame = format!("{NAME}@/w/{NAME}.rs:1");
    let fixture = Fixture::new(sequence)
        .with(|snapshot| {
            let header = &mut snapshot.header;
            header.taken = format!("2026{NAME}");
            header.label = Some(NAME.to_owned());
            header.program.host = NAME.to_owned();
            header.program.executable = format!("/srv/{NAME}");
            header.program.build_id = Some(NAME.to_owned());
            header.recorder.unwinder = NAME.to_owned();
            snapshot.modules[1] = Module {
                path: format!("/srv/{NAME}"),
                ..snapshot.modules[1].clone()
            };
        })
        .site(&[MAIN, &evil_frame], bytes, 1);
    GraphFixture::new()
        .site([(0, 0), (0, 0), (1, bytes as u64)])
        .shape(1, &[(0, Role::Cycle, 1, bytes as u64)], &[(0, 0, 8, 1)])
        .of(fixture)
        .write(folder, &format!("{sequence}.json.gz"))
}

/// The same by another writer.
fn hostile_profile() -> Profile {
    Profile::new(&[("inuse_space", "bytes")])
        .mapping(1, [0, 0x9000, 0], &format!("/srv/{NAME}"))
        .location(1, 0x2000, NAME, 1)
        .sample(&[1], &[5_000])
}

fn every_text_output(folder: &TempDir) -> Vec<(String, String)> {
    let (before, after) = (hostile(folder, 1, 100), hostile(folder, 2, 5_000));
    let profile = folder.path().join("hostile.pb.gz");
    hostile_profile().write(&profile);
    [
        args!["top", profile],
        args!["flamegraph", profile],
        args!["diff", after, profile, "--format", "svg"],
        args!["suspects", profile],
        args!["inspect", profile],
        args!["export", profile, "--to", "speedscope"],
        args!["top", after],
        args!["top", after, "--by", "crate"],
        args!["top", after, "--base", before, "--sort", "growth"],
        args!["top", after, "--format", "json"],
        args!["diff", before, after],
        args!["diff", before, after, "--format", "json"],
        args!["diff", before, after, "--format", "folded"],
        args!["suspects", before, after, "--format", "json"],
        args!["diff", before, after, "--format", "svg"],
        args!["diff", after, after, "--format", "svg"],
        args!["flamegraph", after],
        args!["flamegraph", after, "--format", "folded"],
        args!["suspects", before, after],
        args!["suspects", before, after, "--format", "json"],
        args!["report", after],
        args!["report", before, after],
        args!["leaks", after],
        args!["leaks", after, "--format", "json"],
        args!["inspect", after],
        args!["inspect", after, "--format", "json"],
        args!["export", after, "--to", "folded"],
        args!["export", after, "--to", "speedscope"],
    ]
    .into_iter()
    .map(|line| (format!("{line:?}"), stdout(&line)))
    .collect()
}

#[test]
fn nothing_reaches_the_terminal_as_it_is() {
    let folder = tempdir().unwrap();
    for (line, text) in every_text_output(&folder) {
        // The last line of a picture's own script has a tab; it is not from the snapshot.
        let control = text.chars().find(|&c| {
            (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{202a}'..='\u{202e}')
        });
        assert_eq!(control, None, "{line}: {text}");
    }
}

#[test]
fn names_stay_names_in_pictures() {
    let folder = tempdir().unwrap();
    for (line, text) in every_text_output(&folder) {
        if text.starts_with("<!DOCTYPE html>") {
            // The page's own: its data and its script.
            assert_eq!(text.matches("<script").count(), 2, "{line}");
            assert_eq!(text.matches("</script").count(), 2, "{line}");
            assert!(!text.contains("<script>alert"), "{line}");
        }
        if text.starts_with("<?xml") {
            assert!(!text.contains("<script>"), "{line}");
            assert!(text.matches("</script>").count() <= 1, "{line}");
            assert!(!text.contains("alert(1)</s"), "{line}");
        }
    }
    let (before, after) = (hostile(&folder, 1, 100), hostile(&folder, 2, 5_000));
    let svg = stdout(args!["diff", before, after, "--format", "svg"]);
    assert!(
        svg.contains("evil::&lt;/script&gt;"),
        "the name is shown, escaped"
    );
}

#[test]
fn names_are_safe_in_profiles_too() {
    let folder = tempdir().unwrap();
    let profile = folder.path().join("out.pb.gz");
    stdout(args!["export", hostile(&folder, 1, 100), "-o", profile]);
    let mut texts = Vec::new();
    GzDecoder::new(File::open(&profile).unwrap())
        .read_to_end(&mut texts)
        .unwrap();
    let holds = |text: &str| {
        texts
            .windows(text.len())
            .any(|bytes| bytes == text.as_bytes())
    };
    assert!(holds("evil::</script>"), "the name is there");
    for control in ["\u{1b}]0;", "\u{7}", "\u{9b}31m", "\u{202e}"] {
        // Of one byte, so it may be a length too.
        assert!(control.len() == 1 || !holds(control), "{control:?}");
    }
    assert!(holds("\\u{1b}]0;owned\\u{7}\\u{9b}31m\\u{202e}x;y\\u{a}"));
}

#[test]
fn names_are_whole_in_json() {
    let folder = tempdir().unwrap();
    let after = hostile(&folder, 2, 5_000);
    let top = json(args!["top", after, "--format", "json"]);
    assert_eq!(top["rows"][0]["stack"][0]["function"], NAME);
}

#[test]
fn folded_lines_stay_lines() {
    let folder = tempdir().unwrap();
    let after = hostile(&folder, 2, 5_000);
    let folded = stdout(args!["flamegraph", after, "--format", "folded"]);
    assert_eq!(folded.lines().count(), 1, "{folded}");
    let (stack, bytes) = folded.trim_end().rsplit_once(' ').unwrap();
    assert_eq!(bytes, "5000");
    assert_eq!(stack.split(';').count(), 6, "{folded}");
}

#[test]
fn stacks_of_any_depth_are_followed() {
    let folder = tempdir().unwrap();
    let deep = |sequence, bytes| {
        Fixture::new(sequence).with(|snapshot| {
            let depth = 100_000;
            snapshot.stacks.parent = (0..depth).map(|row| row - 1).collect();
            snapshot.stacks.module = vec![1; depth as usize];
            snapshot.stacks.address = (0..depth as u64).collect();
            let sites = &mut snapshot.sites;
            sites.stack = vec![depth as u32 - 1, 500];
            sites.live_bytes = vec![bytes; 2];
            sites.live_count = vec![1; 2];
            sites.total_bytes = vec![bytes as u64; 2];
            sites.total_count = vec![1; 2];
            for class in &mut sites.ages.live_bytes {
                *class = vec![0; 2];
            }
        })
    };
    let before = write(&deep(1, 10).build(false), &folder.path().join("b.json.gz"));
    let after = write(
        &deep(2, 1_000).build(false),
        &folder.path().join("a.json.gz"),
    );
    for line in [
        args!["top", after, "--format", "json"],
        args!["flamegraph", after],
        args!["diff", before, after],
        args!["diff", before, after, "--format", "svg"],
        args!["diff", before, after, "--format", "folded"],
        args!["suspects", before, after, "--format", "json"],
        args!["report", before, after],
    ] {
        let text = stdout(&line);
        assert!(!text.is_empty());
        if text.starts_with("<?xml") {
            assert!(
                text.contains("[deeper frames]") && text.len() < 1 << 20,
                "{}",
                text.len()
            );
        }
    }
}

#[test]
fn sums_saturate() {
    let folder = tempdir().unwrap();
    let huge = (1_i64 << 62) - 1;
    let mut files = Vec::new();
    for pid in 0..4 {
        let file = Fixture::new(1)
            .with(|snapshot| snapshot.header.program.pid = pid)
            .site(&[MAIN, CACHE], 1, 1)
            .with(|snapshot| {
                snapshot.sites.live_bytes[0] = huge;
                snapshot.sites.live_count[0] = huge;
                snapshot.sites.total_bytes[0] = huge as u64;
                snapshot.sites.total_count[0] = huge as u64;
                snapshot.sites.ages.live_bytes[0][0] = 0;
            });
        files.push(file.write(&folder, &format!("{pid}.json.gz")));
    }
    let top = json(args![
        "top", files[0], files[1], files[2], files[3], "--format", "json"
    ]);
    assert_eq!(top["rows"][0]["live_bytes"], i64::MAX);
    stdout(args!["top", folder.path().join("*.gz")]);
    stdout(args!["suspects", folder.path()]);
    stdout(args!["report", folder.path()]);
    let svg = stdout(args!["flamegraph", folder.path().join("*.gz")]);
    assert!(svg.contains("shop::cache::put"));
}

#[test]
fn a_special_frame_of_no_known_kind_is_shown_as_such() {
    let folder = tempdir().unwrap();
    let snapshot = Fixture::new(1)
        .bare_site(&["#999", "#1"], 5, 1)
        .with(|snapshot| assert_eq!(snapshot.stacks.module[0], SPECIAL_MODULE))
        .write(&folder, "a.json.gz");
    let folded = stdout(args!["flamegraph", snapshot, "--format", "folded"]);
    assert_eq!(folded, "[special 999];[before start] 5\n");
}
