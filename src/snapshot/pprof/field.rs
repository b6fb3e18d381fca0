//! Numbers of the fields in `profile.proto`, by message.

/// The profile itself.
pub mod profile {
    /// `ValueType`: what the values of samples are, in their order.
    pub const SAMPLE_TYPE: u32 = 1;
    /// `Sample`.
    pub const SAMPLE: u32 = 2;
    /// `Mapping`; the first is the program.
    pub const MAPPING: u32 = 3;
    /// `Location`.
    pub const LOCATION: u32 = 4;
    /// `Function`.
    pub const FUNCTION: u32 = 5;
    /// Texts that all others are indices into; the first is empty.
    pub const STRING_TABLE: u32 = 6;
    /// Text: pattern of functions that are left out of stacks, with all that they call.
    pub const DROP_FRAMES: u32 = 7;
    /// When the profile was taken, in nanoseconds since the Unix epoch.
    pub const TIME_NANOS: u32 = 9;
    /// The time that it covers, in nanoseconds.
    pub const DURATION_NANOS: u32 = 10;
    /// `ValueType`: what is counted between two samples.
    pub const PERIOD_TYPE: u32 = 11;
    /// Mean distance between samples.
    pub const PERIOD: u32 = 12;
    /// Texts for people.
    pub const COMMENT: u32 = 13;
    /// Text: type of the values to show first.
    pub const DEFAULT_SAMPLE_TYPE: u32 = 14;
}

/// A type and a unit.
pub mod value_type {
    /// Text.
    pub const TYPE: u32 = 1;
    /// Text.
    pub const UNIT: u32 = 2;
}

/// A stack and its values.
pub mod sample {
    /// Locations, innermost first.
    pub const LOCATION_ID: u32 = 1;
    /// One for each type.
    pub const VALUE: u32 = 2;
}

/// A binary in memory.
pub mod mapping {
    /// From 1.
    pub const ID: u32 = 1;
    /// First address.
    pub const MEMORY_START: u32 = 2;
    /// Address behind the last one.
    pub const MEMORY_LIMIT: u32 = 3;
    /// Offset in the file of the first address.
    pub const FILE_OFFSET: u32 = 4;
    /// Text: path of the file.
    pub const FILENAME: u32 = 5;
    /// Text: GNU build id in hex.
    pub const BUILD_ID: u32 = 6;
    /// Whether its locations have names.
    pub const HAS_FUNCTIONS: u32 = 7;
    /// Whether they have source files.
    pub const HAS_FILENAMES: u32 = 8;
    /// Whether they have lines.
    pub const HAS_LINE_NUMBERS: u32 = 9;
    /// Whether they have inlined calls.
    pub const HAS_INLINE_FRAMES: u32 = 10;
}

/// An address, or a place without one.
pub mod location {
    /// From 1.
    pub const ID: u32 = 1;
    /// The mapping that it lies in; 0 for none.
    pub const MAPPING_ID: u32 = 2;
    /// The address.
    pub const ADDRESS: u32 = 3;
    /// `Line`: innermost first, all but the last one inlined into the next.
    pub const LINE: u32 = 4;
}

/// A place in a function.
pub mod line {
    /// The function.
    pub const FUNCTION_ID: u32 = 1;
    /// Line in its source file.
    pub const LINE: u32 = 2;
}

/// A function.
pub mod function {
    /// From 1.
    pub const ID: u32 = 1;
    /// Text: as people read it.
    pub const NAME: u32 = 2;
    /// Text: as the linker knows it.
    pub const SYSTEM_NAME: u32 = 3;
    /// Text: source file.
    pub const FILENAME: u32 = 4;
}
