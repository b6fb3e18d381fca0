//! What the windows come to.

use crate::windows::{Beside, Rounds, Timed};
use measure::statistics::Median;
use std::fmt::Write as _;

/// Fewest rounds that a result can come from.
const FEWEST_ROUNDS: usize = 15;
/// How far windows with nothing beside them may be from each other.
const CONTROL_TOLERANCE: f64 = 0.01;
/// At most this much longer may the 99.99th percentile be while snapshots are taken.
const LIMIT: f64 = 1.2;

/// The report of one mode.
pub(crate) fn render(rounds: &Rounds) -> String {
    let mut text =
        String::from("  beside              pairs      p50 ns     p99 ns  p99.99 ns     max ns\n");
    for (beside, timed) in Beside::ALL.iter().zip(&rounds.timed) {
        let all = &timed.all;
        writeln!(
            text,
            "  {:<14} {:>10} {:>11} {:>10} {:>10} {:>10}",
            name(*beside),
            all.len(),
            all.value_at_quantile(0.5),
            all.value_at_quantile(0.99),
            all.value_at_quantile(0.9999),
            all.max()
        )
        .expect("a string takes every text");
    }
    let [nothing, again, snapshots, computing] = &rounds.timed;
    let comparisons = [
        ("nothing, again, over nothing", again, nothing),
        ("snapshots over nothing", snapshots, nothing),
        ("computing over nothing", computing, nothing),
        ("snapshots over computing", snapshots, computing),
    ];
    text.push_str("\n  p99.99, median of the rounds and its 95 % interval\n");
    for (name, over, under) in comparisons {
        if let Some(median) = ratio(over, under) {
            let interval = median
                .interval
                .map_or(String::new(), |(low, high)| format!("  {low:.3}–{high:.3}"));
            writeln!(text, "  {name:<30} {:.3}{interval}", median.value)
                .expect("a string takes every text");
        }
    }
    let verdict = judge(nothing, again, snapshots);
    let count = rounds.snapshots.max(1);
    writeln!(
        text,
        "\n  snapshots over nothing, at most {LIMIT}: {verdict}\n  {} snapshots of {} live sites, {:.0} ms of \
         CPU time each; the peak of memory grew by {:.1} MiB\n",
        rounds.snapshots,
        rounds.sites,
        rounds.snapshots_cpu.as_secs_f64() * 1e3 / count as f64,
        rounds.extra_bytes as f64 / f64::from(1 << 20),
    )
    .expect("a string takes every text");
    text
}

fn name(beside: Beside) -> &'static str {
    match beside {
        Beside::Nothing => "nothing",
        Beside::NothingAgain => "nothing, again",
        Beside::Snapshots => "snapshots",
        Beside::Computing => "computing",
    }
}

/// 99.99th percentiles of windows of the same round, over each other.
fn ratio(over: &Timed, under: &Timed) -> Option<Median> {
    let rounds = over.tails.iter().zip(&under.tails);
    Median::of(rounds.map(|(over, under)| *over as f64 / *under as f64))
}

fn judge(nothing: &Timed, again: &Timed, snapshots: &Timed) -> String {
    let rounds = nothing.tails.len();
    if rounds < FEWEST_ROUNDS {
        return format!("void: {rounds} rounds");
    }
    match (ratio(again, nothing), ratio(snapshots, nothing)) {
        (Some(control), _) if (control.value - 1.0).abs() > CONTROL_TOLERANCE => {
            format!("void: nothing is {:.3} of itself", control.value)
        }
        (Some(_), Some(ratio)) if ratio.value <= LIMIT => "holds".to_owned(),
        (Some(_), Some(_)) => "missed".to_owned(),
        _ => "void: nothing was timed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::windows::histogram;
    use std::time::Duration;

    fn timed(rounds: usize, latency: u64) -> Timed {
        let mut window = histogram();
        window.record_n(latency, 1_000).unwrap();
        let mut timed = Timed::new();
        (0..rounds).for_each(|_| timed.add(&window));
        timed
    }

    #[test]
    fn holds_is_missed_or_void() {
        let same = timed(15, 1_000);
        assert_eq!(judge(&same, &same, &timed(15, 1_190)), "holds");
        assert_eq!(judge(&same, &same, &timed(15, 1_220)), "missed");
        assert!(judge(&same, &timed(15, 1_050), &same).starts_with("void: nothing is"));
        let few = timed(3, 1_000);
        assert_eq!(judge(&few, &few, &few), "void: 3 rounds");
    }

    #[test]
    fn everything_that_was_timed_is_in_the_report() {
        let text = render(&Rounds {
            timed: [100, 100, 150, 120].map(|latency| timed(15, latency)),
            sites: 100,
            snapshots: 4,
            snapshots_cpu: Duration::from_millis(200),
            extra_bytes: 3 << 20,
        });
        assert!(
            text.contains("snapshots over nothing         1.500  1.500–1.500"),
            "{text}"
        );
        assert!(
            text.contains("snapshots over computing       1.250"),
            "{text}"
        );
        assert!(
            text.contains("4 snapshots of 100 live sites, 50 ms of CPU time each"),
            "{text}"
        );
        assert!(text.contains("grew by 3.0 MiB"), "{text}");
    }
}
