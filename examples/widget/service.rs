//! The HTTP service: routes, limits, start and stop.
//!
//! | route | does |
//! |---|---|
//! | `GET /widgets/{id}?format=html\|svg&tick=0..` | composes and renders a widget, or takes it from the cache |
//! | `PUT /widgets/{id}` | publishes a definition |
//! | `GET /healthz`, `GET /stats` | is it alive; what does it hold |
//! | `POST /snapshot?label=…` | takes a heap snapshot and answers its path (on loopback only) |
//! | `POST /graph` | the same with a graph of the heap, in exact mode (on loopback only) |
//! | `POST /shutdown` | stops the service (on loopback only) |
//!
//! A request that is at work composes and renders on the worker thread that serves it: that takes
//! less than a millisecond in a healthy service, and the profile then shows the whole way from
//! the runtime to the leak.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::cache::{Cache, Key};
use super::compose::{Links, compose};
use super::definitions::{Definition, Definitions, PublishError};
use super::layout_index::LayoutIndex;
use super::options::Options;
use super::render::{Format, render};

/// Bytes of rendered widgets that the cache holds.
const CACHE_BYTES: usize = 8 << 20;
/// Requests at work at the same time; more are turned away.
const MAX_CONCURRENT: usize = 64;
/// The largest body of a request, in bytes.
const MAX_BODY: usize = 256 << 10;
/// The last tick that a widget can be rendered at.
const MAX_TICK: u32 = 999_999;
/// Width in pixels of the page that layouts are made for.
const VIEWPORT: u32 = 1_920;
/// How long requests at work may take to end once the service stops.
const GRACE: Duration = Duration::from_secs(5);

/// What all requests share.
pub(crate) struct App {
    links: Links,
    definitions: Definitions,
    cache: Cache,
    layouts: Arc<LayoutIndex>,
    permits: Semaphore,
    stop: watch::Sender<bool>,
}

impl App {
    pub(crate) fn new(links: Links, definitions: Definitions) -> Arc<Self> {
        Arc::new(Self {
            links,
            definitions,
            cache: Cache::new(CACHE_BYTES),
            layouts: Arc::default(),
            permits: Semaphore::new(MAX_CONCURRENT),
            stop: watch::Sender::new(false),
        })
    }
}

/// Runs the service until it is told to stop: by a signal, by a request, or by the end of the
/// standard input where the options say so. Prints its address once it listens.
pub async fn run(options: Options) -> Result<(), String> {
    super::sqlite_memory::use_rust_allocator()?;
    let definitions = Definitions::open(options.database.as_deref())
        .map_err(|error| format!("cannot open the database: {error}"))?;
    let app = App::new(options.links, definitions);

    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let admin = address.ip().is_loopback();
    // Whoever started the service may have gone away without reading this.
    let _ = writeln!(std::io::stdout(), "listening on http://{address}");

    if options.stop_with_stdin {
        stop_with_stdin(app.stop.clone());
    }
    let router = router(Arc::clone(&app), admin);
    serve(listener, router, &app.stop).await
}

/// Serves until it is told to stop, and then at most [`GRACE`] longer.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    stop: &watch::Sender<bool>,
) -> Result<(), String> {
    let mut stopped = stop.subscribe();
    let mut overdue = stop.subscribe();
    let wait = async move {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => {}
            () = stop_signal() => {}
        }
    };
    let stop = stop.clone();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move {
        wait.await;
        stop.send_replace(true);
    });
    tokio::select! {
        result = server => result.map_err(|error| format!("cannot serve: {error}")),
        () = async {
            let _ = overdue.wait_for(|stop| *stop).await;
            tokio::time::sleep(GRACE).await;
        } => Ok(()),
    }
}

/// Ends with the first signal that asks the process to stop.
async fn stop_signal() {
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<Option<()>>();
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => {}
        _ = terminate => {}
    }
}

/// Stops the service when the standard input ends. The thread is left behind at the end of the
/// process: a read cannot be called off.
fn stop_with_stdin(stop: watch::Sender<bool>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while matches!(std::io::stdin().read(&mut buffer), Ok(1..)) {}
        stop.send_replace(true);
    });
}

/// All routes; those for operators only where `admin` says so.
pub(crate) fn router(app: Arc<App>, admin: bool) -> Router {
    let mut router = Router::new()
        .route("/widgets/{id}", get(view).put(publish))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&app), work))
        .route("/healthz", get(async || "ok\n"))
        .route("/stats", get(stats));
    if admin {
        router = router
            .route("/snapshot", post(snapshot))
            .route("/graph", post(graph))
            .route("/shutdown", post(shutdown));
    }
    router
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(app)
}

/// What surrounds each request for a widget: a bound on how many there are at a time, the relayout
/// of the registered widgets, and the count of work done.
async fn work(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Ok(_permit) = app.permits.try_acquire() else {
        return Refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many requests at once".to_owned(),
        )
        .into_response();
    };
    app.layouts.sweep(VIEWPORT);
    let response = next.run(request).await;
    heaplens::work_done(1);
    response
}

/// How to view a widget.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct View {
    #[serde(default)]
    format: Format,
    #[serde(default)]
    tick: u32,
}

async fn view(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: Result<Query<View>, QueryRejection>,
) -> Result<Response, Refusal> {
    let widget = widget_id(&id)?;
    let Query(View { format, tick }) = query.map_err(|error| bad_request(error.body_text()))?;
    if tick > MAX_TICK {
        return Err(bad_request(format!(
            "tick {tick} is too large; allowed are 0 to {MAX_TICK}"
        )));
    }
    let key = Key {
        widget,
        tick,
        format,
    };
    let body = match app.cache.get(&key) {
        Some(body) => body,
        None => {
            let definition = app
                .definitions
                .load(widget)
                .map_err(internal)?
                .ok_or_else(|| {
                    Refusal(
                        StatusCode::NOT_FOUND,
                        format!("there is no widget {widget}"),
                    )
                })?;
            let root = compose(&definition, tick, app.links, &app.layouts);
            let rendering = render(&definition.name, &root, format);
            app.cache.insert(key, rendering.as_bytes())
        }
    };
    Ok(([(header::CONTENT_TYPE, format.content_type())], body).into_response())
}

async fn publish(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Result<Json<Definition>, JsonRejection>,
) -> Result<StatusCode, Refusal> {
    let id = widget_id(&id)?;
    let Json(mut definition) = body.map_err(|error| Refusal(error.status(), error.body_text()))?;
    definition.id = id;
    app.definitions
        .publish(&definition)
        .map_err(|error| match error {
            PublishError::Invalid(_) => bad_request(error.to_string()),
            PublishError::Full => Refusal(StatusCode::INSUFFICIENT_STORAGE, error.to_string()),
            PublishError::Database(error) => internal(error),
        })?;
    app.cache.forget(id);
    Ok(StatusCode::NO_CONTENT)
}

async fn stats(State(app): State<Arc<App>>) -> Result<Json<serde_json::Value>, Refusal> {
    let cache = app.cache.stats();
    Ok(Json(serde_json::json!({
        "registered_layouts": app.layouts.registered(),
        "cache": { "entries": cache.entries, "bytes": cache.bytes, "evicted": cache.evicted },
        "database": app.definitions.stats().map_err(internal)?,
    })))
}

/// Which words to give a snapshot.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    label: String,
}

async fn snapshot(query: Result<Query<Label>, QueryRejection>) -> Result<String, Refusal> {
    let Query(Label { label }) = query.map_err(|error| bad_request(error.body_text()))?;
    taken(move || heaplens::snapshot(&label)).await
}

async fn graph() -> Result<String, Refusal> {
    taken(heaplens::snapshot_graph).await
}

/// Taking a snapshot waits for its file, so it does not happen on a thread that serves requests.
async fn taken(
    take: impl FnOnce() -> Result<PathBuf, heaplens::SnapshotError> + Send + 'static,
) -> Result<String, Refusal> {
    match tokio::task::spawn_blocking(take).await {
        Ok(Ok(file)) => Ok(format!("{}\n", file.display())),
        Ok(Err(error)) => Err(Refusal(
            StatusCode::CONFLICT,
            format!("no snapshot: {error}"),
        )),
        Err(error) => Err(Refusal(
            StatusCode::INTERNAL_SERVER_ERROR,
            error.to_string(),
        )),
    }
}

async fn shutdown(State(app): State<Arc<App>>) -> StatusCode {
    app.stop.send_replace(true);
    StatusCode::ACCEPTED
}

fn widget_id(id: &str) -> Result<u64, Refusal> {
    id.parse()
        .map_err(|_| bad_request(format!("{id:?} is not the number of a widget")))
}

/// An answer that is not what was asked for, with one line that says why.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, self.1 + "\n").into_response()
    }
}

fn bad_request(what: String) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, what)
}

/// The database failed: the operator learns how, and the client only that it did.
fn internal(error: rusqlite::Error) -> Refusal {
    eprintln!("widget_service: database: {error}");
    Refusal(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the database failed".to_owned(),
    )
}

#[cfg(test)]
mod tests;
