//! Tests of the position of a client: every kind of broken frame is detected, and valid frames are accepted.

use serde_json::{Value, json};

use client::ClientPosition;

fn at(epoch: &str, seq: u64) -> ClientPosition {
    ClientPosition { epoch: epoch.to_owned(), seq }
}

fn events(seqs: &[u64]) -> Value {
    seqs.iter().map(|seq| json!({"seq": seq, "type": "chat"})).collect()
}

fn frame(t: &str, epoch: &str, seq: u64, recovered: bool, seqs: &[u64]) -> Value {
    json!({"t": t, "epoch": epoch, "seq": seq, "recovered": recovered, "events": events(seqs)})
}

#[test]
fn frames_move_the_position_or_are_refused() {
    let tick = |seq, seqs: &[u64]| json!({"t": "tick", "seq": seq, "events": events(seqs)});
    let rows = [
        (tick(6, &[6]), Ok(("a", 6))),
        (tick(8, &[6, 7, 8]), Ok(("a", 8))),
        (json!({"t": "tick", "seq": 5, "state": {}}), Ok(("a", 5))),
        (json!({"t": "reply", "ref": "1", "ok": {}}), Ok(("a", 5))),
        (tick(7, &[7]), Err("event 7 follows 5")),
        (tick(5, &[5]), Err("event 5 follows 5")),
        (tick(7, &[6, 6, 7]), Err("event 6 follows 6")),
        (tick(7, &[6]), Err("the frame ends at 7, its events at 6")),
        (json!({"t": "tick", "seq": 6}), Err("the frame ends at 6, its events at 5")),
        (json!({"t": "tick", "seq": 4}), Err("the frame ends at 4, its events at 5")),
        (json!({"t": "tick"}), Err("no seq")),
        (frame("snapshot", "a", 90, false, &[70, 80]), Ok(("a", 90))),
        (frame("snapshot", "b", 1, false, &[0, 0, 1]), Ok(("b", 1))),
        (frame("snapshot", "a", 7, true, &[6, 7]), Ok(("a", 7))),
        (frame("snapshot", "a", 7, true, &[7]), Err("event 7 follows 5")),
        (frame("snapshot", "b", 6, true, &[6]), Err("another epoch")),
        (frame("snapshot", "a", 4, false, &[]), Err("older")),
        (frame("snapshot", "a", 9, false, &[8, 7]), Err("event 7 follows 8")),
        (frame("snapshot", "a", 9, false, &[10]), Err("event 10 in a frame that ends at 9")),
        (frame("hello", "a", 5, false, &[]), Err("second hello")),
        (json!({"t": "surprise"}), Err("unknown kind")),
    ];
    for (frame, expected) in rows {
        let mut position = at("a", 5);
        match (position.apply(&frame), expected) {
            (Ok(()), Ok((epoch, seq))) => assert_eq!(position, at(epoch, seq), "after {frame}"),
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{found:?} for {frame}"),
            (found, expected) => panic!("{found:?}, expected {expected:?}, for {frame}"),
        }
    }
}

#[test]
fn hello_starts_or_resumes() {
    let asked = at("a", 5);
    let rows = [
        (frame("hello", "a", 41, false, &[12, 40]), None, true),
        (frame("hello", "a", 7, true, &[6, 7]), Some(&asked), true),
        (frame("hello", "a", 5, true, &[]), Some(&asked), true),
        (frame("hello", "b", 3, false, &[1, 3]), Some(&asked), true),
        (frame("hello", "a", 7, true, &[7]), Some(&asked), false),
        (frame("hello", "a", 7, true, &[6]), Some(&asked), false),
        (frame("hello", "b", 6, true, &[6]), Some(&asked), false),
        (frame("hello", "a", 6, true, &[6]), None, false),
        (json!({"t": "hello", "epoch": "a", "seq": 6}), None, false),
    ];
    for (hello, asked, fine) in rows {
        assert_eq!(ClientPosition::from_hello(&hello, asked).is_ok(), fine, "{hello} after {asked:?}");
    }
}
