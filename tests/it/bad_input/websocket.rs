//! The cases of `tests/corpus/websocket` over real sockets: handshakes, offers of compression, and frames.

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::SOON;
use crate::support::shop::Shop;
use crate::support::websocket_cases::{Expected, FrameCase, frame_cases, masked};

/// How many connections are open at a time.
const CONNECTIONS: usize = 16;
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A connection that was asked to upgrade, and the head of the answer.
struct Answer {
    socket: TcpStream,
    status: u16,
    /// The lines of the head, with the names of the headers in lower case.
    headers: Vec<(String, String)>,
}

impl Answer {
    async fn to(shop: &Shop, lines: &str) -> Answer {
        let address = shop.server.address();
        let request = lines.replace("{path}", &shop.path("live")).replace("{host}", &address.to_string());
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(format!("{}\r\n\r\n", request.replace('\n', "\r\n")).as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await.expect("an answer"));
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap_or((line, "")));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        Answer { socket, status, headers }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The next frame of the server: its first byte and its payload.
    async fn next_frame(&mut self) -> (u8, Vec<u8>) {
        let first = self.socket.read_u8().await.expect("a frame");
        let length = match self.socket.read_u8().await.unwrap() {
            126 => u64::from(self.socket.read_u16().await.unwrap()),
            127 => self.socket.read_u64().await.unwrap(),
            length => u64::from(length),
        };
        let mut payload = vec![0; length as usize];
        self.socket.read_exact(&mut payload).await.unwrap();
        (first, payload)
    }
}

fn handshake(more: &str) -> String {
    format!(
        "GET {{path}} HTTP/1.1\nHost: {{host}}\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=={more}"
    )
}

#[tokio::test]
async fn handshake_is_answered_as_the_standard_says() {
    let shop = Shop::demo(&[]).await;
    let blocks = include_str!("../../corpus/websocket/handshakes.txt").split("\n\n").skip(1);
    let mut count = 0;
    for block in blocks {
        let (title, lines) = block.split_once('\n').unwrap();
        let (name, expected) = title.split_once(" -> ").unwrap();
        let answer = tokio::time::timeout(SOON, Answer::to(&shop, lines.trim_end())).await.expect(name);
        let mut expected = expected.split(' ');
        assert_eq!(answer.status.to_string(), expected.next().unwrap(), "{name}: {:?}", answer.headers);
        match answer.status {
            101 => {
                let (words, keys): (Vec<_>, Vec<_>) =
                    expected.partition(|word| ["subprotocol", "deflate"].contains(word));
                assert_eq!(
                    answer.header("sec-websocket-accept"),
                    Some(keys.first().copied().unwrap_or(ACCEPT)),
                    "{name}"
                );
                let subprotocol = words.contains(&"subprotocol").then_some("livesouk.v1");
                assert_eq!(answer.header("sec-websocket-protocol"), subprotocol, "{name}");
                assert_eq!(answer.header("sec-websocket-extensions").is_some(), words.contains(&"deflate"), "{name}");
            }
            426 => {
                assert_eq!(answer.header("sec-websocket-version"), Some("13"), "{name}");
                assert_eq!(answer.header("upgrade"), Some("websocket"), "{name}");
            }
            _ => assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{name}"),
        }
        count += 1;
    }
    assert!(count >= 40, "only {count} handshakes");
}

#[tokio::test]
async fn offer_of_compression_is_answered_as_the_standard_says() {
    let shop = Shop::demo(&[]).await;
    let rows = include_str!("../../corpus/websocket/deflate_offers.txt").lines();
    let mut count = 0;
    for row in rows.filter(|row| !row.is_empty() && !row.starts_with('#')) {
        let (offer, expected) = row.split_once("->").unwrap();
        let request = handshake(&format!("\nSec-WebSocket-Extensions: {}", offer.trim_end()));
        let answer = tokio::time::timeout(SOON, Answer::to(&shop, &request)).await.expect(row);
        let agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        let (status, extensions) = match expected.trim() {
            "agreed" => (101, Some(agreed.to_owned())),
            "declined" => (101, None),
            "refused" => (400, None),
            with => (101, Some(format!("{agreed}; {}", with.strip_prefix("agreed with ").unwrap()))),
        };
        assert_eq!(
            (answer.status, answer.header("sec-websocket-extensions")),
            (status, extensions.as_deref()),
            "{row}"
        );
        count += 1;
    }
    assert!(count >= 50, "only {count} offers");
}

#[tokio::test]
async fn frames_are_answered_as_the_standard_says() {
    let shop = Shop::demo(&[]).await;
    let cases = frame_cases();
    assert!(cases.len() >= 190, "only {} cases", cases.len());
    let runs = cases.iter().map(|case| async {
        tokio::time::timeout(SOON, check_frames(&shop, case))
            .await
            .unwrap_or_else(|_| panic!("no answer: {}", case.name));
    });
    futures_util::stream::iter(runs).buffer_unordered(CONNECTIONS).collect::<()>().await;
}

/// Sends the frames of a case and compares replies, pongs and the close frame with the expected ones.
async fn check_frames(shop: &Shop, case: &FrameCase) {
    let offer = if case.deflate { "\nSec-WebSocket-Extensions: permessage-deflate" } else { "" };
    let mut answer = Answer::to(shop, &handshake(offer)).await;
    assert_eq!(answer.status, 101, "{}", case.name);
    let ends = matches!(case.expected.last(), Some(Expected::Close(_) | Expected::Fail(_)));
    let mut bytes = case.bytes.clone();
    if !ends {
        // The connection is open, and the reader is between two frames: this ping gets its pong.
        bytes.extend(masked(0x89, b"still open"));
    }
    answer.socket.write_all(&bytes).await.unwrap();
    let mut seen = Vec::new();
    let reason = loop {
        let (first, payload) = answer.next_frame().await;
        match first {
            0x81 | 0xc1 if is_reply(first, &payload) => seen.push(Expected::Text(Vec::new())),
            0x8a if payload == b"still open" => break None,
            0x8a => seen.push(Expected::Ping(payload)),
            0x88 => {
                let code = u16::from_be_bytes([payload[0], payload[1]]);
                seen.push(Expected::Fail(code));
                break Some(serde_json::from_slice::<Value>(&payload[2..]).expect(case.name));
            }
            _ => {}
        }
    };
    // A text is an invalid verb, and gets a reply. The server answers the client's close with 1000.
    let expected = case.expected.iter().map(|expected| match expected {
        Expected::Text(_) => Expected::Text(Vec::new()),
        Expected::Close(_) => Expected::Fail(1000),
        other => other.clone(),
    });
    assert_eq!(seen, expected.collect::<Vec<_>>(), "{}", case.name);
    if let Some(Expected::Fail(_)) = case.expected.last() {
        let message = reason.as_ref().and_then(|reason| reason["message"].as_str()).expect(case.name);
        assert!(message.ends_with('.'), "{}: {message}", case.name);
    } else if ends {
        assert_eq!(reason, Some(json!({"retry_ms": null})), "{}", case.name);
    }
}

/// Replies are too short to be compressed.
fn is_reply(first: u8, payload: &[u8]) -> bool {
    first == 0x81 && payload.starts_with(br#"{"t":"reply""#)
}
