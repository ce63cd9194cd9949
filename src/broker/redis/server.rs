//! The servers behind a URL, and the connections to them.
//!
//! A *shard* is what one link serves: an independent Redis, or one of sixteen partitions of a Redis Cluster. A
//! partition is a hash tag. Its streams, their history and their channel (sharded pub/sub) share a slot, so the master
//! of that slot serves all of it alone. We connect to that master like to any Redis. The library's own cluster
//! connection is not used: it hides which master stopped answering, resubscribes by itself, perhaps only half, and
//! passes pushes on without a bound.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, ProtocolVersion,
    PushInfo, RedisError, RedisResult, Value,
};
use tokio::time::Instant;

use crate::connection_url;

const CONNECT_DEADLINE: Duration = Duration::from_secs(1);
/// The timeout of one call; a call that is lost is retried by its caller if a retry is safe.
pub const CALL_DEADLINE: Duration = Duration::from_millis(750);
/// Calls that wait for a connection's socket.
const CALL_QUEUE_MAX: usize = 1_024;

/// Hash tags whose slots divide a cluster evenly, for any number of masters up to sixteen.
const PARTITION_TAGS: [u32; 16] =
    [1768, 1678, 1548, 223, 1328, 443, 1845, 1955, 265, 375, 908, 155, 985, 895, 1493, 1583];

/// The address of one shard.
#[derive(Clone, Debug)]
pub enum RedisServer {
    Single(Box<ConnectionInfo>),
    /// One partition of a cluster, found by asking any of these nodes.
    Partition {
        seeds: Arc<[ConnectionInfo]>,
        tag: u32,
    },
}

/// A connection, and the run of the server behind it.
#[derive(Clone)]
pub struct RedisConnection {
    pub connection: MultiplexedConnection,
    /// Changes when the server is another one or was restarted: then it may have lost data.
    pub run_id: Arc<str>,
    /// A moment of our clock, and the server's clock at that moment.
    clock: (Instant, i64),
}

impl RedisConnection {
    /// The server's clock, in epoch milliseconds.
    pub fn server_time_ms(&self, at: Instant) -> i64 {
        self.clock.1 + at.saturating_duration_since(self.clock.0).as_millis() as i64
    }
}

/// The shards of `redis://one,redis://two` or of `redis+cluster://one,two,three`; `rediss` uses TLS with the
/// certificate authorities that the system trusts. `Err` is a sentence for the operator.
pub fn parse_urls(urls: &str) -> Result<Vec<RedisServer>, String> {
    if let Some((scheme @ ("redis" | "rediss"), seeds)) = urls.split_once("+cluster://") {
        let credentials = seeds.split_once('@').map(|(credentials, _)| format!("{credentials}@")).unwrap_or_default();
        let with_credentials = |seed: &str| match seed.contains('@') {
            true => parse_url(&format!("{scheme}://{seed}")),
            false => parse_url(&format!("{scheme}://{credentials}{seed}")),
        };
        let seeds: Arc<[ConnectionInfo]> = seeds.split(',').map(with_credentials).collect::<Result<_, _>>()?;
        return Ok(PARTITION_TAGS.map(|tag| RedisServer::Partition { seeds: seeds.clone(), tag }).to_vec());
    }
    urls.split(',').map(|url| Ok(RedisServer::Single(Box::new(parse_url(url)?)))).collect()
}

fn parse_url(url: &str) -> Result<ConnectionInfo, String> {
    if !url.starts_with("redis://") && !url.starts_with("rediss://") {
        return Err("--broker is local, redis://HOST:PORT (several with commas: streams are divided among them), or \
                    redis+cluster://HOST:PORT,HOST:PORT,…; rediss instead of redis is TLS"
            .to_owned());
    }
    connection_url::check(url).map_err(|why| format!("--broker (LIVESOUK_BROKER): {why}"))?;
    // Without the URL in the error, because it may contain a password.
    let connection_info = url.into_connection_info().map_err(|error| format!("--broker (LIVESOUK_BROKER): {error}"))?;
    let settings = connection_info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Ok(connection_info.set_redis_settings(settings).set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

impl RedisServer {
    /// A partition uses sharded pub/sub: the same commands with another name, bound to the channel's slot.
    pub fn is_partition(&self) -> bool {
        matches!(self, RedisServer::Partition { .. })
    }

    /// The first part of every key and channel of this shard.
    pub fn key_prefix(&self) -> String {
        match self {
            RedisServer::Single(_) => "livesouk".to_owned(),
            RedisServer::Partition { tag, .. } => format!("livesouk:{{{tag}}}"),
        }
    }

    /// The address that serves this shard now.
    pub async fn resolve(&self) -> RedisResult<ConnectionInfo> {
        let (seeds, tag) = match self {
            RedisServer::Single(connection_info) => return Ok((**connection_info).clone()),
            RedisServer::Partition { seeds, tag } => (seeds, tag),
        };
        let mut failed = RedisError::from((ErrorKind::ClusterConnectionNotFound, "no seed answers"));
        // Starts with a random seed: the first one may be down.
        let start = rand::random_range(0..seeds.len());
        for seed in seeds[start..].iter().chain(&seeds[..start]) {
            match find_master(seed, *tag).await {
                Ok(master) => return Ok(master),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }
}

/// Opens a connection for calls.
pub async fn connect(to: &ConnectionInfo) -> RedisResult<RedisConnection> {
    let config = AsyncConnectionConfig::new();
    let mut connection = open_connection(to, config).await?;
    let asked_at = Instant::now();
    let mut pipe = redis::pipe();
    let reply: (String, (i64, i64)) = pipe.cmd("INFO").arg("server").cmd("TIME").query_async(&mut connection).await?;
    let run = reply.0.lines().find_map(|line| line.strip_prefix("run_id:"));
    let run = run.ok_or_else(|| RedisError::from((ErrorKind::UnexpectedReturnType, "the server has no run_id")))?;
    let clock = (asked_at, reply.1.0 * 1_000 + reply.1.1 / 1_000);
    Ok(RedisConnection { connection, run_id: run.trim().into(), clock })
}

/// Opens a connection for subscriptions. `push` must not wait.
pub async fn connect_for_pushes(
    to: &ConnectionInfo,
    push: impl Fn(PushInfo) -> Result<(), ()> + Send + Sync + 'static,
) -> RedisResult<MultiplexedConnection> {
    open_connection(to, AsyncConnectionConfig::new().set_push_sender(push)).await
}

/// Opens a connection for heartbeats alone.
pub async fn connect_for_heartbeats(to: &ConnectionInfo) -> RedisResult<MultiplexedConnection> {
    open_connection(to, AsyncConnectionConfig::new()).await
}

async fn open_connection(to: &ConnectionInfo, config: AsyncConnectionConfig) -> RedisResult<MultiplexedConnection> {
    let config = config
        .set_connection_timeout(Some(CONNECT_DEADLINE))
        .set_response_timeout(Some(CALL_DEADLINE))
        .set_pipeline_buffer_size(CALL_QUEUE_MAX);
    let connecting = async { Client::open(to.clone())?.get_multiplexed_async_connection_with_config(&config).await };
    // The library's own timeout does not cover every step of a handshake with a server that hangs.
    match tokio::time::timeout(2 * CONNECT_DEADLINE, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}

/// What the operator has to change, for errors that only the operator can fix. It names neither the server nor the user,
/// because `/readyz` shows it.
pub fn hint(error: &RedisError) -> Option<&'static str> {
    let text = error.to_string();
    let is_about = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if is_about(&["NOPERM", "ACL failure", "no permissions"]) {
        return Some(if is_about(&["'evalsha'", "'eval'", "'script"]) {
            "the Redis user may not run scripts (EVALSHA, SCRIPT LOAD), which number the messages: see docs/operate.md"
        } else {
            "the Redis user lacks a permission that nodes need: see docs/operate.md"
        });
    }
    is_about(&["WRONGPASS", "NOAUTH", "AuthenticationFailed", "invalid username-password"])
        .then_some("Redis refuses the user name or the password; characters like / ? # @ : % must be percent-encoded")
}

/// The master that owns a tag's slot, according to this seed.
async fn find_master(seed: &ConnectionInfo, tag: u32) -> RedisResult<ConnectionInfo> {
    let mut connection = open_connection(seed, AsyncConnectionConfig::new()).await?;
    let mut pipe = redis::pipe();
    pipe.cmd("CLUSTER").arg("KEYSLOT").arg(format!("{{{tag}}}")).cmd("CLUSTER").arg("SLOTS");
    let (slot, ranges): (i64, Value) = pipe.query_async(&mut connection).await?;
    let Some((host, port)) = slot_owner(&ranges, slot) else {
        return Err(RedisError::from((ErrorKind::ClusterConnectionNotFound, "no master owns this slot")));
    };
    // A server that does not know its own name is at the address that we asked.
    let address_of = |seed_host: &String| if host.is_empty() || host == "?" { seed_host.clone() } else { host.clone() };
    let address = match seed.addr() {
        ConnectionAddr::Tcp(seed_host, _) => ConnectionAddr::Tcp(address_of(seed_host), port),
        ConnectionAddr::TcpTls { host: seed_host, insecure, tls_params, .. } => {
            let (host, insecure, tls_params) = (address_of(seed_host), *insecure, tls_params.clone());
            ConnectionAddr::TcpTls { host, port, insecure, tls_params }
        }
        _ => return Err(RedisError::from((ErrorKind::InvalidClientConfig, "a cluster needs host and port"))),
    };
    Ok(seed.clone().set_addr(address))
}

/// `[[from, to, [host, port, …], replicas…]…]`
fn slot_owner(ranges: &Value, slot: i64) -> Option<(String, u16)> {
    let list = |value: &Value| match value {
        Value::Array(items) => Some(items.clone()),
        _ => None,
    };
    for range in list(ranges)? {
        let range = list(&range)?;
        let [Value::Int(from), Value::Int(to), master, ..] = range.as_slice() else { return None };
        if (*from..=*to).contains(&slot) {
            let master = list(master)?;
            let host = match master.first()? {
                Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok()?,
                _ => String::new(),
            };
            let Value::Int(port) = master.get(1)? else { return None };
            return Some((host, (*port).try_into().ok()?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_parsed_or_refused_with_a_reason() {
        for (urls, shards) in [
            ("redis://a:6379", 1),
            ("redis://a:6379,redis://b:6379/2", 2),
            ("rediss://user:secret@a:6379", 1),
            ("redis+cluster://a:1,b:2,c:3", 16),
            ("rediss+cluster://a:1,b:2", 16),
            ("redis+cluster://user:secret@a:1,b:2", 16),
        ] {
            assert_eq!(parse_urls(urls).unwrap().len(), shards, "{urls}");
        }
        for urls in ["redis://a,b", "kafka+cluster://a", "redis+cluster://", "redis://", "kafka://a"] {
            let refused = parse_urls(urls).unwrap_err();
            assert!(refused.contains("--broker"), "{urls}: {refused}");
        }
        let RedisServer::Partition { seeds, .. } = &parse_urls("redis+cluster://user:secret@a:1,b:2").unwrap()[0]
        else {
            panic!("a cluster")
        };
        assert_eq!(seeds[1].redis_settings().password(), Some("secret"), "one password for all seeds");
    }

    #[test]
    fn slot_owner_is_found() {
        let node = |port| Value::Array(vec![Value::BulkString(b"h".to_vec()), Value::Int(port)]);
        let range = |from, to, port| Value::Array(vec![Value::Int(from), Value::Int(to), node(port), node(9)]);
        let ranges = Value::Array(vec![range(0, 99, 1), range(100, 16_383, 2)]);
        for (slot, found) in [(0, Some(1)), (99, Some(1)), (100, Some(2)), (20_000, None)] {
            assert_eq!(slot_owner(&ranges, slot), found.map(|port| ("h".to_owned(), port)), "{slot}");
        }
    }
}
