//! Rules for triggers as people write them: `growth=50%,growth=64MiB,limit=60%/80%/90%,peak`.

use crate::settings::parse_bytes;

/// What takes a snapshot beside the interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::control) struct Rules {
    /// Growth of live bytes since the last snapshot, in percent of what was live then.
    pub(super) growth_percent: Option<u32>,
    /// The same in bytes.
    pub(super) growth_bytes: Option<u64>,
    /// Steps of the memory limit, ascending.
    pub(super) limit_percents: Vec<u64>,
    /// A new peak of live bytes.
    pub(super) peak: bool,
}

/// How rules are written.
pub(in crate::control) const ALLOWED: &str = "none, or some of growth=50%, growth=64MiB, limit, \
                                              limit=60%/80%/90% and peak, separated by commas";

const LIMIT_PERCENTS: [u64; 3] = [60, 80, 90];

impl Default for Rules {
    /// The steps of the limit alone: they are rare, and what they leave is what a kill leaves.
    fn default() -> Self {
        Self {
            limit_percents: LIMIT_PERCENTS.to_vec(),
            ..Self::none()
        }
    }
}

impl Rules {
    /// Nothing but regular snapshots.
    const fn none() -> Self {
        Self {
            growth_percent: None,
            growth_bytes: None,
            limit_percents: Vec::new(),
            peak: false,
        }
    }

    /// Whether there is none.
    pub(in crate::control) fn is_empty(&self) -> bool {
        *self == Self::none()
    }

    /// Reads rules; `None` if they are not written as [`ALLOWED`] says.
    pub(in crate::control) fn parse(text: &str) -> Option<Self> {
        let mut rules = Self::none();
        if matches!(text.trim(), "none" | "0") {
            return Some(rules);
        }
        for rule in text.split(',') {
            let (name, value) = match rule.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim())),
                None => (rule.trim(), None),
            };
            match (name, value) {
                ("growth", Some(value)) => match percent(value) {
                    Some(percent) => rules.growth_percent = Some(u32::try_from(percent).ok()?),
                    None => {
                        let bytes = parse_bytes(value.as_bytes())?;
                        rules.growth_bytes = Some((bytes > 0).then_some(bytes)?);
                    }
                },
                ("limit", None) => rules.limit_percents = LIMIT_PERCENTS.to_vec(),
                ("limit", Some(steps)) => {
                    let steps = steps.split('/').map(|step| percent(step.trim()));
                    let mut steps: Vec<u64> = steps.collect::<Option<_>>()?;
                    steps.sort_unstable();
                    steps.dedup();
                    if steps.last().is_some_and(|&last| last > 100) {
                        return None;
                    }
                    rules.limit_percents = steps;
                }
                ("peak", None) => rules.peak = true,
                _ => return None,
            }
        }
        Some(rules)
    }
}

/// `50%`, at least 1.
fn percent(text: &str) -> Option<u64> {
    let percent = text.strip_suffix('%')?.trim().parse().ok()?;
    (percent > 0).then_some(percent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rules_as_people_write_them() {
        let all = Rules {
            growth_percent: Some(50),
            growth_bytes: Some(64 << 20),
            limit_percents: vec![70, 90],
            peak: true,
        };
        let text = "growth=50%, growth=64MiB, limit = 90%/70%/90%, peak";
        assert_eq!(Rules::parse(text), Some(all));
        assert_eq!(Rules::parse("limit"), Some(Rules::default()));
        for text in ["none", "0", " none "] {
            assert!(Rules::parse(text).expect("no rules").is_empty());
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "",
            "growth",
            "growth=",
            "growth=0%",
            "growth=0",
            "growth=-5%",
            "limit=",
            "limit=101%",
            "limit=50",
            "limit=60%/",
            "peak=1",
            "limits",
            "growth=50%,",
            "Growth=50%",
        ] {
            assert_eq!(Rules::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(growth|limit|peak|=|,|%|/|[0-9]|[A-Za-z]){0,20}") {
            if let Some(rules) = Rules::parse(&text) {
                prop_assert!(rules.limit_percents.is_sorted());
                prop_assert!(rules.limit_percents.iter().all(|step| (1..=100).contains(step)));
            }
        }
    }
}
