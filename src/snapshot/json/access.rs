//! The items of an array and the fields of an object, one by one.

use super::error::Error;
use super::{HANDLE, Parser};
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess};

/// An array that has been opened.
pub(super) struct Items<'p, 'r> {
    parser: &'p mut Parser<'r>,
    is_first: bool,
}

impl<'p, 'r> Items<'p, 'r> {
    pub(super) fn new(parser: &'p mut Parser<'r>) -> Self {
        Self {
            parser,
            is_first: true,
        }
    }

    /// Closes the array behind the last item that was taken.
    pub(super) fn close(self) -> Result<(), Error> {
        match self.parser.input.token()? {
            b']' => {
                self.parser.input.advance();
                Ok(())
            }
            _ => Err(Error::Data("an array with too many items".to_owned())),
        }
    }
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        match self.parser.input.token()? {
            b']' => return Ok(None),
            b',' if !self.is_first => self.parser.input.advance(),
            _ if self.is_first => self.is_first = false,
            _ => return Err(Error::Syntax("no comma and no end behind a value")),
        }
        seed.deserialize(&mut *self.parser).map(Some)
    }
}

/// An object that has been opened.
pub(super) struct Fields<'p, 'r> {
    parser: &'p mut Parser<'r>,
    is_first: bool,
}

impl<'p, 'r> Fields<'p, 'r> {
    pub(super) fn new(parser: &'p mut Parser<'r>) -> Self {
        Self {
            parser,
            is_first: true,
        }
    }

    /// Closes the object, of which all fields were taken.
    pub(super) fn close(self) -> Result<(), Error> {
        match self.parser.input.token()? {
            b'}' => {
                self.parser.input.advance();
                Ok(())
            }
            _ => Err(Error::Data("an object with too many fields".to_owned())),
        }
    }
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        match self.parser.input.token()? {
            b'}' => return Ok(None),
            b',' if !self.is_first => self.parser.input.advance(),
            _ if self.is_first => self.is_first = false,
            _ => return Err(Error::Syntax("no comma and no end behind a value")),
        }
        if self.parser.input.token()? != b'"' {
            return Err(Error::Syntax("a key that is not a string"));
        }
        self.parser.spend(HANDLE)?;
        let key: StrDeserializer<'_, Error> = self.parser.string()?.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        self.parser.colon()?;
        seed.deserialize(&mut *self.parser)
    }
}
