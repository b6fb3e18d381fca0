//! Files that are whole or not there, in a folder that others may write to as well.
//!
//! A file gets its name only when all of it is on disk, and never takes over a name that exists,
//! be it a file, a link or a pipe. All names are resolved in the folder as it was opened. What the
//! names mean is `store`'s business.

use std::ffi::{CStr, CString};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::ptr::NonNull;
use std::thread;
use std::time::Duration;

/// An open folder.
pub(super) struct Folder {
    handle: File,
}

/// A regular file in a folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) bytes: u64,
}

/// A file that has no lasting name yet. Dropped without one, it is removed.
pub(super) struct Unnamed<'a> {
    folder: &'a Folder,
    name: String,
    file: File,
}

impl Folder {
    /// Opens a folder that is there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let handle = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_DIRECTORY | libc::O_CLOEXEC)
            .open(path)?;
        Ok(Self { handle })
    }

    /// Opens a folder; creates it, and those it lies in, where they are missing. A new folder is
    /// for its owner alone.
    pub(super) fn open_or_create(path: &Path) -> io::Result<Self> {
        match Self::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent)?;
                }
                match DirBuilder::new().mode(0o700).create(path) {
                    // Another process of the same program may have been faster.
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                    _ => Self::open(path),
                }
            }
            opened => opened,
        }
    }

    /// Creates a file under a name for the time being, locked as [`lock_exclusive`] does.
    pub(super) fn create(&self, name: &str) -> io::Result<Unnamed<'_>> {
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
        // Who tests for a lock between our two steps may take the file for a dead run's and
        // remove it.
        for _ in 0..3 {
            let file = self.open_at(name, flags, 0o600)?;
            lock_exclusive(&file);
            if file.metadata()?.nlink() > 0 {
                return Ok(Unnamed {
                    folder: self,
                    name: name.to_owned(),
                    file,
                });
            }
        }
        Err(io::Error::other(
            "the file was removed while it was written",
        ))
    }

    /// Opens a regular file for reading; never follows a link, never waits for a pipe.
    pub(super) fn open_file(&self, name: &str) -> io::Result<File> {
        self.open_regular(name, libc::O_RDONLY)
    }

    /// The same for reading and writing, as a lock needs it on network file systems.
    pub(super) fn open_file_to_lock(&self, name: &str) -> io::Result<File> {
        self.open_regular(name, libc::O_RDWR)
    }

    fn open_regular(&self, name: &str, access: libc::c_int) -> io::Result<File> {
        let file = self.open_at(name, access | libc::O_NONBLOCK, 0)?;
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::Error::other("not a regular file"))
        }
    }

    fn open_at(&self, name: &str, flags: libc::c_int, mode: libc::c_uint) -> io::Result<File> {
        let name = CString::new(name)?;
        let flags = flags | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        let _placeholders = self.in_place_of_standard_streams();
        // SAFETY: the folder is open and the name ends with a zero.
        let fd = unsafe { libc::openat(self.handle.as_raw_fd(), name.as_ptr(), flags, mode) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is fresh and nobody else's.
        Ok(unsafe { File::from_raw_fd(fd) })
    }

    /// The descriptors of those standard streams that the program has closed, until dropped: else a
    /// file of ours would get one, and what the program still prints. Nobody can write to a folder.
    fn in_place_of_standard_streams(&self) -> Vec<OwnedFd> {
        let lowest_free = || {
            // SAFETY: the folder is open.
            let fd = unsafe { libc::fcntl(self.handle.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 0) };
            // SAFETY: where it is one, the descriptor is fresh and nobody else's.
            let fd = (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) });
            fd.filter(|fd| fd.as_raw_fd() <= libc::STDERR_FILENO)
        };
        std::iter::from_fn(lowest_free).collect()
    }

    /// The regular files whose names are plain text.
    pub(super) fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut listing = Listing::open(&self.handle)?;
        let mut entries = Vec::new();
        while let Some(name) = listing.next()? {
            // A file can be gone since.
            if let (Ok(text), Some(bytes)) = (name.to_str(), self.bytes_of_regular(name)) {
                entries.push(Entry {
                    name: text.to_owned(),
                    bytes,
                });
            }
        }
        Ok(entries)
    }

    /// The size of a regular file; of a link nothing, wherever it leads.
    fn bytes_of_regular(&self, name: &CStr) -> Option<u64> {
        // SAFETY: all zeros is a valid value of this plain structure.
        let mut status: libc::stat = unsafe { mem::zeroed() };
        let (folder, flags) = (self.handle.as_raw_fd(), libc::AT_SYMLINK_NOFOLLOW);
        // SAFETY: the folder is open, the name ends with a zero, and the call fills in `status`.
        check(unsafe { libc::fstatat(folder, name.as_ptr(), &raw mut status, flags) }).ok()?;
        let is_regular = status.st_mode & libc::S_IFMT == libc::S_IFREG;
        is_regular.then(|| u64::try_from(status.st_size).unwrap_or(0))
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        let name = CString::new(name)?;
        // SAFETY: the folder is open and the name ends with a zero.
        check(unsafe { libc::unlinkat(self.handle.as_raw_fd(), name.as_ptr(), 0) })
    }

    /// Gives a file another name, if nothing has that name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (CString::new(from)?, CString::new(to)?);
        let folder = self.handle.as_raw_fd();
        // SAFETY: the folder is open and both names end with a zero.
        let renamed = check(unsafe {
            libc::syscall(
                libc::SYS_renameat2,
                folder,
                from.as_ptr(),
                folder,
                to.as_ptr(),
                libc::RENAME_NOREPLACE,
            ) as libc::c_int
        });
        match renamed {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL)) => {}
            done => return done,
        }
        // Where the system or the file system cannot do that, a second name is never taken over
        // either.
        // SAFETY: as above.
        check(unsafe { libc::linkat(folder, from.as_ptr(), folder, to.as_ptr(), 0) })?;
        // SAFETY: as above.
        check(unsafe { libc::unlinkat(folder, from.as_ptr(), 0) })
    }
}

/// The names in a folder. The standard library's would be looked up by path, and panics where a
/// folder cannot be closed, which ends a host that is built with `panic = "abort"`.
struct Listing(NonNull<libc::DIR>);

impl Listing {
    fn open(folder: &File) -> io::Result<Self> {
        // Opened anew, since an open folder remembers how far it has been read.
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        // SAFETY: the folder is open and the name ends with a zero.
        let fd = unsafe { libc::openat(folder.as_raw_fd(), c".".as_ptr(), flags) };
        check(fd)?;
        // SAFETY: the descriptor is fresh and nobody else's.
        match NonNull::new(unsafe { libc::fdopendir(fd) }) {
            Some(listing) => Ok(Self(listing)),
            None => {
                let error = io::Error::last_os_error();
                // SAFETY: the descriptor has stayed ours.
                unsafe { libc::close(fd) };
                Err(error)
            }
        }
    }

    fn next(&mut self) -> io::Result<Option<&CStr>> {
        // SAFETY: the listing is open; the entry is valid until the next call, and its name ends
        // with a zero. That there are no more is told from a failure by `errno` alone.
        unsafe {
            *libc::__errno_location() = 0;
            let entry = libc::readdir64(self.0.as_ptr());
            if !entry.is_null() {
                return Ok(Some(CStr::from_ptr((&raw const (*entry).d_name).cast())));
            }
        }
        match io::Error::last_os_error() {
            end if end.raw_os_error() == Some(0) => Ok(None),
            error => Err(error),
        }
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody uses it any more. What was read is not worse for a failure.
        unsafe { libc::closedir(self.0.as_ptr()) };
    }
}

impl Unnamed<'_> {
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Puts the file on disk under its lasting name. Fails with `AlreadyExists` if there is
    /// anything of that name. The file comes back open, and with its lock.
    pub(super) fn name(mut self, name: &str) -> io::Result<File> {
        self.file.sync_all()?;
        let file = self.file.try_clone()?;
        self.folder.rename(&self.name, name)?;
        self.name.clear();
        // The file is whole and has its name; a folder that cannot be synced (some network file
        // systems) makes it no less so.
        let _ = self.folder.handle.sync_all();
        Ok(file)
    }
}

impl Drop for Unnamed<'_> {
    fn drop(&mut self) {
        if !self.name.is_empty() {
            // Nothing to be done about a failure: the next run removes what is left.
            let _ = self.folder.remove(&self.name);
        }
    }
}

/// Locks a file for as long as it is open. Does without where the file system has no locks.
pub(super) fn lock_exclusive(file: &File) {
    for _ in 0..5 {
        if flock(file, libc::LOCK_EX)
            .err()
            .and_then(|error| error.raw_os_error())
            != Some(libc::EWOULDBLOCK)
        {
            return;
        }
        // Somebody tests just now, which takes no time.
        thread::sleep(Duration::from_millis(1));
    }
}

/// Whether it is certain that no process holds the lock of a file.
pub(super) fn is_unlocked(file: &File) -> bool {
    flock(file, libc::LOCK_SH).is_ok()
}

fn flock(file: &File, operation: libc::c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open; the call does not wait.
    check(unsafe { libc::flock(file.as_raw_fd(), operation | libc::LOCK_NB) })
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn folder() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let folder = Folder::open_or_create(dir.path()).expect("an existing folder");
        (dir, folder)
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().expect("it exists").permissions().mode() & 0o777
    }

    #[test]
    fn a_file_appears_whole_and_private() {
        let (dir, folder) = folder();
        let unnamed = folder.create(".x.tmp").expect("a new file");
        unnamed.file().write_all(b"whole").expect("room");
        assert!(!dir.path().join("x").exists());
        drop(unnamed.name("x").expect("a free name"));
        assert_eq!(fs::read(dir.path().join("x")).expect("the file"), b"whole");
        assert_eq!(mode(&dir.path().join("x")), 0o600);
        assert!(!dir.path().join(".x.tmp").exists());
    }

    #[test]
    fn a_file_given_up_leaves_nothing() {
        let (dir, folder) = folder();
        drop(folder.create(".x.tmp").expect("a new file"));
        assert_eq!(fs::read_dir(dir.path()).expect("the folder").count(), 0);
    }

    #[test]
    fn nothing_that_exists_is_replaced_or_followed() {
        let (dir, folder) = folder();
        let victim = dir.path().join("victim");
        fs::write(&victim, "precious").expect("a file");
        symlink(&victim, dir.path().join("link")).expect("a link");
        symlink(dir.path().join("nowhere"), dir.path().join("dangling")).expect("a link");
        let pipe = CString::new(dir.path().join("pipe").to_str().expect("text")).expect("no zero");
        // SAFETY: the path ends with a zero.
        assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
        for name in ["victim", "link", "dangling", "pipe"] {
            let as_temporary = folder.create(name).err().expect("the name is taken");
            assert_eq!(as_temporary.kind(), io::ErrorKind::AlreadyExists, "{name}");
            let unnamed = folder.create(".x.tmp").expect("a new file");
            let as_lasting = unnamed.name(name).expect_err("the name is taken");
            assert_eq!(as_lasting.kind(), io::ErrorKind::AlreadyExists, "{name}");
        }
        for name in ["link", "dangling", "pipe"] {
            assert!(folder.open_file(name).is_err(), "{name}");
        }
        assert_eq!(
            fs::read_to_string(&victim).expect("still there"),
            "precious"
        );
        let names: Vec<_> = folder.entries().expect("a listing").into_iter().collect();
        assert_eq!(
            names,
            [Entry {
                name: "victim".to_owned(),
                bytes: 8
            }]
        );
    }

    #[test]
    fn a_missing_folder_is_made_for_its_owner() {
        let (dir, _) = folder();
        let path = dir.path().join("a/b/snapshots");
        Folder::open_or_create(&path).expect("a new folder");
        assert_eq!(mode(&path), 0o700);
        Folder::open_or_create(&path).expect("an existing folder");
        fs::write(dir.path().join("file"), "").expect("a file");
        assert!(Folder::open_or_create(&dir.path().join("file")).is_err());
        assert!(Folder::open_or_create(&dir.path().join("file/below")).is_err());
    }

    #[test]
    fn a_lock_lasts_from_creation_to_close() {
        let (_dir, folder) = folder();
        let unlocked = |name| is_unlocked(&folder.open_file(name).expect("a file"));
        let unnamed = folder.create(".x.tmp").expect("a new file");
        assert!(!unlocked(".x.tmp"));
        let file = unnamed.name("x").expect("a free name");
        assert!(!unlocked("x"));
        drop(file);
        assert!(unlocked("x"));
    }
}
