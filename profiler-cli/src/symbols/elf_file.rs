//! ELF files on disk, memory-mapped. The only `unsafe` of the symbolizer is here.

use std::{
    borrow::Cow,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use memmap2::Mmap;
use object::{Object, ObjectKind, ObjectSection, ObjectSegment, SectionFlags, SegmentFlags, elf};

/// An uncompressed section larger than this is refused...
const MAX_INFLATED: u64 = 4 << 30;
/// ...and so is one beyond this size that grows by more than [`MAX_INFLATION`] times. Debug
/// information compresses to a third or so; a bomb of zeros to a thousandth and less.
const INFLATION_UNCHECKED: u64 = 64 << 20;
const MAX_INFLATION: u64 = 200;

/// A file that starts like an ELF file. Everything after that is checked where it is read.
#[derive(Debug)]
pub(super) struct ElfFile {
    path: PathBuf,
    map: Mmap,
}

/// Why there is no [`ElfFile`].
#[derive(Debug)]
pub(super) enum OpenError {
    /// No such file.
    NotFound,
    /// A regular file of another kind.
    NotElf,
    /// Anything else, in words.
    Unreadable(String),
}

impl ElfFile {
    /// Maps a regular file. Pipes and devices are refused: opening one could block for ever.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let regular = |metadata: fs::Metadata| match metadata.is_file() {
            true => Ok(()),
            false => Err(OpenError::Unreadable("not a regular file".into())),
        };
        regular(fs::metadata(path)?)?;
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let length = metadata.len();
        regular(metadata)?;
        if length == 0 {
            return Err(OpenError::Unreadable("the file is empty".into()));
        }
        // SAFETY: The mapping is private and read-only. Its bytes could still change under us if
        // another process wrote to the file: that is the one thing that mapping cannot rule out,
        // and what every symbolizer accepts. Linkers and package managers replace files instead.
        let map = unsafe { Mmap::map(&file)? };
        if !map.starts_with(&object::elf::ELFMAG) {
            return Err(OpenError::NotElf);
        }
        Ok(Self {
            path: path.to_owned(),
            map,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn data(&self) -> &[u8] {
        &self.map
    }

    /// Reads the headers.
    pub(super) fn parse(&self) -> object::Result<object::File<'_>> {
        object::File::parse(self.data())
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NotFound,
            _ => Self::Unreadable(error.to_string()),
        }
    }
}

/// Whether a file is a program or a library, and not an object file of the compiler.
pub(super) fn is_linked(file: &object::File<'_>) -> bool {
    matches!(file.kind(), ObjectKind::Executable | ObjectKind::Dynamic)
}

/// Whether a file has DWARF. Compressed forms count; the empty sections of a stripped file do not.
pub(super) fn has_debug_info(file: &object::File<'_>) -> bool {
    file.section_by_name(".debug_info")
        .and_then(|section| section.compressed_file_range().ok())
        .is_some_and(|range| range.compressed_size > 0)
}

/// Where a file has code, as sorted pairs of first address and end.
///
/// Debug information of functions that the linker dropped stays in the file, at addresses around
/// zero: a lookup outside of the code would find it. Debug files keep the headers of sections
/// without their bytes, so flags tell here and not the kind.
pub(super) fn code(file: &object::File<'_>) -> Vec<(u64, u64)> {
    let range = |address: u64, size: u64| (address, address.saturating_add(size));
    let mut code: Vec<_> = file
        .sections()
        .filter(|section| is_code(section))
        .map(|section| range(section.address(), section.size()))
        .collect();
    if code.is_empty() {
        let segments = file.segments().filter(|segment| is_executable(segment));
        code.extend(segments.map(|segment| range(segment.address(), segment.size())));
    }
    code.sort_unstable();
    code
}

/// Whether a section holds code.
pub(super) fn is_code(section: &object::Section<'_, '_>) -> bool {
    matches!(section.flags(), SectionFlags::Elf { sh_flags, .. }
        if sh_flags.contains(elf::SHF_EXECINSTR))
}

/// Whether a segment is mapped for execution.
pub(super) fn is_executable(segment: &object::Segment<'_, '_>) -> bool {
    matches!(segment.flags(), SegmentFlags::Elf { p_flags, .. } if p_flags.contains(elf::PF_X))
}

/// Name and checksum of the file that `.gnu_debuglink` names. Names with a folder are ignored:
/// the link is a file name by definition.
pub(super) fn debuglink(file: &object::File<'_>) -> Option<(PathBuf, u32)> {
    let (name, crc) = file.gnu_debuglink().ok().flatten()?;
    let name = std::str::from_utf8(name).ok()?;
    let plain = !name.is_empty() && name != "." && name != ".." && !name.contains('/');
    plain.then(|| (PathBuf::from(name), crc))
}

/// The bytes of a section, inflated if need be; `None` if the file does not have it.
pub(super) fn section_data<'a>(
    file: &object::File<'a>,
    name: &str,
) -> Result<Option<Cow<'a, [u8]>>, String> {
    let Some(section) = file.section_by_name(name) else {
        return Ok(None);
    };
    let failed = |error: object::Error| format!("{name}: {error}");
    let range = section.compressed_file_range().map_err(failed)?;
    let (packed, size) = (range.compressed_size, range.uncompressed_size);
    let bomb = size > INFLATION_UNCHECKED && size / MAX_INFLATION > packed;
    if range.format != object::CompressionFormat::None && (bomb || size > MAX_INFLATED) {
        return Err(format!(
            "{name}: {packed} bytes that claim to inflate to {size}"
        ));
    }
    section.uncompressed_data().map(Some).map_err(failed)
}
