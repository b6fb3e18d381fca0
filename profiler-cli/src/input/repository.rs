//! Where a source file of a program lies in the repository that the current folder is in.
//!
//! A binary names its sources as the compiler saw them: under the folder it ran in, on another machine, or
//! under whatever `--remap-path-prefix` put in its place. So what is looked for is the longest end of
//! such a path that is a file here.

use std::path::{Component, Path, PathBuf};

/// A repository, and the folders in it that paths may begin at.
#[derive(Debug)]
pub struct Repository {
    root: PathBuf,
    /// The root, and the folder of the cargo workspace or the package.
    bases: Vec<PathBuf>,
}

impl Repository {
    /// The repository around a folder: the next one upwards with a `.git`. Without one, the folder.
    pub fn around(folder: &Path) -> Self {
        let upwards = |name: &str| folder.ancestors().find(|folder| folder.join(name).exists());
        let root = upwards(".git").unwrap_or(folder).to_owned();
        let inside = |folder: &&Path| folder.starts_with(&root);
        let mut bases = vec![root.clone()];
        for base in [upwards("Cargo.lock"), upwards("Cargo.toml"), Some(folder)] {
            if let Some(base) = base.filter(inside)
                && !bases.iter().any(|known| known == base)
            {
                bases.push(base.to_owned());
            }
        }
        Self { root, bases }
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of a source file relative to the root, with slashes; `None` for what is not here.
    pub fn locate(&self, file: &str) -> Option<String> {
        let path = Path::new(file);
        if let Ok(inside) = path.strip_prefix(&self.root)
            && path.is_file()
        {
            return slashed(inside);
        }
        let parts: Vec<&std::ffi::OsStr> = path
            .components()
            .filter_map(|part| match part {
                Component::Normal(part) => Some(part),
                _ => None,
            })
            .collect();
        if path.components().any(|part| part == Component::ParentDir) {
            return None;
        }
        (0..parts.len()).find_map(|from| {
            let end: PathBuf = parts[from..].iter().collect();
            let found = self
                .bases
                .iter()
                .map(|base| base.join(&end))
                .find(|file| file.is_file())?;
            slashed(found.strip_prefix(&self.root).ok()?)
        })
    }
}

fn slashed(path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    Some(parts?.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_the_longest_end_of_their_path() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for file in [
            ".git/HEAD",
            "rust/Cargo.toml",
            "rust/shop/src/cart.rs",
            "rust/src/cart.rs",
        ] {
            let file = root.join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "").unwrap();
        }
        let repository = Repository::around(&root.join("rust"));
        let locate = |file: &str| repository.locate(file);
        let absolute = root.join("rust/shop/src/cart.rs");
        for file in [
            absolute.to_str().unwrap(),
            "/home/runner/work/x/x/rust/shop/src/cart.rs",
            "/build/shop/src/cart.rs",
            "shop/src/cart.rs",
            "./shop/src/cart.rs",
        ] {
            assert_eq!(
                locate(file).as_deref(),
                Some("rust/shop/src/cart.rs"),
                "{file}"
            );
        }
        assert_eq!(
            locate("/build/src/cart.rs").as_deref(),
            Some("rust/src/cart.rs")
        );
        for file in [
            "/etc/passwd",
            "../rust/src/cart.rs",
            "",
            "/",
            "src/wish.rs",
            "rust/shop",
        ] {
            assert_eq!(locate(file), None, "{file}");
        }
    }
}
