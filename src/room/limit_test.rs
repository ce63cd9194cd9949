//! Facts of a room at its limits: slow viewers, samples, history from outside, deflate, crowds that come and go.

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
    room.begin(at("e1", 10), vec![], vec![]);
    (clock, rooms, room)
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Says 200 KB in ten frames, more than anybody may be behind.
async fn exceed_lag_limit(clock: &Clock, rooms: &Rooms, room: &Room, seq: &mut u64) {
    let big = "x".repeat(20_000);
    for _ in 0..10 {
        let frames = read(&rooms.counters.frames);
        clock.advance(50);
        *seq += 1;
        room.append_events("e1", *seq, vec![chat(&big)]).await;
        until("framed", || read(&rooms.counters.frames) > frames).await;
    }
}

/// Reads on up to a frame of this kind; whatever comes before has no hole.
async fn up_to(viewer: &mut TestViewer, kind: &str, last: &mut u64) -> Value {
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
async fn the_ladder_leads_down_to_the_values_and_up_again() {
    let (clock, rooms, room) = room();
    let mut viewer = watch(&room).await;
    let (mut seq, mut last) = (10, 10);
    for skip in 1..=4 {
        exceed_lag_limit(&clock, &rooms, &room, &mut seq).await;
        let snapshot = up_to(&mut viewer, "snapshot", &mut last).await;
        let head: Vec<_> = ["why", "recovered", "seq"].map(|key| snapshot[key].clone()).into();
        assert_eq!(json!(head), json!(["slow", false, seq]), "skip {skip}: the gap is marked");
        last = seq;
    }
    assert_eq!([&rooms.counters.skipped_to_head, &rooms.counters.state_only].map(read), [4, 1]);
    // The log stands still; of the values only the newest come, once a second.
    let stands = seq;
    for second in 1..=9 {
        seq += 1;
        room.append_events("e1", seq, vec![chat("not for the slow")]).await;
        for likes in 0..5 {
            room.set_state(StateChange::Likes(second * 10 + likes), false);
        }
        let before = read(&rooms.counters.frames);
        clock.advance(500);
        until("framed", || read(&rooms.counters.frames) > before).await;
        clock.advance(500);
        let frame = viewer.client.text().await;
        let told = (&frame["t"], &frame["seq"], &frame["events"], &frame["state"]["likes"]);
        assert_eq!(told, (&json!("tick"), &json!(stands), &Value::Null, &json!(second * 10 + 4)), "{frame}");
        assert_eq!(frame["state"]["viewers"], 1, "all values");
    }
    // Ten steady seconds later everything comes again, from a marked gap on.
    run_until(&clock, 500, "rejoined", || read(&rooms.counters.resynced) == 1).await;
    let snapshot = up_to(&mut viewer, "snapshot", &mut last).await;
    assert_eq!((&snapshot["recovered"], &snapshot["seq"]), (&json!(false), &json!(seq)));
    seq += 1;
    room.append_events("e1", seq, vec![chat("for all")]).await;
    clock.advance(1_000);
    let mut last = seq - 1;
    assert_eq!(seqs(&up_to(&mut viewer, "tick", &mut last).await), [seq]);
    assert_eq!(read(&rooms.counters.closed_slow), 0);
}

#[tokio::test]
async fn who_is_left_with_the_values_and_takes_nothing_is_sent_away() {
    let (clock, rooms, room) = room();
    let mut viewer = watch(&room).await;
    let (mut seq, mut last) = (10, 10);
    for _ in 0..4 {
        exceed_lag_limit(&clock, &rooms, &room, &mut seq).await;
        up_to(&mut viewer, "snapshot", &mut last).await;
        last = seq;
    }
    assert_eq!(read(&rooms.counters.state_only), 1);
    // Values so large that one fills the sockets.
    let huge = format!(r#"{{"slow_ms":0,"notice":"{}"}}"#, "n".repeat(400_000));
    room.set_state(StateChange::Chat { v: [1, 1], json: huge.into() }, false);
    run_until(&clock, 250, "sent away", || read(&rooms.counters.closed_slow) == 1).await;
    clock.advance(1_100);
    clock.advance(1_100);
    tokio::time::timeout(std::time::Duration::from_secs(5), &mut viewer.task).await.expect("cut").unwrap();
}

fn pin(version: i64, offer: Option<OfferId>) -> StateChange {
    let json = offer.map_or("null".to_owned(), |offer| format!(r#"{{"offer":"{offer}","v":[1,{version}]}}"#));
    StateChange::Pin { v: [1, version], json: json.into() }
}

#[tokio::test]
async fn a_sample_of_the_audience_says_how_far_the_card_has_got() {
    let (clock, _rooms, room) = room();
    let mut host = join(&room, actor("host", Role::Host), None, None).await;
    assert_eq!(host.client.text().await["receipts"], Value::Null, "the team is not asked");
    let mut here = Vec::new();
    for _ in 0..20 {
        let mut viewer = join(&room, actor("guest", Role::Guest), None, None).await;
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
    // One who comes later is asked from their hello on; one who leaves without a word is not waited for.
    let mut late = join(&room, actor("guest", Role::Guest), None, None).await;
    assert_eq!(late.client.text().await["state"]["pin"]["offer"], json!(offer));
    assert_eq!(room.pin_reach(), reach(21, 19));
    here[19].task.abort();
    until("left", || room.pin_reach() == reach(20, 19)).await;
    room.set_state(pin(2, None), true);
    until("taken down", || room.pin_reach().is_none()).await;
}

#[tokio::test]
async fn no_more_than_five_hundred_are_asked() {
    let (_clock, _rooms, room) = room();
    let mut asked = 0;
    let mut here = Vec::new();
    for _ in 0..520 {
        let mut viewer = join(&room, actor("guest", Role::Guest), None, None).await;
        asked += usize::from(viewer.client.text().await["receipts"] == true);
        here.push(viewer);
    }
    assert_eq!(asked, 500);
    here[0].task.abort();
    until("left", || room.viewers() == 519).await;
    let mut next = join(&room, actor("guest", Role::Guest), None, None).await;
    assert_eq!(next.client.text().await["receipts"], true, "the next one takes the place");
}

#[tokio::test]
async fn an_overlay_is_no_viewer() {
    let (_clock, _rooms, room) = room();
    let mut overlay = join_as(&room, |joining| JoinRequest { is_overlay: true, ..joining }).await;
    let hello = overlay.client.text().await;
    assert_eq!((&hello["state"]["viewers"], &hello["receipts"]), (&json!(0), &Value::Null));
    let _viewer = watch(&room).await;
    assert_eq!(overlay.client.text().await["state"]["viewers"], 1);
    overlay.task.abort();
    let _ = overlay.task.await;
    assert_eq!(room.viewers(), 1);
}

#[tokio::test]
async fn history_from_outside_leads_up_to_what_the_room_has() {
    let (clock, rooms, room) = room();
    let mut viewer = watch(&room).await;
    clock.advance(1_000);
    room.append_events("e1", 11, vec![chat("11"), chat("12")]).await;
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
        let mut back = join_as(&room, |joining| JoinRequest { position, missed, ..joining }).await;
        let hello = back.client.text().await;
        assert_eq!((&hello["recovered"], &hello["seq"]), (&json!(recovered), &json!(12)), "{name}");
        assert_eq!(seqs(&hello), expected, "{name}");
    }
    assert_eq!([&rooms.counters.resumed_from_history, &rooms.counters.resumed].map(read), [3, 3]);
}

#[tokio::test]
async fn deflated_and_plain_viewers_read_the_same() {
    let (clock, rooms, room) = room();
    let mut plain = watch(&room).await;
    let mut deflating = join_as(&room, |joining| JoinRequest { deflate: true, ..joining }).await;
    assert_eq!(deflating.client.text().await["t"], "hello");
    for seq in 11..31 {
        clock.advance(1_000);
        let text = if seq % 2 == 0 { "short".to_owned() } else { format!("{seq} said at length; ").repeat(40) };
        room.append_events("e1", seq, vec![chat(&text)]).await;
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
    let mut late = join_as(&room, |joining| JoinRequest { deflate: true, ..joining }).await;
    let hello = late.client.text().await;
    assert_eq!((late.client.deflated, seqs(&hello).len()), (1, 20));
    assert_eq!(hello["now"], clock.now(), "the head is one's own, the tail is shared");
}

#[tokio::test]
async fn a_crowd_coming_in_does_not_hold_up_what_the_room_says() {
    let (clock, rooms, room) = room();
    let mut here = watch(&room).await;
    let mut crowd = Vec::new();
    for _ in 0..600 {
        let (server, client) = pair().await;
        crowd.push((server, client));
    }
    clock.advance(1_000);
    // One task, no await: all are in the inbox before the writer looks.
    let seats: Vec<_> = crowd
        .into_iter()
        .map(|(server, client)| {
            let joining = JoinRequest {
                socket: Arc::new(server),
                actor: actor("guest", Role::Guest),
                session: None,
                position: None,
                missed: vec![],
                you: "{}".into(),
                deflate: false,
                is_overlay: false,
            };
            (room.join(joining).unwrap_or_else(|close| panic!("{close:?}")), client)
        })
        .collect();
    room.append_events("e1", 11, vec![chat("first")]).await;
    while seqs(&here.client.text().await) != [11] {}
    // The writer yields now and then; in between it says what is new, before it has greeted everybody.
    let greeted = || read(&rooms.counters.first_joins);
    while greeted() == 1 {
        tokio::task::yield_now().await;
    }
    room.append_events("e1", 12, vec![urgent()]).await;
    let mut early = 0;
    for (seat, client) in seats {
        let mut client = TestClient::new(client);
        let hello = client.text().await;
        early += usize::from(hello["seq"] == 11);
        let mut seq = hello["seq"].clone();
        while seq != 12 {
            seq = client.text().await["seq"].clone();
        }
        drop(seat);
    }
    assert!((1..=300).contains(&early), "{early} of 600 were greeted before the room spoke again");
    until("all have left", || room.viewers() == 1).await;
}
