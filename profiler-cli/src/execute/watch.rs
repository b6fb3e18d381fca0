//! Waits for commands, and passes the signals that come meanwhile on to them.

use std::io;
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use super::group::Group;

/// How long to sleep between two looks.
const LOOK: Duration = Duration::from_millis(5);
/// Longest time from the wish to stop to the end of a command.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(10);

/// The signals that this process gets.
pub(crate) struct Watch {
    signals: Signals,
    /// Since when this process is asked to stop.
    stopped: Option<Instant>,
}

impl Watch {
    /// From now on signals do not end this process.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            signals: Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2])?,
            stopped: None,
        })
    }

    /// Whether a signal came that asks to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Passes on what has come since, then sleeps for a moment. Kills what does not stop in time.
    pub(crate) fn pause(&mut self, groups: &[&Group]) {
        for number in self.signals.pending() {
            let (signal, asks_to_stop) = match number {
                SIGHUP => (Signal::HUP, true),
                SIGINT => (Signal::INT, true),
                SIGQUIT => (Signal::QUIT, true),
                SIGTERM => (Signal::TERM, true),
                SIGUSR1 => (Signal::USR1, false),
                _ => (Signal::USR2, false),
            };
            if asks_to_stop {
                self.stopped.get_or_insert_with(Instant::now);
            }
            for group in groups {
                match asks_to_stop {
                    true => group.signal(signal),
                    // Who does not expect one of these would die of it.
                    false => group.signal_first(signal),
                }
            }
        }
        if self.stopped.is_some_and(|at| at.elapsed() >= STOP_LIMIT) {
            for group in groups {
                group.signal(Signal::KILL);
            }
        }
        thread::sleep(LOOK);
    }

    /// Waits until a command has ended.
    pub(crate) fn wait(&mut self, group: &mut Group) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = group.ended()? {
                return Ok(status);
            }
            self.pause(&[group]);
        }
    }

    /// Waits until a command has ended, but not for ever.
    pub(crate) fn wait_for(
        &mut self,
        group: &mut Group,
        longest: Duration,
    ) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + longest;
        while Instant::now() < deadline {
            if let Some(status) = group.ended()? {
                return Ok(Some(status));
            }
            self.pause(&[group]);
        }
        group.ended()
    }
}
