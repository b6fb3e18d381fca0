//! Resident memory of processes, as the kernel counts it.

use std::fs;
use std::io;

/// Largest resident set of a process since its start, in bytes.
///
/// # Errors
///
/// If there is no such process.
pub fn peak_rss_of(process: u32) -> io::Result<u64> {
    read(&format!("/proc/{process}/status"), "VmHWM")
}

/// The same of this process.
///
/// # Errors
///
/// Where `/proc` is not mounted.
pub fn peak_rss() -> io::Result<u64> {
    read("/proc/self/status", "VmHWM")
}

/// Resident set of this process now, in bytes.
///
/// # Errors
///
/// Where `/proc` is not mounted.
pub fn rss() -> io::Result<u64> {
    read("/proc/self/status", "VmRSS")
}

fn read(path: &str, field: &str) -> io::Result<u64> {
    let status = fs::read_to_string(path)?;
    parse(&status, field).ok_or_else(|| io::Error::other(format!("{path} has no {field}")))
}

fn parse(status: &str, field: &str) -> Option<u64> {
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kib.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_in_units_of_1024_bytes() {
        let status = "Name:\tcontender\nVmHWM:\t    3072 kB\nVmRSS:\t    2048 kB\n";
        assert_eq!(parse(status, "VmHWM"), Some(3 << 20));
        assert_eq!(parse(status, "VmRSS"), Some(2 << 20));
        assert_eq!(parse(status, "VmSwap"), None);
        assert_eq!(parse("VmHWM: many kB", "VmHWM"), None);
    }

    #[test]
    fn the_peak_is_at_least_what_is_resident() {
        let resident = rss().expect("/proc is there");
        assert!(resident > 0 && resident <= peak_rss().expect("/proc is there"));
    }
}
