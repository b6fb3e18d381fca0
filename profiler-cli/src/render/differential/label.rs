//! What is written on a frame.

use std::borrow::Cow;

use crate::profile::symbol_name::self_type;

/// The last two parts of a path, which say more on a narrow frame than its crate does: `Cart::add`
/// of `shop::cart::Cart::add` and of `<shop::cart::Cart as shop::Basket>::add`.
pub(super) fn short(name: &str) -> Cow<'_, str> {
    let mut from_end = separators(name).rev();
    let (Some(last), second) = (from_end.next(), from_end.next()) else {
        return Cow::Borrowed(name);
    };
    match second {
        Some(second) => Cow::Borrowed(&name[second + 2..]),
        None if name.starts_with('<') => {
            let of = self_type(name);
            let of = separators(of).next_back().map_or(of, |at| &of[at + 2..]);
            Cow::Owned(format!("{of}{}", &name[last..]))
        }
        None => Cow::Borrowed(name),
    }
}

/// Where `::` stands outside all brackets.
fn separators(name: &str) -> impl DoubleEndedIterator<Item = usize> {
    let bytes = name.as_bytes();
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'<' | b'(' | b'[' | b'{' => depth += 1,
            // The arrow of `fn() -> T` closes nothing.
            b'>' if at > 0 && bytes[at - 1] == b'-' => {}
            b'>' | b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b':' if depth == 0 && bytes.get(at + 1) == Some(&b':') => found.push(at),
            _ => {}
        }
    }
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn the_end_of_a_path_is_kept() {
        for (name, expected) in [
            ("shop::cart::Cart::add", "Cart::add"),
            ("shop::main", "shop::main"),
            ("main", "main"),
            ("", ""),
            ("alloc::vec::Vec<shop::Cart>::push", "Vec<shop::Cart>::push"),
            ("<shop::Cart as core::fmt::Debug>::fmt", "Cart::fmt"),
            ("<&shop::Cart<u8> as a::B<C>>::d", "Cart<u8>::d"),
            ("a::b::{{closure}}", "b::{{closure}}"),
            ("a::b::c::<fn() -> x::Y>", "c::<fn() -> x::Y>"),
            ("é::ü::ö::ä", "ö::ä"),
        ] {
            assert_eq!(short(name), expected, "{name}");
        }
        // Whatever this is.
        assert!("a::b:::::::".ends_with(&*short("a::b:::::::")));
    }
}
