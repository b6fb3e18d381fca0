//! Libraries written in C, built while the tests run.

use std::ffi::{CString, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Builds libraries in a folder that goes with it.
pub(crate) struct Builder(TempDir);

impl Builder {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    pub(crate) fn build(&self, name: &str, source: &str, flags: &[&str]) -> PathBuf {
        let code = self.0.path().join(format!("{name}.c"));
        let path = self.0.path().join(format!("lib{name}.so"));
        std::fs::write(&code, source).expect("writing a file");
        // rustc links with it, so it is there.
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-w", "-pthread"])
            .args(flags)
            .arg("-o")
            .arg(&path)
            .arg(&code)
            .output()
            .expect("cc starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {stderr}");
        path
    }
}

/// A library that is open. Dropped, it stays so.
pub(crate) struct Library(*mut c_void);

impl Library {
    /// Opens it, with its symbols for all that are opened later.
    pub(crate) fn open(path: &Path) -> Self {
        let name = CString::new(path.as_os_str().as_bytes()).expect("a path");
        // SAFETY: what the library runs when it is opened is the test's own.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
        assert!(!handle.is_null(), "{} does not open", path.display());
        Self(handle)
    }

    /// The address of a function or a variable.
    pub(crate) fn symbol(&self, name: &str) -> *mut c_void {
        let text = CString::new(name).expect("a name");
        // SAFETY: the handle is open.
        let symbol = unsafe { libc::dlsym(self.0, text.as_ptr()) };
        assert!(!symbol.is_null(), "no symbol {name}");
        symbol
    }

    pub(crate) fn close(self) {
        // SAFETY: nothing of it is used from here on.
        assert_eq!(unsafe { libc::dlclose(self.0) }, 0);
    }
}
