//! Real Redis servers for one test: one by itself, or a cluster of three masters, on free ports and in temporary folders.
//!
//! Ended with the value. `redis-server` comes from `scripts/test`; without it the test fails, it does not skip.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tempfile::TempDir;

use super::process::{Process, Signal, free_address};
use super::{SOON, until_some};

#[derive(Debug)]
pub struct Redis {
    process: Process,
    port: u16,
    args: Vec<String>,
    folder: TempDir,
}

impl Redis {
    /// Keeps nothing on disk: what a restart finds is nothing.
    pub async fn start() -> Redis {
        Redis::with(&["--save", "", "--appendonly", "no"]).await
    }

    /// Keeps what it was told: a restart finds it again.
    pub async fn lasting() -> Redis {
        Redis::with(&["--save", "", "--appendonly", "yes", "--appendfsync", "always"]).await
    }

    async fn with(args: &[&str]) -> Redis {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let mut folder = tempfile::tempdir().expect("a temporary folder");
        // The port was free a moment ago: should somebody have taken it, another one is.
        for _ in 0..5 {
            let port = free_address().parse::<SocketAddr>().expect("an address").port();
            let mut redis = Redis { process: spawn(port, &args, &folder), port, args: args.clone(), folder };
            if redis.answers().await {
                return redis;
            }
            folder = redis.folder;
        }
        panic!("redis-server does not start");
    }

    async fn answers(&mut self) -> bool {
        until_some("answer of redis-server", SOON, async || {
            if self.process.has_ended() {
                return Some(false);
            }
            let mut connection = self.try_connect().await?;
            redis::cmd("PING").query_async::<String>(&mut connection).await.ok().map(|_| true)
        })
        .await
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    async fn try_connect(&self) -> Option<MultiplexedConnection> {
        let client = redis::Client::open(self.url()).ok()?;
        tokio::time::timeout(Duration::from_secs(2), client.get_multiplexed_async_connection()).await.ok()?.ok()
    }

    /// For commands past the server under test.
    pub async fn connect(&self) -> MultiplexedConnection {
        self.try_connect().await.expect("redis answers")
    }

    /// A command like `CLIENT KILL TYPE pubsub`.
    pub async fn command(&self, words: &str) -> redis::Value {
        let mut parts = words.split(' ');
        let mut command = redis::cmd(parts.next().expect("a word"));
        parts.for_each(|part| {
            command.arg(part);
        });
        command.query_async(&mut self.connect().await).await.unwrap_or_else(|error| panic!("{words}: {error}"))
    }

    /// Calls of a kind since the start, as `INFO commandstats` counts them: `evalsha`, `publish`.
    pub async fn calls(&self, command: &str) -> u64 {
        let redis::Value::BulkString(stats) = self.command("INFO commandstats").await else { panic!("no stats") };
        let stats = String::from_utf8(stats).expect("text");
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0)
    }

    pub fn freeze(&mut self) {
        self.process.signal(Signal::Stop);
    }

    pub fn thaw(&mut self) {
        self.process.signal(Signal::Continue);
    }

    pub async fn kill(&mut self) {
        self.process.signal(Signal::Kill);
        self.process.end(SOON).await;
    }

    /// Again on the same port and in the same folder.
    pub async fn restart(&mut self) {
        if !self.process.has_ended() {
            self.kill().await;
        }
        self.process = spawn(self.port, &self.args, &self.folder);
        assert!(self.answers().await, "redis-server does not come back:\n{}", self.process.stdout());
    }
}

fn spawn(port: u16, args: &[String], folder: &TempDir) -> Process {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"]).arg(folder.path()).args(args);
    Process::start(&mut command)
}

/// Three masters that share the slots; no replicas.
#[derive(Debug)]
pub struct Cluster {
    pub masters: Vec<Redis>,
}

impl Cluster {
    pub async fn start() -> Cluster {
        let mut masters = Vec::new();
        for _ in 0..3 {
            let gossip = free_address().parse::<SocketAddr>().expect("an address").port().to_string();
            let args = ["--save", "", "--cluster-enabled", "yes", "--cluster-port", &gossip];
            masters.push(Redis::with(&[&args[..], &["--cluster-node-timeout", "2000"]].concat()).await);
        }
        let (first, others) = masters.split_first().expect("three");
        for (at, (master, (from, to))) in
            masters.iter().zip([(0, 5_460), (5_461, 10_922), (10_923, 16_383)]).enumerate()
        {
            master.command(&format!("CLUSTER SET-CONFIG-EPOCH {}", at + 1)).await;
            master.command(&format!("CLUSTER ADDSLOTSRANGE {from} {to}")).await;
        }
        for other in others {
            let gossip = &other.args[other.args.iter().position(|arg| arg == "--cluster-port").expect("set") + 1];
            first.command(&format!("CLUSTER MEET 127.0.0.1 {} {gossip}", other.port)).await;
        }
        let cluster = Cluster { masters };
        until_some("whole cluster", SOON, async || {
            for master in &cluster.masters {
                let redis::Value::BulkString(about) = master.command("CLUSTER INFO").await else { return None };
                let about = String::from_utf8(about).ok()?;
                if !about.contains("cluster_state:ok") || !about.contains("cluster_known_nodes:3") {
                    return None;
                }
            }
            Some(())
        })
        .await;
        cluster
    }

    /// What `--broker` takes.
    pub fn url(&self) -> String {
        let addresses: Vec<String> = self.masters.iter().map(|master| master.address().to_string()).collect();
        format!("redis+cluster://{}", addresses.join(","))
    }
}
