//! Holds the runbook and `examples/operations` to the code that they speak of: metrics, headings, files
//! and the places of the review list. What outside programs read is checked by its `check.sh`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All text of the Rust files in a folder and those below it.
fn code_in(folder: &Path) -> String {
    let entries = fs::read_dir(folder).expect("a folder of this repository");
    let paths = entries.map(|entry| entry.expect("an entry of it").path());
    paths
        .map(|path| match path.is_dir() {
            true => code_in(&path),
            false => read(path),
        })
        .collect()
}

/// Words of a text that begin so, as far as names of metrics reach.
fn names<'a>(text: &'a str, beginning: &str) -> BTreeSet<&'a str> {
    let starts = text.match_indices(beginning).map(|(at, _)| at);
    starts
        .filter(|&at| !text[..at].ends_with(is_name))
        .map(|at| {
            let rest = &text[at..];
            &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())]
        })
        .collect()
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What GitHub makes of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    kept.chars()
        .filter(|&c| is_name(c) || c == ' ' || c == '-')
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn anchors_of_the_runbook() -> BTreeSet<String> {
    let text = read("docs/runbook.md");
    let headings = text.lines().filter(|line| line.starts_with("##"));
    headings
        .map(|line| anchor(line.trim_start_matches('#').trim_start()))
        .collect()
}

#[test]
fn every_metric_that_is_asked_for_is_served() {
    let source = code_in(&root().join("src/control/http"));
    let served: BTreeSet<&str> = source
        .match_indices("\"heaplens_")
        .filter_map(|(at, _)| source[at + 1..].split('"').next())
        .collect();
    for file in [
        "examples/operations/prometheus/rules.yml",
        "examples/operations/prometheus/rules_test.yml",
        "examples/operations/prometheus/rules_days_test.yml",
        "examples/operations/grafana/dashboard.json",
    ] {
        let text = read(file);
        let asked = names(&text, "heaplens_");
        assert!(asked.len() >= 3, "{file}: {asked:?}");
        for name in asked {
            let family = name.trim_end_matches("_total");
            assert!(served.contains(family), "{file} asks for {name}");
        }
    }
}

#[test]
fn every_alert_leads_into_the_runbook() {
    let rules = read("examples/operations/prometheus/rules.yml");
    let runbook = read("docs/runbook.md");
    let anchors = anchors_of_the_runbook();
    let alerts: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    let links: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("runbook: \"docs/runbook.md#"))
        .collect();
    assert!(
        alerts.len() >= 5 && alerts.len() == links.len(),
        "{alerts:?}"
    );
    for link in links {
        assert!(anchors.contains(link.trim_end_matches('"')), "{link}");
    }
    for alert in alerts {
        assert!(runbook.contains(&format!("`{alert}`")), "{alert}");
    }
}

#[test]
fn links_of_the_runbook_and_the_table_of_files_lead_somewhere() {
    let anchors = anchors_of_the_runbook();
    for (file, folder) in [
        ("docs/runbook.md", "docs"),
        ("examples/operations/README.md", "examples/operations"),
    ] {
        let text = read(file);
        let links: Vec<&str> = text
            .match_indices("](")
            .filter_map(|(at, _)| text[at + 2..].split(')').next())
            .collect();
        assert!(!links.is_empty());
        for link in links {
            match link.strip_prefix('#') {
                Some(anchor) => assert!(anchors.contains(anchor), "{file}: {link}"),
                None => assert!(root().join(folder).join(link).exists(), "{file}: {link}"),
            }
        }
    }
    let table = read("examples/operations/README.md");
    let folder = root().join("examples/operations");
    let files = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .flat_map(|line| quoted(line).filter(|file| file.contains('/')));
    for file in files {
        assert!(folder.join(file).exists(), "{file}");
    }
    for entry in fs::read_dir(&folder).expect("the folder") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy();
        assert!(
            name == "README.md" || table.contains(&*name),
            "{name} is not in the table"
        );
    }
}

/// What stands between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn the_review_list_speaks_of_places_that_there_are() {
    let runbook = read("docs/runbook.md");
    let list = runbook
        .split("## Review list")
        .nth(1)
        .expect("the runbook ends with it");
    let mut rows = 0;
    for row in list.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let place = row.split('|').nth(2).expect("three columns");
        let mut words = quoted(place);
        let file = words.next().unwrap_or_else(|| panic!("no file in {row}"));
        let code = read(Path::new("examples/widget").join(file));
        let mut items = 0;
        for item in words {
            assert!(names(&code, item).contains(item), "no {item} in {file}");
            items += 1;
        }
        assert!(items > 0, "no place in {row}");
        rows += 1;
    }
    assert!(rows >= 10, "{rows} rows");
}
