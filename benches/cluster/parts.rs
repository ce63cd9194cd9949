//! What is measured, one function each, and the book it goes into.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use livesouk::broker::{Broker, Delivery};
use livesouk::domain::StreamId;

use super::crowd::talk;
use super::stand::Stand;

/// Figures by name, one for each round.
#[derive(Default)]
pub struct Book(BTreeMap<&'static str, Vec<f64>>);

impl Book {
    fn note(&mut self, name: &'static str, figure: f64) {
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
pub async fn later(stand: &Stand, book: &mut Book, length: Duration) -> anyhow::Result<()> {
    let by_itself = talk(&stand.alone, &stand.alone, &stand.alone.show().await?, 50, 20, length).await?;
    let together = talk(&stand.one, &stand.two, &stand.one.show().await?, 50, 20, length).await?;
    let p95 = |talk: &super::crowd::Talk| talk.late.value_at_quantile(0.95) as f64 / 1_000.0;
    book.note("alone_p50_ms", by_itself.late.value_at_quantile(0.5) as f64 / 1_000.0);
    book.note("across_p50_ms", together.late.value_at_quantile(0.5) as f64 / 1_000.0);
    book.note("alone_p95_ms", p95(&by_itself));
    book.note("across_p95_ms", p95(&together));
    book.note("cluster_p95_extra_ms", p95(&together) - p95(&by_itself));
    Ok(())
}

/// How often Redis runs a script while one room talks at one node.
pub async fn calls(stand: &Stand, book: &mut Book, length: Duration) -> anyhow::Result<()> {
    let mut per_second = Vec::new();
    for (rate, name) in [(10, "calls_s_at_10"), (100, "calls_s_at_100"), (1_000, "calls_s_at_1000")] {
        let show = stand.one.show().await?;
        let before = script_calls(stand).await?;
        let talk = talk(&stand.one, &stand.two, &show, 5, rate, length).await?;
        let calls = (script_calls(stand).await? - before) as f64 / talk.seconds;
        book.note(name, calls);
        per_second.push(calls);
    }
    book.note("redis_calls_1000_vs_10", per_second[2] / per_second[0]);
    Ok(())
}

async fn script_calls(stand: &Stand) -> anyhow::Result<u64> {
    let mut connection = redis::Client::open(stand.redis.url())?.get_multiplexed_async_connection().await?;
    let stats: String = redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await?;
    let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    Ok(line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0))
}

/// What an event costs a node for each viewer it reaches: by itself, and as one of two that talk to each other.
pub async fn cost(stand: &Stand, book: &mut Book, length: Duration) -> anyhow::Result<()> {
    const VIEWERS: usize = 1_000;
    const RATE: u64 = 40;
    let show = stand.alone.show().await?;
    let before = stand.alone.cpu();
    let by_itself = talk(&stand.alone, &stand.alone, &show, VIEWERS, RATE, length).await?;
    let alone = (stand.alone.cpu() - before) / by_itself.deliveries as f64;
    let show = stand.one.show().await?;
    let before = stand.one.cpu();
    let together = talk(&stand.one, &stand.one, &show, VIEWERS, RATE, length).await?;
    let joined = (stand.one.cpu() - before) / together.deliveries as f64;
    book.note("alone_us_per_event", alone * 1e6);
    book.note("redis_us_per_event", joined * 1e6);
    book.note("cpu_per_event_redis", joined / alone);
    Ok(())
}

/// From the moment a bus dies under a node with 1,000 rooms until every room has heard what was said meanwhile.
pub async fn death(stand: &Stand, book: &mut Book) -> anyhow::Result<()> {
    const ROOMS: usize = 1_000;
    let shop = format!("bench-{}", rand::random::<u32>());
    let open = || Broker::redis(&stand.redis.url(), &shop).map_err(anyhow::Error::msg);
    let ((listener, mut deliveries), (speaker, _others)) = (open()?, open()?);
    for broker in [&listener, &speaker] {
        ensure!(broker.wait_up(Duration::from_secs(10)).await, "no bus");
    }
    let streams: Vec<StreamId> = (0..ROOMS).map(|_| StreamId::new()).collect();
    let mut opened = Vec::new();
    for stream in &streams {
        opened.push(listener.follow(*stream).await.context("a room did not open")?);
        speaker.log(*stream, vec![Bytes::from_static(b"before")]).await?;
    }
    let heard = async |deliveries: &mut tokio::sync::mpsc::Receiver<Delivery>| {
        let mut left = ROOMS;
        while 0 < left {
            match deliveries.recv().await.context("the broker stopped")? {
                Delivery::Log { bodies, .. } => left -= bodies.len(),
                Delivery::Restart { .. } => anyhow::bail!("a room had to start over"),
                _ => {}
            }
        }
        Ok(())
    };
    heard(&mut deliveries).await?;
    let deaths = listener.vitals().link_deaths.load(Ordering::Relaxed);
    let mut connection = redis::Client::open(stand.redis.url())?.get_multiplexed_async_connection().await?;
    let died = Instant::now();
    redis::cmd("CLIENT").arg(&["KILL", "TYPE", "pubsub"]).query_async::<i64>(&mut connection).await?;
    let saying = async {
        // The speaker's own link died too: what it cannot say at once it says again.
        for stream in &streams {
            while speaker.log(*stream, vec![Bytes::from_static(b"meanwhile")]).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    let (all, ()) = tokio::join!(tokio::time::timeout(Duration::from_secs(20), heard(&mut deliveries)), saying);
    all.context("not every room was heard again")??;
    book.note("resubscribe_1000_ms", died.elapsed().as_secs_f64() * 1_000.0);
    ensure!(deaths < listener.vitals().link_deaths.load(Ordering::Relaxed), "the link did not die");
    let rebuilt = listener.vitals().rebuild_time.buckets().filter(|(_, count)| *count > 0).map(|(at_most, _)| at_most);
    book.note("rebuild_below_ms", rebuilt.max().unwrap_or(0) as f64 / 1_000.0);
    listener.stop().await;
    speaker.stop().await;
    Ok(())
}
