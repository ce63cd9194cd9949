//! Presence: viewers are summed over nodes, and a dead node's number expires.

use std::time::{Duration, Instant};

use livesouk::domain::StreamId;

use super::fixture::{Fixture, Node, redis_facts};
use crate::support::until_some;

redis_facts! {
    presence_returns_the_viewers_of_the_other_nodes
    presence_of_a_dead_node_expires_within_ten_seconds
}

async fn remote_viewers(node: &Node, stream: StreamId, viewers_here: u64) -> u64 {
    let counted = node.broker.sync_presence(vec![(stream, viewers_here)]).await;
    assert_eq!(counted.iter().map(|(stream, _)| *stream).collect::<Vec<_>>(), [stream]);
    counted[0].1
}

async fn presence_returns_the_viewers_of_the_other_nodes(f: Fixture) {
    let (one, two) = (StreamId::new(), StreamId::new());
    assert_eq!(remote_viewers(&f.ann, one, 5).await, 0);
    assert_eq!(remote_viewers(&f.bob, one, 7).await, 5);
    assert_eq!(remote_viewers(&f.ann, one, 6).await, 7);
    assert_eq!(remote_viewers(&f.bob, two, 1).await, 0, "each stream by itself");
    let third = Node::on(&f.urls()).await;
    assert_eq!(remote_viewers(&third, one, 0).await, 13);
    // A clean exit removes the number at once.
    assert_eq!(remote_viewers(&f.bob, one, 0).await, 6);
    assert_eq!(remote_viewers(&f.ann, one, 6).await, 0);
    let many: Vec<(StreamId, u64)> = (0..500).map(|n| (StreamId::new(), n)).collect();
    f.ann.broker.sync_presence(many.clone()).await;
    let mut counted = f.bob.broker.sync_presence(many.iter().map(|(stream, _)| (*stream, 0)).collect()).await;
    counted.sort();
    let mut many = many;
    many.sort();
    assert_eq!(counted, many);
}

async fn presence_of_a_dead_node_expires_within_ten_seconds(f: Fixture) {
    let stream = StreamId::new();
    assert_eq!(remote_viewers(&f.bob, stream, 7).await, 0);
    let died = Instant::now();
    assert_eq!(remote_viewers(&f.ann, stream, 1).await, 7);
    until_some("forgotten node", Duration::from_secs(12), async || {
        (remote_viewers(&f.ann, stream, 1).await == 0).then_some(())
    })
    .await;
    assert!((6..=10).contains(&died.elapsed().as_secs()), "after {:?}", died.elapsed());
}
