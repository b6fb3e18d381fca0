//! What reading a snapshot may cost in this process.

use heaplens::snapshot::Limits;

/// A profile and its output take room beside the snapshot, and two may be read at a time.
const PART_OF_ADDRESS_SPACE: u64 = 8;

/// The usual limits, or less where the address space is limited (`ulimit -v`): there a file that
/// unfolds would end the process by a failed allocation, and not by a clear line.
pub(super) fn limits() -> Limits {
    let usual = Limits::default();
    let text = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    match address_space(&text) {
        Some(bytes) => within(usual, bytes / PART_OF_ADDRESS_SPACE),
        None => usual,
    }
}

fn within(usual: Limits, bytes: u64) -> Limits {
    Limits {
        decompressed_bytes: usual.decompressed_bytes.min(bytes),
        parsed_bytes: usual.parsed_bytes.min(bytes),
    }
}

/// The soft limit in the text that Linux shows; none where it is not limited.
fn address_space(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_read() {
        let text = |soft| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max file locks            unlimited            unlimited            locks     \n\
                 Max address space         {soft:20} unlimited            bytes     \n"
            )
        };
        assert_eq!(address_space(&text("1073741824")), Some(1 << 30));
        assert_eq!(address_space(&text("unlimited")), None);
        assert_eq!(address_space(""), None);
    }

    #[test]
    fn limits_are_only_taken_down() {
        let usual = Limits::default();
        assert_eq!(within(usual, u64::MAX), usual);
        assert_eq!(within(usual, 5).parsed_bytes, 5);
        assert_eq!(within(usual, 5).decompressed_bytes, 5);
    }
}
