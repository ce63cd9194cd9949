//! Viewers, summed over nodes, and given up with the node that counted them.

use std::time::{Duration, Instant};

use livesouk::domain::StreamId;

use super::fixture::{Fixture, Node, bus_facts};
use crate::support::until_some;

bus_facts! {
    each_node_knows_how_many_watch_elsewhere
    a_node_that_dies_is_counted_no_more_within_ten_seconds
}

async fn elsewhere(node: &Node, stream: StreamId, here: u64) -> u64 {
    let counted = node.broker.sync_presence(vec![(stream, here)]).await;
    assert_eq!(counted.iter().map(|(stream, _)| *stream).collect::<Vec<_>>(), [stream]);
    counted[0].1
}

async fn each_node_knows_how_many_watch_elsewhere(f: Fixture) {
    let (one, two) = (StreamId::new(), StreamId::new());
    assert_eq!(elsewhere(&f.ann, one, 5).await, 0);
    assert_eq!(elsewhere(&f.bob, one, 7).await, 5);
    assert_eq!(elsewhere(&f.ann, one, 6).await, 7);
    assert_eq!(elsewhere(&f.bob, two, 1).await, 0, "each stream by itself");
    let third = Node::on(&f.urls()).await;
    assert_eq!(elsewhere(&third, one, 0).await, 13);
    // A clean goodbye takes the number away at once.
    assert_eq!(elsewhere(&f.bob, one, 0).await, 6);
    assert_eq!(elsewhere(&f.ann, one, 6).await, 0);
    let many: Vec<(StreamId, u64)> = (0..500).map(|n| (StreamId::new(), n)).collect();
    f.ann.broker.sync_presence(many.clone()).await;
    let mut counted = f.bob.broker.sync_presence(many.iter().map(|(stream, _)| (*stream, 0)).collect()).await;
    counted.sort();
    let mut many = many;
    many.sort();
    assert_eq!(counted, many);
}

async fn a_node_that_dies_is_counted_no_more_within_ten_seconds(f: Fixture) {
    let stream = StreamId::new();
    assert_eq!(elsewhere(&f.bob, stream, 7).await, 0);
    let died = Instant::now();
    assert_eq!(elsewhere(&f.ann, stream, 1).await, 7);
    until_some("forgotten node", Duration::from_secs(12), async || {
        (elsewhere(&f.ann, stream, 1).await == 0).then_some(())
    })
    .await;
    assert!((6..=10).contains(&died.elapsed().as_secs()), "after {:?}", died.elapsed());
}
