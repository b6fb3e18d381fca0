//! A running process with heaplens inside, as `/proc` shows it: how to ask it for a snapshot, and where
//! its snapshots are.
//!
//! - The keeper's thread is called `heaplens-USR2` where that signal takes snapshots, and `heaplens` where
//!   none does. A process without such a thread never gets a signal: it may have another meaning there, or
//!   end it.
//! - A run holds its first snapshot open for as long as it lives: that file tells the folder. Before there
//!   is one, whatever comes is the first.
//! - All paths are looked up below `/proc/PID/root`, since in a container they are others than here. What
//!   is there belongs to the process, which may be hostile: of its links and pipes none is opened.
//!
//! Linux only; nothing of the process is changed, stopped or read but this.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Seek};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use heaplens::snapshot::{FileName, Limits, Reason, RunName, read_header_from};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The keeper's thread, and what stands before the name of its signal.
const THREAD: &str = "heaplens";
const SIGNALS: [(&str, Signal); 5] = [
    ("USR1", Signal::USR1),
    ("USR2", Signal::USR2),
    ("HUP", Signal::HUP),
    ("QUIT", Signal::QUIT),
    ("WINCH", Signal::WINCH),
];
/// Time between two looks for the snapshot.
const PAUSE: Duration = Duration::from_millis(20);

/// A process that takes snapshots by signal.
#[derive(Debug)]
pub(crate) struct Process {
    pid: u32,
    /// Stands for this process even if another one gets its number.
    handle: OwnedFd,
    signal: (&'static str, Signal),
}

/// A snapshot that a process has taken.
#[derive(Debug)]
pub(crate) struct Taken {
    /// As it is found from here.
    pub(crate) path: PathBuf,
    /// Its beginning has been read: it is a snapshot.
    pub(crate) file: File,
}

/// The snapshots of a run.
#[derive(Debug)]
struct Run {
    /// As the process sees it.
    folder: PathBuf,
    name: RunName,
}

impl Process {
    /// Finds heaplens in a process; in one line, why that cannot be.
    pub(crate) fn find(pid: u32) -> Result<Self, String> {
        let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let number = number.ok_or("is no process id")?;
        // First of all, so that what is seen below is of the process that gets the signal.
        let handle = pidfd_open(number, PidfdFlags::empty()).map_err(|error| match error {
            Errno::SRCH => "no such process".to_owned(),
            // What a thread's number gives that is not its process's.
            Errno::INVAL | Errno::NOENT => "is a thread, and no process".to_owned(),
            error => format!("cannot be asked: {error}"),
        })?;
        let names = threads(pid).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "no such process".to_owned(),
            _ => unreadable(&error),
        })?;
        let ours = |name: &&String| {
            let rest = name.strip_prefix(THREAD);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        let signal = names.iter().find_map(|name| {
            let signal = name.strip_prefix(THREAD)?.strip_prefix('-')?;
            SIGNALS.into_iter().find(|(known, _)| *known == signal)
        });
        let Some(signal) = signal else {
            return Err(match names.iter().any(|name| ours(&name)) {
                true => {
                    "no signal takes snapshots there: start it with HEAPLENS_SIGNAL=USR2, or with \
                         HEAPLENS_HTTP=127.0.0.1:6070 and pass that address"
                        .to_owned()
                }
                false => "heaplens does not run in it: its main function begins with \
                          `heaplens::profile!()`, and HEAPLENS_MODE is not `off`"
                    .to_owned(),
            });
        };
        let process = Self {
            pid,
            handle,
            signal,
        };
        match process.catches() {
            Ok(true) => Ok(process),
            Ok(false) => Err(format!(
                "its handler of SIG{} is gone: the signal would end it",
                signal.0
            )),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// Has the process take a snapshot and waits until it is whole.
    pub(crate) fn snapshot(&self, timeout: Duration) -> Result<Taken, String> {
        let deadline = Instant::now() + timeout;
        let before = self.snapshots().map_err(|error| unreadable(&error))?;
        pidfd_send_signal(&self.handle, self.signal.1).map_err(|error| match error {
            Errno::SRCH => "it has ended".to_owned(),
            Errno::PERM => "it is another user's: run this as that user, or as root".to_owned(),
            error => format!("cannot be sent a signal: {error}"),
        })?;
        loop {
            // A process that ends meanwhile may have left it, but can no longer be asked where.
            let now = self.snapshots().map_err(|_| "it has ended".to_owned())?;
            if let Some(new) = now.difference(&before).last() {
                return self.open(new);
            }
            if self.is_dead() {
                return Err("it has ended".to_owned());
            }
            if Instant::now() >= deadline {
                return Err(format!(
                    "no snapshot has come: its standard error says if it cannot write to its folder, \
                     and --timeout waits longer; SIG{} has been sent",
                    self.signal.0
                ));
            }
            thread::sleep(PAUSE);
        }
    }

    /// The snapshots of this run that were taken by signal, as the process sees them.
    fn snapshots(&self) -> io::Result<BTreeSet<PathBuf>> {
        let Some(run) = self.run()? else {
            return Ok(BTreeSet::new());
        };
        let entries = fs::read_dir(self.within(&run.folder))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let by_signal = names.filter(|name| {
            FileName::parse(name).is_some_and(|parsed| {
                parsed.run == run.name && parsed.reason == Reason::Signal.slug()
            })
        });
        Ok(by_signal.map(|name| run.folder.join(name)).collect())
    }

    /// The run, once it has a snapshot.
    fn run(&self) -> io::Result<Option<Run>> {
        let own_pid = self.own_pid()?;
        for entry in fs::read_dir(format!("/proc/{}/fd", self.pid))? {
            // A descriptor can be closed by now.
            let Ok(path) = fs::read_link(entry?.path()) else {
                continue;
            };
            let name = path.file_name().and_then(OsStr::to_str);
            if let Some(name) = name.and_then(FileName::parse)
                && name.run.pid == own_pid
                && let Some(folder) = path.parent()
            {
                return Ok(Some(Run {
                    folder: folder.to_owned(),
                    name: name.run,
                }));
            }
        }
        Ok(None)
    }

    /// The id that the process has for itself.
    fn own_pid(&self) -> io::Result<u32> {
        let status = self.status()?;
        let own = line(&status, "NSpid:").and_then(|ids| ids.split_whitespace().next_back());
        Ok(own.and_then(|id| id.parse().ok()).unwrap_or(self.pid))
    }

    /// Whether the process has a handler for its signal.
    fn catches(&self) -> io::Result<bool> {
        Ok(is_caught(&self.status()?, self.signal.1).unwrap_or(false))
    }

    /// Whether the process has ended, and only its parent has not heard of it.
    fn is_dead(&self) -> bool {
        let status = self.status().unwrap_or_default();
        let state = line(&status, "State:").unwrap_or_default();
        matches!(state.trim_start().chars().next(), None | Some('Z' | 'X'))
    }

    fn status(&self) -> io::Result<String> {
        fs::read_to_string(format!("/proc/{}/status", self.pid))
    }

    /// Opens a snapshot of the process's. Its path is the same here, if it is the same file.
    fn open(&self, path: &Path) -> Result<Taken, String> {
        let fail = |error: io::Error| format!("{}: {error}", path.display());
        let mut file = open_below(&self.root(), path).map_err(fail)?;
        read_header_from(path, &mut file, &Limits::default()).map_err(|error| error.to_string())?;
        file.rewind().map_err(fail)?;
        let opened = file.metadata().map_err(fail)?;
        let is_same = |here: fs::Metadata| (here.dev(), here.ino()) == (opened.dev(), opened.ino());
        let path = match fs::symlink_metadata(path).is_ok_and(is_same) {
            true => path.to_owned(),
            false => self.within(path),
        };
        Ok(Taken { path, file })
    }

    fn within(&self, path: &Path) -> PathBuf {
        self.root().join(path.strip_prefix("/").unwrap_or(path))
    }

    fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.pid))
    }
}

/// Whether a process has a handler for a signal, by its `/proc/N/status`.
pub(crate) fn is_caught(status: &str, signal: Signal) -> Option<bool> {
    let mask = u64::from_str_radix(line(status, "SigCgt:")?.trim(), 16).ok()?;
    Some(mask >> (signal.as_raw() - 1) & 1 == 1)
}

/// The line of a status that begins so.
fn line<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name))
}

/// Opens a file for reading by a path below a root where somebody else may make links and pipes. Neither
/// is followed or waited for, so that nothing but a file of theirs is ever read.
fn open_below(root: &Path, path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let folder = rustix::fs::open(
        root,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
    let opened = match openat2(&folder, path, flags, Mode::empty(), resolve) {
        // A kernel before 5.6, or a sandbox that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => openat(
            &folder,
            path.strip_prefix("/").unwrap_or(path),
            flags,
            Mode::empty(),
        ),
        opened => opened,
    };
    let file = File::from(opened.map_err(|error| match error {
        Errno::LOOP => io::Error::other("is behind a link, and no file of the process's own"),
        error => error.into(),
    })?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("is no regular file")),
    }
}

/// The names of a process's threads.
fn threads(pid: u32) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread can have ended by now.
        if let Ok(name) = fs::read_to_string(task?.path().join("comm")) {
            names.push(name.trim_end().to_owned());
        }
    }
    Ok(names)
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "cannot be looked into: it is another user's: run this as that user, or as root"
                .to_owned()
        }
        io::ErrorKind::NotFound => "it has ended".to_owned(),
        _ => format!("cannot be looked into: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, mknodat};

    use super::*;

    #[test]
    fn of_what_others_have_made_files_alone_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("var/snapshots")).unwrap();
        fs::write(folder.path().join("secret"), "").unwrap();
        let below = root.join("var/snapshots");
        fs::write(below.join("file"), "").unwrap();
        symlink(folder.path().join("secret"), below.join("absolute")).unwrap();
        symlink("file", below.join("relative")).unwrap();
        symlink(folder.path(), root.join("var/away")).unwrap();
        mknodat(CWD, below.join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let error = |path: &str| {
            let opened = open_below(&root, Path::new(path));
            opened.expect_err(path).to_string()
        };
        assert!(open_below(&root, Path::new("/var/snapshots/file")).is_ok());
        for link in ["snapshots/absolute", "snapshots/relative", "away/secret"] {
            let error = error(&format!("/var/{link}"));
            assert!(error.contains("behind a link"), "{link}: {error}");
        }
        for other in ["/var/snapshots/pipe", "/var/snapshots"] {
            let error = error(other);
            assert!(error.contains("no regular file"), "{other}: {error}");
        }
        let outside = error("/../secret");
        assert!(outside.contains("No such file"), "{outside}");
    }

    #[test]
    fn handlers_are_read_as_the_kernel_writes_them() {
        for (mask, expected) in [("800", true), ("400", false)] {
            let status = format!("Name:\tx\nSigCgt:\t0000000000000{mask}\n");
            assert_eq!(is_caught(&status, Signal::USR2), Some(expected));
        }
        assert_eq!(is_caught("", Signal::USR2), None);
    }
}
