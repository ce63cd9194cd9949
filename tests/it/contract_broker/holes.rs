//! Holes in what Redis delivers: filled from history, or visible. A room never continues over a hole.

use livesouk::broker::{BrokerEvent, StreamHistory, StreamPosition};
use livesouk::domain::StreamId;
use redis::Value;

use super::fixture::{Node, SHOP, texts};
use crate::support::redis::Redis;

/// A stream whose keys the test changes behind the nodes' backs.
struct Tampered {
    redis: Redis,
    node: Node,
    stream: StreamId,
    history: StreamHistory,
}

impl Tampered {
    async fn with_one_event() -> Tampered {
        let redis = Redis::start().await;
        let node = Node::on(&redis.url()).await;
        let stream = StreamId::new();
        let history = node.broker.subscribe(stream).await.unwrap();
        node.publish(stream, "one").await;
        node.wait_for_log(1, stream, &history).await;
        Tampered { redis, node, stream, history }
    }

    fn key(&self, kind: &str) -> String {
        format!("livesouk:{SHOP}:{kind}:{}", self.stream)
    }

    /// Raises the sequence number as if an event had been published that we never receive; with `in_history`, history has it.
    async fn skip_events(&self, texts: &[&str], in_history: bool) {
        for text in texts {
            let seq = self.redis.command(&format!("HINCRBY {} seq 1", self.key("m"))).await;
            let Value::Int(seq) = seq else { panic!("{seq:?}") };
            if in_history {
                let mut connection = self.redis.connect().await;
                let batch = [format!("L{} {seq} ", self.history.position.epoch).into_bytes(), part(text)].concat();
                let mut add = redis::cmd("XADD");
                add.arg(self.key("h")).arg(format!("{seq}-0")).arg("b").arg(batch);
                add.query_async::<String>(&mut connection).await.unwrap();
            }
        }
    }

    async fn publish_raw(&self, epoch: &str, first: u64, text: &str) {
        let batch = [format!("L{epoch} {first} ").into_bytes(), part(text)].concat();
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(self.key("s")).arg(batch);
        publish.query_async::<i64>(&mut self.redis.connect().await).await.unwrap();
    }
}

fn part(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hole_is_filled_from_history() {
    let tampered = Tampered::with_one_event().await;
    tampered.skip_events(&["two", "three"], true).await;
    let (node, stream) = (&tampered.node, tampered.stream);
    assert_eq!(node.publish(stream, "four").await.seq, 4);
    let log = node.wait_for_log(4, stream, &tampered.history).await;
    assert_eq!(texts(&log), ["one", "two", "three", "four"]);
    assert_eq!(node.restarts(stream), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hole_missing_in_history_restarts_the_room() {
    let tampered = Tampered::with_one_event().await;
    tampered.skip_events(&["two", "three"], false).await;
    let (node, stream) = (&tampered.node, tampered.stream);
    assert_eq!(node.publish(stream, "four").await.seq, 4);
    let position = node.receives("restart", |event| match event {
        BrokerEvent::Restart { position, .. } => Some(position.clone()),
        _ => None,
    });
    assert_eq!(position.await, StreamPosition { epoch: tampered.history.position.epoch.clone(), seq: 4 });
    node.publish(stream, "five").await;
    let log = node.wait_for_log(2, stream, &tampered.history).await;
    assert_eq!(log, [(4, "four".to_owned()), (5, "five".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeated_events_are_dropped() {
    let tampered = Tampered::with_one_event().await;
    let (node, stream, epoch) = (&tampered.node, tampered.stream, tampered.history.position.epoch.clone());
    tampered.publish_raw(&epoch, 1, "one").await;
    node.publish(stream, "two").await;
    tampered.publish_raw(&epoch, 1, "one").await;
    tampered.publish_raw(&epoch, 2, "two").await;
    node.publish(stream, "three").await;
    let log = node.wait_for_log(3, stream, &tampered.history).await;
    assert_eq!(texts(&log), ["one", "two", "three"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_messages_are_ignored() {
    let tampered = Tampered::with_one_event().await;
    let (node, stream) = (&tampered.node, tampered.stream);
    for odd in ["", "X", "L", "Lepoch", "Lepoch one two", "S", "B123"] {
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(tampered.key("s")).arg(odd);
        publish.query_async::<i64>(&mut tampered.redis.connect().await).await.unwrap();
    }
    node.publish(stream, "two").await;
    let log = node.wait_for_log(2, stream, &tampered.history).await;
    assert_eq!(texts(&log), ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_batch_of_an_ended_epoch_does_not_throw_the_room_back() {
    let tampered = Tampered::with_one_event().await;
    let (node, stream, history) = (&tampered.node, tampered.stream, &tampered.history);
    tampered.publish_raw("another", 7, "late").await;
    node.publish(stream, "two").await;
    assert_eq!(texts(&node.wait_for_log(2, stream, history).await), ["one", "two"]);
    assert_eq!(node.restarts(stream), 0);
    assert_eq!(node.broker.metrics().late_batches.load(std::sync::atomic::Ordering::Relaxed), 1);
}
