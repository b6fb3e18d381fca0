//! Holds `docs/snapshot-format.md` to the format: what is written is described there.

use heaplens::snapshot::graph::{
    Dominators, Edges, Graph as HeapGraph, Groups, Links, Members, NoRoom, Role, RootKind, Roots,
    Verdicts,
};
use heaplens::snapshot::*;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A snapshot in which no field is absent.
fn full() -> Snapshot {
    let some = || Some("x".to_owned());
    Snapshot {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        header: Header {
            program: Program {
                build_id: some(),
                ..Program::default()
            },
            label: some(),
            memory: ProcessMemory {
                rss_bytes: Some(1),
                rss_peak_bytes: Some(1),
                allocator_resident_bytes: Some(1),
                cgroup_limit_bytes: Some(1),
                cgroup_usage_bytes: Some(1),
            },
            ..Header::default()
        },
        modules: vec![Module {
            path: "[special]".to_owned(),
            build_id: some(),
            text_hash: some(),
        }],
        stacks: Stacks {
            parent: vec![-1],
            module: vec![SPECIAL_MODULE],
            address: vec![SpecialFrame::BeforeStart.code()],
        },
        sites: Sites {
            stack: vec![0],
            live_bytes: vec![1],
            live_count: vec![1],
            total_bytes: vec![1],
            total_count: vec![1],
            ages: Ages {
                bounds_seconds: AGE_BOUNDS_SECONDS.to_vec(),
                live_bytes: vec![vec![0]; AGE_CLASSES],
            },
            live_samples: vec![1],
            total_samples: vec![1],
            live_bytes_variance: vec![1.0],
            total_bytes_variance: vec![1.0],
        },
        graph: Some(graph()),
        symbols: Some(Symbols {
            first_frame: vec![0, 0],
            sources: vec![SymbolSource::Missing],
            ..Symbols::default()
        }),
        complete: true,
    }
}

fn graph() -> HeapGraph {
    HeapGraph {
        sites: Verdicts {
            site: vec![0],
            held_bytes: vec![1],
            held_count: vec![1],
            foreign_bytes: vec![1],
            foreign_count: vec![1],
            unreached_bytes: vec![1],
            unreached_count: vec![1],
        },
        groups: Groups {
            cycle: vec![true],
            instances: vec![1],
            blocks: vec![1],
            bytes: vec![1],
            first_member: vec![0, 1],
            first_link: vec![0, 1],
            members: Members {
                site: vec![0],
                role: vec![Role::Cycle],
                count: vec![1],
                bytes: vec![1],
            },
            links: Links {
                from: vec![0],
                offset: vec![0],
                to: vec![0],
                count: vec![1],
            },
            ..Groups::default()
        },
        roots: Some(Roots {
            kind: vec![RootKind::Global],
            module: vec![SPECIAL_MODULE],
            address: vec![0],
            count: vec![1],
            bytes: vec![1],
        }),
        edges: Some(Edges {
            holder: vec![-1],
            offset: vec![0],
            held: vec![0],
            count: vec![1],
            bytes: vec![1],
            left_out: NoRoom::default(),
        }),
        dominators: Some(Dominators {
            parent: vec![-1],
            holder: vec![0],
            count: vec![1],
            own_bytes: vec![1],
            retained_bytes: vec![1],
            left_out: NoRoom::default(),
        }),
        ..HeapGraph::default()
    }
}

fn keys(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                into.push(key.clone());
                keys(value, into);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| keys(value, into)),
        _ => {}
    }
}

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/snapshot-format.md");
    fs::read_to_string(path).expect("the page is in the repository")
}

/// Whether a word stands in code quotes, on its own or behind a dot.
fn describes(page: &str, word: &str) -> bool {
    ["`", ".", "\"", "{"].iter().any(|before| {
        ["`", ".", "\"", " "]
            .iter()
            .any(|after| page.contains(&format!("{before}{word}{after}")))
    })
}

#[test]
fn every_field_is_described() {
    let mut file = Vec::new();
    write(&full(), &mut file).expect("a vector takes all");
    let read_back = read_bytes("full", &file, &Limits::default()).expect("own output");
    assert_eq!(read_back, full());
    let value = serde_json::to_value(&read_back).expect("a snapshot is JSON");
    let mut names = Vec::new();
    keys(&value, &mut names);
    // Of `losses`, the page has one row for each and says which object they belong to.
    assert!(names.len() > 70, "{} names", names.len());
    let page = page();
    for name in names {
        assert!(describes(&page, &name), "{name} is not described");
    }
}

#[test]
fn every_word_and_code_is_described() {
    use Reason::*;
    let page = page();
    for reason in [
        Interval, Signal, Growth, Limit, Peak, Exit, Panic, Request, Mark, Graph,
    ] {
        assert!(describes(&page, reason.slug()), "{reason:?}");
    }
    let roles = [Role::Cycle, Role::Forgotten, Role::Hanging].map(serde_json::to_value);
    let kinds = [
        RootKind::Global,
        RootKind::Stack,
        RootKind::ThreadLocal,
        RootKind::Register,
        RootKind::Foreign,
    ];
    for word in roles.into_iter().chain(kinds.map(serde_json::to_value)) {
        let word = word.expect("a word is JSON");
        let word = word.as_str().expect("a word");
        assert!(describes(&page, word), "{word}");
    }
    let mut special = 0;
    for code in 1..32 {
        if let Some(frame) = SpecialFrame::from_code(code) {
            let text = frame.to_string();
            let text = text.split(':').next().expect("a first part");
            assert!(page.contains(text), "{frame} ({code})");
            special += 1;
        }
    }
    assert!(special >= 10);
    let bounds = AGE_BOUNDS_SECONDS.map(|bound| bound.to_string()).join(", ");
    assert!(page.contains(&format!("`[{bounds}]`")));
    assert!(page.contains(&format!("`format_version` is {FORMAT_VERSION}")));
}
