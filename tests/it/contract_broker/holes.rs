//! Holes in what the bus tells: filled from history, or visible. Never gone on over.

use livesouk::broker::{BrokerEvent, StreamHistory, StreamPosition};
use livesouk::domain::StreamId;
use redis::Value;

use super::fixture::{Node, SHOP, texts};
use crate::support::redis::Redis;

/// A stream whose keys the test writes past the nodes.
struct Tampered {
    redis: Redis,
    node: Node,
    stream: StreamId,
    opening: StreamHistory,
}

impl Tampered {
    async fn with_one_event() -> Tampered {
        let redis = Redis::start().await;
        let node = Node::on(&redis.url()).await;
        let stream = StreamId::new();
        let opening = node.broker.subscribe(stream).await.unwrap();
        node.say(stream, "one").await;
        node.log_of(1, stream, &opening).await;
        Tampered { redis, node, stream, opening }
    }

    fn key(&self, kind: &str) -> String {
        format!("livesouk:{SHOP}:{kind}:{}", self.stream)
    }

    /// Raises the number as if somebody had been told what we never hear; with `kept`, history knows it.
    async fn pass_over(&self, texts: &[&str], kept: bool) {
        for text in texts {
            let seq = self.redis.command(&format!("HINCRBY {} seq 1", self.key("m"))).await;
            let Value::Int(seq) = seq else { panic!("{seq:?}") };
            if kept {
                let mut connection = self.redis.connect().await;
                let batch = [format!("L{} {seq} ", self.opening.position.epoch).into_bytes(), part(text)].concat();
                let mut add = redis::cmd("XADD");
                add.arg(self.key("h")).arg(format!("{seq}-0")).arg("b").arg(batch);
                add.query_async::<String>(&mut connection).await.unwrap();
            }
        }
    }

    async fn publish(&self, epoch: &str, first: u64, text: &str) {
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
async fn a_hole_is_filled_from_history() {
    let tampered = Tampered::with_one_event().await;
    tampered.pass_over(&["two", "three"], true).await;
    let (node, stream) = (&tampered.node, tampered.stream);
    assert_eq!(node.say(stream, "four").await.seq, 4);
    let log = node.log_of(4, stream, &tampered.opening).await;
    assert_eq!(texts(&log), ["one", "two", "three", "four"]);
    assert_eq!(node.restarts(stream), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hole_that_history_has_not_makes_the_room_start_over() {
    let tampered = Tampered::with_one_event().await;
    tampered.pass_over(&["two", "three"], false).await;
    let (node, stream) = (&tampered.node, tampered.stream);
    assert_eq!(node.say(stream, "four").await.seq, 4);
    let place = node.hears("restart", |delivery| match delivery {
        BrokerEvent::Restart { position, .. } => Some(position.clone()),
        _ => None,
    });
    assert_eq!(place.await, StreamPosition { epoch: tampered.opening.position.epoch.clone(), seq: 4 });
    node.say(stream, "five").await;
    let log = node.log_of(2, stream, &tampered.opening).await;
    assert_eq!(log, [(4, "four".to_owned()), (5, "five".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_before_is_dropped() {
    let tampered = Tampered::with_one_event().await;
    let (node, stream, epoch) = (&tampered.node, tampered.stream, tampered.opening.position.epoch.clone());
    tampered.publish(&epoch, 1, "one").await;
    node.say(stream, "two").await;
    tampered.publish(&epoch, 1, "one").await;
    tampered.publish(&epoch, 2, "two").await;
    node.say(stream, "three").await;
    let log = node.log_of(3, stream, &tampered.opening).await;
    assert_eq!(texts(&log), ["one", "two", "three"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_message_is_ignored() {
    let tampered = Tampered::with_one_event().await;
    let (node, stream) = (&tampered.node, tampered.stream);
    for odd in ["", "X", "L", "Lepoch", "Lepoch one two", "S", "B123"] {
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(tampered.key("s")).arg(odd);
        publish.query_async::<i64>(&mut tampered.redis.connect().await).await.unwrap();
    }
    node.say(stream, "two").await;
    let log = node.log_of(2, stream, &tampered.opening).await;
    assert_eq!(texts(&log), ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_epoch_makes_the_room_start_over_where_history_says() {
    let tampered = Tampered::with_one_event().await;
    let (node, stream) = (&tampered.node, tampered.stream);
    tampered.publish("another", 7, "odd").await;
    node.hears("restart", |delivery| matches!(delivery, BrokerEvent::Restart { .. }).then_some(())).await;
    node.say(stream, "two").await;
    node.hears("two", |delivery| match delivery {
        BrokerEvent::Events { bodies, .. } => bodies.contains(&"two".into()).then_some(()),
        BrokerEvent::Restart { recent, .. } => recent.iter().any(|(_, body)| *body == "two").then_some(()),
        _ => None,
    })
    .await;
}
