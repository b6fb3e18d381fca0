//! A control group with little memory, of version 1 or 2.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) struct Group(PathBuf);

impl Group {
    /// Makes one. `None` where the system or its owner does not allow it.
    pub(crate) fn new(limit_bytes: u64) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("heaplens-{}-{count}", std::process::id());
        for (root, limit) in [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ] {
            // Version 2 has memory groups below the root only where the root hands that down.
            let _ = fs::write(Path::new(root).join("cgroup.subtree_control"), "+memory");
            let path = Path::new(root).join(&name);
            if fs::create_dir(&path).is_err() {
                continue;
            }
            let group = Self(path);
            if fs::write(group.0.join(limit), limit_bytes.to_string()).is_ok() {
                // Where there is swap, it is not to be a way out.
                let _ = fs::write(group.0.join("memory.swap.max"), "0");
                let _ = fs::write(group.0.join("memory.swappiness"), "0");
                return Some(group);
            }
        }
        None
    }

    /// The file that a process joins the group by.
    pub(crate) fn members(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its process has ended; a group that stays does no harm.
        let _ = fs::remove_dir(&self.0);
    }
}
