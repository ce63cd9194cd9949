//! The event lane: numbered, ordered, the same on every node, and available to those who subscribe late.

use bytes::Bytes;
use livesouk::domain::StreamId;

use super::fixture::{Fixture, count_texts, facts, texts};

facts! {
    events_are_numbered_from_one_and_delivered_in_order_to_every_node
    events_of_two_nodes_have_one_order_and_each_publish_returns_its_position
    late_subscription_gets_the_history
    history_after_a_position_is_complete_or_empty
    event_with_an_idempotency_key_is_published_once
    events_published_together_stay_together
    streams_receive_only_their_own_events
}

async fn events_are_numbered_from_one_and_delivered_in_order_to_every_node(f: Fixture) {
    let (stream, history) = f.show().await;
    assert_eq!(history.position.seq, 0);
    for (seq, node) in (1..=20).zip([&f.ann, &f.bob].into_iter().cycle()) {
        let position = node.publish(stream, &seq.to_string()).await;
        assert_eq!((position.seq, &position.epoch), (seq, &history.position.epoch));
    }
    for node in [&f.ann, &f.bob] {
        let log = node.wait_for_log(20, stream, &history).await;
        assert_eq!(log, (1..=20).map(|seq| (seq, seq.to_string())).collect::<Vec<_>>());
    }
}

async fn events_of_two_nodes_have_one_order_and_each_publish_returns_its_position(f: Fixture) {
    let (stream, history) = f.show().await;
    let mut publishing = tokio::task::JoinSet::new();
    for n in 0..400 {
        let node = if n % 2 == 0 { f.ann.clone() } else { f.bob.clone() };
        publishing.spawn(async move { (node.publish(stream, &format!("text {n}")).await.seq, format!("text {n}")) });
    }
    let mut answers = publishing.join_all().await;
    answers.sort();
    assert_eq!(f.ann.wait_for_log(400, stream, &history).await, answers);
    assert_eq!(f.bob.wait_for_log(400, stream, &history).await, answers);
}

async fn late_subscription_gets_the_history(f: Fixture) {
    let stream = StreamId::new();
    for n in 1..=5 {
        f.ann.publish(stream, &n.to_string()).await;
    }
    let history = f.bob.broker.subscribe(stream).await.unwrap();
    assert_eq!((history.position.seq, history.events.len()), (5, 5));
    f.ann.publish(stream, "6").await;
    let log = f.bob.wait_for_log(6, stream, &history).await;
    assert_eq!(texts(&log), ["1", "2", "3", "4", "5", "6"]);
}

async fn history_after_a_position_is_complete_or_empty(f: Fixture) {
    let stream = StreamId::new();
    let epoch = f.ann.publish(stream, "1").await.epoch;
    for n in 2..=10 {
        f.ann.publish(stream, &n.to_string()).await;
    }
    for (asked, found) in [(0, 10), (4, 6), (9, 1), (10, 0), (11, 0)] {
        let after = f.bob.broker.history_after(stream, &epoch, asked).await;
        assert_eq!(
            after.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(),
            (asked + 1..=asked + found).collect::<Vec<_>>()
        );
    }
    assert_eq!(f.bob.broker.history_after(stream, "another", 4).await, []);
    for n in 11..=400 {
        f.ann.broker.publish(stream, vec![Bytes::from(n.to_string()); 1]).await.unwrap();
    }
    assert_eq!(f.bob.broker.history_after(stream, &epoch, 4).await, [], "older than the history");
}

async fn event_with_an_idempotency_key_is_published_once(f: Fixture) {
    let (stream, history) = f.show().await;
    let mut publishing = tokio::task::JoinSet::new();
    for n in 0..40 {
        let node = if n % 2 == 0 { f.ann.clone() } else { f.bob.clone() };
        let idempotency_key = format!("paid:{}", n % 4);
        let body = Bytes::from(idempotency_key.clone());
        publishing.spawn(async move { node.broker.publish_once(stream, idempotency_key, body).await.unwrap() });
    }
    publishing.join_all().await;
    f.ann.publish(stream, "end").await;
    for node in [&f.ann, &f.bob] {
        let log = node.wait_for_log(5, stream, &history).await;
        let texts = texts(&log);
        assert_eq!(texts.last(), Some(&"end"));
        assert!(texts.len() == 5 && count_texts(texts).values().all(|count| *count == 1), "{log:?}");
    }
}

async fn events_published_together_stay_together(f: Fixture) {
    let (stream, history) = f.show().await;
    let bodies = |from: usize| (from..from + 3).map(|n| Bytes::from(n.to_string())).collect();
    let (one, two) = tokio::join!(f.ann.broker.publish(stream, bodies(0)), f.bob.broker.publish(stream, bodies(3)));
    let (one, two) = (one.unwrap().seq, two.unwrap().seq);
    assert!((one, two) == (3, 6) || (one, two) == (6, 3), "{one} {two}");
    let log = f.bob.wait_for_log(6, stream, &history).await;
    assert_eq!(texts(&log[one as usize - 3..one as usize]), ["0", "1", "2"]);
}

async fn streams_receive_only_their_own_events(f: Fixture) {
    let ((one, first), (two, second)) = (f.show().await, f.show().await);
    f.ann.publish(one, "one").await;
    assert_eq!(f.bob.publish(two, "two").await.seq, 1);
    assert_eq!(texts(&f.bob.wait_for_log(1, one, &first).await), ["one"]);
    assert_eq!(texts(&f.ann.wait_for_log(1, two, &second).await), ["two"]);
}
