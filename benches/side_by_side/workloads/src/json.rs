//! serde_json: a document becomes a tree of values and is dropped.

use crate::budget::Budget;
use measure::Measurement;
use serde_json::Value;
use std::fmt::Write as _;
use std::hint::black_box;

pub(super) fn run(budget: Budget) -> Measurement {
    let document = document();
    budget.measure(1, |units| {
        for _ in 0..units {
            let value: Value = serde_json::from_str(&document).expect("the document is valid");
            drop(black_box(value));
        }
    })
}

/// 1,700 records of strings, numbers, lists and objects: about 200 KB.
fn document() -> String {
    let mut text = String::from("[");
    for record in 0..1_700 {
        if record > 0 {
            text.push(',');
        }
        write!(
            text,
            r#"{{"id":{record},"name":"record number {record}","tags":["a{record}","b","c"],"#
        )
        .and_then(|()| {
            write!(
                text,
                r#""at":{{"x":{}.5,"y":[1,2,{record}],"where":"shelf {record}"}}}}"#,
                record * 3
            )
        })
        .expect("a string takes every text");
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_valid_and_of_200_kb() {
        let document = document();
        assert!(
            (190_000..210_000).contains(&document.len()),
            "{}",
            document.len()
        );
        let value: Value = serde_json::from_str(&document).unwrap();
        assert_eq!(value.as_array().map(Vec::len), Some(1_700));
    }
}
