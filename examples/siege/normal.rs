//! Normal clients: each request on a connection of its own, with its time taken.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use quantum::drive::exchange::{ask, view_text};
use quantum::drive::load::{Script, Times};

const CLIENTS: u8 = 8;
/// Between two requests of a client.
const PAUSE: Duration = Duration::from_millis(25);
/// Pages that are nobody's business outside.
const INSIDE: [&str; 7] = [
    "/metrics",
    "/debug/pprof/heap",
    "/debug/heaplens/snapshots",
    "//debug/pprof/heap",
    "/widgets/..%2Fdebug/pprof/heap",
    "/stats",
    "/shutdown",
];

/// How the normal clients were served.
#[derive(Debug)]
pub(super) struct Outcome {
    times: Times,
    served: usize,
    failures: BTreeMap<String, usize>,
}

impl Outcome {
    pub(super) fn p99(&self) -> Duration {
        self.times.percentile(0.99)
    }

    pub(super) fn errors(&self) -> usize {
        self.failures.values().sum()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        write!(
            f,
            "{} served, {} errors, median {:.1} ms, p99 {:.1} ms",
            self.served,
            self.errors(),
            milliseconds(self.times.median()),
            milliseconds(self.p99())
        )?;
        for (failure, count) in &self.failures {
            write!(f, "\n    {count} times: {failure}")?;
        }
        Ok(())
    }
}

/// Sends requests for so long. All times count, those of failures too.
pub(super) async fn drive(nginx: SocketAddr, time: Duration) -> Outcome {
    let deadline = Instant::now() + time;
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(async move {
            let mut answers = Vec::new();
            let mut script = Script::new(client.into());
            while Instant::now() < deadline {
                for request in script
                    .busy_views(9)
                    .iter()
                    .map(view_text)
                    .chain([put(client)])
                {
                    let begin = Instant::now();
                    let answer = ask(from(client), nginx, &request, "HTTP/1.1 20").await;
                    answers.push((begin.elapsed(), answer));
                    tokio::time::sleep(PAUSE).await;
                    if Instant::now() > deadline {
                        break;
                    }
                }
            }
            answers
        });
    }
    let (times, answers): (Vec<_>, Vec<_>) = clients.join_all().await.into_iter().flatten().unzip();
    let mut failures = BTreeMap::new();
    for failure in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        *failures.entry(failure.clone()).or_insert(0) += 1;
    }
    Outcome {
        served: answers.iter().filter(|answer| answer.is_ok()).count(),
        times: Times::new(times),
        failures,
    }
}

/// Looks from outside for what is inside.
pub(super) async fn finds_nothing_inside(nginx: SocketAddr) -> Result<(), String> {
    for method in ["GET", "POST"] {
        for path in INSIDE {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: w\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            );
            ask(from(0), nginx, &request, "HTTP/1.1 404 ")
                .await
                .map_err(|error| format!("{method} {path} leads inside: {error}"))?;
        }
    }
    Ok(())
}

fn from(client: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, client + 1)
}

fn put(client: u8) -> String {
    let body = r#"{"name":"W","panes":[{"title":"P","levels":3,"width":200,"height":80}]}"#;
    format!(
        "PUT /widgets/{} HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        2_000 + u64::from(client),
        body.len()
    )
}
