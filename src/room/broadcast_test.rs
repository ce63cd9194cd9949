//! Facts about a room with real sockets on loopback and a manual clock.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;

use super::fixture_test::*;
use super::timing::TickPacer;
use super::*;
use crate::domain::{Actor, OfferId, Role};
use crate::protocol::Frame;

const START: Millis = 1_000_000;

fn rooms() -> (Clock, Rooms) {
    let clock = Clock::manual(START);
    (clock.clone(), Rooms::new(clock))
}

/// A room that was synced at `("e1", 10)`.
fn room() -> (Clock, Rooms, Arc<Room>) {
    let (clock, rooms) = rooms();
    let (room, created) = rooms.open(StreamId::new());
    assert!(created);
    room.sync(at("e1", 10), vec![], vec![]);
    (clock, rooms, room)
}

async fn append_chat(room: &Room, first_seq: u64, count: u64) {
    room.append_events("e1", first_seq, (0..count).map(|i| chat(&format!("{}", first_seq + i))).collect());
}

#[tokio::test]
async fn hello_contains_the_position_and_waits_for_the_first_sync() {
    let (_clock, rooms) = rooms();
    let (room, _) = rooms.open(StreamId::new());
    let mut viewer = join(&room, actor("anonymous", Role::Anonymous), None, None).await;
    until("joined", || room.viewers() == 1).await;
    room.append_events("e1", 12, vec![urgent(), chat("13")]);
    room.sync(
        at("e1", 12),
        vec![StateChange::Stream { v: [0, 0], json: r#"{"id":"s"}"#.into() }, StateChange::Likes(5)],
        vec![(0, chat("earlier")), (12, chat("12"))],
    );
    let hello = viewer.client.text().await;
    let head: Vec<_> = ["t", "recovered", "now", "epoch", "seq", "stream", "you"].map(|key| hello[key].clone()).into();
    assert_eq!(json!(head), json!(["hello", false, START, "e1", 13, {"id": "s"}, {}]));
    assert_eq!(seqs(&hello), [0, 12, 13]);
    assert_eq!(hello["state"]["likes"], 5);
    assert_eq!(hello["state"]["viewers"], 1);
}

#[tokio::test]
async fn viewer_who_waits_too_long_for_the_first_sync_is_asked_to_reconnect() {
    let (clock, rooms) = rooms();
    let (room, _) = rooms.open(StreamId::new());
    let mut viewer = join(&room, actor("anonymous", Role::Anonymous), None, None).await;
    until("joined", || room.viewers() == 1).await;
    clock.advance(10_500);
    assert_eq!(viewer.client.close_code().await, 4013);
}

#[tokio::test]
async fn first_event_is_broadcast_at_once_then_one_frame_per_interval() {
    let (clock, _rooms, room) = room();
    let mut viewer = watch(&room).await;
    clock.advance(1_000);
    append_chat(&room, 11, 1).await;
    assert_eq!(seqs(&viewer.client.text().await), [11]);
    append_chat(&room, 12, 2).await;
    append_chat(&room, 14, 1).await;
    room.set_state(StateChange::Likes(3), false);
    clock.advance(TickPacer::FRAME_INTERVAL_MIN_MS - 1);
    tokio::task::yield_now().await;
    room.set_state(StateChange::Likes(4), false);
    clock.advance(1);
    let frame = viewer.client.text().await;
    assert_eq!(seqs(&frame), [12, 13, 14]);
    assert_eq!(frame["seq"], 14);
    assert_eq!(frame["state"], json!({"likes": 4}));
}

#[tokio::test]
async fn urgent_event_is_broadcast_at_once_with_everything_before_it() {
    let (clock, _rooms, room) = room();
    let mut viewer = watch(&room).await;
    clock.advance(1_000);
    append_chat(&room, 11, 1).await;
    assert_eq!(seqs(&viewer.client.text().await), [11]);
    append_chat(&room, 12, 2).await;
    room.append_events("e1", 14, vec![urgent()]);
    assert_eq!(seqs(&viewer.client.text().await), [12, 13, 14], "the clock was not advanced");
    let offer = StateChange::Offer { id: OfferId::new(), v: [1, 1], closed: false, json: "{}".into() };
    room.set_state(offer, true);
    assert_eq!(viewer.client.text().await["state"]["offers"].as_object().map(|all| all.len()), Some(1));
}

#[tokio::test]
async fn repeated_events_are_dropped_and_a_hole_or_new_epoch_sends_a_snapshot() {
    let (clock, _rooms, room) = room();
    let mut viewer = watch(&room).await;
    clock.advance(1_000);
    append_chat(&room, 11, 2).await;
    assert_eq!(seqs(&viewer.client.text().await), [11, 12]);
    clock.advance(1_000);
    append_chat(&room, 11, 3).await;
    assert_eq!(seqs(&viewer.client.text().await), [13]);
    append_chat(&room, 15, 1).await;
    let frame = viewer.client.text().await;
    assert_eq!((&frame["t"], &frame["why"], &frame["seq"]), (&json!("snapshot"), &json!("hole"), &json!(15)));
    assert_eq!(seqs(&frame), [11, 12, 13, 15]);
    room.append_events("e2", 1, vec![chat("new")]);
    let frame = viewer.client.text().await;
    assert_eq!((&frame["why"], &frame["epoch"], &frame["seq"]), (&json!("epoch"), &json!("e2"), &json!(1)));
    assert_eq!(seqs(&frame), [0, 0, 0, 0, 1], "events from before this epoch have the number 0");
    let mut old = join(&room, actor("anonymous", Role::Anonymous), None, Some(at("e1", 15))).await;
    assert_eq!(old.client.text().await["recovered"], false);
}

#[tokio::test]
async fn second_sync_fills_what_was_missed_or_sends_a_snapshot() {
    let (clock, _rooms, room) = room();
    let mut viewer = watch(&room).await;
    clock.advance(1_000);
    room.sync(at("e1", 12), vec![], vec![(9, chat("9")), (11, chat("11")), (12, chat("12"))]);
    let frame = viewer.client.text().await;
    assert_eq!((&frame["t"], seqs(&frame)), (&json!("tick"), vec![11, 12]));
    room.sync(at("e1", 20), vec![], vec![(19, chat("19"))]);
    let frame = viewer.client.text().await;
    assert_eq!((&frame["why"], &frame["seq"], seqs(&frame)), (&json!("hole"), &json!(20), vec![11, 12, 19]));
    room.sync(at("e2", 3), vec![], vec![(0, chat("old")), (3, chat("3"))]);
    let frame = viewer.client.text().await;
    assert_eq!((&frame["why"], &frame["seq"], seqs(&frame)), (&json!("epoch"), &json!(3), vec![0, 0, 0, 0, 3]));
    room.sync(at("e3", 2), vec![], vec![(1, chat("19")), (2, chat("2"))]);
    let frame = viewer.client.text().await;
    assert_eq!(seqs(&frame), [0, 0, 0, 0, 1, 2], "an event that is sent again is not shown twice");
}

#[tokio::test]
async fn client_that_was_away_gets_exactly_what_it_missed() {
    let (clock, _rooms, room) = room();
    let mut viewer = watch(&room).await;
    clock.advance(1_000);
    append_chat(&room, 11, 3).await;
    viewer.client.text().await;
    for (position, recovered, expected) in [
        (Some(at("e1", 10)), true, vec![11, 12, 13]),
        (Some(at("e1", 12)), true, vec![13]),
        (Some(at("e1", 13)), true, vec![]),
        (Some(at("e1", 9)), false, vec![11, 12, 13]),
        (Some(at("e0", 12)), false, vec![11, 12, 13]),
        (None, false, vec![11, 12, 13]),
    ] {
        let mut back = join(&room, actor("anonymous", Role::Anonymous), None, position.clone()).await;
        let hello = back.client.text().await;
        assert_eq!((&hello["recovered"], &hello["seq"]), (&json!(recovered), &json!(13)), "{position:?}");
        assert_eq!(seqs(&hello), expected, "{position:?}");
    }
}

#[tokio::test]
async fn client_ahead_of_this_node_waits_at_most_a_second() {
    let (clock, _rooms, room) = room();
    let mut ahead = join(&room, actor("anonymous", Role::Anonymous), None, Some(at("e1", 11))).await;
    until("joined", || room.viewers() == 1).await;
    append_chat(&room, 11, 1).await;
    clock.advance(1_000);
    let hello = ahead.client.text().await;
    assert_eq!((&hello["recovered"], &hello["seq"], seqs(&hello)), (&json!(true), &json!(11), vec![]));
    let mut far = join(&room, actor("anonymous", Role::Anonymous), None, Some(at("e1", 99))).await;
    until("joined", || room.viewers() == 2).await;
    clock.advance(1_600);
    assert_eq!(far.client.text().await["recovered"], false);
}

#[tokio::test]
async fn viewer_who_does_not_read_is_closed_and_others_do_not_notice() {
    let (clock, rooms, room) = room();
    let mut fast = watch(&room).await;
    let mut stuck = watch(&room).await;
    let big = "x".repeat(20_000);
    for seq in 11..40 {
        clock.advance(50);
        room.append_events("e1", seq, vec![chat(&big)]);
        while seqs(&fast.client.text().await) != [seq] {}
    }
    assert_eq!(room.viewers(), 2, "half a megabyte behind, but not for long enough");
    run_until(&clock, 500, "closed", || room.viewers() == 1).await;
    assert_eq!(rooms.counters.closed_slow.load(Ordering::Relaxed), 1);
    // It never reads, so it never sees the close frame: the connection is aborted.
    clock.advance(1_000);
    clock.advance(1_000);
    tokio::time::timeout(std::time::Duration::from_secs(5), &mut stuck.task).await.expect("aborted").unwrap();
    append_chat(&room, 40, 1).await;
    while seqs(&fast.client.text().await) != [40] {}
}

#[tokio::test]
async fn connection_without_write_progress_for_five_seconds_is_closed() {
    let (clock, rooms, room) = room();
    let mut stuck = watch(&room).await;
    let big = "x".repeat(100_000);
    clock.advance(1_000);
    room.append_events("e1", 11, vec![chat(&big)]);
    until("sent", || rooms.counters.frames.load(Ordering::Relaxed) > 1).await;
    clock.advance(4_900);
    clock.advance(90);
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert_eq!(room.viewers(), 1);
    clock.advance(600);
    until("closed", || room.viewers() == 0).await;
    clock.advance(1_600);
    tokio::time::timeout(std::time::Duration::from_secs(5), &mut stuck.task).await.expect("aborted").unwrap();
}

#[tokio::test]
async fn blocked_viewer_in_a_quiet_room_gets_the_rest() {
    let (clock, rooms, room) = room();
    let mut viewer = watch(&room).await;
    let big = "x".repeat(30_000);
    for seq in 11..15 {
        clock.advance(1_000);
        room.append_events("e1", seq, vec![chat(&big)]);
        until("encoded", || rooms.counters.frames.load(Ordering::Relaxed) > seq - 10).await;
    }
    let mut received = Vec::new();
    while received.len() < 4 {
        received.extend(seqs(&viewer.client.text().await));
    }
    assert_eq!(received, [11, 12, 13, 14], "no new event arrived, and the clock was not advanced");
}

#[tokio::test]
async fn viewer_who_resumes_far_behind_skips_to_the_newest_frame() {
    let (clock, rooms, room) = room();
    let mut viewer = watch(&room).await;
    let big = "x".repeat(20_000);
    for seq in 11..21 {
        clock.advance(50);
        room.append_events("e1", seq, vec![chat(&big)]);
        until("encoded", || rooms.counters.frames.load(Ordering::Relaxed) > seq - 10).await;
    }
    let mut last = 10;
    loop {
        let frame = viewer.client.text().await;
        if frame["t"] == "snapshot" {
            assert_eq!((&frame["why"], &frame["seq"]), (&json!("slow"), &json!(20)));
            break;
        }
        for seq in seqs(&frame) {
            assert_eq!(seq, last + 1);
            last = seq;
        }
    }
    assert!(last < 20);
    assert_eq!(rooms.counters.skipped_to_head.load(Ordering::Relaxed), 1);
    clock.advance(1_000);
    append_chat(&room, 21, 1).await;
    assert_eq!(seqs(&viewer.client.text().await), [21]);
}

#[tokio::test]
async fn replies_are_sent_first_and_between_frames() {
    let (clock, rooms, room) = room();
    let mut viewer = watch(&room).await;
    let big = "x".repeat(60_000);
    for seq in 11..13 {
        clock.advance(1_000);
        room.append_events("e1", seq, vec![chat(&big)]);
        until("encoded", || rooms.counters.frames.load(Ordering::Relaxed) > seq - 10).await;
    }
    viewer.member.send(Frame::text(r#"{"t":"reply"}"#));
    let mut received = Vec::new();
    while received.len() < 3 {
        let frame = viewer.client.text().await;
        let mark = if frame["t"] == "reply" { 0 } else { seqs(&frame).first().copied().unwrap_or(99) };
        received.extend((mark != 99).then_some(mark));
    }
    assert_eq!(received, [11, 0, 12], "before the second frame, not inside the first");
}

#[tokio::test]
async fn full_private_queue_closes_the_connection() {
    let (_clock, _rooms, room) = room();
    let viewer = watch(&room).await;
    // No await: the writer takes nothing meanwhile.
    for _ in 0..65 {
        viewer.member.send(Frame::text("{}"));
    }
    until("closed", || room.viewers() == 0).await;
    let mut client = viewer.client;
    assert_eq!(client.close_code().await, 4008);
}

#[tokio::test]
async fn newest_connection_of_a_session_wins() {
    let (_clock, _rooms, room) = room();
    let ann = || actor("ann", Role::Viewer);
    let mut first = join(&room, ann(), Some("s1"), None).await;
    let mut other = join(&room, actor("bob", Role::Viewer), Some("s1"), None).await;
    first.client.text().await;
    other.client.text().await;
    let mut second = join(&room, ann(), Some("s1"), None).await;
    assert_eq!(first.client.close_code().await, 4509);
    assert_eq!(second.client.text().await["t"], "hello");
    assert_eq!(room.viewers(), 2, "another user's session of the same name is another session");
    let mut anonymous = join(&room, actor("g1", Role::Anonymous), Some("s9"), None).await;
    anonymous.client.text().await;
    let mut again = join(&room, actor("g2", Role::Anonymous), Some("s9"), None).await;
    assert_eq!(anonymous.client.close_code().await, 4509);
    again.client.text().await;
    first.task.await.unwrap();
    assert_eq!((room.viewers(), room.viewers_peak()), (3, 3));
}

#[tokio::test]
async fn replaced_connection_stays_until_its_running_verb_is_answered() {
    let (clock, _rooms, room) = room();
    let join_again = || join(&room, actor("ann", Role::Viewer), Some("s1"), None);
    let mut first = join_again().await;
    first.client.text().await;
    let running = first.member.begin_verb();
    let mut second = join_again().await;
    second.client.text().await;
    assert_eq!(room.viewers(), 1, "it counts no longer");
    clock.advance(5_000);
    first.member.send(Frame::text(r#"{"t":"reply","ref":"1","ok":{}}"#));
    until_reply(&mut first.client).await;
    drop(running);
    clock.advance(500);
    assert_eq!(first.client.close_code().await, 4509);
    // A verb that is never answered does not keep the connection.
    let _never = second.member.begin_verb();
    let mut third = join_again().await;
    third.client.text().await;
    clock.advance(10_000);
    assert_eq!(second.client.close_code().await, 4509);
}

/// Other frames may come before it.
async fn until_reply(client: &mut TestClient) {
    while client.text().await["t"] != "reply" {}
}

#[tokio::test]
async fn viewer_count_is_the_audience_without_those_who_left() {
    let (clock, _rooms, room) = room();
    let mut host = join(&room, actor("host", Role::Host), None, None).await;
    assert_eq!(host.client.text().await["state"]["viewers"], 0);
    let viewer = watch(&room).await;
    assert_eq!(host.client.text().await["state"]["viewers"], 1);
    room.set_remote_viewers(6);
    viewer.task.abort();
    until("left", || room.viewers() == 0).await;
    clock.advance(500);
    assert_eq!(host.client.text().await["state"]["viewers"], 6);
    assert_eq!(room.viewers_peak(), 7, "seven were shown for a moment");
}

#[tokio::test]
async fn silent_viewer_is_pinged_and_closed_without_an_answer() {
    let (clock, _rooms, room) = room();
    let mut viewer = watch(&room).await;
    run_until(&clock, 500, "pinged", || clock.now() >= START + 26_000).await;
    assert_eq!(next_except_ticks(&mut viewer.client).await, ServerOutput::Ping);
    clock.advance(11_000);
    assert_eq!(viewer.client.close_code().await, 4002);
}

async fn next_except_ticks(client: &mut TestClient) -> ServerOutput {
    loop {
        match client.next().await {
            ServerOutput::Text(_) => {}
            received => return received,
        }
    }
}

#[tokio::test]
async fn expired_token_and_ban_close_the_connection() {
    let (clock, rooms, room) = room();
    let expires = Actor { expires_at: Some(START + 5_000), ..actor("ann", Role::Viewer) };
    let mut ann = join(&room, expires, None, None).await;
    let mut bob = join(&room, actor("bob", Role::Viewer), None, None).await;
    ann.client.text().await;
    bob.client.text().await;
    let user = &bob.member.actor.user;
    assert_eq!(rooms.send_to_user(user, Frame::text(r#"{"t":"order"}"#)), 1);
    assert_eq!(rooms.close_banned(StreamId::new(), user, Role::Host), 0);
    assert_eq!(rooms.close_banned(room.stream, user, Role::Viewer), 0, "a ban binds only those who rank below");
    assert_eq!(rooms.close_banned(room.stream, user, Role::Moderator), 1);
    let order = bob.client.text().await;
    assert!(order["t"] == "order" || bob.client.text().await["t"] == "order");
    assert_eq!(bob.client.close_code().await, 4502);
    clock.advance(5_600);
    assert_eq!(ann.client.close_code().await, 4501);
}

#[tokio::test]
async fn clock_that_was_ahead_closes_no_connection_after_its_correction() {
    let (clock, _rooms, room) = room();
    // The system clock was an hour ahead and is correct again; the server's own clock stays ahead.
    clock.advance(3_600_000);
    clock.correct(-3_600_000);
    let expires = Actor { expires_at: Some(START + 5_000), ..actor("ann", Role::Viewer) };
    let mut ann = join(&room, expires, None, None).await;
    ann.client.text().await;
    clock.advance(4_400);
    assert_eq!(ann.member.requested_close(), None);
    clock.advance(1_200);
    assert_eq!(ann.client.close_code().await, 4501);
}

#[tokio::test]
async fn drain_sends_moving_and_then_closes() {
    let (clock, _rooms, room) = room();
    let mut viewer = watch(&room).await;
    room.drain(2_000, 10_000);
    run_until(&clock, 500, "asked to move", || clock.now() >= START + 3_000).await;
    while viewer.client.text().await["t"] != "moving" {}
    clock.advance(10_500);
    assert_eq!(viewer.client.close_code().await, 4000);
}

#[tokio::test]
async fn room_without_connections_for_half_a_minute_is_dropped() {
    let (clock, rooms, room) = room();
    let viewer = watch(&room).await;
    clock.advance(120_000);
    assert!(rooms.remove_idle().is_empty());
    viewer.task.abort();
    let _ = viewer.task.await;
    clock.advance(29_999);
    assert!(rooms.remove_idle().is_empty());
    clock.advance(1);
    assert_eq!(rooms.remove_idle(), [room.stream]);
    assert!(rooms.get(room.stream).is_none());
    let (new, created) = rooms.open(room.stream);
    assert!(created && !Arc::ptr_eq(&new, &room));
    let weak = Arc::downgrade(&room);
    drop((room, viewer.member, viewer.client));
    until("the writer ends and frees the room", || weak.strong_count() == 0).await;
}

/// The writer does not run in between.
#[tokio::test]
async fn room_that_is_behind_drops_its_oldest_messages_and_sends_a_snapshot() {
    let (clock, rooms, room) = room();
    let mut viewer = watch(&room).await;
    clock.advance(1_000);
    let batch = |batch: u64| (0..100).map(|n| chat(&format!("{}", 11 + batch * 100 + n))).collect();
    (0..60).for_each(|n| room.append_events("e1", 11 + n * 100, batch(n)));
    let dropped = rooms.counters.dropped_events.load(Ordering::Relaxed);
    assert!((1_900..=2_100).contains(&dropped), "{dropped}");
    let frame = viewer.client.text().await;
    assert_eq!((&frame["t"], &frame["why"]), (&json!("snapshot"), &json!("hole")), "{frame}");
    let mut newest = frame["seq"].as_u64().unwrap();
    assert!(dropped < newest, "{frame}");
    while newest < 6_010 {
        clock.advance(50);
        for seq in seqs(&viewer.client.text().await) {
            assert_eq!(seq, newest + 1, "everything after the hole follows");
            newest = seq;
        }
    }
    assert_eq!(rooms.counters.holes.load(Ordering::Relaxed), 1);
}
