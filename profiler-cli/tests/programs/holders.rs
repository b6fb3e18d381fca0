//! A program that holds memory in a static, on its stack and in a thread-local, and what the command line says
//! of it: held against what is freed where the program lets go.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::build::{Program, line_of};
use crate::retained_types::DEBUG;
use crate::run::{args, command, find, heaplens, json, snapshots_in};

/// Runs it: its graph of the heap, and how many bytes are freed where it drops what is named.
fn run(program: &Program, what: &str) -> (TempDir, PathBuf, u64) {
    let folder = tempdir().unwrap();
    let settings = [
        ("HEAPLENS_MODE", OsStr::new("exact")),
        ("HEAPLENS_INTERVAL", OsStr::new("0")),
        ("HEAPLENS_DIR", folder.path().as_os_str()),
    ];
    let output = command(&program.path, &settings)
        .arg(what)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let freed = String::from_utf8(output.stdout).unwrap().trim().parse();
    let graph = find(&snapshots_in(folder.path()), "graph").to_owned();
    (folder, graph, freed.unwrap())
}

/// The rows of what the command line says.
fn rows(file: &Path) -> Vec<Value> {
    let document = json(args!["retained", file, "--format", "json"]);
    document["rows"].as_array().unwrap().clone()
}

/// Line, and what its blocks are called.
struct Blocks {
    mark: &'static str,
    of: &'static str,
}

/// What the program can drop, and who holds it.
const HOLDERS: [(&str, Blocks); 12] = [
    (
        "static",
        Blocks {
            mark: "shelves",
            of: "HashMap<u32, holders::Shelf>",
        },
    ),
    (
        "items",
        Blocks {
            mark: "items",
            of: "Vec<Box<holders::Item>>",
        },
    ),
    (
        "item",
        Blocks {
            mark: "item",
            of: "Box<holders::Item>",
        },
    ),
    (
        "name",
        Blocks {
            mark: "name",
            of: "String",
        },
    ),
    (
        "sessions",
        Blocks {
            mark: "sessions",
            of: "BTreeMap<u64, holders::Session>",
        },
    ),
    (
        "log",
        Blocks {
            mark: "log",
            of: "Vec<u64>",
        },
    ),
    (
        "boxed",
        Blocks {
            mark: "boxed",
            of: "Box<[u64; 50]>",
        },
    ),
    (
        "lines",
        Blocks {
            mark: "lines",
            of: "Vec<Box<[u8; 70]>>",
        },
    ),
    (
        "line",
        Blocks {
            mark: "line",
            of: "Box<[u8; 70]>",
        },
    ),
    (
        "counted",
        Blocks {
            mark: "counted",
            of: "Arc<Vec<u16>>",
        },
    ),
    // Of both each is below the other: what is retained counts once.
    (
        "node",
        Blocks {
            mark: "node",
            of: "Rc<holders::Node>",
        },
    ),
    (
        "children",
        Blocks {
            mark: "children",
            of: "Vec<Rc<holders::Node>>",
        },
    ),
];

fn is_of(row: &Value, blocks: &Blocks) -> bool {
    row["type"] == blocks.of && row["owner"]["line"] == line_of("holders", blocks.mark)
}

#[test]
fn what_is_retained_is_what_is_freed_where_the_holder_is_dropped() {
    let program = Program::build("holders", &DEBUG);
    for (what, blocks) in HOLDERS {
        let (_folder, file, freed) = run(&program, what);
        let rows = rows(&file);
        let row = rows.iter().find(|row| is_of(row, &blocks));
        let row = row.unwrap_or_else(|| panic!("no {} in {rows:#?}", blocks.of));
        assert_eq!(row["retained_bytes"], freed, "{what}: {rows:#?}");
        // What holds it from outside retains as much where it holds nothing else.
        let root = |kind: &str, name: Option<&str>| {
            let is_it =
                |row: &&Value| row["root"]["kind"] == kind && row["root"]["name"].as_str() == name;
            rows.iter()
                .find(is_it)
                .unwrap_or_else(|| panic!("no {kind} in {rows:#?}"))
        };
        match what {
            "static" => {
                let row = root("global", Some("holders::CATALOG+8"));
                assert_eq!(row["retained_bytes"], freed);
            }
            "sessions" => assert_eq!(root("thread-local", None)["retained_bytes"], freed),
            "boxed" => assert!(root("stack", None)["retained_bytes"].as_u64() > Some(freed)),
            _ => {}
        }
    }
}

#[test]
fn the_way_leads_from_the_static_to_what_lies_four_structures_below() {
    let program = Program::build("holders", &DEBUG);
    let (_folder, file, _) = run(&program, "static");
    let output = heaplens(args!["retained", file, "--owner", "holders::name"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let steps: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("String (holders.rs:"))
        .skip(1)
        .collect();
    let line = |mark| line_of("holders", mark);
    let expected = [
        ("    static holders::CATALOG+8", String::new()),
        (
            "    at +0 → HashMap<u32, holders::Shelf>  holders::stock  ",
            format!("holders.rs:{}", line("shelves")),
        ),
        (
            "    at several offsets → Vec<Box<holders::Item>>  holders::items  ",
            format!("holders.rs:{}", line("items")),
        ),
        (
            "    at several offsets → Box<holders::Item>  holders::item  ",
            format!("holders.rs:{}", line("item")),
        ),
        (
            "    at +8 → String  holders::name  ",
            format!("holders.rs:{}", line("name")),
        ),
    ];
    assert_eq!(steps.len(), expected.len(), "{text}");
    for (step, (start, end)) in steps.into_iter().zip(expected) {
        assert!(
            step.starts_with(start) && step.ends_with(&end),
            "{start}{end} in {text}"
        );
    }
    // No pattern, and the static is the first of all.
    let rows = rows(&file);
    assert_eq!(rows[0]["root"]["name"], "holders::CATALOG+8");
    assert_eq!(rows[1]["type"], "HashMap<u32, holders::Shelf>");
    // What is shared with the stack is held by neither of the two alone: of 100, three.
    let tags = Blocks {
        mark: "tag",
        of: "Arc<holders::Tag>",
    };
    let tags = rows.iter().find(|row| is_of(row, &tags)).unwrap();
    assert_eq!(tags["own"]["blocks"], 100);
}
