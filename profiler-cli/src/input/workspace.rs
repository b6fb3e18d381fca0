//! The cargo workspace around the current folder: which crates are the user's own, in builds whose
//! names do not tell.
//!
//! Whether it is the workspace of a profiled program is not decided here: see
//! [`Workspace::programs`].

use std::env;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::profile::owner::Workspace;

/// The part of `cargo metadata` that is of interest.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Asks cargo; empty outside of a workspace, and where cargo has no answer.
pub fn current() -> Workspace {
    ask_cargo().unwrap_or_default()
}

fn ask_cargo() -> Option<Workspace> {
    let folder = env::current_dir().ok()?;
    // Without a manifest there is nothing to ask, and cargo need not be started.
    folder
        .ancestors()
        .find(|folder| folder.join("Cargo.toml").is_file())?;
    let output = Command::new("cargo")
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(read(&serde_json::from_slice(&output.stdout).ok()?))
}

fn read(metadata: &Metadata) -> Workspace {
    let name = |target: &Target| target.name.replace('-', "_");
    let mut workspace = Workspace::default();
    for package in &metadata.packages {
        for target in &package.targets {
            let is = |kinds: &[&str]| target.kind.iter().any(|kind| kinds.contains(&&**kind));
            if is(&["bin", "example", "test", "bench"]) {
                workspace.programs.push(name(target));
                workspace.packages.push(package.name.clone());
            }
            if !is(&["custom-build"]) {
                workspace.crates.push(name(target));
            }
        }
    }
    workspace
}
