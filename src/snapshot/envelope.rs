//! Reads the front of a snapshot: that it is one, its version, its header. Stops as soon as these
//! are known, so that the columns of a large snapshot are neither decompressed nor parsed.
//!
//! Keys may stand in any order; the writer puts these three first.

use super::error::ErrorKind;
use super::model::{FORMAT, FORMAT_VERSION, Header};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use std::{fmt, io};

/// Parses until the header is known.
pub(super) fn read<'de, R>(json: &mut serde_json::Deserializer<R>) -> Result<Header, ErrorKind>
where
    R: serde_json::de::Read<'de>,
{
    let mut envelope = Envelope::default();
    let parsed = (&mut envelope).deserialize(json);
    match envelope {
        Envelope { foreign: true, .. } => Err(ErrorKind::Foreign(NO_FORMAT)),
        Envelope {
            newer: Some(version),
            ..
        } => Err(ErrorKind::Version(version)),
        Envelope {
            format: true,
            version: true,
            header: Some(header),
            ..
        } => Ok(*header),
        Envelope {
            format, version, ..
        } => Err(match parsed {
            Err(error) if !format && error.is_syntax() => ErrorKind::Foreign(NO_JSON),
            Err(error) if !format && error.is_data() => ErrorKind::Foreign(NO_FORMAT),
            Err(error) => json_error(error),
            Ok(()) if !format => ErrorKind::Foreign(NO_FORMAT),
            Ok(()) if !version => ErrorKind::Damaged("it has no format_version".to_owned()),
            Ok(()) => ErrorKind::Damaged("it has no header".to_owned()),
        }),
    }
}

const NO_JSON: &str = "its content is not JSON";
const NO_FORMAT: &str = "JSON, but without \"format\": \"heaplens-snapshot\"";

/// Sorts an error of the JSON parser into the kinds that a reader can act on.
pub(super) fn json_error(error: serde_json::Error) -> ErrorKind {
    match error.classify() {
        Category::Eof => ErrorKind::Truncated,
        Category::Io => input_error(error.into()),
        Category::Syntax | Category::Data => ErrorKind::Damaged(error.to_string()),
    }
}

/// The same for an error of the decompressor or of the system below it.
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

#[derive(Default)]
struct Envelope {
    format: bool,
    foreign: bool,
    version: bool,
    newer: Option<u64>,
    header: Option<Box<Header>>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    Format,
    FormatVersion,
    Header,
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
            match key {
                Key::Format => {
                    self.format = map.next_value::<String>()? == FORMAT;
                    self.foreign = !self.format;
                }
                Key::FormatVersion => {
                    let version = map.next_value::<u64>()?;
                    self.version = true;
                    self.newer = (version != u64::from(FORMAT_VERSION)).then_some(version);
                }
                Key::Header => self.header = Some(map.next_value()?),
                Key::Other => drop(map.next_value::<IgnoredAny>()?),
            }
            let refused = self.foreign || (self.format && self.newer.is_some());
            let known = self.format && self.version && self.header.is_some();
            if refused || known {
                // Not a failure: the caller looks at what was found.
                return Err(A::Error::custom("seen enough"));
            }
        }
        Ok(())
    }
}
