//! Strings: those without escapes as they stand in the buffer, others put together beside it.

use super::Parser;
use super::error::Error;

const CONTROL: Error = Error::Syntax("a control character in a string");

impl Parser<'_> {
    /// The string that begins here.
    pub(super) fn string(&mut self) -> Result<&str, Error> {
        self.input.advance();
        self.scratch.clear();
        let window = self.input.window()?;
        let plain = plain_bytes(window);
        // Nearly all strings end in the buffer.
        if window.get(plain) == Some(&b'"') {
            self.input.skip(plain + 1);
            return text(self.input.behind(plain + 1, plain));
        }
        loop {
            let window = self.input.window()?;
            let plain = plain_bytes(window);
            let next = window.get(plain).copied();
            self.scratch.extend_from_slice(&window[..plain]);
            self.input.skip(plain);
            self.spend(plain as u64)?;
            match next {
                Some(b'"') => {
                    self.input.advance();
                    break;
                }
                Some(b'\\') => {
                    self.input.advance();
                    let char = self.escaped()?;
                    self.spend(1)?;
                    let mut bytes = [0; 4];
                    self.scratch
                        .extend_from_slice(char.encode_utf8(&mut bytes).as_bytes());
                }
                Some(_) => return Err(CONTROL),
                None => {
                    self.input.byte()?;
                }
            }
        }
        text(&self.scratch)
    }

    /// The character behind a backslash.
    pub(super) fn escaped(&mut self) -> Result<char, Error> {
        Ok(match self.input.next()? {
            byte @ (b'"' | b'\\' | b'/') => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.escaped_code()?,
            _ => return Err(Error::Syntax("an unknown escape in a string")),
        })
    }

    /// The character whose code, or pair of surrogates, stands behind `\u`.
    fn escaped_code(&mut self) -> Result<char, Error> {
        const ALONE: Error = Error::Syntax("half of a surrogate pair in a string");
        let code = self.four_digits()?;
        let code = match code {
            0xd800..=0xdbff => {
                if (self.input.next()?, self.input.next()?) != (b'\\', b'u') {
                    return Err(ALONE);
                }
                match self.four_digits()? {
                    low @ 0xdc00..=0xdfff => 0x1_0000 + ((code - 0xd800) << 10 | (low - 0xdc00)),
                    _ => return Err(ALONE),
                }
            }
            code => code,
        };
        char::from_u32(code).ok_or(ALONE)
    }

    fn four_digits(&mut self) -> Result<u32, Error> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = char::from(self.input.next()?).to_digit(16);
            code = code << 4 | digit.ok_or(Error::Syntax("an escape without four hex digits"))?;
        }
        Ok(code)
    }
}

/// Bytes up to the first that does not stand for itself.
pub(super) fn plain_bytes(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|&byte| byte < b' ' || byte == b'"' || byte == b'\\')
        .unwrap_or(bytes.len())
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|_| Error::Syntax("a string that is not UTF-8"))
}
