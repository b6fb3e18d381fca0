//! Writes a snapshot as a pprof profile, gzipped: what `go tool pprof`, Pyroscope, Parca and
//! speedscope read.
//!
//! Needs no symbols: without them a reader names the addresses from the binaries, by build id. Where
//! the snapshot carries names, they go along, with lines and inlined calls. `docs/formats.md` says
//! which field becomes which, and what has no place in this format: ages, error bars, losses.
//!
//! Addresses in a snapshot are those that the linker gave, not those in memory. So each mapping
//! spans the whole address space from offset 0, which readers take as "needs no relocation", and
//! lists neither where the process had it nor where in the file its segments lie.
//!
//! The encoding is our own code. The format is six kinds of messages, of numbers and texts; a
//! library for protocol buffers would have us build all of them in memory first, in the service,
//! where this streams one at a time.

#[doc(hidden)]
pub mod field;
mod wire;

use super::codec::COMPRESSION;
use super::model::{RecorderMode, Snapshot, Symbols};
use super::special_frame::{SPECIAL_MODULE, SpecialFrame};
use super::validate::validate;
use flate2::write::GzEncoder;
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use wire::Message;

/// Types and units of a sample's values, in Go's order.
const SAMPLE_TYPES: [(&str, &str); 4] = [
    ("alloc_objects", "count"),
    ("alloc_space", "bytes"),
    ("inuse_objects", "count"),
    ("inuse_space", "bytes"),
];

/// Functions that are only the way into the allocator: pprof leaves them out, with all that they
/// call, so that a stack begins at the function that allocates.
const DROP_FRAMES: &str = "(.*::)?__(rust|rg|rdl)_[^:]*alloc[^:]*\
    |<?alloc::alloc::.*\
    |.* as core::alloc::global::GlobalAlloc>::.*\
    |core::alloc::global::GlobalAlloc::.*";

const NANOS_IN_MS: u64 = 1_000_000;

/// Writes a snapshot as a gzipped profile.
///
/// Values are the snapshot's, which in sampled mode are estimates of the whole already: they are
/// not to be scaled by the period.
///
/// # Errors
///
/// Those of `output`, and `InvalidData` for a snapshot that [`validate`] refuses.
pub fn write(snapshot: &Snapshot, output: impl Write) -> io::Result<()> {
    validate(snapshot).map_err(|invalid| io::Error::new(io::ErrorKind::InvalidData, invalid))?;
    let places = Places::of(snapshot);
    let mut profile = Profile {
        texts: vec![Cow::Borrowed("")],
        message: Message::default(),
        out: BufWriter::new(GzEncoder::new(output, COMPRESSION)),
    };
    profile.header(snapshot)?;
    profile.mappings(snapshot)?;
    let functions = profile.functions(snapshot, &places)?;
    profile.locations(snapshot, &places, &functions)?;
    profile.samples(snapshot, &places)?;
    profile.finish(snapshot.symbols.as_ref())
}

/// The distinct places in code that the rows of the stacks stand for.
struct Places {
    /// One row of each place; those of special frames come first.
    rows: Vec<u32>,
    /// Id of the place of each row, from 1.
    id_of_row: Vec<u32>,
}

impl Places {
    fn of(snapshot: &Snapshot) -> Self {
        let stacks = &snapshot.stacks;
        // Names belong to an address as a rule, but nothing in a file enforces that.
        let place = |&row: &u32| {
            let at = row as usize;
            let frames = frames_of(snapshot, at);
            (stacks.module[at], stacks.address[at], frames)
        };
        let mut order: Vec<u32> = (0..stacks.parent.len() as u32).collect();
        order.sort_unstable_by(|a, b| place(a).cmp(&place(b)));
        let mut rows = Vec::new();
        let mut id_of_row = vec![0; order.len()];
        for equal in order.chunk_by(|a, b| place(a) == place(b)) {
            rows.push(equal[0]);
            for &row in equal {
                id_of_row[row as usize] = rows.len() as u32;
            }
        }
        Self { rows, id_of_row }
    }
}

/// The distinct frames of a row, innermost first; none where it has no names.
fn frames_of(snapshot: &Snapshot, row: usize) -> &[u32] {
    match &snapshot.symbols {
        Some(symbols) if snapshot.stacks.module[row] != SPECIAL_MODULE => {
            let [from, to] = [row, row + 1].map(|at| symbols.first_frame[at] as usize);
            &symbols.frame[from..to]
        }
        _ => &[],
    }
}

/// Ids of functions, from 1.
struct Functions {
    of_special: HashMap<u64, u64>,
    of_frame: Vec<u64>,
}

/// A profile under way.
struct Profile<'a, W: Write> {
    /// Texts so far; those of the symbols follow at the end.
    texts: Vec<Cow<'a, str>>,
    message: Message,
    out: BufWriter<GzEncoder<W>>,
}

impl<'a, W: Write> Profile<'a, W> {
    /// The index of a text. Only for texts of which there are few: none is looked for.
    fn text(&mut self, text: impl Into<Cow<'a, str>>) -> u64 {
        match text.into() {
            text if text.is_empty() => 0,
            text => {
                self.texts.push(text);
                self.texts.len() as u64 - 1
            }
        }
    }

    /// Writes fields of the profile.
    fn put(&mut self, fill: impl FnOnce(&mut Message)) -> io::Result<()> {
        self.message.clear();
        fill(&mut self.message);
        self.out.write_all(self.message.bytes())
    }

    fn value_type(&mut self, field: u32, (name, unit): (&'a str, &'a str)) -> io::Result<()> {
        let [name, unit] = [name, unit].map(|text| self.text(text));
        self.put(|profile| {
            profile.message(field, |value_type| {
                value_type.uint(field::value_type::TYPE, name);
                value_type.uint(field::value_type::UNIT, unit);
            });
        })
    }

    fn header(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        use field::profile as f;
        for value_type in SAMPLE_TYPES {
            self.value_type(f::SAMPLE_TYPE, value_type)?;
        }
        self.value_type(f::PERIOD_TYPE, ("space", "bytes"))?;
        let header = &snapshot.header;
        let period = match header.recorder.mode {
            RecorderMode::Exact => 1,
            RecorderMode::Sampled | RecorderMode::Off => header.recorder.sample_bytes,
        };
        let comments: Vec<u64> = comments(snapshot)
            .into_iter()
            .map(|comment| self.text(comment))
            .collect();
        let drop_frames = self.text(DROP_FRAMES);
        let default = self.text(SAMPLE_TYPES[3].0);
        self.put(|profile| {
            let nanos = |ms: u64| ms.saturating_mul(NANOS_IN_MS).min(i64::MAX.cast_unsigned());
            profile.uint(f::TIME_NANOS, nanos(header.taken_unix_ms));
            profile.uint(f::DURATION_NANOS, nanos(header.uptime_ms));
            profile.uint(f::PERIOD, period.min(i64::MAX.cast_unsigned()));
            profile.uint(f::DROP_FRAMES, drop_frames);
            profile.uint(f::DEFAULT_SAMPLE_TYPE, default);
            profile.packed(f::COMMENT, comments);
        })
    }

    /// One for each module but that of the special frames, by the module's index: the program is the
    /// first.
    fn mappings(&mut self, snapshot: &'a Snapshot) -> io::Result<()> {
        use field::mapping as f;
        let named = Named::modules_of(snapshot);
        for (id, module) in snapshot.modules.iter().enumerate().skip(1) {
            let path = self.text(&*module.path);
            let build_id = self.text(module.build_id.as_deref().unwrap_or_default());
            let named = named[id];
            self.put(|profile| {
                profile.message(field::profile::MAPPING, |mapping| {
                    mapping.uint(f::ID, id as u64);
                    mapping.uint(f::MEMORY_LIMIT, u64::MAX);
                    mapping.uint(f::FILENAME, path);
                    mapping.uint(f::BUILD_ID, build_id);
                    mapping.bool(f::HAS_FUNCTIONS, named.functions);
                    mapping.bool(f::HAS_FILENAMES, named.lines);
                    mapping.bool(f::HAS_LINE_NUMBERS, named.lines);
                    mapping.bool(f::HAS_INLINE_FRAMES, named.lines);
                });
            })?;
        }
        Ok(())
    }

    /// A function for each special frame, and for each pair of a name and a file in the symbols.
    fn functions(&mut self, snapshot: &Snapshot, places: &Places) -> io::Result<Functions> {
        let mut functions = Functions {
            of_special: HashMap::new(),
            of_frame: Vec::new(),
        };
        let mut last = 0;
        let stacks = &snapshot.stacks;
        for at in places.rows.iter().map(|&row| row as usize) {
            if stacks.module[at] != SPECIAL_MODULE {
                break;
            }
            let code = stacks.address[at];
            let name = SpecialFrame::from_code(code)
                .map_or_else(|| format!("[special {code}]"), |frame| frame.to_string());
            last += 1;
            functions.of_special.insert(code, last);
            let name = self.text(name);
            self.function(last, name, 0)?;
        }
        let Some(symbols) = &snapshot.symbols else {
            return Ok(functions);
        };
        // Texts of the symbols follow all others: this is the last place that adds one of those.
        let first = self.texts.len() as u64;
        let mut known = HashMap::new();
        functions.of_frame.reserve(symbols.function.len());
        for (&name, &file) in symbols.function.iter().zip(&symbols.file) {
            let id = *known.entry((name, file)).or_insert(last + 1);
            if id > last {
                last = id;
                let file = u64::try_from(file).map_or(0, |file| first + file);
                self.function(id, first + u64::from(name), file)?;
            }
            functions.of_frame.push(id);
        }
        Ok(functions)
    }

    /// Without a system name, which tells readers that the name is not to be demangled.
    fn function(&mut self, id: u64, name: u64, file: u64) -> io::Result<()> {
        use field::function as f;
        self.put(|profile| {
            profile.message(field::profile::FUNCTION, |function| {
                function.uint(f::ID, id);
                function.uint(f::NAME, name);
                function.uint(f::FILENAME, file);
            });
        })
    }

    fn locations(
        &mut self,
        snapshot: &Snapshot,
        places: &Places,
        functions: &Functions,
    ) -> io::Result<()> {
        use field::location as f;
        for (id, &row) in (1..).zip(&places.rows) {
            let at = row as usize;
            let (module, address) = (snapshot.stacks.module[at], snapshot.stacks.address[at]);
            self.put(|profile| {
                profile.message(field::profile::LOCATION, |location| {
                    location.uint(f::ID, id);
                    if module == SPECIAL_MODULE {
                        line(location, functions.of_special[&address], 0);
                        return;
                    }
                    location.uint(f::MAPPING_ID, u64::from(module));
                    location.uint(f::ADDRESS, address);
                    let Some(symbols) = &snapshot.symbols else {
                        return;
                    };
                    for frame in frames_of(snapshot, at).iter().map(|&frame| frame as usize) {
                        line(location, functions.of_frame[frame], symbols.line[frame]);
                    }
                });
            })?;
        }
        Ok(())
    }

    fn samples(&mut self, snapshot: &Snapshot, places: &Places) -> io::Result<()> {
        let (stacks, sites) = (&snapshot.stacks, &snapshot.sites);
        let callers = |row: u32| {
            std::iter::successors(Some(row as usize), |&row| {
                usize::try_from(stacks.parent[row]).ok()
            })
        };
        for (row, &stack) in sites.stack.iter().enumerate() {
            // All are below 2^62: the snapshot was validated.
            let values = [
                sites.total_count[row],
                sites.total_bytes[row],
                sites.live_count[row].cast_unsigned(),
                sites.live_bytes[row].cast_unsigned(),
            ];
            let locations = callers(stack).map(|row| u64::from(places.id_of_row[row]));
            self.put(|profile| {
                profile.message(field::profile::SAMPLE, |sample| {
                    sample.packed(field::sample::LOCATION_ID, locations);
                    sample.packed(field::sample::VALUE, values);
                });
            })?;
        }
        Ok(())
    }

    fn finish(mut self, symbols: Option<&Symbols>) -> io::Result<()> {
        let texts = std::mem::take(&mut self.texts);
        let named = symbols.map_or(&[][..], |symbols| &symbols.strings);
        for text in texts
            .iter()
            .map(|text| &**text)
            .chain(named.iter().map(String::as_str))
        {
            self.put(|profile| profile.text(field::profile::STRING_TABLE, text))?;
        }
        let gzip = self
            .out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        gzip.finish()?.flush()
    }
}

fn line(location: &mut Message, function: u64, line: u32) {
    location.message(field::location::LINE, |message| {
        message.uint(field::line::FUNCTION_ID, function);
        message.uint(field::line::LINE, u64::from(line));
    });
}

/// What is known of a module's places.
#[derive(Clone, Copy, Default)]
struct Named {
    functions: bool,
    lines: bool,
}

impl Named {
    /// By module: what any of its places has.
    fn modules_of(snapshot: &Snapshot) -> Vec<Self> {
        let mut named = vec![Self::default(); snapshot.modules.len()];
        if let Some(symbols) = &snapshot.symbols {
            for (row, &module) in snapshot.stacks.module.iter().enumerate() {
                let frames = frames_of(snapshot, row);
                let named = &mut named[module as usize];
                named.functions |= !frames.is_empty();
                named.lines |= frames.iter().any(|&frame| symbols.line[frame as usize] > 0);
            }
        }
        named
    }
}

/// What the format has no field for, for people to read.
fn comments(snapshot: &Snapshot) -> Vec<String> {
    let header = &snapshot.header;
    let program = &header.program;
    let mut comments = Vec::new();
    // Empty in what was a profile of another program before.
    if !program.heaplens_version.is_empty() {
        comments.push(format!(
            "heaplens {}: {} pid {} on {}, started {}",
            program.heaplens_version,
            program.executable,
            program.pid,
            program.host,
            program.started
        ));
    }
    comments.push(match header.recorder.mode {
        RecorderMode::Sampled => format!(
            "sampled with a mean of {} bytes; values are estimates of the whole",
            header.recorder.sample_bytes
        ),
        RecorderMode::Exact => "every allocation was recorded; values are exact".to_owned(),
        RecorderMode::Off => "recording was off".to_owned(),
    });
    comments.extend(header.label.clone());
    comments
}

#[cfg(test)]
mod tests;
