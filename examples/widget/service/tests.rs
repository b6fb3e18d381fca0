//! The service over HTTP, as a client sees it.

use super::super::definitions::tests::{complex, simple};
use super::*;

/// A service on a free port of loopback, stopped when dropped.
struct Running {
    app: Arc<App>,
    url: String,
    agent: ureq::Agent,
    _runtime: tokio::runtime::Runtime,
}

impl Running {
    fn start(links: Links) -> Self {
        Self::start_with(links, true)
    }

    fn start_with(links: Links, admin: bool) -> Self {
        let app = App::new(links, Definitions::open(None).unwrap());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = router(Arc::clone(&app), admin);
        let stop = app.stop.clone();
        runtime.spawn(async move { serve(listener, router, &stop).await });
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(20)));
        Self {
            app,
            url,
            agent: config.build().into(),
            _runtime: runtime,
        }
    }

    fn get(&self, path: &str) -> (u16, String) {
        let mut response = self
            .agent
            .get(format!("{}{path}", self.url))
            .call()
            .unwrap();
        (
            response.status().as_u16(),
            response.body_mut().read_to_string().unwrap(),
        )
    }

    fn put(&self, path: &str, body: &str) -> (u16, String) {
        let request = self.agent.put(format!("{}{path}", self.url));
        let mut response = request
            .header("content-type", "application/json")
            .send(body)
            .unwrap();
        (
            response.status().as_u16(),
            response.body_mut().read_to_string().unwrap(),
        )
    }

    fn publish(&self, definition: &Definition) {
        let body = serde_json::to_string(definition).unwrap();
        assert_eq!(
            self.put(&format!("/widgets/{}", definition.id), &body),
            (204, String::new())
        );
    }
}

#[test]
fn published_widgets_are_rendered_and_cached() {
    let service = Running::start(Links::Weak);
    service.publish(&simple(1));
    let (status, first) = service.get("/widgets/1?format=svg&tick=5");
    assert_eq!(status, 200);
    assert!(first.starts_with("<svg "), "{first}");
    assert_eq!(service.get("/widgets/1?format=svg&tick=5").1, first);
    assert_eq!(service.app.cache.stats().entries, 1);
    assert!(service.get("/widgets/1").1.starts_with("<!doctype html>"));

    service.publish(&complex(1));
    let (_, replaced) = service.get("/widgets/1?format=svg&tick=5");
    assert_ne!(
        replaced, first,
        "a published definition must replace cached renderings"
    );
}

#[test]
fn each_complex_view_leaks_a_layout_until_fixed() {
    for (links, left) in [(Links::Strong, 3), (Links::Weak, 0)] {
        let service = Running::start(links);
        service.publish(&complex(1));
        service.publish(&simple(2));
        for tick in 0..3 {
            for widget in 1..=2 {
                assert_eq!(
                    service.get(&format!("/widgets/{widget}?tick={tick}")).0,
                    200
                );
            }
        }
        let stats: serde_json::Value = serde_json::from_str(&service.get("/stats").1).unwrap();
        assert_eq!(stats["registered_layouts"], left, "{links:?}: {stats}");
        assert_eq!(stats["database"]["widgets"], 2);
    }
}

#[test]
fn bad_requests_get_a_status_and_one_line_that_says_why() {
    let service = Running::start(Links::Weak);
    service.publish(&simple(1));
    for (path, status, reason) in [
        ("/widgets/2", 404, "there is no widget 2"),
        ("/widgets/18446744073709551615", 404, "there is no widget"),
        ("/widgets/-1", 400, "\"-1\" is not the number"),
        ("/widgets/1?format=png", 400, "png"),
        ("/widgets/1?tick=1000000", 400, "tick 1000000 is too large"),
        ("/widgets/1?tick=-1", 400, "tick"),
        ("/widgets/1?tock=1", 400, "tock"),
    ] {
        let (got, text) = service.get(path);
        assert_eq!(got, status, "{path}: {text}");
        assert!(text.contains(reason), "{path}: {text}");
        assert_eq!(text.trim_end().lines().count(), 1, "{path}: {text}");
    }
    let oversized = format!("{{\"name\":\"{}\",\"panes\":[]}}", "x".repeat(MAX_BODY));
    for (body, status, reason) in [
        ("{}", 422, "name"),
        ("{", 400, "JSON"),
        ("{\"name\":\"x\",\"panes\":[]}", 400, "0 panes"),
        (oversized.as_str(), 413, "length limit"),
    ] {
        let (got, text) = service.put("/widgets/3", body);
        assert_eq!(got, status, "{text}");
        assert!(text.contains(reason), "{text}");
    }
    assert_eq!(service.get("/healthz"), (200, "ok\n".to_owned()));
}

#[test]
fn requests_beyond_the_limit_are_turned_away() {
    let service = Running::start(Links::Weak);
    service.publish(&simple(1));
    let all = service
        .app
        .permits
        .try_acquire_many(MAX_CONCURRENT as u32)
        .unwrap();
    assert_eq!(service.get("/widgets/1").0, 503);
    drop(all);
    assert_eq!(service.get("/widgets/1").0, 200);
}

#[test]
fn operators_routes_are_there_on_loopback_only() {
    for (admin, status) in [(false, 404), (true, 202)] {
        let service = Running::start_with(Links::Weak, admin);
        let response = service
            .agent
            .post(format!("{}/shutdown", service.url))
            .send_empty();
        assert_eq!(response.unwrap().status(), status);
        assert_eq!(*service.app.stop.borrow(), admin);
    }
}

#[test]
fn a_service_told_to_stop_ends() {
    let service = Running::start(Links::Weak);
    let (app, url) = (Arc::clone(&service.app), service.url.clone());
    let status = service
        .agent
        .post(format!("{url}/shutdown"))
        .send_empty()
        .unwrap()
        .status();
    assert_eq!(status, 202);
    assert!(*app.stop.borrow());
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(url.trim_start_matches("http://")).is_ok() {
        assert!(std::time::Instant::now() < deadline, "still listening");
        std::thread::sleep(Duration::from_millis(10));
    }
}
