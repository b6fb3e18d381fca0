//! Numbers: columns of short integers in one go, all others by their text.

use super::Parser;
use super::error::Error;

/// A number, as small as it can be told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Unsigned(u64),
    /// Negative.
    Signed(i64),
    Float(f64),
}

/// Digits that fit a `u64` whatever they are.
const SAFE_DIGITS: usize = 19;

impl Parser<'_> {
    /// The number that begins here.
    #[inline]
    pub(super) fn number(&mut self) -> Result<Number, Error> {
        let window = self.input.window()?;
        let sign = usize::from(window.first() == Some(&b'-'));
        let (mut value, mut digits) = (0u64, 0);
        let next = loop {
            let byte = window.get(sign + digits).copied().unwrap_or_default();
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 || digits > SAFE_DIGITS {
                break byte;
            }
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
            digits += 1;
        };
        let is_whole = matches!(next, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t');
        let is_short = (1..=SAFE_DIGITS).contains(&digits);
        // Zeroes in front, and a negative zero, are left to the long way.
        if is_whole && is_short && (window[sign] != b'0' || (digits == 1 && sign == 0)) {
            let number = match sign {
                0 => Some(Number::Unsigned(value)),
                _ => 0i64.checked_sub_unsigned(value).map(Number::Signed),
            };
            if let Some(number) = number {
                self.input.skip(sign + digits);
                return Ok(number);
            }
        }
        self.long_number()
    }

    /// A number by its text, which may be of any length: fractions, and integers out of range.
    fn long_number(&mut self) -> Result<Number, Error> {
        self.scratch.clear();
        loop {
            let window = self.input.window()?;
            let part = window
                .iter()
                .take_while(|byte| is_in_number(**byte))
                .count();
            let is_last = part < window.len();
            if window.is_empty() && !is_number(&self.scratch) {
                return Err(Error::End);
            }
            self.scratch.extend_from_slice(&window[..part]);
            self.input.skip(part);
            // Short, unless someone means harm.
            self.spend(part as u64)?;
            if is_last || part == 0 {
                break;
            }
        }
        if !is_number(&self.scratch) {
            return Err(Error::Syntax("not a JSON number"));
        }
        // ASCII alone, so this does not fail.
        let text = std::str::from_utf8(&self.scratch).unwrap_or_default();
        let integer = match text.as_bytes() {
            [b'-', ..] => text
                .parse()
                .ok()
                .filter(|&value| value < 0)
                .map(Number::Signed),
            _ => text.parse().ok().map(Number::Unsigned),
        };
        if let Some(integer) = integer {
            return Ok(integer);
        }
        match text.parse::<f64>() {
            Ok(float) if float.is_finite() => Ok(Number::Float(float)),
            _ => Err(Error::Syntax("a number out of range")),
        }
    }
}

fn is_in_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

/// Whether a text is a number as JSON writes it.
fn is_number(text: &[u8]) -> bool {
    fn digits(text: &[u8]) -> Option<&[u8]> {
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (digits > 0).then(|| &text[digits..])
    }
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let rest = match text {
        [b'0', rest @ ..] => Some(rest),
        _ => digits(text),
    };
    let rest = rest.and_then(|rest| match rest {
        [b'.', rest @ ..] => digits(rest),
        rest => Some(rest),
    });
    let rest = rest.and_then(|rest| match rest {
        [b'e' | b'E', b'+' | b'-', rest @ ..] | [b'e' | b'E', rest @ ..] => digits(rest),
        rest => Some(rest),
    });
    rest.is_some_and(<[u8]>::is_empty)
}
