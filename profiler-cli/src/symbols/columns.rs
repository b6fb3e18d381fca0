//! Builds the columns of [`Symbols`]: each text and each frame is stored once.

use std::collections::HashMap;

use heaplens::snapshot::{SymbolSource, Symbols};

use super::names;

/// Index of a distinct frame.
pub(super) type FrameId = u32;

type Frame = (u32, i64, u32, bool);

/// Columns under construction.
#[derive(Default)]
pub(super) struct Columns {
    texts: HashMap<String, u32>,
    frames: HashMap<Frame, FrameId>,
    by_id: Vec<Frame>,
    first_frame: Vec<u32>,
    rows: Vec<FrameId>,
}

impl Columns {
    /// The index of a text. It must be clean already.
    pub(super) fn text(&mut self, text: String) -> u32 {
        let next = self.texts.len() as u32;
        *self.texts.entry(text).or_insert(next)
    }

    /// The index of a distinct frame.
    pub(super) fn frame(
        &mut self,
        function: u32,
        file: Option<u32>,
        line: u32,
        inlined: bool,
    ) -> FrameId {
        let frame = (function, file.map_or(-1, i64::from), line, inlined);
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
    pub(super) fn row(&mut self, frames: &[FrameId]) {
        self.first_frame.push(self.rows.len() as u32);
        if u32::try_from(self.rows.len() + frames.len()).is_ok() {
            self.rows.extend_from_slice(frames);
        }
    }

    pub(super) fn finish(mut self, sources: Vec<SymbolSource>) -> Symbols {
        self.first_frame.push(self.rows.len() as u32);
        let mut strings = vec![String::new(); self.texts.len()];
        for (text, index) in self.texts {
            strings[index as usize] = text;
        }
        Symbols {
            strings,
            function: self.by_id.iter().map(|frame| frame.0).collect(),
            file: self.by_id.iter().map(|frame| frame.1).collect(),
            line: self.by_id.iter().map(|frame| frame.2).collect(),
            inlined: self.by_id.iter().map(|frame| frame.3).collect(),
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
            && symbols
                .file
                .iter()
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
            let file = usize::try_from(symbols.file[index]).ok().map(copy);
            columns.frame(function, file, symbols.line[index], symbols.inlined[index])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Symbols {
        let mut columns = Columns::default();
        let (f, g) = (columns.text("f".into()), columns.text("g".into()));
        let file = columns.text("a.rs".into());
        assert_eq!(columns.text("g".into()), g);
        let inner = columns.frame(f, Some(file), 3, true);
        let outer = columns.frame(g, None, 0, false);
        assert_eq!(columns.frame(f, Some(file), 3, true), inner);
        columns.row(&[inner, outer]);
        columns.row(&[]);
        columns.row(&[outer]);
        columns.finish(vec![SymbolSource::Missing, SymbolSource::DebugInfo])
    }

    #[test]
    fn each_text_and_frame_is_stored_once() {
        let symbols = sample();
        assert_eq!(symbols.strings, ["f", "g", "a.rs"]);
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
                ..symbols
            }
        );
    }

    #[test]
    fn columns_that_contradict_each_other_are_not_taken_over() {
        let good = sample();
        assert!(Previous::new(&good, 3).is_some());
        assert!(Previous::new(&good, 2).is_none());
        let damages: [fn(&mut Symbols); 8] = [
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
