//! What others ask of the keeper: a snapshot now, a snapshot by signal, the last snapshot.
//!
//! Signals and the end of the process go through atomics alone, since the asking thread may have
//! been interrupted anywhere. Nobody waits here for longer than a given time.

use super::SnapshotError;
use super::wake::Wake;
use crate::snapshot::{Reason, Snapshot};
use parking_lot::{Condvar, Mutex};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};
use std::time::{Duration, Instant};

/// Everything that can be asked. The process has one of it: [`REQUESTS`].
pub(super) struct Requests {
    wake: Wake,
    signalled: AtomicBool,
    /// The signal that is to end the process; 0 for none.
    termination: AtomicI32,
    /// One of the stages below; only ever increases.
    stage: AtomicU8,
    ended: Wake,
    inbox: Mutex<Vec<Request>>,
}

pub(super) static REQUESTS: Requests = Requests::new();

const RUNNING: u8 = 0;
const ENDING: u8 = 1;
const ENDING_BY_PANIC: u8 = 2;
const ENDED: u8 = 3;

/// A call that waits for a snapshot.
pub(super) struct Request {
    pub(super) reason: Reason,
    pub(super) label: String,
    pub(super) wanted: Wanted,
}

/// What becomes of a snapshot that somebody asks for.
pub(super) enum Wanted {
    /// A file in the folder.
    File(Arc<Answer<PathBuf>>),
    /// Nothing is written.
    Memory(Arc<Answer<Snapshot>>),
}

/// What somebody waits for.
pub(super) struct Answer<T> {
    result: Mutex<Option<Result<T, SnapshotError>>>,
    given: Condvar,
}

impl Requests {
    const fn new() -> Self {
        Self {
            wake: Wake::new(),
            signalled: AtomicBool::new(false),
            termination: AtomicI32::new(0),
            stage: AtomicU8::new(RUNNING),
            ended: Wake::new(),
            inbox: Mutex::new(Vec::new()),
        }
    }

    /// Asks for a snapshot, [`Wanted::File`] or [`Wanted::Memory`], and waits for it.
    pub(super) fn snapshot<T>(
        &self,
        reason: Reason,
        label: &str,
        wanted: fn(Arc<Answer<T>>) -> Wanted,
        cap: Duration,
    ) -> Result<T, SnapshotError> {
        let deadline = Instant::now() + cap;
        let answer = Arc::new(Answer {
            result: Mutex::new(None),
            given: Condvar::new(),
        });
        {
            let mut inbox = self
                .inbox
                .try_lock_until(deadline)
                .ok_or(SnapshotError::TimedOut)?;
            // Under the lock, so that no request comes in after the inbox was emptied for good.
            if self.stage.load(Ordering::Acquire) != RUNNING {
                return Err(SnapshotError::Ended);
            }
            inbox.push(Request {
                reason,
                label: label.to_owned(),
                wanted: wanted(Arc::clone(&answer)),
            });
        }
        self.wake.ring();
        let mut result = answer.result.lock();
        while result.is_none() {
            if answer.given.wait_until(&mut result, deadline).timed_out() {
                break;
            }
        }
        result.take().unwrap_or(Err(SnapshotError::TimedOut))
    }

    /// Asks for a snapshot without waiting. Safe in a signal handler, but changes `errno`.
    pub(super) fn signal(&self) {
        self.signalled.store(true, Ordering::Release);
        self.wake.ring();
    }

    /// Asks for the last snapshot before a signal ends the process, without waiting. Says no if it
    /// has been asked for already, and if there is no keeper any more. Safe in a signal handler, but
    /// changes `errno`.
    pub(super) fn terminate(&self, signal: i32) -> bool {
        let first =
            self.termination
                .compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
        // In this order: either this sees that the keeper has gone, or the keeper sees the signal
        // after it has closed.
        if first.is_err() || self.stage.load(Ordering::SeqCst) == ENDED {
            return false;
        }
        self.wake.ring();
        true
    }

    /// The signal that is to end the process.
    pub(super) fn termination(&self) -> Option<i32> {
        let signal = self.termination.load(Ordering::SeqCst);
        (signal != 0).then_some(signal)
    }

    /// The signal is for the host to handle after all.
    pub(super) fn forget_termination(&self) {
        self.termination.store(0, Ordering::SeqCst);
    }

    /// Asks for the last snapshot and waits for it. Whoever asks first names the reason; all wait.
    pub(super) fn end(&self, by_panic: bool, cap: Duration) {
        let deadline = Instant::now() + cap;
        let stage = if by_panic { ENDING_BY_PANIC } else { ENDING };
        let first =
            self.stage
                .compare_exchange(RUNNING, stage, Ordering::AcqRel, Ordering::Acquire);
        if first.is_ok() {
            self.wake.ring();
        }
        let seen = self.ended.rings();
        if self.stage.load(Ordering::Acquire) != ENDED {
            self.ended.wait(seen, deadline);
        }
    }

    /// A mark to wait from, taken before looking for requests.
    pub(super) fn rings(&self) -> u32 {
        self.wake.rings()
    }

    /// Waits for a request after `seen`.
    pub(super) fn wait(&self, seen: u32, deadline: Instant) {
        self.wake.wait(seen, deadline);
    }

    /// Whether there was a signal since the last call.
    pub(super) fn take_signal(&self) -> bool {
        self.signalled.swap(false, Ordering::AcqRel)
    }

    /// The calls that wait. Those who have given up are left out.
    pub(super) fn take_calls(&self) -> Vec<Request> {
        let mut calls = std::mem::take(&mut *self.inbox.lock());
        calls.retain(|request| request.wanted.is_awaited());
        calls
    }

    /// Why the last snapshot was asked for, if it was.
    pub(super) fn ending(&self) -> Option<Reason> {
        match self.stage.load(Ordering::Acquire) {
            ENDING => Some(Reason::Exit),
            ENDING_BY_PANIC => Some(Reason::Panic),
            _ => None,
        }
    }

    /// Whether somebody waits for the last snapshot.
    pub(super) fn is_last_wanted(&self) -> bool {
        self.ending().is_some() || self.termination().is_some()
    }

    /// There is no keeper any more: all who wait are told, and all who come.
    pub(super) fn close(&self) {
        self.stage.store(ENDED, Ordering::SeqCst);
        self.ended.ring();
        for request in std::mem::take(&mut *self.inbox.lock()) {
            request.wanted.refuse(SnapshotError::Ended);
        }
    }
}

impl Wanted {
    fn is_awaited(&self) -> bool {
        let holders = match self {
            Self::File(answer) => Arc::strong_count(answer),
            Self::Memory(answer) => Arc::strong_count(answer),
        };
        holders > 1
    }

    fn refuse(self, error: SnapshotError) {
        match self {
            Self::File(answer) => answer.give(Err(error)),
            Self::Memory(answer) => answer.give(Err(error)),
        }
    }
}

impl<T> Answer<T> {
    pub(super) fn give(&self, result: Result<T, SnapshotError>) {
        *self.result.lock() = Some(result);
        self.given.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(20);

    /// Serves `requests` as a keeper would, with `answer`, until the end is asked for.
    fn serve(
        requests: &Requests,
        answer: impl Fn(&str) -> Result<PathBuf, SnapshotError>,
    ) -> Reason {
        loop {
            let seen = requests.rings();
            for request in requests.take_calls() {
                let Wanted::File(asked) = &request.wanted else {
                    panic!("nobody asked for this");
                };
                asked.give(answer(&request.label));
            }
            if let Some(reason) = requests.ending() {
                requests.close();
                return reason;
            }
            requests.wait(seen, Instant::now() + LONG);
        }
    }

    #[test]
    fn a_call_gets_its_own_answer_until_the_end() {
        let requests = Requests::new();
        thread::scope(|scope| {
            let keeper = scope.spawn(|| serve(&requests, |label| Ok(PathBuf::from(label))));
            let callers: Vec<_> = (0..8)
                .map(|i| {
                    let requests = &requests;
                    scope.spawn(move || {
                        for j in 0..100 {
                            let label = format!("{i}-{j}");
                            let path =
                                requests.snapshot(Reason::Request, &label, Wanted::File, LONG);
                            assert_eq!(path.expect("an answer"), PathBuf::from(label));
                        }
                    })
                })
                .collect();
            for caller in callers {
                caller.join().expect("each answer was its own");
            }
            requests.end(true, LONG);
            assert_eq!(keeper.join().expect("no panic"), Reason::Panic);
        });
        let start = Instant::now();
        assert!(matches!(
            requests.snapshot(Reason::Request, "late", Wanted::File, LONG),
            Err(SnapshotError::Ended)
        ));
        requests.end(false, LONG);
        assert!(start.elapsed() < LONG / 2, "nobody waits after the end");
    }

    #[test]
    fn nobody_waits_for_ever() {
        let requests = Requests::new();
        assert!(matches!(
            requests.snapshot(Reason::Request, "x", Wanted::File, SHORT),
            Err(SnapshotError::TimedOut)
        ));
        assert!(
            requests.take_calls().is_empty(),
            "who has given up is not served"
        );
        requests.end(false, SHORT);
        assert_eq!(requests.ending(), Some(Reason::Exit));
        assert!(requests.is_last_wanted());
    }

    #[test]
    fn whoever_waits_when_the_keeper_goes_is_told() {
        let requests = Requests::new();
        thread::scope(|scope| {
            let caller =
                scope.spawn(|| requests.snapshot(Reason::Request, "x", Wanted::File, LONG));
            while requests.rings() == 0 {
                thread::yield_now();
            }
            requests.close();
            assert!(matches!(
                caller.join().expect("no panic"),
                Err(SnapshotError::Ended)
            ));
        });
    }

    #[test]
    fn a_process_is_ended_once_and_by_its_keeper() {
        let requests = Requests::new();
        let seen = requests.rings();
        assert_eq!(requests.termination(), None);
        assert!(requests.terminate(15));
        assert_ne!(requests.rings(), seen);
        assert!(!requests.terminate(2), "the second is not to wait");
        assert_eq!(requests.termination(), Some(15));
        assert!(requests.is_last_wanted());
        requests.forget_termination();
        assert!(!requests.is_last_wanted());
        requests.close();
        assert!(!requests.terminate(2), "nobody would take the snapshot");
    }

    #[test]
    fn a_signal_counts_once() {
        let requests = Requests::new();
        let seen = requests.rings();
        requests.signal();
        requests.signal();
        assert_ne!(requests.rings(), seen);
        assert!(requests.take_signal());
        assert!(!requests.take_signal());
    }
}
