//! The cost of a broadcast to many viewers, compared with a naive server, in one run on throwaway servers.
//!
//!   cargo bench --bench fanout                 five rounds with three seconds for each step, about a quarter of an hour
//!   BENCH_ROUNDS=1 BENCH_SECONDS=1 BENCH_ONLY=c cargo bench --bench fanout
//!
//! Letters of `BENCH_ONLY`: c one room of 10,000 viewers, m the most deliveries per second, z compression, s readers
//! that stopped, r many rooms, k a thousand rooms of ten viewers, d 10,000 viewers that disconnect at once.
//!
//! Each server is a process with one worker on processor 0. The viewers are simulated by the `loadtest` library in this
//! process, on processor 1. Livesouk and the naive server (`naive_server.rs`) take turns in each round, so that a slow
//! minute of the machine affects both. Figures are medians over the rounds; ratios are medians of the ratio within a
//! round.

mod audience;
mod naive_server;
mod parts;
mod report;
mod servers;

use std::time::Duration;

use parts::StepLength;
use report::FanoutResults;
use testkit::bench_servers::LIMITS_OFF_NOTE;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, what, address] = &arguments[..]
        && what == "naive"
    {
        return naive_server::run(address);
    }
    servers::pin_this_process()?;
    let rounds = from_env("BENCH_ROUNDS", 5);
    let length = StepLength { step: Duration::from_secs(from_env("BENCH_SECONDS", 3)) };
    let only = std::env::var("BENCH_ONLY").unwrap_or_default();
    let mut results = FanoutResults::default();
    for round in 1..=rounds {
        for (letter, name, part) in
            parts::ALL.into_iter().filter(|(letter, ..)| only.is_empty() || only.contains(*letter))
        {
            eprintln!("round {round} of {rounds}: {letter}, {name}");
            part(&mut results, length)?;
        }
    }
    println!("{LIMITS_OFF_NOTE}");
    print!("{}", results.table());
    print!("{}", results.figures());
    Ok(())
}

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default).max(1)
}
