//! Names of snapshot files:
//! `heaplens.<executable>.<start, UTC>-<pid>.<sequence>.<reason>.json.gz`.
//!
//! A name tells a run from every other: a container that restarts has process id 1 again, but
//! another start. Whatever a field holds, the text of a name has no character that a shell, a
//! terminal or a path gives a meaning to.

use super::model::Reason;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const PREFIX: &str = "heaplens.";
const SUFFIX: &str = ".json.gz";
const EXECUTABLE_CHARS: usize = 64;
const REASON_CHARS: usize = 32;
/// Shape of a start time; `d` stands for a digit.
const STARTED_SHAPE: &[u8] = b"ddddddddTdddddd.dddZ";
/// The last millisecond of the year 9999: later times have no four-digit year.
const LAST_UNIX_MS: u64 = 253_402_300_799_999;

/// One run of a program: what all its snapshots have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunName {
    /// File name of the executable. In text reduced to [`executable_slug`].
    pub executable: String,
    /// When the run started, in milliseconds since the Unix epoch.
    pub started_unix_ms: u64,
    /// Process id, in the process's own namespace.
    pub pid: u32,
}

/// The name of one snapshot file. Sorts by run, then by sequence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName {
    /// The run that wrote it.
    pub run: RunName,
    /// Number of the snapshot in its run, from 1.
    pub sequence: u64,
    /// Why it was taken, in a word. In text reduced to [`reason_slug`].
    pub reason: String,
}

impl FileName {
    /// Reads a name as its `Display` writes it; `None` for any other text.
    pub fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
        let (rest, reason) = rest.rsplit_once('.')?;
        let (rest, sequence) = rest.rsplit_once('.')?;
        // The start holds a dot itself, before its milliseconds.
        let dot = rest.rmatch_indices('.').nth(1)?.0;
        let (executable, start_and_pid) = (&rest[..dot], &rest[dot + 1..]);
        let (started, pid) = start_and_pid.split_once('-')?;
        let parsed = Self {
            run: RunName {
                executable: executable.to_owned(),
                started_unix_ms: parse_basic_iso(started)?,
                pid: pid.parse().ok()?,
            },
            sequence: sequence.parse().ok()?,
            reason: reason.to_owned(),
        };
        // Whatever the parser was lenient about (signs, zeros, foreign characters) is no name.
        (parsed.to_string() == name).then_some(parsed)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{PREFIX}{}.{:06}.{}{SUFFIX}",
            self.run,
            self.sequence,
            reason_slug(&self.reason)
        )
    }
}

impl fmt::Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}-{}",
            executable_slug(&self.executable),
            basic_iso(self.started_unix_ms),
            self.pid
        )
    }
}

/// Reduces a program's file name to `[A-Za-z0-9_.-]{1,64}`.
pub fn executable_slug(name: &str) -> String {
    if name.is_empty() {
        return "program".to_owned();
    }
    name.chars()
        .take(EXECUTABLE_CHARS)
        .map(|char| match char {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '_' | '.' | '-' => char,
            _ => '_',
        })
        .collect()
}

/// Reduces a reason or a label to `[a-z0-9-]{1,32}`; one without a letter or digit is `request`.
pub fn reason_slug(text: &str) -> String {
    let mut slug = String::new();
    for char in text.chars() {
        if slug.len() == REASON_CHARS {
            break;
        }
        let lower = char.to_ascii_lowercase();
        if lower.is_ascii_lowercase() || lower.is_ascii_digit() {
            slug.push(lower);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let trimmed = slug.trim_end_matches('-');
    if trimmed.is_empty() {
        Reason::Request.slug().to_owned()
    } else {
        trimmed.to_owned()
    }
}

impl Reason {
    /// The word that stands for the reason in JSON and in file names.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Interval => "interval",
            Self::Signal => "signal",
            Self::Growth => "growth",
            Self::Limit => "limit",
            Self::Peak => "peak",
            Self::Exit => "exit",
            Self::Panic => "panic",
            Self::Request => "request",
            Self::Mark => "mark",
            Self::Graph => "graph",
            Self::Other => "other",
        }
    }
}

/// Writes a time as RFC 3339 in UTC with milliseconds: `2026-11-22T21:15:30.123Z`.
///
/// Times after the year 9999 are written as its last millisecond.
pub fn rfc3339(unix_ms: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(unix_ms.min(LAST_UNIX_MS));
    humantime::format_rfc3339_millis(time).to_string()
}

/// The same in ISO 8601's basic form: `20261122T211530.123Z`.
fn basic_iso(unix_ms: u64) -> String {
    rfc3339(unix_ms).replace(['-', ':'], "")
}

fn parse_basic_iso(text: &str) -> Option<u64> {
    let fits = |(byte, shape): (u8, &u8)| match shape {
        b'd' => byte.is_ascii_digit(),
        _ => byte == *shape,
    };
    if text.len() != STARTED_SHAPE.len() || !text.bytes().zip(STARTED_SHAPE).all(fits) {
        return None;
    }
    let extended = format!(
        "{}-{}-{}:{}:{}",
        &text[..4],
        &text[4..6],
        &text[6..11],
        &text[11..13],
        &text[13..]
    );
    let time: SystemTime = humantime::parse_rfc3339(&extended).ok()?;
    let since_epoch = time.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since_epoch.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EXAMPLE: &str =
        "heaplens.widget_service.20261122T211530.123Z-4242.000007.interval.json.gz";

    fn example() -> FileName {
        FileName {
            run: RunName {
                executable: "widget_service".to_owned(),
                started_unix_ms: 1_795_382_130_123,
                pid: 4242,
            },
            sequence: 7,
            reason: "interval".to_owned(),
        }
    }

    #[test]
    fn a_name_as_documented() {
        assert_eq!(example().to_string(), EXAMPLE);
        assert_eq!(FileName::parse(EXAMPLE), Some(example()));
        assert_eq!(rfc3339(1_795_382_130_123), "2026-11-22T21:15:30.123Z");
    }

    #[test]
    fn dots_in_the_executable_and_long_sequences() {
        let name = FileName {
            run: RunName {
                executable: "app.v1.2-rc.3".to_owned(),
                ..example().run
            },
            sequence: 12_345_678,
            ..example()
        };
        let text = name.to_string();
        assert!(text.contains(".12345678."), "{text}");
        assert_eq!(FileName::parse(&text), Some(name));
    }

    #[test]
    fn other_names_are_none() {
        for name in [
            "",
            "heaplens.json.gz",
            "heaplens.a.b.c.d.json.gz",
            "heaplens.widget_service.20261122T211530.123Z-4242.000007.interval.json",
            "heaplens.widget_service.20261322T211530.123Z-4242.000007.interval.json.gz",
            "heaplens.widget_service.20261122T211530.123Z-+4242.000007.interval.json.gz",
            "heaplens.widget_service.20261122T211530.123Z-4242.7.interval.json.gz",
            "heaplens.widget_service.20261122T211530.123Z-4242.0000007.interval.json.gz",
            "heaplens.widget_service.20261122T211530.123Z-4242.000007.Interval.json.gz",
            "heaplens.widget_service.20261122T211530.123Z-4242.000007..json.gz",
            "heaplens..20261122T211530.123Z-4242.000007.interval.json.gz",
            "heaplens.widget service.20261122T211530.123Z-4242.000007.interval.json.gz",
            "heaplens.../x.20261122T211530.123Z-4242.000007.interval.json.gz",
            "heaplens.w.20261122T2115é0.123Z-4242.000007.interval.json.gz",
            ".heaplens.w.20261122T211530.123Z-4242.000007.interval.json.gz",
        ] {
            assert_eq!(FileName::parse(name), None, "{name}");
        }
    }

    #[test]
    fn reasons_are_reduced() {
        for (text, slug) in [
            ("", "request"),
            ("!!", "request"),
            ("After warm-up!", "after-warm-up"),
            ("../../etc/passwd", "etc-passwd"),
            ("größe", "gr-e"),
            (
                "abcdefghijklmnopqrstuvwxyz0123456789",
                "abcdefghijklmnopqrstuvwxyz012345",
            ),
            ("-", "request"),
        ] {
            assert_eq!(reason_slug(text), slug, "{text}");
        }
    }

    #[test]
    fn a_reason_is_the_same_word_in_json() {
        use Reason::*;
        for reason in [
            Interval, Signal, Growth, Limit, Peak, Exit, Panic, Request, Mark, Graph, Other,
        ] {
            let json = serde_json::to_string(&reason).expect("a word");
            assert_eq!(json, format!("\"{}\"", reason.slug()));
        }
    }

    proptest! {
        #[test]
        fn names_survive_the_round_trip(
            executable in "[A-Za-z0-9_.-]{1,64}",
            started_unix_ms in 0..=LAST_UNIX_MS,
            pid in any::<u32>(),
            sequence in any::<u64>(),
            reason in "[a-z0-9]([a-z0-9]|-[a-z0-9]){0,15}",
        ) {
            let run = RunName { executable, started_unix_ms, pid };
            let name = FileName { run, sequence, reason };
            prop_assert_eq!(FileName::parse(&name.to_string()), Some(name));
        }

        #[test]
        fn any_fields_make_a_harmless_name(
            executable in any::<String>(),
            started_unix_ms in any::<u64>(),
            sequence in any::<u64>(),
            reason in any::<String>(),
        ) {
            let run = RunName { executable, started_unix_ms, pid: 1 };
            let text = FileName { run, sequence, reason }.to_string();
            prop_assert!(text.len() < 255);
            prop_assert!(
                text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)),
                "{}", text
            );
            let parsed = FileName::parse(&text);
            prop_assert_eq!(parsed.map(|name| name.to_string()), Some(text));
        }

        #[test]
        fn parsing_never_panics(text in "(heaplens\\.)?\\PC{0,60}(\\.json\\.gz)?") {
            if let Some(name) = FileName::parse(&text) {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
