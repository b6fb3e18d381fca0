//! From pairs of runs to ratios, and which of these count.

use crate::contenders::Contender;
use measure::statistics::Median;
use measure::{Measurement, Workload};
use serde::{Serialize, Serializer};

/// Fewest pairs that a result can come from.
pub(crate) const FEWEST_PAIRS: usize = 15;
/// How far a base may be from itself.
pub(crate) const CONTROL_TOLERANCE: f64 = 0.01;

/// All pairs of one comparison.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    #[serde(serialize_with = "name")]
    pub(crate) workload: Workload,
    pub(crate) contender: String,
    pub(crate) base: String,
    /// What the contender is, for people.
    pub(crate) summary: &'static str,
    /// Base and contender, in the order of the rounds.
    pub(crate) pairs: Vec<(Measurement, Measurement)>,
    /// Why there are no more pairs.
    pub(crate) failure: Option<String>,
}

fn name<S: Serializer>(workload: &Workload, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(workload.name())
}

impl Line {
    pub(crate) fn new(workload: Workload, contender: &Contender, base: &Contender) -> Self {
        Self {
            workload,
            contender: contender.label(),
            base: base.label(),
            summary: contender.summary,
            pairs: Vec::new(),
            failure: None,
        }
    }

    pub(crate) fn is_control(&self) -> bool {
        self.contender == self.base
    }

    /// CPU time of an operation, contender over base, of each pair.
    pub(crate) fn cpu_ratios(&self) -> impl Iterator<Item = f64> {
        self.pairs
            .iter()
            .map(|(base, contender)| contender.cpu_per_operation() / base.cpu_per_operation())
    }

    pub(crate) fn cpu(&self) -> Option<Median> {
        Median::of(self.cpu_ratios())
    }

    /// The same for the time that passed.
    pub(crate) fn wall(&self) -> Option<Median> {
        Median::of(
            self.pairs.iter().map(|(base, contender)| {
                contender.wall_per_operation() / base.wall_per_operation()
            }),
        )
    }

    /// Peak of resident memory, contender over base, of each pair.
    pub(crate) fn rss_ratios(&self) -> impl Iterator<Item = f64> {
        self.pairs
            .iter()
            .map(|(base, contender)| contender.peak_rss_bytes as f64 / base.peak_rss_bytes as f64)
    }

    pub(crate) fn rss(&self) -> Option<Median> {
        Median::of(self.rss_ratios())
    }

    /// What 99 of 100 requests took at most, contender over base, of each pair. None where it was not
    /// measured.
    pub(crate) fn p99_ratios(&self) -> impl Iterator<Item = f64> {
        self.pairs
            .iter()
            .filter_map(|(base, contender)| Some(contender.p99_ns? as f64 / base.p99_ns? as f64))
    }

    pub(crate) fn p99(&self) -> Option<Median> {
        Median::of(self.p99_ratios())
    }

    /// CPU time of an operation of the contender in nanoseconds.
    pub(crate) fn nanoseconds(&self) -> Option<f64> {
        let runs = self.pairs.iter().map(|(_, run)| run.cpu_per_operation());
        Some(Median::of(runs)?.value)
    }

    /// Peak of resident memory of the contender in MiB.
    pub(crate) fn mebibytes(&self) -> Option<f64> {
        let runs = self.pairs.iter();
        let median = Median::of(runs.map(|(_, run)| run.peak_rss_bytes as f64))?;
        Some(median.value / f64::from(1 << 20))
    }
}

/// All comparisons of a run.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub(crate) struct Lines(pub(crate) Vec<Line>);

impl Lines {
    pub(crate) fn find(&self, workload: Workload, contender: &str, base: &str) -> Option<&Line> {
        self.0.iter().find(|line| {
            line.workload == workload && line.contender == contender && line.base == base
        })
    }

    /// The workloads that there are lines of, in their order.
    pub(crate) fn workloads(&self) -> impl Iterator<Item = Workload> {
        Workload::ALL
            .into_iter()
            .filter(|workload| self.0.iter().any(|line| line.workload == *workload))
    }

    /// Why a line does not count; `None` if it does.
    pub(crate) fn void(&self, line: &Line) -> Option<String> {
        if line.failure.is_some() {
            return Some("failed".to_owned());
        }
        if line.pairs.len() < FEWEST_PAIRS {
            return Some(format!("{} pairs", line.pairs.len()));
        }
        let control = self.find(line.workload, &line.base, &line.base);
        let ratio = match control.and_then(Line::cpu) {
            Some(median) => median.value,
            None => return Some("no control".to_owned()),
        };
        ((ratio - 1.0).abs() > CONTROL_TOLERANCE)
            .then(|| format!("{} is {ratio:.3} of itself", line.base))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A line whose pairs have these ratios of CPU time, and no more memory than the base.
    pub(crate) fn line(workload: Workload, contender: &str, base: &str, ratios: &[f64]) -> Line {
        let run = |cpu_ns: f64| Measurement {
            operations: 1,
            cpu_ns: cpu_ns as u64,
            wall_ns: 2 * cpu_ns as u64,
            peak_rss_bytes: 3 << 20,
            p99_ns: (workload.kind() == measure::Kind::Service).then_some(cpu_ns as u64),
        };
        Line {
            workload,
            contender: contender.to_owned(),
            base: base.to_owned(),
            summary: "",
            pairs: ratios
                .iter()
                .map(|ratio| (run(1e9), run(ratio * 1e9)))
                .collect(),
            failure: None,
        }
    }

    #[test]
    fn a_line_counts_by_its_pairs_and_its_control() {
        let json =
            |contender: &str, ratios: &[f64]| line(Workload::Json, contender, "system", ratios);
        let lines = Lines(vec![
            json("system", &[1.009; 15]),
            json("dhat", &[30.0; 15]),
        ]);
        assert_eq!(lines.void(&lines.0[1]), None);

        let few = Lines(vec![json("system", &[1.0; 14]), json("dhat", &[30.0; 14])]);
        assert_eq!(few.void(&few.0[1]).as_deref(), Some("14 pairs"));

        let off = Lines(vec![json("system", &[0.98; 15]), json("dhat", &[30.0; 15])]);
        assert_eq!(
            off.void(&off.0[1]).as_deref(),
            Some("system is 0.980 of itself")
        );

        let alone = Lines(vec![json("dhat", &[30.0; 15])]);
        assert_eq!(alone.void(&alone.0[0]).as_deref(), Some("no control"));

        let mut failed = json("dhat", &[30.0; 15]);
        failed.failure = Some("it ended".to_owned());
        assert_eq!(lines.void(&failed).as_deref(), Some("failed"));
    }

    #[test]
    fn ratios_are_per_operation() {
        let mut line = line(Workload::Json, "dhat", "system", &[2.0, 4.0, 3.0]);
        assert_eq!(line.cpu().unwrap().value, 3.0);
        assert_eq!(line.wall().unwrap().value, 3.0);
        assert_eq!(line.rss().unwrap().value, 1.0);
        for (_, contender) in &mut line.pairs {
            contender.operations = 2;
        }
        assert_eq!(line.cpu().unwrap().value, 1.5);
        assert_eq!(line.nanoseconds(), Some(1.5e9));
        assert_eq!(line.mebibytes(), Some(3.0));
    }
}
