//! Reports to try the forms on.

use super::report::{Failure, Kind, Place, ProgramReport, Report, Row, Suppressed};
use crate::analysis::gate::Outcome;
use crate::analysis::gate::measure::Quantity;

fn place(name: &str) -> Place {
    Place {
        function: name.to_owned(),
        file: Some(format!("/w/{name}")),
        line: Some(7),
        repository_file: Some(format!("src/{name}")),
    }
}

/// A program that fails in each way; all that a snapshot or a file can name is `name`.
pub(super) fn program(name: &str) -> ProgramReport {
    let failure = |kind, owner| Failure {
        kind,
        owner,
        message: format!("leaks {name}"),
        details: vec![format!("because: {name}")],
        quantity: Some(Quantity::Live),
        measured: Some(2.0),
        limit: (kind != Kind::Leak).then_some(1.0),
        paths: vec![vec![place(name), place("main")]],
    };
    ProgramReport {
        program: name.to_owned(),
        package: name.to_owned(),
        host: name.to_owned(),
        taken: "2026-01-05T14:02:11.123Z".to_owned(),
        snapshots: 8,
        sampled: false,
        outcome: Outcome::Fail,
        verdict: "1 owner leaks".to_owned(),
        snapshots_needed: None,
        limits: 3,
        failures: vec![
            failure(Kind::Leak, Some(place(name))),
            failure(Kind::Limit, None),
        ],
        gaps: vec![format!("lost {name}")],
        suppressed: vec![Suppressed {
            owner: place(name),
            pattern: name.to_owned(),
        }],
        notes: vec![format!("the owner {name}")],
        total: Row {
            owner: None,
            before: 1,
            after: 9,
        },
        owners: vec![Row {
            owner: Some(place(name)),
            before: 1,
            after: 5,
        }],
    }
}

/// Two such programs, of which one is not known to be bad, and an error.
pub(super) fn report(name: &str) -> Report {
    let unknown = ProgramReport {
        outcome: Outcome::Unknown,
        failures: Vec::new(),
        ..program(name)
    };
    Report {
        errors: vec![format!("{name} ended with 1")],
        budget: Some("heaplens.toml".to_owned()),
        programs: vec![program(name), unknown],
    }
}
