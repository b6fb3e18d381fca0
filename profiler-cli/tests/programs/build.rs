//! Builds the programs in `source/`: a crate in a temporary folder, with a path dependency on the
//! library and the versions of this repository's lock file, so that nothing is downloaded.
//!
//! What was built stays in one target folder for all profiles and all runs of the tests. All
//! profiles are settings of `release` for an explicit target, so that macros are compiled once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

/// One build at a time: all of them put their programs in the same place.
static BUILDING: Mutex<()> = Mutex::new(());

const TARGET: &str = "x86_64-unknown-linux-gnu";

const MANIFEST: &str = r#"
[package]
name = "fixture"
edition = "2024"

[features]
asynchronous = ["dep:tokio"]
http = ["heaplens/http"]
next = []

[dependencies]
heaplens = { path = "@REPOSITORY@" }
inner = { path = "inner" }
tokio = { version = "1", features = ["macros", "rt-multi-thread"], optional = true }

[[bin]]
name = "asynchronous"
required-features = ["asynchronous"]

[[bin]]
name = "pod"
required-features = ["http"]

[[bin]]
name = "sessions"
required-features = ["http"]

[workspace]

# Of the programs only, so that the profiles can share what they depend on.
[profile.release.package."*"]
debug = false
"#;

const INNER_MANIFEST: &str = r#"
[package]
name = "inner"
edition = "2024"
"#;

const SOURCES: [(&str, &str); 11] = [
    ("asynchronous", include_str!("source/asynchronous.rs")),
    ("containers", include_str!("source/containers.rs")),
    ("fallible", include_str!("source/fallible.rs")),
    ("holders", include_str!("source/holders.rs")),
    ("keep", include_str!("source/keep.rs")),
    ("pod", include_str!("source/pod.rs")),
    ("pulse", include_str!("source/pulse.rs")),
    ("requests", include_str!("source/requests.rs")),
    ("service", include_str!("source/service.rs")),
    ("sessions", include_str!("source/sessions.rs")),
    ("widgets", include_str!("source/widgets.rs")),
];

/// How a program is built.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Profile {
    /// Settings of `[profile.release]`.
    pub(crate) settings: &'static [&'static str],
    pub(crate) rustflags: &'static str,
    pub(crate) features: &'static str,
}

/// `cargo build --release` with nothing set.
pub(crate) const PLAIN: Profile = Profile {
    settings: &[],
    rustflags: "",
    features: "",
};

/// With lines and inlined calls, as the command line recommends.
pub(crate) const LINES: Profile = Profile {
    settings: &["debug = 'line-tables-only'"],
    ..PLAIN
};

/// With optimization across all crates.
pub(crate) const FAT_LTO: Profile = Profile {
    settings: &[
        "lto = 'fat'",
        "codegen-units = 1",
        "debug = 'line-tables-only'",
    ],
    ..PLAIN
};

/// A program in a folder of its own.
pub(crate) struct Program {
    folder: TempDir,
    pub(crate) path: PathBuf,
}

impl Program {
    /// Builds one of the programs.
    pub(crate) fn build(name: &str, profile: &Profile) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join(name);
        cargo_build(name, profile, &path);
        Self { folder, path }
    }

    /// The folder that the program is in, and may be moved in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Puts a copy without any symbols in another folder. Nothing where there is no `strip`.
    pub(crate) fn stripped(&self) -> Option<Self> {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join(self.path.file_name().expect("a name"));
        let strip = Command::new("strip")
            .args(["--strip-all", "-o"])
            .args([&path, &self.path])
            .status();
        match strip {
            Ok(status) => assert!(status.success(), "strip {}", self.path.display()),
            Err(_) => {
                skip("strip, of binutils");
                return None;
            }
        }
        Some(Self { folder, path })
    }
}

/// Says what a test lacks; fails where skipping is not allowed.
pub(crate) fn skip(needs: &str) {
    let required = std::env::var_os("HEAPLENS_TEST_TOOLS").is_some_and(|set| set == "require");
    assert!(!required, "needs {needs}");
    println!("SKIPPED: needs {needs}");
}

fn source(name: &str) -> &'static str {
    let found = SOURCES.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no program {name}")).1
}

/// Line of a mark such as `[compose]` in a program's source.
pub(crate) fn line_of(name: &str, mark: &str) -> u32 {
    let mark = format!("// [{mark}]");
    let index = source(name).lines().position(|line| line.ends_with(&mark));
    index.expect("a mark of the source") as u32 + 1
}

pub(crate) fn repository() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("a workspace").to_owned()
}

fn cargo_build(name: &str, profile: &Profile, copy_to: &Path) {
    let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = TempDir::new().expect("a temporary folder");
    write_crate(folder.path());
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--offline", "--quiet", "--release"])
        .args(["--target", TARGET, "--bin", name])
        .args(["--features", profile.features])
        .current_dir(folder.path());
    for setting in profile.settings {
        cargo.args(["--config", &format!("profile.release.{setting}")]);
    }
    // What the tests themselves are built with is no setting of these programs.
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        if name.starts_with("CARGO_PROFILE_")
            || name.starts_with("CARGO_BUILD_")
            || name.ends_with("RUSTFLAGS")
        {
            cargo.env_remove(&key);
        }
    }
    cargo
        .env("CARGO_TARGET_DIR", &target_dir)
        .env("RUSTFLAGS", profile.rustflags);
    let output = cargo.output().expect("cargo starts");
    assert!(
        output.status.success(),
        "{profile:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let built = target_dir.join(TARGET).join("release").join(name);
    fs::copy(built, copy_to).expect("copying the program");
}

fn write_crate(folder: &Path) {
    let repository = repository();
    let manifest = MANIFEST.replace("@REPOSITORY@", repository.to_str().expect("UTF-8"));
    let mut files = vec![
        ("Cargo.toml".into(), manifest),
        ("inner/Cargo.toml".into(), INNER_MANIFEST.into()),
        (
            "inner/src/lib.rs".into(),
            include_str!("source/inner.rs").into(),
        ),
    ];
    for (name, source) in SOURCES {
        files.push((format!("src/bin/{name}.rs"), source.into()));
    }
    // As old as this program, which they are a part of: cargo then builds only what has changed.
    let this_program = std::env::current_exe().and_then(fs::metadata);
    let built = this_program.and_then(|data| data.modified());
    let built = built.expect("a time of modification");
    for (path, content) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("making a folder");
        fs::write(&path, content).expect("writing a file");
        let file = File::options().write(true).open(&path).expect("the file");
        file.set_modified(built).expect("setting a time");
    }
    fs::copy(repository.join("Cargo.lock"), folder.join("Cargo.lock"))
        .expect("copying the versions that are here");
}
