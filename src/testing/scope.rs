//! Scopes: from a beginning to an end, and who is in them.

use super::entries::{self, EntryId, Hold};
use super::future::InScope;
use super::installed;
use super::report::Report;
use super::unreachable::{self, Unreachable};
use crate::recorder;
use crate::tables::scopes::SCOPES;
use std::marker::PhantomData;

/// Measures what is allocated from its beginning to its end.
///
/// The thread that begins it is in it at once. What counts is where a block is allocated: it belongs
/// to the scope for good, and when it is freed, that is counted there too, whoever frees it and
/// whenever. What was there before is no matter of the scope, even if it is freed within.
///
/// ```
/// # heaplens::testing::install!();
/// # fn main() {
/// use heaplens::testing::Scope;
///
/// let scope = Scope::begin();
/// let kept = vec![0_u8; 1_000];
/// drop(vec![0_u8; 5_000]);
/// let report = scope.end();
///
/// assert_eq!((report.allocated().bytes, report.allocated().blocks), (6_000, 2));
/// assert_eq!((report.retained().bytes, report.retained().blocks), (1_000, 1));
/// assert_eq!(report.peak_bytes(), 6_000);
/// # drop(kept);
/// # }
/// ```
///
/// **Within each other.** A scope that is begun while its thread is in another one lies within that:
/// what it counts, the outer one counts too.
///
/// **Without an end.** A scope that is dropped, as by a panic, ends without a report.
///
/// **In async code** a task may go on on another thread at each `.await`. Begin a scope where no
/// `.await` comes in between, or have it [`wrap`](Self::wrap) the future.
#[derive(Debug)]
#[must_use = "a scope that is dropped ends, and nobody sees its report"]
pub struct Scope {
    hold: Hold,
    members: Members,
}

/// Who is in a scope from its beginning.
#[derive(Debug)]
enum Members {
    None,
    Thread(EntryId),
    Process(EntryId),
}

impl Scope {
    /// Begins a scope that the calling thread is in.
    ///
    /// # Panics
    ///
    /// If allocations are not recorded, with what to do about it: [`install!`](super::install) is
    /// missing. And if 4,032 scopes are open or have blocks that are not freed.
    #[track_caller]
    pub fn begin() -> Self {
        let hold = begin();
        let members = match entries::enter_thread(hold.clone()) {
            Some(entry) => Members::Thread(entry),
            None => Members::None,
        };
        Self { hold, members }
    }

    /// Begins a scope that nobody is in yet: for other threads by [`handle`](Self::handle), and for
    /// futures by [`wrap`](Self::wrap).
    ///
    /// # Panics
    ///
    /// As [`begin`](Self::begin).
    #[track_caller]
    pub fn empty() -> Self {
        Self {
            hold: begin(),
            members: Members::None,
        }
    }

    /// Begins a scope that all threads of the process are in, but for those that are in one already.
    /// What tests beside this one do is counted too, so it is for binaries that run one at a time.
    ///
    /// # Panics
    ///
    /// As [`begin`](Self::begin).
    #[track_caller]
    pub fn of_process() -> Self {
        let hold = begin();
        let members = Members::Process(entries::enter_process(hold.clone()));
        Self { hold, members }
    }

    /// Runs `work` in a scope of its own. Its result is not freed in between.
    ///
    /// # Panics
    ///
    /// As [`begin`](Self::begin), and if `work` does.
    #[track_caller]
    pub fn measure<T>(work: impl FnOnce() -> T) -> (T, Report) {
        let scope = Self::begin();
        let result = work();
        (result, scope.end())
    }

    /// Ends the scope, on this or any other thread. What threads still in it allocate from here on
    /// counts in the scope around, if there is one.
    ///
    /// The numbers are exact if no thread allocates in it, or frees what it has allocated, at this
    /// very moment.
    pub fn end(self) -> Report {
        if let Some(recorder) = recorder::global() {
            recorder.scopes.close(self.hold.id());
        }
        // Dropping it afterwards takes the members out.
        self.report()
    }

    /// What has been counted so far.
    pub fn report(&self) -> Report {
        recorder::as_own(|| Report::of(self.hold.id()))
    }

    /// Bytes that are allocated and not freed now. Costs less than a [`report`](Self::report).
    pub fn retained_bytes(&self) -> u64 {
        recorder::global().map_or(0, |recorder| {
            recorder.scopes.live_and_peak(self.hold.id()).0
        })
    }

    /// What was allocated in the scope, or in one within it, and no pointer reaches any more: reference cycles
    /// that nobody holds, and blocks that were forgotten. The process is scanned for it, which takes some
    /// milliseconds and more with a large heap; see [`Unreachable`] for what a scan can and cannot see.
    ///
    /// ```
    /// # heaplens::testing::install!();
    /// # #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    /// # fn main() {
    /// use heaplens::testing::Scope;
    ///
    /// let scope = Scope::begin();
    /// std::thread::spawn(|| ()).join().unwrap();
    /// let unreachable = scope.unreachable();
    ///
    /// assert_eq!(unreachable.amount().blocks, 0, "{unreachable}");
    /// # }
    /// # #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    /// # fn main() {}
    /// ```
    ///
    /// # Panics
    ///
    /// If the heap cannot be scanned: elsewhere than on x86-64 Linux, without `/proc`, or for want of memory.
    #[track_caller]
    pub fn unreachable(&self) -> Unreachable {
        unreachable::clear_stack();
        Unreachable::of(Some(self.hold.clone()))
    }

    /// Takes the calling thread into the scope until the guard is dropped. For another thread that
    /// outlives the scope, or a `'static` one, see [`handle`](Self::handle).
    ///
    /// ```
    /// # heaplens::testing::install!();
    /// # fn main() {
    /// use heaplens::testing::{Scope, assert_allocations};
    ///
    /// let scope = Scope::empty();
    /// std::thread::scope(|threads| {
    ///     for _ in 0..4 {
    ///         threads.spawn(|| {
    ///             let _entered = scope.enter();
    ///             drop(Box::new(7));
    ///         });
    ///     }
    /// });
    /// assert_allocations!(scope.end() == 4);
    /// # }
    /// ```
    pub fn enter(&self) -> Entered {
        Entered::new(&self.hold)
    }

    /// A way into the scope for other threads and tasks.
    pub fn handle(&self) -> Handle {
        Handle(self.hold.clone())
    }

    /// The future, in the scope whenever it is polled, on whichever thread.
    pub fn wrap<F: Future>(&self, future: F) -> InScope<F> {
        InScope::new(self.handle(), future)
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        if let Some(recorder) = recorder::global() {
            recorder.scopes.close(self.hold.id());
        }
        match self.members {
            Members::None => {}
            // On another thread this finds nothing; the first one forgets the entry by itself.
            Members::Thread(entry) => entries::leave_thread(entry),
            Members::Process(entry) => entries::leave_process(entry),
        }
    }
}

#[track_caller]
fn begin() -> Hold {
    if let Err(advice) = installed::ensure() {
        panic!("{advice}");
    }
    Hold::begin().unwrap_or_else(|| {
        panic!(
            "too many scopes: {SCOPES} are open or have allocated blocks that are not freed (or the \
             system has no memory)"
        )
    })
}

/// A way into a scope that can be sent to other threads, and kept as long as one likes: once the scope
/// has ended, it leads nowhere.
#[derive(Debug, Clone)]
pub struct Handle(Hold);

impl Handle {
    /// Takes the calling thread into the scope until the guard is dropped.
    pub fn enter(&self) -> Entered {
        Entered::new(&self.0)
    }

    /// The future, in the scope whenever it is polled, on whichever thread.
    pub fn wrap<F: Future>(&self, future: F) -> InScope<F> {
        InScope::new(self.clone(), future)
    }
}

/// The thread is in a scope until this is dropped. Guards may be dropped in any order: the one made
/// last of those that are left decides.
#[derive(Debug)]
#[must_use = "the thread leaves the scope when this is dropped"]
pub struct Entered {
    entry: Option<EntryId>,
    /// The entry is this thread's.
    _not_send: PhantomData<*const ()>,
}

impl Entered {
    fn new(hold: &Hold) -> Self {
        Self {
            entry: entries::enter_thread(hold.clone()),
            _not_send: PhantomData,
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(entry) = self.entry {
            entries::leave_thread(entry);
        }
    }
}
