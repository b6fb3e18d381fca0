//! The dashboard: each of its queries has to have data at some time of the day.

use std::process::Command;

use quantum::drive::prometheus::Prometheus;
use quantum::drive::{kit, pace};

/// What stands for Grafana's `$__rate_interval`, and for the two minutes of the dashboard's own: four scrapes
/// there, sixteen here, so that a restart on a busy machine is within.
const RATE_INTERVAL: &str = "40m";

/// Asks all queries for a part of time, in seconds since 1970. One without any data is an error.
pub(crate) fn ask(
    prometheus: &Prometheus,
    queries: &[String],
    from: f64,
    to: f64,
) -> Result<(), String> {
    let mut silent = Vec::new();
    for query in queries {
        if prometheus.query_range(query, from, to)?.is_empty() {
            silent.push(query);
        }
    }
    match silent.is_empty() {
        true => Ok(()),
        false => Err(format!("queries of the dashboard have no data: {silent:?}")),
    }
}

/// The queries of `grafana/dashboard.json`, as the kit's own script has them, at our pace.
pub(crate) fn queries() -> Result<Vec<String>, String> {
    let script = kit().join("grafana/queries.sh");
    let output = Command::new(&script)
        .env("RATE_INTERVAL", RATE_INTERVAL)
        .output()
        .map_err(|error| format!("{}: {error}", script.display()))?;
    let queries: Vec<_> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|query| pace::durations(&query.replace("[2m]", &format!("[{RATE_INTERVAL}]"))))
        .collect();
    match output.status.success() && !queries.is_empty() {
        true => Ok(queries),
        false => Err(format!(
            "no queries of the dashboard; they need jq (apt-get install jq): {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        )),
    }
}
