use super::*;
use crate::snapshot::examples::small;
use crate::snapshot::{SymbolSource, Symbols};

/// What `validate` says of the example after `change`.
fn problem_after(change: impl FnOnce(&mut Snapshot)) -> String {
    let mut snapshot = small();
    validate(&snapshot).expect("the example is valid");
    change(&mut snapshot);
    validate(&snapshot)
        .expect_err("the change is not")
        .to_string()
}

#[test]
fn columns_have_one_length() {
    assert_eq!(
        problem_after(|s| s.stacks.module.push(0)),
        "stacks.module has 4 rows, but stacks.parent has 3"
    );
    assert!(
        problem_after(|s| {
            s.stacks.address.pop();
        })
        .starts_with("stacks.address has 2")
    );
    assert!(problem_after(|s| s.sites.live_bytes.clear()).starts_with("sites.live_bytes has 0"));
    assert!(problem_after(|s| s.sites.live_count.push(1)).starts_with("sites.live_count has 3"));
    assert!(problem_after(|s| s.sites.total_bytes.push(1)).starts_with("sites.total_bytes"));
    assert!(problem_after(|s| s.sites.total_count.push(1)).starts_with("sites.total_count"));
    assert!(problem_after(|s| s.sites.live_samples.push(1)).starts_with("sites.live_samples"));
    assert!(
        problem_after(|s| s.sites.ages.live_bytes[3].push(1))
            .starts_with("sites.ages.live_bytes has 3 rows")
    );
}

#[test]
fn parents_stand_before_their_children() {
    for parent in [1, 2, i64::MAX, -2, i64::MIN] {
        let problem = problem_after(|s| s.stacks.parent[1] = parent);
        let expected = format!("stacks.parent[1] is {parent}, but a parent");
        assert!(problem.starts_with(&expected), "{problem}");
    }
}

#[test]
fn indices_are_in_range() {
    assert_eq!(
        problem_after(|s| s.stacks.module[2] = 2),
        "stacks.module[2] is 2, but modules has 2 rows"
    );
    assert_eq!(
        problem_after(|s| s.sites.stack[1] = 3),
        "sites.stack[1] is 3, but stacks has 3 rows"
    );
    assert_eq!(
        problem_after(|s| s.modules.clear()),
        "stacks.module[0] is 1, but modules has 0 rows"
    );
}

#[test]
fn ages_have_a_class_more_than_bounds() {
    assert_eq!(
        problem_after(|s| {
            s.sites.ages.live_bytes.pop();
        }),
        "sites.ages.live_bytes has 5 classes, but 5 bounds make 6"
    );
    assert_eq!(
        problem_after(|s| s.sites.ages.bounds_seconds[2] = 300),
        "sites.ages.bounds_seconds[2] is not above the bound before it"
    );
}

#[test]
fn sums_do_not_overflow() {
    assert_eq!(
        problem_after(|s| s.sites.live_bytes = vec![1, i64::MIN]),
        "sites.live_bytes[1] brings the column's sum to 2^62 or more"
    );
    assert!(problem_after(|s| s.sites.total_bytes = vec![u64::MAX, u64::MAX]).contains("[0]"));
    assert!(problem_after(|s| s.sites.live_count = vec![1 << 61, -(1 << 61)]).contains("[1]"));
    assert_eq!(
        problem_after(|s| s.header.totals.total_count = u64::MAX),
        "header.totals.total_count is 2^62 or more"
    );
}

#[test]
fn variances_are_numbers_from_zero() {
    for value in [-1.0, f64::NAN, f64::INFINITY] {
        let problem = problem_after(|s| s.sites.live_bytes_variance = vec![0.0, value]);
        let expected = format!("sites.live_bytes_variance[1] is {value}, but");
        assert!(problem.starts_with(&expected), "{problem}");
    }
}

fn with_symbols(change: impl FnOnce(&mut Symbols)) -> Result<(), Invalid> {
    let mut symbols = Symbols {
        strings: vec!["main".to_owned(), "src/main.rs".to_owned()],
        function: vec![0],
        file: vec![1],
        line: vec![3],
        inlined: vec![false],
        generics: vec![-1],
        first_frame: vec![0, 1, 1, 2],
        frame: vec![0, 0],
        sources: vec![SymbolSource::Missing, SymbolSource::DebugInfo],
    };
    change(&mut symbols);
    validate(&Snapshot {
        symbols: Some(symbols),
        ..small()
    })
}

#[test]
fn symbols_have_their_shape() {
    assert_eq!(with_symbols(|_| ()), Ok(()));
    let problem = |change: fn(&mut Symbols)| {
        with_symbols(change)
            .expect_err("the change is not valid")
            .to_string()
    };
    assert!(problem(|s| s.function[0] = 2).starts_with("symbols.function[0] is 2"));
    assert!(problem(|s| s.file[0] = -2).starts_with("symbols.file[0] is -2"));
    assert!(problem(|s| s.file[0] = 2).starts_with("symbols.file[0] is 2"));
    assert!(problem(|s| s.line.clear()).starts_with("symbols.line has 0 rows"));
    assert!(problem(|s| s.inlined.clear()).starts_with("symbols.inlined has 0 rows"));
    assert!(problem(|s| s.generics[0] = 2).starts_with("symbols.generics[0] is 2"));
    assert!(problem(|s| s.generics.push(0)).starts_with("symbols.generics has 2 rows"));
    assert_eq!(with_symbols(|s| s.generics.clear()), Ok(()));
    assert!(problem(|s| s.frame[1] = 1).starts_with("symbols.frame[1] is 1"));
    assert!(problem(|s| s.first_frame.clear()).starts_with("symbols.first_frame has 0 rows"));
    assert!(problem(|s| s.first_frame[0] = 1).starts_with("symbols.first_frame[0] is 1"));
    assert!(problem(|s| s.first_frame[1] = 2).starts_with("symbols.first_frame[2] is below"));
    assert!(problem(|s| s.first_frame[3] = 1).starts_with("symbols.first_frame[3] is 1"));
    assert!(problem(|s| s.sources.clear()).starts_with("symbols.sources has 0 rows"));
}
