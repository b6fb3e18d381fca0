//! `go tool pprof` opens what is exported, with names and without, and shows our numbers: as a table,
//! as a difference, for each type of sample, and in its pages for a browser.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use heaplens::snapshot::{Limits, pprof, read};
use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::build::{LINES, Program, skip};
use crate::run::{args, find, heaplens, json, snapshots_of};

/// Flat and cumulative numbers by function.
pub(crate) type Numbers = BTreeMap<String, [i64; 2]>;

/// `go tool pprof` with home and symbol caches of its own.
fn go_pprof(home: &Path) -> Command {
    let mut command = Command::new("go");
    command
        .args(["tool", "pprof"])
        .env("HOME", home)
        .env("PPROF_TMPDIR", home);
    command
}

/// What it lists of a profile; `None` without it.
pub(crate) fn listed(options: &[&str], profile: &Path) -> Option<Numbers> {
    let home = tempdir().expect("a temporary folder");
    let output = go_pprof(home.path())
        .args(["-top", "-unit=b", "-nodefraction=0", "-nodecount=1000000"])
        .args(options)
        .arg(profile)
        .output();
    let Ok(output) = output else {
        skip("go tool pprof, of golang-go");
        return None;
    };
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{text}");
    let rows = text
        .lines()
        .skip_while(|line| !line.contains("flat%"))
        .skip(1);
    let mut numbers = Numbers::new();
    for line in rows {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| {
            words[at]
                .trim_end_matches(['B', 'b'])
                .parse()
                .expect("a number")
        };
        // flat, its share, the share so far, cumulative, its share, name; a `b` even behind counts
        let name = words[5..].join(" ");
        let name = name.trim_end_matches(" (inline)").to_owned();
        numbers.insert(name, [number(0), number(3)]);
    }
    Some(numbers)
}

/// What allocates how much, of what is not zero.
pub(crate) fn flat(numbers: &Numbers) -> BTreeMap<&str, i64> {
    let flat = numbers.iter().map(|(name, [flat, _])| (&**name, *flat));
    flat.filter(|(_, bytes)| *bytes != 0).collect()
}

/// The same of our own.
fn ours<'a>(top: &'a Value, field: &str) -> BTreeMap<&'a str, i64> {
    let rows = top["rows"].as_array().expect("rows").iter();
    let numbers = rows.map(|row| {
        let name = row["name"].as_str().expect("a name");
        (name, row[field].as_i64().expect("a number"))
    });
    numbers.filter(|(_, bytes)| *bytes != 0).collect()
}

/// Two snapshots of a program that keeps a number of boxes of 1,000 bytes.
struct Snapshots {
    _program: Program,
    folder: TempDir,
    before: PathBuf,
    after: PathBuf,
}

impl Snapshots {
    fn take() -> Self {
        let program = Program::build("keep", &LINES);
        let folder = tempdir().expect("a temporary folder");
        let [before, after] = ["100", "300"].map(|count| {
            let settings = [("HEAPLENS_MODE", "exact")];
            let snapshots = snapshots_of(
                &program.path,
                &[count],
                &settings,
                &folder.path().join(count),
            );
            find(&snapshots, "exit").to_owned()
        });
        Self {
            _program: program,
            folder,
            before,
            after,
        }
    }

    fn exported(&self, snapshot: &Path, name: &str) -> PathBuf {
        let profile = self.folder.path().join(name);
        let output = heaplens(args!["export", *snapshot.as_os_str(), "-o", profile]);
        assert!(output.status.success(), "{output:?}");
        profile
    }
}

#[test]
fn its_tables_have_our_numbers() {
    let snapshots = Snapshots::take();
    let before = snapshots.exported(&snapshots.before, "before.pb.gz");
    let after = snapshots.exported(&snapshots.after, "after.pb.gz");
    let top = json(args![
        "top",
        *snapshots.after.as_os_str(),
        "--base",
        *snapshots.before.as_os_str(),
        "--by",
        "function",
        "--format",
        "json",
    ]);
    for (sample_index, field) in [
        ("inuse_space", "live_bytes"),
        ("alloc_space", "total_bytes"),
        ("inuse_objects", "live_count"),
        ("alloc_objects", "total_count"),
    ] {
        let index = format!("-sample_index={sample_index}");
        let Some(listed) = listed(&[&index], &after) else {
            return;
        };
        assert_eq!(flat(&listed), ours(&top, field), "{sample_index}");
    }
    // Live bytes are what it shows unasked.
    let shown = listed(&[], &after).expect("it was there just now");
    assert_eq!(shown["keep::compose"][1], 300_000);

    let base = format!("-diff_base={}", before.display());
    let grown = listed(&[&base], &after).expect("it was there just now");
    assert_eq!(flat(&grown), ours(&top, "growth_bytes"));
    assert_eq!(grown["keep::compose"][1], 200_000);
}

#[test]
fn it_names_addresses_from_the_binary() {
    let snapshots = Snapshots::take();
    let snapshot = read(&snapshots.after, &Limits::default()).expect("a snapshot");
    assert!(snapshot.symbols.is_none());
    let profile = snapshots.folder.path().join("bare.pb.gz");
    pprof::write(&snapshot, File::create(&profile).expect("a new file")).expect("a profile");
    let Some(listed) = listed(&[], &profile) else {
        return;
    };
    // It has names from debug information, which without those of the symbol table are bare.
    let bytes_of = |function: &str| {
        let is_it = |name: &str| name.rsplit("::").next() == Some(function);
        let found = listed.iter().find(|(name, _)| is_it(name));
        found
            .unwrap_or_else(|| panic!("no {function} in {listed:#?}"))
            .1[1]
    };
    assert_eq!(bytes_of("compose"), 300_000);
    assert_eq!(bytes_of("make_room"), 300 * 8);
}

/// The pages of `go tool pprof -http`, until it is dropped.
struct Pages {
    server: Child,
    address: String,
}

impl Pages {
    fn of(profile: &Path, home: &Path) -> Option<Self> {
        let server = go_pprof(home)
            .args(["-http=127.0.0.1:", "-no_browser", "-nodefraction=0"])
            .arg(profile)
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut server) = server else {
            skip("go tool pprof, of golang-go");
            return None;
        };
        let messages = BufReader::new(server.stderr.take().expect("a pipe"));
        let address = messages
            .lines()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("http://")?.1.trim().to_owned()));
        let address = address.expect("an address");
        Some(Self { server, address })
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).expect("sending");
        let mut page = String::new();
        stream.read_to_string(&mut page).expect("a page");
        assert!(page.starts_with("HTTP/1.0 200"), "{page}");
        page
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn its_pages_have_our_numbers() {
    let snapshots = Snapshots::take();
    let profile = snapshots.exported(&snapshots.after, "after.pb.gz");
    let home = tempdir().expect("a temporary folder");
    let Some(pages) = Pages::of(&profile, home.path()) else {
        return;
    };
    let top = json(args![
        "top",
        *snapshots.after.as_os_str(),
        "--by",
        "function",
        "--format",
        "json",
    ]);
    let page = pages.get("/ui/top");
    let call = page.rsplit_once("makeTopTable(").expect("a table").1;
    let (total, rows) = call.split_once(',').expect("a total");
    assert_eq!(
        total.trim().parse().ok(),
        top["totals"]["live_bytes"].as_i64(),
    );
    let mut rows = serde_json::Deserializer::from_str(rows).into_iter::<Vec<Value>>();
    let rows = rows.next().expect("rows").expect("JSON");
    let shown = rows.iter().map(|row| {
        let name = row["Name"].as_str().expect("a name");
        (name, row["Flat"].as_i64().expect("a number"))
    });
    let shown: BTreeMap<_, _> = shown.filter(|(_, bytes)| *bytes != 0).collect();
    assert_eq!(shown, ours(&top, "live_bytes"));

    // In the flamegraph as a text within a script.
    let flamegraph = pages.get("/ui/flamegraph").replace("\\u0022", "\"");
    let total = format!("\"n\":\"root\",\"f\":\"root\",\"v\":{}", total.trim());
    assert!(flamegraph.contains(&total), "{total}");
    assert!(
        flamegraph.contains("\"n\":\"keep::compose\""),
        "{flamegraph}"
    );
}
