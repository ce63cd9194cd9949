//! What is measured, one function each, and the book it goes into.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use livesouk::broker::{Broker, BrokerEvent};
use livesouk::domain::StreamId;

use super::chat::talk;
use super::nodes::BenchCluster;

/// Figures by name, one for each round.
#[derive(Default)]
pub struct ClusterResults(BTreeMap<&'static str, Vec<f64>>);

impl ClusterResults {
    fn record(&mut self, name: &'static str, figure: f64) {
        eprintln!("  {name} {figure:.3}");
        self.0.entry(name).or_default().push(figure);
    }

    fn median(&self, name: &str) -> Option<f64> {
        let mut all = self.0.get(name)?.clone();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    }

    /// Everything, then the last lines.
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
        ] {
            if let Some(median) = self.median(name) {
                println!("{kind} {name} {median:.2}");
            }
        }
    }
}

/// How much later one hears it at another node than at a node by itself.
pub async fn cross_node_latency(
    stand: &BenchCluster,
    book: &mut ClusterResults,
    length: Duration,
) -> anyhow::Result<()> {
    let by_itself =
        talk(&stand.single, &stand.single, &stand.single.create_live_stream().await?, 50, 20, length).await?;
    let together = talk(&stand.first, &stand.second, &stand.first.create_live_stream().await?, 50, 20, length).await?;
    let p95 = |talk: &super::chat::ClusterChatResult| talk.latency.value_at_quantile(0.95) as f64 / 1_000.0;
    book.record("alone_p50_ms", by_itself.latency.value_at_quantile(0.5) as f64 / 1_000.0);
    book.record("across_p50_ms", together.latency.value_at_quantile(0.5) as f64 / 1_000.0);
    book.record("alone_p95_ms", p95(&by_itself));
    book.record("across_p95_ms", p95(&together));
    book.record("cluster_p95_extra_ms", p95(&together) - p95(&by_itself));
    Ok(())
}

/// How often Redis runs a script while one room talks at one node.
pub async fn redis_calls(stand: &BenchCluster, book: &mut ClusterResults, length: Duration) -> anyhow::Result<()> {
    let mut per_second = Vec::new();
    for (rate, name) in [(10, "calls_s_at_10"), (100, "calls_s_at_100"), (1_000, "calls_s_at_1000")] {
        let show = stand.first.create_live_stream().await?;
        let before = script_calls(stand).await?;
        let talk = talk(&stand.first, &stand.second, &show, 5, rate, length).await?;
        let calls = (script_calls(stand).await? - before) as f64 / talk.seconds;
        book.record(name, calls);
        per_second.push(calls);
    }
    book.record("redis_calls_1000_vs_10", per_second[2] / per_second[0]);
    Ok(())
}

async fn script_calls(stand: &BenchCluster) -> anyhow::Result<u64> {
    let mut connection = redis::Client::open(stand.redis.url())?.get_multiplexed_async_connection().await?;
    let stats: String = redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await?;
    let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    Ok(line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0))
}

/// What an event costs a node for each viewer it reaches: by itself, and as one of two that talk to each other.
pub async fn event_cost(stand: &BenchCluster, book: &mut ClusterResults, length: Duration) -> anyhow::Result<()> {
    const VIEWERS: usize = 1_000;
    const RATE: u64 = 40;
    let show = stand.single.create_live_stream().await?;
    let before = stand.single.cpu_seconds();
    let by_itself = talk(&stand.single, &stand.single, &show, VIEWERS, RATE, length).await?;
    let alone = (stand.single.cpu_seconds() - before) / by_itself.deliveries as f64;
    let show = stand.first.create_live_stream().await?;
    let before = stand.first.cpu_seconds();
    let together = talk(&stand.first, &stand.first, &show, VIEWERS, RATE, length).await?;
    let joined = (stand.first.cpu_seconds() - before) / together.deliveries as f64;
    book.record("alone_us_per_event", alone * 1e6);
    book.record("redis_us_per_event", joined * 1e6);
    book.record("cpu_per_event_redis", joined / alone);
    Ok(())
}

/// From the moment a bus dies under a node with 1,000 rooms until every room has heard what was said meanwhile.
pub async fn link_recovery(stand: &BenchCluster, book: &mut ClusterResults) -> anyhow::Result<()> {
    const ROOMS: usize = 1_000;
    let shop = format!("bench-{}", rand::random::<u32>());
    let open = || Broker::redis(&stand.redis.url(), &shop).map_err(anyhow::Error::msg);
    let ((listener, mut deliveries), (speaker, _others)) = (open()?, open()?);
    for broker in [&listener, &speaker] {
        ensure!(broker.wait_until_up(Duration::from_secs(10)).await, "no bus");
    }
    let streams: Vec<StreamId> = (0..ROOMS).map(|_| StreamId::new()).collect();
    let mut opened = Vec::new();
    for stream in &streams {
        opened.push(listener.subscribe(*stream).await.context("a room did not open")?);
        speaker.publish(*stream, vec![Bytes::from_static(b"before")]).await?;
    }
    let heard = async |deliveries: &mut tokio::sync::mpsc::Receiver<BrokerEvent>| {
        let mut left = ROOMS;
        while 0 < left {
            match deliveries.recv().await.context("the broker stopped")? {
                BrokerEvent::Events { bodies, .. } => left -= bodies.len(),
                BrokerEvent::Restart { .. } => anyhow::bail!("a room had to start over"),
                _ => {}
            }
        }
        Ok(())
    };
    heard(&mut deliveries).await?;
    let deaths = listener.metrics().link_failures.load(Ordering::Relaxed);
    let mut connection = redis::Client::open(stand.redis.url())?.get_multiplexed_async_connection().await?;
    let died = Instant::now();
    redis::cmd("CLIENT").arg(&["KILL", "TYPE", "pubsub"]).query_async::<i64>(&mut connection).await?;
    let saying = async {
        // The speaker's own link died too: what it cannot say at once it says again.
        for stream in &streams {
            while speaker.publish(*stream, vec![Bytes::from_static(b"meanwhile")]).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    let (all, ()) = tokio::join!(tokio::time::timeout(Duration::from_secs(20), heard(&mut deliveries)), saying);
    all.context("not every room was heard again")??;
    book.record("resubscribe_1000_ms", died.elapsed().as_secs_f64() * 1_000.0);
    ensure!(deaths < listener.metrics().link_failures.load(Ordering::Relaxed), "the link did not die");
    let rebuilt =
        listener.metrics().reconnect_time.buckets().filter(|(_, count)| *count > 0).map(|(at_most, _)| at_most);
    book.record("rebuild_below_ms", rebuilt.max().unwrap_or(0) as f64 / 1_000.0);
    listener.stop().await;
    speaker.stop().await;
    Ok(())
}
