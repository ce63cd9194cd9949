//! Real Redis servers for one test: a single server or a cluster of three masters, on free ports and in temporary folders.
//!
//! A server ends when its value is dropped. `scripts/test` installs `redis-server`; without it the test fails.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tempfile::TempDir;

use super::ports::free_port;
use super::process::{Process, Signal};
use super::{SOON, until_some};

#[derive(Debug)]
pub struct Redis {
    process: Process,
    port: u16,
    args: Vec<String>,
    folder: TempDir,
}

impl Redis {
    /// A server without persistence: it is empty after a restart.
    pub async fn start() -> Redis {
        Redis::with(&["--save", "", "--appendonly", "no"]).await
    }

    /// A server with persistence: its data survives a restart.
    pub async fn lasting() -> Redis {
        Redis::with(&["--save", "", "--appendonly", "yes", "--appendfsync", "always"]).await
    }

    /// A server with TLS on a second port and a certificate of its own authority; the tests themselves use the first port.
    pub async fn with_tls() -> (Redis, Tls) {
        let tls = Tls::issue();
        let port = tls.port.to_string();
        let file = |name: &str| tls.folder.path().join(name).display().to_string();
        let (cert, key, ca) = (file("server.crt"), file("server.key"), file("ca.crt"));
        let files = ["--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-ca-cert-file", &ca];
        let args = ["--save", "", "--appendonly", "no", "--tls-port", &port, "--tls-auth-clients", "no"];
        (Redis::with(&[&args[..], &files].concat()).await, tls)
    }

    async fn with(args: &[&str]) -> Redis {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let mut folder = tempfile::tempdir().expect("a temporary folder");
        // Another process may have taken the free port in the meantime; then another port is tried.
        for _ in 0..5 {
            let port = free_port();
            let mut redis = Redis { process: spawn(port, &args, &folder), port, args: args.clone(), folder };
            if redis.answers().await {
                return redis;
            }
            folder = redis.folder;
        }
        panic!("redis-server does not start");
    }

    async fn answers(&mut self) -> bool {
        until_some("reply of redis-server", SOON, async || {
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

    /// A direct connection, not through the server under test.
    pub async fn connect(&self) -> MultiplexedConnection {
        self.try_connect().await.expect("redis-server accepts connections")
    }

    /// Runs a command such as `CLIENT KILL TYPE pubsub`.
    pub async fn command(&self, line: &str) -> redis::Value {
        let mut parts = line.split(' ');
        let mut command = redis::cmd(parts.next().expect("a word"));
        parts.for_each(|part| {
            command.arg(part);
        });
        command.query_async(&mut self.connect().await).await.unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// The number of calls of a command, such as `evalsha` or `publish`, since the start (from `INFO commandstats`).
    pub async fn calls(&self, command: &str) -> u64 {
        let redis::Value::BulkString(stats) = self.command("INFO commandstats").await else { panic!("no stats") };
        let stats = String::from_utf8(stats).expect("text");
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0)
    }

    /// The client address of the only subscriber of the channel of a stream, as the server sees it.
    pub async fn listener(&self, channel: &str) -> Option<SocketAddr> {
        let redis::Value::Array(channels) = self.command(&format!("PUBSUB CHANNELS *{channel}")).await else {
            return None;
        };
        if channels.is_empty() {
            return None;
        }
        let redis::Value::BulkString(clients) = self.command("CLIENT LIST").await else { return None };
        let clients = String::from_utf8(clients).expect("text");
        let field =
            |line: &str, name: &str| line.split(' ').find_map(|field| field.strip_prefix(name)).map(str::to_owned);
        // The subscriptions of a node with one stream: the channels of the heartbeat, of the users and of the stream.
        let line = clients.lines().find(|line| field(line, "sub=").as_deref() == Some("3"))?;
        field(line, "addr=")?.parse().ok()
    }

    fn gossip_port(&self) -> u16 {
        let at = self.args.iter().position(|arg| arg == "--cluster-port").expect("one of a cluster");
        self.args[at + 1].parse().expect("a port")
    }

    async fn text(&self, line: &str) -> String {
        match self.command(line).await {
            redis::Value::BulkString(text) => String::from_utf8(text).expect("text"),
            redis::Value::VerbatimString { text, .. } => text,
            redis::Value::SimpleString(text) => text,
            other => panic!("{line}: {other:?}"),
        }
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

    /// Restarts the server on the same port and in the same folder.
    pub async fn restart(&mut self) {
        if !self.process.has_ended() {
            self.kill().await;
        }
        self.process = spawn(self.port, &self.args, &self.folder);
        assert!(self.answers().await, "redis-server does not restart:\n{}", self.process.stdout());
    }
}

fn spawn(port: u16, args: &[String], folder: &TempDir) -> Process {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"]).arg(folder.path()).args(args);
    Process::start(&mut command)
}

/// Files with a certificate for 127.0.0.1 and the authority that issued it.
#[derive(Debug)]
pub struct Tls {
    folder: TempDir,
    port: u16,
}

impl Tls {
    pub fn issue() -> Tls {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let openssl = |line: &str| {
            let made = Command::new("openssl").args(line.split(' ')).current_dir(folder.path()).output();
            let made = made.expect("openssl is installed (scripts/test does that)");
            assert!(made.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&made.stderr));
        };
        let ec = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
        openssl(&format!("req -x509 {ec} -keyout ca.key -out ca.crt -subj /CN=test-authority"));
        let usage = "-addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
        openssl(&format!(
            "req -x509 {ec} -CA ca.crt -CAkey ca.key -keyout server.key -out server.crt -subj /CN=redis {usage}"
        ));
        let port = free_port();
        Tls { folder, port }
    }

    pub fn url(&self) -> String {
        format!("rediss://127.0.0.1:{}", self.port)
    }

    /// The certificate of the authority.
    pub fn authority(&self) -> std::path::PathBuf {
        self.folder.path().join("ca.crt")
    }
}

/// A cluster of three masters.
#[derive(Debug)]
pub struct Cluster {
    pub masters: Vec<Redis>,
}

impl Cluster {
    pub async fn start() -> Cluster {
        let mut masters = Vec::new();
        for _ in 0..3 {
            masters.push(Cluster::member().await);
        }
        for (at, (master, (from, to))) in
            masters.iter().zip([(0, 5_460), (5_461, 10_922), (10_923, 16_383)]).enumerate()
        {
            master.command(&format!("CLUSTER SET-CONFIG-EPOCH {}", at + 1)).await;
            master.command(&format!("CLUSTER ADDSLOTSRANGE {from} {to}")).await;
        }
        let cluster = Cluster { masters };
        for other in &cluster.masters[1..] {
            cluster.meet(other).await;
        }
        cluster.until_whole(3).await;
        cluster
    }

    async fn member() -> Redis {
        let gossip = free_port().to_string();
        let args = ["--save", "", "--cluster-enabled", "yes", "--cluster-port", &gossip];
        Redis::with(&[&args[..], &["--cluster-node-timeout", "2000"]].concat()).await
    }

    async fn meet(&self, other: &Redis) {
        self.masters[0].command(&format!("CLUSTER MEET 127.0.0.1 {} {}", other.port, other.gossip_port())).await;
    }

    async fn until_whole(&self, nodes: usize) {
        until_some("whole cluster", SOON, async || {
            for master in &self.masters {
                let about = master.text("CLUSTER INFO").await;
                if !about.contains("cluster_state:ok") || !about.contains(&format!("cluster_known_nodes:{nodes}\r")) {
                    return None;
                }
            }
            Some(())
        })
        .await;
    }

    /// The URL for `--broker`.
    pub fn url(&self) -> String {
        let addresses: Vec<String> = self.masters.iter().map(|master| master.address().to_string()).collect();
        format!("redis+cluster://{}", addresses.join(","))
    }

    /// The index of the master that has the channel of a stream, and the slot of that channel.
    pub async fn home_of(&self, stream: impl std::fmt::Display) -> Option<(usize, u64)> {
        for (at, master) in self.masters.iter().enumerate() {
            let redis::Value::Array(channels) = master.command(&format!("PUBSUB SHARDCHANNELS *:s:{stream}")).await
            else {
                continue;
            };
            let Some(redis::Value::BulkString(channel)) = channels.into_iter().next() else { continue };
            let channel = String::from_utf8(channel).expect("text");
            let redis::Value::Int(slot) = master.command(&format!("CLUSTER KEYSLOT {channel}")).await else { continue };
            return Some((at, slot as u64));
        }
        None
    }

    /// Moves a slot with all its keys, as the tools of an operator do.
    pub async fn move_slot(&self, slot: u64, from: usize, to: usize) {
        let (source, target) = (&self.masters[from], &self.masters[to]);
        let (source_id, target_id) = (source.text("CLUSTER MYID").await, target.text("CLUSTER MYID").await);
        target.command(&format!("CLUSTER SETSLOT {slot} IMPORTING {source_id}")).await;
        source.command(&format!("CLUSTER SETSLOT {slot} MIGRATING {target_id}")).await;
        loop {
            let redis::Value::Array(keys) = source.command(&format!("CLUSTER GETKEYSINSLOT {slot} 100")).await else {
                panic!("no list of keys")
            };
            if keys.is_empty() {
                break;
            }
            for key in keys {
                let redis::Value::BulkString(key) = key else { panic!("{key:?}") };
                let key = String::from_utf8(key).expect("text");
                source.command(&format!("MIGRATE 127.0.0.1 {} {key} 0 5000", target.port)).await;
            }
        }
        for node in [target, source].into_iter().chain(self.masters.iter()) {
            node.command(&format!("CLUSTER SETSLOT {slot} NODE {target_id}")).await;
        }
    }

    /// Starts a replica of a master and waits until it is in sync.
    pub async fn replica_of(&self, master: usize) -> Redis {
        let (replica, id) = (Cluster::member().await, self.masters[master].text("CLUSTER MYID").await);
        self.meet(&replica).await;
        self.until_whole(self.masters.len() + 1).await;
        until_some("replica that knows its master", SOON, async || {
            let nodes = replica.text("CLUSTER NODES").await;
            (nodes.contains(&id) && nodes.lines().count() == self.masters.len() + 1).then_some(())
        })
        .await;
        replica.command(&format!("CLUSTER REPLICATE {id}")).await;
        until_some("replica in sync", SOON, async || {
            let about = replica.text("INFO replication").await;
            let seen = self.masters[master].text("CLUSTER NODES").await;
            let known = seen.lines().any(|line| line.contains(&format!("slave {id}")));
            (about.contains("master_link_status:up") && known).then_some(())
        })
        .await;
        replica
    }
}
