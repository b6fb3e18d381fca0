//! The tools that run in production already: `go tool pprof`, Prometheus and its checker.

use crate::processes::{skip, wait_until};
use crate::service::{Service, free_address};
use crate::{GROWN, HELD};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};

/// What promtool finds wrong with metrics, which is nothing. Skipped without promtool.
pub(crate) fn check_metrics(text: &str) {
    let child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        return skip("promtool, of Debian's prometheus");
    };
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let complaints = [output.stdout, output.stderr].concat();
    assert_eq!(String::from_utf8_lossy(&complaints), "");
}

/// Bytes by function, callees included, as `go tool pprof -top` lists them. `None` without it.
fn listed(options: &[&str], profile: &str) -> Option<BTreeMap<String, i64>> {
    let home = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new("go")
        .args(["tool", "pprof", "-top", "-cum", "-unit=b"])
        .args(["-nodefraction=0", "-nodecount=1000000"])
        .args(options)
        .arg(profile)
        .env("HOME", home.path())
        .env("PPROF_TMPDIR", home.path())
        .output();
    let Ok(output) = output else {
        skip("go tool pprof, of golang-go");
        return None;
    };
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let rows = text.lines().skip_while(|line| !line.contains("flat%"));
    let rows = rows.skip(1).map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let bytes = words[3].trim_end_matches(['B', 'b']).parse();
        // Names come from debug information, where they are bare, or from the table of symbols.
        let name = words[5..].join(" ");
        let name = name.rsplit("::").next().unwrap_or_default();
        (name.to_owned(), bytes.expect("a number"))
    });
    Some(rows.collect())
}

pub(crate) fn go_pprof_reads_it() {
    let mut service = Service::start(&[]);
    let url = service.url("/debug/pprof/heap");
    let Some(top) = listed(&[], &url) else {
        return;
    };
    let about = |bytes: usize| bytes as i64..bytes as i64 + (64 << 10);
    let bytes_of = |listed: &BTreeMap<String, i64>, name| listed.get(name).copied().unwrap_or(0);
    assert!(about(HELD).contains(&bytes_of(&top, "holds")), "{top:#?}");

    let base = service.folder.path().join("base.pb.gz");
    fs::write(&base, service.get("/debug/pprof/heap").body).expect("a file");
    assert_eq!(service.tell("grow"), "done");
    let since = format!("-diff_base={}", base.display());
    let grown = listed(&[&since], &url).expect("it was there just now");
    assert!(
        about(GROWN).contains(&bytes_of(&grown, "grows")),
        "{grown:#?}"
    );
    assert_eq!(bytes_of(&grown, "holds"), 0, "{grown:#?}");

    assert_eq!(service.tell("leak"), "done");
    let leaked = listed(&["-seconds=2"], &url).expect("it was there just now");
    assert!(bytes_of(&leaked, "leaks") > 0, "{leaked:#?}");
    assert_eq!(bytes_of(&leaked, "holds"), 0, "{leaked:#?}");
    assert_eq!(bytes_of(&leaked, "grows"), 0, "{leaked:#?}");
    assert_eq!(service.end(), "");
}

/// Ends with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn prometheus_scrapes_it() {
    let service = Service::start(&[]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("prometheus.yml");
    let text = format!(
        "scrape_configs:\n\
         - job_name: heaplens\n  \
           scrape_interval: 1s\n  \
           params: {{paths: ['5']}}\n  \
           static_configs: [{{targets: ['{}']}}]\n",
        service.address
    );
    fs::write(&config, text).expect("a file");
    let address = free_address();
    let started = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            folder.path().join("data").display()
        ))
        .arg(format!("--web.listen-address={address}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(prometheus) = started else {
        return skip("prometheus, of Debian's package of that name");
    };
    let prometheus = Killed(prometheus);
    // What it knows of a metric: labels and value of each series.
    let query = |metric: &str| -> Option<Vec<(Value, f64)>> {
        let url = format!("http://{address}/api/v1/query?query={metric}");
        let mut answer = ureq::get(&url).call().ok()?;
        let text = answer.body_mut().read_to_string().ok()?;
        let document: Value = serde_json::from_str(&text).expect("JSON");
        let series = document["data"]["result"].as_array()?.iter();
        let series = series.map(|one| {
            let value = one["value"][1].as_str().expect("a number");
            (one["metric"].clone(), value.parse().expect("a number"))
        });
        Some(series.collect())
    };
    wait_until("the first scrape", || {
        query("heaplens_live_bytes").is_some_and(|series| !series.is_empty())
    });
    let value = |metric: &str| query(metric).expect("it answers")[0].1;
    assert_eq!(value("up"), 1.0);
    assert!(value("heaplens_live_bytes") >= HELD as f64);
    assert_eq!(value("heaplens_work_total"), 7.0);
    let paths = query("heaplens_path_live_bytes").expect("it answers");
    assert!((1..=5).contains(&paths.len()), "{paths:?}");
    let most = paths.iter().map(|(_, bytes)| *bytes).fold(0.0, f64::max);
    assert!((most - HELD as f64).abs() < 1.0, "{paths:?}");
    drop(prometheus);
    assert_eq!(service.end(), "");
}
