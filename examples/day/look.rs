//! Looking at the day: response times, alerts, failures; and in the end the gate, and what is written.

use std::time::{Duration, Instant};

use quantum::drive::prometheus::SCRAPE;
use quantum::drive::write;

use super::picture::{Line, Picture};
use super::visitors::Kind;
use super::windows::{Measured, WINDOW, Windows, times};
use super::{ALERT, Day, Ended, SETTLE, dashboard, evidence};

impl Day {
    /// The same requests as in any other such part.
    pub(super) fn measure(&self, count: u32) -> Result<Measured, Ended> {
        self.visitors.begin_anew();
        let from = Instant::now();
        std::thread::sleep(WINDOW * count + SETTLE);
        let visits = self.visitors.visits();
        let of = |kind| Windows::of(&visits, kind, from, count).map_err(Ended::CannotTell);
        Ok(Measured {
            simple: of(Kind::Simple)?,
            control: of(Kind::Control)?,
        })
    }

    /// The gate, and what is written.
    pub(super) fn end(mut self) -> Result<(), String> {
        self.expect_no_failure()?;
        self.expect_alert("inactive")?;
        let (from, length) = (
            self.timeline.began_at,
            self.timeline.seconds(Instant::now()),
        );
        dashboard::ask(&self.prometheus, &self.queries, from, from + length)?;
        self.notes.push(format!(
            "All {} queries of the dashboard had data.",
            self.queries.len()
        ));
        let visits = self.visitors.visits().len();
        self.notes
            .push(format!("{visits} requests, of which none failed."));
        let picture = self.picture()?;
        let folders = [false, true].map(|fixed| self.backends.snapshots(0, fixed));
        self.backends.stop()?;
        for (folder, leaks) in folders.iter().zip([true, false]) {
            let said = folder.with_extension("check.txt");
            evidence::gate(folder, leaks, &said)?;
        }
        self.timeline.add(
            "`heaplens check` fails on the snapshots of the release that leaks, and passes on those of the \
             fixed one",
            "",
        );
        write(&self.output.join("day.svg"), &picture.svg())?;
        let timeline = self.output.join("timeline.md");
        write(&timeline, &self.timeline.markdown("day.svg", &self.notes))?;
        println!();
        for note in &self.notes {
            println!("{note}");
        }
        println!(
            "written: {}, day.svg and more beside it",
            timeline.display()
        );
        Ok(())
    }

    fn picture(&self) -> Result<Picture, String> {
        let day = |unix: f64| unix - self.timeline.began_at;
        let now = Instant::now();
        let end = self.timeline.seconds(now);
        let range = |query: &str| {
            let from = self.timeline.began_at;
            self.prometheus.query_range(query, from, from + end)
        };
        let memory = range("heaplens_live_bytes / 1024 / 1024")?;
        let memory = memory.iter().zip(["#2471a3", "#7d3c98"]).zip(1..);
        let memory = memory.map(|((series, colour), number)| Line {
            name: format!("backend {number}"),
            colour,
            points: series.points.iter().map(|p| (day(p.0), p.1)).collect(),
        });
        let firing = range(&format!(
            "max(ALERTS{{alertname=\"{ALERT}\", alertstate=\"firing\"}})"
        ))?;
        let points = firing.iter().flat_map(|series| &series.points);
        let step = SCRAPE.as_secs_f64();
        let visits = self.visitors.visits();
        let began = now - Duration::from_secs_f64(end);
        let p95 = |second: u32| {
            let from = began + Duration::from_secs(second.into());
            let times = times(&visits, Kind::Simple, from..from + Duration::from_secs(1));
            (f64::from(second) + 0.5, times.p95().as_secs_f64() * 1e3)
        };
        Ok(Picture {
            end,
            parts: self
                .parts
                .iter()
                .map(|&(at, name)| (self.timeline.seconds(at), name))
                .collect(),
            memory: memory.collect(),
            latency: vec![Line {
                name: "through nginx".to_owned(),
                colour: "#b9770e",
                points: (0..end as u32).map(p95).collect(),
            }],
            firing: points.map(|p| (day(p.0), day(p.0) + step)).collect(),
        })
    }

    pub(super) fn alert_state(&self, alert: &str) -> Result<String, String> {
        let alerts = self.prometheus.alerts()?;
        let state = alerts.into_iter().find(|(name, _)| name == alert);
        state
            .map(|(_, state)| state)
            .ok_or_else(|| format!("Prometheus knows no alert {alert}"))
    }

    pub(super) fn expect_alert(&self, expected: &str) -> Result<(), String> {
        let state = self.alert_state(ALERT)?;
        match state == expected {
            true => Ok(()),
            false => Err(format!(
                "Prometheus says that {ALERT} is {state}, not {expected}"
            )),
        }
    }

    pub(super) fn expect_no_failure(&self) -> Result<(), String> {
        let visits = self.visitors.visits();
        let mut failures = visits.iter().filter_map(|visit| visit.failure.as_ref());
        match failures.next() {
            None => Ok(()),
            Some(first) => Err(format!("{} requests failed: {first}", failures.count() + 1)),
        }
    }

    /// The one value of a query.
    pub(super) fn one(&self, query: &str) -> Result<f64, String> {
        let values = self.prometheus.query(query)?;
        values
            .first()
            .copied()
            .ok_or_else(|| format!("Prometheus has no {query}"))
    }
}

pub(super) fn ms(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

pub(super) fn mib(bytes: f64) -> String {
    format!("{:.0} MiB", bytes / f64::from(1 << 20))
}
