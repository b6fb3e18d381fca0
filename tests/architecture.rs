//! Holds the code to the floors and invariants that `src/README.md` states.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Module name to floor, and whether it may hold unsafe code.
fn floors() -> BTreeMap<String, (u32, bool)> {
    let text = fs::read_to_string(root().join("src/README.md")).unwrap();
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, floor, module, _, may_be_unsafe, _] = cells[..] else {
            return None;
        };
        let floor = floor.parse().ok()?;
        Some((
            module.trim_matches('`').to_owned(),
            (floor, may_be_unsafe == "yes"),
        ))
    });
    rows.collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// A file's lines without comments and without its unit tests.
fn code(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap();
    text.lines()
        .map(|line| line.split("//").next().unwrap().to_owned())
        .collect()
}

/// Module files under `src/`, with the module that each belongs to. Unit tests in files of their
/// own are left out: they may reach for anything.
fn modules() -> Vec<(String, PathBuf)> {
    let src = root().join("src");
    rust_files(&src)
        .into_iter()
        .filter(|path| {
            let inside = path.strip_prefix(&src).unwrap().with_extension("");
            inside.iter().all(|part| part != "tests")
        })
        .filter_map(|path| {
            let inside = path.strip_prefix(&src).unwrap();
            let first = inside.iter().next().unwrap().to_str().unwrap();
            let module = first.trim_end_matches(".rs").to_owned();
            (module != "lib").then_some((module, path))
        })
        .collect()
}

/// Names of modules that a line refers to by a path from the crate's root.
fn references(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("crate::").map(|(at, prefix)| {
        let rest = &line[at + prefix.len()..];
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        &rest[..end]
    })
}

#[test]
fn every_module_has_a_floor() {
    let floors = floors();
    assert!(floors.len() >= 8, "no table of floors in src/README.md");
    for (module, path) in modules() {
        assert!(
            floors.contains_key(&module),
            "{} has no floor",
            path.display()
        );
    }
}

#[test]
fn no_arrow_runs_up() {
    let floors = floors();
    let mut arrows = 0;
    for (module, path) in modules() {
        let (floor, _) = floors[&module];
        for line in code(&path) {
            for target in references(&line) {
                let Some((below, _)) = floors.get(target) else {
                    continue;
                };
                arrows += usize::from(target != module);
                assert!(
                    target == module || *below < floor,
                    "{}: `{module}` (floor {floor}) uses `{target}` (floor {below}): {line}",
                    path.display()
                );
            }
        }
    }
    assert!(
        arrows > 20,
        "only {arrows} uses found: the reader of this test is broken"
    );
}

#[test]
fn unsafe_code_is_where_it_is_said_to_be() {
    let floors = floors();
    for (module, path) in modules() {
        if floors[&module].1 {
            continue;
        }
        for line in code(&path) {
            assert!(!line.contains("unsafe"), "{}: {line}", path.display());
        }
    }
}

#[test]
fn the_hook_knows_no_locks_no_cells_and_no_output() {
    let floors = floors();
    let banned = [
        "parking_lot",
        "once_cell",
        "OnceLock",
        "LazyLock",
        "std::sync::Mutex",
        "std::sync::RwLock",
        "println!",
        "eprintln!",
        "std::fs",
        "std::io",
        "_Unwind_Backtrace",
        "backtrace::",
        "dladdr",
        "dlsym",
    ];
    let hook = modules()
        .into_iter()
        .filter(|(module, _)| (1..=6).contains(&floors[module].0));
    let mut files = 0;
    for (_, path) in hook {
        files += 1;
        for line in code(&path) {
            for name in banned {
                assert!(!line.contains(name), "{}: {line}", path.display());
            }
        }
    }
    assert!(files > 15, "only {files} files of the hook found");
}

/// inferno is CDDL-1.0: the command line may draw with it, the library must never bring it along.
#[test]
fn the_library_never_depends_on_inferno() {
    let tree = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO"))
            .args([
                "tree",
                "--offline",
                "--locked",
                "--edges",
                "normal,build",
                "--prefix",
                "none",
            ])
            .args(arguments)
            .current_dir(root())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let library = tree(&["--package", "heaplens", "--all-features"]);
    assert!(
        library.contains("serde_json"),
        "not a tree of dependencies: {library}"
    );
    assert!(!library.contains("inferno"), "{library}");
    assert!(tree(&["--package", "heaplens-cli"]).contains("inferno"));
}
