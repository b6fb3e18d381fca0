//! Parses JSON from a stream into typed values, as serde describes them.
//!
//! A snapshot of a million sites is some hundred megabytes of JSON, nearly all of it columns of
//! numbers. This parser keeps no text beyond a buffer, makes no value but those asked for, and counts
//! what they may take in memory while it makes them, so that one pass over the text is enough.
//!
//! It knows nothing about snapshots. Nesting does not reach the stack: only the types asked for
//! nest, and values that nobody asked for are passed over in a loop.

mod access;
mod error;
mod input;
mod number;
mod skip;
mod string;

pub(super) use error::Error;

use input::Input;
use number::Number;
use serde::de::{self, Deserializer, IntoDeserializer, Visitor};
use std::io::Read;

/// Bytes for a number or a flag in a vector.
const SCALAR: u64 = 8;
/// Bytes for a string or a vector, apart from what it holds.
const HANDLE: u64 = 24;
/// Bytes for an object, apart from what its fields point to. The largest in a list is a module.
const OBJECT: u64 = 80;

/// Bounds on a text and on what it parses into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Most bytes of text.
    pub(super) text: u64,
    /// Most bytes of memory for values, estimated from above.
    pub(super) memory: u64,
}

/// A text being parsed. `&mut Parser` is the deserializer of the next value in it.
pub(super) struct Parser<'r> {
    input: Input<'r>,
    /// What values may still take.
    memory: u64,
    /// The last string, where it did not stand in the buffer as it is.
    scratch: Vec<u8>,
}

impl<'r> Parser<'r> {
    pub(super) fn new(text: Box<dyn Read + 'r>, bounds: Bounds) -> Self {
        Self {
            input: Input::new(text, bounds.text),
            memory: bounds.memory,
            scratch: Vec::new(),
        }
    }

    /// Where the parser stands, in bytes from the start of the text.
    pub(super) fn position(&self) -> u64 {
        self.input.position()
    }

    /// Reads to the end of the text, where nothing but white space may be left.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        match self.input.token_or_end()? {
            None => Ok(()),
            Some(_) => Err(Error::Syntax("something follows the end of the JSON")),
        }
    }

    #[inline]
    fn spend(&mut self, bytes: u64) -> Result<(), Error> {
        match self.memory.checked_sub(bytes) {
            Some(left) => {
                self.memory = left;
                Ok(())
            }
            None => Err(Error::Memory),
        }
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), Error> {
        for &expected in word {
            if self.input.next()? != expected {
                return Err(Error::Syntax("not a JSON value"));
            }
        }
        Ok(())
    }

    fn visit_number<'de, V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        self.spend(SCALAR)?;
        match self.number()? {
            Number::Unsigned(value) => visitor.visit_u64(value),
            Number::Signed(value) => visitor.visit_i64(value),
            Number::Float(value) => visitor.visit_f64(value),
        }
    }
}

/// Numbers go the short way; whatever else stands there is told by its own type.
macro_rules! numbers {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.input.token()? {
                b'0'..=b'9' | b'-' => self.visit_number(visitor),
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Parser<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.input.token()? {
            b'0'..=b'9' | b'-' => self.visit_number(visitor),
            b'"' => {
                let text = self.string()?;
                let (bytes, value) = (text.len() as u64, visitor.visit_str(text)?);
                self.spend(HANDLE + bytes)?;
                Ok(value)
            }
            b'[' => {
                self.spend(HANDLE)?;
                self.input.advance();
                let mut items = access::Members::of_array(self);
                let value = visitor.visit_seq(&mut items)?;
                items.close()?;
                Ok(value)
            }
            b'{' => {
                self.spend(OBJECT)?;
                self.input.advance();
                let mut fields = access::Members::of_object(self);
                let value = visitor.visit_map(&mut fields)?;
                fields.close()?;
                Ok(value)
            }
            b't' => {
                self.word(b"true")?;
                self.spend(SCALAR)?;
                visitor.visit_bool(true)
            }
            b'f' => {
                self.word(b"false")?;
                self.spend(SCALAR)?;
                visitor.visit_bool(false)
            }
            b'n' => {
                self.word(b"null")?;
                visitor.visit_unit()
            }
            _ => Err(Error::Syntax("not a JSON value")),
        }
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.input.token()? == b'n' {
            self.word(b"null")?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    /// Variants without content alone: a word.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.input.token()? {
            b'"' => {
                self.spend(SCALAR)?;
                let word: de::value::StrDeserializer<'_, Error> =
                    self.string()?.into_deserializer();
                word.deserialize_enum(name, variants, visitor)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.skip_value()?;
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i128 u128 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        struct identifier
    }
}

#[cfg(test)]
mod tests;
