//! What is not numbered: values, order frames, and sessions that came in.

use bytes::Bytes;
use livesouk::broker::{BrokerEvent, SessionJoined, Value};
use livesouk::domain::UserId;

use super::fixture::{Fixture, Node, bus_facts, facts};

mod everywhere {
    use super::*;
    facts! {
        a_value_reaches_every_node
        an_order_frame_reaches_every_node_once
    }
}
mod on_a_bus {
    use super::*;
    bus_facts! {
        of_a_value_the_newest_is_told_last
        all_nodes_hear_of_sessions_in_one_order
        a_stream_that_was_left_is_heard_no_more
    }
}

fn value(key: u64, rank: i64) -> Value {
    Value { key, version: [1, rank], body: Bytes::from(format!("{key}:{rank}")) }
}

fn is_value(delivery: &BrokerEvent, wanted: &str) -> Option<()> {
    matches!(delivery, BrokerEvent::State { body, .. } if *body == wanted).then_some(())
}

async fn a_value_reaches_every_node(f: Fixture) {
    let (stream, _) = f.show().await;
    f.ann.broker.publish_state(stream, value(1, 1)).unwrap();
    f.bob.broker.publish_state(stream, value(2, 1)).unwrap();
    for node in [&f.ann, &f.bob] {
        node.hears("value", |delivery| is_value(delivery, "1:1")).await;
        node.hears("value", |delivery| is_value(delivery, "2:1")).await;
    }
}

async fn an_order_frame_reaches_every_node_once(f: Fixture) {
    let user = UserId::parse("buyer").unwrap();
    f.ann.broker.publish_to_user(user.clone(), Bytes::from_static(b"order"), true).unwrap();
    let frame = BrokerEvent::User { user, body: Bytes::from_static(b"order") };
    for node in [&f.ann, &f.bob] {
        node.hears("order", |delivery| (*delivery == frame).then_some(())).await;
        // What was said after it is here too, so a second one would be.
        let (stream, opening) = f.show().await;
        f.ann.say(stream, "end").await;
        node.log_of(1, stream, &opening).await;
        assert_eq!(node.heard().iter().filter(|delivery| **delivery == frame).count(), 1);
    }
}

async fn of_a_value_the_newest_is_told_last(f: Fixture) {
    let (stream, _) = f.show().await;
    // A burst, in no order, and far more than goes out: what is told last is the newest.
    for rank in (0..2_000).rev().chain([1_500]) {
        f.ann.broker.publish_state(stream, value(7, rank)).unwrap();
    }
    f.bob.hears("newest", |delivery| is_value(delivery, "7:1999")).await;
    let told = f.bob.heard().iter().filter(|delivery| matches!(delivery, BrokerEvent::State { .. })).count();
    assert!(told < 500, "{told} values of one key were told");
}

async fn all_nodes_hear_of_sessions_in_one_order(f: Fixture) {
    let (stream, _) = f.show().await;
    for number in 0..50 {
        f.ann.broker.publish_join(stream, SessionJoined { session_digest: [1; 16], join_number: number });
        f.bob.broker.publish_join(stream, SessionJoined { session_digest: [2; 16], join_number: number });
    }
    let order = async |node: &Node, flip: bool| {
        node.hears("all sessions", |_| {
            let heard = node.heard();
            let sessions = heard.iter().filter_map(|delivery| match delivery {
                BrokerEvent::Joined { sessions, is_local: own, .. } => Some((sessions.clone(), *own != flip)),
                _ => None,
            });
            let all: Vec<_> =
                sessions.flat_map(|(some, by_ann)| some.into_iter().map(move |one| (one, by_ann))).collect();
            (all.len() == 100).then_some(all)
        })
        .await
    };
    let (ann, bob) = (order(&f.ann, false).await, order(&f.bob, true).await);
    assert_eq!(ann, bob);
    assert!(
        ann.iter().all(|(session, by_ann)| (session.session_digest == [1; 16]) == *by_ann),
        "each node knows its own"
    );
}

async fn a_stream_that_was_left_is_heard_no_more(f: Fixture) {
    let (stream, opening) = f.show().await;
    f.ann.say(stream, "1").await;
    f.bob.log_of(1, stream, &opening).await;
    f.bob.broker.unsubscribe(stream);
    // A second stream on the same way shows that the first one's leave has been done.
    let again = f.bob.broker.subscribe(stream).await.unwrap();
    assert_eq!(again.position.seq, 1);
    f.bob.broker.unsubscribe(stream);
    let (other, opening) = f.show().await;
    f.ann.say(stream, "2").await;
    f.ann.say(other, "end").await;
    f.bob.log_of(1, other, &opening).await;
    let heard = |delivery: &BrokerEvent| matches!(delivery, BrokerEvent::Events { stream: own, first: 2, .. } if *own == stream);
    assert!(!f.bob.heard().iter().any(heard));
}
