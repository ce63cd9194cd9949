//! What one part of the cluster must not do to the others: rooms that stay deaf after the link broke, a hot room, a
//! reconnecting crowd, and holds that end together.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use client::{ClientPosition, ConnectionEnd, JoinOptions, LiveConnection, LiveSocket};
use futures_util::{SinkExt, StreamExt};
use livesouk::broker::{Broker, BrokerEvent};
use livesouk::domain::StreamId;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use super::chat::measure_chat;
use super::nodes::{BenchCluster, BenchNode, sign_token};
use super::parts::ClusterResults;

/// Link kills of all rounds together.
const LINK_KILLS: u64 = 500;
/// A room that has not received a message by then is deaf.
const DEAF_AFTER: Duration = Duration::from_secs(10);

/// Breaks the subscriber's link again and again and opens a room while it comes up. Records how many of these rooms do not
/// receive what is published afterwards.
pub async fn deaf_rooms(cluster: &BenchCluster, results: &mut ClusterResults, rounds: u64) -> Result<()> {
    let shop = format!("bench-{}", rand::random::<u32>());
    let open = || Broker::redis(&cluster.redis.url(), &shop).map_err(anyhow::Error::msg);
    let ((subscriber, mut deliveries), (publisher, _others)) = (open()?, open()?);
    for broker in [&subscriber, &publisher] {
        ensure!(broker.wait_until_up(Duration::from_secs(10)).await, "no broker link");
    }
    let (sender, mut received) = tokio::sync::mpsc::channel(1_024);
    let reading = tokio::spawn(async move {
        while let Some(event) = deliveries.recv().await {
            if let BrokerEvent::Events { stream, bodies, .. } = event
                && bodies.iter().any(|body| body.as_ref() == b"after")
                && sender.send(stream).await.is_err()
            {
                return;
            }
        }
    });
    let mut redis = redis::Client::open(cluster.redis.url())?.get_multiplexed_async_connection().await?;
    let mut opened = Vec::new();
    for _ in 0..LINK_KILLS.div_ceil(rounds) {
        redis::cmd("CLIENT").arg(&["KILL", "TYPE", "pubsub"]).query_async::<i64>(&mut redis).await?;
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..120))).await;
        let stream = StreamId::new();
        // While the link is down, the room is followed without an answer; it must be subscribed later.
        opened.push((stream, subscriber.subscribe(stream).await));
    }
    for broker in [&subscriber, &publisher] {
        ensure!(broker.wait_until_up(Duration::from_secs(10)).await, "the link did not come back");
    }
    for (stream, _) in &opened {
        while publisher.publish(*stream, vec![Bytes::from_static(b"after")]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let mut silent: std::collections::HashSet<StreamId> = opened.iter().map(|(stream, _)| *stream).collect();
    let until = tokio::time::Instant::now() + DEAF_AFTER;
    while !silent.is_empty() {
        match tokio::time::timeout_at(until, received.recv()).await {
            Ok(Some(stream)) => drop(silent.remove(&stream)),
            _ => break,
        }
    }
    results.record("deaf_rooms", silent.len() as f64);
    subscriber.stop().await;
    publisher.stop().await;
    reading.abort();
    Ok(())
}

/// Messages per second into the hot room: more than a node with one core can deliver.
const HOT_RATE: u64 = 3_000;
const FLOOD_SOCKETS: u64 = 20;

/// The latency in an ordinary room while another room of the node is flooded.
pub async fn hot_room(cluster: &BenchCluster, results: &mut ClusterResults, length: Duration) -> Result<()> {
    let node = &cluster.single;
    let hot = node.create_live_stream().await?;
    let alone = measure_chat(node, node, &node.create_live_stream().await?, 50, 20, length).await?;
    results.record("other_room_p99_alone", alone.latency.value_at_quantile(0.99) as f64 / 1_000.0);
    let mut viewers = JoinSet::new();
    for _ in 0..20 {
        let mut socket = LiveSocket::connect(&node.url, &hot, &JoinOptions::default()).await?;
        viewers.spawn(async move { while socket.receive_text().await.is_ok() {} });
    }
    let mut senders = JoinSet::new();
    for sender in 0..FLOOD_SOCKETS {
        senders.spawn(flood(node.url.clone(), hot.clone(), sender));
    }
    let beside = measure_chat(node, node, &node.create_live_stream().await?, 50, 20, length).await?;
    while let Some(ended) = senders.try_join_next() {
        ended??;
    }
    results.record("other_room_p99_under_hot_room", beside.latency.value_at_quantile(0.99) as f64 / 1_000.0);
    Ok(())
}

/// Sends one sender's part of [`HOT_RATE`] until it is aborted. Refusals are expected: the room is too full.
async fn flood(node: String, stream: String, sender: u64) -> Result<()> {
    let options = JoinOptions::with_token(&sign_token(&format!("flood-{sender}"), "viewer")?);
    let (mut out, mut replies) = LiveSocket::connect(&node, &stream, &options).await?.into_inner().split();
    let mut reading = JoinSet::new();
    reading.spawn(async move { while let Some(Ok(_)) = replies.next().await {} });
    let mut due = tokio::time::interval(Duration::from_micros(1_000_000 * FLOOD_SOCKETS / HOT_RATE));
    let text = "a message of a crowd that talks all at once ".repeat(4);
    for number in 0u64.. {
        due.tick().await;
        let verb = json!({"ref": number.to_string(), "do": "say", "text": format!("{text}{number}")});
        out.send(Message::text(verb.to_string())).await?;
    }
    Ok(())
}

/// How often Redis runs a script for a client that comes back from an epoch that the room does not have.
pub async fn foreign_joins(cluster: &BenchCluster, results: &mut ClusterResults) -> Result<()> {
    const JOINS: u64 = 500;
    let node = &cluster.first;
    let stream = node.create_live_stream().await?;
    let wait = Duration::from_secs(10);
    let first = LiveConnection::join(&node.url, &stream, &JoinOptions::default(), wait).await;
    let (_first, _hello) = first.map_err(|end| anyhow::anyhow!("no join: {end}"))?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut redis = redis::Client::open(cluster.redis.url())?.get_multiplexed_async_connection().await?;
    let before = history_reads(&mut redis).await?;
    for seq in 0..JOINS {
        let position = Some(ClientPosition { epoch: format!("foreign-{seq}"), seq });
        let options = JoinOptions { position, ..JoinOptions::default() };
        let joined: Result<(LiveConnection, Value), ConnectionEnd> =
            LiveConnection::join(&node.url, &stream, &options, wait).await;
        let (connection, hello) = joined.map_err(|end| anyhow::anyhow!("no join: {end}"))?;
        ensure!(hello["recovered"] == false, "a foreign position was recovered");
        connection.close().await;
    }
    let reads = history_reads(&mut redis).await? - before;
    results.record("redis_calls_per_foreign_join", reads as f64 / JOINS as f64);
    Ok(())
}

/// Reads of a stream's history: only the history script calls these commands. (Presence is written once a
/// second, also without joins.)
async fn history_reads(redis: &mut redis::aio::MultiplexedConnection) -> Result<u64> {
    let stats: String = redis::cmd("INFO").arg("commandstats").query_async(redis).await?;
    let calls = |command: &str| {
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.and_then(|line| line.split(',').next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    Ok(calls("xrange") + calls("xrevrange"))
}

const HOLDS: i64 = 20_000;
const OFFERS: i64 = 10;
const HOLDS_DEADLINE: Duration = Duration::from_secs(60);

/// The seconds from the end of 20,000 holds until the last unit is back on sale, on two nodes.
pub async fn holds(cluster: &BenchCluster, results: &mut ClusterResults) -> Result<()> {
    let stream = cluster.first.create_live_stream().await?;
    let mut database = PgConnection::connect(&cluster.store).await?;
    let offers = add_holds(&cluster.first, &mut database, &stream).await?;
    let held = format!("select count(*) from reservations where status = 'held' and stream = '{stream}'");
    let clock = "select (extract(epoch from clock_timestamp()) * 1000)::bigint";
    let mut number = async |query: &str| -> Result<i64> {
        Ok(sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(&mut database).await?)
    };
    ensure!(number(&held).await? == HOLDS, "the holds ended before the measurement began");
    let end = number(&format!("select max(hold_until) from reservations where stream = '{stream}'")).await?;
    let left_ms = end - number(clock).await?;
    ensure!(0 < left_ms, "the machine was too slow to add the holds");
    tokio::time::sleep(Duration::from_millis(left_ms as u64)).await;
    let started = Instant::now();
    while 0 < number(&held).await? {
        ensure!(started.elapsed() < HOLDS_DEADLINE, "holds are left after {HOLDS_DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took_ms = number(clock).await? - end;
    let reserved =
        number(&format!("select cast(sum(reserved) as bigint) from offers where stream = '{stream}'")).await?;
    ensure!(reserved == 0, "{reserved} units of {} offers were not released", offers.len());
    results.record("holds_20000_s", took_ms as f64 / 1_000.0);
    Ok(())
}

/// Offers on sale with holds of one unit, written directly: they must end in the same millisecond.
async fn add_holds(node: &BenchNode, database: &mut PgConnection, stream: &str) -> Result<Vec<String>> {
    let each = HOLDS / OFFERS;
    let product = json!({"title": "Lamp", "variants": [{"name": "Blue", "price": 4_900, "stock": HOLDS}]});
    let product = node.post_new("/v1/products", product).await?;
    let variant = product["variants"][0]["id"].as_str().context("no variant")?.to_owned();
    let mut offers = Vec::new();
    for _ in 0..OFFERS {
        let form = json!({"variant": variant, "kind": "regular", "price": 4_900, "quantity": each, "per_buyer": 1});
        let offer = node.post_new(&format!("/v1/streams/{stream}/offers"), form).await?;
        let id = offer["id"].as_str().context("the offer has no id")?.to_owned();
        node.post(&format!("/v1/offers/{id}/open"), json!({})).await?;
        offers.push(id);
    }
    // The time to write them is well below this, also on a busy machine.
    let until = "(extract(epoch from clock_timestamp()) * 1000)::bigint + 8000";
    let until: i64 = sqlx::query_scalar(AssertSqlSafe(format!("select {until}"))).fetch_one(&mut *database).await?;
    for offer in &offers {
        let statement = format!(
            "insert into reservations (id, stream, offer, buyer, person, buyer_name, key, hash, status, qty, amount, currency, place,
                 created_at, hold_until, changed_at)
             select gen_random_uuid(), '{stream}', '{offer}', 'buyer-' || n, 'buyer-' || n, 'Buyer', '{offer}-' || n,
                 decode(repeat('00', 32), 'hex'), 'held', 1, 4900, 'SAR', n, 0, {until}, 0
             from generate_series(1, {each}) n;
             update offers set reserved = reserved + {each}, next_place = next_place + {each} where id = '{offer}'"
        );
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *database).await?;
    }
    Ok(offers)
}
