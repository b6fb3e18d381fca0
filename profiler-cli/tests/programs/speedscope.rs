//! speedscope itself, of npm, in a browser: it takes our files, and shows our numbers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use heaplens::snapshot::*;
use tempfile::tempdir;

use crate::build::skip;
use crate::run::{args, heaplens};

const VERSION: &str = "1.25.0";

/// Its page, installed once; `None` without npm.
fn page() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("speedscope-{VERSION}"));
    let page = folder.join("node_modules/speedscope/dist/release/index.html");
    if page.exists() {
        return Some(page);
    }
    let install = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--ignore-scripts"])
        .arg("--prefix")
        .arg(&folder)
        .arg(format!("speedscope@{VERSION}"))
        .output();
    let Ok(output) = install else {
        skip("npm");
        return None;
    };
    assert!(output.status.success(), "{output:?}");
    Some(page)
}

/// The document when its page has loaded a file, as its own command line has it do that; `None`
/// without a browser.
fn loaded(page: &Path, content: &str) -> Option<String> {
    let folder = tempdir().expect("a temporary folder");
    let script = folder.path().join("load.js");
    let call = format!(
        "speedscope.loadFileFromBase64('a.speedscope.json', btoa({}))",
        serde_json::to_string(content).expect("a text")
    );
    fs::write(&script, call).expect("writing a file");
    let browser = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--enable-unsafe-swiftshader",
            "--allow-file-access-from-files",
            "--virtual-time-budget=5000",
            "--dump-dom",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg(format!(
            "file://{}#localProfilePath={}",
            page.display(),
            script.display()
        ))
        .stderr(Stdio::null())
        .output();
    let Ok(output) = browser else {
        skip("chromium");
        return None;
    };
    assert!(output.status.success(), "chromium: {}", output.status);
    Some(String::from_utf8(output.stdout).expect("UTF-8"))
}

/// Two stacks, one of them with a hostile name.
fn snapshot(path: &Path) {
    let module = |path: &str| Module {
        path: path.to_owned(),
        ..Module::default()
    };
    let mut snapshot = Snapshot {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        header: Header::default(),
        modules: vec![module("[special]"), module("/srv/shop")],
        stacks: Stacks {
            parent: vec![-1, 0, 0],
            module: vec![1; 3],
            address: vec![1, 2, 3],
        },
        sites: Sites {
            stack: vec![1, 2],
            live_bytes: vec![3_000_000, 1_000_000],
            live_count: vec![40, 2],
            total_bytes: vec![7_000_000, 2_000_000],
            total_count: vec![80, 4],
            ..Sites::default()
        },
        graph: None,
        symbols: Some(Symbols {
            strings: [
                "shop::main",
                "shop::keep",
                "</script><img src=x onerror=alert(1)>",
            ]
            .map(str::to_owned)
            .into(),
            function: vec![0, 1, 2],
            file: vec![-1; 3],
            line: vec![0; 3],
            inlined: vec![false; 3],
            first_frame: vec![0, 1, 2, 3],
            frame: vec![0, 1, 2],
            sources: vec![SymbolSource::Missing, SymbolSource::SymbolTable],
            ..Symbols::default()
        }),
        complete: true,
    };
    snapshot.header.recorder.mode = RecorderMode::Exact;
    write(&snapshot, fs::File::create(path).expect("a new file")).expect("a snapshot");
}

#[test]
fn it_takes_our_files() {
    let Some(page) = page() else {
        return;
    };
    let folder = tempdir().expect("a temporary folder");
    let [file, exported] = ["a.json.gz", "a.speedscope.json"].map(|name| folder.path().join(name));
    snapshot(&file);
    let output = heaplens(args!["export", file, "-o", exported]);
    assert!(output.status.success(), "{output:?}");
    let content = fs::read_to_string(&exported).expect("a file");

    // That it complains of what is wrong is noticed, or the rest of this would say nothing.
    let Some(document) = loaded(&page, &content.replacen("\"samples\"", "\"simples\"", 1)) else {
        return;
    };
    assert!(document.contains("Something went wrong"), "{document}");

    let document = loaded(&page, &content).expect("there was a browser just now");
    assert!(!document.contains("Something went wrong"), "{document}");
    for shown in [
        "live bytes",
        "3.81 MB",
        "live blocks",
        "42",
        "bytes ever allocated",
        "8.58 MB",
    ] {
        assert!(document.contains(shown), "{shown}: {document}");
    }
    assert!(!document.contains("<img src=\"x\""), "{document}");
}
