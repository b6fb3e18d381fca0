//! Reads the object that a snapshot is, and sorts what can be wrong with it.
//!
//! Keys may stand in any order. The writer puts the format, its version and the header first, so
//! that a foreign file or a newer version is told before its columns are looked at, and a header
//! read without the columns of a large snapshot being decompressed.

use super::codec::Limits;
use super::error::ErrorKind;
use super::graph::Graph;
use super::json::{self, Parser};
use super::model::{FORMAT, FORMAT_VERSION, Header, Module, Sites, Snapshot, Stacks, Symbols};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use std::{fmt, io};

/// Parses until the header is known.
pub(super) fn read_header(json: &mut Parser<'_>, limits: &Limits) -> Result<Header, ErrorKind> {
    let mut envelope = Envelope::default();
    let parsed = (&mut envelope).deserialize(&mut *json);
    // Behind the header anything may be wrong: parsing was stopped there.
    let parsed = if envelope.is_known() { Ok(()) } else { parsed };
    envelope.check(parsed, json, limits)?;
    envelope
        .header
        .map(|header| *header)
        .ok_or_else(|| lacks("header"))
}

/// Parses the text to its end.
pub(super) fn read_snapshot(json: &mut Parser<'_>, limits: &Limits) -> Result<Snapshot, ErrorKind> {
    let mut envelope = Envelope {
        columns: Some(Columns::default()),
        ..Envelope::default()
    };
    let parsed = (&mut envelope)
        .deserialize(&mut *json)
        .and_then(|()| json.finish());
    envelope.check(parsed, json, limits)?;
    let Envelope {
        header, columns, ..
    } = envelope;
    let columns = columns.unwrap_or_default();
    let snapshot = Snapshot {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        header: *header.ok_or_else(|| lacks("header"))?,
        modules: columns.modules.ok_or_else(|| lacks("modules"))?,
        stacks: columns.stacks.ok_or_else(|| lacks("stacks"))?,
        sites: columns.sites.ok_or_else(|| lacks("sites"))?,
        graph: columns.graph,
        symbols: columns.symbols,
        complete: columns.complete.unwrap_or_default(),
    };
    match snapshot.complete {
        true => Ok(snapshot),
        false => Err(ErrorKind::Truncated),
    }
}

const NO_JSON: &str = "its content is not JSON";
const NO_FORMAT: &str = "JSON, but without \"format\": \"heaplens-snapshot\"";

fn lacks(field: &str) -> ErrorKind {
    ErrorKind::Damaged(format!("it has no {field}"))
}

/// Sorts an error of the decompressor, or of the system below it, into the kinds that a reader can
/// act on.
pub(super) fn input_error(error: io::Error) -> ErrorKind {
    match error.kind() {
        _ if error.raw_os_error().is_some() => ErrorKind::Io(error),
        io::ErrorKind::UnexpectedEof => ErrorKind::Truncated,
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            ErrorKind::Damaged(format!("its gzip data: {error}"))
        }
        _ => ErrorKind::Io(error),
    }
}

/// The same for an error of the parser.
fn json_error(error: json::Error, json: &Parser<'_>, limits: &Limits) -> ErrorKind {
    match error {
        json::Error::Input(error) => input_error(error),
        json::Error::End => ErrorKind::Truncated,
        json::Error::Text => ErrorKind::TooLarge {
            what: "its JSON",
            limit: limits.decompressed_bytes,
        },
        json::Error::Memory => ErrorKind::TooLarge {
            what: "memory for its content",
            limit: limits.parsed_bytes,
        },
        json::Error::Syntax(_) | json::Error::Data(_) => {
            ErrorKind::Damaged(format!("{error} at byte {} of its JSON", json.position()))
        }
    }
}

/// What is known of a snapshot so far.
#[derive(Default)]
struct Envelope {
    format: bool,
    foreign: bool,
    version: bool,
    newer: Option<u64>,
    header: Option<Box<Header>>,
    /// Where only the header is wanted there are none.
    columns: Option<Columns>,
}

#[derive(Default)]
struct Columns {
    modules: Option<Vec<Module>>,
    stacks: Option<Stacks>,
    sites: Option<Sites>,
    graph: Option<Graph>,
    symbols: Option<Symbols>,
    complete: Option<bool>,
}

impl Envelope {
    fn is_refused(&self) -> bool {
        self.foreign || (self.format && self.newer.is_some())
    }

    fn is_known(&self) -> bool {
        self.format && self.version && self.newer.is_none() && self.header.is_some()
    }

    /// Whether this is a snapshot that we can read, given how parsing it went.
    fn check(
        &self,
        parsed: Result<(), json::Error>,
        json: &Parser<'_>,
        limits: &Limits,
    ) -> Result<(), ErrorKind> {
        if self.foreign {
            return Err(ErrorKind::Foreign(NO_FORMAT));
        }
        if let Some(version) = self.newer.filter(|_| self.format) {
            return Err(ErrorKind::Version(version));
        }
        match parsed {
            Err(json::Error::Syntax(_)) if !self.format => Err(ErrorKind::Foreign(NO_JSON)),
            Err(json::Error::Data(_)) | Ok(()) if !self.format => {
                Err(ErrorKind::Foreign(NO_FORMAT))
            }
            Err(error) => Err(json_error(error, json, limits)),
            Ok(()) if !self.version => Err(lacks("format_version")),
            Ok(()) => Ok(()),
        }
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    Format,
    FormatVersion,
    Header,
    Modules,
    Stacks,
    Sites,
    Graph,
    Symbols,
    Complete,
    #[serde(other)]
    Other,
}

impl<'de> DeserializeSeed<'de> for &mut Envelope {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Envelope {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a snapshot's object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key()? {
            match (key, &mut self.columns) {
                (Key::Format, _) => {
                    self.format = map.next_value::<String>()? == FORMAT;
                    self.foreign = !self.format;
                }
                (Key::FormatVersion, _) => {
                    let version = map.next_value::<u64>()?;
                    self.version = true;
                    self.newer = (version != u64::from(FORMAT_VERSION)).then_some(version);
                }
                (Key::Header, _) => once(&mut self.header, "header", &mut map)?,
                (Key::Other, _) | (_, None) => drop(map.next_value::<IgnoredAny>()?),
                (Key::Modules, Some(columns)) => {
                    once(&mut columns.modules, "modules", &mut map)?;
                }
                (Key::Stacks, Some(columns)) => once(&mut columns.stacks, "stacks", &mut map)?,
                (Key::Sites, Some(columns)) => once(&mut columns.sites, "sites", &mut map)?,
                (Key::Graph, Some(columns)) => once(&mut columns.graph, "graph", &mut map)?,
                (Key::Symbols, Some(columns)) => {
                    once(&mut columns.symbols, "symbols", &mut map)?;
                }
                (Key::Complete, Some(columns)) => {
                    once(&mut columns.complete, "complete", &mut map)?;
                }
            }
            if self.is_refused() || (self.is_known() && self.columns.is_none()) {
                // Not a failure: the caller looks at what was found.
                return Err(A::Error::custom("seen enough"));
            }
        }
        Ok(())
    }
}

/// Takes the value of a field that may be there once. An absent value is as good as none.
fn once<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    field: &mut Option<T>,
    name: &'static str,
    map: &mut A,
) -> Result<(), A::Error> {
    if field.is_some() {
        return Err(A::Error::duplicate_field(name));
    }
    *field = map.next_value()?;
    Ok(())
}
