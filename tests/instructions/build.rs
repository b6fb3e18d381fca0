//! Builds the programs in `source/` as users build theirs: a crate in a temporary folder, in release
//! mode, with the versions of this repository's lock file, so that nothing is downloaded.
//!
//! The target folder stays for all runs, and is that of the command line's tests, which build the
//! library in the same way: so that is done once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use tempfile::TempDir;

/// One build at a time: all of them put their programs in the same place.
static BUILDING: Mutex<()> = Mutex::new(());

const TARGET: &str = "x86_64-unknown-linux-gnu";

const MANIFEST: &str = r#"
[package]
name = "instructions"
edition = "2024"

[dependencies]
heaplens = { path = "@REPOSITORY@" }

[workspace]

[profile.release.package."*"]
debug = false
"#;

const SOURCES: [(&str, &str); 3] = [
    ("src/pairs.rs", include_str!("source/pairs.rs")),
    (
        "src/bin/forwarding.rs",
        include_str!("source/forwarding.rs"),
    ),
    ("src/bin/profiled.rs", include_str!("source/profiled.rs")),
];

/// All of them, in a folder of their own.
pub(crate) struct Programs {
    folder: TempDir,
}

impl Programs {
    pub(crate) fn build() -> Self {
        let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = TempDir::new().expect("a temporary folder");
        let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
        write_crate(folder.path());
        let mut cargo = Command::new(env!("CARGO"));
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
        let output = cargo
            .args(["build", "--offline", "--quiet", "--release", "--bins"])
            .args(["--target", TARGET])
            .current_dir(folder.path())
            .env("CARGO_TARGET_DIR", &target_dir)
            .env("RUSTFLAGS", "")
            .output()
            .expect("cargo starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        for name in ["forwarding", "profiled"] {
            let built = target_dir.join(TARGET).join("release").join(name);
            fs::copy(built, folder.path().join(name)).expect("copying the program");
        }
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn write_crate(folder: &Path) {
    let repository = env!("CARGO_MANIFEST_DIR");
    let manifest = MANIFEST.replace("@REPOSITORY@", repository);
    fs::create_dir_all(folder.join("src/bin")).expect("making a folder");
    fs::write(folder.join("Cargo.toml"), manifest).expect("writing a file");
    for (path, source) in SOURCES {
        fs::write(folder.join(path), source).expect("writing a file");
    }
    fs::copy(
        Path::new(repository).join("Cargo.lock"),
        folder.join("Cargo.lock"),
    )
    .expect("copying the versions that are here");
}
