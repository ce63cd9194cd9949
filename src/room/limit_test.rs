//! Facts about a room at its limits: slow viewers, receipts, history from the broker, deflate, join storms.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::fixture_test::*;
use super::*;
use crate::domain::{OfferId, Role};

const START: Millis = 1_000_000;

fn room() -> (Clock, Rooms, Arc<Room>) {
    let clock = Clock::manual(START);
    let rooms = Rooms::new(clock.clone());
    let (room, _) = rooms.open(StreamId::new());
    room.sync(at("e1", 10), vec![], vec![]);
    (clock, rooms, room)
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Appends 200 KB in ten frames, more than a viewer may be behind.
async fn exceed_lag_limit(clock: &Clock, rooms: &Rooms, room: &Room, seq: &mut u64) {
    let big = "x".repeat(20_000);
    for _ in 0..10 {
        let frames = read(&rooms.counters.frames);
        clock.advance(50);
        *seq += 1;
        room.append_events("e1", *seq, vec![chat(&big)]);
        until("encoded", || read(&rooms.counters.frames) > frames).await;
    }
}

/// Reads up to a frame of this type and checks that there is no hole before it.
async fn read_up_to(viewer: &mut TestViewer, kind: &str, last: &mut u64) -> Value {
    loop {
        let frame = viewer.client.text().await;
        if frame["t"] == "tick" {
            for seq in seqs(&frame) {
                assert_eq!(seq, *last + 1);
                *last = seq;
            }
        }
        if frame["t"] == kind {
            return frame;
        }
    }
}

#[tokio::test]
async fn backpressure_reduces_to_the_state_lane_and_recovers() {
    let (clock, rooms, room) = room();
    let mut viewer = watch(&room).await;
    let (mut seq, mut last) = (10, 10);
    for skip in 1..=4 {
        exceed_lag_limit(&clock, &rooms, &room, &mut seq).await;
        let snapshot = read_up_to(&mut viewer, "snapshot", &mut last).await;
        assert_eq!((&snapshot["why"], &snapshot["recovered"]), (&json!("slow"), &json!(false)), "skip {skip}");
        // It may have been made just before the last of the frames, which follows then.
        let position = snapshot["seq"].as_u64().unwrap();
        assert!(last < position && position <= seq, "skip {skip}: {position} after {last}, of {seq}");
        last = position;
    }
    assert_eq!([&rooms.counters.skipped_to_head, &rooms.counters.state_only].map(read), [4, 1]);
    // The viewer's position stays where it is; of the values only the newest are sent, once a second.
    let frozen_at = last;
    for second in 1..=9 {
        seq += 1;
        room.append_events("e1", seq, vec![chat("not for slow viewers")]);
        for likes in 0..5 {
            room.set_state(StateChange::Likes(second * 10 + likes), false);
        }
        let before = read(&rooms.counters.frames);
        clock.advance(500);
        until("encoded", || read(&rooms.counters.frames) > before).await;
        clock.advance(500);
        let frame = viewer.client.text().await;
        let received = (&frame["t"], &frame["seq"], &frame["events"], &frame["state"]["likes"]);
        assert_eq!(received, (&json!("tick"), &json!(frozen_at), &Value::Null, &json!(second * 10 + 4)), "{frame}");
        assert_eq!(frame["state"].as_object().unwrap().len(), 1, "only what changed: {frame}");
    }
    // After ten steady seconds everything is sent again, after a marked gap.
    run_until(&clock, 500, "resynced", || read(&rooms.counters.resynced) == 1).await;
    let snapshot = read_up_to(&mut viewer, "snapshot", &mut last).await;
    assert_eq!((&snapshot["recovered"], &snapshot["seq"]), (&json!(false), &json!(seq)));
    seq += 1;
    room.append_events("e1", seq, vec![chat("for all")]);
    clock.advance(1_000);
    let mut last = seq - 1;
    assert_eq!(seqs(&read_up_to(&mut viewer, "tick", &mut last).await), [seq]);
    assert_eq!(read(&rooms.counters.closed_slow), 0);
}

#[tokio::test]
async fn state_only_viewer_who_reads_nothing_is_closed() {
    let (clock, rooms, room) = room();
    let mut viewer = watch(&room).await;
    let (mut seq, mut last) = (10, 10);
    for _ in 0..4 {
        exceed_lag_limit(&clock, &rooms, &room, &mut seq).await;
        read_up_to(&mut viewer, "snapshot", &mut last).await;
        last = seq;
    }
    assert_eq!(read(&rooms.counters.state_only), 1);
    // A state so large that one frame fills the sockets.
    let huge = format!(r#"{{"slow_ms":0,"notice":"{}"}}"#, "n".repeat(400_000));
    room.set_state(StateChange::Chat { v: [1, 1], json: huge.into() }, false);
    run_until(&clock, 250, "closed", || read(&rooms.counters.closed_slow) == 1).await;
    clock.advance(1_100);
    clock.advance(1_100);
    tokio::time::timeout(std::time::Duration::from_secs(5), &mut viewer.task).await.expect("aborted").unwrap();
}

fn pin(version: i64, offer: Option<OfferId>) -> StateChange {
    let json = offer.map_or("null".to_owned(), |offer| format!(r#"{{"offer":"{offer}","v":[1,{version}]}}"#));
    StateChange::Pin { v: [1, version], json: json.into() }
}

#[tokio::test]
async fn sampled_viewers_report_when_they_have_seen_the_pinned_offer() {
    let (clock, _rooms, room) = room();
    let mut host = join(&room, actor("host", Role::Host), None, None).await;
    assert_eq!(host.client.text().await["receipts"], Value::Null, "the team is not asked");
    let mut here = Vec::new();
    for _ in 0..20 {
        let mut viewer = join(&room, actor("anonymous", Role::Anonymous), None, None).await;
        assert_eq!(viewer.client.text().await["receipts"], true);
        here.push(viewer);
    }
    assert_eq!(room.pin_reach(), None);
    let offer = OfferId::new();
    room.set_state(pin(1, Some(offer)), true);
    until("asked", || room.pin_reach().is_some_and(|reach| reach.asked == 20)).await;
    clock.advance(180);
    for viewer in &here[..19] {
        viewer.member.seen(offer);
        viewer.member.seen(offer);
        viewer.member.seen(OfferId::new());
    }
    host.member.seen(offer);
    let reach = |asked, seen| Some(PinReach { offer, asked, seen, p50_ms: Some(180), p95_ms: Some(180) });
    assert_eq!(room.pin_reach(), reach(20, 19));
    // A viewer who joins later is asked in its hello; one who leaves without an answer is not waited for.
    let mut late = join(&room, actor("anonymous", Role::Anonymous), None, None).await;
    assert_eq!(late.client.text().await["state"]["pin"]["offer"], json!(offer));
    assert_eq!(room.pin_reach(), reach(21, 19));
    here[19].task.abort();
    until("left", || room.pin_reach() == reach(20, 19)).await;
    room.set_state(pin(2, None), true);
    until("unpinned", || room.pin_reach().is_none()).await;
}

#[tokio::test]
async fn at_most_five_hundred_viewers_are_sampled() {
    let (_clock, _rooms, room) = room();
    let mut asked = 0;
    let mut here = Vec::new();
    for _ in 0..520 {
        let mut viewer = join(&room, actor("anonymous", Role::Anonymous), None, None).await;
        asked += usize::from(viewer.client.text().await["receipts"] == true);
        here.push(viewer);
    }
    assert_eq!(asked, 500);
    here[0].task.abort();
    until("left", || room.viewers() == 519).await;
    let mut next = join(&room, actor("anonymous", Role::Anonymous), None, None).await;
    assert_eq!(next.client.text().await["receipts"], true, "the next viewer takes the free slot");
}

#[tokio::test]
async fn overlay_does_not_count_as_a_viewer() {
    let (_clock, _rooms, room) = room();
    let mut overlay = join_as(&room, |request| JoinRequest { is_uncounted: true, ..request }).await;
    let hello = overlay.client.text().await;
    assert_eq!((&hello["state"]["viewers"], &hello["receipts"]), (&json!(0), &Value::Null));
    let _viewer = watch(&room).await;
    assert_eq!(overlay.client.text().await["state"]["viewers"], 1);
    overlay.task.abort();
    let _ = overlay.task.await;
    assert_eq!(room.viewers(), 1);
}

#[tokio::test]
async fn broker_history_connects_to_the_ring_buffer() {
    let (clock, rooms, room) = room();
    let mut viewer = watch(&room).await;
    clock.advance(1_000);
    room.append_events("e1", 11, vec![chat("11"), chat("12")]);
    viewer.client.text().await;
    assert!(room.can_resume(&at("e1", 10)) && !room.can_resume(&at("e1", 9)) && !room.can_resume(&at("e2", 11)));
    let history = |from: u64, to: u64| (from..=to).map(|seq| (seq, chat("old"))).collect::<Vec<_>>();
    for (name, asked, missed, recovered, expected) in [
        ("up to the room", 7, history(8, 10), true, vec![8, 9, 10, 11, 12]),
        ("overlapping", 7, history(8, 12), true, vec![8, 9, 10, 11, 12]),
        ("ahead of the room", 7, history(8, 13), true, vec![8, 9, 10, 11, 12]),
        ("not far enough", 7, history(8, 9), false, vec![11, 12]),
        ("from too late", 7, history(9, 12), false, vec![11, 12]),
        ("a hole", 7, [history(8, 8), history(10, 12)].concat(), false, vec![11, 12]),
        ("nothing", 7, vec![], false, vec![11, 12]),
    ] {
        let position = Some(at("e1", asked));
        let mut back = join_as(&room, |request| JoinRequest { position, missed, ..request }).await;
        let hello = back.client.text().await;
        assert_eq!((&hello["recovered"], &hello["seq"]), (&json!(recovered), &json!(12)), "{name}");
        assert_eq!(seqs(&hello), expected, "{name}");
    }
    assert_eq!([&rooms.counters.resumed_from_history, &rooms.counters.resumed].map(read), [3, 3]);
}

#[tokio::test]
async fn deflated_and_plain_viewers_receive_the_same() {
    let (clock, rooms, room) = room();
    let mut plain = watch(&room).await;
    let mut deflating = join_as(&room, |request| JoinRequest { deflate: true, ..request }).await;
    assert_eq!(deflating.client.text().await["t"], "hello");
    for seq in 11..31 {
        clock.advance(1_000);
        let text = if seq % 2 == 0 { "short".to_owned() } else { format!("{seq} with a long text; ").repeat(40) };
        room.append_events("e1", seq, vec![chat(&text)]);
        let events = async |viewer: &mut TestViewer| loop {
            let frame = viewer.client.text().await;
            if frame["events"].is_array() {
                return frame;
            }
        };
        assert_eq!(events(&mut plain).await, events(&mut deflating).await);
    }
    assert_eq!(plain.client.deflated, 0);
    assert_eq!(
        (deflating.client.deflated, read(&rooms.counters.deflated_frames)),
        (10, 10),
        "once each, the short ones not"
    );
    let mut late = join_as(&room, |request| JoinRequest { deflate: true, ..request }).await;
    let hello = late.client.text().await;
    assert_eq!((late.client.deflated, seqs(&hello).len()), (1, 20));
    assert_eq!(hello["now"], clock.now(), "the head is the viewer's own, the tail is shared");
}

#[tokio::test]
async fn join_storm_does_not_delay_the_broadcast() {
    let (clock, rooms, room) = room();
    let mut here = watch(&room).await;
    let mut connections = Vec::new();
    for _ in 0..600 {
        let (server, client) = pair().await;
        connections.push((server, client));
    }
    clock.advance(1_000);
    // One task, no await: all are in the inbox before the writer looks.
    let subscriptions: Vec<_> = connections
        .into_iter()
        .map(|(server, client)| {
            let request = JoinRequest {
                socket: Arc::new(server),
                actor: actor("anonymous", Role::Anonymous),
                session: None,
                position: None,
                missed: vec![],
                you: "{}".into(),
                deflate: false,
                is_uncounted: false,
            };
            (room.join(request).unwrap_or_else(|close| panic!("{close:?}")), client)
        })
        .collect();
    room.append_events("e1", 11, vec![chat("first")]);
    while seqs(&here.client.text().await) != [11] {}
    // The writer yields now and then; in between it broadcasts what is new, before it has sent all hellos.
    let hellos_sent = || read(&rooms.counters.first_joins);
    while hellos_sent() == 1 {
        tokio::task::yield_now().await;
    }
    room.append_events("e1", 12, vec![urgent()]);
    let mut greeted_early = 0;
    for (subscription, client) in subscriptions {
        let mut client = TestClient::new(client);
        let hello = client.text().await;
        greeted_early += usize::from(hello["seq"] == 11);
        let mut seq = hello["seq"].clone();
        while seq != 12 {
            seq = client.text().await["seq"].clone();
        }
        drop(subscription);
    }
    assert!((1..=300).contains(&greeted_early), "{greeted_early} of 600 got hello before the next broadcast");
    until("all have left", || room.viewers() == 1).await;
}
