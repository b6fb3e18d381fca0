//! Where the bytes of a module's file lie in its address space: for profiles that tell addresses by
//! their place in the file.

use std::path::PathBuf;

use heaplens::snapshot::Module;
use object::{Object, ObjectSegment};

use super::debug_dirs::DebugDirs;
use super::identity::Identity;
use super::locate;

/// The loaded segments of a module's file.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    /// Offset in the file, length there, address.
    segments: Vec<(u64, u64, u64)>,
}

impl Segments {
    /// Those of the file that is the module's by its build id; none where there is no such file.
    pub(crate) fn of(module: &Module, debug_dirs: &[PathBuf]) -> Self {
        let Some(identity) = Identity::of_module(module) else {
            return Self::default();
        };
        let found = locate::find(module, &identity, &mut DebugDirs::new(debug_dirs));
        let segments = found.files.iter().filter_map(|file| {
            let file = file.parse().ok()?;
            let segments: Vec<_> = file
                .segments()
                .map(|segment| {
                    let (offset, length) = segment.file_range();
                    (offset, length, segment.address())
                })
                // A file of debug information alone has the headers of segments, and no bytes.
                .filter(|(_, length, _)| *length > 0)
                .collect();
            (!segments.is_empty()).then_some(segments)
        });
        Self {
            segments: segments.max_by_key(Vec::len).unwrap_or_default(),
        }
    }

    /// The address of what is at an offset in the file, if any segment has it.
    pub(crate) fn address(&self, offset: u64) -> Option<u64> {
        self.segments.iter().find_map(|&(start, length, address)| {
            let inside = offset
                .checked_sub(start)
                .filter(|inside| *inside < length)?;
            address.checked_add(inside)
        })
    }
}
