//! The picture of `heaplens diff`, read back.

use std::collections::BTreeMap;

use crate::chromium::Chromium;
use crate::fixture::*;
use proptest::prelude::*;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use tempfile::tempdir;

/// A frame as the picture has it.
#[derive(Debug, Default, Clone)]
struct Frame {
    class: String,
    /// In percent of the picture.
    left: f64,
    width: f64,
    row: f64,
    caller: usize,
    before: i64,
    after: i64,
    change: i64,
    title: String,
}

fn attribute(element: &BytesStart<'_>, name: &str) -> String {
    let attribute = element.try_get_attribute(name).unwrap();
    let attribute = attribute.unwrap_or_else(|| panic!("no {name} in {element:?}"));
    String::from_utf8(attribute.value.into_owned()).unwrap()
}

/// The frames of a picture, in its order.
fn frames(svg: &str) -> Vec<Frame> {
    let mut reader = quick_xml::Reader::from_str(svg);
    let mut frames: Vec<Frame> = Vec::new();
    let mut in_title = false;
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => break,
            Event::Start(element) if element.name().as_ref() == b"title" => in_title = true,
            Event::End(element) if element.name().as_ref() == b"title" => in_title = false,
            Event::Start(element) if element.name().as_ref() == b"svg" => {
                let class = element.try_get_attribute("class").unwrap();
                if class.is_none_or(|class| !class.value.starts_with(b"frame")) {
                    continue;
                }
                let number = |name| attribute(&element, name).parse::<i64>().unwrap();
                let place = |name| {
                    let text = attribute(&element, name);
                    text.trim_end_matches('%').parse::<f64>().unwrap()
                };
                frames.push(Frame {
                    class: attribute(&element, "class"),
                    left: place("x"),
                    width: place("width"),
                    row: place("y"),
                    caller: number("data-caller") as usize,
                    before: number("data-before"),
                    after: number("data-after"),
                    change: number("data-change"),
                    title: String::new(),
                });
            }
            // `&lt;` and the like.
            Event::GeneralRef(escaped) if in_title => {
                let escaped = format!("&{};", escaped.decode().unwrap());
                frames.last_mut().unwrap().title += &unescape(&escaped).unwrap();
            }
            Event::Text(text) if in_title => {
                frames.last_mut().unwrap().title += &text.decode().unwrap();
            }
            _ => {}
        }
    }
    frames
}

/// A frame's names from the outermost on; of a picture with all frames.
fn path(frames: &[Frame], mut at: usize) -> Vec<String> {
    let mut path = Vec::new();
    while at > 0 {
        path.push(frames[at].title.lines().next().unwrap().to_owned());
        at = frames[at].caller;
    }
    path.reverse();
    path
}

fn picture(before: &Fixture, after: &Fixture, more: &[&str]) -> String {
    let folder = tempdir().unwrap();
    let [before, after] = [(before, "b.json.gz"), (after, "a.json.gz")]
        .map(|(fixture, name)| write(&fixture.clone().build(true), &folder.path().join(name)));
    let mut line = args!["diff", before, after, "--format", "svg"].to_vec();
    line.extend(more.iter().map(Into::into));
    stdout(&line)
}

fn frame<'a>(frames: &'a [Frame], name: &str) -> &'a Frame {
    let found = frames.iter().find(|frame| frame.title.starts_with(name));
    found.unwrap_or_else(|| panic!("no {name} in {frames:#?}"))
}

/// One path of each kind.
fn sides() -> [Fixture; 2] {
    let before = Fixture::new(1)
        .site(&[MAIN, CACHE], 900_000, 9)
        .site(&[MAIN, "shop::pool::fill"], 400_000, 4)
        .site(&[MAIN, GONE], 300_000, 3);
    let after = Fixture::new(9)
        .site(&[MAIN, CACHE], 600_000, 6)
        .site(&[MAIN, "shop::pool::fill"], 500_000, 5)
        .site(&[MAIN, COMPOSE], 2_000_000, 20);
    [before, after]
}

#[test]
fn each_frame_tells_what_became_of_it() {
    let [before, after] = sides();
    let frames = frames(&picture(&before, &after, &[]));
    for (name, state, before, after) in [
        ("all", "grew", 1_600_000, 3_100_000),
        ("shop::main", "grew", 1_600_000, 3_100_000),
        ("shop::compose::compose_complex", "new", 0, 2_000_000),
        ("shop::pool::fill", "grew", 400_000, 500_000),
        ("shop::cache::put", "shrank", 900_000, 600_000),
        ("shop::warm_up", "gone", 300_000, 0),
    ] {
        let frame = frame(&frames, name);
        assert_eq!(frame.class.split(' ').nth(1), Some(state), "{frame:?}");
        let numbers = (frame.before, frame.after, frame.change);
        assert_eq!(numbers, (before, after, after - before), "{frame:?}");
    }
    // What grew stands left of what shrank.
    let left = |name| frame(&frames, name).left;
    assert!(left("shop::compose::compose_complex") < left("shop::pool::fill"));
    assert!(left("shop::pool::fill") < left("shop::cache::put"));
}

#[test]
fn the_heading_says_what_how_much_since_when_and_which_file_is_before() {
    let svg = picture(&before(), &after(), &[]);
    for part in [
        ">Live memory: +9.5 MiB, 8m later<",
        ">BEFORE</tspan> <tspan x=\"6.5%\">2026-01-05 14:01:00 UTC, 976.1 KiB live, exact: b.json.gz<",
        ">AFTER</tspan> <tspan x=\"6.5%\">2026-01-05 14:09:00 UTC, 10.5 MiB live, exact: a.json.gz<",
        "data-find=\"shop::compose::compose_complex\">1 ▸ <tspan class=\"strong\">+9.5 MiB</tspan>, 100.0 % of \
         growth, in <tspan class=\"strong\">compose::compose_complex</tspan>  /w/shop/src/compose.rs:142<",
    ] {
        assert!(svg.contains(part), "{part} in {svg}");
    }
    assert!(!svg.contains("sampling error"), "it is exact");
    let unchanged = picture(&before(), &before(), &[]);
    assert!(unchanged.contains("No path changed."), "{unchanged}");
}

#[test]
fn estimates_have_their_error_and_noise_is_pale() {
    let [before, after] = sides();
    let (before, after) = (before.sampled(1e9), after.sampled(4e10));
    let svg = picture(&before, &after, &[]);
    assert!(svg.contains("pale: within the sampling error (95 %)"));
    let frames = frames(&svg);
    let put = frame(&frames, "shop::cache::put");
    assert!(put.class.contains("noise"), "{put:?}");
    assert!(put.title.contains("-293.0 KiB ±"), "{put:?}");
    let compose = frame(&frames, "shop::compose::compose_complex");
    assert!(!compose.class.contains("noise"), "{compose:?}");
}

#[test]
fn runs_of_frames_that_are_nobodys_own_are_one() {
    let names = |n: usize| (0..n).map(|n| format!("libc_{n}")).collect::<Vec<_>>();
    let (outer, inner) = (names(5), names(2));
    let stack: Vec<&str> = outer
        .iter()
        .map(String::as_str)
        .chain([MAIN, CACHE])
        .chain(inner.iter().map(String::as_str))
        .collect();
    let before = Fixture::new(1);
    let after = Fixture::new(2).bare_site(&stack, 1_000, 1);
    let folded = frames(&picture(&before, &after, &[]));
    let lines: Vec<usize> = folded.iter().map(|f| f.title.lines().count() - 1).collect();
    assert_eq!(lines, [1, 5, 1, 1, 1, 1], "{folded:#?}");
    let all = frames(&picture(&before, &after, &["--all-frames"]));
    assert_eq!(all.len(), 1 + stack.len());
    let turned = frames(&picture(&before, &after, &["--all-frames", "--inverted"]));
    let [first, last] = [1, stack.len()].map(|at| turned[at].title.lines().next().unwrap());
    assert_eq!([first, last], ["libc_1", "libc_0"], "{turned:#?}");
}

#[test]
fn it_zooms_and_searches() {
    let [before, after] = sides();
    let folder = tempdir().unwrap();
    let file = folder.path().join("picture.svg");
    std::fs::write(&file, picture(&before, &after, &[])).unwrap();
    let Some(mut browser) = Chromium::start() else {
        return;
    };
    browser.open(&file);
    // A name for each frame, so that it can be clicked.
    browser.evaluate(
        "document.querySelectorAll('.frame').forEach((frame) => {
            frame.id = frame.querySelector('title').textContent.split('\\n')[0].replaceAll(':', '_');
        })",
    );
    let shown = |browser: &mut Chromium| {
        let document = browser.evaluate("new XMLSerializer().serializeToString(document)");
        frames(document.as_str().unwrap())
    };

    browser.click("#shop__warm_up");
    let zoomed = shown(&mut browser);
    let warm_up = frame(&zoomed, "shop::warm_up");
    assert_eq!((warm_up.left, warm_up.width), (0.0, 100.0));
    assert!(frame(&zoomed, "shop::cache::put").class.contains("hidden"));
    assert!(frame(&zoomed, "shop::main").class.contains("below"));

    browser.press("Escape");
    browser.type_text("/PUT");
    let details = browser.text("#details");
    assert_eq!(details, "1 frames match, -293.0 KiB net");
    let found = shown(&mut browser);
    assert!(frame(&found, "shop::cache::put").class.contains("found"));

    browser.press("Escape");
    for frame in shown(&mut browser) {
        for state in ["hidden", "found", "below"] {
            assert!(!frame.class.contains(state), "{frame:?}");
        }
    }

    browser.click("text.owner");
    let found = shown(&mut browser);
    assert!(
        frame(&found, "shop::compose::compose_complex")
            .class
            .contains("found")
    );

    // From all of it inward, to the side, and into what is there.
    browser.press("Escape");
    for key in ["ArrowUp", "ArrowUp", "ArrowUp", "ArrowRight", "Enter"] {
        browser.press(key);
    }
    let wide = shown(&mut browser);
    let pool = frame(&wide, "shop::pool::fill");
    assert!(pool.class.contains("pointed"), "{wide:#?}");
    assert_eq!(pool.width, 100.0);
    assert_eq!(browser.complaints(), [""; 0]);
}

/// Live bytes before and after, by path.
type Model = BTreeMap<Vec<u8>, [i64; 2]>;

fn model() -> impl Strategy<Value = Model> {
    let bytes = || prop_oneof![Just(0), 1..50_i64, 1..1_000_000_i64];
    let path = prop::collection::vec(0_u8..4, 1..6);
    prop::collection::btree_map(path, [bytes(), bytes()], 1..12)
}

fn names(path: &[u8]) -> Vec<String> {
    path.iter().map(|n| format!("shop::f{n}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever the two snapshots are: each frame has the sums of the paths through it, its change
    /// is after minus before, its width is what changed, and it stands on its caller.
    #[test]
    fn all_numbers_add_up(model in model()) {
        let [before, after] = [0, 1].map(|side| {
            let sites = model.iter().filter(|(_, bytes)| bytes[side] > 0);
            sites.fold(Fixture::new(1 + side as u64), |fixture, (path, bytes)| {
                let names = names(path);
                let path: Vec<&str> = names.iter().map(String::as_str).collect();
                fixture.bare_site(&path, bytes[side], 1)
            })
        });
        let svg = picture(&before, &after, &["--all-frames"]);
        let frames = frames(&svg);
        let sum = |path: &[String]| {
            let through = model.iter().filter(|(whole, _)| names(whole).starts_with(path));
            through.fold(([0, 0], 0), |(sums, changed), (_, &[before, after])| {
                ([sums[0] + before, sums[1] + after], changed + before.abs_diff(after))
            })
        };
        let ([all_before, all_after], all_changed) = sum(&[]);
        let leaves: i64 = model.values().map(|[before, after]| after - before).sum();
        prop_assert_eq!(frames[0].change, leaves);
        prop_assert_eq!((frames[0].before, frames[0].after), (all_before, all_after));
        for (at, frame) in frames.iter().enumerate() {
            let path = path(&frames, at);
            let ([before, after], changed) = sum(&path);
            prop_assert_eq!((frame.before, frame.after), (before, after), "{:?}", path);
            prop_assert_eq!(frame.change, after - before);
            let width = match at {
                0 => 100.0,
                _ => 100.0 * changed as f64 / all_changed as f64,
            };
            prop_assert!((frame.width - width).abs() < 0.001, "{:?} is not {} wide", frame, width);
            let caller = &frames[frame.caller];
            prop_assert!(at == 0 || frame.row < caller.row);
            prop_assert!(frame.left >= caller.left - 0.001);
            prop_assert!(frame.left + frame.width <= caller.left + caller.width + 0.001);
        }
        for (at, one) in frames.iter().enumerate() {
            for other in &frames[..at] {
                let apart = one.left + one.width <= other.left + 0.001
                    || other.left + other.width <= one.left + 0.001;
                prop_assert!(one.row != other.row || apart, "{:?} and {:?}", one, other);
            }
        }
        // A path that changed enough to be seen is drawn.
        for (path, [before, after]) in &model {
            if before.abs_diff(*after) as f64 > 1e-3 * all_changed as f64 {
                let drawn = (0..frames.len()).any(|at| self::path(&frames, at) == names(path));
                prop_assert!(drawn, "{:?} is missing", path);
            }
        }
    }
}
