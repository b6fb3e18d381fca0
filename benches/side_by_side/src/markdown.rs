//! The results for the docs: put between two marks of a page whose words are written by hand.

use crate::bounds::Verdict;
use crate::machine::Machine;
use crate::results::Lines;
use crate::table;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const BEGIN: &str = "<!-- results: begin -->\n";
const END: &str = "<!-- results: end -->\n";

/// Whether the file can take results, to be known before hours of measuring.
pub(crate) fn check(file: &Path) -> Result<(), String> {
    read(file).and_then(|page| split(&page, file).map(drop))
}

/// Replaces what lies between the marks.
pub(crate) fn update(
    file: &Path,
    machine: &Machine,
    lines: &Lines,
    verdicts: &[Verdict],
) -> Result<(), String> {
    let page = read(file)?;
    let (before, after) = split(&page, file)?;
    let results = render(machine, lines, verdicts);
    crate::write(file, &format!("{before}{BEGIN}\n{results}\n{END}{after}"))
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}

/// What stands before and after the marks.
fn split<'a>(page: &'a str, file: &Path) -> Result<(&'a str, &'a str), String> {
    page.split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)))
        .ok_or_else(|| {
            let (begin, end) = (BEGIN.trim_end(), END.trim_end());
            format!("{} has no lines {begin:?} and {end:?}", file.display())
        })
}

fn render(machine: &Machine, lines: &Lines, verdicts: &[Verdict]) -> String {
    let mut text = format!("{machine}.\n");
    if !verdicts.is_empty() {
        text.push_str("\n### Bounds\n\n");
        let rows: Vec<_> = verdicts.iter().map(table::verdict).collect();
        columns(&mut text, &table::VERDICT_HEAD, &rows);
    }
    for workload in lines.workloads() {
        write!(text, "\n### {}\n\n", table::title(workload)).expect("a string takes every text");
        let rows: Vec<_> = table::of_workload(lines, workload)
            .map(|line| table::row(lines, line))
            .collect();
        columns(&mut text, &table::HEAD, &rows);
    }
    text
}

fn columns<const N: usize>(text: &mut String, head: &[&str; N], rows: &[[String; N]]) {
    let mut print = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<String> = cells.map(|cell| cell.replace('|', "\\|")).collect();
        writeln!(text, "| {} |", cells.join(" | ")).expect("a string takes every text");
    };
    print(&mut head.iter().copied());
    print(&mut std::iter::repeat_n("---", N));
    for row in rows {
        print(&mut row.iter().map(String::as_str));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::line;
    use measure::Workload;

    #[test]
    fn only_what_lies_between_the_marks_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("page.md");
        fs::write(&file, format!("# Words\n{BEGIN}old\n{END}more words\n")).unwrap();
        let lines = Lines(vec![line(Workload::Json, "dhat", "system", &[30.0; 15])]);
        check(&file).unwrap();
        for _ in 0..2 {
            update(&file, &Machine::describe(), &lines, &[]).unwrap();
            let page = fs::read_to_string(&file).unwrap();
            assert!(page.starts_with("# Words\n") && page.ends_with("more words\n"));
            assert!(!page.contains("old\n"));
            assert_eq!(
                page.matches("| dhat | system | 30.00 s | 30 |").count(),
                1,
                "{page}"
            );
        }
    }

    #[test]
    fn a_page_without_marks_is_refused_before_it_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("page.md");
        assert!(check(&file).unwrap_err().contains("cannot read"));
        fs::write(&file, BEGIN).unwrap();
        assert!(check(&file).unwrap_err().contains("results: end"));
    }
}
