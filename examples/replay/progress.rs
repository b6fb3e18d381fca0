//! Progress: a bar on a terminal, a line for each phase in a pipe.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

/// How far a phase is.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Begins a phase of `total` requests.
    pub(crate) fn begin(phase: &str, total: usize) -> Self {
        if !std::io::stderr().is_terminal() {
            eprintln!("   {phase}: {total} requests");
            return Self {
                bar: ProgressBar::hidden(),
            };
        }
        let style =
            ProgressStyle::with_template("   {msg:24} {bar:30} {pos:>5}/{len} {elapsed:>4}")
                .expect("the template is well formed")
                .progress_chars("━╸ ");
        let bar = ProgressBar::new(total as u64)
            .with_style(style)
            .with_message(phase.to_owned());
        Self { bar }
    }

    /// One more request is done.
    pub(crate) fn done(&self) {
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
