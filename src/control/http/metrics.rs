//! Metrics as text, in the two forms that Prometheus reads.
//!
//! Names, units and types follow the OpenMetrics 1.0 specification. In its text a counter's family has
//! no `_total` and its sample has; in Prometheus' older text (0.0.4) both have.

use crate::control::status::Status;
use crate::settings::Mode;
use std::fmt::{Display, Write};

/// A form of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    OpenMetrics,
    Prometheus,
}

impl Format {
    /// The one that a client's `Accept` asks for.
    pub(super) fn accepted(accept: Option<&str>) -> Self {
        match accept.is_some_and(|accept| accept.contains("application/openmetrics-text")) {
            true => Self::OpenMetrics,
            false => Self::Prometheus,
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// All metrics.
pub(super) fn text(status: &Status, format: Format) -> String {
    let mut page = Page {
        format,
        text: String::new(),
    };
    page.process(status);
    page.heap(status);
    page.profiler(status);
    if format == Format::OpenMetrics {
        page.text += "# EOF\n";
    }
    page.text
}

struct Page {
    format: Format,
    text: String,
}

impl Page {
    fn heap(&mut self, status: &Status) {
        let totals = &status.totals;
        self.gauge(
            "heaplens_live_bytes",
            "bytes",
            "Bytes that the program has allocated and not freed.",
            totals.live_bytes,
        );
        self.gauge(
            "heaplens_live_blocks",
            "blocks",
            "Blocks that the program has allocated and not freed.",
            totals.live_count,
        );
        self.gauge(
            "heaplens_live_peak_bytes",
            "bytes",
            "Most live bytes at any snapshot or scrape so far.",
            totals.peak_live_bytes,
        );
        if status.settings.mode == Mode::Sampled {
            self.gauge(
                "heaplens_live_error_bytes",
                "bytes",
                "Standard deviation of the estimate heaplens_live_bytes.",
                totals.live_bytes_variance.max(0.0).sqrt(),
            );
        }
        self.counter(
            "heaplens_allocated_bytes",
            "bytes",
            "Bytes that the program has allocated since its start.",
            totals.total_bytes,
        );
        self.counter(
            "heaplens_allocated_blocks",
            "blocks",
            "Blocks that the program has allocated since its start.",
            totals.total_count,
        );
        self.counter(
            "heaplens_work",
            "",
            "Units of work that the program has reported.",
            status.work_done,
        );
    }

    fn process(&mut self, status: &Status) {
        let memory = &status.memory;
        for (name, help, value) in [
            (
                "heaplens_resident_bytes",
                "Resident memory of the process.",
                memory.rss_bytes,
            ),
            (
                "heaplens_resident_peak_bytes",
                "Most resident memory of the process so far.",
                memory.rss_peak_bytes,
            ),
            (
                "heaplens_allocator_resident_bytes",
                "Memory that the inner allocator keeps resident, free memory included.",
                memory.allocator_resident_bytes,
            ),
            (
                "heaplens_cgroup_usage_bytes",
                "Memory usage of the control group that has the tightest limit.",
                memory.cgroup_usage_bytes,
            ),
            (
                "heaplens_cgroup_limit_bytes",
                "The tightest memory limit of the control group and those around it.",
                memory.cgroup_limit_bytes,
            ),
        ] {
            if let Some(value) = value {
                self.gauge(name, "bytes", help, value);
            }
        }
    }

    fn profiler(&mut self, status: &Status) {
        let settings = status.settings;
        let mode = match settings.mode {
            Mode::Off => "off",
            Mode::Sampled => "sampled",
            Mode::Exact => "exact",
        };
        let name = "heaplens_recorder";
        match self.format {
            Format::OpenMetrics => self.family(name, "info", "", "How allocations are recorded."),
            Format::Prometheus => {
                self.family(
                    "heaplens_recorder_info",
                    "gauge",
                    "",
                    "How allocations are recorded.",
                );
            }
        }
        let version = env!("CARGO_PKG_VERSION");
        let labels = format!("{{mode=\"{mode}\",version=\"{version}\"}}");
        self.sample("heaplens_recorder_info", &labels, 1);
        if settings.mode == Mode::Sampled {
            self.gauge(
                "heaplens_sampling_mean_bytes",
                "bytes",
                "Mean distance between samples.",
                settings.sample_bytes,
            );
        }
        self.gauge(
            "heaplens_uptime_seconds",
            "seconds",
            "Time since the profiler started.",
            status.uptime.as_secs_f64(),
        );
        let overhead = &status.overhead;
        self.labelled(
            ("heaplens_overhead_bytes", "gauge", "bytes"),
            "Memory of the profiler itself, by what it is for.",
            "part",
            &[
                ("tables", overhead.tables_bytes.to_string()),
                ("blocks", overhead.block_bytes.to_string()),
                ("heap", overhead.heap_bytes.to_string()),
            ],
        );
        self.counter(
            "heaplens_snapshots",
            "",
            "Snapshots written.",
            status.snapshots_written,
        );
        let losses = &status.losses;
        self.counter(
            "heaplens_snapshots_failed",
            "",
            "Snapshots that could not be written.",
            losses.snapshots_failed,
        );
        let truncated = &losses.truncated;
        let causes = [
            ("stack_table_full", losses.stack_table_full),
            ("sample_table_full", losses.sample_table_full),
            ("unmarkable", losses.unmarkable),
            ("reentered", losses.reentered),
            ("truncated_unknown_module", truncated.unknown_module),
            ("truncated_no_unwind_info", truncated.no_unwind_info),
            ("truncated_unsupported_rule", truncated.unsupported_rule),
            ("truncated_bad_stack", truncated.bad_stack),
            ("truncated_too_deep", truncated.too_deep),
            ("threads_unregistered", losses.threads_unregistered),
            ("foreign_frees", losses.foreign_frees),
        ];
        let causes = causes.map(|(cause, count)| (cause, count.to_string()));
        self.labelled(
            ("heaplens_losses", "counter", ""),
            "What was not recorded, or not with its whole stack, by cause.",
            "cause",
            &causes,
        );
    }

    fn gauge(&mut self, name: &str, unit: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", unit, help);
        self.sample(name, "", value);
    }

    fn counter(&mut self, name: &str, unit: &str, help: &str, value: impl Display) {
        self.labelled_family((name, "counter", unit), help);
        self.sample(&format!("{name}_total"), "", value);
    }

    /// Samples that differ in one label, whose values are fixed words.
    fn labelled(
        &mut self,
        family: (&str, &str, &str),
        help: &str,
        label: &str,
        samples: &[(&str, String)],
    ) {
        let (name, kind, _) = family;
        self.labelled_family(family, help);
        let name = match kind {
            "counter" => format!("{name}_total"),
            _ => name.to_owned(),
        };
        for (value, sample) in samples {
            self.sample(&name, &format!("{{{label}=\"{value}\"}}"), sample);
        }
    }

    fn labelled_family(&mut self, (name, kind, unit): (&str, &str, &str), help: &str) {
        match (self.format, kind) {
            (Format::Prometheus, "counter") => {
                self.family(&format!("{name}_total"), kind, unit, help);
            }
            _ => self.family(name, kind, unit, help),
        }
    }

    fn family(&mut self, name: &str, kind: &str, unit: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        // Other units than those at the end of the name are not allowed.
        if self.format == Format::OpenMetrics && !unit.is_empty() {
            let _ = writeln!(self.text, "# UNIT {name} {unit}");
        }
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = writeln!(self.text, "{name}{labels} {value}");
    }
}
