//! Stacks are complete however a release is built: from the function that allocates to where the
//! thread began, none of them cut short.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use heaplens::snapshot::Truncated;
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{Endianness, elf};
use tempfile::tempdir;

use crate::build::{FAT_LTO, LINES, PLAIN, Profile, Program, line_of, skip};
use crate::named::{Site, sites, symbolized};
use crate::run::{find, snapshots_of};

/// Deepest stack of `compose` in the program.
const DEPTH: usize = 40;
/// Size of the block that `compose` makes at each level.
const BLOCK: i64 = 4096;

/// Runs the program in exact mode and looks at all of its stacks.
fn check(program: &Program, debug_dir: Option<&Path>, static_libc: bool) {
    let folder = tempdir().expect("a temporary folder");
    let settings = [("HEAPLENS_MODE", "exact")];
    let snapshots = snapshots_of(&program.path, &["stacks"], &settings, folder.path());
    let snapshot = symbolized(find(&snapshots, "exit"), debug_dir);
    let losses = &snapshot.header.losses;
    assert_eq!(losses.truncated, Truncated::default());
    assert_eq!(losses.reentered, 0);

    let all = sites(&snapshot);
    let mut threads = BTreeMap::from([("main", 0), ("spawned", 0)]);
    for site in &all {
        if site
            .frames
            .iter()
            .all(|frame| frame.function == "[before start]")
        {
            continue;
        }
        let special = site.frames.iter().find(|frame| frame.module == "[special]");
        assert_eq!(special, None, "{}", site.path());
        *threads
            .get_mut(thread(site, static_libc))
            .expect("a kind of thread") += 1;
    }
    assert!(threads.values().all(|&sites| sites >= DEPTH), "{threads:?}");
    blocks_of_compose(&all, static_libc);
}

/// The kind of thread that a stack belongs to, by its outermost frames.
fn thread(site: &Site, static_libc: bool) -> &'static str {
    let names: Vec<&str> = site.frames.iter().map(|frame| &*frame.function).collect();
    let at = |name: &str| names.iter().rposition(|known| *known == name);
    if names.last() == Some(&"_start") {
        // Allocations before `main` have no frame of it.
        return "main";
    }
    // A thread of std begins in a function of its own, below which are two of the C library. Those
    // have no names where the C library has no symbols.
    let start = names
        .iter()
        .rposition(|name| name.ends_with("::thread_start"))
        .unwrap_or_else(|| {
            panic!(
                "the outermost frame is no start of a thread: {}",
                site.path()
            )
        });
    let outside = &site.frames[start + 1..];
    assert!((1..=2).contains(&outside.len()), "{}", site.path());
    for frame in outside {
        let in_libc = static_libc || frame.module.starts_with("libc.");
        assert!(in_libc, "{} in {}", site.path(), frame.module);
    }
    assert_eq!(at("service::main"), None, "{}", site.path());
    "spawned"
}

/// One site for each level of `compose` and each kind of thread: no frame more and none less.
fn blocks_of_compose(all: &[Site], static_libc: bool) {
    let mut levels: BTreeMap<&str, Vec<(usize, i64)>> = BTreeMap::new();
    for site in all
        .iter()
        .filter(|site| site.innermost("service") == Some("service::compose"))
    {
        if site.live_bytes != BLOCK * site.live_count {
            continue;
        }
        let depth = site.count("service::compose");
        // Each but the innermost is called through `nest`, which is not inlined.
        assert_eq!(site.count("service::nest"), depth - 1, "{}", site.path());
        assert_eq!(site.count("service::serve"), 1, "{}", site.path());
        levels
            .entry(thread(site, static_libc))
            .or_default()
            .push((depth, site.live_count));
    }
    for levels in levels.values_mut() {
        levels.sort_unstable();
    }
    let each_once = |blocks| (1..=DEPTH).map(|depth| (depth, blocks)).collect::<Vec<_>>();
    assert_eq!(
        levels,
        BTreeMap::from([("main", each_once(1)), ("spawned", each_once(2))])
    );
}

#[test]
fn release_as_it_is() {
    check(&Program::build("service", &PLAIN), None, false);
}

#[test]
fn with_line_tables() {
    let program = Program::build("service", &LINES);
    check(&program, None, false);
    // The innermost frame of the program's own is at the line that allocates.
    let folder = tempdir().expect("a temporary folder");
    let settings = [("HEAPLENS_MODE", "exact")];
    let snapshots = snapshots_of(&program.path, &["stacks"], &settings, folder.path());
    let snapshot = symbolized(find(&snapshots, "exit"), None);
    let line = line_of("service", "own");
    let blocks = sites(&snapshot).into_iter().filter(|site| {
        let own = site
            .frames
            .iter()
            .find(|frame| frame.function == "service::compose");
        own.is_some_and(|own| own.place == Some(("service.rs".into(), line)))
    });
    let count: i64 = blocks.map(|site| site.live_count).sum();
    assert_eq!(count, 3 * DEPTH as i64);
}

#[test]
fn with_link_time_optimization() {
    check(&Program::build("service", &FAT_LTO), None, false);
}

#[test]
fn stripped() {
    let program = Program::build("service", &LINES);
    if let Some(stripped) = program.stripped() {
        check(&stripped, Some(program.folder()), false);
    }
}

/// All that containers of a few MiB are built with, in one build: each profile takes another one of all that
/// the program depends on.
#[test]
fn small_static_and_without_unwinding() {
    if !has_static_libc() {
        return skip("libc.a, of libc6-dev");
    }
    let profile = Profile {
        settings: &["opt-level = 'z'", "panic = 'abort'"],
        rustflags: "-Ctarget-feature=+crt-static",
        ..PLAIN
    };
    let program = Program::build("service", &profile);
    assert!(
        is_static_pie(&program.path),
        "the build is not what it should be"
    );
    check(&program, None, true);
}

/// Whether the C compiler, which links the programs, has a file for static linking.
fn has_static_libc() -> bool {
    let output = Command::new("cc").arg("-print-file-name=libc.a").output();
    // Without one it prints the name as it got it.
    output.is_ok_and(|output| output.stdout.starts_with(b"/"))
}

fn is_static_pie(path: &Path) -> bool {
    let data = fs::read(path).expect("the program");
    let file = ElfFile64::<Endianness>::parse(&*data).expect("an ELF file");
    let endian = file.endian();
    let headers = file.elf_program_headers();
    let interpreted = headers
        .iter()
        .any(|header| header.p_type(endian) == elf::PT_INTERP);
    file.elf_header().e_type(endian) == elf::ET_DYN && !interpreted
}
