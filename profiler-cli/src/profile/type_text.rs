//! Types as people write them: `Vec<Rc<shop::Panel>>` for
//! `alloc::vec::Vec<alloc::rc::Rc<shop::Panel, alloc::alloc::Global>, alloc::alloc::Global>`.

use super::symbol_name::{before_closing, head, is_standard};

/// Arguments that everything has and that say nothing.
const DEFAULTS: [&str; 3] = [
    "alloc::alloc::Global",
    "std::hash::random::RandomState",
    "std::collections::hash::map::RandomState",
];

/// Types within types that are shortened; what is deeper is `…`.
const MAX_NESTING: usize = 8;

/// Longest text of a type, in characters.
const MAX_LENGTH: usize = 120;

/// The first `count` types of a list, shortened.
pub(super) fn first_types(list: &str, count: usize) -> String {
    let mut text = String::new();
    write_types(split_types(list).take(count), MAX_NESTING, &mut text);
    match text.char_indices().nth(MAX_LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Whether a type is one that says nothing, such as the allocator.
pub(super) fn is_default(ty: &str) -> bool {
    DEFAULTS.contains(&ty)
}

/// The types of a list: what stands between the commas outside of all brackets.
pub(super) fn split_types(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let mut previous = ' ';
    list.split(move |c| {
        match c {
            '<' | '(' | '[' | '{' => depth += 1,
            // The arrow of `fn() -> T` closes nothing.
            '>' if previous == '-' => {}
            '>' | ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        previous = c;
        c == ',' && depth == 0
    })
    .map(str::trim)
}

fn write_types<'a>(types: impl Iterator<Item = &'a str>, nesting: usize, out: &mut String) {
    let mut first = true;
    for ty in types.filter(|ty| !is_default(ty)) {
        if !first {
            out.push_str(", ");
        }
        first = false;
        write_type(ty, nesting, out);
    }
}

fn write_type(mut ty: &str, nesting: usize, out: &mut String) {
    let is_in_path = |c: char| c == '_' || c == ':' || c.is_alphanumeric();
    while let Some(c) = ty.chars().next() {
        if c == '<' {
            let inner = before_closing(&ty[1..]);
            match nesting.checked_sub(1) {
                Some(nesting) => {
                    out.push('<');
                    write_types(split_types(inner), nesting, out);
                    out.push('>');
                }
                None => out.push_str("<…>"),
            }
            ty = ty[1 + inner.len()..].strip_prefix('>').unwrap_or_default();
        } else if is_in_path(c) {
            let end = ty.find(|c| !is_in_path(c)).unwrap_or(ty.len());
            let path = &ty[..end];
            let is_own = !head(path).is_some_and(is_standard);
            let shown = if is_own {
                None
            } else {
                path.rsplit("::").next()
            };
            out.push_str(shown.unwrap_or(path));
            ty = &ty[end..];
        } else {
            out.push(c);
            ty = &ty[c.len_utf8()..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn types_lose_what_says_nothing() {
        for (list, count, shown) in [
            ("shop::Cart, alloc::alloc::Global", 1, "shop::Cart"),
            (
                "u32, alloc::vec::Vec<alloc::rc::Rc<shop::Panel, alloc::alloc::Global>, \
                 alloc::alloc::Global>, std::hash::random::RandomState",
                2,
                "u32, Vec<Rc<shop::Panel>>",
            ),
            ("(u8, alloc::string::String), A", 1, "(u8, String)"),
            ("fn(u8) -> alloc::string::String, u8", 1, "fn(u8) -> String"),
            (
                "[core::option::Option<shop::A>; 4], u8",
                1,
                "[Option<shop::A>; 4]",
            ),
            (
                "&mut dyn core::ops::Fn(u8, u16), u8",
                1,
                "&mut dyn Fn(u8, u16)",
            ),
            ("shop::A", 2, "shop::A"),
            ("", 1, ""),
        ] {
            assert_eq!(first_types(list, count), shown, "{list}");
        }
    }

    #[test]
    fn length_and_depth_are_bounded() {
        assert_eq!(
            first_types(&"x".repeat(500), 1).chars().count(),
            MAX_LENGTH + 1
        );
        let deep = format!("{}u8{}", "a::B<".repeat(100_000), ">".repeat(100_000));
        let shown = first_types(&deep, 1);
        assert!(shown.contains("<…>"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[<>:a-zA-Z\\[\\](){}&*; ,\u{e9}-]{0,60}|\\PC{0,40}") {
            let _ = first_types(&text, 2);
        }
    }
}
