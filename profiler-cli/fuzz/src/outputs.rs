//! From snapshots to every output: whatever names and numbers are in them, text is safe on a
//! terminal, JSON is JSON, a picture has the elements of a picture, folded paths stay lines.

use std::io;

use heaplens::snapshot::{Limits, Snapshot, is_unprintable, read_bytes, write};
use heaplens_cli::analysis::diff::{Diff, diff};
use heaplens_cli::analysis::heap_graph::retained::Retention;
use heaplens_cli::analysis::heap_graph::{HeapGraph, Held};
use heaplens_cli::analysis::inspect::inspect;
use heaplens_cli::analysis::suspects::suspects;
use heaplens_cli::analysis::top::{By, Sort, top, top_since};
use heaplens_cli::input::{Options, history::RunReader};
use heaplens_cli::profile::{Filter, OwnCrates, Profile, ProfileBuilder};
use heaplens_cli::render::differential::{self, View};
use heaplens_cli::render::{
    diff_json, diff_text, flamegraph, folded, inspect_json, inspect_text, leaks_json, leaks_text,
    report, retained_json, retained_text, speedscope, suspects_json, suspects_text, top_json,
    top_text,
};
use quick_xml::events::{BytesStart, Event};

use super::made_up::{self, Bytes};

/// Draws and lists two snapshots that the bytes describe, the difference between them, and what a
/// run with them is suspected of; all of it, and what passes a filter.
pub fn outputs(data: &[u8]) {
    let mut bytes = Bytes(data);
    let snapshots = [(); 2].map(|()| through_a_file(&made_up::snapshot(&mut bytes)));
    let own = OwnCrates {
        named: vec!["shop".to_owned()],
        ..OwnCrates::default()
    };
    let no_std = Filter {
        no_std: true,
        ..Filter::default()
    };
    for filter in [Filter::default(), no_std] {
        let options = Options {
            own_crates: own.clone(),
            filter,
            ..Options::default()
        };
        let [before, after] = [&snapshots[..1], &snapshots[..]].map(|some| profile(some, &options));
        for profile in [&before, &after] {
            check_profile(profile);
        }
        check_difference(&before, &after);
        snapshots
            .iter()
            .for_each(|one| check_holders(one, &options));
        check_run(&snapshots, &diff(&before, &after), &options);
    }
    let inspections: Vec<_> = snapshots
        .iter()
        .map(|one| inspect("some\u{1b}file", one))
        .collect();
    is_text(&written(|out| inspect_text::write(&inspections, out)));
    is_json(&written(|out| inspect_json::write(&inspections, out)));
}

fn through_a_file(snapshot: &Snapshot) -> Snapshot {
    let mut file = Vec::new();
    write(snapshot, &mut file).expect("it is valid");
    let read = read_bytes("x", &file, &Limits::default()).expect("our own file");
    assert_eq!(read, *snapshot);
    read
}

fn profile(snapshots: &[Snapshot], options: &Options) -> Profile {
    let mut builder = ProfileBuilder::new(&options.own_crates);
    for snapshot in snapshots {
        builder.add("some\u{1b}file", snapshot, snapshot.symbols.as_ref());
    }
    builder.finish(&options.filter)
}

fn check_profile(profile: &Profile) {
    for inverted in [false, true] {
        is_picture(&written(|out| flamegraph::live_svg(profile, inverted, out)));
        are_paths(&written(|out| folded::live(profile, inverted, out)), 1);
    }
    is_json(&written(|out| speedscope::write(profile, out)));
    for by in [By::Function, By::Owner, By::Crate] {
        for sort in [Sort::Live, Sort::Count, Sort::Total] {
            let rows = top(profile, by, sort);
            is_text(&written(|out| {
                top_text::write(profile, &rows, by, sort, 20, out)
            }));
            is_json(&written(|out| {
                top_json::write(profile, None, &rows, (by, sort), usize::MAX, out)
            }));
        }
    }
}

fn check_difference(before: &Profile, after: &Profile) {
    let diff = diff(before, after);
    for inverted in [false, true] {
        for all_frames in [false, true] {
            let view = View {
                inverted,
                all_frames,
            };
            is_picture(&written(|out| differential::svg(&diff, view, out)));
        }
        are_paths(
            &written(|out| folded::before_and_after(&diff, inverted, out)),
            2,
        );
    }
    is_text(&written(|out| diff_text::write(&diff, 10, out)));
    is_json(&written(|out| diff_json::write(&diff, usize::MAX, out)));
    let (by, sort) = (By::Owner, Sort::Growth);
    let rows = top_since(&diff, by, sort);
    is_text(&written(|out| {
        top_text::write(after, &rows, by, sort, 20, out)
    }));
    is_json(&written(|out| {
        top_json::write(after, Some(before), &rows, (by, sort), usize::MAX, out)
    }));
}

/// Six snapshots, in turns one of those given, as many as a judgement needs.
fn check_run(snapshots: &[Snapshot], diff: &Diff<'_>, options: &Options) {
    let newest = &snapshots[snapshots.len() - 1];
    let mut run = RunReader::new("some\u{1b}file", newest, newest.symbols.as_ref(), options);
    for at in (1..=6).rev() {
        let mut snapshot = snapshots[at % snapshots.len()].clone();
        let header = &mut snapshot.header;
        header.uptime_ms = (header.uptime_ms % (1 << 40)).saturating_mul(at as u64);
        run.add("some\u{1b}file", &snapshot);
    }
    let history = run.finish();
    let suspects = suspects(&history);
    is_text(&written(|out| {
        suspects_text::write(&suspects, Some(1 << 30), 10, out)
    }));
    is_json(&written(|out| {
        suspects_json::write(&suspects, None, usize::MAX, out)
    }));
    if let Some(graph) = &history.graph {
        let profile = &history.profile;
        is_text(&written(|out| leaks_text::write(profile, graph, 10, out)));
        is_json(&written(|out| {
            leaks_json::write(profile, graph, usize::MAX, out)
        }));
    }
    let report = report::Report {
        suspects: &suspects,
        diff,
        limit: Some(1 << 30),
    };
    is_page(&written(|out| report::write(report, out)));
}

/// Who holds what in a snapshot.
fn check_holders(snapshot: &Snapshot, options: &Options) {
    let Some(graph) = &snapshot.graph else { return };
    let mut builder = ProfileBuilder::new(&options.own_crates);
    let nodes = builder.add("some\u{1b}file", snapshot, snapshot.symbols.as_ref());
    let (profile, site_of) = builder.finish_with_sites(&options.filter);
    let stacks = snapshot.sites.stack.iter();
    let nodes: Vec<_> = stacks
        .map(|&stack| site_of[nodes[stack as usize] as usize])
        .collect();
    let source = profile.sources()[0].clone();
    let names = [Some("</script>\u{1b}".to_owned())];
    let held = Held {
        graph: HeapGraph::new(&profile, source, graph, |site| nodes[site as usize]),
        retention: Retention::new(&profile, graph, nodes.clone(), &names).expect("dominators"),
        profile,
    };
    let ranked = held.retention.ranked();
    is_text(&written(|out| {
        retained_text::write(&held, &ranked, 10, out)
    }));
    is_json(&written(|out| {
        retained_json::write(&held, &ranked, usize::MAX, out)
    }));
}

fn written(output: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> String {
    let mut bytes = Vec::new();
    output(&mut bytes).expect("a vector takes all");
    String::from_utf8(bytes).expect("UTF-8")
}

fn is_text(text: &str) {
    assert_eq!(first_unsafe(text, &['\n']), None, "{text:?}");
}

/// The first character that a terminal obeys, but for those that are allowed. Plain text, which is nearly
/// all, goes through a table: the fuzzer watches comparisons, which makes them slow.
fn first_unsafe(text: &str, allowed: &[char]) -> Option<char> {
    const PLAIN: [bool; 256] = {
        let mut plain = [false; 256];
        let mut byte = b' ';
        while byte <= b'~' {
            plain[byte as usize] = true;
            byte += 1;
        }
        plain
    };
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| !PLAIN[usize::from(byte)]) {
        let mut chars = rest[at..].chars();
        let c = chars.next()?;
        if is_unprintable(c) && !allowed.contains(&c) {
            return Some(c);
        }
        rest = chars.as_str();
    }
    None
}

fn is_json(text: &str) {
    is_text(text);
    serde_json::from_str::<serde_json::Value>(text).expect("JSON");
}

fn are_paths(text: &str, columns: usize) {
    for line in text.lines() {
        assert_eq!(first_unsafe(line, &[]), None, "{line:?}");
        let mut path = line;
        for _ in 0..columns {
            let (rest, number) = path.rsplit_once(' ').expect("a number");
            number.parse::<u64>().expect("a number");
            path = rest;
        }
    }
}

/// Well-formed, and nothing in it but what a picture of harmless names has: no element, no
/// attribute that runs or loads anything, and one script, which is not from the snapshot.
fn is_picture(svg: &str) {
    let mut reader = quick_xml::Reader::from_str(svg);
    let mut scripts = 0;
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Eof => break,
            Event::Start(element) | Event::Empty(element) => {
                scripts += usize::from(element.name().as_ref() == b"script");
                is_harmless(&element);
            }
            Event::Text(text) => {
                text.decode().expect("UTF-8");
            }
            Event::CData(script) => {
                assert_eq!(scripts, 1, "text that is not escaped");
                let text = script.decode().expect("UTF-8");
                assert!(!text.contains("alert("), "a name in the script");
            }
            _ => {}
        }
    }
    assert!(scripts <= 1, "{scripts} scripts");
    let bad = first_unsafe(svg, &['\n', '\t']);
    assert_eq!(bad, None, "{svg}");
}

/// One style and one script that are not from the snapshot, data that is JSON and cannot end before
/// its end, and beside these only elements and attributes that do nothing.
fn is_page(page: &str) {
    is_text(page);
    let (head, rest) = page.split_once("<style>").expect("a style");
    let (style, rest) = rest.split_once("</style>").expect("its end");
    let (body, rest) = rest
        .split_once("<script type=\"application/json\" id=\"data\">")
        .expect("data");
    let (data, rest) = rest.split_once("</script>\n<script>").expect("a script");
    let (script, rest) = rest.split_once("</script>").expect("its end");
    assert_eq!(rest, "\n</body>\n</html>\n");
    assert!(!data.contains('<'), "{data}");
    is_json(data);
    for own in [style, script] {
        assert!(!own.contains("alert("), "a name in a style or a script");
    }
    for markup in [head, body] {
        let mut reader = quick_xml::Reader::from_str(markup);
        reader.config_mut().check_end_names = false;
        reader.config_mut().allow_unmatched_ends = true;
        loop {
            match reader.read_event().expect("well-formed") {
                Event::Eof => break,
                Event::Start(element) | Event::Empty(element) => is_harmless_html(&element),
                Event::Comment(_) | Event::CData(_) | Event::PI(_) => panic!("markup from a name"),
                _ => {}
            }
        }
    }
}

fn is_harmless_html(element: &BytesStart<'_>) {
    const ELEMENTS: &str = " html head meta title body header nav main section article footer div p \
        h1 h2 h3 ul ol li dl dt dd b i small span code kbd wbr a form fieldset legend label input \
        button details summary noscript canvas svg line rect path text polyline polygon table thead tbody \
        tfoot tr th td ";
    let name = String::from_utf8_lossy(element.name().as_ref()).into_owned();
    assert!(ELEMENTS.contains(&format!(" {name} ")), "<{name}>");
    for attribute in element.html_attributes() {
        let attribute = attribute.expect("well-formed");
        let key = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
        let value = String::from_utf8_lossy(&attribute.value);
        let allowed = match key.as_str() {
            "href" => name == "a" && value.starts_with('#'),
            "src" | "style" | "action" | "srcdoc" => false,
            key => !key.starts_with("on"),
        };
        assert!(allowed, "<{name} {key}={value}>");
    }
}

fn is_harmless(element: &BytesStart<'_>) {
    const ELEMENTS: [&str; 13] = [
        "svg",
        "defs",
        "pattern",
        "linearGradient",
        "stop",
        "style",
        "script",
        "g",
        "rect",
        "text",
        "title",
        "a",
        "tspan",
    ];
    let name = String::from_utf8_lossy(element.name().as_ref()).into_owned();
    assert!(ELEMENTS.contains(&name.as_str()), "<{name}>");
    for attribute in element.attributes() {
        let attribute = attribute.expect("well-formed");
        let key = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
        let value = String::from_utf8_lossy(&attribute.value);
        let own_start = name == "svg" && key == "onload" && value == "init(evt)";
        assert!(
            own_start || !key.starts_with("on"),
            "<{name} {key}={value}>"
        );
        assert!(!key.ends_with("href"), "<{name} {key}={value}>");
    }
}
