//! The kit's rules and queries at another pace: a day that passes in minutes.
//!
//! Every duration is divided, and every number that counts by the second is multiplied, by the same
//! factor. Thresholds in bytes stay, and so does the shape of each rule.

use super::replace;

/// So many times faster than the clock: an hour is 6 seconds, a minute a tenth of one.
pub const FACTOR: u64 = 600;

/// What stands in front of a duration, in PromQL and in rules files.
const MARKS: [&str; 4] = ["[", "offset ", "for: ", "interval: "];
/// Seconds of each unit that the kit uses.
const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];

/// The alert rules at this pace.
pub fn rules(text: &str) -> Result<String, String> {
    let by_the_second = [
        ("> 2 * 1024\n", format!("> {FACTOR} * 2 * 1024\n")),
        ("4 * 3600)", format!("4 * 3600 / {FACTOR})")),
    ];
    let pairs = by_the_second
        .each_ref()
        .map(|(from, to)| (*from, to.as_str()));
    Ok(durations(&replace(text, &pairs)?))
}

/// A text with all durations divided, in milliseconds.
pub fn durations(text: &str) -> String {
    let mut paced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(end) = MARKS
        .iter()
        .filter_map(|mark| rest.find(mark).map(|at| at + mark.len()))
        .min()
    {
        let (before, after) = rest.split_at(end);
        paced.push_str(before);
        rest = after;
        if let Some((seconds, length)) = duration(after) {
            paced.push_str(&format!("{}ms", seconds * 1_000 / FACTOR));
            rest = &after[length..];
        }
    }
    paced + rest
}

/// The duration that a text begins with, in seconds, and its length.
fn duration(text: &str) -> Option<(u64, usize)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let unit = text[digits..].chars().next()?;
    let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let end = digits + 1;
    let goes_on = text[end..].starts_with(|c: char| c.is_ascii_alphanumeric());
    (!goes_on).then_some((number * seconds, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_divided_and_nothing_else() {
        for (text, paced) in [
            ("deriv(x[1h])", "deriv(x[6000ms])"),
            (
                "max_over_time(x[6h] offset 1d)",
                "max_over_time(x[36000ms] offset 144000ms)",
            ),
            ("  for: 30m\ninterval: 1m", "  for: 3000ms\ninterval: 100ms"),
            (
                "record: rise3h # for 3h, x[1]",
                "record: rise3h # for 3h, x[1]",
            ),
        ] {
            assert_eq!(durations(text), paced);
        }
    }

    #[test]
    fn the_kit_has_no_rule_that_keeps_its_pace() {
        let rules = rules(include_str!("../operations/prometheus/rules.yml")).unwrap();
        let code = |line: &&str| !line.trim_start().starts_with('#');
        for line in rules.lines().filter(code) {
            for unit in ["m]", "h]", "d]", "offset 1d", "offset 3h", "3600)"] {
                assert!(!line.contains(unit), "{line}");
            }
        }
        assert!(rules.contains("> 600 * 2 * 1024\n") && rules.contains("for: 3000ms"));
    }
}
