//! The functions of `.symtab`, or of `.dynsym` where that is all there is, by address.
//!
//! A function ends where its size says. An address behind the last byte of one has no name here,
//! rather than the name of whatever stands before it.

use object::{
    Object, ObjectSymbol, ObjectSymbolTable, SymbolFlags, SymbolKind, SymbolSection, elf,
};

use super::elf_file::{code, is_code};

/// Functions by address.
#[derive(Default)]
pub(super) struct SymbolTable<'a> {
    /// Sorted, disjoint.
    ranges: Vec<Range<'a>>,
}

struct Range<'a> {
    start: u64,
    end: u64,
    name: &'a [u8],
}

impl<'a> SymbolTable<'a> {
    /// Reads the full table of a file; `None` if it was stripped.
    pub(super) fn full(file: &object::File<'a>) -> Option<Self> {
        let table = file.symbol_table()?;
        Self::build(file, functions(file, table.symbols(), true))
    }

    /// Reads the table for the dynamic linker: exported functions only.
    pub(super) fn dynamic(file: &object::File<'a>) -> Option<Self> {
        let table = file.dynamic_symbol_table()?;
        Self::build(file, functions(file, table.symbols(), false))
    }

    /// The mangled name of the function around an address.
    pub(super) fn find(&self, address: u64) -> Option<&'a [u8]> {
        let after = self.ranges.partition_point(|range| range.start <= address);
        let range = &self.ranges[after.checked_sub(1)?];
        (address < range.end).then_some(range.name)
    }

    fn build(file: &object::File<'a>, mut functions: Vec<Function<'a>>) -> Option<Self> {
        // The last of those with one start is the one that counts: the best name for it.
        functions.sort_by(|a, b| {
            (a.start, a.size, a.global, b.name).cmp(&(b.start, b.size, b.global, a.name))
        });
        functions.dedup_by(|next, kept| {
            let same = next.start == kept.start;
            if same {
                *kept = *next;
            }
            same
        });
        let bounds = code(file);
        let starts: Vec<u64> = functions.iter().map(|function| function.start).collect();
        let with_ends = functions.into_iter().enumerate().map(|(i, function)| {
            let end = match function.size {
                0 => end_of_unsized(function.start, starts.get(i + 1), &bounds),
                size => function.start.saturating_add(size),
            };
            Range {
                start: function.start,
                end,
                name: function.name,
            }
        });
        let ranges = disjoint(with_ends);
        (!ranges.is_empty()).then_some(Self { ranges })
    }
}

#[derive(Clone, Copy)]
struct Function<'a> {
    start: u64,
    size: u64,
    global: bool,
    name: &'a [u8],
}

/// The functions among symbols. Hand-written assembly may leave out the size, which is only of
/// use where all functions are listed (`complete`), since it then ends at the next one.
fn functions<'a, 'file>(
    file: &object::File<'a>,
    symbols: impl Iterator<Item = object::Symbol<'a, 'file>>,
    complete: bool,
) -> Vec<Function<'a>>
where
    'a: 'file,
{
    let thumb = file.architecture() == object::Architecture::Arm;
    symbols
        .filter(|symbol| match symbol.kind() {
            SymbolKind::Text => symbol.size() > 0 || complete,
            // Labels in assembly; local ones include the mapping symbols `$x` and `$d`.
            SymbolKind::Label | SymbolKind::Unknown => {
                complete && symbol.is_global() && in_code(file, symbol)
            }
            _ => is_ifunc(symbol),
        })
        .filter(|symbol| matches!(symbol.section(), SymbolSection::Section(_)))
        .filter_map(|symbol| {
            let name = symbol.name_bytes().ok().filter(|name| !name.is_empty())?;
            let start = symbol.address() & if thumb { !1 } else { !0 };
            Some(Function {
                start,
                size: symbol.size(),
                global: symbol.is_global(),
                name,
            })
        })
        .collect()
}

/// A function whose code is picked when the program starts, such as `memcpy`.
fn is_ifunc(symbol: &object::Symbol<'_, '_>) -> bool {
    matches!(symbol.flags(), SymbolFlags::Elf { st_info, .. }
        if st_info.st_type() == elf::STT_GNU_IFUNC)
}

fn in_code(file: &object::File<'_>, symbol: &object::Symbol<'_, '_>) -> bool {
    symbol
        .section_index()
        .and_then(|index| file.section_by_index(index).ok())
        .is_some_and(|section| is_code(&section))
}

fn end_of_unsized(start: u64, next: Option<&u64>, sections: &[(u64, u64)]) -> u64 {
    let section = sections
        .partition_point(|(from, _)| *from <= start)
        .checked_sub(1);
    let end = section.map_or(start, |index| sections[index].1);
    next.map_or(end, |next| end.min(*next)).max(start)
}

/// Cuts ranges sorted by start into disjoint ones; inside nested functions the inner one counts.
fn disjoint<'a>(sorted: impl Iterator<Item = Range<'a>>) -> Vec<Range<'a>> {
    let mut cut = Vec::new();
    let mut open: Vec<Range<'a>> = Vec::new();
    let mut done = 0;
    let mut close = |upto: u64, done: &mut u64, name: &'a [u8]| {
        if *done < upto {
            cut.push(Range {
                start: *done,
                end: upto,
                name,
            });
            *done = upto;
        }
    };
    for range in sorted {
        while let Some(inner) = open.pop_if(|inner| inner.end <= range.start) {
            close(inner.end, &mut done, inner.name);
        }
        if let Some(outer) = open.last() {
            close(range.start, &mut done, outer.name);
        }
        done = done.max(range.start);
        open.push(range);
    }
    while let Some(inner) = open.pop() {
        close(inner.end, &mut done, inner.name);
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(ranges: &[(u64, u64, &'static str)]) -> SymbolTable<'static> {
        let ranges = ranges.iter().map(|&(start, end, name)| Range {
            start,
            end,
            name: name.as_bytes(),
        });
        SymbolTable {
            ranges: disjoint(ranges),
        }
    }

    #[track_caller]
    fn check(table: &SymbolTable<'_>, expected: &[(u64, Option<&str>)]) {
        for &(address, name) in expected {
            assert_eq!(table.find(address), name.map(str::as_bytes), "at {address}");
        }
    }

    #[test]
    fn an_address_outside_has_no_name() {
        let table = table(&[(10, 20, "a"), (30, 40, "b"), (40, 50, "c")]);
        check(
            &table,
            &[
                (9, None),
                (10, Some("a")),
                (19, Some("a")),
                (20, None),
                (29, None),
                (39, Some("b")),
                (40, Some("c")),
                (50, None),
                (u64::MAX, None),
            ],
        );
    }

    #[test]
    fn the_inner_of_nested_functions_counts() {
        let table = table(&[
            (0, 100, "outer"),
            (20, 40, "inner"),
            (30, 35, "core"),
            (90, 120, "tail"),
        ]);
        check(
            &table,
            &[
                (0, Some("outer")),
                (25, Some("inner")),
                (30, Some("core")),
                (35, Some("inner")),
                (40, Some("outer")),
                (95, Some("tail")),
                (119, Some("tail")),
                (120, None),
            ],
        );
    }

    #[test]
    fn a_function_without_size_ends_at_the_next_or_with_its_section() {
        let sections = [(0, 100), (200, 300)];
        assert_eq!(end_of_unsized(10, Some(&50), &sections), 50);
        assert_eq!(end_of_unsized(90, Some(&210), &sections), 100);
        assert_eq!(end_of_unsized(250, None, &sections), 300);
        assert_eq!(end_of_unsized(150, None, &sections), 150);
    }
}
