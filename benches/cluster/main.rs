//! The cost of a cluster: two nodes with Redis between them, compared with a single node, in one run on throwaway
//! servers.
//!
//!   cargo bench --bench cluster                  five rounds, about ten minutes
//!   BENCH_ROUNDS=1 BENCH_SECONDS=1 BENCH_ONLY=d cargo bench --bench cluster
//!
//! Letters of `BENCH_ONLY`: l how much later a viewer of another node receives a message; r how often Redis is called
//! at 10, 100 and 1,000 messages per second; c what a delivered event costs a node; d how soon 1,000 rooms receive
//! events again after the Redis link broke; a how long the last of 1,000 clients who arrive together waits, beside the
//! least that the rate of joins needs; k rooms that stay deaf after 500 link kills; h the latency in a room beside one
//! that is flooded; j reads of Redis for a join with a foreign epoch; o how soon 20,000 holds that end together are
//! released.
//!
//! Both kinds of server use the same PostgreSQL and take turns in each round, so that a slow minute of the machine
//! affects both. Servers, Redis, PostgreSQL and the viewers share the machine. Figures are medians over the rounds.

mod chat;
mod crowd;
mod nodes;
mod parts;
mod stress;

use std::time::Duration;

use nodes::BenchCluster;
use parts::ClusterResults;

fn main() -> anyhow::Result<()> {
    let rounds = from_env("BENCH_ROUNDS", 5);
    let length = Duration::from_secs(from_env("BENCH_SECONDS", 5));
    let only = std::env::var("BENCH_ONLY").unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let cluster = BenchCluster::open().await?;
        let mut results = ClusterResults::default();
        for round in 1..=rounds {
            for letter in "lrcdakhjo".chars().filter(|letter| only.is_empty() || only.contains(*letter)) {
                eprintln!("round {round} of {rounds}: {letter}");
                match letter {
                    'l' => parts::cross_node_latency(&cluster, &mut results, length).await?,
                    'r' => parts::redis_calls(&cluster, &mut results, length).await?,
                    'c' => parts::event_cost(&cluster, &mut results, length).await?,
                    'a' => crowd::arrival(&cluster, &mut results).await?,
                    'k' => stress::deaf_rooms(&cluster, &mut results, rounds).await?,
                    'h' => stress::hot_room(&cluster, &mut results, length).await?,
                    'j' => stress::foreign_joins(&cluster, &mut results).await?,
                    'o' => stress::holds(&cluster, &mut results).await?,
                    _ => parts::link_recovery(&cluster, &mut results).await?,
                }
            }
        }
        println!("{}", testkit::bench_servers::LIMITS_OFF_NOTE);
        results.print();
        Ok(())
    })
}

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default).max(1)
}
