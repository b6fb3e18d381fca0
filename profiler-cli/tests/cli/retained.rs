//! `heaplens retained`

use std::path::PathBuf;

use crate::fixture::*;
use crate::heap_graph::*;
use crate::leaks::{NONE, amount};
use heaplens::snapshot::graph::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

/// A shop whose cache is in a static, three structures deep, beside what a stack holds: a table of 1,000
/// entries with a name each.
fn cache() -> Fixture {
    let table = made("hashbrown::map::HashMap<u32, shop::cache::Entry>");
    let entry = made("alloc::boxed::Box<shop::cache::Entry>");
    let fixture = Fixture::new(3)
        .site(&[MAIN, CACHE, &table], 20_000, 1)
        .site(&[MAIN, CACHE, &entry], 64_000, 1_000)
        .site(&[MAIN, NAME], 8_000, 1_000)
        .site(&[MAIN, GONE], 500, 2);
    GraphFixture::new()
        .site([(1, 20_000), NONE, NONE])
        .site([(1_000, 64_000), NONE, NONE])
        .site([(1_000, 8_000), NONE, NONE])
        .site([(2, 500), NONE, NONE])
        .with(|graph| {
            graph.roots = Some(Roots {
                kind: vec![RootKind::Global, RootKind::Stack],
                module: vec![1, 0],
                address: vec![0x5a10, 0],
                count: vec![1, 2],
                bytes: vec![20_000, 500],
            });
            graph.edges = Some(Edges {
                holder: vec![-1, 0, 1, -2],
                offset: vec![0, MANY_OFFSETS, 24, 0],
                held: vec![0, 1, 2, 3],
                count: vec![1, 1_000, 1_000, 2],
                bytes: vec![20_000, 64_000, 8_000, 500],
                ..Edges::default()
            });
            graph.dominators = Some(Dominators {
                parent: vec![-1, 0, 1, 2, -1, 4],
                holder: vec![-1, 0, 1, 2, -2, 3],
                count: vec![0, 1, 1_000, 1_000, 0, 2],
                own_bytes: vec![0, 20_000, 64_000, 8_000, 0, 500],
                retained_bytes: vec![92_000, 92_000, 72_000, 8_000, 500, 500],
                ..Dominators::default()
            });
        })
        .of(fixture)
}

#[test]
fn the_way_leads_from_the_static_through_all_structures() {
    let folder = tempdir().unwrap();
    let file = cache().write(&folder, "a.json.gz");
    let text = stdout(args!["retained", file]);
    for part in [
        "2026-01-05 14:03:00 UTC, 90.3 KiB in 2,003 blocks that the scan found\n",
        "99.5 %  89.8 KiB       0 B       0  static shop+0x5a10\n",
        "99.5 %  89.8 KiB  19.5 KiB       1  HashMap<u32, shop::cache::Entry>  shop::cache::put  /w/shop/src/cache.rs:33\n",
        "77.8 %  70.3 KiB  62.5 KiB   1,000  Box<shop::cache::Entry>  shop::cache::put  /w/shop/src/cache.rs:33\n",
        " 0.5 %     500 B       0 B       0  the stack of a thread\n",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let named = stdout(args!["retained", file, "--owner", "shop::compose::*"]);
    let way = "\
block of name (compose.rs:60), retains 7.8 KiB
    static shop+0x5a10
    at +0 → HashMap<u32, shop::cache::Entry>  shop::cache::put  /w/shop/src/cache.rs:33
    at several offsets → Box<shop::cache::Entry>  shop::cache::put  /w/shop/src/cache.rs:33
    at +24 → block  shop::compose::name  /w/shop/src/compose.rs:60
";
    assert!(named.contains(way), "{named}");
    assert!(!named.contains("\nthe stack"), "{named}");
    let none = stdout(args!["retained", file, "--owner", "nobody"]);
    assert!(none.contains("Nobody of such a name"), "{none}");

    let document = json(args!["retained", file, "--format", "json"]);
    assert_eq!(document["schema"], "heaplens-retained-1");
    assert_eq!(document["row_count"], 6);
    let root = json!({"kind": "global", "name": "shop+0x5a10"});
    assert_eq!(document["rows"][0]["root"], root);
    let table = &document["rows"][1];
    assert_eq!(table["type"], "HashMap<u32, shop::cache::Entry>");
    assert_eq!(table["retained_bytes"], 92_000);
    assert_eq!(amount(&table["own"]), [20_000, 1]);
    let steps = document["rows"][2]["path"].as_array().unwrap();
    assert_eq!((steps.len(), &steps[0]["root"]), (3, &root));
    assert_eq!(steps[2]["pointer"], json!({"offset": null, "count": 1_000}));
    assert_eq!(steps[2]["stack"][1]["function"], "shop::cache::put");
}

/// Without pointers between sites the dominators alone are the way.
#[test]
fn without_edges_the_way_has_no_offsets() {
    let folder = tempdir().unwrap();
    let fixture = cache().with(|snapshot| snapshot.graph.as_mut().unwrap().edges = None);
    let file = fixture.write(&folder, "a.json.gz");
    let text = stdout(args!["retained", file, "--owner", "shop::compose::*"]);
    let way = "    static shop+0x5a10\n    → HashMap<u32, ";
    assert!(text.contains(way), "{text}");
}

#[test]
fn a_graph_without_dominators_says_so() {
    let folder = tempdir().unwrap();
    let file = lost(1, 10).write(&folder, "a.json.gz");
    let line = failure(args!["retained", file]);
    assert!(
        line.contains("a.json.gz: its graph tells what no pointer reaches, and not who holds"),
        "{line}"
    );
    let file = after().write(&folder, "b.json.gz");
    let line = failure(args!["retained", file]);
    assert!(line.contains("it has no graph of the heap: "), "{line}");
}

#[test]
fn a_scan_without_time_or_memory_for_holders_says_so() {
    let folder = tempdir().unwrap();
    let fixture = lost(1, 10).with(|snapshot| {
        snapshot.graph.as_mut().unwrap().scan.holders_left_out = true;
    });
    let file = fixture.write(&folder, "a.json.gz");
    let line = failure(args!["retained", file]);
    assert!(
        line.contains("the scan had no time or no memory left"),
        "{line}"
    );
}

#[test]
fn what_the_file_had_no_room_for_is_told() {
    let folder = tempdir().unwrap();
    let fixture = cache().with(|snapshot| {
        let graph = snapshot.graph.as_mut().unwrap();
        graph.dominators.as_mut().unwrap().left_out = NoRoom {
            count: 12,
            bytes: 3_000,
        };
        let roots = graph.roots.as_mut().unwrap();
        roots.address[0] = 0;
        roots.kind[1] = RootKind::Moving;
    });
    let file = fixture.write(&folder, "a.json.gz");
    let output = heaplens(args!["retained", file]);
    assert!(output.status.success(), "{output:?}");
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(
        notes.contains("12 blocks with 2.9 KiB have no row of their own"),
        "{notes}"
    );
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("  static others of shop\n"), "{text}");
    assert!(
        text.contains("  a pointer that moved meanwhile\n"),
        "{text}"
    );
    let document = json(args!["retained", file, "--format", "json"]);
    assert_eq!(amount(&document["left_out"]), [3_000, 12]);
}

#[test]
fn what_the_filter_leaves_out_is_no_holder() {
    let folder = tempdir().unwrap();
    let file = cache().write(&folder, "a.json.gz");
    let text = stdout(args!["retained", file, "--focus", "compose"]);
    assert!(
        text.contains("at several offsets → blocks that are left out\n"),
        "{text}"
    );
    assert!(!text.contains("HashMap"), "{text}");
}

/// A list of so many blocks, each held by the one before.
fn list(folder: &TempDir, length: usize) -> PathBuf {
    let rows = length + 1;
    let graph = GraphFixture::new().site([(length as u64, 16 * length as u64), NONE, NONE]);
    graph
        .with(|graph| {
            graph.roots = Some(Roots {
                kind: vec![RootKind::Stack],
                module: vec![0],
                address: vec![0],
                count: vec![1],
                bytes: vec![16],
            });
            graph.edges = Some(Edges {
                holder: vec![-1, 0],
                offset: vec![0, 8],
                held: vec![0, 0],
                count: vec![1, length as u64 - 1],
                bytes: vec![16, 16 * (length as u64 - 1)],
                ..Edges::default()
            });
            let below = |row: usize| 16 * (rows - row.max(1)) as u64;
            graph.dominators = Some(Dominators {
                parent: (0..rows as i64).map(|row| row - 1).collect(),
                holder: (0..rows).map(|row| if row == 0 { -1 } else { 0 }).collect(),
                count: (0..rows).map(|row| u64::from(row > 0)).collect(),
                own_bytes: (0..rows).map(|row| if row == 0 { 0 } else { 16 }).collect(),
                retained_bytes: (0..rows).map(below).collect(),
                ..Dominators::default()
            });
        })
        .of(Fixture::new(1).site(&[MAIN, CACHE], 16 * length as i64, length as i64))
        .write(folder, "list.json.gz")
}

#[test]
fn a_long_list_counts_once_and_is_one_step() {
    let folder = tempdir().unwrap();
    let file = list(&folder, 50_000);
    let document = json(args!["retained", file, "--format", "json"]);
    let rows = document["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!(row["retained_bytes"], 800_000);
    }
    let list = rows.iter().find(|row| row.get("owner").is_some()).unwrap();
    assert_eq!(amount(&list["own"]), [800_000, 50_000]);
    assert_eq!(list["path"].as_array().unwrap().len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// What an owner retains is what would go if all its blocks went: each row that has one of its rows above
    /// it, or is one.
    #[test]
    fn retained_sizes_are_those_of_dropping_the_holder(
        rows in prop::collection::vec((0_u8..4, 0_usize..20, 0_u64..1 << 40), 1..24),
        pointers in prop::collection::vec((-2_i64..4, -1_i64..64, 0_u32..4, 0_u64..1 << 20), 0..24),
    ) {
        let mut fixture = Fixture::new(1);
        let mut graph = GraphFixture::new();
        for owner in 0..4 {
            let owner = format!("shop::owner_{owner}@/w/shop/src/a.rs:1");
            fixture = fixture.site(&[MAIN, &owner], 1, 1);
            graph = graph.site([(1, 1 << 40), NONE, NONE]);
        }
        let parents: Vec<i64> = rows
            .iter()
            .enumerate()
            .map(|(at, &(_, parent, _))| (parent % (at + 1)) as i64 - 1)
            .collect();
        let own: Vec<u64> = rows.iter().map(|row| row.2).collect();
        let mut retained = own.clone();
        for at in (0..rows.len()).rev() {
            if let Ok(parent) = usize::try_from(parents[at]) {
                retained[parent] += retained[at];
            }
        }
        let graph = graph.with(|graph| {
            graph.roots = Some(Roots {
                kind: vec![RootKind::ThreadLocal, RootKind::Foreign],
                module: vec![0; 2],
                address: vec![0; 2],
                count: vec![1; 2],
                bytes: vec![1; 2],
            });
            graph.edges = Some(Edges {
                holder: pointers.iter().map(|pointer| pointer.0).collect(),
                offset: pointers.iter().map(|pointer| pointer.1).collect(),
                held: pointers.iter().map(|pointer| pointer.2).collect(),
                count: pointers.iter().map(|pointer| pointer.3).collect(),
                bytes: vec![1; pointers.len()],
                ..Edges::default()
            });
            graph.dominators = Some(Dominators {
                parent: parents.clone(),
                holder: rows.iter().map(|row| i64::from(row.0)).collect(),
                count: vec![1; rows.len()],
                own_bytes: own.clone(),
                retained_bytes: retained,
                ..Dominators::default()
            });
        });
        let folder = tempdir().unwrap();
        let file = graph.of(fixture).write(&folder, "a.json.gz");
        let document = json(args!["retained", file, "--format", "json"]);
        for owner in 0..4_u8 {
            let mut dropped = vec![false; rows.len()];
            for at in 0..rows.len() {
                let above = usize::try_from(parents[at]).is_ok_and(|parent| dropped[parent]);
                dropped[at] = above || rows[at].0 == owner;
            }
            let freed: u64 = (0..rows.len()).filter(|&at| dropped[at]).map(|at| own[at]).sum();
            let name = format!("shop::owner_{owner}");
            let found = document["rows"].as_array().unwrap().iter();
            let found = found.filter(|row| row["owner"]["function"] == name).collect::<Vec<&Value>>();
            prop_assert_eq!(found.len(), usize::from(rows.iter().any(|row| row.0 == owner)));
            for row in found {
                prop_assert_eq!(&row["retained_bytes"], freed);
                let last = row["path"].as_array().unwrap().last().unwrap();
                prop_assert_eq!(&last["owner"]["function"], &name);
            }
        }
        stdout(args!["retained", file]);
    }
}
