//! `heaplens leaks` on graphs that somebody else made: what does not fit is refused, and what fits adds up.

use std::fs::File;
use std::path::PathBuf;

use crate::fixture::*;
use crate::heap_graph::*;
use crate::leaks::{NONE, amount};
use flate2::read::GzDecoder;
use heaplens::snapshot::graph::{Graph, LeftOut, MANY_OFFSETS, Role};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

/// A snapshot of two sites whose graph was changed.
fn changed(folder: &TempDir, change: impl FnOnce(&mut Graph)) -> PathBuf {
    GraphFixture::new()
        .site([NONE, NONE, (1, 10)])
        .site([NONE, NONE, (1, 20)])
        .shape(
            1,
            &[(0, Role::Cycle, 1, 10), (1, Role::Cycle, 1, 20)],
            &[(0, 1, 0, 1)],
        )
        .with(change)
        .of(Fixture::new(1)
            .site(&[MAIN, CACHE], 10, 1)
            .site(&[MAIN, GONE], 20, 1))
        .write(folder, "changed.json.gz")
}

#[test]
fn graphs_that_do_not_fit_their_snapshot_are_refused() {
    let folder = tempdir().unwrap();
    let sound = changed(&folder, |_| ());
    let sound: Value = serde_json::from_reader(GzDecoder::new(File::open(sound).unwrap())).unwrap();
    let spoilt = folder.path().join("spoilt.json");
    for (what, place, value) in [
        ("graph.sites.site[1]", "/sites/site/1", json!(2)),
        (
            "graph.groups.members.site[0]",
            "/groups/members/site/0",
            json!(u32::MAX),
        ),
        ("graph.groups.links.to[0]", "/groups/links/to/0", json!(9)),
        (
            "graph.groups.first_member",
            "/groups/first_member",
            json!([]),
        ),
        (
            "graph.sites.unreached_bytes",
            "/sites/unreached_bytes",
            json!([]),
        ),
        ("graph.groups.bytes", "/groups/bytes/0", json!(u64::MAX)),
        ("u32", "/groups/members/site/0", json!(1_u64 << 40)),
    ] {
        let mut snapshot = sound.clone();
        *snapshot["graph"].pointer_mut(place).unwrap() = value;
        std::fs::write(&spoilt, snapshot.to_string()).unwrap();
        let line = failure(args!["leaks", spoilt]);
        assert!(line.contains(what), "{what}: {line}");
    }
}

#[test]
fn numbers_near_the_bound_and_empty_members_are_told() {
    let folder = tempdir().unwrap();
    let file = changed(&folder, |graph| {
        let most = (1 << 61) + 7;
        graph.sites.held_bytes = vec![most, 0];
        graph.sites.foreign_bytes = vec![most, 0];
        graph.sites.unreached_bytes = vec![most, 0];
        graph.groups.members.count = vec![0, 0];
        graph.groups.members.bytes = vec![most, 0];
        graph.groups.links.offset = vec![i64::MAX];
        graph.groups.left_out = LeftOut {
            shapes: 3,
            instances: 4,
            blocks: 5,
            bytes: 1 << 20,
        };
        graph.scan.scans = u32::MAX;
        graph.scan.pause_us = u64::MAX;
        graph.scan.registers = false;
        graph.scan.interrupted_calls = 2;
    });
    let text = stdout(args!["leaks", file]);
    for part in [
        "NO POINTER FOUND  to 2.0 EiB",
        "at +9223372036854775807",
        "the registers of some threads were not read, and what only one of them held shows as lost; 2 system calls of the program returned early",
        "3 kinds more, with 1.0 MiB in 5 blocks, for which the file had no room",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    json(args!["leaks", file, "--format", "json"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// Sites of few owners, and members of them in any role, however little that is a heap.
    #[test]
    fn each_number_is_a_sum_of_the_file_s(
        sites in prop::collection::vec((0_u64..9, prop::array::uniform3(0_u64..1 << 40)), 1..8),
        shapes in prop::collection::vec(
            prop::collection::vec((0_u32..8, 0_u8..3, 0_u64..1 << 30, 0_u64..1 << 40), 1..5), 0..6),
    ) {
        let (mut fixture, mut graph) = (Fixture::new(1), GraphFixture::new());
        for (at, (owner, bytes)) in sites.iter().enumerate() {
            let owner = format!("shop::owner_{}@/w/shop/src/a.rs:{}", owner % 3, 1 + owner % 2);
            let leaf = format!("alloc::leaf_{at}@{STD}/alloc/src/a.rs:1");
            fixture = fixture.site(&[MAIN, &owner, &leaf], 1, 1);
            graph = graph.site(bytes.map(|bytes| (bytes / 8, bytes)));
        }
        let roles = [Role::Cycle, Role::Forgotten, Role::Hanging];
        for members in &shapes {
            let members: Vec<MemberRow> = members
                .iter()
                .map(|&(site, role, count, bytes)| {
                    (site % sites.len() as u32, roles[usize::from(role)], count, bytes)
                })
                .collect();
            let all = members.len() as u32;
            let links: Vec<LinkRow> = (0..all).map(|at| (at, (at + 1) % all, MANY_OFFSETS, 3)).collect();
            graph = graph.shape(2, &members, &links);
        }
        let folder = tempdir().unwrap();
        let file = graph.of(fixture).write(&folder, "a.json.gz");
        let document = json(args!["leaks", file, "--format", "json"]);
        for (at, verdict) in ["held", "foreign", "unreached"].into_iter().enumerate() {
            let sum: u64 = sites.iter().map(|(_, bytes)| bytes[at]).sum();
            prop_assert_eq!(&document["totals"][verdict]["bytes"], sum);
            let owners = document["owners"].as_array().unwrap();
            let of_owners: u64 = owners.iter().map(|owner| amount(&owner[verdict])[0]).sum();
            prop_assert_eq!(of_owners, sum);
        }
        let rows = document["rows"].as_array().unwrap();
        let number = |value: &Value| value.as_u64().unwrap();
        let all = || shapes.iter().flatten();
        let (blocks, bytes) = (all().map(|m| m.2).sum::<u64>(), all().map(|m| m.3).sum::<u64>());
        prop_assert_eq!(rows.iter().map(|row| number(&row["bytes"])).sum::<u64>(), bytes);
        prop_assert_eq!(rows.iter().map(|row| number(&row["blocks"])).sum::<u64>(), blocks);
        let instances: u64 = rows.iter().map(|row| number(&row["instances"])).sum();
        prop_assert_eq!(instances, 2 * shapes.len() as u64);
        let mut links = 0;
        for row in rows {
            let members = row["members"].as_array().unwrap();
            prop_assert_eq!(members.iter().map(|one| number(&one["bytes"])).sum::<u64>(), number(&row["bytes"]));
            for member in members {
                let stacks = member["stacks"].as_array().unwrap();
                prop_assert_eq!(stacks.iter().map(|one| number(&one["bytes"])).sum::<u64>(), number(&member["bytes"]));
            }
            for link in row["links"].as_array().unwrap() {
                prop_assert!(number(&link["from"]).max(number(&link["to"])) < members.len() as u64);
                links += number(&link["count"]);
            }
        }
        prop_assert_eq!(links, 3 * all().count() as u64);
        stdout(args!["leaks", file]);
    }
}
