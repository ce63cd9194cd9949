//! Invalid frames: an invalid verb gets an error reply, and a protocol violation ends the connection with 4500.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::assert_unharmed;
use crate::support::SOON;
use crate::support::shop::Shop;
use crate::support::socket::Live;

/// Sends a text and returns the next reply, whatever its `ref` is.
async fn reply_to(live: &mut Live, text: &str) -> Value {
    live.send(Message::text(text)).await;
    live.until("reply", SOON, |frame| frame["t"] == "reply").await
}

#[tokio::test]
async fn invalid_verb_gets_an_error_reply_and_the_connection_stays_open() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let deep = "[".repeat(10_000);
    let deep_objects = format!("{}1{}", "{\"a\":".repeat(2_000), "}".repeat(2_000));
    let numeric = format!(r#"{{"ref":7,"do":"buy","offer":"{offer}","qty":1,"key":"12345678"}}"#);
    let long_ref = format!(r#"{{"ref":"{}","do":"unpin"}}"#, "r".repeat(65));
    for bad in ["", "hi", "null", "7", "[]", "{}", "{", "{\"do\":7}", &deep, &deep_objects, &numeric, &long_ref] {
        let reply = reply_to(&mut live, bad).await;
        let start: String = bad.chars().take(40).collect();
        assert_eq!((&reply["ref"], &reply["error"]["code"]), (&json!(null), &json!("bad_request")), "{start}");
    }
    let reply = reply_to(&mut live, r#"{"ref":"x","do":"dance"}"#).await;
    assert_eq!((&reply["ref"], &reply["error"]["code"]), (&json!("x"), &json!("unknown_verb")));
    assert!(reply["error"]["message"].as_str().unwrap().contains("dance"), "{reply}");
    // Unknown fields are ignored.
    live.ask(json!({"do": "say", "text": "hi", "from": "Bob", "role": "host", "more": [1]})).await.unwrap();
    let event = live.event("chat message", SOON, |event| event["type"] == "chat").await;
    assert_eq!(event["from"], json!({"id": "Ann", "name": "Ann", "role": "viewer"}));
    assert_unharmed(&shop, &offer, 5).await;
}

#[tokio::test]
async fn protocol_violation_ends_the_connection() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let mut neighbour = shop.live("Bob", "viewer").await;
    let largest = format!(r#"{{"do":"dance","pad":"{}"}}"#, "x".repeat(16 * 1024 - 23));
    assert_eq!(largest.len(), 16 * 1024);
    let mut live = shop.live("Ann", "viewer").await;
    assert_eq!(reply_to(&mut live, &largest).await["error"]["code"], "unknown_verb", "16 KiB is allowed");
    live.send(Message::text(format!("{largest} "))).await;
    assert_eq!(live.closed(SOON).await.code, 4500);
    let mut live = shop.live("Ann", "viewer").await;
    live.send(Message::binary(r#"{"do":"unpin"}"#)).await;
    assert_eq!(live.closed(SOON).await.code, 4500);

    for (name, bytes) in [
        ("unmasked", &b"\x81\x02{}"[..]),
        ("RSV1 without compression", b"\xc1\x82\0\0\0\0{}"),
        ("RSV2", b"\xa1\x82\0\0\0\0{}"),
        ("RSV3", b"\x91\x82\0\0\0\0{}"),
        ("a reserved opcode", b"\x83\x82\0\0\0\0{}"),
        ("a reserved control opcode", b"\x8b\x80\0\0\0\0"),
        ("a continuation without a start", b"\x80\x82\0\0\0\0{}"),
        ("a text within a text", b"\x01\x81\0\0\0\0{\x81\x82\0\0\0\0{}"),
        ("a long ping", b"\x89\xfe\0\x7e\0\0\0\0"),
        ("a ping in parts", b"\x09\x80\0\0\0\0"),
        ("a text that is not UTF-8", b"\x81\x82\0\0\0\0\xff\xfe"),
        ("a length of 2^63", b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"),
        ("17 KiB in parts", &parts(17)),
    ] {
        assert_eq!(closed_after(&shop, bytes).await, 4500, "{name}");
    }
    neighbour.ask(json!({"do": "say", "text": "still connected"})).await.unwrap();
    assert_unharmed(&shop, &offer, 5).await;
}

/// A message in masked fragments of 1 KiB.
fn parts(count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in 0..count {
        bytes.extend([if part == 0 { 0x01 } else { 0x00 }, 0xfe, 0x04, 0x00, 0, 0, 0, 0]);
        bytes.extend([b'x'; 1_024]);
    }
    bytes
}

/// Opens a raw WebSocket connection, sends these bytes and returns the code of the close frame.
async fn closed_after(shop: &Shop, bytes: &[u8]) -> u16 {
    let mut socket = TcpStream::connect(shop.server.address()).await.unwrap();
    let request = format!(
        "GET {} HTTP/1.1\r\nhost: {}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        shop.path("live"),
        shop.server.address()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let reading = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.to_lowercase().contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
        socket.write_all(bytes).await.unwrap();
        loop {
            let first = socket.read_u8().await.unwrap();
            let length = match socket.read_u8().await.unwrap() {
                126 => u64::from(socket.read_u16().await.unwrap()),
                127 => socket.read_u64().await.unwrap(),
                length => u64::from(length),
            };
            let mut payload = vec![0; length as usize];
            socket.read_exact(&mut payload).await.unwrap();
            if first == 0x88 {
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
        }
    };
    tokio::time::timeout(SOON, reading).await.expect("a close frame")
}
