//! Admission: the join rate, the viewer count, what is negotiated, and moving to another node.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use super::handshake;
use crate::support::metrics::Metrics;
use crate::support::process::{Process, Signal};
use crate::support::shop::{Shop, id};
use crate::support::{SOON, until_some};

fn live(shop: &Shop, query: &str) -> String {
    format!("/v1/streams/{}/live?{query}", shop.stream)
}

#[tokio::test]
async fn joins_are_rate_limited_and_the_rest_gets_a_retry_time() {
    let shop = Shop::demo(&["--joins-per-second", "0.2"]).await;
    let address = shop.server.address().to_string();
    let mut heads = Vec::new();
    let mut here = Vec::new();
    for _ in 0..6 {
        let (head, mut socket, mut seen) = handshake(&address, &live(&shop, ""), "").await;
        if head.starts_with("http/1.1 101") {
            while seen.len() < 4 {
                socket.read_buf(&mut seen).await.unwrap();
            }
        } else {
            assert!(head.contains("retry-after: "), "{head}");
        }
        heads.push((head[9..12].to_owned(), seen.first().copied(), seen.get(2..4).map(<[u8]>::to_vec)));
        here.push(socket);
    }
    let admitted = |at: &usize| heads[*at].0 == "101" && heads[*at].1 == Some(0x81);
    let deferred = |at: &usize| heads[*at].0 == "101" && heads[*at].2 == Some(4013_u16.to_be_bytes().to_vec());
    let rejected = |at: &usize| heads[*at].0 == "503";
    // One connection fits the burst, one is refused over the socket; the others get only a 503.
    let counts = [0..6, 0..6, 0..6].map(|all| all.collect::<Vec<usize>>());
    let [a, b, c] = counts;
    let sums = [
        a.iter().filter(|at| admitted(at)).count(),
        b.iter().filter(|at| deferred(at)).count(),
        c.iter().filter(|at| rejected(at)).count(),
    ];
    assert_eq!(sums.iter().sum::<usize>(), 6, "{heads:?}");
    assert!((1..=2).contains(&sums[0]) && (1..=2).contains(&sums[1]) && sums[2] >= 2, "{sums:?}");
    // Requests that are not joins are not limited.
    let page = Metrics::of(&shop.host).await;
    let counted = ["admitted", "deferred", "rejected"]
        .map(|result| page.get(&format!("livesouk_websocket_handshakes_total{{result=\"{result}\"}}")) as usize);
    assert_eq!(counted, sums);
    assert_eq!(page.get("livesouk_websocket_closes_total{reason=\"overload\"}") as usize, sums[1]);
}

#[tokio::test]
async fn open_file_limit_is_raised_and_a_lower_limit_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let binary = env!("CARGO_BIN_EXE_livesouk");
    for (limit, named) in [
        ("ulimit -Sn 100; ulimit -Hn 2000", None),
        (
            "ulimit -n 400",
            Some("may open only 400 files: at most 200 connections are accepted; raise the limit to 1256"),
        ),
    ] {
        let line = format!(
            "{limit}; exec {binary} demo --json --listen 127.0.0.1:0 --connections-max 1000 --data {}",
            named.map_or("a", |_| "b")
        );
        let mut process = Process::start(Command::new("sh").args(["-c", &line]).current_dir(folder.path()));
        let started: Value = process.line("first line", SOON, |line| serde_json::from_str(line).ok()).await;
        assert!(started["listen"].is_string());
        let soft = std::fs::read_to_string(format!("/proc/{}/limits", process.pid())).unwrap();
        let files = soft.lines().find(|line| line.starts_with("Max open files")).unwrap().to_owned();
        match named {
            Some(numbers) => assert!(process.stderr().contains(numbers), "{}", process.stderr()),
            None => {
                assert!(files.contains(" 1256 "), "{files}");
                assert!(!process.stderr().contains("connections-max"), "{}", process.stderr());
            }
        }
        process.signal(Signal::Interrupt);
        process.end(SOON).await;
    }
}

#[tokio::test]
async fn deflate_is_negotiated_when_offered_and_allowed() {
    for (more, offer, agreed) in [
        (&[][..], "permessage-deflate; client_max_window_bits", true),
        (&[], "permessage-deflate; server_max_window_bits=9", false),
        (&["--deflate", "false"], "permessage-deflate", false),
    ] {
        let shop = Shop::demo(&[more, &["--deflate", "true"][..if more.is_empty() { 2 } else { 0 }]].concat()).await;
        let address = shop.server.address().to_string();
        let header = format!("Sec-WebSocket-Extensions: {offer}\r\n");
        let (head, mut socket, mut seen) = handshake(&address, &live(&shop, ""), &header).await;
        let answer =
            "sec-websocket-extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        assert_eq!(head.contains(answer), agreed, "{offer}: {head}");
        while seen.is_empty() {
            socket.read_buf(&mut seen).await.unwrap();
        }
        assert_eq!(
            seen[0],
            if agreed { 0xc1 } else { 0x81 },
            "{offer}: the demo's hello is long enough for deflate to help"
        );
    }
}

#[tokio::test]
async fn overlay_is_not_counted_and_a_session_counts_once() {
    let shop = Shop::demo(&[]).await;
    let address = shop.server.address().to_string();
    let viewers = async || shop.host.get(&shop.path("report")).await.expect(200)["viewers"].as_u64().unwrap();
    let (head, _overlay, _) = handshake(&address, &live(&shop, "overlay=1"), "").await;
    assert!(head.starts_with("http/1.1 101"), "{head}");
    let mut here = Vec::new();
    for session in ["a", "a", "b"] {
        here.push(handshake(&address, &live(&shop, &format!("session={session}")), "").await);
        let expected = if session == "a" { 1 } else { 2 };
        let counted = async || (viewers().await == expected).then_some(());
        until_some("the count", SOON, counted).await;
    }
}

#[tokio::test]
async fn report_shows_how_many_viewers_saw_the_pinned_offer() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let (mut ann, mut anonymous) = (shop.live("Ann", "viewer").await, shop.watch().await);
    assert_eq!([&ann.hello, &anonymous.hello].map(|hello| hello["receipts"].clone()), [json!(true), json!(true)]);
    shop.host.put(&shop.path("pin"), json!({"offer": offer})).await.expect(200);
    for live in [&mut ann, &mut anonymous] {
        live.until_state("pin", SOON, |state| state["pin"]["offer"] == offer.as_str()).await;
    }
    ann.ask(json!({"do": "react", "kind": "heart", "count": 1})).await.unwrap();
    let receipts = async || shop.host.get(&shop.path("report")).await.expect(200)["card"].clone();
    assert_eq!(receipts().await, json!({"offer": offer, "asked": 2, "seen": 0, "p50_ms": null, "p95_ms": null}));
    for _ in 0..2 {
        anonymous
            .send(tokio_tungstenite::tungstenite::Message::text(json!({"do": "seen", "offer": offer}).to_string()))
            .await;
    }
    until_some("a receipt", SOON, async || (receipts().await["seen"] == 1).then_some(())).await;
    let receipts = receipts().await;
    assert_eq!(receipts["asked"], 2);
    assert!((0..10_000).contains(&receipts["p95_ms"].as_i64().unwrap()), "{receipts}");
}

#[tokio::test]
async fn room_chat_budget_does_not_limit_the_host() {
    let shop = Shop::demo(&["--chat-per-second", "0", "--room-chat-per-second", "1"]).await;
    let (mut ann, mut bob) = (shop.live("Ann", "viewer").await, shop.live("Bob", "viewer").await);
    let mut host = shop.live("the-host", "host").await;
    let count = std::cell::Cell::new(0);
    let say = || {
        count.set(count.get() + 1);
        json!({"do": "say", "text": format!("hi {}", count.get())})
    };
    ann.ask(say()).await.unwrap();
    bob.ask(say()).await.unwrap();
    let refused = match ann.ask(say()).await {
        // On a busy machine a second may have passed.
        Ok(_) => ann.ask(say()).await.unwrap_err(),
        Err(refused) => refused,
    };
    assert_eq!(refused["code"], "chat_budget");
    assert!(refused["retry_ms"].as_i64().unwrap() > 0, "{refused}");
    let message = id(&host.ask(say()).await.unwrap());
    ann.event("the host", SOON, |event| event["id"] == message.as_str()).await;
}

#[tokio::test]
async fn drain_spreads_moving_and_serves_viewers_until_they_move() {
    let shop = Shop::demo(&["--drain-seconds", "3", "--chat-per-second", "0"]).await;
    let mut here = Vec::new();
    for _ in 0..12 {
        here.push(shop.watch().await);
    }
    let mut ann = shop.live("Ann", "viewer").await;
    let mut server = shop.server;
    server.process.signal(Signal::Terminate);
    let started = Instant::now();
    let waits = here.iter_mut().map(async |live| {
        live.until("moving", SOON, |frame| frame["t"] == "moving").await;
        started.elapsed()
    });
    let (reply, moved_after) =
        tokio::join!(ann.ask(json!({"do": "say", "text": "still here"})), futures_util::future::join_all(waits));
    reply.expect("served while others move");
    let (first, last) = (moved_after.iter().min().unwrap(), moved_after.iter().max().unwrap());
    assert!(*last - *first > Duration::from_millis(800), "spread, not all at once: {moved_after:?}");
    assert_eq!(server.process.end(SOON).await.code(), Some(0));
}
