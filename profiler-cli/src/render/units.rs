//! Numbers and times as people read them.

use std::time::Duration;

use super::escape::printable;

const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// Bytes with a unit: `0 B`, `1023 B`, `1.5 KiB`, `-3.2 MiB`.
pub fn bytes(bytes: i64) -> String {
    let sign = if bytes < 0 { "-" } else { "" };
    let mut amount = bytes.unsigned_abs() as f64;
    if amount < 1024.0 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    amount /= 1024.0;
    // What would print as 1024.0 belongs to the next unit.
    while amount >= 1023.95 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{sign}{amount:.1} {}", UNITS[unit])
}

/// The same for a number without a sign; what passes `i64::MAX` shows as that.
pub fn unsigned_bytes(amount: u64) -> String {
    bytes(i64::try_from(amount).unwrap_or(i64::MAX))
}

/// A change of bytes, with its sign: `+1.5 KiB`.
pub fn change(amount: i64) -> String {
    let plus = if amount > 0 { "+" } else { "" };
    format!("{plus}{}", bytes(amount))
}

/// A rate of bytes a second as people say it: by the minute, hour or day, whichever is some KiB.
pub fn rate(bytes_per_second: f64) -> String {
    let (seconds, unit) = [(60.0, "min"), (3600.0, "h"), (86_400.0, "day")]
        .into_iter()
        .find(|(seconds, _)| (bytes_per_second * seconds).abs() >= 1024.0)
        .unwrap_or((86_400.0, "day"));
    format!("{}/{unit}", change((bytes_per_second * seconds) as i64))
}

/// Bytes as people write them: `512MiB`, `2 GiB`, `1000000`. `None` for anything else.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// Values as a row of bars, the lowest for zero or the least of them and the tallest for the largest.
pub fn sparkline(values: &[i64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const MOST_BARS: usize = 40;
    let low = values.iter().copied().min().unwrap_or(0).min(0) as f64;
    let high = values.iter().copied().max().unwrap_or(0) as f64;
    let step = values.len().div_ceil(MOST_BARS).max(1);
    let bar = |value: &i64| {
        let part = (*value as f64 - low) / (high - low).max(1.0);
        BARS[((part * 7.0).round() as usize).min(7)]
    };
    // From the end, so that the newest one is always there.
    let mut bars: Vec<char> = values.iter().rev().step_by(step).map(bar).collect();
    bars.reverse();
    bars.into_iter().collect()
}

/// Half width of an interval in bytes: `±1.5 KiB`.
pub fn error(half_width: f64) -> String {
    format!("±{}", bytes(half_width.round() as i64))
}

/// A count that is never negative.
pub fn unsigned_count(count: u64) -> String {
    self::count(i64::try_from(count).unwrap_or(i64::MAX))
}

/// A count with separators: `1,234,567`.
pub fn count(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let mut text = String::from(if count < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A part of a whole in percent: `12.3 %`; `-` where there is no whole.
pub fn share(part: i64, whole: i64) -> String {
    if whole <= 0 {
        return "-".to_owned();
    }
    format!("{:.1} %", 100.0 * part as f64 / whole as f64)
}

/// The time in a header, without fractions: `2026-01-05 14:02:11 UTC`.
pub fn time(rfc3339: &str) -> String {
    let shown: String = printable(rfc3339).chars().take(40).collect();
    match shown.trim_end_matches('Z').split_once('T') {
        _ if shown.is_empty() => "unknown time".to_owned(),
        Some((date, clock)) if shown.ends_with('Z') => {
            format!("{date} {} UTC", clock.split('.').next().unwrap_or(clock))
        }
        _ => shown,
    }
}

/// A span in at most two units: `2h 5m`, `42s`, `180ms`.
pub fn span(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    let rounded = match seconds {
        0 => Duration::from_millis(milliseconds),
        1..3600 => Duration::from_secs(seconds),
        3600..86_400 => Duration::from_secs(seconds / 60 * 60),
        _ => Duration::from_secs(seconds / 3600 * 3600),
    };
    let (seconds, minutes) = (rounded.as_secs() % 60, rounded.as_secs() / 60);
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let parts = [(days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s")];
    let text: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| format!("{n}{unit}"))
        .collect();
    if text.is_empty() {
        format!("{milliseconds}ms")
    } else {
        text.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_units() {
        for (amount, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (-1536, "-1.5 KiB"),
            (1_048_575, "1.0 MiB"),
            (1_000_000, "976.6 KiB"),
            (i64::MAX, "8.0 EiB"),
            (i64::MIN, "-8.0 EiB"),
        ] {
            assert_eq!(bytes(amount), text);
        }
        assert_eq!(change(1536), "+1.5 KiB");
        assert_eq!(change(0), "0 B");
        assert_eq!(unsigned_bytes(u64::MAX), "8.0 EiB");
    }

    #[test]
    fn rates_have_a_fitting_time() {
        assert_eq!(rate(1024.0 * 1024.0), "+60.0 MiB/min");
        assert_eq!(rate(10.0), "+35.2 KiB/h");
        assert_eq!(rate(-0.1), "-8.4 KiB/day");
        assert_eq!(rate(0.0), "0 B/day");
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("512MiB", 512 << 20),
            ("2 GiB", 2 << 30),
            ("7", 7),
            ("10kb", 10_000),
        ] {
            assert_eq!(parse_bytes(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "1.5GiB", "-1", "5 parsecs", "99999999999TiB"] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn the_tallest_bar_is_the_largest_value() {
        assert_eq!(sparkline(&[0, 50, 100]), "▁▅█");
        assert_eq!(sparkline(&[]), "");
        assert_eq!(sparkline(&[0; 3]), "▁▁▁");
        assert_eq!(
            sparkline(&(0..1000).collect::<Vec<_>>()).chars().count(),
            40
        );
    }

    #[test]
    fn counts_have_separators() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(-1000), "-1,000");
        assert_eq!(count(999), "999");
    }

    #[test]
    fn shares_of_nothing_are_no_numbers() {
        assert_eq!(share(1, 8), "12.5 %");
        assert_eq!(share(1, 0), "-");
    }

    #[test]
    fn times_are_short() {
        assert_eq!(time("2026-01-05T14:02:11.123Z"), "2026-01-05 14:02:11 UTC");
        assert_eq!(time(""), "unknown time");
        assert_eq!(time("\u{1b}[2J"), "\\u{1b}[2J");
    }

    #[test]
    fn spans_round_to_what_matters() {
        for (ms, text) in [
            (180, "180ms"),
            (42_900, "42s"),
            (125_000, "2m 5s"),
            (7_500_000, "2h 5m"),
            (90_000_000, "1d 1h"),
        ] {
            assert_eq!(span(ms), text);
        }
    }
}
