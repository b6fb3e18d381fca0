//! The rule for a caller that has no unwind entry, read from its code where that leaves no doubt.
//!
//! rustc writes a C `main` that calls the real one. With `panic = "abort"` it gets no entry in
//! `.eh_frame` (seen with rustc 1.95), and each stack of the main thread would end there. What such
//! a function does after the call is put its stack pointer back and return: these instructions say
//! where its own return address is. A function that does anything else after the call gets no rule.

use super::rules::{BasePointer, Rule};

/// More than any function of this kind has: six saved registers, the frame, the return.
const MOST_INSTRUCTIONS: usize = 8;

/// The rule for a return address, given the code before it and from it on.
pub(super) fn rule_after_call(before: &[u8], after: &[u8]) -> Option<Rule> {
    if !ends_with_call(before) {
        return None;
    }
    let mut rest = after;
    // Bytes between the stack pointer and the return address, as far as seen.
    let mut popped = 0i32;
    let mut base_pointer_at = None;
    for _ in 0..MOST_INSTRUCTIONS {
        rest = match rest {
            // ret
            [0xc3, ..] => {
                let cfa = popped.checked_add(8)?;
                let base_pointer = match base_pointer_at {
                    None => BasePointer::Same,
                    Some(at) => BasePointer::AtCfa(at - cfa),
                };
                return Rule::from_stack_pointer(i64::from(cfa), base_pointer);
            }
            // pop of rbp, and of any other but rsp
            [0x5d, rest @ ..] => {
                base_pointer_at = Some(popped);
                popped = popped.checked_add(8)?;
                rest
            }
            [0x58..=0x5b | 0x5e | 0x5f, rest @ ..] | [0x41, 0x58..=0x5f, rest @ ..] => {
                popped = popped.checked_add(8)?;
                rest
            }
            // add of a constant to rsp
            [0x48, 0x83, 0xc4, by, rest @ ..] => {
                popped = popped.checked_add(size(i32::from(*by as i8))?)?;
                rest
            }
            [0x48, 0x81, 0xc4, a, b, c, d, rest @ ..] => {
                let by = i32::from_le_bytes([*a, *b, *c, *d]);
                popped = popped.checked_add(size(by)?)?;
                rest
            }
            _ => return None,
        };
    }
    None
}

/// A frame's size: whole words.
fn size(bytes: i32) -> Option<i32> {
    (bytes >= 0 && bytes % 8 == 0).then_some(bytes)
}

/// Whether code ends with a call of a named function: `call rel32`, or through a table.
fn ends_with_call(code: &[u8]) -> bool {
    matches!(code, [.., 0xe8, _, _, _, _] | [.., 0xff, 0x15, _, _, _, _])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::rules::Frame;

    const CALL: &[u8] = &[0xe8, 1, 2, 3, 4];
    const CALL_BY_TABLE: &[u8] = &[0x90, 0xff, 0x15, 1, 2, 3, 4];

    fn rule(after: &[u8]) -> Option<(Frame, BasePointer)> {
        rule_after_call(CALL, after).map(|rule| (rule.frame(), rule.base_pointer()))
    }

    #[test]
    fn frames_that_are_put_back_at_once() {
        let same = |cfa| Some((Frame::StackPointer(cfa), BasePointer::Same));
        assert_eq!(rule(&[0xc3]), same(8));
        assert_eq!(rule(&[0x59, 0xc3, 0x90]), same(16));
        assert_eq!(rule(&[0x48, 0x83, 0xc4, 0x18, 0xc3]), same(32));
        assert_eq!(rule(&[0x48, 0x81, 0xc4, 0, 2, 0, 0, 0xc3]), same(520));
        assert_eq!(rule(&[0x41, 0x5e, 0x5b, 0xc3]), same(24));
        // add $8, %rsp; pop %rbx; pop %rbp; ret
        assert_eq!(
            rule(&[0x48, 0x83, 0xc4, 8, 0x5b, 0x5d, 0xc3]),
            Some((Frame::StackPointer(32), BasePointer::AtCfa(-16)))
        );
        assert!(rule_after_call(CALL_BY_TABLE, &[0xc3]).is_some());
    }

    #[test]
    fn anything_else_gives_no_rule() {
        for after in [
            &[][..],
            &[0x59],
            // A value is returned, something is tested, rsp is popped, or it moves downward.
            &[0x31, 0xc0, 0x59, 0xc3],
            &[0x85, 0xc0, 0x75, 0x02, 0xc3],
            &[0x5c, 0xc3],
            &[0x48, 0x83, 0xc4, 0xf8, 0xc3],
            &[0x48, 0x83, 0xc4, 0x04, 0xc3],
            &[0x48, 0x81, 0xc4, 0xf8, 0xff, 0xff, 0xff, 0xc3],
            &[0x48, 0x83],
            &[0x58; 64],
        ] {
            assert_eq!(rule(after), None, "{after:x?}");
        }
        for before in [&[][..], &[0xe8, 1, 2, 3], &[0x90; 16]] {
            assert!(rule_after_call(before, &[0xc3]).is_none(), "{before:x?}");
        }
    }
}
