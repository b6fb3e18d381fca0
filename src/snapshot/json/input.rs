//! The text as it comes: a buffer over a stream, and what looks at the next bytes of it.

use super::error::Error;
use std::io::{ErrorKind, Read};

/// Large enough that refilling it costs nothing, and small enough to stay in the cache.
const BUFFER_BYTES: usize = 64 << 10;

/// Bytes that [`Input::window`] shows at least, unless the text ends before: a number of 20 digits
/// with its sign, and what follows it.
pub(super) const WINDOW: usize = 32;

/// A stream and the part of it that is being looked at.
pub(super) struct Input<'r> {
    stream: Box<dyn Read + 'r>,
    buffer: Box<[u8]>,
    /// The next byte.
    at: usize,
    /// Behind the last byte that is there.
    end: usize,
    /// Bytes of the text before the buffer.
    before: u64,
    /// Most bytes of text.
    limit: u64,
    is_ended: bool,
}

impl<'r> Input<'r> {
    pub(super) fn new(stream: Box<dyn Read + 'r>, limit: u64) -> Self {
        Self {
            stream,
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            at: 0,
            end: 0,
            before: 0,
            limit,
            is_ended: false,
        }
    }

    pub(super) fn position(&self) -> u64 {
        self.before + self.at as u64
    }

    /// What is in the buffer: at least [`WINDOW`] bytes, or all that is left.
    #[inline]
    pub(super) fn window(&mut self) -> Result<&[u8], Error> {
        if self.end - self.at < WINDOW {
            self.fill()?;
        }
        Ok(&self.buffer[self.at..self.end])
    }

    /// Passes over bytes of the window.
    #[inline]
    pub(super) fn skip(&mut self, bytes: usize) {
        self.at += bytes;
        debug_assert!(self.at <= self.end, "what is passed over was seen");
    }

    /// The first `len` of the last `back` bytes that were passed over, all of them in one window.
    pub(super) fn behind(&self, back: usize, len: usize) -> &[u8] {
        &self.buffer[self.at - back..][..len]
    }

    /// Passes over the byte that [`Self::token`] or [`Self::byte`] has told.
    #[inline]
    pub(super) fn advance(&mut self) {
        self.skip(1);
    }

    /// The next byte, whatever it is; the text may not end before it.
    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Error> {
        if self.at == self.end {
            self.fill()?;
        }
        match self.buffer[self.at..self.end] {
            [byte, ..] => Ok(byte),
            [] => Err(Error::End),
        }
    }

    /// Takes the next byte.
    pub(super) fn next(&mut self) -> Result<u8, Error> {
        let byte = self.byte()?;
        self.advance();
        Ok(byte)
    }

    /// The next byte that is not white space; the text may not end before it.
    #[inline]
    pub(super) fn token(&mut self) -> Result<u8, Error> {
        match self.buffer[self.at..self.end] {
            // The four kinds of white space, and what is in no text, are not above a space.
            [byte, ..] if byte > b' ' => Ok(byte),
            // Some writers put one space behind each comma.
            [b' ', byte, ..] if byte > b' ' => {
                self.advance();
                Ok(byte)
            }
            _ => match self.token_or_end()? {
                Some(byte) => Ok(byte),
                None => Err(Error::End),
            },
        }
    }

    /// The same; `None` at the end of the text.
    #[cold]
    pub(super) fn token_or_end(&mut self) -> Result<Option<u8>, Error> {
        loop {
            match self.byte() {
                Ok(b' ' | b'\n' | b'\r' | b'\t') => self.advance(),
                Ok(byte) => return Ok(Some(byte)),
                Err(Error::End) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads until the window is full or the text ends.
    #[cold]
    fn fill(&mut self) -> Result<(), Error> {
        self.buffer.copy_within(self.at..self.end, 0);
        self.before += self.at as u64;
        (self.at, self.end) = (0, self.end - self.at);
        while !self.is_ended && self.end < WINDOW {
            match self.stream.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.is_ended = true,
                Ok(bytes) => self.end += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Input(error)),
            }
            if self.before + self.end as u64 > self.limit {
                return Err(Error::Text);
            }
        }
        Ok(())
    }
}
