//! `heaplens report` in a real browser: what is shown, what keys and pointers do, and that the page
//! keeps to itself.

use std::path::PathBuf;
use std::time::Instant;

use crate::chromium::Chromium;
use crate::fixture::*;
use crate::scale::large;
use crate::suspects::write_run;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

/// The report of a run of twelve minutes, open in a browser; `None` without one.
fn opened(folder: &TempDir) -> Option<(Chromium, PathBuf)> {
    write_run(folder, 1..=12);
    let page = folder.path().join("report.html");
    stdout(args!["report", folder.path(), "-o", page]);
    let mut browser = Chromium::start()?;
    browser.open(&page);
    Some((browser, page))
}

fn selected(browser: &mut Chromium) -> String {
    browser.text("#selected-name")
}

/// Exact numbers of what is selected: before, after, ever allocated.
fn numbers(browser: &mut Chromium) -> [i64; 3] {
    let numbers = browser.evaluate(
        "(({ before, after, total }) => [before, after, total].map(Number))(selected.dataset)",
    );
    [0, 1, 2].map(|at| numbers[at].as_f64().unwrap() as i64)
}

/// All checkboxes and radio buttons in turn.
const CONTROLS: [&str; 8] = [
    "#show-after",
    "#show-before",
    "#show-allocated",
    "#show-growth",
    "[name=runtime]",
    "[name=unfolded]",
    "[name=inverted]",
    "[name=crates]",
];

#[test]
fn the_root_is_what_a_diff_says_in_every_view() {
    let folder = tempdir().unwrap();
    let Some((mut browser, _)) = opened(&folder) else {
        return;
    };
    // The first after warm-up, and the newest.
    let [before, after] = ["03", "12"].map(|at| folder.path().join(format!("{at}.json.gz")));
    let totals = &json(args!["diff", before, after, "--format", "json"])["totals"];
    let number = |side: &str, field: &str| totals[side][field].as_i64().unwrap();
    let expected = [
        number("before", "live_bytes"),
        number("after", "live_bytes"),
        number("after", "total_bytes"),
    ];
    assert_eq!(numbers(&mut browser), expected);
    assert_eq!(
        expected[1] - expected[0],
        totals["change"]["live_bytes"].as_i64().unwrap()
    );
    for control in CONTROLS {
        browser.click(control);
        assert_eq!(numbers(&mut browser), expected, "{control}");
        assert_eq!(selected(&mut browser), "all");
        // Each row is made of parts of the one above, and the second one of all that has a width.
        browser.click("#graph");
        browser.press("Home");
        browser.press("ArrowDown");
        assert_ne!(selected(&mut browser), "all", "{control}");
    }
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn keys_do_all_that_the_pointer_does() {
    let folder = tempdir().unwrap();
    let Some((mut browser, _)) = opened(&folder) else {
        return;
    };
    // Search from anywhere.
    browser.press("/");
    browser.type_text("compose_com");
    assert_eq!(browser.text("#found"), "1 function, +8.6 MiB through them");
    browser.press("Enter");
    let compose = "shop::compose::compose_complex";
    assert_eq!(selected(&mut browser), compose);
    assert_eq!(
        browser.text("#selected-place"),
        "/w/shop/src/compose.rs:142"
    );
    assert_eq!(numbers(&mut browser), [3_000_000, 12_000_000, 12_000_000]);
    let said = browser.text("#selected-numbers");
    assert!(
        said.starts_with("+8.6 MiB · before 2.9 MiB, after 11.4 MiB · 11.4 MiB ever"),
        "{said}"
    );

    // Out to its caller, in again, and beside.
    browser.press("ArrowUp");
    assert_eq!(selected(&mut browser), "shop::main");
    browser.press("ArrowDown");
    assert_eq!(selected(&mut browser), compose);
    browser.press("ArrowRight");
    // What was freed is shown too, with nothing after.
    assert_eq!(selected(&mut browser), "shop::batch::collect");
    assert_eq!(numbers(&mut browser), [3_000_000, 0, 13_000_000]);
    browser.press("ArrowLeft");
    assert_eq!(selected(&mut browser), compose);

    // In view is what is below it, and its callers.
    let boxes = |browser: &mut Chromium| browser.evaluate("Number(canvas.dataset.boxes)");
    let all = boxes(&mut browser);
    browser.press("Enter");
    assert_eq!(boxes(&mut browser), 3);
    browser.press("Escape");
    assert_eq!(boxes(&mut browser), all);
    assert_eq!(selected(&mut browser), "all");
    assert_eq!(browser.text("#found"), "");

    // Focus is seen, and goes on to what follows.
    let focus = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.evaluate("document.activeElement.id"), "graph");
    assert_eq!(browser.evaluate(focus), "solid");
    browser.press("Tab");
    assert_eq!(
        browser.evaluate("document.activeElement.tagName"),
        "SUMMARY"
    );
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_pointer_shows_and_zooms() {
    let folder = tempdir().unwrap();
    let Some((mut browser, _)) = opened(&folder) else {
        return;
    };
    // Rows of 20 pixels: all, main, and what main calls, the one that grew most on the left.
    browser.point_at("#graph", 30.0, 50.0);
    assert!(
        browser
            .text("#tip")
            .contains("shop::compose::compose_complex")
    );
    browser.click_at("#graph", 30.0, 50.0);
    assert_eq!(selected(&mut browser), "shop::compose::compose_complex");
    assert_eq!(browser.evaluate("Number(canvas.dataset.boxes)"), 3);
    browser.click_at("#graph", 30.0, 10.0);
    assert_eq!(selected(&mut browser), "all");
    browser.click_at("#graph", 30.0, 50.0);
    browser.click("#reset");
    assert_eq!(selected(&mut browser), "all");

    // From a suspect to its place, whatever is shown just now.
    browser.click("[name=inverted]");
    browser.click("button[data-function]");
    assert_eq!(selected(&mut browser), "shop::compose::compose_complex");

    // By crate, neighbours of a crate are one.
    browser.click("#reset");
    browser.click("[name=inverted]");
    browser.click("[name=crates]");
    browser.click_at("#graph", 30.0, 30.0);
    assert_eq!(selected(&mut browser), "shop");
    assert_eq!(numbers(&mut browser), [16_000_000, 22_000_000, 53_000_000]);

    // The timeline tells of the snapshot nearest to the pointer, and to the arrow keys.
    browser.point_at("#chart", 2.0, 100.0);
    assert!(
        browser
            .text("#values")
            .starts_with("2026-01-05 14:01:00 UTC")
    );
    browser.evaluate("chart.focus()");
    browser.press("Home");
    browser.press("ArrowRight");
    let said = browser.text("#values");
    assert!(
        said.contains("live memory, all: ") && said.contains("14:02:00"),
        "{said}"
    );
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn both_schemes_and_small_windows_have_what_they_need() {
    let folder = tempdir().unwrap();
    let Some((mut browser, _)) = opened(&folder) else {
        return;
    };
    let seen = |browser: &mut Chromium| -> (Value, Value) {
        let page = browser.evaluate("getComputedStyle(document.body).backgroundColor");
        // Of the pool, which did not change: on the right in the third row.
        browser.click("#show-after");
        let pixel = browser.evaluate(
            "Array.from(canvas.getContext('2d').getImageData(canvas.width - 6, 46, 1, 1).data)",
        );
        (page, pixel)
    };
    browser.prefer("light");
    let (page, light) = seen(&mut browser);
    assert_eq!(page, "rgb(255, 255, 255)");
    browser.prefer("dark");
    let (page, dark) = seen(&mut browser);
    assert_eq!(page, "rgb(20, 22, 26)");
    assert_ne!(light, dark);
    for width in [420, 1_240] {
        browser.resize(width, 900);
        let stands_out = "document.documentElement.scrollWidth > window.innerWidth";
        assert_eq!(browser.evaluate(stands_out), json!(false), "{width}");
        // The canvas follows, once the browser has laid the page out anew.
        let fits = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => \
                    done(canvas.clientWidth === scroll.clientWidth && canvas.width > 300))))";
        let fits = fits.replace("scroll.", "document.getElementById('scroll').");
        assert_eq!(browser.evaluate(&fits), json!(true));
    }
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn one_snapshot_shows_what_is_live() {
    let folder = tempdir().unwrap();
    let files = write_run(&folder, 4..=4);
    let page = folder.path().join("report.html");
    stdout(args!["report", files[0], "-o", page]);
    let Some(mut browser) = Chromium::start() else {
        return;
    };
    browser.open(&page);
    assert_eq!(numbers(&mut browser), [0, 14_000_000, 21_000_000]);
    let said = browser.text("#selected-numbers");
    assert!(said.starts_with("13.4 MiB live · "), "{said}");
    let shown = "Array.from(document.querySelectorAll('.choice label'), (label) => \
                 label.hidden ? '' : label.textContent).join(' ').trim()";
    assert_eq!(browser.evaluate(shown), "live  ever allocated");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn everything_has_a_name_for_those_who_do_not_see_it() {
    let folder = tempdir().unwrap();
    let Some((mut browser, _)) = opened(&folder) else {
        return;
    };
    let unnamed = browser.evaluate(
        "Array.from(document.querySelectorAll('input, button, [tabindex], [role]')).filter(
            (element) => !(element.ariaLabel || element.labels?.length || element.textContent.trim()
                || element.getAttribute('role') === 'status')
        ).map((element) => element.outerHTML)",
    );
    assert_eq!(unnamed, json!([]));
    // The table says what the picture shows, and zooms as it does.
    browser.click("#below-title");
    let row = browser.text("#below tr");
    assert!(
        row.contains("+5.7 MiB") && row.contains("shop::main"),
        "{row}"
    );
    browser.click("#below button");
    assert_eq!(selected(&mut browser), "shop::main");
}

/// Prints how long it takes, in an optimised build:
/// `cargo test --release -p heaplens-cli --test cli a_hundred_thousand_sites -- --nocapture`.
#[test]
fn a_hundred_thousand_sites_cost_no_more_than_what_is_in_view() {
    const SITES: u32 = 100_000;
    const WIDTH: u64 = 1_240;
    let folder = tempdir().unwrap();
    let [before, after] = [1, 2].map(|sequence| {
        let file = folder.path().join(format!("{sequence}.json.gz"));
        write(&large(sequence, SITES), &file)
    });
    let page = folder.path().join("report.html");
    let start = Instant::now();
    stdout(args!["report", before, after, "-o", page]);
    let bytes = std::fs::metadata(&page).unwrap().len();
    eprintln!("{:?} to write {bytes} bytes", start.elapsed());
    assert!(bytes < 12 << 20, "{bytes}");
    let Some(mut browser) = Chromium::start() else {
        return;
    };
    let step = |browser: &mut Chromium, what: &str, does: &dyn Fn(&mut Chromium)| {
        let (start, before) = (Instant::now(), browser.processor_seconds());
        does(browser);
        // The answer comes once all that was asked for before is done.
        let work = browser.evaluate(
            "(({ boxes, drawn, opened }) => [boxes, drawn, opened].map(Number))(canvas.dataset)",
        );
        let [boxes, drawn, opened] = [0, 1, 2].map(|at| work[at].as_u64().unwrap());
        eprintln!(
            "{:?}, {:.2} s of them working, to {what}: {boxes} boxes, {drawn} drawn, {opened} opened",
            start.elapsed(),
            browser.processor_seconds() - before,
        );
        // No row has more boxes than pixels; folded calls are opened without a row of their own.
        let rows = browser.evaluate("document.getElementById('spacer').clientHeight / 20");
        let most = rows.as_u64().unwrap() * WIDTH;
        assert!(boxes <= most && drawn <= boxes && opened < most, "{what}");
        boxes
    };
    let all = step(&mut browser, "open", &|browser| browser.open(&page));
    assert!(all > 1_000, "{all}");
    step(&mut browser, "search", &|browser| {
        browser.press("/");
        browser.type_text("kind77");
        browser.press("Enter");
    });
    assert!(browser.text("#found").starts_with("111 functions"));
    assert!(selected(&mut browser).contains("Kind77"));
    let zoomed = step(&mut browser, "zoom", &|browser| browser.press("Enter"));
    assert_ne!(zoomed, all);
    let reset = step(&mut browser, "zoom out", &|browser| browser.press("Escape"));
    assert_eq!(reset, all);
    for control in CONTROLS {
        step(&mut browser, control, &|browser| browser.click(control));
    }
    assert_eq!(browser.complaints(), [""; 0]);
}
