//! The query of a request: values by name.

use super::Response;
use std::fmt::Display;
use std::ops::RangeInclusive;

/// What stands behind the `?`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// A number; `None` if it is not there.
    pub(super) fn number(
        &self,
        name: &str,
        allowed: RangeInclusive<u64>,
    ) -> Result<Option<u64>, Response> {
        let (least, most) = (allowed.start(), allowed.end());
        self.value(
            name,
            format_args!("a number from {least} to {most}"),
            |value| {
                let number = str::from_utf8(value).ok()?.parse().ok()?;
                allowed.contains(&number).then_some(number)
            },
        )
    }

    /// What `read` makes of a value; `None` if it is not there.
    pub(super) fn value<T>(
        &self,
        name: &str,
        allowed: impl Display,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, Response> {
        let value = self.0.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then_some(value)
        });
        let Some(value) = value else {
            return Ok(None);
        };
        let refused = || Response::refused(400, format_args!("{name} takes {allowed}"));
        read(value.as_bytes()).map(Some).ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_name() {
        let number = |text, name| Query::new(text).number(name, 1..=600);
        assert_eq!(number("seconds=5", "seconds"), Ok(Some(5)));
        assert_eq!(number("debug=1&seconds=600", "seconds"), Ok(Some(600)));
        assert_eq!(number("debug=1", "seconds"), Ok(None));
        assert_eq!(number("", "seconds"), Ok(None));
        for text in [
            "seconds",
            "seconds=",
            "seconds=0",
            "seconds=601",
            "seconds=-1",
            "seconds=x",
        ] {
            let refused = number(text, "seconds").expect_err(text);
            assert_eq!(refused.status, 400);
            assert_eq!(refused.body, b"seconds takes a number from 1 to 600\n");
        }
    }
}
