use super::*;
use crate::snapshot::examples::small;
use crate::snapshot::{SymbolSource, TruncatedCause};
use flate2::read::GzDecoder;
use std::io::Read as _;

/// A field's number and value.
#[derive(Debug, Clone, PartialEq)]
enum Field {
    Number(u32, u64),
    Bytes(u32, Vec<u8>),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (&byte, rest) = bytes.split_first().expect("a whole number");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn fields(mut bytes: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let number = (tag >> 3) as u32;
        fields.push(match tag & 7 {
            0 => Field::Number(number, varint(&mut bytes)),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(number, value.to_vec())
            }
            other => panic!("wire type {other}"),
        });
    }
    fields
}

fn numbers(mut packed: &[u8]) -> Vec<u64> {
    let mut numbers = Vec::new();
    while !packed.is_empty() {
        numbers.push(varint(&mut packed));
    }
    numbers
}

struct Message(Vec<Field>);

impl Message {
    fn number(&self, wanted: u32) -> u64 {
        let find = |field: &Field| match field {
            Field::Number(number, value) if *number == wanted => Some(*value),
            _ => None,
        };
        self.0.iter().find_map(find).unwrap_or(0)
    }

    fn all(&self, wanted: u32) -> Vec<&[u8]> {
        let find = |field: &'_ Field| matches!(field, Field::Bytes(number, _) if *number == wanted);
        let fields = self.0.iter().filter(|field| find(field));
        fields
            .map(|field| match field {
                Field::Bytes(_, bytes) => &bytes[..],
                Field::Number(..) => unreachable!(),
            })
            .collect()
    }

    fn messages(&self, wanted: u32) -> Vec<Self> {
        self.all(wanted)
            .into_iter()
            .map(|bytes| Self(fields(bytes)))
            .collect()
    }

    fn text(&self, index: u64) -> &str {
        let text = self.all(field::profile::STRING_TABLE)[index as usize];
        std::str::from_utf8(text).expect("UTF-8")
    }
}

fn written(snapshot: &Snapshot) -> Message {
    let mut gzip = Vec::new();
    write(snapshot, &mut gzip).expect("a vector takes all");
    let mut bytes = Vec::new();
    GzDecoder::new(&gzip[..])
        .read_to_end(&mut bytes)
        .expect("own output");
    Message(fields(&bytes))
}

fn named() -> Snapshot {
    let mut snapshot = small();
    snapshot.symbols = Some(Symbols {
        strings: ["main", "push<T>", "src/main.rs"].map(str::to_owned).into(),
        function: vec![0, 1],
        file: vec![2, -1],
        line: vec![3, 0],
        inlined: vec![false, true],
        generics: Vec::new(),
        first_frame: vec![0, 1, 3, 3],
        frame: vec![0, 1, 0],
        sources: vec![SymbolSource::Missing, SymbolSource::DebugInfo],
    });
    snapshot
}

#[test]
fn types_stand_in_the_order_of_go() {
    let profile = written(&small());
    let types: Vec<_> = profile
        .messages(field::profile::SAMPLE_TYPE)
        .iter()
        .map(|t| {
            [1, 2]
                .map(|f| profile.text(t.number(f)).to_owned())
                .join("/")
        })
        .collect();
    assert_eq!(
        types,
        [
            "alloc_objects/count",
            "alloc_space/bytes",
            "inuse_objects/count",
            "inuse_space/bytes"
        ]
    );
    let default = profile.number(field::profile::DEFAULT_SAMPLE_TYPE);
    assert_eq!(profile.text(default), "inuse_space");
    assert_eq!(profile.number(field::profile::PERIOD), 1);
    assert_eq!(profile.text(0), "");
}

#[test]
fn stacks_stand_leaf_first_with_their_numbers() {
    let profile = written(&small());
    let samples: Vec<_> = profile
        .messages(field::profile::SAMPLE)
        .iter()
        .map(|sample| [1, 2].map(|f| numbers(sample.all(f)[0])))
        .collect();
    // Locations are numbered by address: the caller has the lowest.
    assert_eq!(
        samples,
        [
            [vec![2, 1], vec![10, 9_007_199_254_740_900, 3, 1_500]],
            [vec![3, 1], vec![2, 93, 1, 24]],
        ]
    );
}

#[test]
fn without_symbols_readers_find_the_binary_by_its_build_id() {
    let profile = written(&small());
    let [mapping] = &profile.messages(field::profile::MAPPING)[..] else {
        panic!("one mapping");
    };
    assert_eq!(mapping.number(field::mapping::ID), 1);
    assert_eq!(mapping.number(field::mapping::MEMORY_START), 0);
    assert_eq!(mapping.number(field::mapping::MEMORY_LIMIT), u64::MAX);
    assert_eq!(mapping.number(field::mapping::HAS_FUNCTIONS), 0);
    let text = |f| profile.text(mapping.number(f));
    assert_eq!(text(field::mapping::FILENAME), "/srv/widget_service");
    assert_eq!(text(field::mapping::BUILD_ID), "0123456789abcdef");
    let locations = profile.messages(field::profile::LOCATION);
    let addresses: Vec<_> = locations
        .iter()
        .map(|l| l.number(field::location::ADDRESS))
        .collect();
    assert_eq!(addresses, [0x1000, 0x2040, 0x30ff]);
    assert!(profile.all(field::profile::FUNCTION).is_empty());
}

#[test]
fn names_go_along_with_lines_and_inlined_calls() {
    let profile = written(&named());
    let functions: Vec<_> = profile
        .messages(field::profile::FUNCTION)
        .iter()
        .map(|f| [2, 3, 4].map(|n| profile.text(f.number(n)).to_owned()))
        .collect();
    assert_eq!(
        functions,
        [["main", "", "src/main.rs"], ["push<T>", "", ""]]
    );
    let locations = profile.messages(field::profile::LOCATION);
    let lines: Vec<Vec<_>> = locations
        .iter()
        .map(|location| {
            let lines = location.messages(field::location::LINE);
            lines
                .iter()
                .map(|line| (line.number(1), line.number(2)))
                .collect()
        })
        .collect();
    assert_eq!(lines, [vec![(1, 3)], vec![(2, 0), (1, 3)], vec![]]);
    let mapping = &profile.messages(field::profile::MAPPING)[0];
    assert_eq!(mapping.number(field::mapping::HAS_INLINE_FRAMES), 1);
}

#[test]
fn equal_places_are_one_and_special_frames_have_names() {
    let mut snapshot = named();
    snapshot.stacks.module = vec![0, 1, 1];
    snapshot.stacks.address = vec![
        SpecialFrame::Truncated(TruncatedCause::BadStack).code(),
        7,
        7,
    ];
    let symbols = snapshot.symbols.as_mut().expect("names");
    symbols.first_frame = vec![0, 0, 1, 2];
    symbols.frame = vec![0, 0];
    let profile = written(&snapshot);
    let locations = profile.messages(field::profile::LOCATION);
    assert_eq!(locations.len(), 2);
    assert_eq!(locations[0].number(field::location::MAPPING_ID), 0);
    let name = profile.messages(field::profile::FUNCTION)[0].number(field::function::NAME);
    assert_eq!(profile.text(name), "[truncated: bad stack]");
    // Other names make another place.
    snapshot.symbols.as_mut().expect("names").frame = vec![0, 1];
    assert_eq!(written(&snapshot).all(field::profile::LOCATION).len(), 3);
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let mut snapshot = small();
    snapshot.sites.stack[0] = 99;
    let error = write(&snapshot, Vec::new()).expect_err("no such row");
    assert!(
        error.to_string().starts_with("sites.stack[0] is 99"),
        "{error}"
    );
}
