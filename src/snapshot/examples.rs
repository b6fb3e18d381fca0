//! Snapshots for tests.

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
        symbols: None,
        complete: true,
    }
}
