//! Coming in: the pace, the count, what is agreed on, and leaving for another node.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use super::shake;
use crate::support::metrics::Metrics;
use crate::support::process::{Process, Signal};
use crate::support::shop::{Shop, id};
use crate::support::{SOON, until_some};

fn live(shop: &Shop, query: &str) -> String {
    format!("/v1/streams/{}/live?{query}", shop.stream)
}

#[tokio::test]
async fn a_crowd_is_let_in_at_a_pace_and_the_rest_is_told_when_to_come() {
    let shop = Shop::demo(&["--joins-per-second", "0.2"]).await;
    let address = shop.server.address().to_string();
    let mut heads = Vec::new();
    let mut here = Vec::new();
    for _ in 0..6 {
        let (head, mut socket, mut seen) = shake(&address, &live(&shop, ""), "").await;
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
    let greeted = |at: &usize| heads[*at].0 == "101" && heads[*at].1 == Some(0x81);
    let told = |at: &usize| heads[*at].0 == "101" && heads[*at].2 == Some(4013_u16.to_be_bytes().to_vec());
    let refused = |at: &usize| heads[*at].0 == "503";
    // One in a burst of less than one, one is told over the socket; the others cost nothing but these words.
    let counts = [0..6, 0..6, 0..6].map(|all| all.collect::<Vec<usize>>());
    let [a, b, c] = counts;
    let sums = [
        a.iter().filter(|at| greeted(at)).count(),
        b.iter().filter(|at| told(at)).count(),
        c.iter().filter(|at| refused(at)).count(),
    ];
    assert_eq!(sums.iter().sum::<usize>(), 6, "{heads:?}");
    assert!((1..=2).contains(&sums[0]) && (1..=2).contains(&sums[1]) && sums[2] >= 2, "{sums:?}");
    // What is no viewer is not slowed down.
    let page = Metrics::of(&shop.host).await;
    let counted = ["welcome", "told", "refused"]
        .map(|answer| page.get(&format!("livesouk_websocket_handshakes_total{{result=\"{answer}\"}}")) as usize);
    assert_eq!(counted, sums);
    assert_eq!(page.get("livesouk_websocket_closes_total{reason=\"overload\"}") as usize, sums[1]);
}

#[tokio::test]
async fn open_files_are_raised_as_far_as_they_go_and_the_numbers_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let binary = env!("CARGO_BIN_EXE_livesouk");
    for (limit, named) in [
        ("ulimit -Sn 100; ulimit -Hn 2000", None),
        ("ulimit -n 400", Some("may open 400 files: 200 connections it is; raise the limit to 1256")),
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
async fn deflate_is_agreed_on_when_offered_and_allowed() {
    for (more, offer, agreed) in [
        (&[][..], "permessage-deflate; client_max_window_bits", true),
        (&[], "permessage-deflate; server_max_window_bits=9", false),
        (&["--deflate", "false"], "permessage-deflate", false),
    ] {
        let shop = Shop::demo(&[more, &["--deflate", "true"][..if more.is_empty() { 2 } else { 0 }]].concat()).await;
        let address = shop.server.address().to_string();
        let header = format!("Sec-WebSocket-Extensions: {offer}\r\n");
        let (head, mut socket, mut seen) = shake(&address, &live(&shop, ""), &header).await;
        let answer =
            "sec-websocket-extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        assert_eq!(head.contains(answer), agreed, "{offer}: {head}");
        while seen.is_empty() {
            socket.read_buf(&mut seen).await.unwrap();
        }
        assert_eq!(seen[0], if agreed { 0xc1 } else { 0x81 }, "{offer}: the demo's hello is long enough to gain");
    }
}

#[tokio::test]
async fn an_overlay_watches_uncounted_and_a_session_counts_once() {
    let shop = Shop::demo(&[]).await;
    let address = shop.server.address().to_string();
    let viewers = async || shop.host.get(&shop.path("report")).await.expect(200)["viewers"].as_u64().unwrap();
    let (head, _overlay, _) = shake(&address, &live(&shop, "overlay=1"), "").await;
    assert!(head.starts_with("http/1.1 101"), "{head}");
    let mut here = Vec::new();
    for session in ["a", "a", "b"] {
        here.push(shake(&address, &live(&shop, &format!("session={session}")), "").await);
        let expected = if session == "a" { 1 } else { 2 };
        let counted = async || (viewers().await == expected).then_some(());
        until_some("the count", SOON, counted).await;
    }
}

#[tokio::test]
async fn a_host_learns_how_far_the_card_has_got() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let (mut ann, mut guest) = (shop.live("Ann", "viewer").await, shop.watch().await);
    assert_eq!([&ann.hello, &guest.hello].map(|hello| hello["receipts"].clone()), [json!(true), json!(true)]);
    shop.host.put(&shop.path("pin"), json!({"offer": offer})).await.expect(200);
    for live in [&mut ann, &mut guest] {
        live.until_state("pin", SOON, |state| state["pin"]["offer"] == offer.as_str()).await;
    }
    ann.ask(json!({"do": "react", "kind": "heart", "count": 1})).await.unwrap();
    let card = async || shop.host.get(&shop.path("report")).await.expect(200)["card"].clone();
    assert_eq!(card().await, json!({"offer": offer, "asked": 2, "seen": 0, "p50_ms": null, "p95_ms": null}));
    for _ in 0..2 {
        guest
            .send(tokio_tungstenite::tungstenite::Message::text(json!({"do": "seen", "offer": offer}).to_string()))
            .await;
    }
    until_some("a receipt", SOON, async || (card().await["seen"] == 1).then_some(())).await;
    let card = card().await;
    assert_eq!(card["asked"], 2);
    assert!((0..10_000).contains(&card["p95_ms"].as_i64().unwrap()), "{card}");
}

#[tokio::test]
async fn a_room_has_a_budget_for_talk_that_the_host_does_not_need() {
    let shop = Shop::demo(&["--chat-per-second", "0", "--room-chat-per-second", "1"]).await;
    let (mut ann, mut bob) = (shop.live("Ann", "viewer").await, shop.live("Bob", "viewer").await);
    let mut host = shop.live("the-host", "host").await;
    let said = std::cell::Cell::new(0);
    let say = || {
        said.set(said.get() + 1);
        json!({"do": "say", "text": format!("hi {}", said.get())})
    };
    ann.ask(say()).await.unwrap();
    bob.ask(say()).await.unwrap();
    let shed = match ann.ask(say()).await {
        // A second may have passed on a busy machine.
        Ok(_) => ann.ask(say()).await.unwrap_err(),
        Err(shed) => shed,
    };
    assert_eq!(shed["code"], "chat_budget");
    assert!(shed["retry_ms"].as_i64().unwrap() > 0, "{shed}");
    let said = id(&host.ask(say()).await.unwrap());
    ann.event("the host", SOON, |event| event["id"] == said.as_str()).await;
}

#[tokio::test]
async fn viewers_are_asked_to_move_one_after_the_other_and_served_until_they_do() {
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
    let (talk, told) =
        tokio::join!(ann.ask(json!({"do": "say", "text": "still here"})), futures_util::future::join_all(waits));
    talk.expect("served while others leave");
    let (first, last) = (told.iter().min().unwrap(), told.iter().max().unwrap());
    assert!(*last - *first > Duration::from_millis(800), "spread, not all at once: {told:?}");
    assert_eq!(server.process.end(SOON).await.code(), Some(0));
}
