use super::*;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

const BOUNDS: Bounds = Bounds {
    text: 1 << 30,
    memory: 1 << 30,
};

/// Gives at most so many bytes at a time, so that values lie across the ends of the buffer.
struct Drops<'a>(&'a [u8], usize);

impl Read for Drops<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.1.min(self.0.len()).min(buffer.len());
        buffer[..bytes].copy_from_slice(&self.0[..bytes]);
        self.0 = &self.0[bytes..];
        Ok(bytes)
    }
}

fn parse_in<'de, T: Deserialize<'de>>(
    text: &[u8],
    drop: usize,
    bounds: Bounds,
) -> Result<T, Error> {
    let mut parser = Parser::new(Box::new(Drops(text, drop)), bounds);
    let value = T::deserialize(&mut parser)?;
    parser.finish()?;
    Ok(value)
}

fn parse<'de, T: Deserialize<'de>>(text: &str) -> Result<T, Error> {
    parse_in(text.as_bytes(), usize::MAX, BOUNDS)
}

/// Passes over a value without keeping it.
fn skip(text: &[u8], drop: usize) -> Result<(), Error> {
    parse_in(text, drop, BOUNDS).map(|serde::de::IgnoredAny| ())
}

#[test]
fn numbers_keep_their_value_and_kind() {
    for (text, expected) in [
        ("0", Number::Unsigned(0)),
        ("18446744073709551615", Number::Unsigned(u64::MAX)),
        (
            "9999999999999999999",
            Number::Unsigned(9_999_999_999_999_999_999),
        ),
        ("-9223372036854775808", Number::Signed(i64::MIN)),
        (
            "-9223372036854775809",
            Number::Float(-9_223_372_036_854_775_809.0),
        ),
        (
            "18446744073709551616",
            Number::Float(18_446_744_073_709_551_616.0),
        ),
        ("-0", Number::Float(-0.0)),
        ("1.5e3", Number::Float(1500.0)),
        (
            "12345678901234567890123",
            Number::Float(1.234_567_890_123_456_8e22),
        ),
    ] {
        for behind in ["", " ", ",", "]"] {
            let text = format!("{text}{behind}");
            let mut parser = Parser::new(Box::new(Drops(text.as_bytes(), 1)), BOUNDS);
            assert_eq!(parser.number().expect("a number"), expected, "{text}");
        }
    }
    for text in [
        "01", "-", "1.", ".5", "1e", "1e+", "+1", "--1", "1-1", "1e999", "0x10", "-a",
    ] {
        assert!(parse::<Value>(text).is_err(), "{text}");
        assert!(skip(format!("[{text}]").as_bytes(), 1).is_err(), "{text}");
    }
    assert!(parse::<Vec<u32>>("[-1]").is_err());
    assert!(parse::<Vec<u32>>("[4294967296]").is_err());
    assert!(parse::<Vec<i64>>("[1.5]").is_err());
    assert_eq!(
        parse::<Vec<f64>>("[1, -2, 2.5]").expect("numbers"),
        [1.0, -2.0, 2.5]
    );
}

#[test]
fn strings_are_what_they_stand_for() {
    for text in [
        r#""""#,
        r#""plain""#,
        r#""\"\\\/\b\f\n\r\t""#,
        r#""\u00e9\ud83d\ude00é😀""#,
    ] {
        let expected: String = serde_json::from_str(text).expect("JSON");
        for drop in [1, 3, usize::MAX] {
            let read: String = parse_in(text.as_bytes(), drop, BOUNDS).expect("a string");
            assert_eq!(read, expected);
        }
    }
    let long = "x".repeat(200_000) + "\\n";
    let read: String = parse(&format!("\"{long}\"")).expect("a string");
    assert_eq!(read, "x".repeat(200_000) + "\n");
    for text in [
        &b"\"\x01\""[..],
        b"\"\\x\"",
        b"\"\\ud800\"",
        b"\"\\ud800\\u0041\"",
        b"\"\\udc00\"",
        b"\"\\u00g0\"",
    ] {
        assert!(parse_in::<String>(text, 1, BOUNDS).is_err(), "{text:?}");
        assert!(skip(text, 1).is_err(), "{text:?}");
    }
    assert!(parse_in::<String>(b"\"\xff\"", 1, BOUNDS).is_err());
}

#[test]
fn a_text_cut_short_is_told_from_a_wrong_one() {
    let text = r#"{"a":[1,-2.5e1,true,false,null,"x\u0041"],"b":{"c":{}}}"#;
    for length in 0..text.len() {
        let value = parse::<Value>(&text[..length]);
        assert!(matches!(value, Err(Error::End)), "{length}: {value:?}");
        let skipped = skip(&text.as_bytes()[..length], 2);
        assert!(matches!(skipped, Err(Error::End)), "{length}: {skipped:?}");
    }
    for text in [
        "{]",
        "[1 2]",
        "{\"a\" 1}",
        "{1:2}",
        "[1,]",
        "{\"a\":1,}",
        "tru",
        "1 1",
        "[1}",
    ] {
        let is_end = text == "tru";
        for error in [parse::<Value>(text).err(), skip(text.as_bytes(), 9).err()] {
            let error = error.expect("not JSON");
            assert_eq!(matches!(error, Error::End), is_end, "{text}: {error:?}");
        }
    }
}

#[test]
fn everything_has_a_weight() {
    for (json, weight) in [
        ("1 ", 8),
        ("-1 ", 8),
        // What takes the long way is kept as text meanwhile.
        ("1.5", 8 + 3),
        ("true", 8),
        ("[]", 24),
        ("[[],1]", 24 + 24 + 8),
        ("\"abc\"", 27),
        ("{\"a\":{}}", 80 + 24 + 80),
    ] {
        let within = |memory| parse_in::<Value>(json.as_bytes(), 9, Bounds { memory, ..BOUNDS });
        assert!(within(weight).is_ok(), "{json}");
        assert!(matches!(within(weight - 1), Err(Error::Memory)), "{json}");
    }
}

#[test]
fn what_is_passed_over_takes_no_memory_and_no_stack() {
    let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    assert!(skip(deep.as_bytes(), usize::MAX).is_ok());
    let wide = format!("[{}1]", "\"text\",".repeat(100_000));
    let memory = 1_000;
    let bounds = Bounds { memory, ..BOUNDS };
    assert!(parse_in::<serde::de::IgnoredAny>(wide.as_bytes(), 999, bounds).is_ok());
}

#[test]
fn a_text_beyond_its_bound_is_refused() {
    let bounds = Bounds { text: 10, ..BOUNDS };
    assert!(parse_in::<Value>(b"[1,2,3,40]", 1, bounds).is_ok());
    assert!(matches!(
        parse_in::<Value>(b"[1,2,3,400]", 1, bounds),
        Err(Error::Text)
    ));
}

/// Any JSON without fractions: the last digit of those is the other parser's business.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..50u64).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|fields: BTreeMap<_, _>| fields.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn reads_what_another_parser_writes(value in values(), drop in 1..40usize, is_pretty: bool) {
        let text = match is_pretty {
            true => serde_json::to_vec_pretty(&value),
            false => serde_json::to_vec(&value),
        };
        let text = text.expect("JSON");
        let read: Value = parse_in(&text, drop, BOUNDS).expect("JSON");
        prop_assert_eq!(read, value);
        prop_assert!(skip(&text, drop).is_ok());
    }

    #[test]
    fn refuses_what_another_parser_refuses(
        value in values(),
        at in any::<prop::sample::Index>(),
        with in prop::sample::select(b"[]{},:\"\\ 0-1.eEtfn\x00\x1f\x7f\xc3u".to_vec()),
        drop in 1..40usize,
    ) {
        let mut text = serde_json::to_vec(&value).expect("JSON");
        let at = at.index(text.len());
        text[at] = with;
        let other = serde_json::from_slice::<Value>(&text);
        let read = parse_in::<Value>(&text, drop, BOUNDS);
        prop_assert_eq!(read.is_ok(), other.is_ok(), "{:?} {:?}", read, other);
        // What is passed over is not looked at for its encoding.
        if std::str::from_utf8(&text).is_ok() {
            prop_assert_eq!(skip(&text, drop).is_ok(), other.is_ok());
        }
    }
}
