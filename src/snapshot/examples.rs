//! Snapshots for tests.

use super::graph::*;
use super::*;

/// Two sites under one caller, in exact mode.
pub(crate) fn small() -> Snapshot {
    let ages = Ages {
        bounds_seconds: AGE_BOUNDS_SECONDS.to_vec(),
        live_bytes: vec![
            vec![1_000, 24],
            vec![0, 0],
            vec![0, 0],
            vec![500, 0],
            vec![0, 0],
            vec![0, 0],
        ],
    };
    Snapshot {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        header: Header {
            program: Program {
                executable: "/srv/widget_service".to_owned(),
                pid: 4242,
                ..Program::default()
            },
            sequence: 7,
            reason: Reason::Interval,
            recorder: Recorder {
                mode: RecorderMode::Exact,
                depth: 128,
                unwinder: "eh-frame".to_owned(),
                ..Recorder::default()
            },
            totals: Totals {
                live_bytes: 1_524,
                live_count: 4,
                total_bytes: 9_007_199_254_740_993,
                total_count: 12,
                peak_live_bytes: 2_000,
                ..Totals::default()
            },
            ..Header::default()
        },
        modules: vec![
            Module {
                path: "[special]".to_owned(),
                ..Module::default()
            },
            Module {
                path: "/srv/widget_service".to_owned(),
                build_id: Some("0123456789abcdef".to_owned()),
                text_hash: None,
            },
        ],
        stacks: Stacks {
            parent: vec![-1, 0, 0],
            module: vec![1, 1, 1],
            address: vec![0x1000, 0x2040, 0x30ff],
        },
        sites: Sites {
            stack: vec![1, 2],
            live_bytes: vec![1_500, 24],
            live_count: vec![3, 1],
            total_bytes: vec![9_007_199_254_740_900, 93],
            total_count: vec![10, 2],
            ages,
            ..Sites::default()
        },
        graph: None,
        symbols: None,
        complete: true,
    }
}

/// [`small`] with a graph: a block of the first site and one of the second hold each other, a third
/// hangs on them, and a static holds the fourth.
pub(crate) fn with_graph() -> Snapshot {
    let graph = Graph {
        scan: Scan {
            scans: 2,
            pause_us: 900,
            scan_ms: 40,
            child_peak_bytes: 1 << 20,
            blocks: 4,
            bytes: 1_524,
            ..Scan::default()
        },
        sites: Verdicts {
            site: vec![0, 1],
            held_bytes: vec![500, 0],
            held_count: vec![1, 0],
            foreign_bytes: vec![0, 0],
            foreign_count: vec![0, 0],
            unreached_bytes: vec![1_000, 24],
            unreached_count: vec![2, 1],
        },
        groups: Groups {
            cycle: vec![true],
            instances: vec![1],
            blocks: vec![3],
            bytes: vec![1_024],
            first_member: vec![0, 3],
            first_link: vec![0, 3],
            members: Members {
                site: vec![0, 1, 0],
                role: vec![Role::Cycle, Role::Cycle, Role::Hanging],
                count: vec![1, 1, 1],
                bytes: vec![500, 24, 500],
            },
            links: Links {
                from: vec![0, 1, 0],
                offset: vec![8, 0, MANY_OFFSETS],
                to: vec![1, 0, 2],
                count: vec![1, 1, 2],
            },
            left_out: LeftOut::default(),
        },
        roots: Some(Roots {
            kind: vec![RootKind::Global],
            module: vec![1],
            address: vec![0x4000],
            count: vec![1],
            bytes: vec![500],
        }),
        edges: Some(Edges {
            holder: vec![-1, 0],
            offset: vec![0, 8],
            held: vec![0, 1],
            count: vec![1, 1],
            bytes: vec![500, 24],
            left_out: NoRoom { count: 1, bytes: 8 },
        }),
        dominators: Some(Dominators {
            parent: vec![-1, 0],
            holder: vec![-1, 0],
            count: vec![0, 1],
            own_bytes: vec![0, 500],
            retained_bytes: vec![500, 500],
            left_out: NoRoom::default(),
        }),
    };
    Snapshot {
        graph: Some(graph),
        ..small()
    }
}
