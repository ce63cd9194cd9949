//! Attacks on everybody else: one client takes what is for all.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::raw_client::{
    IS_IN, LIMIT_LOOPBACK, answer, connect_from, join_from, narrow_connection, pipeline, upgrade_request,
};
use testkit::shop::{KEY, key, sign};
use testkit::socket::Live;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::shop::AttackedShop;
use crate::{Attack, Outcome, attack, withstood};

pub const ATTACKS: &[Attack] = &[
    attack!("limits: handshakes for invented shows keep viewers out", invented_shows),
    attack!("limits: one address holds every connection", one_address_holds_everything),
    attack!("limits: one token is a thousand viewers", one_token_many_viewers),
    attack!("limits: buying and cancelling in a loop holds the stock", buy_and_cancel),
    attack!("limits: stolen cards are tried one after the other", card_tests),
    attack!("limits: connections that never read stay", never_reading),
    attack!("limits: dear documents delay the chat", dear_documents),
];

fn live(shop: &AttackedShop) -> String {
    format!("/v1/streams/{}/live", shop.stream)
}

/// How many of eight viewers, each from another address, get the show.
async fn eight_viewers(shop: &AttackedShop) -> usize {
    let mut here = Vec::new();
    for last in 101..109 {
        here.push(join_from(last, shop.server.address(), &live(shop)).await);
    }
    here.iter().filter(|(answer, _)| *answer == IS_IN).count()
}

async fn invented_shows() -> Outcome {
    let shop = AttackedShop::serve(&[&LIMIT_LOOPBACK[..], &["--joins-per-second", "20"]].concat()).await;
    let mut attacker = connect_from(99, shop.server.address()).await.unwrap();
    let invented = || upgrade_request(&format!("/v1/streams/{}/live", uuid::Uuid::now_v7()), "");
    let answers = pipeline(&mut attacker, 900, invented).await;
    let sent = answers.matches("HTTP/1.1 ").count();
    let viewers = eight_viewers(&shop).await;
    withstood(viewers == 8, || format!("{viewers} of 8 viewers got in after {sent} handshakes"))?;
    Ok(format!("8 of 8 viewers got in after {sent} handshakes"))
}

async fn one_address_holds_everything() -> Outcome {
    let shop = AttackedShop::serve(&[&LIMIT_LOOPBACK[..], &["--connections-max", "200"]].concat()).await;
    let mut held = Vec::new();
    for _ in 0..400 {
        held.extend(connect_from(99, shop.server.address()).await.ok());
    }
    let get = "GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    let mut health = connect_from(98, shop.server.address()).await.unwrap();
    let ready = answer(&mut health, get).await.0;
    withstood(ready == 200, || format!("the health check got {ready}"))?;
    let team = format!("{}?token={}", live(&shop), sign(KEY, "the-host", "host", 60));
    let host = join_from(97, shop.server.address(), &team).await.0;
    withstood(host == IS_IN, || format!("the host got {host:?}"))?;
    let viewers = eight_viewers(&shop).await;
    withstood(viewers == 8, || format!("{viewers} of 8 viewers got in"))?;
    Ok("health check, host and 8 of 8 viewers served beside 400 idle connections".to_owned())
}

async fn one_token_many_viewers() -> Outcome {
    let shop = AttackedShop::serve(&[]).await;
    let path = format!("{}?token={}", live(&shop), sign(KEY, "crowd", "viewer", 60));
    let mut sockets = Vec::new();
    for _ in 0..200 {
        sockets.push(join_from(1, shop.server.address(), &path).await);
    }
    let open = sockets.iter().filter(|(answer, _)| *answer == IS_IN).count();
    let mut shown = Value::Null;
    for _ in 0..50 {
        let report = shop.host.get(&format!("/v1/streams/{}/report", shop.stream)).await.expect(200);
        shown = report["viewers"].clone();
        withstood(shown.as_u64().is_some_and(|viewers| viewers <= 1), || format!("{shown} viewers"))?;
        if shown == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    withstood(shown == 1, || format!("{shown} viewers, although one user is there"))?;
    Ok(format!("200 handshakes with one token: {open} connections, 1 viewer"))
}

async fn buy_and_cancel() -> Outcome {
    let shop = AttackedShop::serve(&[]).await;
    let offer = shop.offer(100, 50, 60).await;
    let mut live = Live::connect(&shop.server.url, &shop.stream, Some(&sign(KEY, "bot", "viewer", 60))).await;
    let started = Instant::now();
    let mut rounds = 0;
    for _ in 0..753 {
        let buy = json!({"do": "buy", "offer": offer, "qty": 1, "key": key()});
        if let Ok(bought) = live.ask(buy).await {
            rounds += 1;
            let _ = live.ask(json!({"do": "cancel", "order": bought["order"]["id"], "key": key()})).await;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    withstood(f64::from(rounds) <= 32.0 + 2.0 * seconds, || format!("{rounds} of 753 rounds in {seconds:.1} s"))?;
    Ok(format!("{rounds} of 753 rounds in {seconds:.1} s"))
}

async fn card_tests() -> Outcome {
    let shop = AttackedShop::serve(&["--payments", "test"]).await;
    let offer = shop.offer(100, 5, 60).await;
    let thief = shop.rest("thief", "viewer");
    let order = thief.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await.expect(201);
    let path = format!("/v1/orders/{}/pay", order["id"].as_str().unwrap());
    let (mut tried, mut refused) = (0, 0);
    for _ in 0..100 {
        match thief.post_keyed(&path, &key(), json!({"token": "declined"})).await.body["code"].as_str() {
            Some("too_many_payments" | "too_many_requests") => refused += 1,
            _ => tried += 1,
        }
    }
    withstood(tried <= 30, || format!("{tried} of 100 cards were tried"))?;
    Ok(format!("{tried} of 100 cards were tried, {refused} refused"))
}

async fn never_reading() -> Outcome {
    let shop = AttackedShop::serve(&[]).await;
    let request = "GET /v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(50);
    let mut connections: Vec<TcpStream> = Vec::new();
    for _ in 0..50 {
        let mut connection = narrow_connection(shop.server.address()).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        connections.push(connection);
    }
    let started = Instant::now();
    let is_open = |connection: &TcpStream| connection.take_error().is_ok_and(|error| error.is_none());
    // A connection that was cut reports the reset when something is written to it.
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        connections.retain(|connection| connection.try_write(b" ").is_ok() && is_open(connection));
        let seconds = started.elapsed().as_secs();
        if connections.is_empty() {
            return Ok(format!("50 connections were cut within {seconds} s"));
        }
        withstood(seconds < 40, || format!("{} of 50 connections are still open after 40 s", connections.len()))?;
    }
}

async fn dear_documents() -> Outcome {
    let shop = AttackedShop::serve(&[]).await;
    let mut host = Live::connect(&shop.server.url, &shop.stream, Some(&sign(KEY, "the-host", "host", 60))).await;
    let flood: Vec<_> = (0..24)
        .map(|_| {
            let rest = shop.server.rest();
            tokio::spawn(async move {
                loop {
                    rest.get("/v1/openapi.json").await;
                }
            })
        })
        .collect();
    let mut slowest = Duration::ZERO;
    for number in 0..30 {
        let started = Instant::now();
        host.ask(json!({"do": "say", "text": format!("line {number}")})).await.map_err(|error| error.to_string())?;
        slowest = slowest.max(started.elapsed());
    }
    flood.iter().for_each(tokio::task::JoinHandle::abort);
    withstood(slowest < Duration::from_secs(1), || format!("a message took {slowest:?}"))?;
    Ok(format!("the slowest of 30 messages took {slowest:?} beside 24 connections that read documents"))
}
