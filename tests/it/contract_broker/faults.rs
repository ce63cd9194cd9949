//! Redis dies, hangs, loses its data and comes back; links break with and without an error.

use std::time::{Duration, Instant};

use bytes::Bytes;
use livesouk::broker::{BrokerEvent, Error};
use livesouk::domain::StreamId;

use super::fixture::{Fixture, Node, count_texts, redis_facts, texts};
use crate::support::proxy::Proxy;
use crate::support::redis::Redis;
use crate::support::{SOON, until_some};

redis_facts! {
    redis_that_lost_its_data_starts_a_new_epoch
    killed_subscriptions_lose_no_event
    room_opened_while_the_link_comes_up_is_subscribed
}

/// Rooms open all the time while the link breaks, reconnects and comes up.
async fn room_opened_while_the_link_comes_up_is_subscribed(mut f: Fixture) {
    const ROUNDS: usize = 4;
    const ROOMS_PER_ROUND: usize = 100;
    let mut opened = Vec::new();
    for _ in 0..ROUNDS {
        for server in f.servers() {
            server.command("CLIENT KILL TYPE pubsub").await;
        }
        for _ in 0..ROOMS_PER_ROUND {
            let (ann, stream) = (f.ann.clone(), StreamId::new());
            opened.push(stream);
            tokio::spawn(async move { ann.broker.subscribe(stream).await });
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        f.ann.until_up(true, SOON).await;
        f.bob.until_up(true, SOON).await;
    }
    // Each room reads its history within two seconds after the link is up: what comes after that, only a subscription
    // delivers.
    tokio::time::sleep(Duration::from_secs(2)).await;
    for stream in &opened {
        until_some("publish", SOON, async || f.bob.broker.publish(*stream, vec!["hello".into()]).await.ok()).await;
    }
    let deaf = || {
        let received = f.ann.received();
        let hears = |stream: &StreamId| {
            received
                .iter()
                .any(|event| matches!(event, BrokerEvent::Events { stream: own_stream, .. } if own_stream == stream))
        };
        opened.iter().filter(|stream| !hears(stream)).count()
    };
    tokio::time::timeout(SOON, async {
        while deaf() > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("{} of {} rooms are deaf", deaf(), opened.len()));
}

async fn redis_that_lost_its_data_starts_a_new_epoch(mut f: Fixture) {
    let (stream, history) = f.show().await;
    f.ann.publish(stream, "before").await;
    f.bob.wait_for_log(1, stream, &history).await;
    for server in f.servers() {
        server.command("FLUSHALL").await;
    }
    let position = f.ann.publish(stream, "after").await;
    assert_eq!(position.seq, 1);
    assert_ne!(position.epoch, history.position.epoch);
    for node in [&f.ann, &f.bob] {
        node.receives("restart", |event| matches!(event, BrokerEvent::Restart { .. }).then_some(())).await;
        assert_eq!(texts(&node.wait_for_log(1, stream, &history).await), ["after"]);
    }
}

async fn killed_subscriptions_lose_no_event(mut f: Fixture) {
    let (stream, history) = f.show().await;
    let ann = f.ann.clone();
    let publishing = tokio::spawn(async move {
        let mut published = Vec::new();
        for n in 0..150 {
            let text = format!("text {n}");
            if ann.broker.publish(stream, vec![Bytes::from(text.clone())]).await.is_ok() {
                published.push(text);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        published
    });
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        for server in f.servers() {
            server.command("CLIENT KILL TYPE pubsub").await;
        }
    }
    let published = publishing.await.unwrap();
    let position =
        until_some("publish", SOON, async || f.ann.broker.publish(stream, vec!["end".into()]).await.ok()).await;
    for node in [&f.ann, &f.bob] {
        let log = node.wait_for_log(position.seq as usize, stream, &history).await;
        let count_texts = count_texts(texts(&log));
        assert!(published.iter().all(|text| count_texts.get(text.as_str()) == Some(&1)), "{published:?} in {log:?}");
        assert_eq!(node.restarts(stream), 0, "nothing was lost, so no room restarts");
    }
    assert!(f.bob.broker.metrics().link_failures.load(std::sync::atomic::Ordering::Relaxed) >= 3);
}

/// Nodes that reach one Redis through a proxy each.
async fn nodes_behind_proxies() -> (Redis, [Proxy; 2], [Node; 2]) {
    let redis = Redis::start().await;
    let proxies = [Proxy::start(redis.address()).await, Proxy::start(redis.address()).await];
    let url = |proxy: &Proxy| format!("redis://{}", proxy.address());
    let nodes = [Node::on(&url(&proxies[0])).await, Node::on(&url(&proxies[1])).await];
    (redis, proxies, nodes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_whose_answer_was_lost_is_published_once() {
    let (_redis, [proxy, _bobs], [ann, bob]) = nodes_behind_proxies().await;
    let stream = StreamId::new();
    let history = bob.broker.subscribe(stream).await.unwrap();
    for round in 0..4 {
        proxy.lose_replies();
        let text = format!("text {round}");
        let publishing = ann.broker.publish(stream, vec![Bytes::from(text)]);
        let restoring = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            // The connections with a hole in them break; the batch is sent again over new ones.
            proxy.restore();
        };
        let (position, ()) = tokio::join!(publishing, restoring);
        assert_eq!(position.unwrap().seq, round + 1);
        ann.until_up(true, SOON).await;
    }
    ann.publish(stream, "end").await;
    assert_eq!(texts(&bob.wait_for_log(5, stream, &history).await), ["text 0", "text 1", "text 2", "text 3", "end"]);
    assert!(ann.broker.metrics().batches_retried.load(std::sync::atomic::Ordering::Relaxed) >= 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_link_times_out_and_misses_no_event() {
    let (_redis, [_anns, proxy], [ann, bob]) = nodes_behind_proxies().await;
    let stream = StreamId::new();
    let history = bob.broker.subscribe(stream).await.unwrap();
    ann.publish(stream, "1").await;
    bob.wait_for_log(1, stream, &history).await;
    proxy.lose();
    let lost = Instant::now();
    ann.publish(stream, "2").await;
    bob.until_up(false, Duration::from_secs(6)).await;
    assert!(lost.elapsed() < Duration::from_millis(4_500), "detected after {:?}", lost.elapsed());
    assert_eq!(texts(&bob.wait_for_log(2, stream, &history).await), ["1", "2"]);
    assert_eq!(bob.restarts(stream), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publish_without_a_receiver_reconnects_at_once() {
    let (redis, [proxy, _bobs], [ann, _bob]) = nodes_behind_proxies().await;
    let stream = StreamId::new();
    let history = ann.broker.subscribe(stream).await.unwrap();
    // Redis dropped the subscribed connection, and the node received no error.
    let listening = until_some("subscription", SOON, async || redis.listener(&format!(":s:{stream}")).await).await;
    proxy.half_open_one(listening);
    until_some("end of the subscription", SOON, async || {
        redis.listener(&format!(":s:{stream}")).await.is_none().then_some(())
    })
    .await;
    let count = |number: &std::sync::atomic::AtomicU64| number.load(std::sync::atomic::Ordering::Relaxed);
    let metrics = ann.broker.metrics();
    let started_at = Instant::now();
    ann.publish(stream, "is anybody there?").await;
    until_some("reconnect", Duration::from_secs(1), async || (count(&metrics.link_failures) == 1).then_some(())).await;
    assert!(started_at.elapsed() < Duration::from_secs(1), "not only after three seconds without a heartbeat");
    assert_eq!(count(&metrics.batches_without_receiver), 1);
    assert_eq!(
        texts(&ann.wait_for_log(1, stream, &history).await),
        ["is anybody there?"],
        "it was numbered and kept in history"
    );
    assert_eq!(ann.restarts(stream), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen_redis_answers_busy_and_publishes_nothing_late() {
    let mut redis = Redis::start().await;
    let (ann, bob) = (Node::on(&redis.url()).await, Node::on(&redis.url()).await);
    let stream = StreamId::new();
    let history = bob.broker.subscribe(stream).await.unwrap();
    // The script is loaded: requests that wait in the frozen server's sockets would be numbered as soon as it is
    // thawed.
    assert_eq!(ann.publish(stream, "before").await.seq, 1);
    redis.freeze();
    let frozen_at = Instant::now();
    let mut refused = Vec::new();
    while ann.broker.metrics().is_up() {
        let text = format!("late {}", refused.len());
        let started_at = Instant::now();
        assert_eq!(ann.broker.publish(stream, vec![Bytes::from(text.clone())]).await, Err(Error::Unavailable));
        assert!(started_at.elapsed() < Duration::from_millis(3_500), "answered after {:?}", started_at.elapsed());
        refused.push(text);
    }
    assert!(frozen_at.elapsed() < Duration::from_secs(6), "dead after {:?}", frozen_at.elapsed());
    let started_at = Instant::now();
    assert_eq!(ann.broker.publish(stream, vec!["dead".into()]).await, Err(Error::Unavailable));
    assert!(started_at.elapsed() < Duration::from_millis(100), "without a link, the answer comes at once");
    tokio::time::sleep(Duration::from_secs(3)).await;
    redis.thaw();
    for node in [&ann, &bob] {
        node.until_up(true, SOON).await;
    }
    assert_eq!(ann.publish(stream, "on").await.seq, 2, "what arrived too late was not numbered");
    assert_eq!(texts(&bob.wait_for_log(2, stream, &history).await), ["before", "on"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarted_redis_starts_a_new_epoch_even_with_its_data() {
    let mut redis = Redis::lasting().await;
    let (ann, bob) = (Node::on(&redis.url()).await, Node::on(&redis.url()).await);
    let stream = StreamId::new();
    let history = bob.broker.subscribe(stream).await.unwrap();
    ann.publish(stream, "1").await;
    bob.wait_for_log(1, stream, &history).await;
    redis.kill().await;
    bob.until_up(false, SOON).await;
    assert_eq!(ann.broker.publish(stream, vec!["unavailable".into()]).await, Err(Error::Unavailable));
    redis.restart().await;
    for node in [&ann, &bob] {
        node.until_up(true, SOON).await;
    }
    let position = ann.publish(stream, "2").await;
    assert_ne!(position.epoch, history.position.epoch);
    until_some("new epoch", SOON, async || (texts(&bob.log(stream, &history)) == ["2"]).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_opened_without_redis_receives_events_after_it_is_back() {
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
    let position = bob.receives("restart", |event| match event {
        BrokerEvent::Restart { stream: own_stream, position, .. } if *own_stream == stream => Some(position.clone()),
        _ => None,
    });
    let history = livesouk::broker::StreamHistory { position: position.await, events: Vec::new() };
    ann.publish(stream, "hello").await;
    assert_eq!(texts(&bob.wait_for_log(1, stream, &history).await), ["hello"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_that_is_missing_at_start_is_retried() {
    let mut redis = Redis::start().await;
    redis.kill().await;
    let (broker, _deliveries) = livesouk::broker::Broker::redis(&redis.url(), super::fixture::SHOP).unwrap();
    assert!(!broker.wait_until_up(Duration::from_millis(300)).await);
    redis.restart().await;
    assert!(broker.wait_until_up(SOON).await);
}
