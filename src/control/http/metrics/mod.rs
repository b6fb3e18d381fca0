//! What there is to measure, as metrics. How they are written is [`page`]'s business.
//!
//! What the inner allocator keeps resident is among them only where somebody can tell. Of the C
//! library's allocator nobody can, from within and in safety: `mallinfo2` walks all free chunks of each
//! arena with that arena's lock held, which in a large heap keeps the program's threads waiting, and
//! what it says is not what is resident, since the middle of an arena is given back page by page.

mod page;

pub(super) use page::Format;

use super::text::Path;
use crate::control::status::Status;
use crate::settings::Mode;
use page::Page;

/// All metrics, and the call paths that hold most where they are asked for.
pub(super) fn text(status: &Status, heaviest: Option<&[Path]>, format: Format) -> String {
    let mut page = Page::new(format);
    page.process(status);
    page.heap(status);
    page.profiler(status);
    if let Some(heaviest) = heaviest {
        page.paths(heaviest);
    }
    page.finish()
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
            (
                "heaplens_limit_bytes",
                "The limit of memory to reckon with: the one that was given, or else the control group's.",
                status.limit_bytes,
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
        self.family(
            "heaplens_recorder",
            "info",
            "",
            "How allocations are recorded.",
        );
        let version = env!("CARGO_PKG_VERSION");
        let build_id = status.build_id.as_deref().unwrap_or_default();
        self.sample(
            "heaplens_recorder_info",
            &[("mode", mode), ("version", version), ("build_id", build_id)],
            1,
        );
        if let Some(sampling) = status.sampling {
            self.gauge(
                "heaplens_sampling_mean_bytes",
                "bytes",
                "Mean distance between samples; 0 while sampling is switched off.",
                if sampling.is_on {
                    sampling.sample_bytes
                } else {
                    0
                },
            );
            self.counter(
                "heaplens_sampling_off_seconds",
                "seconds",
                "Time in which sampling was switched off.",
                sampling.off.as_secs_f64(),
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
            [
                ("tables", i128::from(overhead.tables_bytes)),
                ("blocks", i128::from(overhead.block_bytes)),
                ("heap", i128::from(overhead.heap_bytes)),
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
        self.labelled(
            ("heaplens_losses", "counter", ""),
            "What was not recorded, or not with its whole stack, by cause.",
            "cause",
            causes,
        );
    }

    fn paths(&mut self, heaviest: &[Path]) {
        let family = ("heaplens_path_live_bytes", "gauge", "bytes");
        let help = "Bytes that a call path has allocated and not freed, of those that hold most. A path is \
                    told by its innermost frames.";
        let samples = heaviest.iter().map(|path| (&*path.frames, path.live_bytes));
        self.labelled(family, help, "path", samples);
    }
}
