//! One request on a connection of its own, from an address of one's own.
//!
//! Everything is on loopback, where all of 127.0.0.0/8 can be called from: so each client has an address
//! of its own, as limits by address expect.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::load::Request;

/// What takes longer has failed, as it has for whoever waits in front of a browser.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects from an address of loopback.
pub async fn connect(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    connect_by(TcpSocket::new_v4()?, from, to).await
}

/// The same, by this socket.
pub async fn connect_by(
    socket: TcpSocket,
    from: Ipv4Addr,
    to: SocketAddr,
) -> std::io::Result<TcpStream> {
    socket.bind((from, 0).into())?;
    socket.connect(to).await
}

/// The text that asks for the widget of a request.
pub fn view_text(request: &Request) -> String {
    match request {
        Request::View {
            widget,
            tick,
            format,
        } => get_text(&format!("/widgets/{widget}?tick={tick}&format={format}")),
        Request::Publish(definition) => get_text(&format!("/widgets/{}", definition.id)),
    }
}

/// The text that asks for a page.
pub fn get_text(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n")
}

/// One request. Anything but a whole answer with that beginning is an error.
pub async fn ask(
    from: Ipv4Addr,
    to: SocketAddr,
    request: &str,
    expected: &str,
) -> Result<(), String> {
    let exchange = async {
        let mut stream = connect(from, to).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = tokio::time::timeout(PATIENCE, exchange)
        .await
        .map_err(|_| format!("no answer in {} s", PATIENCE.as_secs()))?
        .map_err(|error| error.to_string())?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| format!("{} bytes and no answer", answer.len()))?;
    if !head.starts_with(expected) {
        return Err(head.lines().next().unwrap_or_default().to_owned());
    }
    let announced = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse().ok())?
    });
    match announced {
        Some(length) if body.len() < length => Err("half an answer".to_owned()),
        _ => Ok(()),
    }
}
