//! Texts that people write: budgets, baselines, suppressions, and lists of inputs.

use heaplens_cli::analysis::gate::baseline::Baseline;
use heaplens_cli::analysis::gate::budget::Budget;
use heaplens_cli::analysis::gate::measure::Quantity;
use heaplens_cli::analysis::gate::suppressions::Suppressions;
use heaplens_cli::analysis::gate::text::TextError;
use heaplens_cli::input::text::{listed, text_of};

use super::memory::within;

/// A text takes room in proportion to what is there: most of it a table for each key.
const ROOM: u64 = 1 << 20;
const ROOM_OF_A_BYTE: u64 = 1 << 10;

/// Most patterns whose limits are looked up.
const PATTERNS: usize = 64;

/// Reads a text as each of the files that it may be.
pub fn texts(data: &[u8]) {
    let bound = ROOM + ROOM_OF_A_BYTE * data.len() as u64;
    let Ok(text) = within(bound, || text_of(data)) else {
        return;
    };
    within(bound, || budget(&text));
    within(bound, || baseline(&text));
    if let Err(error) = Suppressions::default().add(&text) {
        is_at_a_place(&error, &text);
    }
    for line in listed(&text).unwrap_or_default() {
        assert!(!line.is_empty() && !line.starts_with(['#', '@']), "{line}");
    }
}

fn budget(text: &str) {
    let budget = match Budget::parse(text) {
        Ok(budget) => budget,
        Err(error) => return is_at_a_place(&error, text),
    };
    assert!((0.0..=10.0).contains(&budget.tolerance()));
    if let Err(error) = budget.refuse_unknown_packages(text, &["shop"]) {
        is_at_a_place(&error, text);
    }
    for package in ["shop", "other"] {
        let package = budget.of(package);
        for (pattern, limits) in package.owners.iter().take(PATTERNS) {
            // What a pattern tells is a part of each name that it matches.
            let name = pattern.text().replace('*', "");
            assert!(pattern.matches(&name), "{name:?}");
            for quantity in Quantity::ALL {
                let own = limits.of(quantity);
                let limit = package.of_owner(&name, quantity);
                let telling = limit.map(|(best, ..)| best.telling());
                assert!(
                    own.is_none() || telling >= Some(pattern.telling()),
                    "{name:?}"
                );
            }
        }
    }
}

/// What was read is written, and read again: as it was, but for tenths of a byte.
fn baseline(text: &str) {
    let baseline = match Baseline::parse(text) {
        Ok(baseline) => baseline,
        Err(error) => return is_at_a_place(&error, text),
    };
    let written = baseline.text();
    let again = Baseline::parse(&written).expect("what is written can be read");
    assert_eq!(again.text(), written);
    for (name, program) in &baseline.program {
        assert_eq!(again.program[name].work, program.work);
        // Nothing goes up against itself.
        assert_eq!(program.lowered(program.clone()), (program.clone(), 0));
        assert_eq!(program.of_both(program.clone()), *program);
        for quantity in Quantity::ALL {
            let amount = program.amount(None, quantity);
            assert!(amount.is_none_or(|amount| amount.value >= 0.0 && amount.variance >= 0.0));
        }
    }
}

fn is_at_a_place(error: &TextError, text: &str) {
    assert!(error.line >= 1 && error.line <= text.matches('\n').count() + 1);
    let line = text.split('\n').nth(error.line - 1).unwrap_or_default();
    assert!(error.column >= 1 && error.column <= line.chars().count() + 1);
    assert!(!error.what.is_empty());
}
