//! Messages that are not numbered: state values, order frames, and joined sessions.

use bytes::Bytes;
use livesouk::broker::{BrokerEvent, SessionJoined, StateValue};
use livesouk::domain::UserId;

use super::fixture::{Fixture, Node, facts, redis_facts};

mod everywhere {
    use super::*;
    facts! {
        state_value_reaches_every_node
        order_frame_reaches_every_node_once
    }
}
mod on_redis {
    use super::*;
    redis_facts! {
        newest_value_is_published_last
        all_nodes_receive_joins_in_one_order
        unsubscribed_stream_receives_nothing
    }
}

fn value(key: u64, rank: i64) -> StateValue {
    StateValue { key, version: [1, rank], body: Bytes::from(format!("{key}:{rank}")) }
}

fn is_value(event: &BrokerEvent, wanted: &str) -> Option<()> {
    matches!(event, BrokerEvent::State { body, .. } if *body == wanted).then_some(())
}

async fn state_value_reaches_every_node(f: Fixture) {
    let (stream, _) = f.show().await;
    f.ann.broker.publish_state(stream, value(1, 1)).unwrap();
    f.bob.broker.publish_state(stream, value(2, 1)).unwrap();
    for node in [&f.ann, &f.bob] {
        node.receives("value", |event| is_value(event, "1:1")).await;
        node.receives("value", |event| is_value(event, "2:1")).await;
    }
}

async fn order_frame_reaches_every_node_once(f: Fixture) {
    let user = UserId::parse("buyer").unwrap();
    f.ann.broker.publish_to_user(user.clone(), Bytes::from_static(b"order"), true).unwrap();
    let frame = BrokerEvent::User { user, body: Bytes::from_static(b"order") };
    for node in [&f.ann, &f.bob] {
        node.receives("order", |event| (*event == frame).then_some(())).await;
        // What was published after it has arrived here too, so a second one would have.
        let (stream, history) = f.show().await;
        f.ann.publish(stream, "end").await;
        node.wait_for_log(1, stream, &history).await;
        assert_eq!(node.received().iter().filter(|event| **event == frame).count(), 1);
    }
}

async fn newest_value_is_published_last(f: Fixture) {
    let (stream, _) = f.show().await;
    // A burst, in random order, of far more values than are published: the last one published is the newest.
    for rank in (0..2_000).rev().chain([1_500]) {
        f.ann.broker.publish_state(stream, value(7, rank)).unwrap();
    }
    f.bob.receives("newest", |event| is_value(event, "7:1999")).await;
    let published = f.bob.received().iter().filter(|event| matches!(event, BrokerEvent::State { .. })).count();
    assert!(published < 500, "{published} values of one key were published");
}

async fn all_nodes_receive_joins_in_one_order(f: Fixture) {
    let (stream, _) = f.show().await;
    for number in 0..50 {
        let joined =
            |session: u8| SessionJoined { session_digest: [session; 16], join_number: number, joined_at: 1_000 };
        f.ann.broker.publish_join(stream, joined(1));
        f.bob.broker.publish_join(stream, joined(2));
    }
    let order = async |node: &Node, flip: bool| {
        node.receives("all sessions", |_| {
            let received = node.received();
            let sessions = received.iter().filter_map(|event| match event {
                BrokerEvent::Joined { sessions, is_local, .. } => Some((sessions.clone(), *is_local != flip)),
                _ => None,
            });
            let all: Vec<_> =
                sessions.flat_map(|(sessions, by_ann)| sessions.into_iter().map(move |one| (one, by_ann))).collect();
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

async fn unsubscribed_stream_receives_nothing(f: Fixture) {
    let (stream, history) = f.show().await;
    f.ann.publish(stream, "1").await;
    f.bob.wait_for_log(1, stream, &history).await;
    f.bob.broker.unsubscribe(stream);
    // A second stream on the same connection shows that the first one's unsubscribe is done.
    let again = f.bob.broker.subscribe(stream).await.unwrap();
    assert_eq!(again.position.seq, 1);
    f.bob.broker.unsubscribe(stream);
    let (other, history) = f.show().await;
    f.ann.publish(stream, "2").await;
    f.ann.publish(other, "end").await;
    f.bob.wait_for_log(1, other, &history).await;
    let received =
        |event: &BrokerEvent| matches!(event, BrokerEvent::Events { stream: of, first_seq: 2, .. } if *of == stream);
    assert!(!f.bob.received().iter().any(received));
}
