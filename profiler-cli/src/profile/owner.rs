//! Whose code is it? Blame goes to the first frame in the user's own code, never to `RawVec`.
//!
//! Each function has an [`Origin`], decided in this order:
//!
//! 1. Special frames (`[elided 12]`) are [`Origin::Special`].
//! 2. Functions of std, core, alloc and what they are built from, of heaplens itself, and what
//!    starts a thread or a program (`_start`, `main` of C) are [`Origin::Runtime`]. Both the name
//!    and the file (`/rustc/…/library/…`) tell.
//! 3. Functions of a crate in `--owner-crates` are [`Origin::Own`].
//! 4. Functions whose source lies in a registry, a git checkout of cargo or a `vendor` folder are
//!    [`Origin::Library`], and so are C and C++: functions without a crate, not in a `.rs` file.
//! 5. Functions of the program's main crate are [`Origin::Own`]. That is the crate of the `main`
//!    that Rust's runtime calls, and the crate that the executable is named after. So are all
//!    crates of the [`Workspace`] that builds a program of this name.
//! 6. Functions whose source file is known and none of the above are [`Origin::Own`]: a crate of
//!    the same workspace.
//! 7. What is left has a crate and no known file, as in a release build without line tables:
//!    [`Origin::Unplaced`]. It may be a crate of the workspace or a library.
//!
//! The owner of a stack is the innermost frame of the best origin on it: own, else unplaced, else
//! library, else runtime. So a crate that may be a library is blamed only where nothing on the
//! stack is surely the user's.

use rustc_hash::FxHashSet;

use super::symbol_name::{Crates, is_standard};

/// Where a function comes from; a smaller one is a better owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// The user's own code.
    Own,
    /// A crate that is not the main one, from an unknown place.
    Unplaced,
    /// A dependency, or C.
    Library,
    /// The standard library, the start of a program or a thread, heaplens.
    Runtime,
    /// Not code.
    Special,
}

/// A cargo workspace.
#[derive(Debug, Clone, Default)]
pub struct Workspace {
    /// Crates of the programs that it builds: binaries, examples, tests, benchmarks.
    pub programs: Vec<String>,
    /// All its crates.
    pub crates: Vec<String>,
    /// For each of `programs` the package that it is of.
    pub packages: Vec<String>,
}

impl Workspace {
    /// The package that builds a program; the name of a package may have dashes.
    pub fn package_of(&self, program: &str) -> Option<&str> {
        let name = program.replace('-', "_");
        let place = self.programs.iter().position(|known| *known == name)?;
        self.packages.get(place).map(String::as_str)
    }
}

/// What is known of the user's own crates before any snapshot is read.
#[derive(Debug, Clone, Default)]
pub struct OwnCrates {
    /// Named by the user.
    pub named: Vec<String>,
    /// Of programs that this workspace builds, its crates.
    pub workspace: Workspace,
}

/// Decides the [`Origin`] of functions.
#[derive(Debug, Clone, Default)]
pub struct OwnerRules {
    named: FxHashSet<String>,
    workspace: Workspace,
    main: FxHashSet<String>,
}

impl OwnerRules {
    /// Rules under which `own` crates are the user's own. Dashes and underscores are the same in
    /// those that the user named, as for cargo.
    pub fn new(own: &OwnCrates) -> Self {
        let named = own.named.iter();
        Self {
            named: named.map(|name| name.trim().replace('-', "_")).collect(),
            workspace: own.workspace.clone(),
            main: FxHashSet::default(),
        }
    }

    /// Makes a crate a main crate of the program.
    pub fn add_main_crate(&mut self, name: &str) {
        if !is_standard(name) {
            self.main.insert(name.to_owned());
        }
    }

    /// Makes the crate that an executable is named after a main crate of the program, and with it
    /// those of the workspace that builds it.
    pub fn add_executable(&mut self, path: &str) {
        let name = program_name(path).replace('-', "_");
        if self.workspace.programs.contains(&name) {
            let crates = self.workspace.crates.iter();
            self.main
                .extend(crates.filter(|name| !is_standard(name)).cloned());
        }
        self.add_main_crate(&name);
    }

    /// Where a function comes from. Special frames are not functions and are not asked about.
    pub fn origin(&self, function: &str, file: Option<&str>) -> Origin {
        if is_allocator_symbol(function) {
            // Its file is that of the `#[global_allocator]`.
            return Origin::Runtime;
        }
        let place = file.map(Place::of);
        let Some(crates) = Crates::of(function) else {
            return match place {
                _ if is_program_start(function) => Origin::Runtime,
                Some(Place::StandardLibrary) => Origin::Runtime,
                // The bare name of an inlined function.
                Some(Place::Elsewhere) if file.is_some_and(|f| f.ends_with(".rs")) => Origin::Own,
                _ => Origin::Library,
            };
        };
        let any = |set: &FxHashSet<String>| {
            set.contains(crates.main) || crates.of_trait.is_some_and(|name| set.contains(name))
        };
        if is_standard(crates.main) || crates.main == "heaplens" {
            return Origin::Runtime;
        }
        if place == Some(Place::StandardLibrary) {
            return Origin::Runtime;
        }
        if any(&self.named) {
            return Origin::Own;
        }
        match place {
            Some(Place::Dependency) => Origin::Library,
            _ if any(&self.main) => Origin::Own,
            Some(_) => Origin::Own,
            None => Origin::Unplaced,
        }
    }
}

/// Whose folder a source file lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    StandardLibrary,
    Dependency,
    Elsewhere,
}

impl Place {
    pub(super) fn of(file: &str) -> Self {
        // What std itself depends on is built below `/rust/deps`.
        let standard = file.starts_with("/rustc/")
            || file.starts_with("/rust/deps/")
            || file.contains("/lib/rustlib/src/rust/library/")
            || file.starts_with("library/std/")
            || file.starts_with("library/core/")
            || file.starts_with("library/alloc/");
        if standard {
            Self::StandardLibrary
        } else if file.contains("/registry/src/")
            || file.contains("/git/checkouts/")
            || file.contains("/vendor/")
            || file.starts_with("vendor/")
            || starts_with_crate_version(file)
        {
            Self::Dependency
        } else {
            Self::Elsewhere
        }
    }
}

/// `serde-1.0.219/src/de.rs`: how cargo writes dependencies when it trims paths.
fn starts_with_crate_version(file: &str) -> bool {
    let Some((folder, _)) = file.split_once('/') else {
        return false;
    };
    folder.match_indices('-').any(|(at, _)| {
        let version = &folder[at + 1..];
        version.starts_with(|c: char| c.is_ascii_digit()) && version.matches('.').count() >= 2
    })
}

/// Functions below everything else on a stack, which say nothing about who allocates.
fn is_program_start(function: &str) -> bool {
    matches!(
        function,
        "main" | "_start" | "start_thread" | "clone" | "clone3" | "__clone" | "__clone3"
    ) || function.starts_with("__libc_start")
        || function.starts_with("__GI___clone")
}

/// Whether a function is only the way into the allocator: of no interest at the inner end of a
/// stack.
pub fn is_allocator_entry(function: &str) -> bool {
    function.starts_with("alloc::alloc::")
        || function.starts_with("<alloc::alloc::")
        || function.starts_with("__rustc::")
        || function.contains(" as core::alloc::global::GlobalAlloc>::")
        || function.starts_with("core::alloc::global::GlobalAlloc::")
        || is_allocator_symbol(function)
        || Crates::of(function).is_some_and(|crates| crates.main == "heaplens")
}

/// Whether a function is one that rustc puts between a program and its global allocator. What these
/// call is the allocator, whatever its name and wherever its code.
pub fn is_allocator_symbol(function: &str) -> bool {
    const PREFIXES: [&str; 3] = ["__rust_", "__rg_", "__rdl_"];
    let last = function.rsplit("::").next().unwrap_or(function);
    last.contains("alloc") && PREFIXES.iter().any(|prefix| last.starts_with(prefix))
}

/// The name of a program by the path of its executable.
pub fn program_name(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let name = name.strip_suffix(" (deleted)").unwrap_or(name);
    let name = name.strip_suffix(".exe").unwrap_or(name);
    // cargo names test binaries `shop-0123456789abcdef`.
    match name.rsplit_once('-') {
        Some((front, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            front
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> OwnerRules {
        let mut rules = OwnerRules::new(&OwnCrates {
            named: vec!["lay-out".to_owned()],
            ..OwnCrates::default()
        });
        rules.add_main_crate("shop");
        rules
    }

    #[test]
    fn origins() {
        let registry = Some("/home/x/.cargo/registry/src/index.crates.io-1/serde-1.0.2/src/de.rs");
        let std_file = Some("/rustc/59807616e1fa/library/alloc/src/vec/mod.rs");
        let checkout = Some("/build/shop/crates/cart/src/lib.rs");
        for (function, file, origin) in [
            ("shop::cart::add", None, Origin::Own),
            ("shop::cart::add", checkout, Origin::Own),
            ("cart::add", checkout, Origin::Own),
            ("cart::add", None, Origin::Unplaced),
            ("lay_out::place", None, Origin::Own),
            ("lay_out::place", registry, Origin::Own),
            ("serde::de::from", registry, Origin::Library),
            (
                "serde::de::from",
                Some("serde-1.0.2/src/de.rs"),
                Origin::Library,
            ),
            (
                "serde::de::from",
                Some("/w/vendor/serde/src/de.rs"),
                Origin::Library,
            ),
            (
                "<shop::Cart as core::iter::Iterator>::collect",
                std_file,
                Origin::Runtime,
            ),
            ("<json::Value as shop::Ext>::shout", None, Origin::Own),
            ("alloc::vec::Vec<shop::Cart>::push", None, Origin::Runtime),
            ("heaplens::recorder::on_alloc", checkout, Origin::Runtime),
            (
                "do_alloc<alloc::alloc::Global>",
                Some("/rust/deps/hashbrown-0.16.1/src/raw/mod.rs"),
                Origin::Runtime,
            ),
            (
                "sqlite3_malloc",
                Some("/build/shop/sqlite3.c"),
                Origin::Library,
            ),
            ("__rust_alloc", checkout, Origin::Runtime),
            ("main", None, Origin::Runtime),
            (
                "__libc_start_main_impl",
                Some("../csu/libc-start.c"),
                Origin::Runtime,
            ),
        ] {
            assert_eq!(
                rules().origin(function, file),
                origin,
                "{function} {file:?}"
            );
        }
    }

    #[test]
    fn executable_names_its_crate() {
        for path in [
            "/srv/my-app",
            "my-app",
            "/t/my_app-0123456789abcdef",
            "/srv/my-app (deleted)",
        ] {
            let mut rules = OwnerRules::default();
            rules.add_executable(path);
            assert_eq!(rules.origin("my_app::run", None), Origin::Own, "{path}");
        }
    }

    #[test]
    fn a_workspace_owns_its_crates_in_the_programs_that_it_builds() {
        let own = OwnCrates {
            workspace: Workspace {
                programs: vec!["shop".to_owned()],
                crates: ["shop", "cart", "alloc"].map(str::to_owned).into(),
                ..Workspace::default()
            },
            ..OwnCrates::default()
        };
        for (path, origin) in [("/srv/shop", Origin::Own), ("/srv/other", Origin::Unplaced)] {
            let mut rules = OwnerRules::new(&own);
            rules.add_executable(path);
            assert_eq!(rules.origin("cart::add", None), origin, "{path}");
            assert_eq!(rules.origin("alloc::fmt::format", None), Origin::Runtime);
        }
    }

    #[test]
    fn a_program_named_like_the_standard_library_owns_nothing_of_it() {
        let mut rules = OwnerRules::default();
        rules.add_executable("/srv/core");
        assert_eq!(rules.origin("core::fmt::write", None), Origin::Runtime);
    }

    #[test]
    fn allocator_entries() {
        for function in [
            "__rust_alloc",
            "__rustc::__rust_realloc",
            "shop::main::_::__rust_alloc_zeroed",
            "alloc::alloc::exchange_malloc",
            "<alloc::alloc::Global as core::alloc::Allocator>::allocate",
            "<heaplens::Allocator<A> as core::alloc::global::GlobalAlloc>::alloc",
            "heaplens::recorder::on_alloc",
        ] {
            assert!(is_allocator_entry(function), "{function}");
        }
        for function in [
            "alloc::vec::Vec<T>::push",
            "shop::alloc",
            "malloc",
            "__rust_try",
        ] {
            assert!(!is_allocator_entry(function), "{function}");
        }
    }
}
