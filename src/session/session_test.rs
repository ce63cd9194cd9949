//! Tests of one connection from the client's side.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;

use super::*;
use crate::app::testing;
use crate::domain::{Role, StreamId};
use crate::protocol::deflate;
use crate::room::fixture_test::{ServerOutput, TestClient, actor, at, pair, until};

struct Show {
    _folder: tempfile::TempDir,
    room: Arc<Room>,
    client: TestClient,
    task: JoinHandle<()>,
}

async fn connect(read_ahead: &'static [u8]) -> Show {
    connect_as(read_ahead, false).await
}

async fn connect_as(read_ahead: &'static [u8], deflate: bool) -> Show {
    let (app, folder) = testing::app().await;
    let (room, _) = app.rooms().open(StreamId::new());
    room.sync(at("e1", 0), vec![], vec![]);
    let (socket, client) = pair().await;
    let arrival = UpgradedConnection {
        socket,
        read_ahead: Bytes::from_static(read_ahead),
        actor: actor("ann", Role::Viewer),
        session: None,
        position: None,
        missed: vec![],
        you: Bytes::from_static(b"{}"),
        deflate,
        is_uncounted: false,
    };
    let task = tokio::spawn(serve(app, room.clone(), arrival, ()));
    Show { _folder: folder, room, client: TestClient::new(client), task }
}

async fn reply(client: &mut TestClient) -> Value {
    loop {
        let frame = client.text().await;
        if frame["t"] == "reply" {
            return frame;
        }
    }
}

#[tokio::test]
async fn frames_get_replies_in_order_with_their_ref() {
    let mut show = connect(b"").await;
    for number in 0..20 {
        show.client.send(0x81, format!(r#"{{"ref":"{number}","do":"dance"}}"#).as_bytes()).await;
    }
    for number in 0..20 {
        let frame = reply(&mut show.client).await;
        assert_eq!((&frame["ref"], &frame["error"]["code"]), (&json!(number.to_string()), &json!("unknown_verb")));
    }
}

#[tokio::test]
async fn every_frame_of_a_burst_gets_a_reply_if_the_client_reads() {
    let mut show = connect(b"").await;
    let burst: Vec<u8> = (0..500)
        .flat_map(|number| TestClient::frame(0x81, format!(r#"{{"ref":"{number}","do":"dance"}}"#).as_bytes()))
        .collect();
    show.client.socket.write_all(&burst).await.unwrap();
    for number in 0..500 {
        assert_eq!(reply(&mut show.client).await["ref"], json!(number.to_string()));
    }
}

#[tokio::test]
async fn invalid_frame_is_refused_and_the_connection_stays_open() {
    let mut show = connect(b"").await;
    for bad in ["", "hi", "[]", "{}", r#"{"do":7}"#, r#"{"ref":{},"do":"say"}"#] {
        show.client.send(0x81, bad.as_bytes()).await;
        let frame = reply(&mut show.client).await;
        assert_eq!((&frame["ref"], &frame["error"]["code"]), (&json!(null), &json!("bad_request")), "{bad}");
    }
}

#[tokio::test]
async fn compressed_frame_works_if_negotiated_and_a_zip_bomb_closes_the_connection() {
    let mut show = connect_as(b"", true).await;
    let long = format!(r#"{{"ref":"d","do":"dance","pad":"{}"}}"#, "pad ".repeat(2_000));
    let packed = deflate::compress(long.as_bytes()).unwrap();
    show.client.send(0xc1, &packed).await;
    assert_eq!(reply(&mut show.client).await["ref"], "d");
    let bomb = deflate::compress(&[b' '; 16_385]).unwrap();
    show.client.send(0xc1, &bomb).await;
    assert_eq!(show.client.close_code().await, 1009);
}

#[tokio::test]
async fn bytes_behind_the_http_request_are_read_first() {
    // {"ref":"a","do":"x"} with a mask of zeros; its second half comes over the wire.
    let mut show = connect(b"\x81\x94\0\0\0\0{\"ref\":\"a\",").await;
    show.client.socket.write_all(b"\"do\":\"x\"}").await.unwrap();
    assert_eq!(reply(&mut show.client).await["ref"], "a");
}

#[tokio::test]
async fn ping_gets_a_pong_and_close_gets_a_close() {
    let mut show = connect(b"").await;
    show.client.send(0x89, b"there?").await;
    while show.client.next().await != ServerOutput::Pong {}
    show.client.send(0x88, b"\x03\xe8").await;
    assert_eq!(show.client.close_code().await, 1000);
    drop(show.client);
    show.task.await.unwrap();
    until("left", || show.room.viewers() == 0).await;
}

#[tokio::test]
async fn protocol_error_closes_the_connection() {
    for (name, bytes, code) in [
        ("binary", &b"\x82\x81\0\0\0\0x"[..], 1003),
        ("unmasked", b"\x81\x01x", 1002),
        ("compressed", b"\xc1\x81\0\0\0\0x", 1002),
        ("too long", b"\x81\xfe\x40\x01\0\0\0\0", 1009),
        ("not UTF-8", b"\x81\x81\0\0\0\0\xff", 1007),
    ] {
        let mut show = connect(b"").await;
        show.client.socket.write_all(bytes).await.unwrap();
        assert_eq!(show.client.close_code().await, code, "{name}");
    }
}

#[tokio::test]
async fn client_that_disconnects_leaves_the_room() {
    let mut show = connect(b"").await;
    show.client.text().await;
    until("here", || show.room.viewers() == 1).await;
    drop(show.client);
    show.task.await.unwrap();
    until("left", || show.room.viewers() == 0).await;
}

#[tokio::test]
async fn server_waits_two_seconds_for_the_client_to_close() {
    let mut show = connect(b"").await;
    show.client.send(0x88, b"").await;
    assert_eq!(show.client.close_code().await, 1000);
    let started = std::time::Instant::now();
    show.task.await.unwrap();
    assert!(started.elapsed() < CLOSE_TIMEOUT + Duration::from_secs(2));
}

#[tokio::test]
async fn refused_client_gets_a_close_code() {
    let (socket, client) = pair().await;
    let mut client = TestClient::new(client);
    let refused = tokio::spawn(refuse(socket, Close::Token, None));
    assert_eq!(client.close_code().await, 4501);
    drop(client);
    refused.await.unwrap();
}

#[tokio::test]
async fn at_most_eight_slow_verbs_run_at_a_time() {
    let (app, _folder) = testing::app().await;
    let (room, _) = app.rooms().open(StreamId::new());
    let (socket, _client) = pair().await;
    let subscription = room
        .join(JoinRequest {
            socket: Arc::new(socket),
            actor: actor("ann", Role::Viewer),
            session: None,
            position: None,
            missed: vec![],
            you: Bytes::new(),
            deflate: false,
            is_uncounted: false,
        })
        .ok()
        .unwrap();
    let member = subscription.member();
    let mut running: Vec<_> = (0..8).map(|_| member.begin_slow_verb(SLOW_VERBS_MAX).expect("eight")).collect();
    assert!(member.begin_slow_verb(SLOW_VERBS_MAX).is_none());
    running.pop();
    assert!(member.begin_slow_verb(SLOW_VERBS_MAX).is_some());
}

#[tokio::test]
async fn idle_connection_needs_little_memory() {
    let (app, _folder) = testing::app().await;
    let (room, _) = app.rooms().open(StreamId::new());
    let (socket, _client) = pair().await;
    let (actor, you) = (actor("ann", Role::Viewer), Bytes::new());
    let arrival = UpgradedConnection {
        socket,
        read_ahead: Bytes::new(),
        actor,
        session: None,
        position: None,
        missed: vec![],
        you,
        deflate: false,
        is_uncounted: false,
    };
    let task = size_of_val(&serve(app, room, arrival, ()));
    // The read buffer of 4 KiB is on the stack while the task reads.
    println!("the task of an idle viewer: {task} bytes");
    assert!(task <= 320, "{task}");
}
