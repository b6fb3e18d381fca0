//! The widget service under load: CPU time of the service's process for each request, and how long
//! the slowest take.
//!
//! One client sends the next request when it has the answer to the last. More would load the service
//! to its limit, but then what a request costs depends on how many the runtime happens to find ready.

use crate::http::Connection;
use crate::run::{Process, Run};
use measure::{Measurement, clocks, memory};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Widgets up to this one have one pane; as many above it have 16 to 32.
const SIMPLE: u64 = 100;
const WIDGETS: u64 = 2 * SIMPLE;
/// Requests of a pass. Each pass asks for the same widgets, at ticks that no other pass asks for.
const PASS: u64 = 100;
/// Time from one request for metrics to the next.
const SCRAPE_INTERVAL: Duration = Duration::from_secs(1);
/// Ticks that the service knows.
const TICKS: u64 = 1_000_000;

/// Starts two services, loads them in turns, a pass each, and measures both: so what changes on the
/// machine within a second meets both.
pub(crate) fn measure(runs: [&Run; 2]) -> Result<[Measurement; 2], String> {
    let of = |run: &Run, error| format!("{}: {error}", run.contender.label());
    let mut services = Vec::new();
    for run in runs {
        services.push(Service::start(run).map_err(|error| of(run, error))?);
    }
    for (service, run) in services.iter_mut().zip(runs) {
        service.begin().map_err(|error| of(run, error))?;
    }
    let mut turn = 0;
    while services.iter().any(|service| service.is_wanted) {
        // One after the other, and then the other way round.
        let index = usize::from(turn % 4 == 1 || turn % 4 == 2);
        let pass = services[index].measured_pass(runs[index].time);
        pass.map_err(|error| of(runs[index], error))?;
        turn += 1;
    }
    let mut measurements = services.into_iter().zip(runs);
    let mut next = || {
        let (service, run) = measurements.next().expect("two of them");
        service.end().map_err(|error| of(run, error))
    };
    Ok([next()?, next()?])
}

/// A service under load.
struct Service {
    load: Load,
    endpoint: Option<SocketAddr>,
    cpu_before: u64,
    cpu_ns: u64,
    scrapes: u32,
    wall: Duration,
    passes: u64,
    /// Whether it has not yet used the CPU time that is to be measured.
    is_wanted: bool,
    // Last, so that it ends last.
    _process: Process,
}

impl Service {
    /// Starts it, publishes all widgets, and warms it up.
    fn start(run: &Run) -> Result<Self, String> {
        let endpoint = match run.contender.is_scraped {
            true => Some(free_address()?),
            false => None,
        };
        let listen = endpoint.map(|address| address.to_string());
        let environment = listen.as_ref().map(|address| ("HEAPLENS_HTTP", &**address));
        let mut process = run.start(&[], environment.as_slice())?;
        let id: u32 = process.line(|line| line.strip_prefix("pid ")?.parse().ok())?;
        let address: SocketAddr =
            process.line(|line| line.strip_prefix("listening on http://")?.parse().ok())?;
        let connection = Connection::open(address)
            .map_err(|error| format!("cannot connect to the service: {error}"))?;
        let mut load = Load {
            connection,
            process: id,
            passes: 0,
            latencies: Vec::new(),
        };
        load.publish()?;
        let end = load.cpu_ns()? + (run.time / 4).as_nanos() as u64;
        while load.cpu_ns()? < end {
            load.pass()?;
        }
        load.latencies.clear();
        Ok(Self {
            load,
            endpoint,
            cpu_before: 0,
            cpu_ns: 0,
            scrapes: 0,
            wall: Duration::ZERO,
            passes: 0,
            is_wanted: true,
            _process: process,
        })
    }

    /// From here on its CPU time counts, between its turns too.
    fn begin(&mut self) -> Result<(), String> {
        self.cpu_before = self.load.cpu_ns()?;
        Ok(())
    }

    /// Sends a pass, and asks the endpoint meanwhile: in the first one, and in one of each second of its
    /// own turns.
    fn measured_pass(&mut self, time: Duration) -> Result<(), String> {
        let is_due = self.wall >= SCRAPE_INTERVAL * self.scrapes;
        let scraper = self.endpoint.filter(|_| is_due).map(scrape);
        self.scrapes += u32::from(is_due);
        let begun = Instant::now();
        self.load.pass()?;
        if let Some(scraper) = scraper {
            scraper.join().map_err(|_| "the scraper panicked")??;
        }
        self.wall += begun.elapsed();
        self.cpu_ns = self.load.cpu_ns()? - self.cpu_before;
        self.passes += 1;
        self.is_wanted = u128::from(self.cpu_ns) < time.as_nanos();
        Ok(())
    }

    fn end(mut self) -> Result<Measurement, String> {
        Ok(Measurement {
            operations: self.passes * PASS,
            cpu_ns: self.cpu_ns,
            wall_ns: self.wall.as_nanos() as u64,
            p99_ns: percentile_99(&mut self.load.latencies),
            peak_rss_bytes: memory::peak_rss_of(self.load.process)
                .map_err(|error| format!("cannot read the memory of the service: {error}"))?,
        })
    }
}

fn free_address() -> Result<SocketAddr, String> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("no address for the endpoint: {error}"))
}

/// Asks for metrics over a connection of its own, as Prometheus does, while the load goes on.
fn scrape(address: SocketAddr) -> JoinHandle<Result<(), String>> {
    thread::spawn(move || {
        Connection::open(address)
            .map_err(|error| format!("cannot connect to the endpoint: {error}"))?
            .send("GET", "/metrics", "")
    })
}

/// What 99 of 100 values are at most.
fn percentile_99(values: &mut [u64]) -> Option<u64> {
    let at = (values.len() * 99).div_ceil(100).checked_sub(1)?;
    Some(*values.select_nth_unstable(at).1)
}

struct Load {
    connection: Connection,
    process: u32,
    passes: u64,
    /// Of each request, in nanoseconds.
    latencies: Vec<u64>,
}

impl Load {
    fn cpu_ns(&self) -> Result<u64, String> {
        clocks::cpu_ns_of(self.process)
            .map_err(|error| format!("cannot read the CPU time of the service: {error}"))
    }

    fn publish(&mut self) -> Result<(), String> {
        for id in 1..=WIDGETS {
            let body = definition(id).to_string();
            self.connection
                .send("PUT", &format!("/widgets/{id}"), &body)?;
        }
        Ok(())
    }

    fn pass(&mut self) -> Result<(), String> {
        for request in 0..PASS {
            let path = view(self.passes, request);
            let begun = Instant::now();
            self.connection.send("GET", &path, "")?;
            self.latencies.push(begun.elapsed().as_nanos() as u64);
        }
        self.passes += 1;
        Ok(())
    }
}

/// Of ten requests, six are for complex widgets, three for what the cache has, and one for a simple
/// widget.
fn view(pass: u64, request: u64) -> String {
    let format = ["html", "svg"][(request / 10 % 2) as usize];
    // An odd factor reaches every tick once before it comes back to the first.
    let tick = (pass * PASS + request) * 7_919 % (TICKS - 1) + 1;
    match request % 10 {
        0..6 => {
            let widget = SIMPLE + 1 + request * 17 % SIMPLE;
            format!("/widgets/{widget}?tick={tick}&format={format}")
        }
        6..9 => format!("/widgets/{}?tick=0&format=html", 1 + request % 20),
        _ => {
            let widget = 1 + request * 17 % SIMPLE;
            format!("/widgets/{widget}?tick={tick}&format={format}")
        }
    }
}

fn definition(id: u64) -> Value {
    let panes = if id <= SIMPLE { 1 } else { 16 + id % 17 };
    let panes = (0..panes).map(|pane| {
        let parent = (pane > 0).then(|| (pane - 1) / 2);
        json!({
            "parent": parent,
            "title": format!("Pane {pane} of widget {id}"),
            "levels": 2 + (id + pane) % 9,
            "width": 120 + (id * 7 + pane) % 120,
            "height": 60 + (id * 3 + pane) % 100,
        })
    });
    json!({ "name": format!("Widget {id}"), "panes": panes.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn of_a_hundred_values_one_is_above_the_percentile() {
        let mut values: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(percentile_99(&mut values), Some(99));
        assert_eq!(percentile_99(&mut [7]), Some(7));
        assert_eq!(percentile_99(&mut []), None);
    }

    #[test]
    fn passes_ask_for_the_same_widgets_at_other_ticks() {
        let widgets = |pass| -> Vec<String> {
            let paths = (0..PASS).map(|request| view(pass, request));
            paths
                .map(|path| path.split('?').next().unwrap().to_owned())
                .collect()
        };
        assert_eq!(widgets(0), widgets(9));
        let fresh: HashSet<String> = (0..50)
            .flat_map(|pass| (0..PASS).map(move |request| view(pass, request)))
            .filter(|path| !path.contains("tick=0&"))
            .collect();
        assert_eq!(fresh.len(), 50 * 70);
    }
}
