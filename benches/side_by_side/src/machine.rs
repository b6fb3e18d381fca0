//! What it was measured on: a result without that says nothing.

use serde::Serialize;
use std::ffi::CStr;
use std::fmt;
use std::fs;
use std::process::Command;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    memory_gib: u64,
    kernel: String,
    libc: String,
    rustc: String,
    /// Processes that wanted to run in the minute before.
    load: String,
}

impl Machine {
    /// Of this machine, with "unknown" for what it does not tell.
    pub(crate) fn describe() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self {
            cpu: field(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: field(&read("/proc/meminfo"), "MemTotal")
                .trim_end_matches(" kB")
                .parse()
                .map_or(0, |kib: u64| (kib + (1 << 19)) >> 20),
            kernel: or_unknown(read("/proc/sys/kernel/osrelease").trim()),
            libc: glibc(),
            rustc: rustc(),
            load: or_unknown(read("/proc/loadavg").split(' ').next().unwrap_or_default()),
        }
    }

    /// Whether something else ran on it in the minute before.
    fn was_busy(&self) -> bool {
        self.load.parse().is_ok_and(|load: f64| load > 0.5)
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cpu,
            cores,
            memory_gib,
            kernel,
            libc,
            rustc,
            load,
        } = self;
        write!(
            f,
            "{cpu}, {cores} cores, {memory_gib} GiB; Linux {kernel}, {libc}; {rustc}; load before \
             the start {load}"
        )?;
        if self.was_busy() {
            f.write_str(": the machine was busy")?;
        }
        Ok(())
    }
}

fn field(text: &str, name: &str) -> String {
    let value = text.lines().find_map(|line| {
        let (field, value) = line.split_once(':')?;
        (field.trim() == name).then(|| value.trim())
    });
    or_unknown(value.unwrap_or_default())
}

fn or_unknown(text: &str) -> String {
    match text {
        "" => "unknown".to_owned(),
        text => text.to_owned(),
    }
}

#[cfg(target_env = "gnu")]
fn glibc() -> String {
    // SAFETY: returns a string constant of the library.
    let version = unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) };
    format!("glibc {}", version.to_string_lossy())
}

#[cfg(not(target_env = "gnu"))]
fn glibc() -> String {
    "another C library".to_owned()
}

fn rustc() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    or_unknown(version.unwrap_or_default().trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_by_their_whole_name() {
        let text = "model\t\t: 106\nmodel name\t: A CPU @ 2.80GHz\n";
        assert_eq!(field(text, "model name"), "A CPU @ 2.80GHz");
        assert_eq!(field(text, "name"), "unknown");
    }
}
