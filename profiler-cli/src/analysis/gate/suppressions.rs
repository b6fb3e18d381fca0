//! Leaks that are known and not to be told of, in the form of LeakSanitizer: a line `leak:PATTERN`
//! each, where the pattern is to be found in the name of a function, a source file or a binary of
//! the stack. `#` begins a comment.
//!
//! They take the blame from leaks and nothing from numbers: what is suppressed still counts for limits.

use super::pattern::Pattern;
use super::text::TextError;
use crate::profile::{NodeId, Profile};

/// Patterns of leaks.
#[derive(Debug, Clone, Default)]
pub struct Suppressions(Vec<Pattern>);

impl Suppressions {
    /// Adds those of a text.
    ///
    /// # Errors
    ///
    /// The first line that is none.
    pub fn add(&mut self, text: &str) -> Result<(), TextError> {
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let place = start + (line.len() - line.trim_start().len());
            start += line.len();
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let pattern = line.strip_prefix("leak:").map(str::trim);
            let Some(pattern) = pattern.filter(|pattern| !pattern.is_empty()) else {
                return Err(TextError::at(
                    text,
                    place,
                    "expected `leak:` and a part of the name of a function, a source file or a \
                     binary, or a comment that begins with `#`",
                ));
            };
            self.0.push(Pattern::part(pattern));
        }
        Ok(())
    }

    /// The pattern that matches some frame of a stack, if one does.
    pub fn matching(&self, profile: &Profile, stack: NodeId) -> Option<&Pattern> {
        self.0.iter().find(|pattern| {
            profile.tree().stack(stack).any(|node| {
                let (frames, function) = (profile.frames(), profile.frame(node).function);
                pattern.matches(frames.name(function))
                    || frames
                        .file(function)
                        .is_some_and(|file| pattern.matches(file))
                    || pattern.matches(frames.binary(function))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_known_form_and_no_others() {
        let mut known = Suppressions::default();
        known
            .add("# of a library\nleak:libfoo.so\n\n  leak:^shop::*$  \r\n")
            .unwrap();
        let texts: Vec<&str> = known.0.iter().map(Pattern::text).collect();
        assert_eq!(texts, ["libfoo.so", "^shop::*$"]);
        for (text, place) in [
            ("leak:a\n  race:b\n", (2, 3)),
            ("leak:\n", (1, 1)),
            ("shop::cart", (1, 1)),
        ] {
            let error = known.add(text).unwrap_err();
            assert_eq!((error.line, error.column), place, "{error}");
            assert!(error.what.contains("`leak:`"), "{error}");
        }
    }
}
