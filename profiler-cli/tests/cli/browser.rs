//! Pictures with hostile names in a real browser: nothing of a name runs, nothing is asked for.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::fixture::*;
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

/// Opens a picture with this text.
pub(crate) fn opened_with(svg: &str) -> Option<String> {
    let folder = tempdir().unwrap();
    let file = folder.path().join("picture.svg");
    std::fs::write(&file, svg).unwrap();
    opened(&file)
}

/// Opens a picture and returns the document as it is then; `None` without a browser.
fn opened(svg: &Path) -> Option<String> {
    let profile = tempdir().unwrap();
    let mut browser = Command::new("chromium");
    browser
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--virtual-time-budget=2000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", svg.display()))
        .stderr(Stdio::null());
    match browser.output() {
        Ok(output) => {
            assert!(output.status.success(), "chromium: {}", output.status);
            let document = String::from_utf8(output.stdout).unwrap();
            assert!(document.contains("<svg"), "{document}");
            assert!(!document.contains("<parsererror"), "{document}");
            Some(document)
        }
        Err(_) if std::env::var_os("HEAPLENS_TEST_TOOLS").is_some_and(|set| set == "require") => {
            panic!("needs chromium")
        }
        Err(_) => {
            println!("SKIPPED: needs chromium");
            None
        }
    }
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
    let Some(document) = opened(&planted) else {
        return;
    };
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
        format!("<script>{script}</script>"),
    ];
    let hostile = |sequence, bytes| {
        let mut fixture = Fixture::new(sequence);
        for name in &names {
            fixture = fixture.site(&[MAIN, name], bytes, 1);
        }
        fixture
            .with(|snapshot| snapshot.header.taken = names[0].clone())
            .write(&folder, &format!("{sequence}.json.gz"))
    };
    let (before, after) = (hostile(1, 100), hostile(2, 5_000));
    for line in [
        args!["flamegraph", after],
        args!["diff", before, after, "--format", "svg"],
        // Nothing grew: another picture.
        args!["diff", after, after, "--format", "svg"],
    ] {
        let svg = folder.path().join("hostile.svg");
        std::fs::write(&svg, stdout(&line)).unwrap();
        let document = opened(&svg).expect("there was a browser just now");
        assert!(!document.contains(MARK), "{line:?}: {document}");
        assert_eq!(server.asked.load(Relaxed), 0, "{line:?}");
    }
}
