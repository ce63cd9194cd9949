//! A PostgreSQL, a Redis, a single node, and two nodes that are connected by Redis.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use client::{Rest, token};
use reqwest::Method;
use serde_json::{Value, json};

use testkit::bench_servers::{BenchPostgres, BenchRedis, LIMITS_OFF};
use testkit::ports::free_address;

const AUTH_KEY: &str = "a key that only this benchmark signs with";
const START_DEADLINE: Duration = Duration::from_secs(30);
/// The kernel counts processor time in hundredths of a second.
const TICKS: f64 = 100.0;

pub struct BenchCluster {
    pub single: BenchNode,
    pub first: BenchNode,
    pub second: BenchNode,
    pub redis: BenchRedis,
    /// The database of the two nodes.
    pub store: String,
    _postgres: BenchPostgres,
    _folder: tempfile::TempDir,
}

impl BenchCluster {
    pub async fn open() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("livesouk-bench.").tempdir_in("/tmp")?;
        let postgres = BenchPostgres::start(folder.path()).await?;
        let redis = BenchRedis::start(folder.path()).await?;
        let single_store = postgres.create("alone").await?;
        let cluster_store = postgres.create("cluster_store").await?;
        for store in [&single_store, &cluster_store] {
            let done = Command::new(env!("CARGO_BIN_EXE_livesouk"))
                .args(["migrate", "--store", store])
                .stdout(Stdio::null())
                .status()?;
            ensure!(done.success(), "livesouk migrate failed");
        }
        let url = redis.url();
        let single = BenchNode::start(&single_store, "0", &["--broker", "local"]).await?;
        let first = BenchNode::start(&cluster_store, "0", &["--broker", &url]).await?;
        let second = BenchNode::start(&cluster_store, "0", &["--broker", &url]).await?;
        let store = cluster_store;
        Ok(Self { single, first, second, redis, store, _postgres: postgres, _folder: folder })
    }
}

/// A server process.
pub struct BenchNode {
    child: Child,
    pub url: String,
    rest: Rest,
}

impl BenchNode {
    /// `joins_per_second`: 0 for no limit.
    pub async fn start(store: &str, joins_per_second: &str, more: &[&str]) -> anyhow::Result<Self> {
        let address = free_address();
        let child = Command::new(env!("CARGO_BIN_EXE_livesouk"))
            .args(["serve", "--log", "error", "--listen", &address, "--auth-key", AUTH_KEY, "--store", store])
            .args(["--chat-per-second", "0", "--room-chat-per-second", "0", "--joins-per-second", joins_per_second])
            .args(LIMITS_OFF)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let url = format!("http://{address}");
        let rest = Rest::new(&url).with_token(&sign_token("the-host", "host")?);
        let node = Self { child, url, rest };
        let until = Instant::now() + START_DEADLINE;
        loop {
            match node.rest.try_send(Method::GET, "/readyz", &[], None).await {
                Ok(response) if response.status == 200 => return Ok(node),
                _ if until < Instant::now() => bail!("a server did not start"),
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Creates a stream that is live.
    pub async fn create_live_stream(&self) -> anyhow::Result<String> {
        let made = self.post("/v1/streams", json!({"title": "Benchmark"})).await?;
        let id = made["id"].as_str().context("the stream has no id")?.to_owned();
        self.post(&format!("/v1/streams/{id}/start"), json!({})).await?;
        Ok(id)
    }

    pub async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.send(path, &[], body).await
    }

    /// Adds something, under a new idempotency key.
    pub async fn post_new(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.send(path, &[("idempotency-key", &client::rest::new_key())], body).await
    }

    async fn send(&self, path: &str, headers: &[(&str, &str)], body: Value) -> anyhow::Result<Value> {
        let response = self.rest.try_send(Method::POST, path, headers, Some(body)).await?;
        ensure!(response.is_success(), "POST {path} was answered with status {}", response.status);
        Ok(response.body)
    }

    /// Processor time so far in seconds, user and system.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // The second field is the program's name in brackets, which may contain any character.
        let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(f64::NAN);
        (ticks(11) + ticks(12)) / TICKS
    }
}

impl Drop for BenchNode {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn sign_token(user: &str, role: &str) -> anyhow::Result<String> {
    Ok(token::sign(AUTH_KEY, user, role, 3_600)?)
}
