//! Functions and frames, each distinct one stored once.

use rustc_hash::FxHashMap;

use super::owner::Origin;
use super::text::{TextId, Texts};

/// Number of a function in its [`Frames`].
pub type FunctionId = u32;

/// Number of a frame in its [`Frames`]; the labels of a profile's call tree.
pub type FrameId = u32;

/// A function of a binary, or something that stands for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    name: TextId,
    file: Option<TextId>,
    binary: TextId,
    pub(super) origin: Origin,
}

/// A place in a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Frame {
    /// The function.
    pub function: FunctionId,
    /// The line of the call, 0 where unknown.
    pub line: u32,
    /// Whether the function was inlined into its caller.
    pub inlined: bool,
    /// What a function of a container was compiled for, where its name does not say so.
    pub generics: Option<TextId>,
}

/// The functions and frames of a profile.
#[derive(Debug, Clone, Default)]
pub struct Frames {
    texts: Texts,
    functions: Vec<Function>,
    function_index: FxHashMap<(TextId, Option<TextId>, TextId), FunctionId>,
    frames: Vec<Frame>,
    frame_index: FxHashMap<Frame, FrameId>,
}

impl Frames {
    /// The function of this name, file and binary, which is added if it is new.
    pub fn function(&mut self, name: &str, file: Option<&str>, binary: &str) -> FunctionId {
        let name = self.texts.intern(name);
        let file = file.map(|file| self.texts.intern(file));
        let binary = self.texts.intern(binary);
        *self
            .function_index
            .entry((name, file, binary))
            .or_insert_with(|| {
                // Decided once the whole profile is known.
                self.functions.push(Function {
                    name,
                    file,
                    binary,
                    origin: Origin::Unplaced,
                });
                (self.functions.len() - 1) as u32
            })
    }

    /// The number of a text, which is added if it is new.
    pub fn text(&mut self, text: &str) -> TextId {
        self.texts.intern(text)
    }

    /// What the function of a frame was compiled for, where its name does not say so.
    pub fn generics(&self, frame: Frame) -> Option<&str> {
        frame.generics.map(|text| self.texts.get(text))
    }

    /// The number of a frame, which is added if it is new.
    pub fn frame(&mut self, frame: Frame) -> FrameId {
        *self.frame_index.entry(frame).or_insert_with(|| {
            self.frames.push(frame);
            (self.frames.len() - 1) as u32
        })
    }

    /// A frame by its number.
    pub fn get(&self, frame: FrameId) -> Frame {
        self.frames[frame as usize]
    }

    /// All frames, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = Frame> + '_ {
        self.frames.iter().copied()
    }

    /// Number of functions.
    pub fn function_count(&self) -> usize {
        self.functions.len()
    }

    /// Name of a function, without hashes that change from build to build.
    pub fn name(&self, function: FunctionId) -> &str {
        self.texts.get(self.functions[function as usize].name)
    }

    /// Source file of a function, where known.
    pub fn file(&self, function: FunctionId) -> Option<&str> {
        self.functions[function as usize]
            .file
            .map(|file| self.texts.get(file))
    }

    /// Path of the executable or library that holds the function.
    pub fn binary(&self, function: FunctionId) -> &str {
        self.texts.get(self.functions[function as usize].binary)
    }

    /// Where the function comes from.
    pub fn origin(&self, function: FunctionId) -> Origin {
        self.functions[function as usize].origin
    }

    pub(super) fn functions_mut(&mut self) -> impl Iterator<Item = (FunctionId, &mut Origin)> {
        (0..).zip(
            self.functions
                .iter_mut()
                .map(|function| &mut function.origin),
        )
    }
}
