//! Threads that keep the only pointer to a block in a register, or where no scan can see it.

use crate::processes::wait_until;
use crate::{Build, Program};
use std::arch::asm;
use std::sync::atomic::{AtomicBool, Ordering::Acquire};
use std::sync::mpsc;
use std::{fs, thread};

/// In memory the pointer is encoded with this.
const CODE: usize = 0x5555_5555_5555_5555;

pub(crate) const HELD: [Build; 2] = [
    ("register-of-a-spinning-thread", || {
        in_register(spin, |_| SPINS.load(Acquire))
    }),
    ("register-of-a-sleeping-thread", || {
        in_register(sleep, |tid| is_in_call(tid, libc::SYS_nanosleep))
    }),
];

/// What no scan can see: each loses one block in its eyes.
pub(crate) const UNSEEN: [Build; 4] = [
    ("encoded", || unseen(|block| block ^ CODE)),
    ("unaligned", unaligned),
    ("kept-by-the-kernel", in_a_pipe),
    ("register-of-a-thread-that-waits-for-events", || Program {
        unreached: 1,
        ..in_register(wait_for_events, |tid| is_in_call(tid, libc::SYS_epoll_wait))
    }),
];

/// Made by a thread that has ended, so that no other has the address left over somewhere.
fn encoded_block() -> usize {
    let block = || Box::into_raw(Box::new([7_u64; 16])) as usize ^ CODE;
    thread::spawn(block).join().expect("no panic")
}

fn unseen(encode: fn(usize) -> usize) -> Program {
    Program {
        kept: Box::new(encode(encoded_block() ^ CODE)),
        unreached: 1,
        ..Program::default()
    }
}

fn unaligned() -> Program {
    let block = (encoded_block() ^ CODE).to_ne_bytes();
    let mut bytes = vec![0_u8; 64];
    bytes[3..11].copy_from_slice(&block);
    Program {
        kept: Box::new(bytes),
        unreached: 1,
        ..Program::default()
    }
}

fn in_a_pipe() -> Program {
    let mut ends = [0; 2];
    // SAFETY: two descriptors are written, and then the bytes of a number.
    unsafe {
        assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
        let block = encoded_block() ^ CODE;
        let written = libc::write(ends[1], (&raw const block).cast(), size_of::<usize>());
        assert_eq!(written, size_of::<usize>() as isize);
    }
    Program {
        unreached: 1,
        ..Program::default()
    }
}

/// A thread that is in `wait` for the rest of the program, with the pointer in register r12 alone.
fn in_register(wait: fn(usize), is_there: fn(u32) -> bool) -> Program {
    let (tell, told) = mpsc::channel();
    let encoded = encoded_block();
    thread::spawn(move || {
        // SAFETY: asks for a number.
        tell.send(unsafe { libc::gettid() } as u32)
            .expect("somebody waits");
        wait(encoded);
    });
    let tid = told.recv().expect("it begins");
    wait_until("the pointer is in a register", || is_there(tid));
    Program::default()
}

/// Whether a thread waits in this call.
fn is_in_call(tid: u32, call: i64) -> bool {
    let doing = fs::read_to_string(format!("/proc/self/task/{tid}/syscall")).expect("/proc");
    doing.split(' ').next() == Some(&call.to_string())
}

/// The spinning thread has the pointer in its register.
static SPINS: AtomicBool = AtomicBool::new(false);

fn spin(encoded: usize) {
    // SAFETY: changes registers and the flag only, and never ends.
    unsafe {
        asm!(
            "xor r12, r13", "xor r13, r13", "mov byte ptr [{}], 1", "2:", "pause", "jmp 2b",
            in(reg) SPINS.as_ptr(), in("r12") encoded, in("r13") CODE, options(nostack)
        );
    }
}

fn sleep(encoded: usize) {
    let time = libc::timespec {
        tv_sec: 3_600,
        tv_nsec: 0,
    };
    // SAFETY: a system call that reads `time`. The result shows whether it ended early.
    unsafe {
        let result: i64;
        asm!(
            "xor r12, r13", "xor r13, r13", "syscall", "xor r12, r12",
            inout("r12") encoded => _, inout("r13") CODE => _,
            inout("rax") libc::SYS_nanosleep => result,
            in("rdi") &time, in("rsi") 0, out("rcx") _, out("r11") _, options(nostack)
        );
        eprintln!("nanosleep has ended early: {result}");
        libc::abort();
    }
}

fn wait_for_events(encoded: usize) {
    // SAFETY: a system call that writes one event. The result shows whether it ended early.
    unsafe {
        let epoll = libc::epoll_create1(0);
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        let result: i64;
        asm!(
            "xor r12, r13", "xor r13, r13", "syscall", "xor r12, r12",
            inout("r12") encoded => _, inout("r13") CODE => _,
            inout("rax") libc::SYS_epoll_wait => result,
            in("rdi") epoll, in("rsi") &mut event, in("rdx") 1, in("r10") -1_i64,
            out("rcx") _, out("r11") _, options(nostack)
        );
        eprintln!("epoll_wait has ended early: {result}");
        libc::abort();
    }
}
