//! How fast Livesouk sells, compared with what a shop could use instead, in one run on throwaway servers.
//!
//!   cargo bench --bench selling                 five rounds of three seconds each, about four minutes
//!   BENCH_ROUNDS=1 BENCH_SECONDS=1 BENCH_ONLY=ac cargo bench --bench selling
//!   BENCH_BAGS=yes cargo bench --bench selling  only orders of three lines and payments
//!
//! Every implementation sells one offer that never runs out to buyers that are new each time, with a limit per buyer
//! and stored idempotency keys. Only the Redis gate stores nothing. Then buyers take three items into one order, beside one
//! transaction that locks three rows, and others buy and pay with the test provider, which answers at once. They take turns in each round, so that a slow
//! minute of the machine affects all. Ratios are medians over the rounds of the ratio within a round.

mod contender;
mod load;
mod order;
mod refusals;
mod report;

use std::time::Duration;

use contender::{Contender, ContenderKind};
use load::{LoadResult, closed_loop, open_loop};
use report::{MedianOf, table};
use testkit::bench_servers::{BenchPostgres, BenchRedis, LIMITS_OFF_NOTE};

/// Concurrent buyers in the closed loop.
const BUYERS: usize = 1_000;
/// The rates of the open loop: the slow one for every implementation, the fast one for Livesouk and the Redis gate.
const SLOW_RATE: u64 = 400;
const FAST_RATE: u64 = 15_000;

fn main() -> anyhow::Result<()> {
    // Cargo passes `--bench`. The only choice here is the length.
    let rounds = from_env("BENCH_ROUNDS", 5);
    let length = Duration::from_secs(from_env("BENCH_SECONDS", 3));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(rounds as usize, length))
}

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default).max(1)
}

async fn run(rounds: usize, length: Duration) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("livesouk-bench.").tempdir_in("/tmp")?;
    let postgres = BenchPostgres::start(folder.path()).await?;
    let redis = BenchRedis::start(folder.path()).await?;
    let mut contenders = Vec::new();
    let only = std::env::var("BENCH_ONLY").unwrap_or_default();
    for kind in ContenderKind::ALL.into_iter().filter(|kind| only.is_empty() || only.contains(kind.letter())) {
        contenders.push(Contender::open(kind, &postgres, &redis, folder.path()).await?);
    }
    let (mut closed, mut alone, mut slow, mut fast) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    if std::env::var_os("BENCH_BAGS").is_some() {
        println!("{}", order::measure(&contenders, rounds, BUYERS, length).await?);
        return Ok(());
    }
    for round in 1..=rounds {
        for contender in &mut contenders {
            eprintln!("round {round} of {rounds}: {}", contender.kind.name());
            contender.new_offer().await?;
            // A warm server: query plans made, pages in memory, selling task awake.
            closed_loop(contender, BUYERS, Duration::from_millis(300)).await?;
            closed.push((contender.kind, closed_loop(contender, BUYERS, length).await?));
            alone.push((contender.kind, closed_loop(contender, 1, length / 3).await?));
            slow.push((contender.kind, open_loop(contender, SLOW_RATE, length / 3).await?));
            if contender.kind.is_fast() {
                fast.push((contender.kind, open_loop(contender, FAST_RATE, length / 3).await?));
            }
        }
    }
    let is_whole = only.is_empty();
    let orders = if is_whole { Some(order::measure(&contenders, rounds, BUYERS, length).await?) } else { None };
    for contender in &contenders {
        contender.assert_consistent().await?;
    }
    let refusals = refusals::measure(&contenders, rounds, length).await?;
    for contender in contenders {
        contender.close().await;
    }

    println!("{LIMITS_OFF_NOTE}");
    println!("{}", table(&format!("{BUYERS} buyers, each waiting for the reply"), &closed));
    println!("{}", table("one buyer at a time", &alone));
    println!("{}", table(&format!("open loop, {SLOW_RATE} per second"), &slow));
    println!("{}", table(&format!("open loop, {FAST_RATE} per second"), &fast));
    println!("{refusals}");
    let per_second =
        |one, other| MedianOf::of_ratios(&closed, one, other, |measured: &LoadResult| measured.per_second());
    let p99 = MedianOf::of(&closed, ContenderKind::LivesoukPostgres, |measured| measured.p99_ms());
    let Some(orders) = orders else { return Ok(()) };
    println!("ratio postgres_vs_row_lock {:.1}", per_second(ContenderKind::LivesoukPostgres, ContenderKind::RowLock));
    println!(
        "ratio postgres_vs_redis_gate {:.2}",
        per_second(ContenderKind::LivesoukPostgres, ContenderKind::RedisGate)
    );
    println!("ratio sqlite_vs_row_lock {:.1}", per_second(ContenderKind::LivesoukSqlite, ContenderKind::RowLock));
    println!("{orders}");
    println!("figure p99_ms {p99:.1}");
    println!("figure refusals_per_core_s {:.0}", refusals.per_core_second);
    Ok(())
}
