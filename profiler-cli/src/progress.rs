//! Progress on a terminal; nothing in a pipe.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::input::Step;
use crate::render::escape::printable;

/// Shows what a command is busy with, on the standard error.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new() -> Self {
        // The target hides itself where the standard error is no terminal.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(style("{spinner} {msg}"));
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    /// Shows what is waited for, without a length.
    pub(crate) fn wait(&self, what: &str) {
        self.0.unset_length();
        self.0.set_style(style("{spinner} {msg}"));
        self.0.set_message(what.to_owned());
    }

    pub(crate) fn show(&self, step: Step<'_>) {
        match step {
            Step::Fetching { done, of } => {
                self.wait(&format!(
                    "waiting for servers ({done} of {of} have answered)"
                ));
            }
            Step::Reading { file, number, of } => {
                let file = file.to_string_lossy();
                self.wait(&format!("reading {} ({number} of {of})", printable(&file)));
            }
            Step::Symbolizing { done, total } => {
                if self.0.length() != Some(total) {
                    self.0.set_length(total);
                    self.0
                        .set_style(style("{spinner} {msg} {wide_bar} {pos}/{len}"));
                    self.0.set_message("symbols");
                }
                self.0.set_position(done);
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
