//! The load: visitors that come through nginx all day, at an even pace, from addresses of their own.
//!
//! Simple widgets are asked for in the same order whenever the visitors begin anew, and always at a moment
//! that no cache has, so that times of two parts of the day are times of the same work. As a control,
//! `/healthz` goes the same way, and does not pass through what the leak slows down: it tells how busy the
//! machine is.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use quantum::drive::exchange::{ask, get_text, view_text};
use quantum::drive::load::{MANY_PANES, Request, Script};
use tokio::runtime::Runtime;

/// Visitors of each kind.
const VISITORS: u32 = 8;
/// Views of simple widgets in a second, all visitors together.
const SIMPLE_RATE: u32 = 100;
/// Controls in a second.
const CONTROL_RATE: u32 = 50;
/// The last moment that a widget can be asked for.
const TICKS: u32 = 1_000_000;

/// What a visitor asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Simple,
    Complex,
    Control,
}

/// One request and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) kind: Kind,
    /// When it was sent.
    pub(crate) at: Instant,
    pub(crate) took: Duration,
    pub(crate) failure: Option<String>,
}

/// What all visitors share.
#[derive(Debug, Default)]
struct Shared {
    visits: Mutex<Vec<Visit>>,
    /// Views of complex widgets in a second.
    complex_rate: AtomicU32,
    /// Counts how often the visitors have begun anew.
    beginning: AtomicU32,
}

/// Visitors, until this is dropped.
#[derive(Debug)]
pub(crate) struct Visitors {
    shared: Arc<Shared>,
    _runtime: Runtime,
}

impl Visitors {
    /// Lets them come, for simple widgets at first.
    pub(crate) fn start(nginx: SocketAddr) -> Result<Self, String> {
        let runtime = Runtime::new().map_err(|error| format!("cannot start a runtime: {error}"))?;
        let shared = Arc::new(Shared::default());
        for kind in [Kind::Simple, Kind::Complex, Kind::Control] {
            for number in 0..VISITORS {
                runtime.spawn(visit(kind, number, nginx, Arc::clone(&shared)));
            }
        }
        Ok(Self {
            shared,
            _runtime: runtime,
        })
    }

    /// From now on so many views of complex widgets in a second.
    pub(crate) fn ask_for_complex(&self, rate: u32) {
        self.shared.complex_rate.store(rate, Relaxed);
    }

    /// From now on the same requests for simple widgets as when they began first.
    pub(crate) fn begin_anew(&self) {
        self.shared.beginning.fetch_add(1, Relaxed);
    }

    /// All visits so far.
    pub(crate) fn visits(&self) -> MutexGuard<'_, Vec<Visit>> {
        self.shared.visits()
    }
}

impl Shared {
    fn visits(&self) -> MutexGuard<'_, Vec<Visit>> {
        self.visits.lock().expect("no visitor panics")
    }

    /// The time between two visits of one visitor, if it is to come at all.
    fn pause(&self, kind: Kind) -> Option<Duration> {
        let rate = match kind {
            Kind::Simple => SIMPLE_RATE,
            Kind::Control => CONTROL_RATE,
            Kind::Complex => self.complex_rate.load(Relaxed),
        };
        (rate > 0).then(|| Duration::from_secs(1) * VISITORS / rate)
    }
}

/// One visitor. Who was kept waiting does not hurry afterwards.
async fn visit(kind: Kind, number: u32, nginx: SocketAddr, shared: Arc<Shared>) {
    let from = Ipv4Addr::new(127, 0, 2 + kind as u8, 1 + number as u8);
    let mut begun = 0;
    let mut script = Script::new(number.into());
    let mut ticks = fastrand::Rng::with_seed(number.into());
    // Spread over the pause, or all would come at once.
    let mut due = Instant::now() + shared.pause(kind).unwrap_or_default() * number / VISITORS;
    loop {
        tokio::time::sleep_until(due.into()).await;
        let Some(pause) = shared.pause(kind) else {
            due = Instant::now() + Duration::from_millis(20);
            continue;
        };
        let beginning = shared.beginning.load(Relaxed);
        if begun != beginning {
            begun = beginning;
            script = Script::new(number.into());
        }
        let text = match kind {
            Kind::Simple => view_text(&script.simple_view()),
            Kind::Control => get_text("/healthz"),
            Kind::Complex => view_text(&Request::View {
                widget: MANY_PANES,
                tick: ticks.u32(..TICKS),
                format: "svg",
            }),
        };
        let at = Instant::now();
        let failure = ask(from, nginx, &text, "HTTP/1.1 200 ").await.err();
        shared.visits().push(Visit {
            kind,
            at,
            took: at.elapsed(),
            failure,
        });
        due = (due + pause).max(Instant::now());
    }
}
