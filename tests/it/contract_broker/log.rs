//! The log lane: numbered, ordered, the same for everybody, and found by those who come late.

use bytes::Bytes;
use livesouk::domain::StreamId;

use super::fixture::{Fixture, facts, tally, texts};

facts! {
    events_are_numbered_from_one_and_heard_in_order_everywhere
    what_two_nodes_say_at_once_has_one_order_and_every_answer_names_its_place
    a_room_that_opens_late_finds_what_was_said
    what_came_after_a_position_is_known_whole_or_not_at_all
    an_event_with_a_mark_is_told_once_whoever_tells_it
    events_said_together_stay_together
    streams_do_not_hear_each_other
}

async fn events_are_numbered_from_one_and_heard_in_order_everywhere(f: Fixture) {
    let (stream, opening) = f.show().await;
    assert_eq!(opening.position.seq, 0);
    for (seq, who) in (1..=20).zip([&f.ann, &f.bob].into_iter().cycle()) {
        let place = who.say(stream, &seq.to_string()).await;
        assert_eq!((place.seq, &place.epoch), (seq, &opening.position.epoch));
    }
    for node in [&f.ann, &f.bob] {
        let log = node.log_of(20, stream, &opening).await;
        assert_eq!(log, (1..=20).map(|seq| (seq, seq.to_string())).collect::<Vec<_>>());
    }
}

async fn what_two_nodes_say_at_once_has_one_order_and_every_answer_names_its_place(f: Fixture) {
    let (stream, opening) = f.show().await;
    let mut said = tokio::task::JoinSet::new();
    for n in 0..400 {
        let node = if n % 2 == 0 { f.ann.clone() } else { f.bob.clone() };
        said.spawn(async move { (node.say(stream, &format!("text {n}")).await.seq, format!("text {n}")) });
    }
    let mut answers = said.join_all().await;
    answers.sort();
    assert_eq!(f.ann.log_of(400, stream, &opening).await, answers);
    assert_eq!(f.bob.log_of(400, stream, &opening).await, answers);
}

async fn a_room_that_opens_late_finds_what_was_said(f: Fixture) {
    let stream = StreamId::new();
    for n in 1..=5 {
        f.ann.say(stream, &n.to_string()).await;
    }
    let opening = f.bob.broker.subscribe(stream).await.unwrap();
    assert_eq!((opening.position.seq, opening.events.len()), (5, 5));
    f.ann.say(stream, "6").await;
    let log = f.bob.log_of(6, stream, &opening).await;
    assert_eq!(texts(&log), ["1", "2", "3", "4", "5", "6"]);
}

async fn what_came_after_a_position_is_known_whole_or_not_at_all(f: Fixture) {
    let stream = StreamId::new();
    let epoch = f.ann.say(stream, "1").await.epoch;
    for n in 2..=10 {
        f.ann.say(stream, &n.to_string()).await;
    }
    for (asked, found) in [(0, 10), (4, 6), (9, 1), (10, 0), (11, 0)] {
        let since = f.bob.broker.history_after(stream, &epoch, asked).await;
        assert_eq!(
            since.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(),
            (asked + 1..=asked + found).collect::<Vec<_>>()
        );
    }
    assert_eq!(f.bob.broker.history_after(stream, "another", 4).await, []);
    for n in 11..=400 {
        f.ann.broker.publish(stream, vec![Bytes::from(n.to_string()); 1]).await.unwrap();
    }
    assert_eq!(f.bob.broker.history_after(stream, &epoch, 4).await, [], "older than the history");
}

async fn an_event_with_a_mark_is_told_once_whoever_tells_it(f: Fixture) {
    let (stream, opening) = f.show().await;
    let mut told = tokio::task::JoinSet::new();
    for n in 0..40 {
        let node = if n % 2 == 0 { f.ann.clone() } else { f.bob.clone() };
        let mark = format!("paid:{}", n % 4);
        let body = Bytes::from(mark.clone());
        told.spawn(async move { node.broker.publish_once(stream, mark, body).await.unwrap() });
    }
    told.join_all().await;
    f.ann.say(stream, "end").await;
    for node in [&f.ann, &f.bob] {
        let log = node.log_of(5, stream, &opening).await;
        let texts = texts(&log);
        assert_eq!(texts.last(), Some(&"end"));
        assert!(texts.len() == 5 && tally(texts).values().all(|count| *count == 1), "{log:?}");
    }
}

async fn events_said_together_stay_together(f: Fixture) {
    let (stream, opening) = f.show().await;
    let some = |from: usize| (from..from + 3).map(|n| Bytes::from(n.to_string())).collect();
    let (one, two) = tokio::join!(f.ann.broker.publish(stream, some(0)), f.bob.broker.publish(stream, some(3)));
    let (one, two) = (one.unwrap().seq, two.unwrap().seq);
    assert!((one, two) == (3, 6) || (one, two) == (6, 3), "{one} {two}");
    let log = f.bob.log_of(6, stream, &opening).await;
    assert_eq!(texts(&log[one as usize - 3..one as usize]), ["0", "1", "2"]);
}

async fn streams_do_not_hear_each_other(f: Fixture) {
    let ((one, first), (two, second)) = (f.show().await, f.show().await);
    f.ann.say(one, "one").await;
    assert_eq!(f.bob.say(two, "two").await.seq, 1);
    assert_eq!(texts(&f.bob.log_of(1, one, &first).await), ["one"]);
    assert_eq!(texts(&f.ann.log_of(1, two, &second).await), ["two"]);
}
