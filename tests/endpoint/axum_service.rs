//! The router in a real server of axum's, which has one thread for tasks.

use crate::service::{Answer, Service, ask};
use axum::routing::get;
use heaplens::Config;
use heaplens::http::{Access, router};
use std::net::SocketAddr;
use std::{fs, thread};

/// Variable that says where to listen.
pub(crate) const ADDRESS: &str = "AXUM_ADDRESS";

pub(crate) fn serves() {
    serve(true);
}

/// Without telling the router where connections come from.
pub(crate) fn serves_blindly() {
    serve(false);
}

fn serve(tells_peers: bool) {
    let _profiler = heaplens::start(Config::new()).expect("the profiler starts");
    let app = axum::Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/metrics", get(|| async { "the program's own" }))
        .merge(router(Access::from_environment()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    runtime.spawn(async move {
        let address = std::env::var(ADDRESS).expect("set by the test");
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .expect("a free address");
        println!("ready");
        match tells_peers {
            true => {
                axum::serve(
                    listener,
                    app.into_make_service_with_connect_info::<SocketAddr>(),
                )
                .await
            }
            false => axum::serve(listener, app).await,
        }
    });
    crate::follow_orders();
    runtime.shutdown_background();
}

const ROLE: &str = "serve with axum";

pub(crate) fn has_all_pages() {
    let service = Service::in_role(ROLE, ADDRESS, &[]);
    assert_eq!(service.get("/hello").text(), "hello");
    assert_eq!(service.get("/metrics").text(), "the program's own");
    let profile = service.get("/debug/pprof/heap");
    assert_eq!(
        (profile.status, &profile.body[..2]),
        (200, &[0x1f, 0x8b][..])
    );
    assert!(
        service
            .get("/debug/pprof/allocs?seconds=1&debug=1")
            .text()
            .contains(" B live in ")
    );
    assert!(
        service
            .get("/debug/heaplens/metrics")
            .text()
            .contains("\nheaplens_live_bytes ")
    );
    assert_eq!(service.post("/debug/heaplens/snapshot").status, 200);
    let listed = service.get("/debug/heaplens/snapshots");
    let name = listed.text().split_whitespace().nth(1).expect("a name");
    let fetched = service.get(&format!("/debug/heaplens/snapshots/{name}"));
    assert_eq!(fetched.status, 200);
    let saved_as = format!("attachment; filename=\"{name}\"");
    assert!(fetched.head.contains(&saved_as), "{}", fetched.head);
    assert_eq!(
        service.post("/debug/heaplens/settings?mode=sampled").status,
        409
    );
    assert_eq!(service.post("/debug/pprof/heap").status, 405);
    assert_eq!(service.get("/debug/heaplens/other").status, 404);
    for index in ["/debug/pprof/", "/debug/heaplens/"] {
        assert!(
            service.get(index).text().contains("/debug/pprof/heap"),
            "{index}"
        );
    }
    assert_eq!(service.end(), "");
}

pub(crate) fn lets_in_who_may() {
    let by = |service: &Service, headers: &str| -> u16 {
        let request =
            format!("GET /debug/heaplens/ HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
        service.ask(&request).status
    };
    let service = Service::in_role(ROLE, ADDRESS, &[]);
    assert_eq!(by(&service, "Host: localhost\r\n"), 200);
    assert_eq!(by(&service, "Host: evil.example\r\n"), 403);
    assert_eq!(
        by(
            &service,
            "Host: localhost\r\nOrigin: https://evil.example\r\n"
        ),
        403
    );
    for of_others in ["Sec-Fetch-Site: cross-site", "X-Forwarded-For: 203.0.113.7"] {
        let headers = format!("Host: localhost\r\n{of_others}\r\n");
        assert_eq!(by(&service, &headers), 403, "{of_others}");
    }
    assert_eq!(service.end(), "");

    let folder = tempfile::tempdir().expect("a temporary folder");
    let token = folder.path().join("token");
    fs::write(&token, "secret\n").expect("a file");
    let settings = [("HEAPLENS_HTTP_TOKEN_FILE", token.to_str().expect("a path"))];
    let service = Service::in_role(ROLE, ADDRESS, &settings);
    let with =
        |authorization: &str| by(&service, &format!("Host: pod-7.example\r\n{authorization}"));
    assert_eq!(with(""), 401);
    assert_eq!(with("Authorization: Bearer other\r\n"), 401);
    assert_eq!(with("Authorization: Bearer secret\r\n"), 200);
    // Which of them counts, is nobody's guess.
    assert_eq!(
        with("Authorization: Bearer secret\r\nAuthorization: Bearer secret\r\n"),
        401
    );
    assert_eq!(service.end(), "");

    // Whoever says where nobody comes from lets nobody in.
    let blind = Service::in_role("serve with axum, blind", ADDRESS, &[]);
    assert_eq!(by(&blind, "Host: localhost\r\n"), 403);
    assert_eq!(blind.get("/hello").status, 200);
    assert_eq!(blind.end(), "");
}

/// Whoever waits for profiles keeps the program's tasks from nothing, and takes no more than a few
/// threads.
pub(crate) fn serves_others_meanwhile() {
    let service = Service::in_role(ROLE, ADDRESS, &[]);
    let address = service.address;
    let wait = move || -> Answer {
        let request = "GET /debug/pprof/heap?seconds=3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        ask(address, request.as_bytes())
    };
    let waiting: Vec<_> = (0..30).map(|_| thread::spawn(wait)).collect();
    let mut answered = 0;
    while waiting.iter().any(|one| !one.is_finished()) {
        assert_eq!(service.get("/hello").text(), "hello");
        answered += 1;
    }
    // Three seconds are enough for hundreds, and on a thread that waits for profiles for a few.
    assert!(answered >= 10, "{answered} answers meanwhile");
    let statuses = waiting
        .into_iter()
        .map(|one| one.join().expect("no panic").status);
    let statuses: Vec<u16> = statuses.collect();
    assert!(
        statuses
            .iter()
            .all(|status| [200, 429, 503].contains(status)),
        "{statuses:?}"
    );
    let count = |wanted| statuses.iter().filter(|&&status| status == wanted).count();
    assert_eq!(count(200), 2, "two wait at a time: {statuses:?}");
    assert!(count(429) > 0, "{statuses:?}");
    assert_eq!(service.end(), "");
}
