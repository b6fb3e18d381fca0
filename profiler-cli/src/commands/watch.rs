//! `heaplens watch`

use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::analysis::watch::Watched;
use crate::args::{WatchArgs, limit};
use crate::error::Error;
use crate::input::live::{Live, Look};
use crate::input::push_new;
use crate::progress::Progress;
use crate::render::watch_text::{failure, lines};
use crate::screen::Screen;

pub(super) fn run(args: &WatchArgs) -> Result<(), Error> {
    let options = args.profile.options();
    let mut live = Live::new(&args.target, &options);
    let mut watched = Watched::default();
    let mut screen = Screen::new();
    // Whoever names something that is not there hears of it at once.
    let progress = Progress::new();
    progress.wait("looking for the first time");
    let first = live.look();
    drop(progress);
    let mut view = seen(&mut watched, &first?, args, Vec::new(), true);
    let mut failing_since = None;
    for turn in 1_u64.. {
        screen.draw(&view).map_err(Error::Stdout)?;
        if turn == args.count {
            break;
        }
        thread::sleep(args.interval);
        match live.look() {
            Ok(looks) => {
                if failing_since.take().is_some() {
                    view.remove(0);
                }
                view = seen(&mut watched, &looks, args, view, false);
            }
            Err(error) => {
                let since = *failing_since.get_or_insert_with(|| {
                    view.insert(0, String::new());
                    unix_ms()
                });
                view[0] = failure(&error.to_string(), since);
            }
        }
    }
    Ok(())
}

/// The lines of the newest look; `before` if there is none. Of notes those of the first look are told,
/// since others would stand in the view.
fn seen(
    watched: &mut Watched,
    looks: &[Look],
    args: &WatchArgs,
    before: Vec<String>,
    is_first: bool,
) -> Vec<String> {
    let mut notes = Vec::new();
    let mut view = before;
    for look in looks {
        view = lines(
            &watched.see(&look.profile, &look.header),
            limit(args.rows, 10),
        );
        for note in &look.notes {
            push_new(&mut notes, note.clone());
        }
    }
    if is_first {
        super::tell(&notes);
    }
    view
}

fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
