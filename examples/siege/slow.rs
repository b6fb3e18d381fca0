//! Slow clients: they keep a connection for as long as they are let, and come back when they are not.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use quantum::drive::exchange::{connect, connect_by};
use quantum::drive::load::LARGEST_WIDGET;

/// Between two drips. Shorter than any timeout that counts pauses.
const DRIP: Duration = Duration::from_secs(1);
/// Between the end of a connection and the next one.
const BREATH: Duration = Duration::from_millis(200);
/// Bytes that a slow reader takes at a time, and its receive buffer.
const SIP: usize = 128;
const RECEIVE_BUFFER: u32 = 2_048;
/// The segments that it can take, as on an Ethernet. Loopback's have 64 KiB, and with those the system would
/// take a whole answer off the server's hands.
static SEGMENT: libc::c_int = 1_400;
/// Bytes of a body that are announced, and never all sent.
const BODY_BYTES: usize = 200_000;

/// What a slow client is slow at.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Head,
    Body,
    Reader,
}

const KINDS: [(Kind, &str); 3] = [
    (Kind::Head, "heads"),
    (Kind::Body, "bodies"),
    (Kind::Reader, "readers"),
];

/// What happened to the slow clients of one kind.
#[derive(Debug, Default)]
struct Tally {
    open: AtomicU64,
    cut_off: AtomicU64,
    refused: AtomicU64,
}

/// Slow clients at work.
#[derive(Debug)]
pub(super) struct Attack {
    clients: JoinSet<()>,
    tallies: [Arc<Tally>; 3],
}

impl Attack {
    /// Starts so many of each kind, from so many addresses.
    pub(super) fn start(nginx: SocketAddr, clients: u32, addresses: u32) -> Self {
        let mut attack = Self {
            clients: JoinSet::new(),
            tallies: Default::default(),
        };
        for (index, (kind, _)) in KINDS.into_iter().enumerate() {
            for client in 0..clients {
                let number = (index as u32 * clients + client) % addresses;
                // From 127.1.0.1 on.
                let from = Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 1).to_bits() + number);
                let tally = Arc::clone(&attack.tallies[index]);
                attack.clients.spawn(async move {
                    loop {
                        attack_once(kind, from, nginx, &tally).await;
                        tokio::time::sleep(BREATH).await;
                    }
                });
            }
        }
        attack
    }

    /// Ends it, and says what the clients have met.
    pub(super) fn stop(self) -> Met {
        Met(self.tallies)
    }
}

async fn attack_once(kind: Kind, from: Ipv4Addr, nginx: SocketAddr, tally: &Tally) {
    let connected = match kind {
        Kind::Head | Kind::Body => connect(from, nginx).await,
        Kind::Reader => match narrow_socket() {
            Ok(socket) => connect_by(socket, from, nginx).await,
            Err(error) => Err(error),
        },
    };
    let Ok(stream) = connected else {
        tally.refused.fetch_add(1, Relaxed);
        return;
    };
    tally.open.fetch_add(1, Relaxed);
    // Whatever ends it, the connection is gone.
    let _ = match kind {
        Kind::Head => {
            drip(
                stream,
                "GET /widgets/1 HTTP/1.1\r\nHost: slow\r\n",
                "A: b\r\n",
            )
            .await
        }
        Kind::Body => {
            let head = format!(
                "PUT /widgets/{LARGEST_WIDGET} HTTP/1.1\r\nHost: slow\r\n\
                 Content-Type: application/json\r\nContent-Length: {BODY_BYTES}\r\n\r\n"
            );
            drip(stream, &head, " ").await
        }
        Kind::Reader => sip(stream).await,
    };
    tally.open.fetch_sub(1, Relaxed);
    tally.cut_off.fetch_add(1, Relaxed);
}

/// A socket that takes little at a time.
fn narrow_socket() -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    // SAFETY: the descriptor is open as long as `socket` is, and the option is an int of that size.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_MAXSEG,
            (&raw const SEGMENT).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    match result {
        0 => Ok(socket),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sends the beginning at once and then a drip each second, until the other side ends it.
async fn drip(mut stream: TcpStream, beginning: &str, drip: &str) -> io::Result<()> {
    stream.write_all(beginning.as_bytes()).await?;
    let mut answer = [0; 512];
    loop {
        tokio::select! {
            read = stream.read(&mut answer) => if read? == 0 { return Ok(()) },
            () = tokio::time::sleep(DRIP) => stream.write_all(drip.as_bytes()).await?,
        }
    }
}

/// Asks for much and reads a few bytes each second.
async fn sip(mut stream: TcpStream) -> io::Result<()> {
    let request = format!(
        "GET /widgets/{LARGEST_WIDGET} HTTP/1.1\r\nHost: slow\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut sip = [0; SIP];
    while stream.read(&mut sip).await? > 0 {
        tokio::time::sleep(DRIP).await;
    }
    Ok(())
}

/// What slow clients have met.
#[derive(Debug)]
pub(super) struct Met([Arc<Tally>; 3]);

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  slow clients at the end:")?;
        for ((_, name), tally) in KINDS.iter().zip(&self.0) {
            write!(
                f,
                " {name} {} open, {} cut off, {} refused;",
                tally.open.load(Relaxed),
                tally.cut_off.load(Relaxed),
                tally.refused.load(Relaxed)
            )?;
        }
        Ok(())
    }
}
