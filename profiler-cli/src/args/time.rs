//! Times as people write them: `100ms`, `60s`, `2min`.

use std::time::Duration;

/// Longest time: clocks have an end too.
const MOST_TIME: Duration = Duration::from_secs(366 * 24 * 3600);

/// A time, longer than none.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    match time_or_zero(text)? {
        Duration::ZERO => Err("must be longer than no time".to_owned()),
        time => Ok(time),
    }
}

/// A time, or 0 for none.
pub(super) fn time_or_zero(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text.trim()) {
        Ok(time) if time <= MOST_TIME => Ok(time),
        _ => Err("not a time such as 100ms, 60s or 2min".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, milliseconds) in [
            ("0", 0),
            ("0s", 0),
            ("100ms", 100),
            ("60s", 60_000),
            ("5 min", 300_000),
            ("1h", 3_600_000),
        ] {
            let expected = Duration::from_millis(milliseconds);
            assert_eq!(time_or_zero(text), Ok(expected), "{text}");
            assert_eq!(time(text).is_ok(), milliseconds > 0, "{text}");
        }
        for text in [
            "",
            "5",
            "s",
            "-1s",
            "5 parsecs",
            "367d",
            "99999999999999999999h",
        ] {
            assert!(time_or_zero(text).is_err(), "{text}");
            assert!(time(text).is_err(), "{text}");
        }
    }
}
