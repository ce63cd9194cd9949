//! What the tests and benchmarks share: a database per test, Redis servers, the server as a process, a WebSocket client, a
//! REST client, a network proxy, a browser, and the fault plans and the oracle of the chaos test.
//!
//! No helper sleeps for a fixed time: every wait has a condition and a deadline, and fails with what it saw.

#![allow(clippy::unwrap_used, reason = "a helper reports a failure by a panic, as the test itself does")]

pub mod bench_servers;
pub mod browser;
pub mod chaos;
pub mod cluster;
pub mod cookie_page;
pub mod live_video;
pub mod mail_server;
pub mod metrics;
pub mod migrated;
pub mod new_shop;
pub mod oidc_provider;
pub mod page_limits;
pub mod payment_adapter;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod python;
pub mod raw_client;
pub mod redis;
pub mod shop;
pub mod socket;
pub mod web_proxy;
pub mod websocket_cases;
pub mod whep_server;

use std::time::Duration;

pub use client::rest;

/// How long a test waits for something that should happen immediately. It is long because build machines are slow.
pub const SOON: Duration = Duration::from_secs(20);

/// Calls `ask` until it returns a value; panics with `what` when there is none within `deadline`.
pub async fn until_some<T>(what: &str, deadline: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(deadline, asking).await.unwrap_or_else(|_| panic!("no {what} within {deadline:?}"))
}
