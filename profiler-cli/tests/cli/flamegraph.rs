//! `heaplens flamegraph`

use crate::fixture::*;
use tempfile::tempdir;

/// The texts of the SVG's `title` elements: one for each frame.
fn titles(svg: &str) -> Vec<&str> {
    svg.split("<title>")
        .skip(1)
        .map(|rest| rest.split("</title>").next().unwrap())
        .collect()
}

/// The text of the element with this id.
fn text<'a>(svg: &'a str, id: &str) -> &'a str {
    let element = svg.split(&format!("id=\"{id}\"")).nth(1).unwrap();
    element
        .split_once('>')
        .unwrap()
        .1
        .split("</text>")
        .next()
        .unwrap()
}

#[test]
fn width_is_live_bytes() {
    let folder = tempdir().unwrap();
    let snapshot = after().write(&folder, "a.json.gz");
    let file = folder.path().join("live.svg");
    assert_eq!(stdout(args!["flamegraph", snapshot, "-o", file]), "");
    let svg = std::fs::read_to_string(&file).unwrap();
    let titles = titles(&svg);
    assert!(
        titles.contains(&"all (10,991,000 bytes, 100%)"),
        "{titles:?}"
    );
    assert!(
        titles.contains(&"shop::compose::compose_complex (10,000,000 bytes, 90.98%)"),
        "{titles:?}"
    );
    assert!(
        !svg.contains("__rust_alloc"),
        "the allocator's own frames are left out"
    );
    assert_eq!(text(&svg, "title"), "Live memory: 10.5 MiB");
    assert_eq!(
        text(&svg, "subtitle"),
        "2026-01-05 14:09:00 UTC, 9,110 blocks, exact"
    );
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let folder = tempdir().unwrap();
    let snapshot = after().write(&folder, "a.json.gz");
    let svg = || stdout(args!["flamegraph", snapshot]);
    assert_eq!(svg(), svg());
}

#[test]
fn own_code_stands_out() {
    let folder = tempdir().unwrap();
    let snapshot = after().write(&folder, "a.json.gz");
    let svg = stdout(args!["flamegraph", snapshot]);
    let fill = |name: &str| -> Vec<u8> {
        let frame = svg
            .split("<title>")
            .find(|frame| frame.starts_with(name))
            .unwrap();
        let rgb = frame
            .split("fill=\"rgb(")
            .nth(1)
            .unwrap()
            .split(')')
            .next()
            .unwrap();
        rgb.split(',').map(|part| part.parse().unwrap()).collect()
    };
    let own = fill("shop::compose::compose_complex");
    assert!(own[0] > own[1] + 60 && own[0] > own[2] + 60, "red: {own:?}");
    let std = fill("alloc::vec::Vec");
    assert!(std[0] == std[1] && std[1] == std[2], "grey: {std:?}");
}

#[test]
fn nothing_to_draw_is_a_picture_too() {
    let folder = tempdir().unwrap();
    let empty = Fixture::new(1).write(&folder, "e.json.gz");
    assert!(stdout(args!["flamegraph", empty]).contains("Nothing is live."));
    assert!(stdout(args!["top", empty]).contains("Nothing was recorded."));
}

#[test]
fn folded_is_a_line_for_each_path() {
    let folder = tempdir().unwrap();
    let snapshot = Fixture::new(1)
        .bare_site(&["a", "b", "__rust_alloc"], 5, 1)
        .bare_site(&["a", "b@src/b.rs:1"], 1, 1)
        .bare_site(&["a", "c"], 0, 0)
        .write(&folder, "a.json.gz");
    let folded = stdout(args!["flamegraph", snapshot, "--format", "folded"]);
    let mut lines: Vec<&str> = folded.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["a;b 1", "a;b 5"]);
}
