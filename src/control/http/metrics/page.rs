//! The text of metrics, in the two forms that Prometheus reads, and which of them a client wants.
//!
//! Names, units and types follow the OpenMetrics 1.0 specification. In its text a counter's family has
//! no `_total` and its sample has; in Prometheus' older text (0.0.4) both have.

use std::fmt::{Display, Write};

/// A form of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Format {
    OpenMetrics,
    Prometheus,
}

impl Format {
    /// The one that a client's `Accept` prefers, and of equal ones the newer. Nobody is refused.
    pub(in super::super) fn accepted(accept: Option<&str>) -> Self {
        let ranges = || accept.unwrap_or_default().split(',');
        let weight = |wanted: &str| {
            let of = ranges().filter_map(|range| weight_of(range, wanted));
            of.fold(0.0, f64::max)
        };
        let open = weight("application/openmetrics-text");
        match open > 0.0 && open >= weight("text/plain") {
            true => Self::OpenMetrics,
            false => Self::Prometheus,
        }
    }

    pub(in super::super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// How much a media range (RFC 9110, 12.5.1) wants this type: 0 to 1. `None` if it is of another type, and for
/// ranges like `*/*`, which prefer nothing.
fn weight_of(range: &str, wanted: &str) -> Option<f64> {
    let mut parts = range.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case(wanted) {
        return None;
    }
    let weight = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.eq_ignore_ascii_case("q")
            .then(|| value.parse().unwrap_or(0.0))
    });
    Some(weight.unwrap_or(1.0))
}

/// A page that is being written.
pub(super) struct Page {
    format: Format,
    text: String,
}

impl Page {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            text: String::new(),
        }
    }

    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text += "# EOF\n";
        }
        self.text
    }

    pub(super) fn gauge(&mut self, name: &str, unit: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", unit, help);
        self.sample(name, &[], value);
    }

    pub(super) fn counter(&mut self, name: &str, unit: &str, help: &str, value: impl Display) {
        self.family(name, "counter", unit, help);
        self.sample(&format!("{name}_total"), &[], value);
    }

    /// Samples that differ in one label.
    pub(super) fn labelled<'a>(
        &mut self,
        (name, kind, unit): (&str, &str, &str),
        help: &str,
        label: &str,
        samples: impl IntoIterator<Item = (&'a str, impl Display)>,
    ) {
        self.family(name, kind, unit, help);
        let suffix = if kind == "counter" { "_total" } else { "" };
        let name = format!("{name}{suffix}");
        for (value, sample) in samples {
            self.sample(&name, &[(label, value)], sample);
        }
    }

    /// What stands above the samples of a family.
    pub(super) fn family(&mut self, name: &str, kind: &str, unit: &str, help: &str) {
        // The older text has no kind `info`, and gives families the names of their samples.
        let (suffix, kind) = match (self.format, kind) {
            (Format::Prometheus, "counter") => ("_total", kind),
            (Format::Prometheus, "info") => ("_info", "gauge"),
            _ => ("", kind),
        };
        let name = format!("{name}{suffix}");
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        // Other units than those at the end of the name are not allowed.
        if self.format == Format::OpenMetrics && !unit.is_empty() {
            let _ = writeln!(self.text, "# UNIT {name} {unit}");
        }
    }

    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text += name;
        for (at, (label, text)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{label}=\"{}\"", escaped(text));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{after} {value}");
    }
}

/// A label's value as both forms want it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_what_the_client_prefers() {
        use Format::{OpenMetrics, Prometheus};
        for (accept, format) in [
            (None, Prometheus),
            (Some("*/*"), Prometheus),
            (Some("text/html, */*;q=0.1"), Prometheus),
            (Some("application/openmetrics-text"), OpenMetrics),
            (
                Some("Application/OpenMetrics-Text; version=1.0.0"),
                OpenMetrics,
            ),
            // As Prometheus asks.
            (
                Some(
                    "application/openmetrics-text;version=1.0.0;q=0.5,\
                     application/openmetrics-text;version=0.0.1;q=0.4,\
                     text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                ),
                OpenMetrics,
            ),
            (
                Some("text/plain;version=0.0.4;q=0.5,application/openmetrics-text;q=0.2"),
                Prometheus,
            ),
            (Some("application/openmetrics-text;q=0"), Prometheus),
            (Some("application/openmetrics-text;q=lots"), Prometheus),
            (Some(",;=,"), Prometheus),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept:?}");
        }
    }

    #[test]
    fn labels_stay_in_their_line() {
        let mut page = Page::new(Format::Prometheus);
        page.sample("a", &[("path", "x\"} 1\nb"), ("module", "\\")], 7);
        assert_eq!(
            page.finish(),
            "a{path=\"x\\\"} 1\\nb\",module=\"\\\\\"} 7\n"
        );
    }
}
