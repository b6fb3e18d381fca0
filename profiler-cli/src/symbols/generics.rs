//! What the standard library's containers were compiled for: the `shop::Cart` in
//! `Vec<shop::Cart>::push`.
//!
//! rustc's older mangling writes `alloc::vec::Vec<T,A>::push` whatever `T` is. The entry of the
//! function in the debug information has a short name beside the mangled one, `push<shop::Cart,
//! alloc::alloc::Global>`, and this reads it. Which container it is and how to show it is the
//! business of the profile.

use std::collections::HashMap;

use gimli::{AttributeValue, DebugInfoOffset, Unit, UnitOffset, UnitRef};

use super::dwarf::Slice;

/// What begins or stands in mangled names of containers and smart pointers, in the older scheme.
const CONTAINERS: [&str; 6] = [
    "_ZN5alloc",
    "_ZN9hashbrown",
    "_ZN3std11collections",
    "alloc..",
    "hashbrown..",
    "std..collections..",
];

/// Entries to follow from an inlined call to the function's own: its abstract origin, and the
/// declaration of that.
const MAX_HOPS: usize = 4;

/// Reads generic arguments.
#[derive(Default)]
pub(super) struct Generics<'a> {
    /// By mangled name: whether it leaves arguments out that are of interest.
    lacking: HashMap<&'a [u8], bool>,
    /// Units that others refer to.
    units: HashMap<DebugInfoOffset, Unit<Slice<'a>>>,
}

impl<'a> Generics<'a> {
    /// Whether it is worth asking for the arguments of a function.
    pub(super) fn are_lacking(&mut self, mangled: &'a [u8]) -> bool {
        *self.lacking.entry(mangled).or_insert_with(|| {
            std::str::from_utf8(mangled).is_ok_and(|name| {
                name.starts_with("_ZN") && CONTAINERS.iter().any(|part| name.contains(part))
            })
        })
    }

    /// The text between `<` and the last `>` of a function's short name. `entry` is the function's
    /// or that of an inlined call.
    pub(super) fn of(
        &mut self,
        unit: UnitRef<'_, Slice<'a>>,
        entry: UnitOffset,
    ) -> Option<&'a [u8]> {
        self.follow(unit, entry, MAX_HOPS)
    }

    fn follow(
        &mut self,
        unit: UnitRef<'_, Slice<'a>>,
        entry: UnitOffset,
        hops: usize,
    ) -> Option<&'a [u8]> {
        let die = unit.entry(entry).ok()?;
        if let Some(name) = die.attr_value(gimli::DW_AT_name) {
            return arguments(unit.attr_string(name).ok()?.slice());
        }
        let origin = [gimli::DW_AT_abstract_origin, gimli::DW_AT_specification]
            .into_iter()
            .find_map(|attribute| die.attr_value(attribute))?;
        let hops = hops.checked_sub(1)?;
        match origin {
            AttributeValue::UnitRef(entry) => self.follow(unit, entry, hops),
            AttributeValue::DebugInfoRef(offset) => match offset.to_unit_offset(&unit.header) {
                Some(entry) => self.follow(unit, entry, hops),
                None => self.follow_elsewhere(unit, offset, hops),
            },
            _ => None,
        }
    }

    /// Link-time optimisation inlines across units.
    fn follow_elsewhere(
        &mut self,
        from: UnitRef<'_, Slice<'a>>,
        offset: DebugInfoOffset,
        hops: usize,
    ) -> Option<&'a [u8]> {
        let dwarf = from.dwarf;
        let mut headers = dwarf.units();
        while let Some(header) = headers.next().ok()? {
            let Some(entry) = offset.to_unit_offset(&header) else {
                continue;
            };
            let start = header.offset().to_debug_info_offset(&header)?;
            let unit = match self.units.remove(&start) {
                Some(unit) => unit,
                None => dwarf.unit(header).ok()?,
            };
            let arguments = self.follow(UnitRef::new(dwarf, &unit), entry, hops);
            self.units.insert(start, unit);
            return arguments;
        }
        None
    }
}

/// What stands in the brackets of `push<shop::Cart, alloc::alloc::Global>`.
pub(super) fn arguments(short_name: &[u8]) -> Option<&[u8]> {
    let open = short_name.iter().position(|&byte| byte == b'<')?;
    let arguments = short_name[open + 1..].strip_suffix(b">")?;
    (open > 0).then_some(arguments)
}
