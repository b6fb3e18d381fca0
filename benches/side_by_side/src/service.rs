//! The widget service under load: CPU time of the service's process for each request.
//!
//! One client sends the next request when it has the answer to the last. More would load the service
//! to its limit, but then what a request costs depends on how many the runtime happens to find ready.

use crate::http::Connection;
use crate::run::Run;
use measure::{Measurement, clocks, memory};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Widgets up to this one have one pane; as many above it have 16 to 32.
const SIMPLE: u64 = 100;
const WIDGETS: u64 = 2 * SIMPLE;
/// Requests of a pass. Each pass asks for the same widgets, at ticks that no other pass asks for.
const PASS: u64 = 100;
/// Ticks that the service knows.
const TICKS: u64 = 1_000_000;

/// Starts the service, loads it for a while, and measures it.
pub(crate) fn measure(run: &Run) -> Result<Measurement, String> {
    let mut service = run.start(&[])?;
    let id: u32 = service.line(|line| line.strip_prefix("pid ")?.parse().ok())?;
    let address: SocketAddr =
        service.line(|line| line.strip_prefix("listening on http://")?.parse().ok())?;
    let connection = Connection::open(address)
        .map_err(|error| format!("cannot connect to the service: {error}"))?;
    let mut load = Load {
        connection,
        process: id,
        passes: 0,
    };
    load.publish()?;
    load.passes_for(run.time / 4)?;
    let (cpu, wall, passes) = (load.cpu_ns()?, Instant::now(), load.passes);
    load.passes_for(run.time)?;
    let wall_ns = wall.elapsed().as_nanos() as u64;
    Ok(Measurement {
        operations: (load.passes - passes) * PASS,
        cpu_ns: load.cpu_ns()? - cpu,
        wall_ns,
        peak_rss_bytes: memory::peak_rss_of(id)
            .map_err(|error| format!("cannot read the memory of the service: {error}"))?,
    })
}

struct Load {
    connection: Connection,
    process: u32,
    passes: u64,
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

    /// Sends whole passes until the service has used that much CPU time.
    fn passes_for(&mut self, time: Duration) -> Result<(), String> {
        let end = self.cpu_ns()? + time.as_nanos() as u64;
        while self.cpu_ns()? < end {
            for request in 0..PASS {
                let path = view(self.passes, request);
                self.connection.send("GET", &path, "")?;
            }
            self.passes += 1;
        }
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
