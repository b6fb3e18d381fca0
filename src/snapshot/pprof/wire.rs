//! The wire format of protocol buffers, as far as writing a profile needs it: varints, texts,
//! packed numbers and messages within messages. What a field means is not known here.

/// Wire type of a varint.
const VARINT: u64 = 0;
/// Wire type of what begins with its length.
const LENGTH: u64 = 2;

/// Bytes of a message. Fields whose value is zero or empty are left out, as proto3 has it, except
/// where their presence counts: in lists.
#[derive(Debug, Default)]
pub(super) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A field that is a number.
    pub(super) fn uint(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.tag(field, VARINT);
            self.varint(value);
        }
    }

    /// A field that is true or false.
    pub(super) fn bool(&mut self, field: u32, value: bool) {
        self.uint(field, u64::from(value));
    }

    /// An entry of a list of texts.
    pub(super) fn text(&mut self, field: u32, text: &str) {
        self.tag(field, LENGTH);
        self.varint(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// A list of numbers.
    pub(super) fn packed(&mut self, field: u32, values: impl IntoIterator<Item = u64>) {
        self.message(field, |list| {
            for value in values {
                list.varint(value);
            }
        });
    }

    /// A message that `fill` writes the fields of.
    pub(super) fn message(&mut self, field: u32, fill: impl FnOnce(&mut Self)) {
        self.tag(field, LENGTH);
        let start = self.bytes.len();
        fill(self);
        let end = self.bytes.len();
        self.varint((end - start) as u64);
        // The length is known last and stands first.
        let length_bytes = self.bytes.len() - end;
        self.bytes[start..].rotate_right(length_bytes);
    }

    fn tag(&mut self, field: u32, wire_type: u64) {
        self.varint(u64::from(field) << 3 | wire_type);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(fill: impl FnOnce(&mut Message)) -> Vec<u8> {
        let mut message = Message::default();
        fill(&mut message);
        message.bytes().to_vec()
    }

    #[test]
    fn numbers_take_seven_bits_a_byte() {
        assert_eq!(written(|m| m.uint(1, 150)), [0x08, 0x96, 0x01]);
        assert!(written(|m| m.uint(1, 0)).is_empty());
        assert_eq!(written(|m| m.bool(16, true)), [0x80, 0x01, 0x01]);
        let largest = [[0x10].as_slice(), &[0xff; 9], &[0x01]].concat();
        assert_eq!(written(|m| m.uint(2, u64::MAX)), largest);
    }

    #[test]
    fn lengths_stand_before_what_they_measure() {
        assert_eq!(written(|m| m.text(2, "hi")), [0x12, 2, b'h', b'i']);
        assert_eq!(written(|m| m.text(6, "")), [0x32, 0]);
        assert_eq!(written(|m| m.packed(4, [3, 270])), [0x22, 3, 3, 0x8e, 0x02]);
        let inner = written(|m| m.message(3, |inner| inner.text(1, &"x".repeat(200))));
        // The text has two bytes of length and one of tag; so the message has 203.
        assert_eq!(inner[..6], [0x1a, 0xcb, 0x01, 0x0a, 0xc8, 0x01]);
        assert_eq!(inner.len(), 206);
    }
}
