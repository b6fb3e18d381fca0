//! Patterns of names: `*` stands for any text, and all else for itself.
//!
//! Names of Rust have brackets, braces and commas in them, so there are no classes and no sets.

/// What a name must look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// What stands between the stars.
    parts: Vec<String>,
    from_start: bool,
    to_end: bool,
}

impl Pattern {
    /// A pattern of whole names: `shop::cache::*`.
    pub fn whole(text: &str) -> Self {
        Self::new(text, text, true, true)
    }

    /// A pattern that matches anywhere in a name, unless it begins with `^` or ends with `$`: as in
    /// the suppressions of LeakSanitizer.
    pub fn part(text: &str) -> Self {
        let rest = text.strip_prefix('^');
        let (from_start, rest) = (rest.is_some(), rest.unwrap_or(text));
        let inner = rest.strip_suffix('$');
        Self::new(text, inner.unwrap_or(rest), from_start, inner.is_some())
    }

    fn new(text: &str, pattern: &str, from_start: bool, to_end: bool) -> Self {
        Self {
            text: text.to_owned(),
            parts: pattern.split('*').map(str::to_owned).collect(),
            from_start,
            to_end,
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How much of a name it tells: a pattern that tells more is about less.
    pub fn telling(&self) -> usize {
        self.parts.iter().map(String::len).sum()
    }

    /// Whether a name matches.
    pub fn matches(&self, name: &str) -> bool {
        let Some((first, others)) = self.parts.split_first() else {
            return false;
        };
        let (last, middle) = match others.split_last() {
            Some((last, middle)) => (Some(last), middle),
            None => (None, others),
        };
        let Some(last) = last else {
            return match (self.from_start, self.to_end) {
                (true, true) => name == first,
                (true, false) => name.starts_with(first.as_str()),
                (false, true) => name.ends_with(first.as_str()),
                (false, false) => name.contains(first.as_str()),
            };
        };
        let behind = |rest: &'_ str, part: &str| rest.find(part).map(|at| at + part.len());
        let begin = match self.from_start {
            true => name.starts_with(first.as_str()).then_some(first.len()),
            false => behind(name, first),
        };
        let Some(mut rest) = begin.map(|at| &name[at..]) else {
            return false;
        };
        // The earliest place is as good as any: what follows a star may stand anywhere behind it.
        for part in middle {
            match behind(rest, part) {
                Some(at) => rest = &rest[at..],
                None => return false,
            }
        }
        match self.to_end {
            true => rest.ends_with(last.as_str()),
            false => rest.contains(last.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_names() {
        let matches = |pattern: &str, name: &str| Pattern::whole(pattern).matches(name);
        assert!(matches("shop::cart::add", "shop::cart::add"));
        assert!(!matches("shop::cart::add", "shop::cart::add_all"));
        assert!(matches("shop::*", "shop::cart::add"));
        assert!(!matches("shop::*", "workshop::cart"));
        assert!(matches("*::add", "shop::cart::add"));
        assert!(matches("shop::*::add", "shop::a::b::add"));
        assert!(!matches("ab*ba", "aba"));
        assert!(matches("<shop::[T] as *>::f", "<shop::[T] as Clone>::f"));
        assert!(matches("*", "") && matches("", "") && !matches("", "a"));
        assert!(matches("a*b*c", "a1b2b3c") && !matches("a*b*c", "a1c2b"));
    }

    #[test]
    fn parts_of_names() {
        let matches = |pattern: &str, name: &str| Pattern::part(pattern).matches(name);
        assert!(matches("cart", "shop::cart::add"));
        assert!(matches("^shop", "shop::cart") && !matches("^cart", "shop::cart"));
        assert!(matches("cart$", "shop::cart") && !matches("shop$", "shop::cart"));
        assert!(matches("^shop::cart$", "shop::cart") && !matches("^shop$", "shop::cart"));
        assert!(matches("sh*art", "workshop::cart::add"));
        assert!(matches("", "anything"));
    }

    /// Tries all places.
    fn naive(pattern: &[char], name: &[char]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some(('*', rest)) => (0..=name.len()).any(|at| naive(rest, &name[at..])),
            Some((c, rest)) => name.first() == Some(c) && naive(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn as_by_trying_all_places(pattern in "[ab*é]{0,6}", name in "[abé]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let whole = naive(&chars(&pattern), &chars(&name));
            prop_assert_eq!(Pattern::whole(&pattern).matches(&name), whole);
            let part = naive(&chars(&format!("*{pattern}*")), &chars(&name));
            prop_assert_eq!(Pattern::part(&pattern).matches(&name), part);
        }
    }
}
