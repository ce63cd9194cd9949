//! A bus that dies, stands still, forgets and comes back; links that break with and without a word.

use std::time::{Duration, Instant};

use bytes::Bytes;
use livesouk::broker::{BrokerEvent, Error};
use livesouk::domain::StreamId;

use super::fixture::{Fixture, Node, bus_facts, tally, texts};
use crate::support::proxy::Proxy;
use crate::support::redis::Redis;
use crate::support::{SOON, until_some};

bus_facts! {
    a_bus_that_forgot_everything_begins_a_new_epoch
    subscriptions_that_are_killed_lose_nothing
}

async fn a_bus_that_forgot_everything_begins_a_new_epoch(mut f: Fixture) {
    let (stream, opening) = f.show().await;
    f.ann.say(stream, "before").await;
    f.bob.log_of(1, stream, &opening).await;
    for server in f.servers() {
        server.command("FLUSHALL").await;
    }
    let place = f.ann.say(stream, "after").await;
    assert_eq!(place.seq, 1);
    assert_ne!(place.epoch, opening.position.epoch);
    for node in [&f.ann, &f.bob] {
        node.hears("restart", |delivery| matches!(delivery, BrokerEvent::Restart { .. }).then_some(())).await;
        assert_eq!(texts(&node.log_of(1, stream, &opening).await), ["after"]);
    }
}

async fn subscriptions_that_are_killed_lose_nothing(mut f: Fixture) {
    let (stream, opening) = f.show().await;
    let ann = f.ann.clone();
    let speaking = tokio::spawn(async move {
        let mut told = Vec::new();
        for n in 0..150 {
            let text = format!("text {n}");
            if ann.broker.publish(stream, vec![Bytes::from(text.clone())]).await.is_ok() {
                told.push(text);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        told
    });
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        for server in f.servers() {
            server.command("CLIENT KILL TYPE pubsub").await;
        }
    }
    let told = speaking.await.unwrap();
    let place = until_some("voice", SOON, async || f.ann.broker.publish(stream, vec!["end".into()]).await.ok()).await;
    for node in [&f.ann, &f.bob] {
        let log = node.log_of(place.seq as usize, stream, &opening).await;
        let tally = tally(texts(&log));
        assert!(told.iter().all(|text| tally.get(text.as_str()) == Some(&1)), "{told:?} in {log:?}");
        assert_eq!(node.restarts(stream), 0, "nothing was lost, so no room starts over");
    }
    assert!(f.bob.broker.metrics().link_failures.load(std::sync::atomic::Ordering::Relaxed) >= 3);
}

/// Nodes that reach a Redis through bad networks of their own.
async fn apart() -> (Redis, [Proxy; 2], [Node; 2]) {
    let redis = Redis::start().await;
    let proxies = [Proxy::start(redis.address()).await, Proxy::start(redis.address()).await];
    let url = |proxy: &Proxy| format!("redis://{}", proxy.address());
    let nodes = [Node::on(&url(&proxies[0])).await, Node::on(&url(&proxies[1])).await];
    (redis, proxies, nodes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_whose_answer_was_lost_is_told_once() {
    let (_redis, [proxy, _bobs], [ann, bob]) = apart().await;
    let stream = StreamId::new();
    let opening = bob.broker.subscribe(stream).await.unwrap();
    for round in 0..4 {
        proxy.lose_replies();
        let text = format!("text {round}");
        let saying = ann.broker.publish(stream, vec![Bytes::from(text)]);
        let restoring = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            // The connections with a hole in them break; the batch goes out again over new ones.
            proxy.restore();
        };
        let (place, ()) = tokio::join!(saying, restoring);
        assert_eq!(place.unwrap().seq, round + 1);
        ann.until_up(true, SOON).await;
    }
    ann.say(stream, "end").await;
    assert_eq!(texts(&bob.log_of(5, stream, &opening).await), ["text 0", "text 1", "text 2", "text 3", "end"]);
    assert!(ann.broker.metrics().batches_retried.load(std::sync::atomic::Ordering::Relaxed) >= 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_lost_without_a_word_is_found_dead_and_misses_nothing() {
    let (_redis, [_anns, proxy], [ann, bob]) = apart().await;
    let stream = StreamId::new();
    let opening = bob.broker.subscribe(stream).await.unwrap();
    ann.say(stream, "1").await;
    bob.log_of(1, stream, &opening).await;
    proxy.lose();
    let lost = Instant::now();
    ann.say(stream, "2").await;
    bob.until_up(false, Duration::from_secs(6)).await;
    assert!(lost.elapsed() < Duration::from_millis(4_500), "found after {:?}", lost.elapsed());
    assert_eq!(texts(&bob.log_of(2, stream, &opening).await), ["1", "2"]);
    assert_eq!(bob.restarts(stream), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publish_that_reached_nobody_rebuilds_the_link_at_once() {
    let (redis, [proxy, _bobs], [ann, _bob]) = apart().await;
    let stream = StreamId::new();
    let opening = ann.broker.subscribe(stream).await.unwrap();
    // Redis has let go of the connection that listens to the stream, and the node was not told.
    let listening = until_some("listener", SOON, async || redis.listener(&format!(":s:{stream}")).await).await;
    proxy.half_open_one(listening);
    until_some("end of it", SOON, async || redis.listener(&format!(":s:{stream}")).await.is_none().then_some(())).await;
    let count = |number: &std::sync::atomic::AtomicU64| number.load(std::sync::atomic::Ordering::Relaxed);
    let vitals = ann.broker.metrics();
    let asked = Instant::now();
    ann.say(stream, "is anybody there?").await;
    until_some("rebuild", Duration::from_secs(1), async || (count(&vitals.link_failures) == 1).then_some(())).await;
    assert!(asked.elapsed() < Duration::from_secs(1), "not only when three seconds of silence are over");
    assert_eq!(count(&vitals.batches_without_receiver), 1);
    assert_eq!(texts(&ann.log_of(1, stream, &opening).await), ["is anybody there?"], "it was numbered and kept");
    assert_eq!(ann.restarts(stream), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_that_stands_still_answers_busy_and_tells_nothing_late() {
    let mut redis = Redis::start().await;
    let (ann, bob) = (Node::on(&redis.url()).await, Node::on(&redis.url()).await);
    let stream = StreamId::new();
    let opening = bob.broker.subscribe(stream).await.unwrap();
    // The script is there: what waits in the frozen server's sockets would be numbered as soon as it is thawed.
    assert_eq!(ann.say(stream, "before").await.seq, 1);
    redis.freeze();
    let began = Instant::now();
    let mut refused = Vec::new();
    while ann.broker.metrics().is_up() {
        let text = format!("late {}", refused.len());
        let asked = Instant::now();
        assert_eq!(ann.broker.publish(stream, vec![Bytes::from(text.clone())]).await, Err(Error::Unavailable));
        assert!(asked.elapsed() < Duration::from_millis(3_500), "answered after {:?}", asked.elapsed());
        refused.push(text);
    }
    assert!(began.elapsed() < Duration::from_secs(6), "dead after {:?}", began.elapsed());
    let asked = Instant::now();
    assert_eq!(ann.broker.publish(stream, vec!["dead".into()]).await, Err(Error::Unavailable));
    assert!(asked.elapsed() < Duration::from_millis(100), "a dead bus is answered for at once");
    tokio::time::sleep(Duration::from_secs(3)).await;
    redis.thaw();
    for node in [&ann, &bob] {
        node.until_up(true, SOON).await;
    }
    assert_eq!(ann.say(stream, "on").await.seq, 2, "what came too late was not numbered");
    assert_eq!(texts(&bob.log_of(2, stream, &opening).await), ["before", "on"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_run_of_the_server_is_another_epoch_even_if_it_kept_everything() {
    let mut redis = Redis::lasting().await;
    let (ann, bob) = (Node::on(&redis.url()).await, Node::on(&redis.url()).await);
    let stream = StreamId::new();
    let opening = bob.broker.subscribe(stream).await.unwrap();
    ann.say(stream, "1").await;
    bob.log_of(1, stream, &opening).await;
    redis.kill().await;
    bob.until_up(false, SOON).await;
    assert_eq!(ann.broker.publish(stream, vec!["away".into()]).await, Err(Error::Unavailable));
    redis.restart().await;
    for node in [&ann, &bob] {
        node.until_up(true, SOON).await;
    }
    let place = ann.say(stream, "2").await;
    assert_ne!(place.epoch, opening.position.epoch);
    until_some("new epoch", SOON, async || (texts(&bob.log(stream, &opening)) == ["2"]).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_opened_while_the_bus_is_away_is_heard_once_it_is_back() {
    let mut redis = Redis::start().await;
    let (ann, bob) = (Node::on(&redis.url()).await, Node::on(&redis.url()).await);
    redis.kill().await;
    bob.until_up(false, SOON).await;
    let stream = StreamId::new();
    assert_eq!(bob.broker.subscribe(stream).await, Err(Error::Unavailable));
    redis.restart().await;
    for node in [&ann, &bob] {
        node.until_up(true, SOON).await;
    }
    let place = bob.hears("restart", |delivery| match delivery {
        BrokerEvent::Restart { stream: own, position, .. } if *own == stream => Some(position.clone()),
        _ => None,
    });
    let opening = livesouk::broker::StreamHistory { position: place.await, events: Vec::new() };
    ann.say(stream, "hello").await;
    assert_eq!(texts(&bob.log_of(1, stream, &opening).await), ["hello"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_at_the_start_is_waited_for() {
    let mut redis = Redis::start().await;
    redis.kill().await;
    let (broker, _deliveries) = livesouk::broker::Broker::redis(&redis.url(), super::fixture::SHOP).unwrap();
    assert!(!broker.wait_until_up(Duration::from_millis(300)).await);
    redis.restart().await;
    assert!(broker.wait_until_up(SOON).await);
}
