//! Names: of functions as a symbol table has them, of crates in them, and of snapshot files.

use heaplens::snapshot::{FileName, executable_slug, is_unprintable, reason_slug};
use heaplens_cli::profile::owner::{OwnCrates, OwnerRules, is_allocator_entry};
use heaplens_cli::profile::symbol_name::{Crates, is_crate_main, without_hashes};
use heaplens_cli::render::escape::printable;
use heaplens_cli::symbols::function_name;

use super::memory::within;

/// A name is cut at 16 KiB; reading it takes room in proportion to what is there.
const ROOM: u64 = 1 << 20;

/// Reads a name as each of the things that it may be.
pub fn names(data: &[u8]) {
    let bound = ROOM + 512 * data.len() as u64;
    let name = within(bound, || function_name(data));
    assert!(name.len() <= (16 << 10) + '…'.len_utf8(), "{}", name.len());
    assert!(!name.chars().any(char::is_control), "{name:?}");

    let text = String::from_utf8_lossy(data);
    for text in [&*name, &*text] {
        within(bound, || read(text));
    }
}

fn read(text: &str) {
    let _ = Crates::of(text);
    let _ = (
        is_crate_main(text),
        is_allocator_entry(text),
        without_hashes(text),
    );
    let mut rules = OwnerRules::new(&OwnCrates {
        named: vec![text.to_owned()],
        ..OwnCrates::default()
    });
    rules.add_executable(text);
    let _ = rules.origin(text, Some(text));
    assert!(!printable(text).chars().any(is_unprintable));

    if let Some(name) = FileName::parse(text) {
        assert_eq!(name.to_string(), text);
    }
    for slug in [executable_slug(text), reason_slug(text)] {
        assert!(!slug.is_empty() && slug.len() <= 64, "{slug:?}");
        assert!(!slug.contains(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c))));
    }
}
