//! What can be changed while the program runs, over HTTP. That numbers stay right is the business of
//! `tests/sampling`.

use crate::service::Service;

const PAGE: &str = "/debug/heaplens/settings";

/// A metric's value.
fn metric(service: &Service, name: &str) -> Option<f64> {
    let answer = service.get("/metrics");
    let sample = answer
        .text()
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(sample.parse().expect("a number"))
}

pub(crate) fn change_while_it_runs() {
    let settings = [
        ("HEAPLENS_MODE", "sampled"),
        ("HEAPLENS_SAMPLE_BYTES", "1KiB"),
    ];
    let mut service = Service::start(&settings);
    let set = |service: &Service, query: &str| {
        let answer = service.post(&format!("{PAGE}?{query}"));
        (answer.status, answer.text().to_owned())
    };
    let as_set = |mode: &str, bytes: u64| {
        let text = format!("mode={mode}\nsample_bytes={bytes}\ndepth=128\n");
        (200, text)
    };
    assert_eq!(service.get(PAGE).text(), as_set("sampled", 1024).1);
    assert_eq!(
        set(&service, "sample_bytes=64KiB"),
        as_set("sampled", 64 << 10)
    );
    assert_eq!(
        metric(&service, "heaplens_sampling_mean_bytes"),
        Some(65_536.0)
    );

    assert_eq!(set(&service, "mode=off"), as_set("off", 64 << 10));
    assert_eq!(metric(&service, "heaplens_sampling_mean_bytes"), Some(0.0));
    let before = metric(&service, "heaplens_allocated_bytes_total");
    for _ in 0..8 {
        assert_eq!(service.tell("grow"), "done");
    }
    assert_eq!(metric(&service, "heaplens_allocated_bytes_total"), before);
    // Set for when it is on again.
    assert_eq!(set(&service, "sample_bytes=2048"), as_set("off", 2048));
    assert_eq!(set(&service, "mode=sampled"), as_set("sampled", 2048));
    // A thread takes note within 8 MiB.
    for _ in 0..8 {
        assert_eq!(service.tell("grow"), "done");
    }
    assert!(metric(&service, "heaplens_allocated_bytes_total") > before);
    let off = metric(&service, "heaplens_sampling_off_seconds_total");
    assert!(off.expect("a sampled process") > 0.0);

    let (status, why) = set(&service, "mode=exact");
    assert_eq!(status, 409);
    assert!(
        why.ends_with("start one anew with HEAPLENS_MODE=exact\n"),
        "{why}"
    );
    for query in [
        "",
        "mode=on",
        "mode",
        "sample_bytes=0",
        "sample_bytes=lots",
        "depth=9",
    ] {
        assert_eq!(set(&service, query).0, 400, "{query}");
    }
    // What makes no sense in part changes nothing.
    assert_eq!(set(&service, "mode=off&sample_bytes=x").0, 400);
    assert_eq!(service.get(PAGE).text(), as_set("sampled", 2048).1);
    assert_eq!(service.end(), "");
}

pub(crate) fn stay_in_other_modes() {
    let service = Service::start(&[]);
    assert_eq!(service.post(&format!("{PAGE}?mode=exact")).status, 200);
    for (query, mode) in [
        ("mode=off", "off"),
        ("mode=sampled", "sampled"),
        ("sample_bytes=1", "sampled"),
    ] {
        let answer = service.post(&format!("{PAGE}?{query}"));
        assert_eq!(answer.status, 409, "{query}");
        let line = format!(
            "a process that was started in exact mode stays exact: start one anew with HEAPLENS_MODE={mode}\n"
        );
        assert_eq!(answer.text(), line);
    }
    assert_eq!(
        service.get(PAGE).text(),
        "mode=exact\nsample_bytes=0\ndepth=128\n"
    );
    assert_eq!(service.end(), "");
}
