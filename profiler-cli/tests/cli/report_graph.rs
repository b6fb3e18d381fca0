//! The graph of the heap in `heaplens report`.

use std::path::PathBuf;

use crate::chromium::Chromium;
use crate::fixture::*;
use crate::heap_graph::*;
use crate::suspects::{shop, write_run};
use heaplens::snapshot::graph::{LeftOut, Role};
use tempfile::{TempDir, tempdir};

const NONE: (u64, u64) = (0, 0);

/// A cycle of so many kinds of blocks, some with a pointer to themselves, and as many kinds that hang on it.
fn ring(kinds: u32) -> Fixture {
    let (mut fixture, mut graph) = (Fixture::new(3), GraphFixture::new());
    let (mut members, mut links) = (Vec::new(), Vec::new());
    for kind in 0..2 * kinds {
        let name = format!("shop::ring::kind_{kind}@/w/shop/src/ring.rs:{}", kind + 1);
        let leaf = made(&format!("alloc::rc::Rc<shop::ring::Kind{kind}>"));
        let bytes = u64::from(1_000 - kind) * 100;
        let role = if kind < kinds {
            Role::Cycle
        } else {
            Role::Hanging
        };
        fixture = fixture.site(&[MAIN, &name, &leaf], bytes as i64, 100);
        graph = graph.site([NONE, NONE, (100, bytes)]);
        members.push((kind, role, 100, bytes));
        let from = if kind < kinds {
            (kind + 1) % kinds
        } else {
            kind
        };
        links.push((kind % kinds, from, 8, 100));
    }
    links.push((0, 0, 24, 50));
    graph.shape(100, &members, &links).of(fixture)
}

/// The page of a snapshot.
fn page(folder: &TempDir, fixture: Fixture) -> String {
    let file = fixture.write(folder, "a.json.gz");
    stdout(args!["report", file])
}

#[test]
fn the_page_tells_what_pointers_lead_to_and_draws_the_cycle() {
    let folder = tempdir().unwrap();
    let fixture = lost(9, 10_000).with(|snapshot| {
        let groups = &mut snapshot.graph.as_mut().unwrap().groups;
        groups.left_out = LeftOut {
            shapes: 2,
            instances: 2,
            blocks: 3,
            bytes: 40,
        };
    });
    let page = page(&folder, fixture);
    for part in [
        "<a href=\"#pointers\">Pointers</a>",
        "<dt>No pointer found to</dt><dd><b>976.6 KiB</b><span>10,000 of its 10,000 blocks</span>",
        "<b>No pointer found</b> to 1.5 MiB in 30,005 blocks, of 1.9 MiB that the scan found.",
        "<i class=\"key unreached\"></i>no pointer found: 1.5 MiB in 30,005 blocks, 79.8 %",
        "<rect class=\"foreign\" x=\"182.0\" y=\"0\" width=\"20.2\" height=\"10\"/>",
        "<span class=\"badge leak\">cycle</span> <h3>Rc&lt;RefCell&lt;Panel&gt;&gt; (compose.rs:41) ↔ Rc&lt;Child&gt; (compose.rs:57), 10,000 times, 1.5 MiB</h3>",
        "aria-label=\"cycle: Rc&lt;RefCell&lt;Panel&gt;&gt; (compose.rs:41) ↔ Rc&lt;Child&gt; (compose.rs:57)\"",
        "10,000 at +32</text>",
        ">976.6 KiB in 10,000</text>",
        "Rc&lt;Child&gt; (compose.rs:57): 488.3 KiB in 10,000 blocks by the path",
        "<span class=\"badge leak\">forgotten</span>",
        "<li>2 kinds more, with 40 B in 3 blocks, for which the file had no room</li>",
        "pointers that the kernel alone keeps",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let section = page.split_once("<section id=\"pointers\"").unwrap().1;
    let section = section.split_once("</section>").unwrap().0;
    let taboo = ["NaN\"", "inf\"", "prove"];
    assert!(
        taboo.iter().all(|word| !section.contains(word)),
        "{section}"
    );
    // A box for each kind of block, and an arrow for each kind of pointer.
    assert_eq!(page.matches("<rect class=\"block\"").count(), 3);
    assert_eq!(page.matches("<rect class=\"block hanging\"").count(), 1);
    assert_eq!(page.matches("class=\"pointer\"").count(), 3);
}

#[test]
fn a_trend_keeps_its_numbers_beside_those_of_the_graph() {
    let folder = tempdir().unwrap();
    write_run(&folder, 1..=11);
    GraphFixture::new()
        .site([NONE, NONE, (12_000, 12_000_000)])
        .of(shop(12))
        .write(&folder, "12.json.gz");
    let page = stdout(args!["report", folder.path()]);
    for part in [
        "<dt>Leaks</dt>",
        "<dt>Confidence</dt>",
        "<dt>No pointer found to</dt><dd><b>11.4 MiB</b>",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[test]
fn without_a_graph_the_page_has_no_such_part() {
    let folder = tempdir().unwrap();
    let page = page(&folder, shop(3));
    assert!(!page.contains("id=\"pointers\"") && !page.contains("#pointers"));
}

/// Boxes of pictures of any size stand apart, and their texts within them; nothing is said against the page.
#[test]
fn pictures_are_laid_out_in_both_schemes() {
    let folder = tempdir().unwrap();
    let Some(mut browser) = Chromium::start() else {
        return;
    };
    let file: PathBuf = folder.path().join("report.html");
    for kinds in [1, 3, 12] {
        std::fs::write(&file, page(&folder, ring(kinds))).unwrap();
        browser.open(&file);
        let overlaps = browser.evaluate(
            "(() => { const boxes = [...document.querySelectorAll('.shape .block')].map(b => \
             b.getBoundingClientRect()); return boxes.filter((a, at) => boxes.some((b, other) => \
             other > at && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)).length \
             + 100 * Number(boxes.length == 0); })()",
        );
        assert_eq!(overlaps, 0, "{kinds}");
        let outside = browser.evaluate(
            "[...document.querySelectorAll('.shape text, .shape .block')].filter(one => { const a = \
             one.getBoundingClientRect(), b = one.closest('svg').getBoundingClientRect(); return a.left < \
             b.left - 1 || a.right > b.right + 1 || a.top < b.top - 1 || a.bottom > b.bottom + 1; }).length",
        );
        assert_eq!(outside, 0, "{kinds}");
        let fill = "getComputedStyle(document.querySelector('.shape .what')).fill";
        let [light, dark] = ["light", "dark"].map(|scheme| {
            browser.prefer(scheme);
            browser.evaluate(fill)
        });
        assert_ne!(light, dark);
        assert_eq!(browser.complaints(), [""; 0]);
    }
}
