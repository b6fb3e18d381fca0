//! The pages as a router for axum. Takes requests apart and puts answers together, and keeps the
//! waiting off the threads that run the program's own tasks.

use super::places::Places;
use super::{Access, FORWARDED, MOST_AT_A_TIME, Request, Response, handle};
use axum::Router;
use axum::body::Body;
use axum::extract::{self, ConnectInfo};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::any;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use tokio::sync::oneshot;

/// All pages below `/debug/pprof/` and `/debug/heaplens/`, for a program that serves with axum. Metrics
/// are at `/debug/heaplens/metrics`, since `/metrics` is most often the program's own.
///
/// Each request is answered by a thread of its own, and at most eight at a time; more are refused (503).
/// A program that ends does not wait for them. With [`Access::Loopback`] the router has to know where connections come from:
/// otherwise it refuses them all (403).
///
/// ```no_run
/// use axum::Router;
/// use heaplens::http::{Access, router};
/// use std::net::SocketAddr;
///
/// # async fn serve() -> std::io::Result<()> {
/// let app = Router::new()
///     // ... the program's own routes
///     .merge(router(Access::from_environment()));
/// let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
/// let app = app.into_make_service_with_connect_info::<SocketAddr>();
/// axum::serve(listener, app).await
/// # }
/// ```
pub fn router<S>(access: Access) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let access = Arc::new(access);
    let answer = any(move |request| answer(request, Arc::clone(&access)));
    let paths = [
        "/debug/pprof/",
        "/debug/pprof/{*page}",
        "/debug/heaplens/",
        "/debug/heaplens/{*page}",
    ];
    paths.into_iter().fold(Router::new(), |router, path| {
        router.route(path, answer.clone())
    })
}

async fn answer(request: extract::Request, access: Arc<Access>) -> axum::response::Response {
    static PLACES: Places = Places::new(MOST_AT_A_TIME);
    let Some(place) = PLACES.take() else {
        return written(Response::busy());
    };
    let (request, _) = request.into_parts();
    let answer = move || {
        let _place = place;
        let uri = &request.uri;
        let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
        let header = |name| only(&request.headers, name);
        let request = Request {
            method: request.method.as_str(),
            target: uri.path_and_query().map_or("/", |target| target.as_str()),
            peer: peer.map(|ConnectInfo(address)| address.ip()),
            host: header(header::HOST).or(uri.authority().map(|authority| authority.as_str())),
            authorization: header(header::AUTHORIZATION),
            // One that makes no sense is not as good as none.
            origin: header(header::ORIGIN).or(request.headers.get(header::ORIGIN).map(|_| "")),
            fetch_site: header(HeaderName::from_static("sec-fetch-site")),
            forwarded: FORWARDED
                .iter()
                .any(|name| request.headers.contains_key(*name))
                .then_some(""),
            accept: header(header::ACCEPT),
        };
        handle(&request, &access)
    };
    // Not of the runtime's: that would wait for it at its end, for a profile of ten minutes too.
    let (told, answered) = oneshot::channel();
    let thread = thread::Builder::new().name("heaplens-http".into());
    let started = thread.spawn(move || {
        // The client may have left.
        let _ = told.send(answer());
    });
    let answered = match started {
        Ok(_) => answered.await.ok(),
        Err(_) => None,
    };
    // A panic was printed by the hook in force.
    let failed = || Response::refused(500, "the answer could not be made");
    written(answered.unwrap_or_else(failed))
}

/// A header that there is once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    match values.next() {
        None => value.to_str().ok(),
        Some(_) => None,
    }
}

fn written(response: Response) -> axum::response::Response {
    let mut builder = axum::http::Response::builder().status(response.status);
    for (name, value) in response.headers {
        builder = builder.header(name, value);
    }
    let built = builder.body(Body::from(response.body));
    built.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}
