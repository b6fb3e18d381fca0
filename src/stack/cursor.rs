//! Reads numbers, pointers and strings out of unwind tables, in the encodings of DWARF 5 (section
//! 7.6) and of the Linux Standard Base (section 10.5, "DWARF Extensions"). Every read is checked.

/// A checked reader that knows its address in memory, for pointers relative to themselves.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    address: u64,
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(address: u64, bytes: &'a [u8]) -> Self {
        Self { address, bytes }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        self.address = self.address.wrapping_add(len as u64);
        Some(taken)
    }

    pub(super) fn skip(&mut self, len: usize) -> Option<()> {
        self.take(len).map(|_| ())
    }

    /// A reader of the next `len` bytes, which this one skips.
    pub(super) fn split(&mut self, len: usize) -> Option<Self> {
        let address = self.address;
        Some(Self::new(address, self.take(len)?))
    }

    pub(super) fn limit(mut self, len: usize) -> Option<Self> {
        self.split(len)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    pub(super) fn uleb(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn sleb(&mut self) -> Option<i64> {
        let mut value = 0i64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let unused = 64u32.saturating_sub(shift + 7);
                return Some(value << unused >> unused);
            }
        }
        None
    }

    pub(super) fn block(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.uleb()?).ok()?;
        self.take(len)
    }

    /// A string that ends with NUL.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let len = self.bytes.iter().position(|&byte| byte == 0)?;
        let text = self.take(len)?;
        self.skip(1)?;
        Some(text)
    }

    /// An encoded pointer: the format in the low half of the encoding, what it is relative to in
    /// the high half. Only absolute and self-relative ones occur in unwind entries.
    pub(super) fn encoded(&mut self, encoding: u8) -> Option<u64> {
        let here = self.address;
        let value = match encoding & 0x0f {
            0x00 | 0x04 | 0x0c => self.u64()?,
            0x01 => self.uleb()?,
            0x02 => u64::from(self.u16()?),
            0x03 => u64::from(self.u32()?),
            0x09 => self.sleb()? as u64,
            0x0a => i64::from(self.u16()? as i16) as u64,
            0x0b => i64::from(self.u32()? as i32) as u64,
            _ => return None,
        };
        match encoding & 0xf0 {
            0x00 => Some(value),
            0x10 => Some(here.wrapping_add(value)),
            _ => None,
        }
    }
}
