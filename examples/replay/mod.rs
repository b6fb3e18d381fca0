//! The replay: run the service with its leak and with the fix, and judge what its snapshots say.
//!
//! | file | does |
//! |---|---|
//! | [`run`] | one run: quiet hours, busy hours, and the snapshots between |
//! | [`evidence`] | what the snapshots say |
//! | [`pointers`] | what one snapshot says, with a graph of the heap |
//! | [`verdict`] | whether that names the leak |
//! | [`report`], [`progress`] | what is printed |

use std::path::Path;
use std::process::ExitCode;

use quantum::drive::output;
use quantum::drive::suspects::heaplens;

mod evidence;
mod pointers;
mod progress;
mod report;
mod run;
mod verdict;

/// Replays the incident and prints the report. An error says why the leak was not named.
pub(crate) fn replay() -> Result<(), String> {
    let folder = output::folder("heaplens-incident");
    let svg = folder.join("retained.svg");

    report::heading("The incident: a widget service slows down, and its memory grows");
    let leaking = run::run(false, &output::clean(&folder.join("leaking"))?)?;
    let leak = evidence::gather(&leaking, Some(&svg))?;
    write_page(&folder.join("leaking"), &folder.join("report.html"))?;
    report::course(&leaking, &leak);
    report::owners(&leak);
    pass(verdict::leak_is_named(&leaking, &leak))?;
    report::named(&leak);

    report::heading("The fix: a child refers to its parent weakly");
    let fixed = run::run(true, &output::clean(&folder.join("fixed"))?)?;
    let fix = evidence::gather(&fixed, None)?;
    report::course(&fixed, &fix);
    pass(verdict::leak_is_gone(&fixed, &fix, &leak))?;
    report::gone(&fix, &leak);

    report::heading("In one snapshot: what no pointer reaches, in exact mode");
    let leaking = pointers::run(false, &output::clean(&folder.join("graph"))?)?;
    pass(verdict::cycle_is_named(&leaking))?;
    report::cycle(&leaking);
    let fixed = pointers::run(true, &output::clean(&folder.join("graph-fixed"))?)?;
    pass(verdict::no_cycle_is_left(&fixed))?;
    report::no_cycle(&fixed);

    report::files(&folder);
    Ok(())
}

/// Calls `heaplens report` on the snapshots of a run.
fn write_page(snapshots: &Path, page: &Path) -> Result<(), String> {
    let words = [
        "report".as_ref(),
        snapshots.as_os_str(),
        "-o".as_ref(),
        page.as_os_str(),
    ];
    match heaplens(words) == ExitCode::SUCCESS {
        true => Ok(()),
        false => Err(format!("cannot write {}", page.display())),
    }
}

/// One line with all that is wrong, if anything is.
fn pass(wrong: Vec<String>) -> Result<(), String> {
    match wrong.as_slice() {
        [] => Ok(()),
        wrong => Err(wrong.join("; ")),
    }
}
