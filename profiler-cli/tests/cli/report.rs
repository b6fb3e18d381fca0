//! `heaplens report`

use crate::fixture::*;
use crate::suspects::{HOLD, set_ages, write_run};
use tempfile::tempdir;

/// What a page says before its flamegraph.
fn first_screen(page: &str) -> &str {
    page.split_once("<section id=\"flamegraph\"").unwrap().0
}

#[test]
fn the_first_screen_says_what_leaks_how_much_since_when_and_until_when() {
    let folder = tempdir().unwrap();
    write_run(&folder, 1..=12);
    let page = stdout(args!["report", folder.path(), "--limit", "64MiB"]);
    for part in [
        "<p class=\"word leak\">LEAK</p><h1><code class=\"name\"><span class=\"path\">shop::<wbr></span>compose::<wbr>compose_complex</code>",
        "<code class=\"place\">/<wbr>w/<wbr>shop/<wbr>src/<wbr>compose.rs:142</code>",
        "<b>+976.6 KiB/min</b>",
        "1.3 GiB a day",
        "<dt>Grows since</dt><dd><b>14:01:00 UTC</b><span>+10.5 MiB in 11m</span>",
        "<dt>Limit reached in</dt><dd><b>35m 6s</b><span>at about 14:47 UTC; ",
        "30.5 MiB of 64.0 MiB is used",
        "over 99.9 %",
        "Process: leak: ",
        "leaks since here",
    ] {
        assert!(first_screen(&page).contains(part), "{part} in {page}");
    }
    // The suspect with its reasons and its stack.
    for part in [
        "allocated after warm-up, 0 % of it freed",
        "<li class=\"owner\"><code class=\"name\"><span class=\"path\">shop::<wbr></span>compose::<wbr>compose_complex</code>",
        "warming up / cache",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[test]
fn growth_is_dated_from_where_it_begins() {
    let folder = tempdir().unwrap();
    for minute in 1..=20 {
        let at = |minute: i64| 1_000_000 * (minute - 8).max(1);
        let bytes = at(minute as i64);
        Fixture::new(minute)
            .site(&[MAIN, COMPOSE], bytes, bytes / 1_000)
            .with(|snapshot| {
                snapshot.sites.total_bytes[0] = bytes as u64;
                set_ages(snapshot, 2, &[at(minute as i64 - 6)]);
            })
            // The run began the evening before.
            .with(|snapshot| match minute {
                ..=9 => snapshot.header.taken = format!("2026-01-04T23:{:02}:00Z", 50 + minute),
                _ => snapshot.header.taken = format!("2026-01-05T00:{:02}:00Z", minute - 10),
            })
            .write(&folder, &format!("{minute:02}.json.gz"));
    }
    let page = stdout(args!["report", folder.path()]);
    let fact =
        "<dt>Grows since</dt><dd><b>2026-01-04 23:59:00 UTC</b><span>+10.5 MiB in 11m</span>";
    let shown = first_screen(&page);
    let shown = shown.split_once("<section").unwrap().1;
    assert!(shown.contains(fact), "{shown}");
}

#[test]
fn a_run_that_does_not_leak_says_so_first() {
    let folder = tempdir().unwrap();
    for minute in 1..=12 {
        let bytes = 4_000_000 + (minute as i64 * 7 % 5) * 30_000;
        Fixture::new(minute)
            .site(&[MAIN, HOLD], bytes, 5)
            .write(&folder, &format!("{minute:02}.json.gz"));
    }
    let page = stdout(args!["report", folder.path()]);
    assert!(first_screen(&page).contains(
        "<p class=\"word fine\">NO LEAK</p><h1>Nothing grows steadily without being freed</h1>"
    ));
    assert!(!first_screen(&page).contains("word leak"));
    assert!(page.contains("Nobody is suspected."));
}

#[test]
fn one_or_two_snapshots_make_a_page_too() {
    let folder = tempdir().unwrap();
    let files = write_run(&folder, 1..=2);
    let one = stdout(args!["report", files[0]]);
    assert!(one.contains("TOO LITTLE DATA"), "{one}");
    assert!(one.contains("With a second snapshot, growth would show."));
    assert!(one.contains("\"compared\":false"));
    let two = stdout(args!["report", files[0], files[1]]);
    assert!(two.contains("<b>before</b> is 2026-01-05 14:01:00 UTC"));
    assert!(two.contains("\"compared\":true"));
}

#[test]
fn the_same_input_gives_the_same_page() {
    let folder = tempdir().unwrap();
    write_run(&folder, 1..=6);
    let [one, two] = [(); 2].map(|()| stdout(args!["report", folder.path()]));
    assert_eq!(one, two);
}

#[test]
fn a_page_is_written_whole_or_not_at_all() {
    let folder = tempdir().unwrap();
    let files = write_run(&folder, 1..=2);
    let page = folder.path().join("report.html");
    assert_eq!(stdout(args!["report", files[0], "-o", page]), "");
    assert!(
        std::fs::read_to_string(&page)
            .unwrap()
            .ends_with("</html>\n")
    );
    let line = failure(args![
        "report",
        files[0],
        "-o",
        folder.path().join("a/b.html")
    ]);
    assert!(line.contains("b.html: "), "{line}");
    let line = failure(args!["report", folder.path().join("absent.json.gz")]);
    assert!(line.contains("absent.json.gz"), "{line}");
}
