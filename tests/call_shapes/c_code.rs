//! Frames that C compilers make: built while the tests run, and opened as libraries.

use super::rust_code::call_back;
use std::ffi::{CString, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The functions of [`SOURCE`] that can be called.
pub(crate) const FUNCTIONS: [&str; 8] = [
    "plain",
    "alloca_once",
    "alloca_twice",
    "aligned",
    "aligned_alloca",
    "alloca_aligned",
    "variadic",
    "registers",
];

/// How the libraries are built: frames by rsp, by rbp, realigned on entry, arguments pushed, and
/// everything in memory.
pub(crate) const FLAGS: [&[&str]; 5] = [
    &["-O2", "-fomit-frame-pointer"],
    &["-O2", "-fno-omit-frame-pointer"],
    &["-O2", "-mstackrealign"],
    &["-Os"],
    &["-O0"],
];

const SOURCE: &str = r#"
#include <alloca.h>
#include <stdarg.h>
#include <stddef.h>

typedef void callback(void *);

/* Uses a block, so that it is really there. */
static void touch(volatile char *block, size_t len) {
    block[0] = 1;
    block[len - 1] += block[0];
}

void plain(size_t room, callback *call, void *with) {
    call(with);
    __asm__ volatile("");
}

void alloca_once(size_t room, callback *call, void *with) {
    char *block = alloca(room);
    touch(block, room);
    call(with);
    touch(block, room);
}

/* Nothing but rsp differs between the calls. */
void alloca_twice(size_t room, callback *call, void *with) {
    for (int i = 0; i < 2; i++) {
        char *block = alloca(room + i * 64);
        touch(block, room);
        if (i == 1) call(with);
    }
    __asm__ volatile("");
}

void aligned(size_t room, callback *call, void *with) {
    char block[192] __attribute__((aligned(64)));
    touch(block, sizeof block);
    call(with);
    touch(block, sizeof block);
}

/* The caller's frame is found through a pointer that is kept in this one. */
void __attribute__((noinline)) aligned_alloca(size_t room, callback *call, void *with) {
    char block[192] __attribute__((aligned(128)));
    char *more = alloca(room);
    touch(block, sizeof block);
    touch(more, room);
    call(with);
    touch(more, room);
    touch(block, sizeof block);
}

/* As much more room as fits into what the realignment of the next frame leaves free. */
void alloca_aligned(size_t room, callback *call, void *with) {
    char *block = alloca(room);
    touch(block, room);
    aligned_alloca(64, call, with);
    touch(block, room);
}

static void __attribute__((noinline)) many(callback *call, int count, ...) {
    va_list list;
    va_start(list, count);
    void *last = 0;
    while (count-- > 0) last = va_arg(list, void *);
    va_end(list);
    call(last);
    __asm__ volatile("");
}

/* More arguments than there are registers for. */
void variadic(size_t room, callback *call, void *with) {
    many(call, 9, (void *)1, (void *)2, (void *)3, (void *)4, (void *)5, (void *)6, (void *)7,
         (void *)8, with);
    __asm__ volatile("");
}

/* Every register that must be kept is kept, and used for something else. */
void registers(size_t room, callback *call, void *with) {
#ifdef __OPTIMIZE__
    __asm__ volatile("" ::: "rbx", "r12", "r13", "r14", "r15");
#endif
    call(with);
    __asm__ volatile("");
}
"#;

/// Builds libraries in a folder that goes with it.
pub(crate) struct Builder {
    folder: TempDir,
}

impl Builder {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        std::fs::write(folder.path().join("shapes.c"), SOURCE).expect("writing a file");
        Self { folder }
    }

    /// Builds a library, in a file of its own.
    pub(crate) fn build(&self, flags: &[&str]) -> PathBuf {
        let path = self.folder.path().join(format!("lib{}.so", flags.concat()));
        // rustc links with it, so it is there.
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-w", "-fcf-protection=none"])
            .args(flags)
            .arg("-o")
            .arg(&path)
            .arg(self.folder.path().join("shapes.c"))
            .output()
            .expect("cc starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{flags:?}: {stderr}");
        path
    }
}

type Function = unsafe extern "C-unwind" fn(usize, unsafe extern "C-unwind" fn(*mut ()), *mut ());

/// A library that is open.
pub(crate) struct Library {
    handle: *mut c_void,
    functions: [Function; FUNCTIONS.len()],
}

// SAFETY: its functions keep nothing between calls, and the handle may be used on any thread.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

impl Library {
    pub(crate) fn open(path: &Path) -> Self {
        let name = CString::new(path.as_os_str().as_bytes()).expect("a path");
        // SAFETY: the library does nothing when it is opened.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!handle.is_null(), "{} does not open", path.display());
        let functions = FUNCTIONS.map(|name| {
            let text = CString::new(name).expect("a name");
            // SAFETY: the handle is open.
            let function = unsafe { libc::dlsym(handle, text.as_ptr()) };
            assert!(!function.is_null(), "no function {name}");
            // SAFETY: all functions of the source that are listed have this type.
            unsafe { std::mem::transmute::<*mut c_void, Function>(function) }
        });
        Self { handle, functions }
    }

    /// Where its first function is.
    pub(crate) fn place(&self) -> usize {
        self.functions[0] as usize
    }

    /// Calls a function by its number.
    pub(crate) fn call(&self, function: usize, room: u16, mut then: &mut dyn FnMut()) {
        let function = self.functions[function % FUNCTIONS.len()];
        // SAFETY: calls back at once, with the pointer to the local; the library is open.
        unsafe { function(usize::from(room), call_back, (&raw mut then).cast()) }
    }

    /// Closes it. It goes away unless somebody else keeps it.
    pub(crate) fn close(self) {
        // SAFETY: nothing of it is used from here on.
        assert_eq!(unsafe { libc::dlclose(self.handle) }, 0);
    }
}
