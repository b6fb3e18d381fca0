//! Messages of pprof profiles, byte by byte, as writers other than ours make them.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};

/// A message under construction.
#[derive(Default, Clone)]
pub(crate) struct Message(pub(crate) Vec<u8>);

impl Message {
    pub(crate) fn varint(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    pub(crate) fn number(self, field: u64, value: i64) -> Self {
        self.varint(field << 3).varint(value.cast_unsigned())
    }

    pub(crate) fn bytes(self, field: u64, bytes: &[u8]) -> Self {
        let mut message = self.varint(field << 3 | 2).varint(bytes.len() as u64);
        message.0.extend_from_slice(bytes);
        message
    }

    pub(crate) fn list(self, field: u64, values: &[i64]) -> Self {
        let packed = values.iter().fold(Self::default(), |list, value| {
            list.varint(value.cast_unsigned())
        });
        self.bytes(field, &packed.0)
    }
}

/// A profile under construction, with its texts.
#[derive(Clone)]
pub(crate) struct Profile {
    pub(crate) message: Message,
    texts: Vec<String>,
}

impl Profile {
    /// A profile whose samples have values of these types.
    pub(crate) fn new(types: &[(&str, &str)]) -> Self {
        let mut profile = Self {
            message: Message::default(),
            texts: vec![String::new()],
        };
        for (name, unit) in types {
            profile = profile.value_type(1, name, unit);
        }
        profile
    }

    fn text(&mut self, text: &str) -> i64 {
        self.texts.push(text.to_owned());
        self.texts.len() as i64 - 1
    }

    /// Adds fields as they are.
    pub(crate) fn with(mut self, fields: Message) -> Self {
        self.message.0.extend(fields.0);
        self
    }

    pub(crate) fn field(mut self, field: u64, message: Message) -> Self {
        self.message = self.message.bytes(field, &message.0);
        self
    }

    fn value_type(mut self, field: u64, name: &str, unit: &str) -> Self {
        let [name, unit] = [name, unit].map(|text| self.text(text));
        let message = Message::default().number(1, name).number(2, unit);
        self.field(field, message)
    }

    /// Samples of one in so many bytes.
    pub(crate) fn period(mut self, bytes: i64) -> Self {
        self = self.value_type(11, "space", "bytes");
        self.message = self.message.number(12, bytes);
        self
    }

    pub(crate) fn taken(mut self, unix_seconds: i64) -> Self {
        self.message = self.message.number(9, unix_seconds * 1_000_000_000);
        self
    }

    pub(crate) fn sample(self, locations: &[i64], values: &[i64]) -> Self {
        self.field(2, Message::default().list(1, locations).list(2, values))
    }

    pub(crate) fn mapping(mut self, id: i64, [start, limit, offset]: [i64; 3], path: &str) -> Self {
        let path = self.text(path);
        let message = Message::default()
            .number(1, id)
            .number(2, start)
            .number(3, limit)
            .number(4, offset)
            .number(5, path);
        self.field(3, message)
    }

    /// A location at an address in mapping 1, with a function of its own unless the name is empty.
    pub(crate) fn location(mut self, id: i64, address: i64, name: &str, line: i64) -> Self {
        let mut location = Message::default()
            .number(1, id)
            .number(2, 1)
            .number(3, address);
        if !name.is_empty() {
            let text = self.text(name);
            self = self.field(5, Message::default().number(1, id).number(2, text));
            location = location.bytes(4, &Message::default().number(1, id).number(2, line).0);
        }
        self.field(4, location)
    }

    pub(crate) fn build(self) -> Vec<u8> {
        let texts = self.texts.iter();
        texts
            .fold(self.message, |message, text| {
                message.bytes(6, text.as_bytes())
            })
            .0
    }

    /// Writes the profile, gzipped.
    pub(crate) fn write(self, path: &Path) -> PathBuf {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&self.build()).unwrap();
        std::fs::write(path, gzip.finish().unwrap()).unwrap();
        path.to_owned()
    }
}
