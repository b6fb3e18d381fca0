//! The pages, asked as clients do.

use crate::service::{Service, ask};
use crate::{GROWN, HELD, tools};
use heaplens::snapshot::{self, FileName, Limits, Reason};
use std::time::{Duration, Instant};
use std::{fs, thread};

fn read(body: &[u8]) -> snapshot::Snapshot {
    snapshot::read_bytes("answer", body, &Limits::default()).expect("a snapshot")
}

pub(crate) fn profiles() {
    let service = Service::start(&[]);
    for target in [
        "/debug/pprof/heap",
        "/debug/pprof/allocs",
        "/debug/pprof/heap?seconds=1",
    ] {
        let answer = service.get(target);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body[..2], [0x1f, 0x8b], "gzip");
    }
    let text = service.get("/debug/pprof/heap?debug=1");
    let live = text.text().lines().nth(1).expect("totals");
    let live: usize = live
        .split(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .expect("bytes");
    assert!((HELD..HELD + (1 << 20)).contains(&live), "{live}");
    // Nothing is allocated meanwhile.
    let delta = service.get("/debug/pprof/heap?seconds=1&debug=1");
    let live = delta.text().lines().nth(1).expect("totals").to_owned();
    assert!(live.starts_with("0 B live in 0 blocks"), "{live}");
    assert_eq!(service.get("/debug/pprof/heap?seconds=0").status, 400);
    assert_eq!(service.post("/debug/pprof/heap").status, 405);
    assert_eq!(service.get("/debug/pprof/other").status, 404);
    assert_eq!(
        service.post("/debug/pprof/symbol").text(),
        "num_symbols: 0\n"
    );
    assert!(service.get("/").text().contains("/debug/pprof/heap"));
    assert_eq!(service.end(), "");
}

pub(crate) fn snapshots() {
    let service = Service::start(&[]);
    let taken = service.post("/debug/heaplens/snapshot");
    assert_eq!(taken.status, 200, "{taken:?}");
    let taken = read(&taken.body);
    assert_eq!(taken.header.label.as_deref(), Some("http"));
    assert_eq!(taken.header.sequence, 1);
    // Of a run that was killed.
    let other = "heaplens.other.20260105T140000.000Z-7.000048.limit.json.gz";
    fs::write(service.folder.path().join(other), "evidence").expect("a file");
    fs::write(service.folder.path().join("secret"), "secret").expect("a file");
    std::os::unix::fs::symlink(
        "/etc/passwd",
        service.folder.path().join(other.replace("48", "49")),
    )
    .expect("a link");
    let listed = service.get("/debug/heaplens/snapshots");
    let names: Vec<&str> = listed
        .text()
        .lines()
        .map(|line| line.trim().split_once(' ').expect("size and name").1)
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.iter().all(|name| FileName::parse(name).is_some()));
    assert!(names.contains(&other));
    let fetch = |name: &str| service.get(&format!("/debug/heaplens/snapshots/{name}"));
    assert_eq!(fetch(other).body, b"evidence");
    let own = names.iter().find(|name| **name != other).expect("our own");
    assert_eq!(read(&fetch(own).body), taken);
    for name in [
        "secret",
        "../secret",
        "..%2fsecret",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "",
        ".",
        &other.replace("48", "49"),
        &format!("../{other}"),
        &format!("{other}/../secret"),
    ] {
        let answer = fetch(name);
        assert!(matches!(answer.status, 404 | 500), "{name}: {answer:?}");
        assert!(!answer.text().contains("root:"), "{name}");
    }
    assert_eq!(service.end(), "");
}

/// The heap is scanned where that is asked for, in exact mode alone.
pub(crate) fn graphs() {
    let target = "/debug/heaplens/snapshot";
    let service = Service::start(&[]);
    let taken = service.post(&format!("{target}?graph=1"));
    assert_eq!(taken.status, 200, "{}", taken.head);
    let taken = read(&taken.body);
    assert_eq!(taken.header.reason, Reason::Graph);
    let graph = taken.graph.expect("a graph");
    assert_eq!(graph.scan.scans, 2);
    let held: u64 = graph.sites.held_bytes.iter().sum();
    assert!(
        (HELD..HELD + (1 << 20)).contains(&(held as usize)),
        "{held}"
    );
    let without = service.post(&format!("{target}?graph=0"));
    assert!(read(&without.body).graph.is_none());
    assert_eq!(service.post(&format!("{target}?graph=2")).status, 400);
    assert_eq!(service.get(&format!("{target}?graph=1")).status, 405);
    assert_eq!(service.end(), "");

    let service = Service::start(&[("HEAPLENS_MODE", "sampled")]);
    let refused = service.post(&format!("{target}?graph=1"));
    assert_eq!(refused.status, 409, "{}", refused.head);
    let why = "the heap is not scanned: only in exact mode are all blocks known: start the program with \
               HEAPLENS_MODE=exact";
    assert_eq!(refused.text().trim_end(), why);
    assert_eq!(service.post(target).status, 200);
    assert_eq!(
        service.end(),
        format!("heaplens: {why}; the program runs on\n")
    );
}

/// The call paths that hold most are told where they are asked for.
fn paths(service: &mut Service) {
    assert!(!service.get("/metrics").text().contains("heaplens_path"));
    assert_eq!(service.tell("grow"), "done");
    let with_paths = service.get("/metrics?paths=2");
    let samples = with_paths.text().lines();
    let samples: Vec<&str> = samples
        .filter(|line| line.starts_with("heaplens_path_live_bytes{"))
        .collect();
    assert_eq!(samples.len(), 2, "{}", with_paths.text());
    for (sample, bytes) in samples.iter().zip([HELD, GROWN]) {
        let (labels, value) = sample.split_once("} ").expect("labels");
        assert_eq!(value.parse(), Ok(bytes));
        let path = labels
            .split_once("path=\"endpoint-")
            .expect("the program's own code")
            .1;
        assert!(path.contains("+0x"), "{path}");
    }
    tools::check_metrics(with_paths.text());
    assert_eq!(service.get("/metrics?paths=51").status, 400);
}

/// Whoever asks for many profiles at a time gets them one by one, and the program has a rest between.
pub(crate) fn one_at_a_time() {
    let service = Service::start(&[]);
    let (address, begun) = (service.address, Instant::now());
    thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(move || {
                let request = b"GET /debug/pprof/heap HTTP/1.1\r\nHost: localhost\r\n\r\n";
                let answer = ask(address, request);
                assert_eq!(answer.status, 200, "{answer:?}");
            });
        }
    });
    // Four times 200 ms, however fast the machine.
    assert!(begun.elapsed() >= Duration::from_millis(800));
    assert_eq!(service.end(), "");
}

pub(crate) fn metrics() {
    let mut service = Service::start(&[]);
    let open = service.ask(
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\
         Accept: application/openmetrics-text; version=1.0.0,text/plain;q=0.5\r\n\r\n",
    );
    assert!(
        open.head.contains("application/openmetrics-text"),
        "{open:?}"
    );
    assert!(open.text().ends_with("# EOF\n"));
    let plain = service.get("/metrics");
    let value = |text: &str, name: &str| -> f64 {
        let sample = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let sample = sample.unwrap_or_else(|| panic!("no {name} in {text}"));
        sample.parse().expect("a number")
    };
    for text in [open.text(), plain.text()] {
        let live = value(text, "heaplens_live_bytes");
        assert!(
            (HELD as f64..(HELD + (1 << 20)) as f64).contains(&live),
            "{live}"
        );
        assert!(value(text, "heaplens_allocated_bytes_total") >= live);
        assert_eq!(value(text, "heaplens_work_total"), 7.0);
        assert_eq!(value(text, "heaplens_snapshots_total"), 0.0);
        assert!(value(text, "heaplens_resident_bytes") > live);
        assert_eq!(
            value(text, "heaplens_losses_total{cause=\"reentered\"}"),
            0.0
        );
    }
    tools::check_metrics(plain.text());
    paths(&mut service);
    assert_eq!(service.end(), "");
}

/// Where nothing can be written, snapshots come from memory.
pub(crate) fn read_only_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    // Not even root makes a folder in a file.
    let inside = file.join("snapshots");
    let service = Service::start(&[("HEAPLENS_DIR", inside.to_str().expect("a path"))]);
    let taken = service.post("/debug/heaplens/snapshot");
    assert_eq!(taken.status, 200, "{}", taken.head);
    let live = read(&taken.body).header.totals.live_bytes;
    assert!(live >= HELD as i64, "{live}");
    assert_eq!(service.get("/debug/pprof/heap").status, 200);
    drop(service);
}
