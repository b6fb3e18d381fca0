//! Paths for functions whose debug information gives a bare name.
//!
//! With `debug = "line-tables-only"`, inlined functions are `push` and `{closure#0}`: neither crate
//! nor module. The source file tells both, since Rust's modules follow files:
//!
//! | file | function | shown as |
//! |---|---|---|
//! | `/rustc/…/library/alloc/src/boxed.rs` | `new<u8>` | `alloc::boxed::new<u8>` |
//! | `…/registry/src/…/bytes-1.0.1/src/buf/mod.rs` | `grow` | `bytes::buf::grow` |
//! | `/w/shop/src/cart.rs` | `{closure#0}` | `shop::cart::{closure#0}` |
//!
//! The crate of the user's own files is learned from functions in the same file or folder that
//! have a full name: those that were not inlined. Where there is none, the name stays as it is.
//! The type that a method belongs to is not known, and left out.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::owner::Place;
use super::symbol_name::{Crates, is_standard};

/// Knows which crate a source file belongs to.
#[derive(Debug, Default)]
pub(super) struct Qualifier<'a> {
    /// For a file, and for the folder up to its `src`: how often a crate was seen there.
    seen: FxHashMap<&'a str, FxHashMap<&'a str, u32>>,
}

impl<'a> Qualifier<'a> {
    /// Learns from functions with their files.
    pub(super) fn learn(functions: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut seen: FxHashMap<&str, FxHashMap<&str, u32>> = FxHashMap::default();
        for (function, file) in functions.filter(|(_, file)| is_rust(file)) {
            let Some(crates) = Crates::of(function).filter(|crates| !is_standard(crates.main))
            else {
                continue;
            };
            for place in [Some(file), split(file).map(|(folder, _)| folder)]
                .into_iter()
                .flatten()
            {
                *seen
                    .entry(place)
                    .or_default()
                    .entry(crates.main)
                    .or_default() += 1;
            }
        }
        Self { seen }
    }

    /// The name of a function in `file`, with its path where only the file tells it.
    pub(super) fn qualify<'n>(&self, function: &'n str, file: Option<&str>) -> Cow<'n, str> {
        let Some(file) = file.filter(|file| is_rust(file)) else {
            return Cow::Borrowed(function);
        };
        if function.starts_with("__") || Crates::of(function).is_some() {
            return Cow::Borrowed(function);
        }
        let Some(crate_name) = self.crate_of(file) else {
            return Cow::Borrowed(function);
        };
        let modules = split(file).map(|(_, modules)| modules).unwrap_or_default();
        let modules = modules.strip_suffix(".rs").unwrap_or(modules);
        let modules = modules.strip_suffix("/mod").unwrap_or(modules);
        match modules {
            "" | "lib" | "main" | "mod" => Cow::Owned(format!("{crate_name}::{function}")),
            modules if modules.starts_with("bin/") => {
                Cow::Owned(format!("{crate_name}::{function}"))
            }
            modules => Cow::Owned(format!(
                "{crate_name}::{}::{function}",
                modules.replace('/', "::")
            )),
        }
    }

    fn crate_of(&self, file: &str) -> Option<Cow<'_, str>> {
        let folder = split(file).map(|(folder, _)| folder);
        let place = Place::of(file);
        if place == Place::StandardLibrary {
            return folder.and_then(crate_of_folder).map(Cow::Owned);
        }
        let most_seen = |place: &str| {
            let crates = self.seen.get(place)?.iter();
            // Names break ties, so that the same input gives the same names.
            crates
                .max_by_key(|&(name, times)| (times, std::cmp::Reverse(name)))
                .map(|(name, _)| *name)
        };
        most_seen(file)
            .or_else(|| most_seen(folder?))
            .map(Cow::Borrowed)
            .or_else(|| match place {
                Place::Dependency => crate_of_folder(folder?).map(Cow::Owned),
                _ => None,
            })
    }
}

fn is_rust(file: &str) -> bool {
    file.ends_with(".rs")
}

/// Splits a file's path at its last `src`: the package's folder, and the way from there.
fn split(file: &str) -> Option<(&str, &str)> {
    file.rsplit_once("/src/")
}

/// The crate of a package's folder: `bytes-1.0.1`, `alloc`. Revisions of git are no names.
fn crate_of_folder(folder: &str) -> Option<String> {
    let name = folder.rsplit('/').next()?;
    let version = name.match_indices('-').map(|(at, _)| at).find(|&at| {
        let version = &name[at + 1..];
        version.starts_with(|c: char| c.is_ascii_digit()) && version.contains('.')
    });
    let name = version.map_or(name, |at| &name[..at]).replace('-', "_");
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
        && !(name.len() == 7 && name.bytes().all(|b| b.is_ascii_hexdigit()));
    is_name.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn qualifier() -> Qualifier<'static> {
        Qualifier::learn(
            [
                ("shop::run", "/w/shop/src/main.rs"),
                ("shop::cart::add", "/w/shop/src/cart.rs"),
                (
                    "<shop::Cart as core::fmt::Debug>::fmt",
                    "/w/shop/src/cart.rs",
                ),
                ("expanded::from_a_macro", "/w/shop/src/cart.rs"),
                ("alloc::vec::Vec<shop::Cart>::push", "/w/shop/src/wish.rs"),
                ("tool::main", "/w/examples/tool.rs"),
            ]
            .into_iter(),
        )
    }

    #[test]
    fn files_tell_crates_and_modules() {
        let registry = "/h/.cargo/registry/src/index.crates.io-1";
        for (function, file, name) in [
            (
                "new<u8>",
                "/rustc/ab/library/alloc/src/boxed.rs",
                "alloc::boxed::new<u8>",
            ),
            (
                "alloc",
                "/rustc/ab/library/alloc/src/alloc.rs",
                "alloc::alloc::alloc",
            ),
            (
                "grow",
                &format!("{registry}/bytes-1.0.1/src/buf/mod.rs"),
                "bytes::buf::grow",
            ),
            (
                "f",
                &format!("{registry}/serde-yaml-0.9.0+x/src/lib.rs"),
                "serde_yaml::f",
            ),
            (
                "{closure#0}",
                "/w/shop/src/cart.rs",
                "shop::cart::{closure#0}",
            ),
            (
                "new<a::B>",
                "/w/shop/src/wish/list.rs",
                "shop::wish::list::new<a::B>",
            ),
            ("helper", "/w/shop/src/main.rs", "shop::helper"),
            ("helper", "/w/shop/src/bin/main.rs", "shop::helper"),
            ("helper", "/w/examples/tool.rs", "tool::helper"),
        ] {
            assert_eq!(qualifier().qualify(function, Some(file)), name);
        }
    }

    #[test]
    fn what_is_not_known_stays() {
        for (function, file) in [
            ("shop::cart::add", Some("/w/shop/src/cart.rs")),
            ("<shop::Cart>::add", Some("/w/shop/src/cart.rs")),
            ("malloc", Some("/build/glibc/malloc.c")),
            ("__rust_alloc", Some("/w/shop/src/main.rs")),
            ("helper", Some("/w/other/src/lib.rs")),
            (
                "helper",
                Some("/h/.cargo/git/checkouts/x-0123456789abcdef/0123abc/src/lib.rs"),
            ),
            ("main", None),
        ] {
            assert_eq!(qualifier().qualify(function, file), function);
        }
    }
}
