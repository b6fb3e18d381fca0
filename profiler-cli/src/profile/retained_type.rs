//! The type whose memory a site holds: `Vec<shop::Cart>`, `Arc<shop::Panel>`, `HashMap<u32, …>`.
//!
//! The innermost frames of a stack belong to the container that allocates. Which one it is, their
//! modules tell; what it holds, the arguments that they were compiled for. Containers are built
//! from others (`HashSet` from `HashMap` from hashbrown's table), so the outermost one of such a
//! chain is the type. Where a chain ends, another allocation's begins: the `String` in a
//! `Vec<String>` that is cloned is a `String`.
//!
//! Memory that is allocated by other means, such as a builder of a library, has no type here, and
//! neither has a program without debug information, in which inlined calls are not seen.

use super::owner::Origin;
use super::symbol_name::{before_closing, self_type};
use super::type_text::{first_types, is_default, split_types};
use super::{NodeId, Profile};

/// What a module of the standard library makes.
#[derive(Debug)]
struct Container {
    /// Paths of its functions begin with one of these.
    modules: &'static [&'static str],
    /// As people write it.
    name: &'static str,
    /// How many of its arguments say what it holds.
    arguments: usize,
    /// Names of the containers that it is made of.
    made_of: &'static [&'static str],
}

const RAW_VEC: &str = "[raw vector]";
const RAW_TABLE: &str = "[raw table]";

/// From the inside out: a later one may be made of an earlier one. Longer paths first where one
/// begins like another.
const CONTAINERS: &[Container] = &[
    container(&["alloc::raw_vec"], RAW_VEC, 1, &[]),
    container(&["hashbrown::raw"], RAW_TABLE, 1, &[]),
    container(&["alloc::boxed"], "Box", 1, &[]),
    container(&["alloc::rc"], "Rc", 1, &["Box"]),
    container(&["alloc::sync"], "Arc", 1, &["Box"]),
    container(&["alloc::vec", "alloc::slice"], "Vec", 1, &[RAW_VEC]),
    container(
        &["alloc::string", "alloc::str", "alloc::fmt"],
        "String",
        0,
        &[RAW_VEC, "Vec"],
    ),
    container(&["alloc::ffi::c_str"], "CString", 0, &[RAW_VEC, "Vec"]),
    container(
        &["std::ffi::os_str", "std::sys::os_str"],
        "OsString",
        0,
        &[RAW_VEC, "Vec"],
    ),
    container(&["std::path"], "PathBuf", 0, &[RAW_VEC, "Vec", "OsString"]),
    container(
        &["alloc::collections::vec_deque"],
        "VecDeque",
        1,
        &[RAW_VEC, "Vec"],
    ),
    container(
        &["alloc::collections::binary_heap"],
        "BinaryHeap",
        1,
        &[RAW_VEC, "Vec"],
    ),
    container(
        &["alloc::collections::linked_list"],
        "LinkedList",
        1,
        &["Box"],
    ),
    container(
        &[
            "hashbrown::map",
            "hashbrown::rustc_entry",
            "std::collections::hash::map",
        ],
        "HashMap",
        2,
        &[RAW_TABLE, "HashMap"],
    ),
    container(
        &["hashbrown::set", "std::collections::hash::set"],
        "HashSet",
        1,
        &[RAW_TABLE, "HashMap", "HashSet"],
    ),
    container(
        &["alloc::collections::btree::set"],
        "BTreeSet",
        1,
        &["Box", "BTreeMap"],
    ),
    container(
        &["alloc::collections::btree"],
        "BTreeMap",
        2,
        &["Box", "BTreeMap"],
    ),
];

const fn container(
    modules: &'static [&'static str],
    name: &'static str,
    arguments: usize,
    made_of: &'static [&'static str],
) -> Container {
    Container {
        modules,
        name,
        arguments,
        made_of,
    }
}

/// Functions whose arguments begin with something else than what the container holds.
const OTHER_ARGUMENTS: [&str; 4] = ["from_iter_in_place", "join", "concat", "into_boxed_slice"];

impl Container {
    fn of(path: &str) -> Option<&'static Self> {
        CONTAINERS.iter().find(|container| {
            container.modules.iter().any(|module| {
                path.strip_prefix(module)
                    .is_some_and(|rest| rest.starts_with("::"))
            })
        })
    }

    /// The type's text. What it holds must be known: where names do not tell, inlined calls are not
    /// seen either, and a set passes for the map that it is made of.
    fn written(&self, types: Option<&str>) -> Option<String> {
        let name = match self.name {
            RAW_VEC => "Vec",
            RAW_TABLE => "hash table",
            name => name,
        };
        match self.arguments {
            0 => Some(name.to_owned()),
            count => Some(format!("{name}<{}>", first_types(types?, count))),
        }
    }
}

impl Profile {
    /// The type whose memory the site at a node holds, where its innermost frames tell.
    pub fn retained_type(&self, node: NodeId) -> Option<String> {
        let mut found: Option<(&Container, Option<&str>)> = None;
        for node in self.tree.stack(node) {
            let frame = self.frame(node);
            if self.frames.origin(frame.function) != Origin::Runtime {
                break;
            }
            let name = self.frames.name(frame.function);
            let Some(container) = Container::of(self_type(name)) else {
                continue;
            };
            let types = self
                .frames
                .generics(frame)
                .or_else(|| types_in(name))
                .filter(|types| !is_default(types))
                .filter(|_| !OTHER_ARGUMENTS.iter().any(|other| name.contains(other)));
            found = Some(match found {
                None => (container, types),
                Some((inner, inner_types)) if container.made_of.contains(&inner.name) => {
                    let is_same_list = container.arguments == inner.arguments;
                    (container, types.or(inner_types.filter(|_| is_same_list)))
                }
                Some((inner, inner_types)) if container.name == inner.name => {
                    (inner, inner_types.or(types))
                }
                Some(_) => break,
            });
        }
        let (container, types) = found?;
        container.written(types)
    }
}

/// The arguments that a name has, unless they are the names of parameters:
/// `<alloc::vec::Vec<u8>>::push`, `alloc::boxed::new<u8>`, but not `alloc::vec::Vec<T,A>::push`.
fn types_in(name: &str) -> Option<&str> {
    let (_, arguments) = self_type(name).split_once('<')?;
    let arguments = before_closing(arguments);
    let is_parameter = |ty: &str| {
        let ty = ty.trim();
        ty.starts_with(|c: char| c.is_ascii_uppercase()) && !ty.contains("::")
    };
    let is_type = !arguments.starts_with("impl ") && !split_types(arguments).any(is_parameter);
    is_type.then_some(arguments)
}
