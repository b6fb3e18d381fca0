//! The HTTP endpoint, over the library's own server and over axum: asked as clients do, by the tools
//! that read it, and by those who mean no good.

mod axum_service;
mod hostile;
mod pages;
#[path = "../processes/mod.rs"]
mod processes;
mod service;
mod settings;
mod tools;

use heaplens::{Allocator, Config};
use std::alloc::System;
use std::hint::black_box;
use std::thread;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::new(System, Config::new());

/// What `holds` holds.
const HELD: usize = 5 << 20;
/// What `grows` does each time.
const GROWN: usize = 2 << 20;

fn main() {
    if processes::play(&[
        ("serve", serves),
        ("serve with axum", axum_service::serves),
        ("serve with axum, blind", axum_service::serves_blindly),
    ]) {
        return;
    }
    let tests: &[(&str, fn())] = &[
        ("profiles", pages::profiles),
        ("one at a time", pages::one_at_a_time),
        ("snapshots", pages::snapshots),
        ("graphs", pages::graphs),
        ("metrics", pages::metrics),
        ("read-only folder", pages::read_only_folder),
        ("settings", settings::change_while_it_runs),
        ("settings of other modes", settings::stay_in_other_modes),
        ("access", hostile::access),
        ("pages of others", hostile::pages_of_others),
        (
            "nothing listens by default",
            hostile::nothing_listens_by_default,
        ),
        ("hostile clients", hostile::hostile_clients),
        ("axum", axum_service::has_all_pages),
        ("axum access", axum_service::lets_in_who_may),
        ("axum under a flood", axum_service::serves_others_meanwhile),
        ("go tool pprof", tools::go_pprof_reads_it),
        ("prometheus", tools::prometheus_scrapes_it),
    ];
    // A part of a name chooses, as with the tests of a harness.
    let wanted = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let is_wanted = |name: &str| {
        wanted
            .as_ref()
            .is_none_or(|wanted| name.contains(&**wanted))
    };
    let chosen = tests.iter().filter(|(name, _)| is_wanted(name));
    let mut passed = 0;
    for (name, test) in chosen {
        test();
        println!("test {name} ... ok");
        passed += 1;
    }
    println!("test result: ok. {passed} passed; 0 failed");
}

/// Holds 5 MiB until its standard input ends, and more as it is told there.
fn serves() {
    let _profiler = heaplens::start(Config::new()).expect("the profiler starts");
    let held = holds();
    heaplens::work_done(7);
    println!("ready");
    follow_orders();
    drop(black_box(held));
}

fn follow_orders() {
    let mut grown = Vec::new();
    for order in std::io::stdin().lines() {
        match &*order.expect("a pipe") {
            "grow" => grown.push(grows()),
            "leak" => drop(thread::spawn(leaks)),
            order => panic!("what is {order}?"),
        }
        println!("done");
    }
    drop(black_box(grown));
}

#[inline(never)]
fn holds() -> Vec<Vec<u8>> {
    let held = (0..HELD >> 12).map(|_| vec![1; 1 << 12]).collect();
    // Something to do after the call, or there would be no frame of this function.
    black_box(held)
}

#[inline(never)]
fn grows() -> Vec<Vec<u8>> {
    let grown = (0..GROWN >> 12).map(|_| vec![1; 1 << 12]).collect();
    black_box(grown)
}

#[inline(never)]
fn leaks() {
    loop {
        std::mem::forget(black_box(vec![1_u8; 1 << 12]));
        thread::sleep(Duration::from_millis(10));
    }
}
