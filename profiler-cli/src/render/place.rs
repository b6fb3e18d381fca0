//! A frame as text: its name, and where it is.

use super::escape::printable;
use crate::profile::{NodeId, Profile};

/// Name and place of a node, safe to show: `shop::cart::add  src/cart.rs:12`.
pub(super) fn named(profile: &Profile, node: NodeId) -> String {
    let name = printable(profile.name(node));
    match at(profile, node) {
        Some(place) => format!("{name}  {place}"),
        None => name.into_owned(),
    }
}

/// File and line of a node, safe to show.
pub(super) fn at(profile: &Profile, node: NodeId) -> Option<String> {
    let frame = profile.frame(node);
    let file = printable(short(profile.frames().file(frame.function)?));
    Some(match frame.line {
        0 => file.into_owned(),
        line => format!("{file}:{line}"),
    })
}

/// A path without the folders that say nothing: cargo's registry, rustc's hash.
pub(super) fn short(file: &str) -> &str {
    if let Some((_, rest)) = file.split_once("/registry/src/") {
        return rest.split_once('/').map_or(rest, |(_, path)| path);
    }
    if let Some(rest) = file.strip_prefix("/rustc/") {
        return rest.split_once('/').map_or(rest, |(_, path)| path);
    }
    file
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn known_folders_go() {
        assert_eq!(
            short("/h/.cargo/registry/src/index-1/a-1.0.0/src/b.rs"),
            "a-1.0.0/src/b.rs"
        );
        assert_eq!(
            short("/rustc/abc/library/alloc/src/vec.rs"),
            "library/alloc/src/vec.rs"
        );
        assert_eq!(short("/w/shop/src/cart.rs"), "/w/shop/src/cart.rs");
    }
}
