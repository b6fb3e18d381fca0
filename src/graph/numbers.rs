//! Numbers as /proc writes them, read without allocating.

/// `None` where there is no digit, anything else, or more than a word holds.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    number(text, 10)
}

/// The same of hexadecimal digits.
pub(super) fn hex(text: &[u8]) -> Option<u64> {
    number(text, 16)
}

fn number(text: &[u8], base: u32) -> Option<u64> {
    let value = text.iter().try_fold(0_u64, |number, &digit| {
        let digit = u64::from((digit as char).to_digit(base)?);
        number.checked_mul(base.into())?.checked_add(digit)
    });
    value.filter(|_| !text.is_empty())
}
