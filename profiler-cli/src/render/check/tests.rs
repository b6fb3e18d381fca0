//! No name breaks out of any form: each is read by a parser of its kind, and has the shape that it has
//! with a plain name.

use std::io::{self, Write};

use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};
use quick_xml::events::Event as XmlEvent;

use super::report::Report;
use super::sample::report;
use super::{github, json, junit, markdown, text};
use crate::render::escape::printable;

const PLAIN: &str = "shop";

fn written(report: &Report, write: fn(&Report, &mut dyn Write) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Names that mean something to some form, and any others.
fn name() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        any::<String>(),
        prop::sample::select(vec![
            "\n",
            "\r\n",
            "\n::error file=x::y",
            "::",
            "%0A",
            "%25",
            "%",
            ",line=1",
            "##[error]",
            "]]>",
            "<!--",
            "-->",
            "<script>",
            "</code>",
            "&lt;",
            "&#10;",
            "\"",
            "'",
            "`",
            "```",
            "|",
            "\\|",
            "\n|a|b|",
            "**b**",
            "__b__",
            "~~s~~",
            "![x](http://a/b)",
            "[x]: http://a",
            "https://a.b",
            "www.a.b",
            "a@b.cd",
            "@user",
            "#1",
            ":+1:",
            "# h",
            "- l",
            "1. l",
            "    c",
            "\t",
            "\u{0}",
            "\u{1b}[2J",
            "\u{202e}",
            "\u{fffe}",
            "shop::cart",
            "é",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 1..4).prop_map(|parts| parts.concat())
}

type Properties = Vec<(String, String)>;

/// A workflow command as the runner of GitHub Actions reads it: name, properties, message.
fn command(line: &str) -> Option<(String, Properties, String)> {
    let rest = line.trim_start().strip_prefix("::")?;
    let (head, message) = rest.split_once("::")?;
    let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
    let unescaped = |text: &str| {
        let text = text.replace("%0D", "\r").replace("%0A", "\n");
        text.replace("%3A", ":")
            .replace("%2C", ",")
            .replace("%25", "%")
    };
    let properties = properties.split(',').filter_map(|property| {
        let (key, value) = property.split_once('=')?;
        Some((key.to_owned(), unescaped(value)))
    });
    let message = message
        .replace("%0D", "\r")
        .replace("%0A", "\n")
        .replace("%25", "%");
    Some((name.to_owned(), properties.collect(), message))
}

/// What a Markdown text is made of, and its text.
fn markdown_shape(text: &str) -> (Vec<String>, String) {
    let (mut shape, mut all) = (Vec::new(), String::new());
    for event in Parser::new_ext(text, Options::all()) {
        match event {
            Event::Text(text) => all += &text,
            Event::SoftBreak => shape.push("break".to_owned()),
            Event::Start(Tag::Table(columns)) => shape.push(format!("table of {}", columns.len())),
            event => shape.push(format!("{event:?}")),
        }
    }
    (shape, all)
}

/// What an XML text is made of, and its texts and values of attributes.
fn xml_shape(text: &str) -> (Vec<String>, Vec<String>) {
    let (mut shape, mut all) = (Vec::new(), Vec::new());
    let mut reader = quick_xml::Reader::from_str(text);
    let mut content = String::new();
    loop {
        match reader.read_event().unwrap() {
            XmlEvent::Eof => return (shape, all),
            XmlEvent::Start(tag) | XmlEvent::Empty(tag) => {
                let mut element = String::from_utf8(tag.name().as_ref().to_vec()).unwrap();
                for attribute in tag.attributes() {
                    let attribute = attribute.unwrap();
                    element += " ";
                    element += str::from_utf8(attribute.key.as_ref()).unwrap();
                    let value = str::from_utf8(&attribute.value).unwrap();
                    all.push(quick_xml::escape::unescape(value).unwrap().into_owned());
                }
                shape.push(element);
            }
            XmlEvent::Text(text) => content += str::from_utf8(&text).unwrap(),
            XmlEvent::GeneralRef(entity) => {
                content += &format!("&{};", str::from_utf8(&entity).unwrap());
            }
            XmlEvent::End(tag) => {
                shape.push(format!("/{}", str::from_utf8(tag.name().as_ref()).unwrap()));
                all.push(quick_xml::escape::unescape(&content).unwrap().into_owned());
                content.clear();
            }
            XmlEvent::Decl(_) => {}
            other => panic!("{other:?} in {text}"),
        }
    }
}

proptest! {
    #[test]
    fn annotations_stay_annotations(name in name()) {
        let out = written(&report(&name), github::write);
        let plain = written(&report(PLAIN), github::write);
        prop_assert_eq!(out.lines().count(), plain.lines().count());
        prop_assert!(!out.contains('\r'), "{}", out);
        let file = printable(&format!("src/{name}")).into_owned();
        for (line, plain) in out.lines().zip(plain.lines()) {
            let (command_name, properties, message) = command(line).unwrap();
            let (_, plain_properties, _) = command(plain).unwrap();
            prop_assert_eq!(command_name, "error");
            let keys = |properties: &[(String, String)]| {
                properties.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>()
            };
            prop_assert_eq!(keys(&properties), keys(&plain_properties), "{}", line);
            for (key, value) in &properties {
                match key.as_str() {
                    "file" => prop_assert_eq!(value, &file),
                    "line" => prop_assert_eq!(value, "7"),
                    _ => {}
                }
            }
            prop_assert!(message.contains(&*printable(&name)), "{:?}", message);
        }
    }

    #[test]
    fn junit_stays_what_it_is(name in name()) {
        let (shape, texts) = xml_shape(&written(&report(&name), junit::write));
        prop_assert_eq!(shape, xml_shape(&written(&report(PLAIN), junit::write)).0);
        let safe = printable(&name);
        prop_assert!(name.trim().is_empty() || texts.iter().any(|text| text == &*safe));
        let detail = format!("because: {safe}");
        prop_assert!(texts.iter().any(|text| text.contains(&detail)));
    }

    #[test]
    fn markdown_stays_what_it_is(name in name()) {
        let (shape, texts) = markdown_shape(&written(&report(&name), markdown::write));
        prop_assert_eq!(shape, markdown_shape(&written(&report(PLAIN), markdown::write)).0);
        prop_assert!(texts.contains(printable(name.trim()).trim()), "{}", texts);
    }

    #[test]
    fn json_has_the_very_names(name in name()) {
        let document: serde_json::Value =
            serde_json::from_str(&written(&report(&name), json::write)).unwrap();
        prop_assert_eq!(&document["programs"][0]["failures"][0]["owner"]["function"], &name);
        prop_assert_eq!(&document["programs"][0]["program"], &name);
    }

    #[test]
    fn no_line_of_text_is_an_order(name in name()) {
        let out = written(&report(&name), text::write);
        let plain = written(&report(PLAIN), text::write);
        prop_assert_eq!(out.lines().count(), plain.lines().count(), "{}", out);
        for line in out.lines() {
            prop_assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{}", line);
            prop_assert!(!line.chars().any(char::is_control), "{:?}", line);
        }
    }
}

#[test]
fn there_are_at_most_ten_annotations_and_each_program_has_its_first() {
    let mut all = report(PLAIN);
    all.errors.clear();
    let one = all.programs[0].clone();
    all.programs = (0..8)
        .map(|at| super::report::ProgramReport {
            program: format!("program {at}"),
            ..one.clone()
        })
        .collect();
    let out = written(&all, github::write);
    assert_eq!(out.lines().count(), 10);
    for at in 0..8 {
        assert!(
            out.contains(&format!("title=leak in program {at}::")),
            "{out}"
        );
    }
}

#[test]
fn one_summary_however_many_packages() {
    let mut all = report(PLAIN);
    let one = all.programs[0].clone();
    all.programs = vec![one; 1_000];
    let out = written(&all, markdown::write);
    assert!(out.len() < 256 << 10, "{}", out.len());
    assert_eq!(out.matches("## Memory").count(), 1);
    assert!(
        out.contains("980 more programs are not told of here"),
        "{out}"
    );
}
