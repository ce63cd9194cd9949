//! The measurements, one function each, and their results.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use livesouk::broker::{Broker, BrokerEvent};
use livesouk::domain::StreamId;

use super::chat::measure_chat;
use super::nodes::BenchCluster;

/// Figures by name, one for each round.
#[derive(Default)]
pub struct ClusterResults(BTreeMap<&'static str, Vec<f64>>);

impl ClusterResults {
    pub fn record(&mut self, name: &'static str, figure: f64) {
        eprintln!("  {name} {figure:.3}");
        self.0.entry(name).or_default().push(figure);
    }

    fn median(&self, name: &str) -> Option<f64> {
        let mut all = self.0.get(name)?.clone();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    }

    /// Prints all figures, then the lines for scripts.
    pub fn print(&self) {
        for (name, all) in &self.0 {
            let all: Vec<String> = all.iter().map(|figure| format!("{figure:.2}")).collect();
            println!("{name:<32} {}", all.join("  "));
        }
        for (kind, name) in [
            ("figure", "cluster_p95_extra_ms"),
            ("ratio", "redis_calls_1000_vs_10"),
            ("ratio", "cpu_per_event_redis"),
            ("figure", "resubscribe_1000_ms"),
            ("figure", "crowd_in_ratio"),
            ("figure", "other_room_p99_under_hot_room"),
            ("figure", "redis_calls_per_foreign_join"),
            ("figure", "holds_20000_s"),
        ] {
            if let Some(median) = self.median(name) {
                println!("{kind} {name} {median:.2}");
            }
        }
        // One deaf room is too many: all rounds together, not their median.
        if let Some(all) = self.0.get("deaf_rooms") {
            println!("figure deaf_rooms {:.0}", all.iter().sum::<f64>());
        }
    }
}

/// How much later a viewer receives a message at another node than at a single node.
pub async fn cross_node_latency(
    cluster: &BenchCluster,
    results: &mut ClusterResults,
    length: Duration,
) -> anyhow::Result<()> {
    let single =
        measure_chat(&cluster.single, &cluster.single, &cluster.single.create_live_stream().await?, 50, 20, length)
            .await?;
    let clustered =
        measure_chat(&cluster.first, &cluster.second, &cluster.first.create_live_stream().await?, 50, 20, length)
            .await?;
    let p95 = |chat: &super::chat::ClusterChatResult| chat.latency.value_at_quantile(0.95) as f64 / 1_000.0;
    results.record("single_p50_ms", single.latency.value_at_quantile(0.5) as f64 / 1_000.0);
    results.record("cluster_p50_ms", clustered.latency.value_at_quantile(0.5) as f64 / 1_000.0);
    results.record("single_p95_ms", p95(&single));
    results.record("cluster_p95_ms", p95(&clustered));
    results.record("cluster_p95_extra_ms", p95(&clustered) - p95(&single));
    Ok(())
}

/// How often Redis runs a script while one room chats at one node.
pub async fn redis_calls(cluster: &BenchCluster, results: &mut ClusterResults, length: Duration) -> anyhow::Result<()> {
    let mut per_second = Vec::new();
    for (rate, name) in [(10, "calls_s_at_10"), (100, "calls_s_at_100"), (1_000, "calls_s_at_1000")] {
        let stream = cluster.first.create_live_stream().await?;
        let before = script_calls(cluster).await?;
        let chat = measure_chat(&cluster.first, &cluster.second, &stream, 5, rate, length).await?;
        let calls = (script_calls(cluster).await? - before) as f64 / chat.seconds;
        results.record(name, calls);
        per_second.push(calls);
    }
    results.record("redis_calls_1000_vs_10", per_second[2] / per_second[0]);
    Ok(())
}

async fn script_calls(cluster: &BenchCluster) -> anyhow::Result<u64> {
    let mut connection = redis::Client::open(cluster.redis.url())?.get_multiplexed_async_connection().await?;
    let stats: String = redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await?;
    let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    Ok(line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0))
}

/// What an event costs a node for each viewer that it reaches: on a single node, and on one of two nodes that are
/// connected.
pub async fn event_cost(cluster: &BenchCluster, results: &mut ClusterResults, length: Duration) -> anyhow::Result<()> {
    const VIEWERS: usize = 1_000;
    const RATE: u64 = 40;
    let stream = cluster.single.create_live_stream().await?;
    let before = cluster.single.cpu_seconds();
    let single = measure_chat(&cluster.single, &cluster.single, &stream, VIEWERS, RATE, length).await?;
    let single_cpu = (cluster.single.cpu_seconds() - before) / single.deliveries as f64;
    let stream = cluster.first.create_live_stream().await?;
    let before = cluster.first.cpu_seconds();
    let clustered = measure_chat(&cluster.first, &cluster.first, &stream, VIEWERS, RATE, length).await?;
    let clustered_cpu = (cluster.first.cpu_seconds() - before) / clustered.deliveries as f64;
    results.record("single_us_per_event", single_cpu * 1e6);
    results.record("redis_us_per_event", clustered_cpu * 1e6);
    results.record("cpu_per_event_redis", clustered_cpu / single_cpu);
    Ok(())
}

/// The time from when the Redis link breaks under a node with 1,000 rooms until every room has received what was
/// published meanwhile.
pub async fn link_recovery(cluster: &BenchCluster, results: &mut ClusterResults) -> anyhow::Result<()> {
    const ROOMS: usize = 1_000;
    let shop = format!("bench-{}", rand::random::<u32>());
    let open = || Broker::redis(&cluster.redis.url(), &shop).map_err(anyhow::Error::msg);
    let ((subscriber, mut deliveries), (publisher, _others)) = (open()?, open()?);
    for broker in [&subscriber, &publisher] {
        ensure!(broker.wait_until_up(Duration::from_secs(10)).await, "no broker link");
    }
    let streams: Vec<StreamId> = (0..ROOMS).map(|_| StreamId::new()).collect();
    let mut opened = Vec::new();
    for stream in &streams {
        opened.push(subscriber.subscribe(*stream).await.context("a room could not be subscribed")?);
        publisher.publish(*stream, vec![Bytes::from_static(b"before")]).await?;
    }
    let receive_all = async |deliveries: &mut tokio::sync::mpsc::Receiver<BrokerEvent>| {
        let mut left = ROOMS;
        while 0 < left {
            match deliveries.recv().await.context("the broker stopped")? {
                BrokerEvent::Events { bodies, .. } => left -= bodies.len(),
                BrokerEvent::Restart { .. } => anyhow::bail!("a room was reset"),
                _ => {}
            }
        }
        Ok(())
    };
    receive_all(&mut deliveries).await?;
    let failures = subscriber.metrics().link_failures.load(Ordering::Relaxed);
    let mut connection = redis::Client::open(cluster.redis.url())?.get_multiplexed_async_connection().await?;
    let broke_at = Instant::now();
    redis::cmd("CLIENT").arg(&["KILL", "TYPE", "pubsub"]).query_async::<i64>(&mut connection).await?;
    let publishing = async {
        // The publisher's own link broke too: what it cannot publish at once, it publishes again.
        for stream in &streams {
            while publisher.publish(*stream, vec![Bytes::from_static(b"meanwhile")]).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    let (all, ()) =
        tokio::join!(tokio::time::timeout(Duration::from_secs(20), receive_all(&mut deliveries)), publishing);
    all.context("not every room received events again")??;
    results.record("resubscribe_1000_ms", broke_at.elapsed().as_secs_f64() * 1_000.0);
    ensure!(failures < subscriber.metrics().link_failures.load(Ordering::Relaxed), "the link did not break");
    let rebuilt =
        subscriber.metrics().reconnect_time.buckets().filter(|(_, count)| *count > 0).map(|(at_most, _)| at_most);
    results.record("rebuild_below_ms", rebuilt.max().unwrap_or(0) as f64 / 1_000.0);
    subscriber.stop().await;
    publisher.stop().await;
    Ok(())
}
