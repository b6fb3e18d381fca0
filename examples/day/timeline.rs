//! The timeline: what happened when, in seconds here and in hours then.

use std::fmt::Write as _;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Something that happened.
#[derive(Debug)]
struct Moment {
    seconds: f64,
    what: String,
    /// What the postmortem has in its place.
    then: &'static str,
}

/// What happened, in the order of time. Each line is printed as it happens.
#[derive(Debug)]
pub(crate) struct Timeline {
    began: Instant,
    /// The same, in seconds since 1970.
    pub(crate) began_at: f64,
    moments: Vec<Moment>,
}

impl Timeline {
    pub(crate) fn begin() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            began: Instant::now(),
            began_at: now.unwrap_or_default().as_secs_f64(),
            moments: Vec::new(),
        }
    }

    /// Something happens now.
    pub(crate) fn add(&mut self, what: impl Into<String>, then: &'static str) {
        let moment = Moment {
            seconds: self.seconds(Instant::now()),
            what: what.into(),
            then,
        };
        println!("{:7.1} s  {}", moment.seconds, moment.what);
        self.moments.push(moment);
    }

    /// A moment as seconds of the day.
    pub(crate) fn seconds(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.began).as_secs_f64()
    }

    /// As a table, with `notes` below it.
    pub(crate) fn markdown(&self, picture: &str, notes: &[String]) -> String {
        let mut text = format!(
            "# The day of the incident\n\n![Memory, response times and alert over the day]({picture})\n\n\
             | here | what happens | in the postmortem |\n|---:|---|---|\n"
        );
        for moment in &self.moments {
            let (seconds, what, then) = (moment.seconds, &moment.what, moment.then);
            // Writing to a string does not fail.
            let _ = writeln!(text, "| {seconds:.1} s | {what} | {then} |");
        }
        text.push('\n');
        for note in notes {
            let _ = writeln!(text, "- {note}");
        }
        text
    }
}
