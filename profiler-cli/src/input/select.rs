//! Files and patterns to files.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// The files that `patterns` name, in their order; those of one glob sorted by name. A file whose
/// name looks like a glob is that file.
///
/// # Errors
///
/// A glob that is malformed, that matches nothing, or that matches a folder which cannot be read.
pub fn expand<P: AsRef<Path>>(
    patterns: impl IntoIterator<Item = P>,
) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for pattern in patterns {
        let path = pattern.as_ref();
        match path.to_str() {
            Some(glob) if glob.contains(['*', '?', '[']) && !path.exists() => {
                let before = files.len();
                let matches = glob::glob(glob)
                    .map_err(|error| Error::input(path, format!("not a pattern: {}", error.msg)))?;
                for file in matches {
                    let file = file.map_err(|error| Error::input(error.path(), error.error()))?;
                    if !file.is_dir() {
                        files.push(file);
                    }
                }
                if files.len() == before {
                    return Err(Error::input(path, "no file matches this pattern"));
                }
            }
            _ => files.push(path.to_owned()),
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_are_sorted_and_plain_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.gz", "a.gz", "c.txt", "[x].gz"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let at = |name: &str| folder.path().join(name);
        assert_eq!(
            expand([at("?.gz"), at("c.txt")]).unwrap(),
            [at("a.gz"), at("b.gz"), at("c.txt")]
        );
        assert_eq!(expand([at("[x].gz")]).unwrap(), [at("[x].gz")]);
        assert_eq!(expand([at("absent")]).unwrap(), [at("absent")]);
    }

    #[test]
    fn patterns_without_a_match_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let error = expand([folder.path().join("*.gz")])
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("*.gz: no file matches this pattern"),
            "{error}"
        );
        let error = expand(["a/[b"]).unwrap_err().to_string();
        assert!(error.starts_with("a/[b: not a pattern: "), "{error}");
    }
}
