//! A crowd arrives at once: everybody is in soon after the time that the rate of joins needs at least.

use std::time::{Duration, Instant};

use client::{ConnectionEnd, JoinOptions, LiveConnection};
use futures_util::future::join_all;
use serde_json::json;

use crate::support::SOON;
use crate::support::metrics::Metrics;
use crate::support::shop::Shop;

const CROWD: u32 = 200;
const JOINS_PER_SECOND: f64 = 20.0;
/// The burst of two seconds is in at once.
const IDEAL_S: f64 = CROWD as f64 / JOINS_PER_SECOND - 2.0;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Client {
    /// Obeys `Retry-After` of a 503, too.
    ReadsEverything,
    /// Cannot read a refused handshake.
    Browser,
}

/// Joins, and comes back as often as the server wants. Returns the connection and the number of attempts.
async fn join(shop: &Shop, kind: Client) -> (LiveConnection, u32) {
    let mut ticket = None;
    for attempt in 0.. {
        let options = JoinOptions { ticket: ticket.clone(), ..JoinOptions::default() };
        let end = match LiveConnection::join(&shop.server.url, &shop.stream, &options, SOON).await {
            Ok((connection, _)) => return (connection, attempt + 1),
            Err(end) => end,
        };
        let wait_ms = match &end {
            ConnectionEnd::Refused { status: 503, body } if kind == Client::ReadsEverything => {
                serde_json::from_str::<serde_json::Value>(body).unwrap()["retry_ms"].as_u64().unwrap()
            }
            ConnectionEnd::Refused { status: 503, .. } => rand::random_range(0..=(500 << attempt.min(5))),
            ConnectionEnd::Closed { code: 4013, .. } => {
                ticket = end.admission_ticket();
                assert!(ticket.is_some(), "a place has a ticket: {end}");
                end.retry_ms().unwrap()
            }
            other => panic!("{other}"),
        };
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }
    unreachable!("it is in, or it comes again")
}

async fn crowd_joins(kind: Client) {
    let shop = Shop::demo(&["--joins-per-second", &JOINS_PER_SECOND.to_string()]).await;
    let started = Instant::now();
    let everybody = join_all((0..CROWD).map(|_| join(&shop, kind))).await;
    let took_s = started.elapsed().as_secs_f64();
    assert!(took_s <= 1.3 * IDEAL_S, "{took_s:.1} s, ideal {IDEAL_S} s");
    assert!(took_s >= 0.9 * IDEAL_S, "{took_s:.1} s: the rate is a limit");
    let most = everybody.iter().map(|(_, attempts)| *attempts).max().unwrap();
    assert!(most <= 12, "{most} attempts");
    let metrics = Metrics::of(&shop.host).await;
    assert!(metrics.get("livesouk_websocket_handshakes_with_ticket_total") >= 100.0);
    assert_eq!(metrics.get("livesouk_websocket_handshakes_wait_seconds"), 0.0);
}

#[tokio::test]
async fn crowd_of_clients_that_read_everything_is_in_soon() {
    crowd_joins(Client::ReadsEverything).await;
}

#[tokio::test]
async fn crowd_of_browsers_is_in_as_soon() {
    crowd_joins(Client::Browser).await;
}

#[tokio::test]
async fn ticket_admits_nobody_who_is_banned() {
    let shop = Shop::demo(&["--joins-per-second", "1"]).await;
    let token = shop.token("Ann", "viewer");
    let mut inside = Vec::new();
    let place = loop {
        match LiveConnection::join(&shop.server.url, &shop.stream, &JoinOptions::with_token(&token), SOON).await {
            Ok(connection) => inside.push(connection),
            Err(end) => break end,
        }
    };
    shop.host.put(&shop.path("bans/Ann"), json!({})).await.expect(200);
    tokio::time::sleep(Duration::from_millis(place.retry_ms().unwrap())).await;
    let options = JoinOptions { ticket: place.admission_ticket(), ..JoinOptions::with_token(&token) };
    let end = LiveConnection::join(&shop.server.url, &shop.stream, &options, SOON).await.unwrap_err();
    assert!(matches!(end, ConnectionEnd::Closed { code: 4502, .. }), "{end}");
    assert_eq!(Metrics::of(&shop.host).await.get("livesouk_websocket_handshakes_with_ticket_total"), 1.0);
}
