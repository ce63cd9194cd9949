//! Several servers: each carries its streams, and the death of one is felt by its streams alone. Two shops on one server.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use livesouk::broker::{Broker, BrokerEvent, Error, StreamHistory};
use livesouk::domain::{StreamId, UserId};

use super::fixture::{Fixture, Node, texts};
use crate::support::redis::{Cluster, Redis};
use crate::support::{SOON, until_some};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_death_of_one_server_stops_only_its_own_streams() {
    let (first, mut second) = (Redis::start().await, Redis::start().await);
    let urls = format!("{},{}", first.url(), second.url());
    let (ann, bob) = (Node::on(&urls).await, Node::on(&urls).await);
    let streams: Vec<StreamId> = (0..40).map(|_| StreamId::new()).collect();
    let (safe, doomed): (Vec<_>, Vec<_>) = streams.iter().partition(|stream| ann.broker.shard_of(**stream) == 0);
    assert!(!safe.is_empty() && !doomed.is_empty());
    for stream in &streams {
        assert_eq!(ann.broker.shard_of(*stream), bob.broker.shard_of(*stream));
    }
    let opening = bob.broker.subscribe(safe[0]).await.unwrap();
    second.kill().await;
    ann.until_up(false, SOON).await;
    assert_eq!(ann.broker.publish(doomed[0], vec!["x".into()]).await, Err(Error::Unavailable));
    ann.say(safe[0], "still here").await;
    assert_eq!(texts(&bob.log_of(1, safe[0], &opening).await), ["still here"]);
    assert!(ann.broker.is_up(safe[0]) && !ann.broker.is_up(doomed[0]));
    ann.hears("loss", |delivery| (*delivery == BrokerEvent::Link { shard: 1, is_up: false }).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_carries_streams_on_every_master_and_a_dead_master_stops_its_own() {
    let mut cluster = Cluster::start().await;
    let (ann, bob) = (Node::on(&cluster.url()).await, Node::on(&cluster.url()).await);
    let streams: Vec<StreamId> = (0..30).map(|_| StreamId::new()).collect();
    let mut openings = Vec::new();
    for stream in &streams {
        openings.push(bob.broker.subscribe(*stream).await.unwrap());
        ann.say(*stream, "hi").await;
    }
    for (stream, opening) in streams.iter().zip(&openings) {
        assert_eq!(texts(&bob.log_of(1, *stream, opening).await), ["hi"]);
    }
    for master in &cluster.masters {
        assert!(master.calls("evalsha").await >= 3, "every master numbers some of them");
        assert_eq!(master.calls("publish").await, 0, "a cluster would pass it on to all masters");
    }
    cluster.masters[0].kill().await;
    ann.until_up(false, SOON).await;
    let up = ann.broker.metrics().shards_up.load(Ordering::Relaxed);
    assert!((8..=12).contains(&up), "{up} of 16 partitions are left");
    let alive = streams.iter().position(|stream| ann.broker.is_up(*stream)).unwrap();
    ann.say(streams[alive], "still here").await;
    assert_eq!(texts(&bob.log_of(2, streams[alive], &openings[alive]).await), ["hi", "still here"]);
}

/// A show on the cluster that both nodes follow and have talked in.
async fn show_on(cluster: &Cluster) -> (Node, Node, StreamId, StreamHistory) {
    let (ann, bob) = (Node::on(&cluster.url()).await, Node::on(&cluster.url()).await);
    let stream = StreamId::new();
    let opening = bob.broker.subscribe(stream).await.unwrap();
    ann.broker.subscribe(stream).await.unwrap();
    ann.say(stream, "before").await;
    bob.log_of(1, stream, &opening).await;
    (ann, bob, stream, opening)
}

/// Both nodes talk and hear each other; says how long that took.
async fn heals(ann: &Node, bob: &Node, stream: StreamId, opening: &StreamHistory) -> Duration {
    let began = Instant::now();
    for (speaker, text) in [(ann, "from ann"), (bob, "from bob")] {
        let said = async || speaker.broker.publish(stream, vec![text.into()]).await.ok();
        until_some("voice", Duration::from_secs(15), said).await;
    }
    for node in [ann, bob] {
        until_some("both", Duration::from_secs(15), async || {
            let log = node.log(stream, opening);
            ["from ann", "from bob"].iter().all(|text| texts(&log).contains(text)).then_some(())
        })
        .await;
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_to_another_master_takes_its_streams_along() {
    let cluster = Cluster::start().await;
    let (ann, bob, stream, opening) = show_on(&cluster).await;
    let (home, slot) = cluster.home_of(stream).await.unwrap();
    let next = (home + 1) % 3;
    cluster.move_slot(slot, home, next).await;
    let took = heals(&ann, &bob, stream, &opening).await;
    assert_eq!(cluster.home_of(stream).await, Some((next, slot)));
    assert!(took < Duration::from_secs(6), "{took:?}");
    // And back, while nobody says anything that would find out.
    cluster.move_slot(slot, next, home).await;
    let listens = async || (cluster.home_of(stream).await == Some((home, slot))).then_some(());
    until_some("listeners on the old master", Duration::from_secs(6), listens).await;
    heals(&ann, &bob, stream, &opening).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_takes_over_from_its_master_is_found() {
    let mut cluster = Cluster::start().await;
    let (ann, bob, stream, opening) = show_on(&cluster).await;
    let (home, slot) = cluster.home_of(stream).await.unwrap();
    let replica = cluster.replica_of(home).await;
    cluster.masters[home].kill().await;
    let took = heals(&ann, &bob, stream, &opening).await;
    assert!(took < Duration::from_secs(15), "{took:?}");
    cluster.masters[home] = replica;
    assert_eq!(cluster.home_of(stream).await, Some((home, slot)));
    let place = ann.say(stream, "on").await;
    assert_ne!(place.epoch, opening.position.epoch, "it may have lost something, so it begins anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_shops_on_one_redis_do_not_hear_each_other() {
    let f = Fixture::on_redis().await;
    let (other, mut deliveries) = Broker::redis(&f.urls(), "another-shop").unwrap();
    assert!(other.wait_until_up(SOON).await);
    let (stream, opening) = f.show().await;
    other.subscribe(stream).await.unwrap();
    f.ann.broker.publish_to_user(UserId::parse("buyer").unwrap(), "order".into(), true).unwrap();
    f.ann.say(stream, "ours").await;
    assert_eq!(texts(&f.bob.log_of(1, stream, &opening).await), ["ours"]);
    assert_eq!(other.publish(stream, vec!["theirs".into()]).await.unwrap().seq, 1);
    let first = loop {
        match deliveries.recv().await {
            Some(BrokerEvent::Link { .. }) => {}
            other => break other,
        }
    };
    assert!(matches!(&first, Some(BrokerEvent::Events { bodies, .. }) if bodies[0] == "theirs"), "{first:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_canary_measures_the_way_over_the_bus_every_second() {
    let redis = Redis::start().await;
    let node = Node::on(&redis.url()).await;
    let lag = || &node.broker.metrics().heartbeat_latency;
    let sung = async || (3 <= lag().count()).then_some(());
    until_some("three beats", Duration::from_secs(5), sung).await;
    assert!(lag().sum() < lag().count() * 500_000, "{:?}", lag());
}
