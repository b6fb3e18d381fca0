//! What the system says about the threads of a process (/proc/PID/task), read without allocating.

use super::numbers::{decimal, hex};
use super::threads::WORDS;
use crate::platform::File;
use crate::stack::modules::fnv1a;
use std::ffi::CStr;

/// What a thread does.
pub(super) enum Waits {
    /// It runs, or nobody knows.
    Not,
    /// It waits in a system call.
    InCall {
        call: i64,
        stack_pointer: u64,
        /// Arguments, stack pointer and instruction pointer.
        words: [u64; WORDS],
        /// A number that changes when it runs; not 0.
        turns: u64,
    },
}

/// What a thread does now.
pub(super) fn waits(process: i32, tid: i32) -> Waits {
    // In this order: one that runs in between has other turns the next time.
    let turns = turns(process, tid);
    let mut buffer = [0; 256];
    let text = read(process, tid, b"syscall", &mut buffer);
    let mut fields = text
        .split(|&byte| byte == b' ' || byte == b'\n')
        .filter(|field| !field.is_empty());
    let call = fields.next().and_then(number).map(u64::cast_signed);
    let Some(call) = call.filter(|call| *call >= 0) else {
        return Waits::Not;
    };
    let mut words = [0; WORDS];
    // Six arguments, the stack pointer, the instruction pointer.
    for word in &mut words[..8] {
        match fields.next().and_then(number) {
            Some(number) => *word = number,
            None => return Waits::Not,
        }
    }
    Waits::InCall {
        call,
        stack_pointer: words[6],
        words,
        turns,
    }
}

/// Whether a thread has ended, though it may still be listed.
pub(super) fn has_ended(process: i32, tid: i32) -> bool {
    let mut buffer = [0; 512];
    let text = read(process, tid, b"stat", &mut buffer);
    let name_end = text.iter().rposition(|&byte| byte == b')');
    let state = name_end.and_then(|end| text.get(end + 2));
    matches!(state, None | Some(b'Z' | b'X'))
}

/// A hash of how long and how often a thread has run; not 0.
fn turns(process: i32, tid: i32) -> u64 {
    let mut buffer = [0; 2048];
    let mut len = read(process, tid, b"schedstat", &mut buffer).len();
    if len == 0 {
        len = read(process, tid, b"status", &mut buffer).len();
    }
    fnv1a(&buffer[..len]) | 1
}

/// Calls `each` with the number of each thread. `None`: the system does not list them.
pub(super) fn for_each(process: i32, mut each: impl FnMut(i32)) -> Option<()> {
    /// Where an entry's name begins, and where its length stands.
    const NAME: usize = 19;
    const LENGTH: usize = 16;
    let mut path = Path::new();
    path.add(b"/proc/").add_number(process).add(b"/task");
    let folder = path.open()?;
    let mut buffer = [0; 4096];
    loop {
        let len = folder.read_entries(&mut buffer);
        if len == 0 {
            return Some(());
        }
        let mut entries = &buffer[..len];
        while let Some(&[low, high]) = entries.get(LENGTH..LENGTH + 2) {
            let length = usize::from(u16::from_le_bytes([low, high]));
            let name = entries.get(NAME..length).unwrap_or_default();
            let end = name
                .iter()
                .position(|&byte| byte == 0)
                .unwrap_or(name.len());
            if let Some(tid) = decimal(&name[..end]) {
                each(tid as i32);
            }
            entries = entries.get(length.max(1)..).unwrap_or_default();
        }
    }
}

fn read<'b>(process: i32, tid: i32, file: &[u8], buffer: &'b mut [u8]) -> &'b [u8] {
    let mut path = Path::new();
    path.add(b"/proc/")
        .add_number(process)
        .add(b"/task/")
        .add_number(tid);
    path.add(b"/").add(file);
    let len = path.open().map_or(0, |file| file.read(buffer));
    &buffer[..len]
}

/// A number as /proc writes it: decimal, or `0x` and hexadecimal.
fn number(text: &[u8]) -> Option<u64> {
    match text.strip_prefix(b"0x") {
        Some(digits) => hex(digits),
        None => decimal(text),
    }
}

/// A short path on the stack, which ends with NUL.
struct Path {
    bytes: [u8; 64],
    len: usize,
}

impl Path {
    fn new() -> Self {
        Self {
            bytes: [0; 64],
            len: 0,
        }
    }

    fn add(&mut self, text: &[u8]) -> &mut Self {
        for &byte in text.iter().take(self.bytes.len() - 1 - self.len) {
            self.bytes[self.len] = byte;
            self.len += 1;
        }
        self
    }

    fn add_number(&mut self, number: i32) -> &mut Self {
        let mut digits = [0; 10];
        let mut at = digits.len();
        let mut rest = number.unsigned_abs();
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                return self.add(&digits[at..]);
            }
        }
    }

    fn open(&self) -> Option<File> {
        File::open(CStr::from_bytes_until_nul(&self.bytes).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform;

    #[test]
    fn threads_are_listed_with_what_they_do() {
        let (send, wait) = std::sync::mpsc::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            tell.send(platform::own_tid()).expect("somebody waits");
            wait.recv()
        });
        let tid = told.recv().expect("told");
        let process = platform::own_pid();
        let mut listed = Vec::new();
        for_each(process, |tid| listed.push(tid)).expect("listed");
        assert!(listed.contains(&tid) && listed.contains(&platform::own_tid()));
        assert!(!has_ended(process, tid) && has_ended(process, i32::MAX));
        loop {
            if let Waits::InCall { call, words, .. } = waits(process, tid) {
                assert_eq!(call, libc::SYS_futex);
                assert!(words[..8].iter().any(|&word| word != 0));
                break;
            }
            std::thread::yield_now();
        }
        drop(send);
        assert!(thread.join().expect("no panic").is_err());
    }

    #[test]
    fn numbers_are_read_as_proc_writes_them() {
        assert_eq!(number(b"0x7ffe"), Some(0x7ffe));
        assert_eq!(number(b"202"), Some(202));
        assert_eq!(number(b"-1"), None);
        assert_eq!(number(b"running"), None);
        assert_eq!(number(b""), None);
    }
}
