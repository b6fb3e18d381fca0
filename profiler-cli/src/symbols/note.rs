//! What the user should know about symbols that are missing or less than they could be.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::names::clean;

/// How many of the paths tried are named in a line.
const PATHS_NAMED: usize = 3;

/// A remark about the symbols of a module. Its `Display` is one line that says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// No file of the module was found.
    Missing {
        /// Path of the module as recorded.
        module: String,
        /// Its build id, where it has one.
        build_id: Option<String>,
        /// Where it was looked for.
        tried: Vec<PathBuf>,
    },
    /// A file in the right place is of another build, and was not used.
    WrongBinary {
        /// The file.
        path: PathBuf,
        /// What identifies the module in the snapshot.
        expected: String,
        /// What identifies the file.
        found: String,
    },
    /// The file was found, and has neither debug information nor names for the addresses.
    Stripped {
        /// Path of the module as recorded.
        module: String,
        /// Its build id, where it has one.
        build_id: Option<String>,
    },
    /// The program has names only: neither lines nor inlined calls.
    NoLines {
        /// Path of the module as recorded.
        module: String,
    },
    /// Units of split debug information were not found.
    SplitUnitsMissing {
        /// Path of the module as recorded.
        module: String,
        /// How many.
        units: usize,
        /// Where the compiler put the first of them, where the program says so.
        first: Option<PathBuf>,
    },
    /// A file is damaged or cannot be opened.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: String,
    },
    /// The snapshot has nothing that would tell the module's file from another.
    NoIdentity {
        /// Path of the module as recorded.
        module: String,
    },
    /// A folder given with `--debug-dir` is not there.
    NoSuchFolder {
        /// As it was given.
        path: PathBuf,
    },
}

impl Note {
    /// Whether this is about a library of the operating system, whose few frames seldom matter.
    /// Other places than `symbolize` may leave such a note out.
    pub fn is_about_system_library(&self) -> bool {
        match self {
            Self::Missing { module, .. }
            | Self::Stripped { module, .. }
            | Self::NoLines { module }
            | Self::SplitUnitsMissing { module, .. }
            | Self::NoIdentity { module } => is_system_library(Path::new(module)),
            Self::WrongBinary { path, .. } | Self::Unreadable { path, .. } => {
                is_system_library(path)
            }
            Self::NoSuchFolder { .. } => false,
        }
    }
}

/// Whether a path is where distributions keep their libraries.
pub(super) fn is_system_library(path: &Path) -> bool {
    [
        "/lib",
        "/lib32",
        "/lib64",
        "/usr/lib",
        "/usr/lib32",
        "/usr/lib64",
    ]
    .iter()
    .any(|folder| path.starts_with(folder))
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing {
                module,
                build_id,
                tried,
            } => {
                write!(f, "no symbols for {}{}: ", clean(module), Id(build_id))?;
                match tried.as_slice() {
                    [] => f.write_str("there was no place to look for its file")?,
                    tried => write!(f, "its file was not found at {}", Paths(tried))?,
                }
                f.write_str(
                    "; pass --debug-dir with the folder of the unstripped file or of its debug file",
                )
            }
            Self::WrongBinary {
                path,
                expected,
                found,
            } => write!(
                f,
                "{} is of another build and was not used: it has {found}, the snapshot needs \
                 {expected}; pass --debug-dir with the folder of the file that ran",
                Shown(path)
            ),
            Self::Stripped { module, build_id } => write!(
                f,
                "{}{} is stripped, so its functions have no names; pass --debug-dir with the \
                 folder of the unstripped file or of its debug file",
                clean(module),
                Id(build_id)
            ),
            Self::NoLines { module } => write!(
                f,
                "{} has function names, but no lines and no inlined calls; for those, build it \
                 with debug = \"line-tables-only\" under [profile.release] in Cargo.toml",
                clean(module)
            ),
            Self::SplitUnitsMissing {
                module,
                units,
                first,
            } => {
                write!(
                    f,
                    "{} has split debug information, of which {units} ",
                    clean(module)
                )?;
                f.write_str(if *units == 1 {
                    "unit was"
                } else {
                    "units were"
                })?;
                f.write_str(" not found")?;
                if let Some(first) = first {
                    write!(f, " ({})", Shown(first))?;
                }
                f.write_str(
                    "; put its .dwp file beside it, or pass --debug-dir with the folder of the \
                     .dwp or .dwo files",
                )
            }
            Self::Unreadable { path, error } => write!(
                f,
                "cannot read symbols from {}: {}; pass --debug-dir with the folder of an intact \
                 copy",
                Shown(path),
                clean(error)
            ),
            Self::NoIdentity { module } => write!(
                f,
                "no symbols for {}: the snapshot holds neither a build id nor a text hash for it, \
                 so no file can be told to be the right one; link it with -Wl,--build-id",
                clean(module)
            ),
            Self::NoSuchFolder { path } => write!(
                f,
                "--debug-dir {}: no such folder; symbols were looked for in the other places only",
                Shown(path)
            ),
        }
    }
}

struct Id<'a>(&'a Option<String>);

impl fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(id) => write!(f, " (build id {})", clean(id)),
            None => Ok(()),
        }
    }
}

struct Shown<'a>(&'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&clean(&self.0.to_string_lossy()))
    }
}

struct Paths<'a>(&'a [PathBuf]);

impl fmt::Display for Paths<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, path) in self.0.iter().take(PATHS_NAMED).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}", Shown(path))?;
        }
        match self.0.len().saturating_sub(PATHS_NAMED) {
            0 => Ok(()),
            1 => f.write_str(" or 1 other place"),
            more => write!(f, " or {more} other places"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named_with_what_to_do() {
        let note = Note::Missing {
            module: "/opt/svc".into(),
            build_id: Some("00ff".into()),
            tried: (0..5).map(|i| PathBuf::from(format!("/p{i}"))).collect(),
        };
        assert_eq!(
            note.to_string(),
            "no symbols for /opt/svc (build id 00ff): its file was not found at /p0, /p1, /p2 or \
             2 other places; pass --debug-dir with the folder of the unstripped file or of its \
             debug file"
        );
    }

    #[test]
    fn a_note_is_one_line_whatever_the_names_in_it() {
        let hostile = "a\n\u{1b}[31m\u{202e}";
        let path = PathBuf::from(hostile);
        let notes = [
            Note::Missing {
                module: hostile.into(),
                build_id: Some(hostile.into()),
                tried: vec![path.clone()],
            },
            Note::WrongBinary {
                path: path.clone(),
                expected: "1".into(),
                found: "2".into(),
            },
            Note::Stripped {
                module: hostile.into(),
                build_id: None,
            },
            Note::NoLines {
                module: hostile.into(),
            },
            Note::SplitUnitsMissing {
                module: hostile.into(),
                units: 2,
                first: Some(path.clone()),
            },
            Note::Unreadable {
                path,
                error: hostile.into(),
            },
            Note::NoIdentity {
                module: hostile.into(),
            },
            Note::NoSuchFolder {
                path: hostile.into(),
            },
        ];
        for note in notes {
            let line = note.to_string();
            assert!(!line.contains(['\n', '\u{1b}', '\u{202e}']), "{line:?}");
        }
    }

    #[test]
    fn system_libraries_are_told_by_their_folder() {
        let missing = |module: &str| Note::NoLines {
            module: module.into(),
        };
        assert!(missing("/usr/lib/x86_64-linux-gnu/libc.so.6").is_about_system_library());
        assert!(missing("/lib64/ld-linux-x86-64.so.2").is_about_system_library());
        assert!(!missing("/usr/libexec/svc").is_about_system_library());
        assert!(!missing("/opt/svc").is_about_system_library());
    }
}
