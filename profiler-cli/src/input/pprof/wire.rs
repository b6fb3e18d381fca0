//! The wire format of protocol buffers, read: fields of a message one by one, out of the bytes where
//! they stand. Nothing is copied, and what a field means is not known here.

use std::fmt;

/// What is wrong with the bytes, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Damage {
    what: String,
    at: usize,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {} of its protobuf", self.what, self.at)
    }
}

/// Bytes of a message or a text, and where in the whole they stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) bytes: &'a [u8],
    at: usize,
}

/// A field's value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Number(u64),
    Part(Part<'a>),
    /// Of a fixed width, which no field of a profile has.
    Fixed,
}

/// A field of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) number: u32,
    value: Value<'a>,
    at: usize,
}

impl<'a> Part<'a> {
    pub(super) fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The fields of a message.
    pub(super) fn fields(self) -> impl Iterator<Item = Result<Field<'a>, Damage>> {
        let mut rest = self;
        std::iter::from_fn(move || {
            if rest.bytes.is_empty() {
                return None;
            }
            let field = rest.field();
            if field.is_err() {
                rest.bytes = &[];
            }
            Some(field)
        })
    }

    pub(super) fn damage(self, what: impl Into<String>) -> Damage {
        Damage {
            what: what.into(),
            at: self.at,
        }
    }

    fn field(&mut self) -> Result<Field<'a>, Damage> {
        let start = *self;
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|&number| number > 0);
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.varint()?;
                Value::Part(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(start.damage("an unknown kind of field")),
        };
        Ok(Field {
            number: number.ok_or_else(|| start.damage("a field with an impossible number"))?,
            value,
            at: start.at,
        })
    }

    fn take(&mut self, length: u64) -> Result<Self, Damage> {
        let split = usize::try_from(length)
            .ok()
            .and_then(|length| self.bytes.split_at_checked(length));
        let Some((taken, rest)) = split else {
            return Err(self.damage(format!("a length of {length}, with less left")));
        };
        let part = Self {
            bytes: taken,
            at: self.at,
        };
        self.at += taken.len();
        self.bytes = rest;
        Ok(part)
    }

    fn varint(&mut self) -> Result<u64, Damage> {
        let mut value = 0_u64;
        for (at, &byte) in self.bytes.iter().enumerate().take(10) {
            // Of the tenth byte only the lowest bit fits; writers of negative numbers set no other.
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                self.bytes = &self.bytes[at + 1..];
                self.at += at + 1;
                return Ok(value);
            }
        }
        Err(self.damage("a number without an end"))
    }
}

impl<'a> Field<'a> {
    /// The value of a field that is a number.
    pub(super) fn number(self) -> Result<u64, Damage> {
        match self.value {
            Value::Number(number) => Ok(number),
            _ => Err(self.is_no("number")),
        }
    }

    /// The value of a field that is a message or a text.
    pub(super) fn part(self) -> Result<Part<'a>, Damage> {
        match self.value {
            Value::Part(part) => Ok(part),
            _ => Err(self.is_no("message or text")),
        }
    }

    /// The values of a list of numbers, packed or not, of which this may be one of several pieces.
    pub(super) fn numbers(self) -> Result<impl Iterator<Item = Result<u64, Damage>>, Damage> {
        let (single, mut packed) = match self.value {
            Value::Number(number) => (Some(number), None),
            Value::Part(part) => (None, Some(part)),
            Value::Fixed => return Err(self.is_no("list of numbers")),
        };
        let packed = std::iter::from_fn(move || {
            let rest = packed.as_mut().filter(|rest| !rest.bytes.is_empty())?;
            let number = rest.varint();
            if number.is_err() {
                packed = None;
            }
            Some(number)
        });
        Ok(single.map(Ok).into_iter().chain(packed))
    }

    fn is_no(self, what: &str) -> Damage {
        Damage {
            what: format!("field {} that is no {what}", self.number),
            at: self.at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(bytes: &[u8]) -> Result<Field<'_>, Damage> {
        Part::whole(bytes).fields().next().expect("a field")
    }

    #[test]
    fn numbers_and_lists_are_read() {
        assert_eq!(first(&[0x08, 0x96, 0x01]).unwrap().number(), Ok(150));
        let minus_one = [[0x08].as_slice(), &[0xff; 9], &[0x01]].concat();
        assert_eq!(first(&minus_one).unwrap().number(), Ok(u64::MAX));
        for (bytes, expected) in [
            (&[0x0a, 3, 3, 0x8e, 0x02][..], vec![3, 270]),
            (&[0x08, 7], vec![7]),
            (&[0x0a, 0], vec![]),
        ] {
            let numbers: Result<Vec<_>, _> = first(bytes).unwrap().numbers().unwrap().collect();
            assert_eq!(numbers.unwrap(), expected);
        }
    }

    #[test]
    fn damage_is_told_with_its_place() {
        let told = |bytes: &[u8]| {
            let mut fields = Part::whole(bytes).fields();
            fields.find_map(Result::err).unwrap().to_string()
        };
        assert!(
            told(&[0x08, 1, 0x0a, 9, 1]).starts_with("a length of 9, with less left at byte 4")
        );
        assert!(told(&[0x08, 1, 0x08]).starts_with("a number without an end at byte 3"));
        assert!(told(&[0x08, 1, 0x0f]).starts_with("an unknown kind of field at byte 2"));
        assert!(told(&[0x00, 1]).starts_with("a field with an impossible number at byte 0"));
        let text = first(&[0x0a, 1, b'x']).unwrap();
        assert!(
            text.number()
                .unwrap_err()
                .to_string()
                .starts_with("field 1 that is no number")
        );
    }

    #[test]
    fn parts_know_where_they_stand() {
        let outer = first(&[0x0a, 2, 0x08, 0x80]).unwrap().part().unwrap();
        let damage = outer.fields().next().unwrap().unwrap_err();
        assert_eq!(
            damage.to_string(),
            "a number without an end at byte 3 of its protobuf"
        );
    }
}
