//! Which function of one profile is which of another.
//!
//! A function's *identity* is its demangled name without hashes, and its source file:
//!
//! - Lines take no part, since they move whenever someone edits above them.
//! - Of the file only what stands behind its last `src` folder counts (its name where there is no
//!   such folder): checkouts, toolchains and versions of a dependency lie in different folders.
//! - A function whose file is unknown on any side is compared by name alone.
//! - `[elided 12]` is `[elided 13]`: recursion may go one call deeper.

use std::borrow::Cow;

use rustc_hash::{FxHashMap, FxHashSet};

use super::diff::Side;
use crate::profile::{FunctionId, Origin, Profile};

/// Identities of all functions, and for each identity a function to show.
pub(super) fn identify(
    before: &Profile,
    after: &Profile,
) -> ([Vec<u32>; 2], Vec<(Side, FunctionId)>) {
    let sides = [(Side::After, after), (Side::Before, before)];
    let mut without_file: FxHashSet<&str> = FxHashSet::default();
    for (_, profile) in sides {
        let frames = profile.frames();
        for function in 0..frames.function_count() as FunctionId {
            if frames.file(function).is_none() {
                without_file.insert(frames.name(function));
            }
        }
    }
    let mut known: FxHashMap<(Cow<'_, str>, Option<&str>), u32> = FxHashMap::default();
    let mut shown = Vec::new();
    let mut identities = [Vec::new(), Vec::new()];
    for (side, profile) in sides {
        let frames = profile.frames();
        for function in 0..frames.function_count() as FunctionId {
            let name = frames.name(function);
            let file = frames
                .file(function)
                .filter(|_| !without_file.contains(name));
            let key = match frames.origin(function) {
                Origin::Special if name.starts_with("[elided ") => {
                    (Cow::Borrowed("[elided]"), None)
                }
                _ => (Cow::Borrowed(name), file.map(portable_path)),
            };
            let identity = *known.entry(key).or_insert_with(|| {
                shown.push((side, function));
                (shown.len() - 1) as u32
            });
            identities[side as usize].push(identity);
        }
    }
    (identities, shown)
}

/// The part of a source path that is the same in every checkout.
fn portable_path(file: &str) -> &str {
    if let Some(at) = file.rfind("/src/") {
        return &file[at + 1..];
    }
    if file.starts_with("src/") {
        return file;
    }
    file.rsplit('/').next().unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_compare_across_folders() {
        for (a, b) in [
            ("/ci/1/shop/src/cart.rs", "/home/x/shop/src/cart.rs"),
            (
                "/rustc/aaaa/library/alloc/src/vec/mod.rs",
                "/rustc/bb/library/alloc/src/vec/mod.rs",
            ),
            (
                "/r/registry/src/i-1/serde-1.0.1/src/de.rs",
                "/r/registry/src/i-1/serde-1.0.2/src/de.rs",
            ),
            ("src/cart.rs", "/w/src/cart.rs"),
            ("/w/examples/shop.rs", "/v/examples/shop.rs"),
        ] {
            assert_eq!(portable_path(a), portable_path(b));
        }
        assert_ne!(
            portable_path("/w/src/cart.rs"),
            portable_path("/w/src/wish.rs")
        );
    }
}
