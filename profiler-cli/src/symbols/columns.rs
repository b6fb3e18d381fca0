//! Builds the columns of [`Symbols`]: each text and each frame is stored once.

use std::collections::HashMap;

use heaplens::snapshot::{SymbolSource, Symbols};

use super::names;

/// Index of a distinct frame.
pub(crate) type FrameId = u32;

/// A distinct frame; texts by their indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Frame {
    pub(crate) function: u32,
    pub(crate) file: Option<u32>,
    pub(crate) line: u32,
    pub(crate) inlined: bool,
    /// See [`Symbols::generics`].
    pub(crate) generics: Option<u32>,
}

/// Columns under construction.
#[derive(Default)]
pub(crate) struct Columns {
    texts: HashMap<String, u32>,
    frames: HashMap<Frame, FrameId>,
    by_id: Vec<Frame>,
    first_frame: Vec<u32>,
    rows: Vec<FrameId>,
}

impl Columns {
    /// The index of a text. It must be clean already.
    pub(crate) fn text(&mut self, text: String) -> u32 {
        let next = self.texts.len() as u32;
        *self.texts.entry(text).or_insert(next)
    }

    /// The index of a distinct frame.
    pub(crate) fn frame(&mut self, frame: Frame) -> FrameId {
        let next = self.by_id.len() as u32;
        *self.frames.entry(frame).or_insert_with(|| {
            self.by_id.push(frame);
            next
        })
    }

    /// Adds the frames of the next row of the stacks, innermost first.
    ///
    /// The columns index with 32 bits. Once they are full, further rows stay without frames; that
    /// takes a hostile file.
    pub(crate) fn row(&mut self, frames: &[FrameId]) {
        self.first_frame.push(self.rows.len() as u32);
        if u32::try_from(self.rows.len() + frames.len()).is_ok() {
            self.rows.extend_from_slice(frames);
        }
    }

    pub(crate) fn finish(mut self, sources: Vec<SymbolSource>) -> Symbols {
        self.first_frame.push(self.rows.len() as u32);
        let mut strings = vec![String::new(); self.texts.len()];
        for (text, index) in self.texts {
            strings[index as usize] = text;
        }
        let or_none = |text: Option<u32>| text.map_or(-1, i64::from);
        let frames = &self.by_id;
        let generics = match frames.iter().any(|frame| frame.generics.is_some()) {
            true => frames.iter().map(|frame| or_none(frame.generics)).collect(),
            false => Vec::new(),
        };
        Symbols {
            strings,
            function: frames.iter().map(|frame| frame.function).collect(),
            file: frames.iter().map(|frame| or_none(frame.file)).collect(),
            line: frames.iter().map(|frame| frame.line).collect(),
            inlined: frames.iter().map(|frame| frame.inlined).collect(),
            generics,
            first_frame: self.first_frame,
            frame: self.rows,
            sources,
        }
    }
}

/// Names that a snapshot already carries.
pub(super) struct Previous<'a> {
    symbols: &'a Symbols,
    copied: Vec<Option<FrameId>>,
}

impl<'a> Previous<'a> {
    /// The names of a snapshot with that many rows, unless their columns contradict each other.
    pub(super) fn new(symbols: &'a Symbols, rows: usize) -> Option<Self> {
        let frames = symbols.function.len();
        let strings = symbols.strings.len();
        let consistent = symbols.file.len() == frames
            && symbols.line.len() == frames
            && symbols.inlined.len() == frames
            && symbols
                .function
                .iter()
                .all(|&text| (text as usize) < strings)
            && (symbols.generics.is_empty() || symbols.generics.len() == frames)
            && [&symbols.file, &symbols.generics]
                .into_iter()
                .flatten()
                .all(|&text| text == -1 || usize::try_from(text).is_ok_and(|text| text < strings))
            && symbols.first_frame.len() == rows + 1
            && symbols.first_frame.is_sorted()
            && symbols
                .first_frame
                .last()
                .is_some_and(|&end| end as usize == symbols.frame.len())
            && symbols.frame.iter().all(|&frame| (frame as usize) < frames);
        consistent.then(|| Self {
            symbols,
            copied: vec![None; frames],
        })
    }

    /// What the names of a module came from.
    pub(super) fn source(&self, module: usize) -> SymbolSource {
        self.symbols
            .sources
            .get(module)
            .copied()
            .unwrap_or_default()
    }

    /// Adds a row as it was.
    pub(super) fn copy_row(&mut self, row: usize, columns: &mut Columns) {
        let range =
            self.symbols.first_frame[row] as usize..self.symbols.first_frame[row + 1] as usize;
        let frames: Vec<_> = self.symbols.frame[range]
            .iter()
            .map(|&frame| self.copy_frame(frame, columns))
            .collect();
        columns.row(&frames);
    }

    fn copy_frame(&mut self, frame: u32, columns: &mut Columns) -> FrameId {
        let index = frame as usize;
        *self.copied[index].get_or_insert_with(|| {
            let symbols = self.symbols;
            let mut copy = |text: usize| columns.text(names::clean(&symbols.strings[text]));
            let function = copy(symbols.function[index] as usize);
            let mut copy_known = |text: Option<&i64>| {
                text.and_then(|&text| usize::try_from(text).ok())
                    .map(&mut copy)
            };
            let file = copy_known(symbols.file.get(index));
            let generics = copy_known(symbols.generics.get(index));
            columns.frame(Frame {
                function,
                file,
                line: symbols.line[index],
                inlined: symbols.inlined[index],
                generics,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: u32, file: Option<u32>, line: u32, generics: Option<u32>) -> Frame {
        Frame {
            function,
            file,
            line,
            inlined: file.is_some(),
            generics,
        }
    }

    fn sample() -> Symbols {
        let mut columns = Columns::default();
        let (f, g) = (columns.text("f".into()), columns.text("g".into()));
        let file = columns.text("a.rs".into());
        assert_eq!(columns.text("g".into()), g);
        let types = columns.text("u8".into());
        let first = frame(f, Some(file), 3, Some(types));
        let inner = columns.frame(first);
        let outer = columns.frame(frame(g, None, 0, None));
        assert_eq!(columns.frame(first), inner);
        columns.row(&[inner, outer]);
        columns.row(&[]);
        columns.row(&[outer]);
        columns.finish(vec![SymbolSource::Missing, SymbolSource::DebugInfo])
    }

    #[test]
    fn each_text_and_frame_is_stored_once() {
        let symbols = sample();
        assert_eq!(symbols.strings, ["f", "g", "a.rs", "u8"]);
        assert_eq!(symbols.function, [0, 1]);
        assert_eq!(symbols.file, [2, -1]);
        assert_eq!(symbols.line, [3, 0]);
        assert_eq!(symbols.inlined, [true, false]);
        assert_eq!(symbols.first_frame, [0, 2, 2, 3]);
        assert_eq!(symbols.frame, [0, 1, 1]);
    }

    #[test]
    fn copying_gives_the_same_columns() {
        let symbols = sample();
        let mut previous = Previous::new(&symbols, 3).unwrap();
        let mut columns = Columns::default();
        for row in 0..3 {
            previous.copy_row(row, &mut columns);
        }
        let copy = columns.finish(symbols.sources.clone());
        assert_eq!(copy.first_frame, symbols.first_frame);
        assert_eq!(
            copy,
            Symbols {
                strings: copy.strings.clone(),
                file: copy.file.clone(),
                function: copy.function.clone(),
                generics: copy.generics.clone(),
                ..symbols
            }
        );
    }

    #[test]
    fn columns_that_contradict_each_other_are_not_taken_over() {
        let good = sample();
        assert!(Previous::new(&good, 3).is_some());
        assert!(Previous::new(&good, 2).is_none());
        let damages: [fn(&mut Symbols); 10] = [
            |symbols| symbols.generics[0] = 99,
            |symbols| symbols.generics.truncate(1),
            |symbols| symbols.function[0] = 99,
            |symbols| symbols.file[0] = 99,
            |symbols| symbols.file[0] = -2,
            |symbols| symbols.frame[0] = 99,
            |symbols| symbols.first_frame[1] = 99,
            |symbols| symbols.first_frame[3] = 2,
            |symbols| symbols.line.truncate(1),
            |symbols| symbols.inlined.truncate(1),
        ];
        for damage in damages {
            let mut bad = good.clone();
            damage(&mut bad);
            assert!(Previous::new(&bad, 3).is_none());
        }
    }
}
