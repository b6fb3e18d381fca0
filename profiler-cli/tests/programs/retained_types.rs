//! Which type is retained: each standard container, in a real program, from what its names and its
//! debug information tell.

use serde_json::Value;
use tempfile::tempdir;

use crate::build::{LINES, PLAIN, Profile, Program};
use crate::run::{args, find, json, row, snapshots_of};

/// Function of the program, and the type that it keeps.
const KEPT: [(&str, &str); 14] = [
    ("boxed", "Box<containers::Cart>"),
    ("counted", "Rc<(containers::Cart, u8)>"),
    ("shared", "Arc<containers::Cart>"),
    ("vector", "Vec<containers::Cart>"),
    ("nested", "Vec<Vec<u16>>"),
    ("collected", "Vec<u16>"),
    ("queue", "VecDeque<containers::Cart>"),
    ("heap", "BinaryHeap<u64>"),
    ("text", "String"),
    ("formatted", "String"),
    ("hash_map", "HashMap<u32, containers::Cart>"),
    ("hash_set", "HashSet<u32>"),
    ("tree_map", "BTreeMap<u32, containers::Cart>"),
    ("tree_set", "BTreeSet<u64>"),
];

/// Short names of functions, in the older mangling beside names without arguments.
pub(crate) const DEBUG: Profile = Profile {
    settings: &["debug = 'limited'"],
    ..PLAIN
};

/// The newer mangling has the arguments in the names.
const V0: Profile = Profile {
    settings: &["debug = 'limited'"],
    rustflags: "-Csymbol-mangling-version=v0",
    ..PLAIN
};

fn top_of(profile: &Profile) -> Value {
    let program = Program::build("containers", profile);
    let folder = tempdir().expect("a temporary folder");
    let exact = [("HEAPLENS_MODE", "exact"), ("HEAPLENS_INTERVAL", "0")];
    let snapshots = snapshots_of(&program.path, &[], &exact, folder.path());
    json(args!["top", *find(&snapshots, "exit"), "--format", "json"])
}

#[test]
fn each_container_is_named_with_what_it_holds() {
    for (profile, how) in [(&DEBUG, "debug"), (&V0, "v0"), (&LINES, "lines")] {
        let top = top_of(profile);
        for (function, kept) in KEPT {
            let row = row(&top, &format!("containers::{function}"));
            assert_eq!(row["type"], kept, "{how}: {row:#}");
        }
    }
}

#[test]
fn a_build_without_debug_information_names_no_wrong_type() {
    let top = top_of(&PLAIN);
    for (function, kept) in KEPT {
        let row = row(&top, &format!("containers::{function}"));
        let named = row["type"].as_str().unwrap_or(kept);
        assert_eq!(named, kept, "{row:#}");
    }
}
