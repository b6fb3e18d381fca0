//! Libraries whose constructors allocate and start threads, opened and closed while others allocate.

use crate::c_library::{Builder, Library};
use crate::host::{Books, churn, start, storm};
use fastrand::Rng;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

/// Knows the way back into this program; the others find it there.
const BRIDGE: &str = "void (*allocate_in_host)(void);";

const PLUGIN: &str = r#"
#include <pthread.h>
extern void (*allocate_in_host)(void);
static pthread_t thread;
static char room[ROOM];
static void *run(void *unused) { allocate_in_host(); room[0]++; return 0; }
__attribute__((constructor)) static void begin(void) {
    allocate_in_host();
    pthread_create(&thread, 0, run, 0);
    allocate_in_host();
}
__attribute__((destructor)) static void end(void) {
    allocate_in_host();
    pthread_join(thread, 0);
    allocate_in_host();
}
"#;

static CALLS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn allocate() {
    churn(&mut Rng::with_seed(CALLS.fetch_add(1, Relaxed) as u64), 3);
}

pub(crate) fn come_and_go() {
    let _profiler = start();
    let builder = Builder::new();
    let bridge = Library::open(&builder.build("bridge", BRIDGE, &[]));
    // SAFETY: the variable of the source above; no plug-in is open yet.
    unsafe {
        let way = bridge.symbol("allocate_in_host").cast::<extern "C" fn()>();
        way.write(allocate);
    }
    // Of different sizes, so that one lies where another has lain in part.
    let plugins: Vec<_> = (0..6)
        .map(|number| {
            let room = format!("-DROOM={}", 1 + number * 5_000);
            builder.build(&format!("plugin{number}"), PLUGIN, &[&room])
        })
        .collect();
    let books = Books::open();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for seed in 0..2 {
            let is_over = &is_over;
            scope.spawn(move || {
                let mut random = Rng::with_seed(seed);
                while !is_over.load(Relaxed) {
                    churn(&mut random, 20);
                    thread::yield_now();
                }
            });
        }
        let openers = [0, 1].map(|seed| {
            let plugins = &plugins;
            scope.spawn(move || {
                let mut random = Rng::with_seed(seed);
                for _ in 0..storm(1_000) {
                    let open = Library::open(&plugins[random.usize(..plugins.len())]);
                    open.close();
                }
            })
        });
        for opener in openers {
            opener.join().expect("libraries open and close");
        }
        is_over.store(true, Relaxed);
    });
    assert!(CALLS.load(Relaxed) > 100);
    books.balance();
}
