//! Where results go: the standard output, or a file that is there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// What to do with a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// Its content is replaced.
    Replace,
    /// It stays, and that is an error.
    Keep,
}

/// Writes a result to `file`, or to the standard output for none and for `-`.
pub(crate) fn write(
    file: Option<&Path>,
    result: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    match file {
        Some(file) if file != Path::new("-") => write_file(file, Existing::Replace, None, result),
        _ => {
            let mut out = BufWriter::new(io::stdout().lock());
            result(&mut out)
                .and_then(|()| out.flush())
                .map_err(Error::Stdout)
        }
    }
}

/// Whether the standard output is a terminal, and nothing to pour an SVG into.
pub(crate) fn is_terminal(file: Option<&Path>) -> bool {
    file.is_none() && io::stdout().is_terminal()
}

/// Writes a file whole or not at all: under another name first, which then takes its place. The
/// new file has `permissions`, or those of the file that it replaces, or the usual ones.
pub(crate) fn write_file(
    file: &Path,
    existing: Existing,
    permissions: Option<fs::Permissions>,
    result: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    let fail = |what: &dyn std::fmt::Display| Error::output(file, what);
    // What a link points to is replaced, not the link.
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let metadata = fs::metadata(&target).ok();
    if existing == Existing::Keep && fs::symlink_metadata(file).is_ok() {
        return Err(fail(
            &"is there already: pass --force to replace it, or another name",
        ));
    }
    if metadata
        .as_ref()
        .is_some_and(|metadata| !metadata.is_file())
    {
        // A device or a pipe; a folder is refused by the system.
        let mut out = BufWriter::new(
            File::options()
                .write(true)
                .open(&target)
                .map_err(|e| fail(&e))?,
        );
        return result(&mut out)
            .and_then(|()| out.flush())
            .map_err(|e| fail(&e));
    }
    let permissions = permissions.or(metadata.map(|metadata| metadata.permissions()));

    let (draft, open) = draft_of(&target, permissions.is_some()).map_err(|e| fail(&e))?;
    let written = || {
        let mut out = BufWriter::new(open);
        result(&mut out)?;
        let open = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        if let Some(permissions) = permissions {
            open.set_permissions(permissions)?;
        }
        open.sync_all()?;
        match existing {
            Existing::Replace => fs::rename(&draft, &target),
            // Unlike a rename, a link never replaces what came up in the meantime.
            Existing::Keep => fs::hard_link(&draft, &target).and_then(|()| fs::remove_file(&draft)),
        }
    };
    written().map_err(|error| {
        // Best effort: the error that matters is the first one.
        let _ = fs::remove_file(&draft);
        fail(&error)
    })
}

/// Permissions for the owner alone, where there are such.
pub(crate) fn private() -> Option<fs::Permissions> {
    #[cfg(unix)]
    return Some(std::os::unix::fs::PermissionsExt::from_mode(0o600));
    #[cfg(not(unix))]
    None
}

/// A new file beside `target`; nobody else's to read, if its permissions are set later.
fn draft_of(target: &Path, private: bool) -> io::Result<(PathBuf, File)> {
    let name = target
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "is not the name of a file"))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if private {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = private;
    let mut number = 0_u32;
    loop {
        let mut draft_name = std::ffi::OsString::from(".");
        draft_name.push(name);
        draft_name.push(format!(".{}-{number}.tmp", std::process::id()));
        let draft = target.with_file_name(draft_name);
        match options.open(&draft) {
            Ok(open) => return Ok((draft, open)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 100 => {
                number += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.svg");
        fs::write(&file, "old").unwrap();
        let failed = write_file(&file, Existing::Replace, None, |out| {
            out.write_all(b"new")?;
            Err(io::Error::other("no more"))
        });
        assert!(failed.unwrap_err().to_string().ends_with("x.svg: no more"));
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
        assert_eq!(names(folder.path()), ["x.svg"]);
    }

    #[test]
    fn what_is_there_is_kept_unless_it_is_to_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x");
        let put = |existing, text: &'static str| {
            write_file(&file, existing, None, |out| out.write_all(text.as_bytes()))
        };
        put(Existing::Keep, "one").unwrap();
        assert!(
            put(Existing::Keep, "two")
                .unwrap_err()
                .to_string()
                .contains("--force")
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), "one");
        put(Existing::Replace, "two").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert_eq!(names(folder.path()), ["x"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_and_devices_stay_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_file(&link, Existing::Replace, None, |out| out.write_all(b"new")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        let null = Path::new("/dev/null");
        write_file(null, Existing::Replace, None, |out| out.write_all(b"x")).unwrap();
        assert!(!fs::metadata(null).unwrap().is_file());
    }
}
