//! A command and all processes that it starts: a process group.

use std::io::{self, IsTerminal};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group,
    set_parent_process_death_signal, waitid,
};

/// A command that runs; dropped, it is killed with all that is in its group. What makes a session of its
/// own, as daemons do, has left the group and lives on.
#[derive(Debug)]
pub(crate) struct Group {
    child: Child,
    id: Pid,
    status: Option<ExitStatus>,
}

impl Group {
    /// Starts a command. It must be called by a thread that stays: the command ends with it.
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        // Of a terminal, only the group that the user looks at may read.
        if io::stdin().is_terminal() {
            command.stdin(Stdio::null());
        }
        let die_with_this_process = || Ok(set_parent_process_death_signal(Some(Signal::KILL))?);
        // SAFETY: between fork and exec this makes one system call, and neither allocates nor locks.
        unsafe { command.pre_exec(die_with_this_process) };
        let child = command.process_group(0).spawn()?;
        Ok(Self {
            id: Pid::from_child(&child),
            child,
            status: None,
        })
    }

    /// Its number, which is that of the command's process.
    pub(crate) fn id(&self) -> Pid {
        self.id
    }

    /// How the command has ended, if it has; then nothing is left of its group.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            // Looked at and left there: as long as it is, no other group can have its number.
            let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            if waitid(WaitId::Pid(self.id), look)?.is_some() {
                self.signal(Signal::KILL);
                self.status = Some(self.child.wait()?);
            }
        }
        Ok(self.status)
    }

    /// Sends a signal to all processes.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.status.is_none() {
            // Fails only where all have ended.
            let _ = kill_process_group(self.id, signal);
        }
    }

    /// Sends a signal to the command's own process.
    pub(crate) fn signal_first(&self, signal: Signal) {
        if self.status.is_none() {
            let _ = kill_process(self.id, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        if self.status.is_none() {
            let _ = self.child.wait();
        }
    }
}
