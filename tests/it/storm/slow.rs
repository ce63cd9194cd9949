//! A viewer that stops reading, on a real server: all others continue, and it is disconnected.

use serde_json::json;
use socket2::SockRef;
use tokio::io::AsyncReadExt;

use super::handshake;
use crate::support::metrics::Metrics;
use crate::support::shop::Shop;
use crate::support::{SOON, until_some};

const LINES: usize = 3_000;

#[tokio::test]
async fn viewer_who_never_reads_is_closed_and_others_miss_nothing() {
    let shop = Shop::demo(&["--chat-per-second", "0", "--room-chat-per-second", "0"]).await;
    let address = shop.server.address().to_string();
    let path = format!("/v1/streams/{}/live?", shop.stream);
    let (head, mut stalled, _) = handshake(&address, &path, "").await;
    assert!(head.starts_with("http/1.1 101"), "{head}");
    SockRef::from(&stalled).set_recv_buffer_size(4_096).unwrap();
    // The test client checks every frame for holes.
    let (mut reader, mut host) = (shop.watch().await, shop.live("the-host", "host").await);
    let viewers_shown = async |wanted: u64| {
        let report = shop.host.get(&shop.path("report")).await.expect(200);
        (report["viewers"] == wanted).then_some(())
    };
    until_some("two viewers", SOON, async || viewers_shown(2).await).await;
    let text = "x".repeat(200);
    let mut received = 0;
    for _ in 0..LINES / 100 {
        for _ in 0..100 {
            host.ask(json!({"do": "say", "text": text})).await.unwrap();
        }
        while received < 100 {
            let frame = reader.until("chat", SOON, |frame| frame["events"].is_array()).await;
            received += frame["events"].as_array().unwrap().len();
        }
        received -= 100;
    }
    until_some("one viewer", SOON, async || viewers_shown(1).await).await;
    let page = Metrics::of(&shop.host).await;
    assert!(page.get("livesouk_socket_writes_blocked_total") >= 1.0);
    assert_eq!(page.get("livesouk_websocket_closes_total{reason=\"slow\"}"), 1.0);
    assert_eq!(page.get("livesouk_backpressure_steps_total{step=\"close\"}"), 1.0);
    // What the kernel had taken may still be read; then the connection is closed.
    let mut rest = vec![0; 1 << 16];
    let end = async { while stalled.read(&mut rest).await.is_ok_and(|length| length > 0) {} };
    tokio::time::timeout(SOON, end).await.expect("closed");
}
