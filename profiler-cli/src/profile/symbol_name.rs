//! What a demangled Rust name tells: its crate, and the name without build-specific hashes.
//!
//! Both mangling schemes are read. The names below all stand for code of crate `shop`:
//!
//! ```text
//! shop::cart::add                                 shop::cart::add::{{closure}}
//! <shop::Cart as core::fmt::Debug>::fmt           <shop::Cart>::add
//! shop::cart::<impl core::fmt::Debug for T>::fmt  <str as shop::Ext>::shout
//! ```
//!
//! and these do not, though they mention it: `alloc::vec::Vec<shop::Cart>::push`,
//! `<alloc::rc::Rc<shop::Cart> as core::ops::drop::Drop>::drop`,
//! `core::ptr::drop_in_place<shop::Cart>`.
//!
//! Names of C and C++ functions have no crate. Nothing here panics, whatever the name.

use std::borrow::Cow;

/// Crates that come with the compiler, or stand for its own symbols.
const STANDARD: &[&str] = &[
    "std",
    "core",
    "alloc",
    "proc_macro",
    "test",
    "panic_unwind",
    "panic_abort",
    "unwind",
    "std_detect",
    "compiler_builtins",
    "hashbrown",
    "__rustc",
];

/// Self types within self types that are looked into: enough for any real name, and it keeps the
/// time linear for one made to hurt.
const MAX_NESTING: usize = 16;

/// Whether a crate belongs to the standard library, or is one that it is built from.
pub fn is_standard(crate_name: &str) -> bool {
    STANDARD.contains(&crate_name)
}

/// The crates that a function's name puts it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crates<'a> {
    /// The crate of the type or the module that the function belongs to.
    pub main: &'a str,
    /// For a method of a trait, the crate of the trait where it is another one. A trait may be
    /// implemented in either crate.
    pub of_trait: Option<&'a str>,
}

impl<'a> Crates<'a> {
    /// The crates in `function`, a demangled name; `None` if it is not a Rust path.
    pub fn of(function: &'a str) -> Option<Self> {
        let mut name = function.trim_start();
        // `<<A as B>::C as D>::e`: what counts is the innermost self type.
        for _ in 0..MAX_NESTING {
            let Some(inner) = name.strip_prefix('<') else {
                break;
            };
            let inner = before_closing(inner);
            if let Some(rest) = inner.strip_prefix("impl ") {
                // `<impl Trait for Type>` without a module in front.
                let (of_trait, self_type) = split_once_outside(rest, " for ").unwrap_or((rest, ""));
                return Self::choose(head(self_type), head(of_trait));
            }
            match split_once_outside(inner, " as ") {
                Some((self_type, of_trait)) if !without_sigils(self_type).starts_with('<') => {
                    return Self::choose(head(self_type), head(of_trait));
                }
                Some((self_type, _)) => name = without_sigils(self_type),
                None => name = without_sigils(inner),
            }
            // An inherent impl, `<shop::Cart>::add`, leaves the plain path of its type.
        }
        head(name).map(|main| Self {
            main,
            of_trait: None,
        })
    }

    fn choose(self_type: Option<&'a str>, of_trait: Option<&'a str>) -> Option<Self> {
        match (self_type, of_trait) {
            (Some(main), Some(of_trait)) if is_standard(main) && !is_standard(of_trait) => {
                Some(Self {
                    main: of_trait,
                    of_trait: None,
                })
            }
            (Some(main), of_trait) => Some(Self {
                main,
                of_trait: of_trait.filter(|&name| name != main),
            }),
            (None, Some(of_trait)) => Some(Self {
                main: of_trait,
                of_trait: None,
            }),
            (None, None) => None,
        }
    }
}

/// The name from the path of its type on: `alloc::vec::Vec<u8>` in `<alloc::vec::Vec<u8> as
/// core::ops::Drop>::drop`, and all of `alloc::vec::Vec<u8>::push`.
pub(crate) fn self_type(function: &str) -> &str {
    let mut name = function.trim_start();
    for _ in 0..MAX_NESTING {
        let Some(inner) = name.strip_prefix('<') else {
            break;
        };
        let inner = before_closing(inner);
        let self_type = split_once_outside(inner, " as ").map_or(inner, |(front, _)| front);
        name = without_sigils(self_type);
    }
    name
}

/// Text up to the `>` that closes the `<` in front of it; all of it where none does.
pub(super) fn before_closing(text: &str) -> &str {
    let mut depth = 1_usize;
    let mut previous = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'<' => depth += 1,
            b'>' if previous == b'-' => {} // the arrow of `fn() -> T`
            b'>' => {
                depth -= 1;
                if depth == 0 {
                    return &text[..at];
                }
            }
            _ => {}
        }
        previous = byte;
    }
    text
}

/// Splits at the first `separator` that stands outside of all brackets.
fn split_once_outside<'a>(text: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'<' | b'(' | b'[' | b'{' => depth += 1,
            b'>' if at > 0 && bytes[at - 1] == b'-' => {}
            b'>' | b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ if depth == 0 && bytes[at..].starts_with(separator.as_bytes()) => {
                return Some((&text[..at], &text[at + separator.len()..]));
            }
            _ => {}
        }
    }
    None
}

/// A type without what stands in front of its path: references, pointers, `dyn`, brackets.
fn without_sigils(mut text: &str) -> &str {
    loop {
        let trimmed = text.trim_start_matches(['&', '*', '(', '[', ' ']);
        let trimmed = ["mut ", "const ", "dyn ", "impl "]
            .iter()
            .find_map(|sigil| trimmed.strip_prefix(sigil))
            .unwrap_or(trimmed);
        if trimmed.len() == text.len() {
            return text;
        }
        text = trimmed;
    }
}

/// The first segment of a path of two segments or more: its crate.
pub(super) fn head(text: &str) -> Option<&str> {
    let text = without_sigils(text);
    let end = text
        .find(|c: char| !(c == '_' || c.is_alphanumeric()))
        .filter(|&end| end > 0 && !text.starts_with(|c: char| c.is_ascii_digit()))?;
    let rest = &text[end..];
    let rest = match rest.strip_prefix('[') {
        // `shop[1f2e3d4c5b6a7988]::cart`: the disambiguator of the v0 scheme.
        Some(hash) => hash.split_once(']').filter(|(hash, _)| is_hex(hash))?.1,
        None => rest,
    };
    rest.starts_with("::").then_some(&text[..end])
}

/// Whether the whole text is the main function of a crate, `shop::main`.
pub fn is_crate_main(function: &str) -> bool {
    function.strip_suffix("::main").is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
    })
}

/// The name without what changes from build to build: `::h0123456789abcdef` at the end, `.llvm.1`
/// behind it, and `[0123456789abcdef]` behind a crate.
pub fn without_hashes(function: &str) -> Cow<'_, str> {
    let mut name = function;
    if let Some((front, suffix)) = name.rsplit_once(".llvm.")
        && suffix.bytes().all(|b| b.is_ascii_hexdigit())
    {
        name = front;
    }
    if let Some((front, hash)) = name.rsplit_once("::h")
        && hash.len() == 16
        && is_hex(hash)
    {
        name = front;
    }
    if !name.contains('[') {
        return Cow::Borrowed(name);
    }
    let mut clean = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('[') {
        let (front, bracket) = rest.split_at(at);
        clean.push_str(front);
        let digits = bracket[1..]
            .bytes()
            .take(17)
            .take_while(u8::is_ascii_hexdigit)
            .count();
        rest = match bracket[1 + digits..].strip_prefix(']') {
            // v0 writes up to 16 digits, and only ever in front of `::`.
            Some(after) if (12..=16).contains(&digits) && after.starts_with("::") => after,
            _ => {
                clean.push('[');
                &bracket[1..]
            }
        };
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn main_crate(function: &str) -> Option<&str> {
        Crates::of(function).map(|crates| crates.main)
    }

    #[test]
    fn crate_is_where_the_code_was_written() {
        for (function, crate_name) in [
            ("shop::cart::add", "shop"),
            ("shop::cart::add::{{closure}}", "shop"),
            ("shop::cart::add::{closure#0}::{closure#1}", "shop"),
            ("shop[1f2e3d4c5b6a7988]::cart::add", "shop"),
            ("<shop::Cart>::add", "shop"),
            ("<shop::Cart<T>>::add::<u8>", "shop"),
            ("<shop::Cart as core::fmt::Debug>::fmt", "shop"),
            ("<&shop::Cart as core::fmt::Debug>::fmt", "shop"),
            ("<&mut dyn shop::Cart as core::fmt::Debug>::fmt", "shop"),
            ("<[shop::Cart] as alloc::slice::ToOwned>::to_owned", "shop"),
            ("<str as shop::Ext>::shout", "shop"),
            ("<T as shop::Ext>::shout", "shop"),
            ("<alloc::vec::Vec<T> as shop::Ext>::shout", "shop"),
            ("<(A, B) as shop::Ext>::shout", "shop"),
            (
                "<<shop::Cart as shop::Shape>::Iter as core::iter::Iterator>::next",
                "shop",
            ),
            (
                "shop::cart::<impl core::fmt::Debug for alloc::vec::Vec<T>>::fmt",
                "shop",
            ),
            ("<impl shop::Ext for alloc::string::String>::shout", "shop"),
            ("<fn(u8) -> shop::Cart as shop::Ext>::shout", "shop"),
            ("alloc::vec::Vec<shop::Cart>::push", "alloc"),
            ("alloc::vec::Vec::<shop::Cart>::push", "alloc"),
            ("<alloc::vec::Vec<shop::Cart>>::push", "alloc"),
            (
                "<alloc::rc::Rc<shop::Cart> as core::ops::drop::Drop>::drop",
                "alloc",
            ),
            ("core::ptr::drop_in_place<shop::Cart>", "core"),
            ("<str as alloc::string::ToString>::to_string", "alloc"),
            ("__rustc::__rust_alloc", "__rustc"),
        ] {
            assert_eq!(main_crate(function), Some(crate_name), "{function}");
        }
    }

    #[test]
    fn foreign_names_have_no_crate() {
        for function in [
            "main",
            "malloc",
            "sqlite3_open",
            "",
            "<",
            "<<",
            "[elided 12]",
            "lib.so+0x12",
        ] {
            assert_eq!(main_crate(function), None, "{function}");
        }
    }

    #[test]
    fn a_trait_of_another_crate_is_kept() {
        assert_eq!(
            Crates::of("<json::Value as shop::Ext>::shout"),
            Some(Crates {
                main: "json",
                of_trait: Some("shop")
            })
        );
    }

    #[test]
    fn hashes_go() {
        for (with, without) in [
            ("shop::add::h0123456789abcdef", "shop::add"),
            ("shop::add::h0123456789abcdef.llvm.1234", "shop::add"),
            ("shop[0123456789abcdef]::add", "shop::add"),
            (
                "<shop[0123456789abcdef]::A as b[0123456789abcdef]::B>::c",
                "<shop::A as b::B>::c",
            ),
            (
                "<[u8; 16] as shop::Ext>::shout",
                "<[u8; 16] as shop::Ext>::shout",
            ),
            ("shop::hello", "shop::hello"),
            ("[elided 12]", "[elided 12]"),
        ] {
            assert_eq!(without_hashes(with), without);
        }
    }

    #[test]
    fn main_functions() {
        assert!(is_crate_main("shop::main"));
        assert!(!is_crate_main("shop::api::main"));
        assert!(!is_crate_main("main"));
        assert!(!is_crate_main("shop::main::{{closure}}"));
    }

    proptest! {
        #[test]
        fn no_name_panics(name in "[<>:a-z\\[\\](){}&*; ,\u{e9}\u{1f600}-]{0,60}|\\PC{0,40}") {
            let _ = Crates::of(&name);
            let _ = without_hashes(&name);
            let _ = is_crate_main(&name);
        }

        #[test]
        fn generated_paths_keep_their_crate(
            crate_name in "[a-z][a-z_]{0,8}", ty in "[A-Z][a-z]{0,8}", method in "[a-z]{1,8}",
        ) {
            prop_assume!(!is_standard(&crate_name) && !["mut", "dyn", "impl", "const"].contains(&&*crate_name));
            for name in [
                format!("{crate_name}::{ty}::{method}"),
                format!("<{crate_name}::{ty}<alloc::vec::Vec<u8>> as core::ops::Fn<(u8,)>>::{method}"),
                format!("<alloc::vec::Vec<u8> as {crate_name}::{ty}>::{method}"),
                format!("{crate_name}::<impl core::fmt::Debug for &[u8]>::{method}"),
            ] {
                prop_assert_eq!(main_crate(&name), Some(&*crate_name));
            }
        }
    }
}
