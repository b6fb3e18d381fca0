//! A baseline: what the programs of a package held when somebody wrote it down, for later runs to
//! be held to.
//!
//! It is a TOML file with a line for each owner, in the order of their names, so that a change of it
//! reads well in a review. Quantities below zero are written as zero: who frees more than it was given
//! is no measure for others.
//!
//! Owners that hold next to nothing are left out. What is new since is not compared by itself: it
//! counts in the total.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use super::amounts::Amounts;
use super::measure::{Estimate, Measured, Quantity};
use super::text::{TextError, read};
use crate::profile::Profile;

/// The version of the form of the file.
const VERSION: u32 = 1;
/// Part of the program's peak, or of all that it allocated, below which an owner is left out.
const LEAST_SHARE: f64 = 0.001;

/// The baseline of a package.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    version: u32,
    /// By name.
    #[serde(default)]
    pub program: BTreeMap<String, Program>,
}

/// What a program held.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Mean distance between samples in bytes; 0 for exact numbers.
    sample_bytes: u64,
    /// Units of work that were done meanwhile.
    pub work: u64,
    total: Amounts,
    #[serde(default)]
    owner: BTreeMap<String, Amounts>,
}

impl Baseline {
    /// One without programs.
    pub fn new() -> Self {
        Self {
            version: VERSION,
            program: BTreeMap::new(),
        }
    }

    /// Reads a baseline.
    ///
    /// # Errors
    ///
    /// What is none, and one of another version.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let baseline: Self = read(text)?;
        if baseline.version != VERSION {
            let what = format!(
                "version {} of a baseline, expected {VERSION}: write it anew with --save-baseline",
                baseline.version
            );
            return Err(TextError::at(text, 0, what));
        }
        Ok(baseline)
    }

    /// The text that [`parse`](Self::parse) reads.
    pub fn text(&self) -> String {
        let mut text = format!(
            "# What programs held, in bytes: `heaplens check --baseline` holds later runs to it.\n\
             # `heaplens check --save-baseline` writes it, and lets it go down only.\n\
             version = {}\n",
            self.version
        );
        for (name, program) in &self.program {
            let name = quoted(name);
            // A text takes all that is written to it.
            let _ = writeln!(
                text,
                "\n[program.{name}]\nsample_bytes = {}\nwork = {}\ntotal = {}\n\n[program.{name}.owner]",
                program.sample_bytes,
                program.work,
                program.total.inline(),
            );
            for (owner, amounts) in &program.owner {
                let _ = writeln!(text, "{} = {}", quoted(owner), amounts.inline());
            }
        }
        text
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

impl Program {
    /// What a run measured.
    pub fn new(profile: &Profile, measured: &Measured, sample_bytes: u64) -> Self {
        let total = Amounts::new(&measured.total);
        let owners = measured.owners.iter().map(|owner| {
            let name = profile.name(owner.node).to_owned();
            (name, Amounts::new(&owner.measures))
        });
        let is_much = |amounts: &Amounts| {
            [Quantity::Peak, Quantity::Allocated]
                .into_iter()
                .any(|quantity| {
                    let part = amounts.of(quantity).zip(total.of(quantity));
                    part.is_some_and(|(part, whole)| part > whole * LEAST_SHARE)
                })
        };
        Self {
            sample_bytes,
            work: measured.work,
            total,
            owner: owners.filter(|(_, amounts)| is_much(amounts)).collect(),
        }
    }

    /// The baseline that a later run leaves of this one: nothing in it goes up, and what the later run
    /// does not tell stays. Also how many numbers would have gone up.
    pub fn lowered(&self, new: Self) -> (Self, usize) {
        let mut kept = 0;
        let lowered = self.merged(new, &mut |old, new| {
            kept += usize::from(new > old);
            new.min(old)
        });
        (lowered, kept)
    }

    /// The same, where the later run's numbers count.
    pub fn replaced(&self, new: Self) -> Self {
        match self.sample_bytes == new.sample_bytes {
            true => self.merged(new, &mut |_, new| new),
            // Numbers of another kind.
            false => new,
        }
    }

    /// What two processes of one run leave: room for both.
    pub fn of_both(&self, other: Self) -> Self {
        self.merged(other, &mut f64::max)
    }

    fn merged(&self, new: Self, one: &mut impl FnMut(f64, f64) -> f64) -> Self {
        let mut owner = self.owner.clone();
        for (name, amounts) in new.owner {
            let old = owner.get(&name).copied().unwrap_or_default();
            owner.insert(name, old.merged(amounts, one));
        }
        Self {
            total: self.total.merged(new.total, one),
            owner,
            ..new
        }
    }

    /// Mean distance between samples in bytes; 0 for exact numbers.
    pub fn sample_bytes(&self) -> u64 {
        self.sample_bytes
    }

    /// The amount that the total was, or an owner, and its variance; `None` for what is not in the
    /// baseline.
    pub fn amount(&self, owner: Option<&str>, quantity: Quantity) -> Option<Estimate> {
        let amounts = match owner {
            None => &self.total,
            Some(name) => self.owner.get(name)?,
        };
        let value = amounts.of(quantity)?;
        let work = if quantity == Quantity::GrowthPerWork {
            self.work.max(1) as f64
        } else {
            1.0
        };
        Some(Estimate {
            value,
            // A sample of size s stands for s/p bytes with variance s²(1−p)/p², which is at most s/p
            // times the mean.
            variance: value * self.sample_bytes as f64 / work,
        })
    }

    /// How many owners of a later run are not in the baseline.
    pub fn new_owners(&self, later: &Self) -> usize {
        let names = later.owner.keys();
        names.filter(|name| !self.owner.contains_key(*name)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn program(owners: &[(&str, f64)], total: f64) -> Program {
        let amounts = |live| Amounts {
            live: Some(live),
            growth: None,
            ..Amounts::default()
        };
        Program {
            work: 7,
            total: amounts(total),
            owner: owners
                .iter()
                .map(|(name, live)| ((*name).to_owned(), amounts(*live)))
                .collect(),
            ..Program::default()
        }
    }

    fn baseline(program: Program) -> Baseline {
        let mut baseline = Baseline::new();
        baseline.program.insert("shop".to_owned(), program);
        baseline
    }

    #[test]
    fn one_line_for_each_owner_in_the_order_of_names() {
        let text = baseline(program(&[("b::f", 2.0), ("a::<\"x\">::g", 1.5)], 3.5)).text();
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "version = 1",
                "",
                "[program.\"shop\"]",
                "sample_bytes = 0",
                "work = 7",
                "total = { live = 3.5 }",
                "",
                "[program.\"shop\".owner]",
                "\"a::<\\\"x\\\">::g\" = { live = 1.5 }",
                "\"b::f\" = { live = 2.0 }",
            ]
        );
    }

    #[test]
    fn it_only_goes_down() {
        let old = program(&[("up", 1.0), ("down", 5.0), ("gone", 1.0)], 9.0);
        let (lowered, kept) =
            old.lowered(program(&[("up", 2.0), ("down", 4.0), ("new", 3.0)], 10.0));
        assert_eq!(
            lowered,
            program(
                &[("up", 1.0), ("down", 4.0), ("new", 3.0), ("gone", 1.0)],
                9.0
            )
        );
        assert_eq!(kept, 2);
    }

    #[test]
    fn a_run_that_tells_less_erases_nothing() {
        let mut old = program(&[("a", 1.0)], 9.0);
        old.total.growth = Some(5.0);
        let (lowered, _) = old.lowered(program(&[], 8.0));
        assert_eq!(lowered.total.growth, Some(5.0));
        assert_eq!(lowered.total.live, Some(8.0));
        assert_eq!(lowered.owner, old.owner);
        let raised = old.replaced(program(&[("a", 2.0)], 10.0));
        assert_eq!(raised.total.growth, Some(5.0));
        assert_eq!(raised.owner["a"].live, Some(2.0));
        // Estimates say nothing of exact numbers.
        let mut sampled = program(&[], 10.0);
        sampled.sample_bytes = 512;
        assert_eq!(old.replaced(sampled.clone()), sampled);
    }

    #[test]
    fn what_is_no_baseline_is_told_with_its_place() {
        for (text, place, part) in [
            ("version = 2\n", (1, 1), "expected 1"),
            (
                "version = 1\n[program.a]\nwork = 1\nworth = 2\n",
                (4, 1),
                "`worth`",
            ),
            ("hello\n", (1, 6), "="),
            (
                "version = 1\n[program.a]\nsample_bytes = 0\nwork = 1\ntotal = { live = nan }\n",
                (5, 18),
                "0 or more",
            ),
        ] {
            let error = Baseline::parse(text).unwrap_err();
            assert_eq!((error.line, error.column), place, "{error}");
            assert!(error.what.contains(part), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(name in any::<String>(), owner in any::<String>(), tenths in 0_u32..1_000_000) {
            let mut written = Baseline::new();
            let program = program(&[(&owner, f64::from(tenths) / 10.0)], 1.0);
            written.program.insert(name, program);
            prop_assert_eq!(Baseline::parse(&written.text()).unwrap(), written);
        }
    }
}
