//! Settings that are fixed at the first allocation, and how people write them.
//!
//! Floor zero: pure functions over bytes, since the allocator reads its settings from the
//! environment before `main`. Nothing here allocates, locks or panics.

pub use crate::snapshot::RecorderMode as Mode;

/// What the allocator must know before it serves its first allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    /// Mean distance between samples in bytes, at least 1.
    pub(crate) sample_bytes: u64,
    /// Most frames kept of one stack.
    pub(crate) depth: u32,
}

impl Settings {
    pub(crate) const DEFAULT: Self = Self {
        mode: Mode::Sampled,
        sample_bytes: 512 << 10,
        depth: 128,
    };
}

/// Fewest and most frames that `HEAPLENS_DEPTH` can ask for.
pub(crate) const DEPTH_RANGE: std::ops::RangeInclusive<u32> = 8..=256;

/// Reads `off`, `sampled` or `exact`.
pub(crate) fn parse_mode(text: &[u8]) -> Option<Mode> {
    match text {
        b"off" => Some(Mode::Off),
        b"sampled" => Some(Mode::Sampled),
        b"exact" => Some(Mode::Exact),
        _ => None,
    }
}

/// Reads a number of frames within [`DEPTH_RANGE`].
pub(crate) fn parse_depth(text: &[u8]) -> Option<u32> {
    let (digits, rest) = split_digits(text)?;
    let depth = u32::try_from(digits).ok()?;
    (rest.is_empty() && DEPTH_RANGE.contains(&depth)).then_some(depth)
}

/// Reads a size as people write it: `4096`, `512KiB`, `512 kib`, `64k`, `1.5GiB` is not one.
///
/// `k`, `m`, `g`, `t` and `KiB`, `MiB`, `GiB`, `TiB` are powers of 1,024; `kB`, `MB`, `GB`, `TB`
/// are powers of 1,000; case does not matter.
pub(crate) fn parse_bytes(text: &[u8]) -> Option<u64> {
    let (digits, rest) = split_digits(text)?;
    let unit = rest.trim_ascii();
    let is = |name: &[u8]| unit.eq_ignore_ascii_case(name);
    let factor: u64 = if is(b"") || is(b"b") {
        1
    } else if is(b"k") || is(b"kib") {
        1 << 10
    } else if is(b"m") || is(b"mib") {
        1 << 20
    } else if is(b"g") || is(b"gib") {
        1 << 30
    } else if is(b"t") || is(b"tib") {
        1 << 40
    } else if is(b"kb") {
        1_000
    } else if is(b"mb") {
        1_000_000
    } else if is(b"gb") {
        1_000_000_000
    } else if is(b"tb") {
        1_000_000_000_000
    } else {
        return None;
    };
    digits.checked_mul(factor)
}

fn split_digits(text: &[u8]) -> Option<(u64, &[u8])> {
    let text = text.trim_ascii();
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for digit in digits {
        value = value
            .checked_mul(10)?
            .checked_add(u64::from(digit - b'0'))?;
    }
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_people_write_them() {
        for (text, bytes) in [
            ("4096", 4096),
            (" 512KiB ", 512 << 10),
            ("512 kib", 512 << 10),
            ("64k", 64 << 10),
            ("256MiB", 256 << 20),
            ("1g", 1 << 30),
            ("10MB", 10_000_000),
            ("0", 0),
        ] {
            assert_eq!(parse_bytes(text.as_bytes()), Some(bytes), "{text}");
        }
        for text in [
            "",
            "KiB",
            "1.5GiB",
            "12 parsecs",
            "-1",
            "99999999999999999999",
            "99999999TiB",
        ] {
            assert_eq!(parse_bytes(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn depth_has_bounds() {
        assert_eq!(parse_depth(b"128"), Some(128));
        assert_eq!(parse_depth(b"7"), None);
        assert_eq!(parse_depth(b"513"), None);
        assert_eq!(parse_depth(b"64k"), None);
    }
}
