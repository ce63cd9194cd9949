//! Limits of one HTTP connection: progress of its writes, and the number of its requests.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::metrics::Metrics;
use crate::support::postgres::Database;
use crate::support::raw_client::narrow_connection;
use crate::support::shop::Shop;
use crate::support::{SOON, until_some};

/// Half of them fill the buffers of the server and of the kernel; the others leave one answer in the buffer of the kernel.
#[tokio::test]
async fn clients_that_never_read_are_cut_after_ten_seconds() {
    let shop = Shop::demo(&[]).await;
    let open = async || Metrics::of(&shop.host).await.get("livesouk_http_connections") as usize;
    let before = open().await;
    let started = Instant::now();
    let mut connections = Vec::new();
    for number in 0..10 {
        let mut connection = narrow_connection(shop.server.address()).await.unwrap();
        let requests = if number % 2 == 0 { 100 } else { 1 };
        let request = "GET /v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(requests);
        connection.write_all(request.as_bytes()).await.unwrap();
        connections.push(connection);
    }
    // A client that reads slowly, but reads, is served to the end.
    let mut slow = narrow_connection(shop.server.address()).await.unwrap();
    slow.write_all(b"GET /v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").await.unwrap();
    let reading = tokio::spawn(async move {
        let mut whole = Vec::new();
        while slow.read_buf(&mut whole).await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        whole.len()
    });
    until_some("11 connections", SOON, async || (open().await >= before + 10).then_some(())).await;
    until_some("the end of all", Duration::from_secs(40), async || (open().await <= before).then_some(())).await;
    let lasted = started.elapsed();
    assert!((8..35).contains(&lasted.as_secs()), "cut after {lasted:?}");
    let stalled = Metrics::of(&shop.host).await.get("livesouk_http_connections_stalled_total");
    assert!(stalled >= 1.0, "those whose answers do not fit the kernel's buffers are counted: {stalled}");
    assert!(reading.await.unwrap() > 50_000);
}

/// Sends `count` requests, one after the other, and returns the heads of the responses until the connection ends.
async fn requests(address: &str, count: usize) -> Vec<String> {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let mut heads = Vec::new();
    let mut seen = Vec::new();
    for _ in 0..count {
        if connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await.is_err() {
            break;
        }
        let end = loop {
            if let Some(end) = seen.windows(7).position(|end| end == b"\r\n\r\nok\n") {
                break end + 7;
            }
            let read = tokio::time::timeout(SOON, connection.read_buf(&mut seen)).await.expect("an answer");
            if read.unwrap_or(0) == 0 {
                return heads;
            }
        };
        let rest = seen.split_off(end);
        heads.push(String::from_utf8(std::mem::replace(&mut seen, rest)).unwrap().to_ascii_lowercase());
    }
    heads
}

#[tokio::test]
async fn thousandth_request_is_the_last_on_its_connection() {
    let shop = Shop::demo(&[]).await;
    let heads = requests(&shop.server.address().to_string(), 1_010).await;
    assert_eq!(heads.len(), 1_000);
    assert!(heads[999].contains("\r\nconnection: close\r\n"), "{}", heads[999]);
    assert!(heads[..999].iter().all(|head| !head.contains("connection: close")), "only the last one");
}

#[tokio::test]
async fn trusted_proxy_may_send_more_than_a_thousand_requests_over_a_connection() {
    let database = Database::migrated().await;
    let shop = Shop::serve_with(&database.url(), &database.url(), &["--trusted-proxy", "127.0.0.1"]).await;
    let heads = requests(&shop.server.address().to_string(), 1_010).await;
    assert_eq!(heads.len(), 1_010);
    assert!(heads.iter().all(|head| !head.contains("connection: close")));
}
