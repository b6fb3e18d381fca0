//! Where programs write what they leave behind: a folder below `target`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The folder for everything that a program writes. cargo tells where the package is; without it, the
/// working directory must do.
pub fn folder(name: &str) -> PathBuf {
    let repository = std::env::var_os("CARGO_MANIFEST_DIR")
        .and_then(|package| Some(PathBuf::from(package).parent()?.to_owned()))
        .unwrap_or_default();
    repository.join("target").join(name)
}

/// Makes the folder and removes the snapshots of an earlier run from it, and nothing else.
pub fn clean(folder: &Path) -> Result<PathBuf, String> {
    let explain = |error| format!("cannot prepare {}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(explain)?;
    for entry in std::fs::read_dir(folder).map_err(explain)? {
        let entry = entry.map_err(explain)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("heaplens.") && name.ends_with(".json.gz") {
            match std::fs::remove_file(entry.path()) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(explain(error)),
                _ => {}
            }
        }
    }
    Ok(folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning_removes_snapshots_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("notes.json.gz");
        std::fs::write(&kept, "mine").unwrap();
        std::fs::write(folder.path().join("heaplens.incident.1.json.gz"), "old").unwrap();
        clean(folder.path()).unwrap();
        let left: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(left, [kept]);
    }
}
