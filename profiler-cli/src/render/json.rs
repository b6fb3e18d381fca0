//! What all JSON outputs share. `docs/json-output.md` describes them.

use std::io::{self, Write};

use heaplens::snapshot::is_unprintable;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use crate::profile::{NodeId, Profile, Source, Values};

/// Writes one document and a line end. Unlike plain `serde_json` it also escapes C1 controls and
/// marks of direction, since people look at JSON in terminals.
pub(super) fn write(out: &mut dyn Write, document: &impl Serialize) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Escaping);
    document
        .serialize(&mut serializer)
        .map_err(io::Error::from)?;
    out.write_all(b"\n")
}

struct Escaping;

impl serde_json::ser::Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut clean = 0;
        for (at, c) in fragment.char_indices().filter(|&(_, c)| is_unprintable(c)) {
            writer.write_all(&fragment.as_bytes()[clean..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            clean = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[clean..])
    }
}

/// Numbers under the snapshot's own names.
#[derive(Serialize)]
pub(super) struct Numbers {
    live_bytes: i64,
    live_count: i64,
    total_bytes: u64,
    total_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    live_bytes_error: Option<f64>,
}

impl Numbers {
    pub(super) fn new(values: &Values, sampled: bool) -> Self {
        Self {
            live_bytes: values.live_bytes,
            live_count: values.live_count,
            total_bytes: values.total_bytes,
            total_count: values.total_count,
            live_bytes_error: sampled.then(|| values.live_bytes_error()),
        }
    }
}

/// The numbers of all processes together, where those of a profile are means.
pub(super) fn sum(profile: &Profile) -> Option<Numbers> {
    let sums = profile.sums()?;
    Some(Numbers::new(sums, profile.has_errors()))
}

/// After minus before. Totals may be smaller after, in another run.
#[derive(Serialize)]
pub(super) struct Change {
    live_bytes: i64,
    live_count: i64,
    total_bytes: i128,
    total_count: i128,
    #[serde(skip_serializing_if = "Option::is_none")]
    live_bytes_error: Option<f64>,
}

impl Change {
    pub(super) fn new(before: &Values, after: &Values, live_bytes_error: Option<f64>) -> Self {
        Self {
            live_bytes: after.live_bytes.saturating_sub(before.live_bytes),
            live_count: after.live_count.saturating_sub(before.live_count),
            total_bytes: i128::from(after.total_bytes) - i128::from(before.total_bytes),
            total_count: i128::from(after.total_count) - i128::from(before.total_count),
            live_bytes_error,
        }
    }
}

/// One frame.
#[derive(Serialize)]
pub(super) struct JsonFrame<'a> {
    function: &'a str,
    file: Option<&'a str>,
    line: Option<u32>,
    #[serde(rename = "crate")]
    crate_name: Option<&'a str>,
    binary: &'a str,
}

impl<'a> JsonFrame<'a> {
    pub(super) fn new(profile: &'a Profile, node: NodeId) -> Self {
        let frame = profile.frame(node);
        let frames = profile.frames();
        Self {
            function: frames.name(frame.function),
            file: frames.file(frame.function),
            line: (frame.line > 0).then_some(frame.line),
            crate_name: profile.crate_name(node),
            binary: frames.binary(frame.function),
        }
    }
}

/// Frames of one stack: far more than the recorder keeps, and a bound for files that are made up.
pub(super) const MOST_FRAMES: usize = 4_096;

/// The stack of a node, innermost frame first.
pub(super) struct JsonStack<'a> {
    pub(super) profile: &'a Profile,
    pub(super) node: NodeId,
}

impl Serialize for JsonStack<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Short<'a> {
            function: &'a str,
            file: Option<&'a str>,
            line: Option<u32>,
        }
        let mut sequence = serializer.serialize_seq(None)?;
        for node in self.profile.tree().stack(self.node).take(MOST_FRAMES) {
            let JsonFrame {
                function,
                file,
                line,
                ..
            } = JsonFrame::new(self.profile, node);
            sequence.serialize_element(&Short {
                function,
                file,
                line,
            })?;
        }
        sequence.end()
    }
}

/// A sequence that is made while it is written, so that a million rows need no memory.
pub(super) struct Lazily<F>(pub(super) F);

impl<F, I> Serialize for Lazily<F>
where
    F: Fn() -> I,
    I: Iterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// A snapshot that went into the output.
#[derive(Serialize)]
pub(super) struct JsonSource<'a> {
    file: &'a str,
    taken: &'a str,
    executable: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_id: Option<&'a str>,
    host: &'a str,
    pid: u32,
    sequence: u64,
}

impl<'a> JsonSource<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        let header = &source.header;
        Self {
            file: &source.file,
            taken: &header.taken,
            executable: &header.program.executable,
            build_id: header.program.build_id.as_deref(),
            host: &header.program.host,
            pid: header.program.pid,
            sequence: header.sequence,
        }
    }
}

/// The snapshots that went into a profile.
pub(super) fn sources(profile: &Profile) -> Vec<JsonSource<'_>> {
    profile.sources().iter().map(JsonSource::new).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn invisible_characters_are_escaped_without_loss() {
        let name = "a\u{1b}\u{9b}\u{202e}\u{e0001}\"é";
        let mut out = Vec::new();
        super::write(&mut out, &name).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "\"a\\u001b\\u009b\\u202e\\udb40\\udc01\\\"é\"\n");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), name);
    }
}
