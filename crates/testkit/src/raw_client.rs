//! A client below HTTP libraries: it connects from any address of this machine, pipelines, stops reading, and sees what the
//! server answers to a WebSocket handshake.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::SOON;

/// A setting that makes the limits per address hold for the addresses of this machine too: the list replaces the default.
pub const LIMIT_LOOPBACK: [&str; 2] = ["--address-exempt", "192.0.2.1"];

/// A connection from 127.0.0.`last`: to the server, each is another client.
pub async fn connect_from(last: u8, server: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0))?;
    socket.connect(server).await
}

/// A connection that accepts few bytes at a time.
pub async fn narrow_connection(server: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4_096)?;
    socket.connect(server).await
}

/// A WebSocket handshake. `more` are further header lines, each with its line break.
pub fn upgrade_request(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

/// How the server answers: the status, and for an upgraded connection the first byte of the first frame (0x81 is a text, 0x88 a
/// close frame). The status is 0 when the server drops the connection.
pub type Answer = (u16, Option<u8>);

/// The answer to a viewer who got the show.
pub const IS_IN: Answer = (101, Some(0x81));

pub async fn answer(connection: &mut TcpStream, request: &str) -> Answer {
    let mut seen = Vec::new();
    let reading = async {
        connection.write_all(request.as_bytes()).await.ok()?;
        loop {
            if connection.read_buf(&mut seen).await.ok()? == 0 {
                return None;
            }
            let Some(head) = seen.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
            let status: u16 = std::str::from_utf8(&seen[9..12]).ok()?.parse().ok()?;
            match seen.get(head + 4) {
                _ if status != 101 => return Some((status, None)),
                Some(first) => return Some((101, Some(*first))),
                None => {}
            }
        }
    };
    tokio::time::timeout(SOON, reading).await.expect("an answer").unwrap_or((0, None))
}

/// A viewer from 127.0.0.`last`, and what the server answered.
pub async fn join_from(last: u8, server: SocketAddr, path: &str) -> (Answer, Option<TcpStream>) {
    let Ok(mut connection) = connect_from(last, server).await else { return ((0, None), None) };
    (answer(&mut connection, &upgrade_request(path, "")).await, Some(connection))
}

/// Sends `count` requests at once over one connection and returns all answers as text.
pub async fn pipeline(connection: &mut TcpStream, count: usize, request: impl Fn() -> String) -> String {
    let flood: String = std::iter::repeat_with(request).take(count).collect();
    let (mut read, mut write) = connection.split();
    let (_, answers) = tokio::join!(write.write_all(flood.as_bytes()), async {
        let mut seen = Vec::new();
        let heads = |seen: &[u8]| seen.windows(9).filter(|part| part == b"HTTP/1.1 ").count();
        while heads(&seen) < count {
            match tokio::time::timeout(SOON, read.read_buf(&mut seen)).await.expect("answers") {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        String::from_utf8_lossy(&seen).into_owned()
    });
    answers
}
