//! Pictures and pages with hostile names in a real browser: nothing of a name runs, nothing is asked for.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::chromium::Chromium;
use crate::fixture::*;
use crate::heap_graph::{GraphFixture, made};
use heaplens::snapshot::graph::Role;
use tempfile::tempdir;

/// What a script that runs leaves on the root element. No name has these letters in one piece.
const MARK: &str = "data-planted";

/// Somebody to ask, who counts.
struct Server {
    address: String,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        std::thread::spawn(move || {
            for _connection in listener.incoming() {
                counter.fetch_add(1, Relaxed);
            }
        });
        Self { address, asked }
    }

    /// Leaves the mark, and asks the server.
    fn script(&self) -> String {
        let address = &self.address;
        format!(
            "document.documentElement.setAttribute('data-'+'planted','yes');\
             new Image().src='http://{address}/'"
        )
    }
}

/// Opens a picture or a page and returns the document as it is then.
fn opened(browser: &mut Chromium, file: &Path) -> String {
    browser.open(file);
    // Time for what is asked for to arrive.
    std::thread::sleep(Duration::from_millis(200));
    let document = browser.evaluate("document.documentElement.outerHTML");
    let document = document.as_str().unwrap().to_owned();
    // What a browser shows of a picture that names have broken.
    assert!(!document.contains("<parsererror"), "{document}");
    document
}

#[test]
fn names_do_nothing_in_a_browser() {
    let folder = tempdir().unwrap();
    let server = Server::start();
    let script = server.script();

    // A script that does run is noticed, or the rest of this would say nothing.
    let planted = folder.path().join("planted.svg");
    let svg = format!("<svg xmlns=\"http://www.w3.org/2000/svg\"><script>{script}</script></svg>");
    std::fs::write(&planted, svg).unwrap();
    let Some(mut browser) = Chromium::start() else {
        return;
    };
    let document = opened(&mut browser, &planted);
    assert!(document.contains(MARK), "{document}");
    assert!(server.asked.swap(0, Relaxed) > 0);

    let address = &server.address;
    let names = [
        format!("</script><script>{script}</script>"),
        format!("]]><script>{script}</script>"),
        format!("]]>{script}//"),
        format!("</title></g><script>{script}</script>"),
        format!("\"><svg onload=\"{script}\">"),
        format!("\" onmouseover=\"{script}\" x=\""),
        format!("'-({script})-'"),
        format!("<image href=\"http://{address}/\"/>"),
        format!("<style>*{{background:url(http://{address}/)}}</style>"),
        format!("<foreignObject><img src=\"http://{address}/\"/></foreignObject>"),
        format!("&#x3c;script&#x3e;{script}&#x3c;/script&#x3e;"),
        format!("--><script>{script}</script><!--"),
        format!("<?xml-stylesheet href=\"http://{address}/\"?>"),
    ];
    let hostile = |sequence, bytes| {
        let mut fixture = Fixture::new(sequence);
        let mut graph = GraphFixture::new();
        for (site, name) in (0..).zip(&names) {
            fixture = fixture.site(&[MAIN, name, &made(name)], bytes, 1);
            graph = graph.site([(0, 0), (0, 0), (1, bytes as u64)]).shape(
                1,
                &[(site, Role::Cycle, 1, bytes as u64)],
                &[(0, 0, 8, 1)],
            );
        }
        graph
            .of(fixture)
            .with(|snapshot| snapshot.header.taken = names[0].clone())
            .write(&folder, &format!("{sequence}.json.gz"))
    };
    let (before, after) = (hostile(1, 100), hostile(2, 5_000));
    for (ending, line) in [
        ("svg", args!["flamegraph", after]),
        ("svg", args!["diff", before, after, "--format", "svg"]),
        // Nothing grew: another picture.
        ("svg", args!["diff", after, after, "--format", "svg"]),
        ("html", args!["report", before, after]),
    ] {
        let file = folder.path().join(format!("hostile.{ending}"));
        std::fs::write(&file, stdout(&line)).unwrap();
        let document = opened(&mut browser, &file);
        assert!(!document.contains(MARK), "{line:?}: {document}");
        assert_eq!(server.asked.load(Relaxed), 0, "{line:?}");
        assert_eq!(browser.complaints(), [""; 0], "{line:?}");
    }

    // The page shows each name as it is, and searches for it.
    for name in &names {
        browser.evaluate(&format!("query.value = {}", serde_json::json!(name)));
        browser.evaluate("query.dispatchEvent(new Event('input'))");
        browser.click("#query");
        browser.press("Enter");
        assert_eq!(browser.text("#selected-name"), *name);
        browser.press("Enter");
    }
    assert_eq!(
        browser.evaluate(&format!("document.documentElement.hasAttribute('{MARK}')")),
        false
    );
    assert_eq!(server.asked.load(Relaxed), 0);
    assert_eq!(browser.complaints(), [""; 0]);
}
