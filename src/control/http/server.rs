//! A server for programs that have none: a thread that listens, and one for each connection.

use super::Access;
use super::MOST_AT_A_TIME;
use super::connection::{serve, turn_away};
use super::places::Places;
use crate::control::run_settings::Listen;
use crate::control::signal::Blocked;
use crate::control::stderr;
use crate::platform;
use crate::recorder;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Connections that are served at a time.
static CONNECTIONS: Places = Places::new(MOST_AT_A_TIME);
/// Wait after a connection that could not be accepted, for lack of descriptors as a rule.
const PAUSE: Duration = Duration::from_millis(100);
const STACK_BYTES: usize = 512 << 10;

/// Starts to listen. Where that is impossible or unsafe, one line on stderr says why.
pub(in crate::control) fn start(listen_on: &Listen) {
    if let Err(reason) = try_start(listen_on) {
        stderr::line(&format!("not listening on {}: {reason}", listen_on.address));
    }
}

fn try_start(listen_on: &Listen) -> Result<(), String> {
    let access = Access::on(listen_on.address, listen_on.token_file.as_deref())?;
    let listener = TcpListener::bind(listen_on.address).map_err(|error| error.to_string())?;
    let access = Arc::new(access);
    spawn("heaplens-http", move || listen(&listener, &access)).map_err(|error| error.to_string())
}

/// A thread of ours: it gets no signals of the program's, and its memory is heaplens' own.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_BYTES);
    let _blocked = Blocked::new();
    thread.spawn(move || recorder::as_own(work))?;
    Ok(())
}

fn listen(listener: &TcpListener, access: &Arc<Access>) {
    loop {
        // What calls have left on the stack would hold blocks for as long as this thread waits.
        platform::clear_stack();
        let Ok((stream, _)) = listener.accept() else {
            thread::sleep(PAUSE);
            continue;
        };
        let Some(place) = CONNECTIONS.take() else {
            // Whoever does not hear it notices the end of the connection.
            let _ = turn_away(stream);
            continue;
        };
        let access = Arc::clone(access);
        // Without a thread the connection ends, and its place is free.
        let _ = spawn("heaplens-http-1", move || {
            let _place = place;
            one(stream, &access);
        });
    }
}

fn one(stream: TcpStream, access: &Access) {
    // A panic is printed by the hook in force, and ends this connection alone.
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| serve(stream, access)));
}
