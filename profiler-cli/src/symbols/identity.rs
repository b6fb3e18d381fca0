//! What makes a file *the* file of a module: its build id, or a hash of its code.
//!
//! A path never does. Programs are rebuilt and redeployed in place, and names taken from another
//! build look right and are wrong.

use std::fmt;

use heaplens::snapshot::Module;
use object::{Object, ObjectSegment};

use super::elf_file::is_executable;

/// Longest build id accepted, in hex digits. The usual ones have 40 (SHA-1) or 32 (MD5, UUID).
const MAX_BUILD_ID_DIGITS: usize = 128;

/// The identity that a snapshot recorded for a module, in lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Identity {
    BuildId(String),
    TextHash(String),
}

impl Identity {
    /// The identity of a module, if it has a usable one.
    ///
    /// Both forms end up in paths and comparisons, so nothing but hex digits passes: a build id of
    /// `../../etc` is no build id.
    pub(super) fn of_module(module: &Module) -> Option<Self> {
        if let Some(id) = &module.build_id {
            let usable = (4..=MAX_BUILD_ID_DIGITS).contains(&id.len()) && id.len() % 2 == 0;
            return (usable && is_hex(id)).then(|| Self::BuildId(id.to_ascii_lowercase()));
        }
        let hash = module.text_hash.as_ref()?;
        (hash.len() == 16 && is_hex(hash)).then(|| Self::TextHash(hash.to_ascii_lowercase()))
    }

    /// The identity that a file has of itself, as [`Identity::of_module`] would have recorded it.
    pub(super) fn of_file(file: &object::File<'_>) -> object::Result<Self> {
        Ok(match build_id(file)? {
            Some(id) => Self::BuildId(id),
            None => Self::TextHash(text_hash(file)?),
        })
    }

    /// The build id, where that is what identifies the module.
    pub(super) fn build_id(&self) -> Option<&str> {
        match self {
            Self::BuildId(id) => Some(id),
            Self::TextHash(_) => None,
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuildId(id) => write!(f, "build id {id}"),
            Self::TextHash(hash) => write!(f, "text hash {hash}"),
        }
    }
}

/// The GNU build id of an ELF file in lower-case hex, if it has one.
pub(super) fn build_id(file: &object::File<'_>) -> object::Result<Option<String>> {
    let id = file.build_id()?.filter(|id| !id.is_empty());
    Ok(id.map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// The hash that stands for a module without a build id.
///
/// FNV-1a, 64 bits, over the bytes that the file holds for its executable `PT_LOAD` segments
/// (`p_filesz` of each), in the order of the program headers; 16 hex digits. Stripping a file
/// leaves it as it is, as long as no executable segment contains the ELF header.
///
/// # Errors
///
/// If a segment lies outside the file.
pub fn text_hash(file: &object::File<'_>) -> object::Result<String> {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;

    // Segments that overlap can ask for any multiple of the file; those of programs do not. What is
    // cut off here has the hash of no module.
    let ends = file.segments().map(|segment| {
        let (offset, size) = segment.file_range();
        offset.saturating_add(size)
    });
    let mut left = usize::try_from(ends.max().unwrap_or(0)).unwrap_or(usize::MAX);
    let mut hash = OFFSET_BASIS;
    for segment in file.segments() {
        if is_executable(&segment) {
            let data = segment.data()?;
            let data = &data[..data.len().min(left)];
            left -= data.len();
            for &byte in data {
                hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
            }
        }
    }
    Ok(format!("{hash:016x}"))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(build_id: Option<&str>, text_hash: Option<&str>) -> Module {
        Module {
            path: "/bin/x".into(),
            build_id: build_id.map(Into::into),
            text_hash: text_hash.map(Into::into),
        }
    }

    #[test]
    fn only_hex_identifies() {
        let upper = module(Some("00FFab12"), None);
        assert_eq!(
            Identity::of_module(&upper),
            Some(Identity::BuildId("00ffab12".into()))
        );
        for hostile in [
            "../../../etc/passwd",
            "ab/../cd",
            "",
            "ab",
            "abc",
            "ab\u{1b}0",
            "éé",
        ] {
            assert_eq!(
                Identity::of_module(&module(Some(hostile), None)),
                None,
                "{hostile:?}"
            );
        }
        let long = "ab".repeat(100);
        assert_eq!(Identity::of_module(&module(Some(&long), None)), None);
    }

    #[test]
    fn a_bad_build_id_does_not_fall_back_to_the_hash() {
        let module = module(Some("../x"), Some("0123456789abcdef"));
        assert_eq!(Identity::of_module(&module), None);
    }

    #[test]
    fn the_text_hash_has_sixteen_digits() {
        let good = module(None, Some("0123456789ABCDEF"));
        assert_eq!(
            Identity::of_module(&good),
            Some(Identity::TextHash("0123456789abcdef".into()))
        );
        assert_eq!(Identity::of_module(&module(None, Some("0123"))), None);
    }

    /// An ELF file with these segments, of which a pair is the flags and the contents.
    fn elf(segments: &[(u32, &[u8])]) -> Vec<u8> {
        const HEADER: usize = 64;
        const PROGRAM_HEADER: usize = 56;
        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        file.extend([3, 0, 62, 0, 1, 0, 0, 0]);
        for word in [0, HEADER as u64, 0] {
            file.extend(word.to_le_bytes());
        }
        file.extend([0; 4]);
        for half in [HEADER, PROGRAM_HEADER, segments.len(), 0, 0, 0] {
            file.extend((half as u16).to_le_bytes());
        }
        let mut offset = HEADER + PROGRAM_HEADER * segments.len();
        for (flags, contents) in segments {
            file.extend(1u32.to_le_bytes());
            file.extend(flags.to_le_bytes());
            // Larger in memory than in the file, as the segments of data are.
            let size = contents.len() as u64;
            for word in [offset as u64, 0x1000, 0x1000, size, size + 100, 1] {
                file.extend(word.to_le_bytes());
            }
            offset += contents.len();
        }
        for (_, contents) in segments {
            file.extend_from_slice(contents);
        }
        file
    }

    #[test]
    fn the_text_hash_is_fnv_1a_over_executable_segments_in_order() {
        const READ: u32 = 4;
        const EXECUTE: u32 = 1;
        let hash = |segments: &[(u32, &[u8])]| {
            text_hash(&object::File::parse(&*elf(segments)).unwrap()).unwrap()
        };
        // The published test vector for `foobar`.
        let code = [
            (READ | EXECUTE, &b"foo"[..]),
            (READ, b"data"),
            (EXECUTE, b"bar"),
        ];
        assert_eq!(hash(&code), "85944171f73967e8");
        assert_ne!(hash(&[code[2], code[0]]), "85944171f73967e8");

        let mut cut = elf(&code);
        cut.truncate(cut.len() - 1);
        assert!(text_hash(&object::File::parse(&*cut).unwrap()).is_err());
    }
}
