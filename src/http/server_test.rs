//! The deadlines of a connection, on a clock that the test moves. The client runs in blocking threads, because the clock of tokio stands
//! still while one of them works.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use axum::routing::get;

use super::*;
use crate::http::address_key::ConnectionsPerAddress;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/// How long the client waits for bytes that must come, in real time.
const SOON: Duration = Duration::from_secs(5);

/// A connection to a server with one route.
async fn connect() -> (TcpStream, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let router = Router::new().route("/", get(|| async { "fine" }));
    let limiter = ConnectionLimiter::new(10, ConnectionsPerAddress::none());
    tokio::spawn(serve(listener, router, limiter, Default::default(), Clock::system(), stop.clone()));
    let stream = blocking(move || TcpStream::connect(address).unwrap()).await;
    stream.set_read_timeout(Some(SOON)).unwrap();
    (stream, stop)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

async fn send(mut stream: TcpStream, bytes: &'static [u8]) -> TcpStream {
    blocking(move || {
        stream.write_all(bytes).unwrap();
        stream
    })
    .await
}

/// Reads the response of a request.
async fn response(mut stream: TcpStream) -> (TcpStream, String) {
    blocking(move || {
        let mut text = String::new();
        while !text.ends_with("fine") {
            let mut bytes = [0; 1_024];
            let count = stream.read(&mut bytes).expect("a response in time");
            assert!(count > 0, "the connection was closed after {text:?}");
            text.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        (stream, text)
    })
    .await
}

/// Whether the server has closed the connection.
async fn is_closed(mut stream: TcpStream) -> bool {
    blocking(move || {
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        matches!(stream.read(&mut [0; 1_024]), Ok(0))
    })
    .await
}

/// Moves the clock by whole seconds, so that the server sees every moment in between.
async fn seconds(count: u64) {
    for _ in 0..count {
        tokio::time::advance(Duration::from_secs(1)).await;
        blocking(|| ()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn kept_connection_serves_after_74_idle_seconds_and_ends_after_75() {
    let (stream, stop) = connect().await;
    let (mut stream, _) = response(send(stream, REQUEST).await).await;
    for _ in 0..2 {
        seconds(74).await;
        (stream, _) = response(send(stream, REQUEST).await).await;
    }
    seconds(77).await;
    assert!(is_closed(stream).await);
    stop.cancel();
}

#[tokio::test(start_paused = true)]
async fn head_that_begins_must_end_within_ten_seconds() {
    let (stream, stop) = connect().await;
    // A first head that never ends, and a connection that never sends a byte.
    let stream = send(stream, b"GET / HTTP/1.1\r\nHost").await;
    let (silent, silent_stop) = connect().await;
    // A second head that never ends, on a connection that has served before.
    let (kept, kept_stop) = connect().await;
    let (kept, _) = response(send(kept, REQUEST).await).await;
    seconds(9).await;
    let kept = send(kept, b"GET / HT").await;
    seconds(3).await;
    assert!(is_closed(stream).await && is_closed(silent).await);
    // Its own ten seconds count from its first byte; one more byte later changes nothing.
    let kept = send(kept, b"TP/1.1").await;
    seconds(9).await;
    assert!(is_closed(kept).await);
    for stop in [stop, silent_stop, kept_stop] {
        stop.cancel();
    }
}
