//! The tables of a profile: what its messages say, with their references checked, before anything is
//! made of it. Samples stay where they are, to be gone through one by one.

use std::collections::HashMap;

use heaplens::snapshot::ErrorKind;
use heaplens::snapshot::pprof::field as f;

use super::budget::Budget;
use super::wire::{Damage, Part};

/// A profile as its messages have it. Texts are indices of the string table.
#[derive(Debug, Default)]
pub(super) struct Tables<'a> {
    /// Type and unit, in the order of the values.
    pub(super) sample_types: Vec<(u64, u64)>,
    /// Type and unit.
    pub(super) period_type: (u64, u64),
    pub(super) period: i64,
    pub(super) time_nanos: i64,
    pub(super) mappings: Vec<Mapping>,
    pub(super) locations: Vec<Location>,
    pub(super) functions: Vec<Function>,
    lines: Vec<Line>,
    texts: Vec<&'a [u8]>,
    mapping_ids: Ids,
    location_ids: Ids,
    function_ids: Ids,
}

/// Indices by id. Ids come from the file, so the hash is one that a file cannot play with.
type Ids = HashMap<u64, u32>;

#[derive(Debug, Default)]
pub(super) struct Mapping {
    id: u64,
    pub(super) start: u64,
    pub(super) limit: u64,
    pub(super) file_offset: u64,
    pub(super) filename: u64,
    pub(super) build_id: u64,
}

#[derive(Debug, Default)]
pub(super) struct Location {
    id: u64,
    mapping_id: u64,
    pub(super) address: u64,
    /// Indices of its lines: from, to.
    lines: (usize, usize),
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Line {
    function_id: u64,
    pub(super) line: u32,
}

#[derive(Debug, Default)]
pub(super) struct Function {
    id: u64,
    pub(super) name: u64,
    pub(super) system_name: u64,
    pub(super) filename: u64,
}

impl<'a> Tables<'a> {
    /// Reads all but the samples.
    pub(super) fn read(profile: Part<'a>, budget: &mut Budget) -> Result<Self, ErrorKind> {
        let mut tables = Self::default();
        for field in profile.fields() {
            let field = field?;
            match field.number {
                f::profile::SAMPLE_TYPE => {
                    let value_type = value_type(field.part()?)?;
                    budget.push(&mut tables.sample_types, value_type)?;
                }
                f::profile::PERIOD_TYPE => tables.period_type = value_type(field.part()?)?,
                f::profile::PERIOD => tables.period = field.number()?.cast_signed(),
                f::profile::TIME_NANOS => tables.time_nanos = field.number()?.cast_signed(),
                f::profile::MAPPING => {
                    budget.push(&mut tables.mappings, mapping(field.part()?)?)?
                }
                f::profile::LOCATION => tables.add_location(field.part()?, budget)?,
                f::profile::FUNCTION => {
                    budget.push(&mut tables.functions, function(field.part()?)?)?;
                }
                f::profile::STRING_TABLE => budget.push(&mut tables.texts, field.part()?.bytes)?,
                _ => {}
            }
        }
        let ids = tables.mappings.iter().map(|mapping| mapping.id);
        tables.mapping_ids = by_id("mapping", ids, budget)?;
        let ids = tables.functions.iter().map(|function| function.id);
        tables.function_ids = by_id("function", ids, budget)?;
        let ids = tables.locations.iter().map(|location| location.id);
        tables.location_ids = by_id("location", ids, budget)?;
        tables.check()?;
        Ok(tables)
    }

    fn add_location(&mut self, part: Part<'_>, budget: &mut Budget) -> Result<(), ErrorKind> {
        let first = self.lines.len();
        let mut location = Location::default();
        for field in part.fields() {
            let field = field?;
            match field.number {
                f::location::ID => location.id = field.number()?,
                f::location::MAPPING_ID => location.mapping_id = field.number()?,
                f::location::ADDRESS => location.address = field.number()?,
                f::location::LINE => budget.push(&mut self.lines, line(field.part()?)?)?,
                _ => {}
            }
        }
        location.lines = (first, self.lines.len());
        budget.push(&mut self.locations, location)
    }

    /// Whether all that refers to something else refers to something that is there.
    fn check(&self) -> Result<(), ErrorKind> {
        for location in &self.locations {
            let lost = |what: &str, id: u64| {
                ErrorKind::Damaged(format!(
                    "location {} is in {what} {id}, which is not there",
                    location.id
                ))
            };
            if location.mapping_id != 0 && self.mapping_of(location).is_none() {
                return Err(lost("mapping", location.mapping_id));
            }
            for line in self.lines_of(location) {
                if line.function_id != 0 && self.function_of(line).is_none() {
                    return Err(lost("function", line.function_id));
                }
            }
        }
        let texts = self.texts.len() as u64;
        let used = (self.sample_types.iter().chain([&self.period_type]))
            .flat_map(|&(name, unit)| [name, unit])
            .chain(self.mappings.iter().flat_map(|m| [m.filename, m.build_id]))
            .chain(
                self.functions
                    .iter()
                    .flat_map(|f| [f.name, f.system_name, f.filename]),
            );
        match used.max().filter(|&text| text > 0 && text >= texts) {
            Some(text) => Err(ErrorKind::Damaged(format!(
                "text {text} is used, but its string table has {texts}"
            ))),
            None => Ok(()),
        }
    }

    /// A text by its index, which this profile uses.
    pub(super) fn text(&self, index: u64) -> &'a [u8] {
        self.texts.get(index as usize).copied().unwrap_or_default()
    }

    /// The index of the location with an id.
    pub(super) fn location(&self, id: u64) -> Option<u32> {
        self.location_ids.get(&id).copied()
    }

    /// The index of a location's mapping.
    pub(super) fn mapping_of(&self, location: &Location) -> Option<usize> {
        let index = self.mapping_ids.get(&location.mapping_id)?;
        Some(*index as usize)
    }

    /// The lines of a location, innermost first.
    pub(super) fn lines_of(&self, location: &Location) -> &[Line] {
        &self.lines[location.lines.0..location.lines.1]
    }

    /// The index of a line's function.
    pub(super) fn function_of(&self, line: &Line) -> Option<usize> {
        let index = self.function_ids.get(&line.function_id)?;
        Some(*index as usize)
    }
}

/// What an entry of a table that grows takes, with room that is free.
const ID_BYTES: u64 = 64;

fn by_id(
    what: &str,
    ids: impl Iterator<Item = u64>,
    budget: &mut Budget,
) -> Result<Ids, ErrorKind> {
    let mut by_id = Ids::default();
    for (index, id) in ids.enumerate() {
        budget.take(ID_BYTES)?;
        let is_new = by_id.insert(id, index as u32).is_none();
        if id == 0 || !is_new {
            let problem = if id == 0 {
                "without an id"
            } else {
                "whose id another one has"
            };
            return Err(ErrorKind::Damaged(format!(
                "{what} {} {problem}",
                index + 1
            )));
        }
    }
    Ok(by_id)
}

fn value_type(part: Part<'_>) -> Result<(u64, u64), Damage> {
    let (mut name, mut unit) = (0, 0);
    for field in part.fields() {
        let field = field?;
        match field.number {
            f::value_type::TYPE => name = field.number()?,
            f::value_type::UNIT => unit = field.number()?,
            _ => {}
        }
    }
    Ok((name, unit))
}

fn mapping(part: Part<'_>) -> Result<Mapping, Damage> {
    let mut mapping = Mapping::default();
    for field in part.fields() {
        let field = field?;
        let slot = match field.number {
            f::mapping::ID => &mut mapping.id,
            f::mapping::MEMORY_START => &mut mapping.start,
            f::mapping::MEMORY_LIMIT => &mut mapping.limit,
            f::mapping::FILE_OFFSET => &mut mapping.file_offset,
            f::mapping::FILENAME => &mut mapping.filename,
            f::mapping::BUILD_ID => &mut mapping.build_id,
            _ => continue,
        };
        *slot = field.number()?;
    }
    Ok(mapping)
}

fn line(part: Part<'_>) -> Result<Line, Damage> {
    let mut line = Line::default();
    for field in part.fields() {
        let field = field?;
        match field.number {
            f::line::FUNCTION_ID => line.function_id = field.number()?,
            // A line that no file has is as good as none.
            f::line::LINE => line.line = u32::try_from(field.number()?).unwrap_or(0),
            _ => {}
        }
    }
    Ok(line)
}

fn function(part: Part<'_>) -> Result<Function, Damage> {
    let mut function = Function::default();
    for field in part.fields() {
        let field = field?;
        let slot = match field.number {
            f::function::ID => &mut function.id,
            f::function::NAME => &mut function.name,
            f::function::SYSTEM_NAME => &mut function.system_name,
            f::function::FILENAME => &mut function.filename,
            _ => continue,
        };
        *slot = field.number()?;
    }
    Ok(function)
}
