//! The load: what is requested, in which order, and how long the answers took.
//!
//! Everything comes from one seed, so that both runs get the same requests. The number of requests
//! is fixed, and a phase that does not end in time is an error.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::service::Client;
use crate::widget::definitions::{Definition, MAX_DEPTH, MAX_PANES, PaneDefinition};

/// Requests under way at the same time.
const CLIENTS: usize = 4;
/// Longest time that a phase may take.
const PHASE_LIMIT: Duration = Duration::from_secs(45);

/// Ids up to this one are simple widgets.
const SIMPLE_WIDGETS: u64 = 500;
/// Ids above those of simple widgets, and up to this one, are complex widgets.
const WIDGETS: u64 = 1_000;
/// Panes of a complex widget.
const PANES: std::ops::RangeInclusive<usize> = 16..=32;

/// A widget of as many panes as there can be, each as large as it can be.
pub const LARGEST_WIDGET: u64 = 9_999;
/// A widget of as many panes, that fit beside each other.
pub const MANY_PANES: u64 = 9_998;

/// A request to the service.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Publish a widget.
    Publish(Definition),
    /// View a widget at a tick.
    View {
        /// Its id.
        widget: u64,
        /// The moment that is rendered, from 0.
        tick: u32,
        /// `html` or `svg`.
        format: &'static str,
    },
}

/// Writes requests, from a seed.
#[derive(Debug)]
pub struct Script {
    random: fastrand::Rng,
}

impl Script {
    /// The same seed gives the same requests.
    pub fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Publishes every widget: half of them simple, half complex.
    pub fn publications(&mut self) -> Vec<Request> {
        (1..=WIDGETS)
            .map(|id| Request::Publish(self.definition(id)))
            .collect()
    }

    /// The quiet hours: nearly all views are of simple widgets, and many enough to fill the cache.
    pub fn quiet_views(&mut self, count: usize) -> Vec<Request> {
        (0..count)
            .map(|_| match self.random.u8(..100) {
                0 => self.complex_view(),
                1..=30 => self.popular_view(),
                _ => self.simple_view(),
            })
            .collect()
    }

    /// The busy hours: most views are of complex widgets.
    pub fn busy_views(&mut self, count: usize) -> Vec<Request> {
        (0..count)
            .map(|_| match self.random.u8(..100) {
                0..60 => self.complex_view(),
                60..90 => self.popular_view(),
                _ => self.simple_view(),
            })
            .collect()
    }

    fn complex_view(&mut self) -> Request {
        let widget = self.random.u64(SIMPLE_WIDGETS + 1..=WIDGETS);
        self.view(widget)
    }

    /// A view of a simple widget, which the cache does not have.
    pub fn simple_view(&mut self) -> Request {
        let widget = self.random.u64(1..=SIMPLE_WIDGETS);
        self.view(widget)
    }

    /// A view that many have asked for before, so that the cache has it.
    fn popular_view(&mut self) -> Request {
        Request::View {
            widget: self.random.u64(1..=20),
            tick: 0,
            format: "html",
        }
    }

    /// A view at any tick, which hardly anyone has asked for before.
    fn view(&mut self, widget: u64) -> Request {
        let format = if self.random.bool() { "html" } else { "svg" };
        Request::View {
            widget,
            tick: self.random.u32(..1_000_000),
            format,
        }
    }

    fn definition(&mut self, id: u64) -> Definition {
        let (kind, panes) = match id {
            ..=SIMPLE_WIDGETS => ("Simple", 1),
            _ => ("Complex", self.random.usize(PANES)),
        };
        let random = &mut self.random;
        let panes = (0..panes)
            .map(|index| PaneDefinition {
                // One of the three panes before, so that nesting stays far from the limit.
                parent: (index > 0).then(|| (index - 1) / random.usize(2..=3)),
                title: format!("Pane {index} <particle in a box> & friends"),
                levels: random.u8(2..=10),
                width: random.u16(120..=240),
                height: random.u16(60..=160),
            })
            .collect();
        Definition {
            id,
            name: format!("{kind} widget {id}"),
            panes,
        }
    }
}

/// Publishes one of the two largest widgets.
pub fn large_widget(id: u64) -> Request {
    let width = if id == LARGEST_WIDGET { 1_000 } else { 160 };
    let panes = (0..MAX_PANES).map(|index| PaneDefinition {
        parent: (index > 0).then(|| (index - 1) % (MAX_DEPTH - 1)),
        title: format!("Pane {index}"),
        levels: 16,
        width,
        height: width,
    });
    Request::Publish(Definition {
        id,
        name: format!("Large widget {id}"),
        panes: panes.collect(),
    })
}

/// Response times of many requests, sorted.
#[derive(Debug, Clone)]
pub struct Times(Vec<Duration>);

impl Times {
    /// In any order.
    pub fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that this share of the requests did not exceed; `share` from 0 to 1.
    pub fn percentile(&self, share: f64) -> Duration {
        let rank = (self.0.len() as f64 * share).ceil() as usize;
        self.0
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }

    /// The time that half of the requests did not exceed.
    pub fn median(&self) -> Duration {
        self.percentile(0.5)
    }

    /// The time that 95 % of the requests did not exceed.
    pub fn p95(&self) -> Duration {
        self.percentile(0.95)
    }
}

/// Sends all requests, a few at a time, and calls `done` after each. Stops at the first failure.
pub fn send(
    client: &Client,
    requests: &[Request],
    done: &(impl Fn() + Sync),
) -> Result<Times, String> {
    let deadline = Instant::now() + PHASE_LIMIT;
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<String>> = Mutex::new(None);
    let work = || {
        let mut times = Vec::with_capacity(requests.len());
        while let Some(request) = requests.get(next.fetch_add(1, Relaxed)) {
            let begin = Instant::now();
            let result = match begin < deadline {
                true => client.send(request),
                false => Err(format!(
                    "the load is not done after {} s",
                    PHASE_LIMIT.as_secs()
                )),
            };
            if let Err(error) = result {
                next.store(requests.len(), Relaxed);
                failure
                    .lock()
                    .expect("no client panics")
                    .get_or_insert(error);
                break;
            }
            times.push(begin.elapsed());
            done();
        }
        times
    };
    let times = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(work)).collect();
        clients
            .into_iter()
            .flat_map(|client| client.join().expect("no client panics"))
            .collect()
    });
    match failure.into_inner().expect("no client panics") {
        Some(error) => Err(error),
        None => Ok(Times::new(times)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::widget::definitions::Definitions;

    #[test]
    fn a_seed_gives_the_same_requests_again_and_another_seed_others() {
        let views = |seed| Script::new(seed).busy_views(500);
        assert_eq!(views(1), views(1));
        assert_ne!(views(1), views(2));
    }

    #[test]
    fn every_published_widget_is_valid_and_half_are_complex() {
        let definitions = Definitions::open(None).unwrap();
        let mut complex = 0;
        for request in Script::new(1).publications() {
            let Request::Publish(definition) = request else {
                panic!("{request:?}")
            };
            definitions.publish(&definition).unwrap();
            complex += u64::from(definition.is_complex());
        }
        assert_eq!(complex * 2, WIDGETS);
    }

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times = Times::new((1..=100).rev().map(Duration::from_millis).collect());
        assert_eq!(times.median(), Duration::from_millis(50));
        assert_eq!(times.p95(), Duration::from_millis(95));
        assert_eq!(Times::new(Vec::new()).p95(), Duration::ZERO);
    }
}
