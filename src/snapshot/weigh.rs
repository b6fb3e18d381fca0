//! Bounds the memory that a JSON text can take once parsed, before it is.
//!
//! A few bytes of text can become many of memory (`{}` in a list of modules is 72), so the size of
//! a file alone bounds nothing useful. This walks the text without keeping any of it and adds up an
//! upper estimate. It knows nothing about snapshots.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Bytes for a number or a flag in a vector.
const SCALAR: u64 = 8;
/// Bytes for a string or a vector, apart from what it holds.
const HANDLE: u64 = 24;
/// Bytes for an object, apart from what its fields point to. The largest in a list is a module.
const OBJECT: u64 = 80;

/// Whether the text parses into at most `limit` bytes or so. A text that does not parse passes: its
/// error is found, and told, when it is parsed.
pub(super) fn fits(json: &[u8], limit: u64) -> bool {
    let mut scale = Scale { left: Some(limit) };
    // Parsing stops at the limit by an error; `left` tells it from those of the text.
    let _ = scale.deserialize(&mut serde_json::Deserializer::from_slice(json));
    scale.left.is_some()
}

struct Scale {
    left: Option<u64>,
}

impl Scale {
    fn spend<E: Error>(&mut self, bytes: u64) -> Result<(), E> {
        self.left = self.left.and_then(|left| left.checked_sub(bytes));
        match self.left {
            Some(_) => Ok(()),
            None => Err(E::custom("over the limit")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for &mut Scale {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Scale {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.spend(SCALAR)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.spend(SCALAR)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.spend(SCALAR)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.spend(SCALAR)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.spend(SCALAR)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.spend(HANDLE + text.len() as u64)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.spend(HANDLE)?;
        while items.next_element_seed(&mut *self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.spend(OBJECT)?;
        while map.next_key_seed(&mut *self)?.is_some() {
            map.next_value_seed(&mut *self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_a_weight() {
        for (json, weight) in [
            ("1", 8),
            ("-1", 8),
            ("1.5", 8),
            ("true", 8),
            ("null", 8),
            ("[]", 24),
            ("[[],1]", 56),
            ("\"abc\"", 27),
            ("{\"a\":{}}", 80 + 25 + 80),
        ] {
            assert!(fits(json.as_bytes(), weight), "{json}");
            assert!(!fits(json.as_bytes(), weight - 1), "{json}");
        }
    }

    #[test]
    fn a_broken_text_is_left_to_the_parser() {
        assert!(fits(b"[1, 2", 1_000));
        assert!(!fits(b"[1, 2", 30));
        assert!(fits("[".repeat(100_000).as_bytes(), 1 << 30));
    }
}
