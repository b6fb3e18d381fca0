//! Values that nobody asked for: their grammar is checked, and nothing is kept of them.

use super::Parser;
use super::error::Error;
use super::string::plain_bytes;

/// What is open around the next value.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Open {
    Array,
    Object,
}

impl Parser<'_> {
    /// Passes over a value, however deeply it nests.
    pub(super) fn skip_value(&mut self) -> Result<(), Error> {
        let mut open = Vec::new();
        loop {
            match self.input.token()? {
                b'[' => {
                    self.open(&mut open, Open::Array)?;
                    if self.input.token()? != b']' {
                        continue;
                    }
                }
                b'{' => {
                    self.open(&mut open, Open::Object)?;
                    if self.input.token()? != b'}' {
                        self.skip_key()?;
                        continue;
                    }
                }
                b'"' => self.skip_string()?,
                b'0'..=b'9' | b'-' => drop(self.number()?),
                b't' => self.word(b"true")?,
                b'f' => self.word(b"false")?,
                b'n' => self.word(b"null")?,
                _ => return Err(Error::Syntax("not a JSON value")),
            }
            // Behind a value, or before the end of an empty list.
            loop {
                let Some(&around) = open.last() else {
                    return Ok(());
                };
                match (self.input.token()?, around) {
                    (b',', _) => {
                        self.input.advance();
                        if around == Open::Object {
                            self.input.token()?;
                            self.skip_key()?;
                        }
                        break;
                    }
                    (b']', Open::Array) | (b'}', Open::Object) => {
                        self.input.advance();
                        open.pop();
                    }
                    _ => return Err(Error::Syntax("no comma and no end behind a value")),
                }
            }
        }
    }

    fn open(&mut self, open: &mut Vec<Open>, what: Open) -> Result<(), Error> {
        self.spend(1)?;
        self.input.advance();
        open.push(what);
        Ok(())
    }

    /// Passes over a key and the colon behind it.
    fn skip_key(&mut self) -> Result<(), Error> {
        if self.input.token()? != b'"' {
            return Err(Error::Syntax("a key that is not a string"));
        }
        self.skip_string()?;
        self.colon()
    }

    fn skip_string(&mut self) -> Result<(), Error> {
        self.input.advance();
        loop {
            let plain = plain_bytes(self.input.window()?);
            self.input.skip(plain);
            match self.input.byte()? {
                b'"' => {
                    self.input.advance();
                    return Ok(());
                }
                b'\\' => {
                    self.input.advance();
                    self.escaped()?;
                }
                // The window ended.
                byte if byte >= b' ' => {}
                _ => return Err(Error::Syntax("a control character in a string")),
            }
        }
    }

    /// Passes over the colon behind a key.
    pub(super) fn colon(&mut self) -> Result<(), Error> {
        if self.input.token()? != b':' {
            return Err(Error::Syntax("no colon behind a key"));
        }
        self.input.advance();
        Ok(())
    }
}
