//! Join storms and limits from outside: who is admitted, who has to wait, who is too slow, who is counted.

mod admission;
mod crowd;
mod slow;

/// The head of the response to a handshake, and the bytes behind it.
async fn handshake(address: &str, path: &str, more: &str) -> (String, tokio::net::TcpStream, Vec<u8>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let ask = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    );
    socket.write_all(ask.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    loop {
        if let Some(end) = seen.windows(4).position(|end| end == b"\r\n\r\n") {
            let rest = seen.split_off(end + 4);
            return (String::from_utf8(seen).unwrap().to_ascii_lowercase(), socket, rest);
        }
        let read = tokio::time::timeout(crate::support::SOON, socket.read_buf(&mut seen)).await;
        assert_ne!(read.expect("a response").unwrap(), 0, "a response");
    }
}
