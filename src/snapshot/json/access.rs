//! The items of an array and the fields of an object, one by one.

use super::error::Error;
use super::{HANDLE, Parser};
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess};

/// An array or an object that has been opened.
pub(super) struct Members<'p, 'r> {
    parser: &'p mut Parser<'r>,
    /// What closes it: `]` or `}`.
    end: u8,
    is_first: bool,
}

impl<'p, 'r> Members<'p, 'r> {
    pub(super) fn of_array(parser: &'p mut Parser<'r>) -> Self {
        Self::new(parser, b']')
    }

    pub(super) fn of_object(parser: &'p mut Parser<'r>) -> Self {
        Self::new(parser, b'}')
    }

    fn new(parser: &'p mut Parser<'r>, end: u8) -> Self {
        Self {
            parser,
            end,
            is_first: true,
        }
    }

    /// Goes on to the next item or key. `false`: there is none.
    #[inline]
    fn advance(&mut self) -> Result<bool, Error> {
        match self.parser.input.token()? {
            token if token == self.end => return Ok(false),
            b',' if !self.is_first => self.parser.input.advance(),
            _ if self.is_first => self.is_first = false,
            _ => return Err(Error::Syntax("no comma and no end behind a value")),
        }
        Ok(true)
    }

    /// Closes it behind the last item or field that was taken.
    pub(super) fn close(self) -> Result<(), Error> {
        if self.parser.input.token()? == self.end {
            self.parser.input.advance();
            return Ok(());
        }
        let what = match self.end {
            b']' => "an array with too many items",
            _ => "an object with too many fields",
        };
        Err(Error::Data(what.to_owned()))
    }
}

impl<'de> SeqAccess<'de> for Members<'_, '_> {
    type Error = Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if !self.advance()? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.parser).map(Some)
    }
}

impl<'de> MapAccess<'de> for Members<'_, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        if !self.advance()? {
            return Ok(None);
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
