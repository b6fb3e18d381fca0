//! Processes that this one has started, the copies that heaplens makes for a scan among them.

use std::fs;

/// Numbers of all children, those that have ended and were not waited for included.
pub(crate) fn children() -> String {
    let tasks = fs::read_dir("/proc/self/task").expect("/proc");
    let of = |task: fs::DirEntry| fs::read_to_string(task.path().join("children"));
    tasks.flatten().filter_map(|task| of(task).ok()).collect()
}

/// Those that are copies. Other processes of heaplens' own have the memory of this one, and end with it or before.
pub(crate) fn copies() -> Vec<libc::pid_t> {
    let score = |child: &str| fs::read_to_string(format!("/proc/{child}/oom_score_adj"));
    children()
        .split_whitespace()
        .filter(|child| score(child).is_ok_and(|score| score.trim() == "1000"))
        .map(|child| child.parse().expect("a number"))
        .collect()
}
