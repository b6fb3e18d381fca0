//! What the system says about this process: its memory, its control group, its names.
//!
//! The readers of memory are pure over a root folder, so that tests can feed them trees of other
//! systems. Whatever is not there is absent from the result; nothing here fails.

use super::triggers::Pressure;
use crate::platform::page_bytes;
use crate::snapshot::ProcessMemory;
use std::fs;
use std::path::{Path, PathBuf};

/// Memory of this process.
pub(super) fn of_process() -> ProcessMemory {
    read(Path::new("/"), page_bytes())
}

/// What the process holds of `given`, a limit that somebody has named, or of its control group's.
/// `None` without a limit.
pub(super) fn pressure(given: Option<u64>) -> Option<Pressure> {
    pressure_in(Path::new("/"), given)
}

fn pressure_in(root: &Path, given: Option<u64>) -> Option<Pressure> {
    if let Some(limit_bytes) = given {
        let used_bytes = resident_bytes(root, page_bytes())?;
        return Some(Pressure {
            used_bytes,
            limit_bytes,
        });
    }
    let group = Group::of_process(root)?;
    let (limit_bytes, folder) = group.tightest()?;
    let used = number(&folder.join(group.version.usage_file()))?;
    Some(Pressure {
        used_bytes: used.saturating_sub(group.droppable(folder)),
        limit_bytes,
    })
}

fn read(root: &Path, page_bytes: u64) -> ProcessMemory {
    let text = |path: &str| text_of(&root.join(path));
    let (cgroup_limit_bytes, cgroup_usage_bytes) = match Group::of_process(root) {
        Some(group) => group.limit_and_usage(),
        None => (None, None),
    };
    ProcessMemory {
        rss_bytes: resident_bytes(root, page_bytes),
        rss_peak_bytes: high_water_mark(&text("proc/self/status")),
        allocator_resident_bytes: None,
        cgroup_limit_bytes,
        cgroup_usage_bytes,
    }
}

/// The second number of `statm` counts pages.
fn resident_bytes(root: &Path, page_bytes: u64) -> Option<u64> {
    let statm = text_of(&root.join("proc/self/statm"));
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(page_bytes)
}

/// What the system could give to programs, in bytes.
pub(super) fn available() -> Option<u64> {
    bytes_of(&text_of(Path::new("/proc/meminfo")), "MemAvailable:")
}

/// The highest resident memory so far, in bytes.
fn high_water_mark(status: &str) -> Option<u64> {
    bytes_of(status, "VmHWM:")
}

/// The number in a line such as `VmHWM:     1234 kB`, in bytes.
fn bytes_of(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The control group of a process: a folder below the mount point of its hierarchy.
#[derive(Debug, PartialEq, Eq)]
struct Group {
    version: Version,
    mount_point: PathBuf,
    folder: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Version {
    const fn limit_file(self) -> &'static str {
        match self {
            Self::One => "memory.limit_in_bytes",
            Self::Two => "memory.max",
        }
    }

    const fn usage_file(self) -> &'static str {
        match self {
            Self::One => "memory.usage_in_bytes",
            Self::Two => "memory.current",
        }
    }
}

/// Version 1 writes "no limit" as the largest multiple of a page; nobody has this much.
const UNLIMITED_FROM: u64 = 1 << 60;

impl Group {
    /// The group of this process.
    fn of_process(root: &Path) -> Option<Self> {
        let text = |path: &str| text_of(&root.join(path));
        Self::find(
            root,
            &text("proc/self/cgroup"),
            &text("proc/self/mountinfo"),
        )
    }

    /// The group that accounts for memory. Where both versions are mounted that is version 1's if
    /// it has the controller.
    fn find(root: &Path, cgroup: &str, mountinfo: &str) -> Option<Self> {
        let memberships = || {
            cgroup.lines().filter_map(|line| {
                let mut fields = line.splitn(3, ':');
                let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
                Some((controllers, path))
            })
        };
        let one =
            memberships().find(|(controllers, _)| controllers.split(',').any(|c| c == "memory"));
        let two = memberships().find(|(controllers, _)| controllers.is_empty());
        let (version, (_, path)) = match (one, two) {
            (Some(one), _) => (Version::One, one),
            (None, Some(two)) => (Version::Two, two),
            (None, None) => return None,
        };
        let (mount_root, mount_point) = mountinfo.lines().find_map(|line| mount(line, version))?;
        let mount_point = root.join(mount_point.strip_prefix("/").unwrap_or(&mount_point));
        // In a container the path may be the host's, and then so is the mount's root.
        let inside = Path::new(path)
            .strip_prefix(&mount_root)
            .unwrap_or(Path::new(""));
        let plain = inside
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        let folder = if plain {
            mount_point.join(inside)
        } else {
            mount_point.clone()
        };
        Some(Self {
            version,
            mount_point,
            folder,
        })
    }

    /// The tightest limit of the group and those around it, with that group's usage; without any
    /// limit the usage of the group itself.
    fn limit_and_usage(&self) -> (Option<u64>, Option<u64>) {
        let usage = |path: &Path| number(&path.join(self.version.usage_file()));
        match self.tightest() {
            Some((limit, path)) => (Some(limit), usage(path)),
            None => (None, usage(&self.folder)),
        }
    }

    /// The tightest limit of the group and those around it, and the group that has it.
    fn tightest(&self) -> Option<(u64, &Path)> {
        let around = self
            .folder
            .ancestors()
            .take_while(|path| path.starts_with(&self.mount_point));
        let limited = around.filter_map(|path| {
            let limit = number(&path.join(self.version.limit_file()))?;
            (limit < UNLIMITED_FROM).then_some((limit, path))
        });
        limited.min_by_key(|(limit, _)| *limit)
    }

    /// Of a group's usage, the pages of files that nobody has used lately: the system drops them
    /// before it kills anyone.
    fn droppable(&self, folder: &Path) -> u64 {
        let name = match self.version {
            Version::One => "total_inactive_file",
            Version::Two => "inactive_file",
        };
        let stat = text_of(&folder.join("memory.stat"));
        let line = stat.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().parse().ok()).unwrap_or(0)
    }
}

/// Root and mount point of a hierarchy with a memory controller, from a line of `mountinfo`:
/// `36 35 98:0 /root /mount/point rw,noatime master:1 - type source options`.
fn mount(line: &str, version: Version) -> Option<(PathBuf, PathBuf)> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(3);
    let (root, point) = (mount.next()?, mount.next()?);
    let mut file_system = file_system.split(' ');
    let (kind, options) = (file_system.next()?, file_system.nth(1).unwrap_or_default());
    let fits = match version {
        Version::One => kind == "cgroup" && options.split(',').any(|option| option == "memory"),
        Version::Two => kind == "cgroup2",
    };
    fits.then(|| (unescape(root), unescape(point)))
}

/// Spaces and the like are written as octal escapes in `mountinfo`.
fn unescape(path: &str) -> PathBuf {
    PathBuf::from(
        path.replace("\\040", " ")
            .replace("\\011", "\t")
            .replace("\\134", "\\"),
    )
}

/// The text of a file, empty if it cannot be read.
fn text_of(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// A number in a file of its own; `max` is none.
fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Path of the executable, as it was when the process began.
pub(super) fn executable() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?;
    // So the kernel marks a file that was replaced or removed since.
    match path
        .to_str()
        .and_then(|text| text.strip_suffix(" (deleted)"))
    {
        Some(original) => Some(PathBuf::from(original)),
        None => Some(path),
    }
}

/// Name of the host, empty if there is none.
pub(super) fn host_name() -> String {
    let mut name = [0_u8; 256];
    // SAFETY: the buffer is valid for the length that is passed.
    let result = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) };
    let end = name.iter().position(|byte| *byte == 0);
    match (result, end) {
        (0, Some(end)) => String::from_utf8_lossy(&name[..end]).into_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNT_TWO: &str =
        "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

    /// A root folder with these files.
    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a temporary folder");
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        root
    }

    fn limit_and_usage(files: &[(&str, &str)]) -> (Option<u64>, Option<u64>) {
        let memory = read(tree(files).path(), 4096);
        (memory.cgroup_limit_bytes, memory.cgroup_usage_bytes)
    }

    #[test]
    fn an_empty_system_knows_nothing() {
        assert_eq!(read(tree(&[]).path(), 4096), ProcessMemory::default());
        let garbage = [
            ("proc/self/statm", "x"),
            ("proc/self/status", "VmHWM: lots"),
            ("proc/self/cgroup", "::::\n\u{1}"),
            ("proc/self/mountinfo", "1 2 - 3\n - \n"),
        ];
        assert_eq!(read(tree(&garbage).path(), 4096), ProcessMemory::default());
    }

    #[test]
    fn resident_memory() {
        let root = tree(&[
            ("proc/self/statm", "1000 250 30 4 0 60 0\n"),
            (
                "proc/self/status",
                "Name:\tx y\nVmPeak:\t    9999 kB\nVmHWM:\t    1234 kB\n",
            ),
        ]);
        let memory = read(root.path(), 4096);
        assert_eq!(memory.rss_bytes, Some(250 * 4096));
        assert_eq!(memory.rss_peak_bytes, Some(1234 * 1024));
    }

    #[test]
    fn this_process_is_resident() {
        let memory = of_process();
        let (now, peak) = (
            memory.rss_bytes.expect("statm"),
            memory.rss_peak_bytes.expect("status"),
        );
        assert!(now > 100 << 10 && peak > 100 << 10);
    }

    #[test]
    fn version_2_in_a_container_of_its_own_name_space() {
        let files = [
            ("proc/self/cgroup", "0::/\n"),
            ("proc/self/mountinfo", MOUNT_TWO),
            ("sys/fs/cgroup/memory.max", "536870912\n"),
            ("sys/fs/cgroup/memory.current", "1000\n"),
        ];
        assert_eq!(limit_and_usage(&files), (Some(536_870_912), Some(1000)));
    }

    #[test]
    fn the_tightest_limit_around_counts() {
        let files = [
            ("proc/self/cgroup", "0::/pods/pod1/app\n"),
            ("proc/self/mountinfo", MOUNT_TWO),
            ("sys/fs/cgroup/pods/memory.max", "9000\n"),
            ("sys/fs/cgroup/pods/memory.current", "3\n"),
            ("sys/fs/cgroup/pods/pod1/memory.max", "8000\n"),
            ("sys/fs/cgroup/pods/pod1/memory.current", "2\n"),
            ("sys/fs/cgroup/pods/pod1/app/memory.max", "max\n"),
            ("sys/fs/cgroup/pods/pod1/app/memory.current", "1\n"),
        ];
        assert_eq!(limit_and_usage(&files), (Some(8000), Some(2)));
        assert_eq!(limit_and_usage(&files[..2]), (None, None));
        let unlimited = [files[0], files[1], files[6], files[7]];
        assert_eq!(limit_and_usage(&unlimited), (None, Some(1)));
    }

    #[test]
    fn pressure_leaves_out_what_can_be_dropped() {
        let files = [
            ("proc/self/cgroup", "0::/\n"),
            ("proc/self/mountinfo", MOUNT_TWO),
            ("proc/self/statm", "1000 250 30 4 0 60 0\n"),
            ("sys/fs/cgroup/memory.max", "10000\n"),
            ("sys/fs/cgroup/memory.current", "9000\n"),
            (
                "sys/fs/cgroup/memory.stat",
                "anon 1\ninactive_anon 77\ninactive_file 3000\nactive_file 5\n",
            ),
        ];
        let pressure = |files, given| {
            let pressure = pressure_in(tree(files).path(), given)?;
            Some((pressure.used_bytes, pressure.limit_bytes))
        };
        assert_eq!(pressure(&files, None), Some((6_000, 10_000)));
        assert_eq!(pressure(&files[..5], None), Some((9_000, 10_000)));
        assert_eq!(
            pressure(&files, Some(7)),
            Some((250 * page_bytes(), 7)),
            "a given limit is the process's own"
        );
        assert_eq!(pressure(&files[..3], None), None, "no limit");
    }

    #[test]
    fn version_1_with_the_hosts_path() {
        let cgroup = "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/system.slice\n";
        let mountinfo = format!(
            "{MOUNT_TWO}33 30 0:29 /docker/abc /sys/fs/cgroup/mem\\040ory ro - cgroup cgroup rw,memory\n"
        );
        let with_limit = |limit| {
            limit_and_usage(&[
                ("proc/self/cgroup", cgroup),
                ("proc/self/mountinfo", &mountinfo),
                ("sys/fs/cgroup/mem ory/memory.limit_in_bytes", limit),
                ("sys/fs/cgroup/mem ory/memory.usage_in_bytes", "77\n"),
            ])
        };
        assert_eq!(with_limit("1048576\n"), (Some(1 << 20), Some(77)));
        assert_eq!(with_limit("9223372036854771712\n"), (None, Some(77)));
    }

    #[test]
    fn a_group_outside_of_what_is_mounted_is_not_followed() {
        let files = [
            ("proc/self/cgroup", "0::/../../elsewhere\n"),
            ("proc/self/mountinfo", MOUNT_TWO),
            ("sys/fs/cgroup/memory.max", "5\n"),
            ("elsewhere/memory.max", "4\n"),
        ];
        assert_eq!(limit_and_usage(&files), (Some(5), None));
    }
}
