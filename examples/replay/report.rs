//! The report: what an engineer on call wants to see, in 80 columns.

use std::path::Path;
use std::time::Duration;

use console::style;
use heaplens_cli::render::units;

use super::evidence::{Evidence, Memory, Part};
use super::pointers::Pointers;
use super::run::Run;
use quantum::drive::load::Times;

/// Owners that the report names.
const OWNERS: usize = 6;

/// Owners of which the report tells what `heaplens suspects` says.
const SUSPECTS: usize = 10;

/// A heading.
pub(crate) fn heading(text: &str) {
    println!("\n{}", style(text).bold());
}

/// How response times and memory went in a run.
pub(crate) fn course(run: &Run, evidence: &Evidence) {
    if let [first, .., last] = run.steps.as_slice() {
        println!("\n   response time      median       p95");
        response_time("first requests", first);
        response_time("last requests", last);
        let medians: Vec<i64> = run
            .steps
            .iter()
            .map(|step| step.median().as_micros() as i64)
            .collect();
        let ratio = last.median().as_secs_f64() / first.median().as_secs_f64().max(1e-9);
        println!(
            "   over the busy hours  {}  the median is {ratio:.1} times as long",
            units::sparkline(&medians)
        );
    }
    println!("\n   memory               at start  after warm-up  after load      change");
    if let Some(resident) = &evidence.resident {
        memory("process (RSS)", resident);
    }
    memory("live heap", &evidence.heap);
    for (part, bytes) in Part::ALL.iter().zip(&evidence.parts) {
        memory(&format!("  {}", part.name()), bytes);
    }
}

/// The owners that grew most after warm-up, each with one percent of the growth at least.
pub(crate) fn owners(evidence: &Evidence) {
    println!("\n   grew after warm-up, by the function of the service that allocated it");
    let least = evidence.grown / 100;
    let largest = evidence.owners.iter().take(OWNERS);
    for owner in largest.filter(|owner| owner.change > least) {
        println!(
            "   {:>11} {:>7}  {:26} {}",
            units::change(owner.change),
            units::share(owner.change, evidence.grown),
            short(&owner.function),
            style(owner.place.as_deref().unwrap_or("")).dim(),
        );
    }
}

/// The verdict on the leaking run.
pub(crate) fn named(evidence: &Evidence) {
    let place = evidence
        .compose_place
        .as_deref()
        .unwrap_or("no line tables");
    println!(
        "\n   {} {} ({place})\n   retains {}, {:.1} % of the growth.",
        style("The leak is in").red().bold(),
        style("`compose`").red().bold(),
        units::bytes(evidence.through_compose),
        evidence.compose_share() * 100.0,
    );
    let [_, cache, database] = evidence.parts.map(|part| {
        let change = units::change(part.change());
        format!("{change} {}", units::error(part.error as f64))
    });
    println!("   Innocent: the cache     {cache}");
    println!("             the database  {database}");
    println!("\n   `heaplens suspects`, after the fourth snapshot of the busy hours:");
    for judged in evidence.suspects.iter().take(SUSPECTS) {
        let retained = judged.retained.as_ref();
        let retained =
            retained.map_or(String::new(), |retained| format!("  ({})", short(retained)));
        println!(
            "   {:>18}  {}{retained}",
            judged.class.name(),
            short(&judged.owner)
        );
    }
}

/// The verdict on the fixed run.
pub(crate) fn gone(fixed: &Evidence, leaking: &Evidence) {
    let (left, leaked) = (fixed.heap.change(), leaking.heap.change());
    println!(
        "\n   {} Growth after warm-up is {}, where {} leaked.",
        style("The leak is gone.").green().bold(),
        units::change(left),
        units::bytes(leaked),
    );
}

/// The cycle in the first graph of the leaking service.
pub(crate) fn cycle(leaking: &Pointers) {
    println!();
    // The others are instances that a word which nobody has cleared ties together.
    if let Some(cycle) = leaking.cycles.first() {
        println!("   {}", style(cycle).red());
    }
    println!(
        "   {:.1} s after the first leaked byte; no pointer was found to {} in all.",
        leaking.took.as_secs_f64(),
        units::unsigned_bytes(leaking.unreached.bytes),
    );
}

/// That there is none with the fix.
pub(crate) fn no_cycle(fixed: &Pointers) {
    println!(
        "   {} No pointer was found to {} in all.",
        style("With the fix there is no cycle.").green().bold(),
        units::unsigned_bytes(fixed.unreached.bytes),
    );
}

/// Where to look further.
pub(crate) fn files(folder: &Path) {
    let working_directory = std::env::current_dir().unwrap_or_default();
    let folder = folder
        .strip_prefix(working_directory)
        .unwrap_or(folder)
        .display();
    heading("Look for yourself");
    println!("   In a browser:");
    println!("     {folder}/report.html says it on one page");
    println!("     {folder}/retained.svg is what is retained");
    println!("   The same from the snapshots, and more:");
    println!("     cargo run --release -p heaplens-cli -- diff \\");
    println!("       '{folder}/leaking/*.after-warm-up.*' \\");
    println!("       '{folder}/leaking/*.after-load.*'");
    println!("     cargo run --release -p heaplens-cli -- leaks {folder}/graph");
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Compose => "composition",
            Self::Cache => "cache",
            Self::Database => "database",
        }
    }
}

fn response_time(what: &str, times: &Times) {
    let shown = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    println!(
        "   {what:15} {:>9} {:>9}",
        shown(times.median()),
        shown(times.p95())
    );
}

fn memory(what: &str, bytes: &Memory) {
    println!(
        "   {what:18} {:>10}  {:>13}  {:>10}  {:>10}",
        units::bytes(bytes.start),
        units::bytes(bytes.warm),
        units::bytes(bytes.end),
        units::change(bytes.change()),
    );
}

/// A function's name from the module `widget` on: what stands before is the same for all of them.
fn short(function: &str) -> String {
    function.replace("incident::widget_service::widget::", "")
}
