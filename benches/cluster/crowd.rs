//! A crowd that arrives at once at two nodes behind a balancer: how long the last one waits.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use client::{ConnectionEnd, JoinOptions, LiveConnection};
use futures_util::future::try_join_all;

use super::nodes::{BenchCluster, BenchNode};
use super::parts::ClusterResults;

const CLIENTS: u32 = 1_000;
/// Of both nodes together.
const JOINS_PER_SECOND: u32 = 50;
/// The burst of each node lasts two seconds.
const IDEAL_S: f64 = CLIENTS as f64 / JOINS_PER_SECOND as f64 - 2.0;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Whether a client reads a refused handshake. Browsers cannot, and back off with full jitter.
#[derive(Clone, Copy)]
enum Client {
    ReadsRetryAfter,
    Browser,
}

/// Records the worse of both kinds of clients, as a multiple of the least time that the rate of joins allows.
pub async fn arrival(cluster: &BenchCluster, results: &mut ClusterResults) -> Result<()> {
    let rate = (JOINS_PER_SECOND / 2).to_string();
    let broker = cluster.redis.url();
    let mut worst: f64 = 0.0;
    for (name, kind) in [("crowd_in_s", Client::ReadsRetryAfter), ("crowd_of_browsers_in_s", Client::Browser)] {
        let more = ["--broker", broker.as_str()];
        let first = BenchNode::start(&cluster.store, &rate, &more).await?;
        let second = BenchNode::start(&cluster.store, &rate, &more).await?;
        let stream = first.create_live_stream().await?;
        let nodes = [first.url.as_str(), second.url.as_str()];
        let started = Instant::now();
        let everybody = try_join_all((0..CLIENTS).map(|_| join(nodes, &stream, kind))).await?;
        let took_s = started.elapsed().as_secs_f64();
        drop(everybody);
        results.record(name, took_s);
        worst = worst.max(took_s / IDEAL_S);
    }
    results.record("crowd_in_ratio", worst);
    Ok(())
}

/// Joins at any node, and comes back as the server says.
async fn join(nodes: [&str; 2], stream: &str, kind: Client) -> Result<LiveConnection> {
    let mut ticket = None;
    let mut ceiling_ms = 500;
    loop {
        let node = nodes[usize::from(rand::random::<bool>())];
        let options = JoinOptions { ticket: ticket.clone(), ..JoinOptions::default() };
        let end = match LiveConnection::join(node, stream, &options, ANSWER_TIMEOUT).await {
            Ok((connection, _)) => return Ok(connection),
            Err(end) => end,
        };
        let wait_ms = match (&end, kind) {
            (ConnectionEnd::Closed { code: 4013, .. }, _) => {
                ticket = end.admission_ticket();
                end.retry_ms().unwrap_or(1_000)
            }
            (ConnectionEnd::Refused { status: 503, body }, Client::ReadsRetryAfter) => {
                let problem: serde_json::Value = serde_json::from_str(body)?;
                problem["retry_ms"].as_u64().unwrap_or(1_000)
            }
            (ConnectionEnd::Refused { status: 503, .. }, Client::Browser) => {
                ceiling_ms = (ceiling_ms * 2).min(20_000);
                rand::random_range(0..ceiling_ms)
            }
            _ => bail!("a client of the crowd was refused: {end}"),
        };
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }
}
