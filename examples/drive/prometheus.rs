//! Prometheus as a process of its own, in a folder of its own, on a free port.
//!
//! Its configuration and rules are those in `examples/operations/prometheus`, at the pace of [`pace`], with
//! other addresses, and with another distance between scrapes.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{comes_up, free_address, kit, pace, read, replace, write};

/// Between two scrapes, and between two looks at the rules. The kit's 30 s would be 50 ms at this pace:
/// denser than a busy machine of two cores can keep to. A window of an hour has 24 scrapes so.
pub const SCRAPE: Duration = Duration::from_millis(250);
/// Longest time from the start of the process until it is ready.
const START_LIMIT: Duration = Duration::from_secs(20);
/// Longest time for one question.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// A running Prometheus. It ends when this is dropped.
#[derive(Debug)]
pub struct Prometheus {
    process: Child,
    url: String,
    agent: ureq::Agent,
}

/// A series over time: its labels, and values by seconds since 1970.
#[derive(Debug)]
pub struct Series {
    /// Name and labels.
    pub labels: Value,
    /// Moments and values, in the order of time.
    pub points: Vec<(f64, f64)>,
}

impl Prometheus {
    /// Starts it on these two endpoints, which ask for the token in that file, and waits until it is ready.
    pub fn start(folder: &Path, targets: &[String; 2], token: &Path) -> Result<Self, String> {
        let kit = kit().join("prometheus");
        write(
            &folder.join("rules.yml"),
            // No denser than the scrapes.
            &replace(
                &pace::rules(&read(&kit.join("rules.yml"))?)?,
                &[(
                    "interval: 100ms",
                    &format!("interval: {}ms", SCRAPE.as_millis()),
                )],
            )?,
        )?;
        let interval = |name: &str| format!("{name}: {}ms", SCRAPE.as_millis());
        let configuration = replace(
            &read(&kit.join("prometheus.yml"))?,
            &[
                ("scrape_interval: 30s", &interval("scrape_interval")),
                ("evaluation_interval: 30s", &interval("evaluation_interval")),
                ("scrape_timeout: 10s", &interval("scrape_timeout")),
                ("/etc/prometheus/heaplens-token", &token.to_string_lossy()),
                ("127.0.0.1:6071", &targets[0]),
                ("127.0.0.1:6072", &targets[1]),
            ],
        )?;
        write(&folder.join("prometheus.yml"), &configuration)?;

        let address = free_address()?;
        let log = std::fs::File::create(folder.join("prometheus.log"))
            .map_err(|error| format!("no log for prometheus: {error}"))?;
        let process = Command::new("prometheus")
            .current_dir(folder)
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => "needs prometheus (apt-get install prometheus)".to_owned(),
                _ => format!("cannot start prometheus: {error}"),
            })?;
        let config = ureq::Agent::config_builder()
            .proxy(None)
            .timeout_global(Some(ANSWER_LIMIT));
        let mut prometheus = Self {
            process,
            url: format!("http://{address}"),
            agent: config.build().into(),
        };
        prometheus.wait(&folder.join("prometheus.log"))?;
        Ok(prometheus)
    }

    fn wait(&mut self, log: &Path) -> Result<(), String> {
        let ready = format!("{}/-/ready", self.url);
        let is_ready = || self.agent.get(&ready).call().is_ok();
        match comes_up(&mut self.process, START_LIMIT, is_ready) {
            true => Ok(()),
            false => {
                let log = read(log).unwrap_or_default();
                let last = log.lines().last().unwrap_or("it says nothing");
                Err(format!("prometheus is not ready: {last}"))
            }
        }
    }

    /// The states of all alerts: `inactive`, `pending` or `firing`, by name.
    pub fn alerts(&self) -> Result<Vec<(String, String)>, String> {
        let data = self.ask("rules", &[("type", "alert")])?;
        let text = |rule: &Value, key: &str| rule[key].as_str().unwrap_or_default().to_owned();
        let groups = list(&data["groups"]);
        Ok(groups
            .iter()
            .flat_map(|group| list(&group["rules"]))
            .map(|rule| (text(rule, "name"), text(rule, "state")))
            .collect())
    }

    /// The values of a query now.
    pub fn query(&self, query: &str) -> Result<Vec<f64>, String> {
        let data = self.ask("query", &[("query", query)])?;
        let value = |row: &Value| row["value"][1].as_str()?.parse().ok();
        Ok(list(&data["result"]).iter().filter_map(value).collect())
    }

    /// The values of a query from one moment to another, in seconds since 1970.
    pub fn query_range(&self, query: &str, from: f64, to: f64) -> Result<Vec<Series>, String> {
        let (from, to) = (from.to_string(), to.to_string());
        let step = SCRAPE.as_secs_f64().to_string();
        let data = self.ask(
            "query_range",
            &[
                ("query", query),
                ("start", &from),
                ("end", &to),
                ("step", &step),
            ],
        )?;
        let point = |pair: &Value| Some((pair[0].as_f64()?, pair[1].as_str()?.parse().ok()?));
        let series = |row: &Value| Series {
            labels: row["metric"].clone(),
            points: list(&row["values"]).iter().filter_map(point).collect(),
        };
        Ok(list(&data["result"]).iter().map(series).collect())
    }

    fn ask(&self, what: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let explain = |error: &dyn std::fmt::Display| format!("prometheus, {what}: {error}");
        let url = format!("{}/api/v1/{what}", self.url);
        let request = self.agent.get(url).query_pairs(parameters.iter().copied());
        let mut answer = request.call().map_err(|error| explain(&error))?;
        let text = answer.body_mut().read_to_string();
        let text = text.map_err(|error| explain(&error))?;
        let mut answer: Value = serde_json::from_str(&text).map_err(|error| explain(&error))?;
        Ok(answer["data"].take())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // Its folder goes with it, so there is nothing that it would have to finish.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
