//! A check as plain data. Names are as they are in the snapshots: each form makes them safe.

use serde::Serialize;

use crate::analysis::gate::Outcome;
use crate::analysis::gate::measure::Quantity;

/// All programs that were checked.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// What kept the check from being made as it was meant: the program failed.
    pub errors: Vec<String>,
    /// The file of the budget, if there is one.
    pub budget: Option<String>,
    /// One for each program.
    pub programs: Vec<ProgramReport>,
}

/// One program.
#[derive(Debug, Clone, Serialize)]
pub struct ProgramReport {
    /// File name of its executable.
    pub program: String,
    /// The package that it is of.
    pub package: String,
    /// Name of the host it ran on.
    pub host: String,
    /// When the newest snapshot was taken: UTC, RFC 3339.
    pub taken: String,
    /// Snapshots that count.
    pub snapshots: usize,
    /// Whether numbers are estimates.
    pub sampled: bool,
    /// What is said of it.
    pub outcome: Outcome,
    /// The verdict in words.
    pub verdict: String,
    /// Snapshots that a verdict needs, where there are too few.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshots_needed: Option<usize>,
    /// Limits that it was held to.
    pub limits: usize,
    /// Leaks, and limits that are broken; what matters most first.
    pub failures: Vec<Failure>,
    /// Why it cannot pass.
    pub gaps: Vec<String>,
    /// Leaks that are known.
    pub suppressed: Vec<Suppressed>,
    /// What should be known beside.
    pub notes: Vec<String>,
    /// Live bytes of the whole.
    pub total: Row,
    /// Live bytes of the owners that hold or grew most, the largest growth first.
    pub owners: Vec<Row>,
}

/// Something that makes a program fail.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// What is wrong.
    pub kind: Kind,
    /// Who is to blame; `None` for the whole program.
    pub owner: Option<Place>,
    /// What is wrong, in a line.
    pub message: String,
    /// More on that.
    pub details: Vec<String>,
    /// What is limited; leaks have no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// What it is, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<f64>,
    /// What it may be, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// The worst paths, each with what allocates first.
    pub paths: Vec<Vec<Place>>,
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The verdict names it.
    Leak,
    /// The budget limits it.
    Limit,
    /// The baseline was less.
    Baseline,
}

impl Kind {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leak => "leak",
            Self::Limit => "limit",
            Self::Baseline => "baseline",
        }
    }
}

/// A leak that is known.
#[derive(Debug, Clone, Serialize)]
pub struct Suppressed {
    /// Who leaks.
    pub owner: Place,
    /// The pattern that says that it is known.
    pub pattern: String,
}

/// A place in the source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The function.
    pub function: String,
    /// Its file, as the binary has it.
    pub file: Option<String>,
    /// The line.
    pub line: Option<u32>,
    /// The file relative to the root of the repository, where it is found there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository_file: Option<String>,
}

/// Live bytes before and after.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Row {
    /// Whose; `None` for the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Place>,
    /// After warm-up.
    pub before: i64,
    /// At last.
    pub after: i64,
}

impl Row {
    /// After minus before.
    pub fn change(&self) -> i64 {
        self.after.saturating_sub(self.before)
    }
}

impl Report {
    /// What is said of all together.
    pub fn outcome(&self) -> Outcome {
        let programs = self.programs.iter().map(|program| program.outcome);
        let failed = (!self.errors.is_empty()).then_some(Outcome::Unknown);
        // A pipeline that could not do its work has no say in what its snapshots are like.
        failed.or(programs.max()).unwrap_or(Outcome::Unknown)
    }

    /// How many programs have an outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        let of = |program: &&ProgramReport| program.outcome == outcome;
        self.programs.iter().filter(of).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_outcome_counts_and_an_error_more() {
        let mut report = Report::default();
        assert_eq!(report.outcome(), Outcome::Unknown);
        report.programs = [Outcome::Pass, Outcome::Fail, Outcome::Unknown]
            .map(sample)
            .into();
        assert_eq!(report.outcome(), Outcome::Fail);
        report.errors.push("it ended with 1".to_owned());
        assert_eq!(report.outcome(), Outcome::Unknown);
    }

    fn sample(outcome: Outcome) -> ProgramReport {
        ProgramReport {
            outcome,
            ..super::super::sample::program("f")
        }
    }
}
