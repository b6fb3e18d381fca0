//! Linux, glibc or musl.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{NonNull, null_mut};

/// Maps `len` bytes of zeroes that cost nothing until they are touched. May be called in the hook.
///
/// Huge pages are refused: tables are touched sparsely, and a huge page would make each touch
/// cost 2 MiB.
pub(crate) fn map_zeroed(len: usize) -> Option<NonNull<u8>> {
    // SAFETY: a fresh anonymous mapping touches no memory that exists.
    let address = unsafe {
        libc::mmap(
            null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    if address == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: both calls only advise on the mapping made above; failure is harmless. The name
    // shows in /proc/self/maps on kernels that support it (Linux 5.17).
    unsafe {
        libc::madvise(address, len, libc::MADV_NOHUGEPAGE);
        libc::prctl(
            PR_SET_VMA,
            PR_SET_VMA_ANON_NAME,
            address,
            len,
            c"heaplens".as_ptr(),
        );
    }
    NonNull::new(address.cast())
}

/// Whether so many bytes of address space are left. May be called in the hook.
pub(crate) fn has_address_space(len: usize) -> bool {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a fresh mapping that nobody may touch, and that goes away at once.
    unsafe {
        let address = libc::mmap(null_mut(), len, libc::PROT_NONE, flags, -1, 0);
        address != libc::MAP_FAILED && libc::munmap(address, len) == 0
    }
}

/// Bytes of a page of memory.
pub(crate) fn page_bytes() -> u64 {
    // SAFETY: asks for a constant of the system.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).unwrap_or(4096)
}

/// Lets other threads run for some milliseconds. May be called in the hook.
pub(crate) fn pause() {
    let time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 5_000_000,
    };
    // SAFETY: reads the local above. Woken by a signal it returns early, which is as well.
    unsafe { libc::nanosleep(&time, null_mut()) };
}

/// From linux/prctl.h.
const PR_SET_VMA: c_int = 0x53564d41;
const PR_SET_VMA_ANON_NAME: usize = 0;

/// Gives the pages back to the system; they read as zeroes afterwards. May be called in the hook.
///
/// # Safety
/// - The range lies in one mapping made by [`map_zeroed`].
/// - Nobody relies on its contents.
pub(crate) unsafe fn discard(start: NonNull<u8>, len: usize) {
    // SAFETY: the caller vouches for the range.
    unsafe { libc::madvise(start.as_ptr().cast(), len, libc::MADV_DONTNEED) };
}

/// The value of an environment variable, without a copy. Never in setuid programs. May be called
/// in the hook, before `main`.
pub(crate) fn environment(name: &CStr) -> Option<&'static [u8]> {
    if is_setuid() {
        return None;
    }
    // SAFETY: `name` ends with NUL. The hook reads the environment once, at the first allocation,
    // before any thread can change it.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    if value.is_null() {
        return None;
    }
    // SAFETY: getenv returns a string that ends with NUL. It is used up before the caller returns.
    Some(unsafe { CStr::from_ptr(value) }.to_bytes())
}

/// Whether the program runs with more rights than its caller. May be called in the hook.
pub(crate) fn is_setuid() -> bool {
    // SAFETY: getauxval reads a constant table.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Sixteen random bytes that the kernel gave this process, mixed into one word. May be called in
/// the hook.
pub(crate) fn process_random() -> u64 {
    // SAFETY: AT_RANDOM is the address of sixteen bytes, or 0 where the kernel gives none.
    unsafe {
        let bytes = libc::getauxval(libc::AT_RANDOM) as *const [u64; 2];
        if bytes.is_null() {
            return libc::getpid() as u64;
        }
        let [low, high] = bytes.read_unaligned();
        low ^ high.rotate_left(23)
    }
}

/// An address above every frame of the main thread's stack: the kernel puts the name of the
/// executable at its very end. 0 where unknown. May be called in the hook.
pub(crate) fn main_stack_top() -> u64 {
    // SAFETY: getauxval reads a constant table.
    unsafe { libc::getauxval(libc::AT_EXECFN) }
}

/// Most bytes that the main thread's stack may take, or 1 GiB where there is no limit.
pub(crate) fn main_stack_limit() -> u64 {
    const UNLIMITED: u64 = 1 << 30;
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: writes to the local above.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_STACK, &mut limit) };
    if result != 0 {
        return UNLIMITED;
    }
    limit.rlim_cur.clamp(8 << 20, UNLIMITED)
}

/// The stack that the calling thread has for its signal handlers; empty where it has none. May be
/// called in the hook, and in a signal handler.
pub(crate) fn signal_stack() -> std::ops::Range<u64> {
    let mut stack = libc::stack_t {
        ss_sp: null_mut(),
        ss_flags: libc::SS_DISABLE,
        ss_size: 0,
    };
    // SAFETY: asks only, and writes to the local above.
    let result = unsafe { libc::sigaltstack(std::ptr::null(), &mut stack) };
    if result != 0 || stack.ss_flags & libc::SS_DISABLE != 0 {
        return 0..0;
    }
    let start = stack.ss_sp as u64;
    start..start.saturating_add(stack.ss_size as u64)
}

/// Bounds of the caller's stack as the threads library knows them. Not for the hook: it allocates.
#[cfg(test)]
pub(crate) fn own_stack_bounds() -> Option<std::ops::Range<u64>> {
    // SAFETY: `attributes` is initialised by pthread_getattr_np before it is read and destroyed.
    unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &mut attributes) != 0 {
            return None;
        }
        let mut low = null_mut();
        let mut size = 0;
        let result = libc::pthread_attr_getstack(&attributes, &mut low, &mut size);
        libc::pthread_attr_destroy(&mut attributes);
        (result == 0).then(|| low as u64..low as u64 + size as u64)
    }
}

/// Calls `at_exit(value)` when the calling thread ends, and again for as long as it calls this
/// function from there (POSIX allows at least four rounds). May be called in the hook: for the
/// first 32 keys of a process neither glibc nor musl allocates here.
pub(crate) fn set_thread_exit(key: ThreadExitKey, value: NonNull<c_void>) -> bool {
    // SAFETY: the key is valid for the life of the process.
    unsafe { libc::pthread_setspecific(key.0, value.as_ptr()) == 0 }
}

/// See [`set_thread_exit`].
#[derive(Clone, Copy)]
pub(crate) struct ThreadExitKey(libc::pthread_key_t);

impl ThreadExitKey {
    /// Makes a key whose values are handed to `at_exit`. May be called in the hook.
    pub(crate) fn new(at_exit: unsafe extern "C" fn(*mut c_void)) -> Option<Self> {
        let mut key = 0;
        // SAFETY: writes to the local above.
        (unsafe { libc::pthread_key_create(&mut key, Some(at_exit)) } == 0).then_some(Self(key))
    }

    pub(crate) fn to_bits(self) -> u64 {
        u64::from(self.0)
    }

    /// `bits` must come from [`Self::to_bits`].
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits as libc::pthread_key_t)
    }
}

/// One loaded executable or library.
#[derive(Debug, Clone)]
pub(crate) struct LoadedModule {
    /// As the dynamic linker names it: empty for the executable.
    pub(crate) name: std::ffi::CString,
    /// Difference between addresses in memory and in the file.
    pub(crate) bias: u64,
    /// Loaded segments: address in memory, length in memory, executable.
    pub(crate) segments: Vec<Segment>,
    /// Address and length of `.eh_frame_hdr` in memory.
    pub(crate) eh_frame_hdr: Option<(u64, u64)>,
    /// Address and length of each note segment in memory.
    pub(crate) notes: Vec<(u64, u64)>,
}

/// A loaded segment of a module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    pub(crate) address: u64,
    pub(crate) memory_len: u64,
    pub(crate) file_len: u64,
    pub(crate) executable: bool,
    pub(crate) readable: bool,
}

/// All modules that are loaded now, the executable first. Not for the hook: it allocates, and the
/// dynamic linker holds its lock meanwhile.
pub(crate) fn loaded_modules() -> Vec<LoadedModule> {
    unsafe extern "C" fn visit(
        info: *mut libc::dl_phdr_info,
        _size: usize,
        modules: *mut c_void,
    ) -> c_int {
        // SAFETY: the dynamic linker hands over a valid description, and `modules` is the vector
        // that `loaded_modules` lends for the call.
        let (info, modules) = unsafe { (&*info, &mut *modules.cast::<Vec<LoadedModule>>()) };
        let name = if info.dlpi_name.is_null() {
            c""
        } else {
            // SAFETY: the dynamic linker's names end with NUL.
            unsafe { CStr::from_ptr(info.dlpi_name) }
        };
        let mut module = LoadedModule {
            name: name.to_owned(),
            bias: info.dlpi_addr,
            segments: Vec::new(),
            eh_frame_hdr: None,
            notes: Vec::new(),
        };
        let headers = match info.dlpi_phnum {
            0 => &[][..],
            // SAFETY: the dynamic linker vouches for the array of program headers.
            count => unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(count)) },
        };
        for header in headers {
            let address = info.dlpi_addr.wrapping_add(header.p_vaddr);
            match header.p_type {
                libc::PT_LOAD => module.segments.push(Segment {
                    address,
                    memory_len: header.p_memsz,
                    file_len: header.p_filesz,
                    executable: header.p_flags & libc::PF_X != 0,
                    readable: header.p_flags & libc::PF_R != 0,
                }),
                libc::PT_GNU_EH_FRAME => module.eh_frame_hdr = Some((address, header.p_memsz)),
                libc::PT_NOTE => module.notes.push((address, header.p_filesz)),
                _ => {}
            }
        }
        modules.push(module);
        0
    }

    let mut modules: Vec<LoadedModule> = Vec::new();
    // SAFETY: `visit` matches the vector it is given.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut modules).cast()) };
    modules
}

/// Keeps a library loaded for the rest of the process. Not for the hook.
///
/// A statically linked program has no libraries to pin.
#[cfg(not(target_feature = "crt-static"))]
pub(crate) fn pin_module(name: &CStr) -> bool {
    let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
    // SAFETY: `name` ends with NUL, and NOLOAD runs no code of the library. The handle is kept on
    // purpose.
    !unsafe { libc::dlopen(name.as_ptr() as *const c_char, flags) }.is_null()
}

#[cfg(target_feature = "crt-static")]
pub(crate) fn pin_module(_name: &CStr) -> bool {
    false
}

/// How much of a mapping is in memory, in bytes. Not for the hook: it allocates.
pub(crate) fn resident_bytes(start: NonNull<u8>, len: usize) -> u64 {
    const PAGE: usize = 4096;
    let mut pages = vec![0u8; len.div_ceil(PAGE)];
    // SAFETY: mincore writes one byte for each page of the range, which is mapped.
    let result = unsafe { libc::mincore(start.as_ptr().cast(), len, pages.as_mut_ptr().cast()) };
    if result != 0 {
        return 0;
    }
    pages.iter().filter(|&&page| page & 1 != 0).count() as u64 * PAGE as u64
}
