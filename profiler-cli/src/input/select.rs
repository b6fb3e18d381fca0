//! What the user names to inputs: files, patterns, lists and URLs.

use std::io;
use std::path::{Path, PathBuf};

use super::http::is_url;
use super::text::{listed, read_text, text_of};
use crate::error::Error;

/// The inputs that `patterns` name, in their order: a URL is one; of a glob its files, sorted by name; of
/// `@FILE` the files, globs and URLs in that file (`@-`: on the standard input), one a line, without those
/// after a `#`. A file whose name looks like a glob or a list is that file.
///
/// # Errors
///
/// A glob that is malformed, that matches nothing, or that matches a folder which cannot be read; a list
/// that cannot be read, or that names nothing.
pub fn expand<P: AsRef<Path>>(
    patterns: impl IntoIterator<Item = P>,
) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for pattern in patterns {
        let path = pattern.as_ref();
        match path.to_str().and_then(|text| text.strip_prefix('@')) {
            Some(list) if !path.exists() => {
                let text = list_text(path, list)?;
                for line in listed(&text).map_err(|what| Error::input(path, what))? {
                    push(Path::new(line), &mut files)?;
                }
            }
            _ => push(path, &mut files)?,
        }
    }
    Ok(files)
}

/// Adds a file or URL, or the files that a glob matches.
fn push(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    match path.to_str() {
        Some(glob) if glob.contains(['*', '?', '[']) && !is_url(path) && !path.exists() => {
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
    Ok(())
}

/// The text of the list `file`. `shown` is its name in errors.
fn list_text(shown: &Path, file: &str) -> Result<String, Error> {
    let text = match file {
        "-" => text_of(io::stdin().lock()),
        file => read_text(Path::new(file)),
    };
    text.map_err(|error| Error::input(shown, format!("the list: {error}")))
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
    fn urls_are_no_globs() {
        let url = PathBuf::from("http://[::1]:6070/debug/pprof/heap?seconds=1");
        assert_eq!(expand([&url]).unwrap(), [url]);
    }

    #[test]
    fn a_list_names_what_its_lines_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.gz", "a.gz"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let list = folder.path().join("list");
        let at = |path: &Path| PathBuf::from(format!("@{}", path.display()));
        let glob = folder.path().join("?.gz");
        std::fs::write(
            &list,
            format!("# pods\n\n http://a:1 \r\n{}\nc.gz\n", glob.display()),
        )
        .unwrap();
        assert_eq!(
            expand([at(&list), "d.gz".into()]).unwrap(),
            [
                "http://a:1".into(),
                folder.path().join("a.gz"),
                folder.path().join("b.gz"),
                "c.gz".into(),
                "d.gz".into(),
            ]
        );
        for (text, what) in [
            ("# nothing\n", "names nothing"),
            ("a\n@b\n", "@b is a list in a list"),
            ("*.none\n", "no file matches"),
        ] {
            std::fs::write(&list, text).unwrap();
            let error = expand([at(&list)]).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
        let error = expand(["@absent"]).unwrap_err().to_string();
        assert!(error.starts_with("@absent: the list: "), "{error}");
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
