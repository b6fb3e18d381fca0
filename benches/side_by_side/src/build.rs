//! Builds the contender: once for each allocator, with Cargo, next to this program's own files.

use crate::contenders::Program;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Executables by the [`Program`] that they are, as it is displayed.
#[derive(Debug, Default)]
pub(crate) struct Programs(BTreeMap<String, PathBuf>);

impl Programs {
    pub(crate) fn has(&self, program: Program) -> bool {
        self.0.contains_key(&program.to_string())
    }

    /// The executable of a program that was built.
    pub(crate) fn path(&self, program: Program) -> &Path {
        &self.0[&program.to_string()]
    }
}

/// Builds all of them, or says which one cannot be built. The compiler's own messages go to stderr.
///
/// heapscope's manifest asks for a newer Rust, so that it may fail to build on any day: it is left
/// out then, unless contenders were `named` one by one.
pub(crate) fn build_all(wanted: Vec<Program>, named: bool) -> Result<Programs, String> {
    let mut programs = Programs::default();
    for program in wanted {
        eprintln!("building {program}");
        match build(program) {
            Ok(path) => {
                programs.0.insert(program.to_string(), path);
            }
            Err(error) if is_heapscope(program) && !named => eprintln!("left out: {error}"),
            Err(error) => return Err(error),
        }
    }
    Ok(programs)
}

fn is_heapscope(program: Program) -> bool {
    program.features.contains("heapscope")
}

fn build(program: Program) -> Result<PathBuf, String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Frame pointers are for all crates, so they have a folder of their own.
    let target = manifest.join("target").join(match program.frame_pointers {
        false => "contenders",
        true => "contenders-frame-pointers",
    });
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args([
            "rustc",
            "--quiet",
            "--release",
            "--locked",
            "--package",
            "contender",
        ])
        .args(["--bin", "contender", "--features", program.features])
        .arg("--manifest-path")
        .arg(manifest.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target);
    // What somebody has set for builds of their own must not leak into the results.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.ends_with("RUSTFLAGS") || text.starts_with("CARGO_PROFILE_") {
            cargo.env_remove(&name);
        }
    }
    if program.frame_pointers {
        cargo.env("RUSTFLAGS", "-C force-frame-pointers=yes");
    }
    if is_heapscope(program) {
        cargo.arg("--ignore-rust-version");
    }
    if program.layout > 0 {
        // Known to LLD, which is Rust's own linker on this platform.
        let shuffle = format!("link-arg=-Wl,--shuffle-sections=.text*={}", program.layout);
        cargo.args(["--", "-C", &shuffle]);
    }
    let status = cargo
        .status()
        .map_err(|error| format!("cannot run cargo to build {program}: {error}"))?;
    if !status.success() {
        return Err(format!(
            "{program} cannot be built ({status}); cargo says why above"
        ));
    }
    // The next build puts its own program in the same place.
    let path = target.join(format!("contender {program}"));
    fs::copy(target.join("release/contender"), &path)
        .map_err(|error| format!("cannot copy the program to {}: {error}", path.display()))?;
    Ok(path)
}
