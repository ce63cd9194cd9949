//! Shutdown: fast, graceful, and without losing work that has started.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::SOON;
use crate::support::process::Signal;
use crate::support::shop::{Shop, id, key};

#[tokio::test]
async fn signal_shuts_down_in_time_with_connected_viewers() {
    for signal in [Signal::Interrupt, Signal::Terminate] {
        let shop = Shop::demo(&[]).await;
        let (mut ann, mut anonymous) = (shop.live("Ann", "viewer").await, shop.watch().await);
        ann.ask(json!({"do": "say", "text": "hi"})).await.unwrap();
        let mut server = shop.server;
        let started = Instant::now();
        server.process.signal(signal);
        for live in [&mut ann, &mut anonymous] {
            let moving = live.until("moving", SOON, |frame| frame["t"] == "moving").await;
            assert!(moving["retry_ms"].as_i64().unwrap() >= 0);
            // A client that stays is closed with a code that means reconnect, or its connection is cut.
            let closed = live.closed(SOON).await;
            assert!(matches!(closed.code, 4000..=4499 | 1006), "{closed:?}");
        }
        let status = server.process.end(SOON).await;
        assert!(started.elapsed() < Duration::from_secs(5), "{signal:?}: took {:?}", started.elapsed());
        assert_eq!(status.code(), Some(0), "{signal:?}: {}", server.process.stderr());
        assert!(!server.process.stderr().contains("ERROR"), "{}", server.process.stderr());
    }
}

#[tokio::test]
async fn idle_connection_does_not_delay_the_shutdown() {
    let shop = Shop::demo(&[]).await;
    let mut server = shop.server;
    // Browsers and clients with a connection pool open such connections in advance.
    let _unused = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    assert_eq!(server.rest().get("/healthz").await.status, 200);
    let started = Instant::now();
    assert_eq!(server.stop().await.code(), Some(0), "{}", server.process.stderr());
    assert!(started.elapsed() < Duration::from_secs(4), "took {:?}", started.elapsed());
}

#[tokio::test]
async fn payment_in_progress_is_finished_before_the_shutdown() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(1, json!({})).await;
    let rest = shop.rest("Ann", "viewer");
    let held = rest.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await.expect(201);
    let path = format!("/v1/orders/{}/pay", id(&held));
    let paying = {
        let (rest, path) = (rest.clone(), path.clone());
        tokio::spawn(async move { rest.post_keyed(&path, "slow-payment", json!({"token": "slow"})).await })
    };
    let begun = async || (shop.number("select count(*) from payments").await == 1).then_some(());
    crate::support::until_some("payment", SOON, begun).await;
    let (folder, mut server) = (shop.server.folder(), shop.server);
    assert_eq!(server.stop().await.code(), Some(0), "{}", server.process.stderr());
    assert_eq!(paying.await.unwrap().expect(200)["status"], "paid");
    let shop = Shop::demo_in(folder, &[]).await;
    let again = shop.rest("Ann", "viewer").post_keyed(&path, "slow-payment", json!({"token": "slow"})).await;
    assert_eq!(again.expect(200)["status"], "paid");
    assert_eq!(shop.number("select count(*) from payments where status = 'captured'").await, 1);
}
