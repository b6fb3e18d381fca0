//! The dangers, a file for each family.
//!
//! Over which allocators and modes a scenario runs: those that are about what heaplens does to blocks
//! or to the inner allocator's calls run over all of them; those about stacks, signals and the process
//! over the system's allocator in both modes. Some of those, and storms of threads, run once more over it in
//! exact mode, while the heap is scanned.

mod clocks;
mod environment;
mod filters;
mod forks;
mod layouts;
mod libraries;
mod memory;
mod misuse;
mod reuse;
mod scanned_ends;
mod scanned_signals;
mod signals;
mod small_stacks;
mod stacks;
mod teardown;

use crate::driver::Ended;

/// What a scenario runs over.
#[derive(Clone, Copy)]
pub(crate) enum Over {
    /// Each inner allocator in each mode.
    All,
    /// Each mode, over the system's allocator.
    Modes,
    /// None of them: runs while the heap is scanned alone.
    Scans,
    /// Nothing: other scenarios run it.
    Others,
}

/// A program with a danger in it.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What the host does. It ends by a panic where something is not as it should be.
    run: fn(),
    pub(crate) over: Over,
    /// Runs once more while the heap is scanned again and again.
    pub(crate) scanned: bool,
    /// The layer above the inner allocator.
    pub(crate) layer: &'static str,
    /// Time between snapshots.
    pub(crate) interval: &'static str,
    /// What the driver makes of its end.
    pub(crate) expect: fn(&Ended) -> Result<(), String>,
}

/// A scenario in all modes over all allocators, which ends well and says nothing.
const fn scenario(name: &'static str, run: fn()) -> Scenario {
    Scenario {
        name,
        run,
        over: Over::All,
        scanned: false,
        layer: "none",
        interval: "none",
        expect: ends_well,
    }
}

/// The same, over the system's allocator.
const fn of_process(name: &'static str, run: fn()) -> Scenario {
    Scenario {
        over: Over::Modes,
        ..scenario(name, run)
    }
}

/// The same once more, while the heap is scanned again and again.
const fn scanned(scenario: Scenario) -> Scenario {
    Scenario {
        scanned: true,
        ..scenario
    }
}

/// A scenario that runs while the heap is scanned, and at no other time.
const fn of_scans(name: &'static str, run: fn()) -> Scenario {
    Scenario {
        over: Over::Scans,
        ..scanned(scenario(name, run))
    }
}

/// A part of other scenarios, which run it.
const fn part(name: &'static str, run: fn()) -> Scenario {
    Scenario {
        over: Over::Others,
        ..scenario(name, run)
    }
}

pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        layer: "paranoid",
        ..scenario("layouts", layouts::are_kept)
    },
    Scenario {
        layer: "swapping",
        ..scenario("address_reuse", reuse::keeps_the_books)
    },
    Scenario {
        layer: "failing",
        ..scenario("out_of_memory", memory::at_every_kth_call)
    },
    Scenario {
        layer: "failing",
        expect: memory::is_told_of_the_failure,
        ..scenario("no_memory_for_snapshots", memory::for_snapshots)
    },
    of_process("no_room_for_threads", memory::for_thread_states),
    of_process("no_room_for_tables", memory::for_each_table),
    part("under_a_limit", memory::under_a_limit),
    Scenario {
        interval: "50ms",
        ..scanned(of_process("fork_storm", forks::storm_of_children))
    },
    scanned(scenario("signal_storm", signals::storm_of_signals)),
    of_process("signal_at_each_instruction", signals::at_each_instruction),
    of_process(
        "signal_stack_within_the_stack",
        signals::on_a_stack_within_the_stack,
    ),
    of_process("jump_out_of_the_recorder", signals::that_jump_out),
    of_process(
        "jump_off_a_signal_stack",
        signals::that_jump_off_their_stack,
    ),
    scanned(scenario("small_stacks", small_stacks::of_threads)),
    Scenario {
        expect: small_stacks::is_told_of_an_overflow,
        ..of_process("stack_overflow", small_stacks::that_overflow)
    },
    Scenario {
        interval: "20ms",
        ..scanned(of_process("dlopen_storm", libraries::come_and_go))
    },
    Scenario {
        expect: teardown::leaves_a_last_snapshot,
        ..scanned(scenario("thread_teardown", teardown::is_survived))
    },
    scanned(scenario("stack_switches", stacks::are_switched)),
    of_scans("signals_while_scanned", scanned_signals::are_handled_once),
    of_scans("ends_of_scanned", scanned_ends::storm_of_ends),
    part("ends_while_scanned", scanned_ends::at_some_moment),
    of_process("broken_unwinding", stacks::that_cannot_be_unwound),
    of_process("callbacks_that_panic", stacks::that_panics_unwind),
    scenario("foreign_frees", misuse::of_foreign_blocks),
    Scenario {
        expect: misuse::is_told_of_the_folder,
        ..of_process("locked_streams", misuse::of_the_standard_streams)
    },
    of_process("closed_streams", environment::without_standard_streams),
    of_process("no_proc", environment::without_proc),
    of_process("filters_that_kill", filters::that_kill),
    Scenario {
        expect: filters::says_why,
        ..of_process("filters_that_refuse", filters::that_refuse)
    },
    part("scan_with_registers", filters::scan_with_registers),
    part("scan_without_registers", filters::scan_without_registers),
    part("no_scan", filters::no_scan),
    Scenario {
        interval: "20ms",
        expect: clocks::leaves_files_in_order,
        ..of_process("clock_jumps", clocks::that_jump)
    },
    part("churn_and_balance", environment::churn_and_balance),
    of_process("setuid", environment::ignores_settings_where_setuid),
    part("says_its_settings", environment::says_its_settings),
];

/// Runs the scenario of this name, in this process.
pub(crate) fn run(name: &str) {
    let scenario = ALL.iter().find(|scenario| scenario.name == name);
    let scenario = scenario.unwrap_or_else(|| panic!("no scenario {name}"));
    (scenario.run)();
}

fn ends_well(ended: &Ended) -> Result<(), String> {
    if !ended.status.success() {
        return Err("did not end well".to_owned());
    }
    match ended.stderr.as_str() {
        "" => Ok(()),
        _ => Err("said something".to_owned()),
    }
}
