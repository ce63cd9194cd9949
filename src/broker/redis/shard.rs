//! One server of the bus as the rest of this node uses it: its names, its connection for calls, and what waits for it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use dashmap::DashMap;
use redis::{ErrorKind, FromRedisValue, RedisError, RedisResult, Script, ScriptInvocation, ServerErrorKind, Value};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::metrics::{BrokerMetrics, count};
use super::super::{BrokerEvent, Error, Result, StreamHistory, StreamPosition};
use super::ingress::PublishRequest;
use super::publisher::Publication;
use super::sequencer::BrokerSubscription;
use super::server::{RedisConnection, RedisServer};
use super::wire::{self, NodeId, WireMessage};
use crate::domain::StreamId;

/// Batches of a stream's history: with one event each this is as far back as one can come. At 100 batches a second and
/// node a busy show keeps some seconds of each; the rooms themselves remember a minute.
const HISTORY_BATCHES: usize = 256;
/// Batches read at once to fill a hole.
const FILL_BATCHES: usize = 128;
const HISTORY_TTL: Duration = Duration::from_secs(3_600);
/// A stream silent for longer begins anew.
const META_TTL: Duration = Duration::from_secs(86_400);
/// How long it is known that an event was told that is to be told once.
const IDEMPOTENCY_KEY_TTL: Duration = Duration::from_secs(86_400);
/// A node that says nothing is not counted any more. Numbers are written and summed every two seconds and the sum is shown
/// within one more, so a dead node is gone within ten.
pub const PRESENCE_TTL: Duration = Duration::from_secs(7);

static APPEND_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("say.lua")));
static HISTORY_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("past.lua")));
static PRESENCE_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("count.lua")));

pub struct Shard {
    pub index: usize,
    pub server: RedisServer,
    prefix: String,
    pub node_id: NodeId,
    node_id_hex: String,
    pub metrics: Arc<BrokerMetrics>,
    /// While the link is up: how to call the server.
    call_connection: Mutex<Option<RedisConnection>>,
    pub up: watch::Sender<bool>,
    /// It was up and died: what was posted since went nowhere.
    pub lost: AtomicBool,
    /// Something is wrong with the link: build it anew.
    pub reconnect_requested: Notify,
    pub subscriptions: DashMap<StreamId, BrokerSubscription>,
    /// Streams that the link shall be subscribed to, or not any more; answered when it is.
    pub subscription_requests: mpsc::Sender<(StreamId, oneshot::Sender<()>)>,
    pub ingress: DashMap<StreamId, mpsc::Sender<PublishRequest>>,
    pub post: mpsc::Sender<Publication>,
    pub out: mpsc::Sender<BrokerEvent>,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
    batch_counter: Arc<AtomicU64>,
}

/// A batch of events with the number under which it is told at most once.
pub struct EventBatch {
    pub number: u64,
    pub bodies: Vec<Bytes>,
    pub idempotency_key: Option<String>,
    /// Not numbered after this.
    pub deadline: Instant,
}

/// What the shards of one broker share.
#[derive(Clone)]
pub struct ShardContext {
    pub shop: String,
    pub node_id: NodeId,
    pub metrics: Arc<BrokerMetrics>,
    pub out: mpsc::Sender<BrokerEvent>,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
    pub batch_counter: Arc<AtomicU64>,
}

/// The ends of the shard's queues that its own tasks read from.
pub struct ShardQueues {
    pub subscription_requests: mpsc::Receiver<(StreamId, oneshot::Sender<()>)>,
    pub post: mpsc::Receiver<Publication>,
}

const SUBSCRIPTION_QUEUE_MAX: usize = 8_192;

impl Shard {
    pub fn new(index: usize, server: RedisServer, common: ShardContext) -> (Arc<Self>, ShardQueues) {
        let (asks, asked) = mpsc::channel(SUBSCRIPTION_QUEUE_MAX);
        let (post, posted) = mpsc::channel(super::publisher::PUBLISH_QUEUE_MAX);
        let ShardContext { shop, node_id: node, metrics: vitals, out, tasks, stop, batch_counter: batches } = common;
        let shard = Self {
            index,
            // Two shops may share a Redis: neither hears the other.
            prefix: format!("{}:{shop}", server.key_prefix()),
            server,
            node_id: node,
            node_id_hex: hex::encode(node),
            metrics: vitals,
            call_connection: Mutex::new(None),
            up: watch::Sender::new(false),
            lost: AtomicBool::new(false),
            reconnect_requested: Notify::new(),
            subscriptions: DashMap::new(),
            subscription_requests: asks,
            ingress: DashMap::new(),
            post,
            out,
            tasks,
            stop,
            batch_counter: batches,
        };
        (Arc::new(shard), ShardQueues { subscription_requests: asked, post: posted })
    }

    // Names.

    pub fn stream_channel(&self, stream: StreamId) -> String {
        format!("{}:s:{stream}", self.prefix)
    }

    pub fn users_channel(&self) -> String {
        format!("{}:people", self.prefix)
    }

    pub fn heartbeat_channel(&self) -> String {
        format!("{}:beat", self.prefix)
    }

    /// The stream a channel belongs to, if it is a stream's.
    pub fn stream_of(&self, channel: &[u8]) -> Option<StreamId> {
        let id = channel.strip_prefix(self.prefix.as_bytes())?.strip_prefix(b":s:")?;
        uuid::Uuid::try_parse_ascii(id).ok().map(StreamId)
    }

    pub fn publish_command(&self) -> &'static str {
        if self.server.is_partition() { "SPUBLISH" } else { "PUBLISH" }
    }

    fn key(&self, kind: &str, name: impl std::fmt::Display) -> String {
        format!("{}:{kind}:{name}", self.prefix)
    }

    // Calls.

    pub fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    /// Fails at once while the link is down.
    pub fn connection(&self) -> Result<RedisConnection> {
        self.call_connection.lock().unwrap_or_else(|poison| poison.into_inner()).clone().ok_or(Error::Unavailable)
    }

    pub fn set_connection(&self, connected: Option<RedisConnection>) {
        *self.call_connection.lock().unwrap_or_else(|poison| poison.into_inner()) = connected;
    }

    pub fn next_batch_number(&self) -> u64 {
        self.batch_counter.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// What went wrong, and whether the link has to be built anew for it. A call that only took too long says nothing yet:
    /// the beat finds out.
    pub fn fault(&self, what: &str, error: &RedisError) -> Error {
        let elsewhere = matches!(
            error.kind(),
            ErrorKind::Server(
                ServerErrorKind::Moved
                    | ServerErrorKind::Ask
                    | ServerErrorKind::ReadOnly
                    | ServerErrorKind::ClusterDown
                    | ServerErrorKind::MasterDown
            )
        );
        if elsewhere || error.is_connection_dropped() || error.is_unrecoverable_error() {
            self.reconnect_requested.notify_one();
        }
        tracing::debug!(shard = self.index, error = %error, "{what} failed");
        Error::Unavailable
    }

    async fn call<T: FromRedisValue>(
        &self,
        connected: &mut RedisConnection,
        script: &ScriptInvocation<'_>,
    ) -> RedisResult<T> {
        script.invoke_async(&mut connected.connection).await
    }

    /// One try at telling a batch. [`Error::Late`]: it certainly was not told and will not be.
    pub async fn say(&self, stream: StreamId, batch: &EventBatch) -> Result<StreamPosition> {
        let mut connected = self.connection()?;
        let mut call = APPEND_SCRIPT.key(self.key("m", stream));
        call.key(self.key("h", stream));
        if let Some(once) = &batch.idempotency_key {
            call.key(format!("{}:{once}", self.key("o", stream)));
        }
        call.arg(&self.node_id_hex)
            .arg(batch.number)
            .arg(connected.server_time_ms(batch.deadline))
            .arg(&*connected.run_id)
            .arg(new_epoch())
            .arg(batch.bodies.len())
            .arg(wire::encode_parts(&batch.bodies))
            .arg(self.stream_channel(stream))
            .arg(self.publish_command())
            .arg(HISTORY_BATCHES)
            .arg(HISTORY_TTL.as_millis() as u64)
            .arg(META_TTL.as_millis() as u64)
            .arg(IDEMPOTENCY_KEY_TTL.as_millis() as u64);
        count(&self.metrics.append_calls, 1);
        let told: RedisResult<Vec<Value>> = self.call(&mut connected, &call).await;
        let told = told.map_err(|error| self.fault("a batch", &error))?;
        if told.is_empty() {
            return Err(Error::TooLate);
        }
        let (epoch, seq, heard): (String, u64, i64) =
            FromRedisValue::from_redis_value(Value::Array(told)).map_err(|error| {
                tracing::error!(error = %error, "the numbering script answered something else");
                Error::Unavailable
            })?;
        if heard == 0 && self.subscriptions.get(&stream).is_some_and(|followed| followed.is_subscribed()) {
            // We listen ourselves, so somebody should have heard it: the link is not what it seems.
            count(&self.metrics.batches_without_receiver, 1);
            self.reconnect_requested.notify_one();
        }
        Ok(StreamPosition { epoch: epoch.into(), seq })
    }

    /// What a stream's log holds after `from`, or the newest of it.
    pub async fn history(&self, stream: StreamId, from: Option<&StreamPosition>) -> Result<StreamHistory> {
        let mut connected = self.connection()?;
        let mut call = HISTORY_SCRIPT.key(self.key("m", stream));
        call.key(self.key("h", stream))
            .arg(&*connected.run_id)
            .arg(new_epoch())
            .arg(from.map_or("", |place| &*place.epoch))
            .arg(from.map_or(String::new(), |place| place.seq.to_string()))
            .arg(FILL_BATCHES)
            .arg(META_TTL.as_millis() as u64);
        let told: RedisResult<Vec<Value>> = self.call(&mut connected, &call).await;
        let told = told.map_err(|error| self.fault("history", &error))?;
        parse_history(told, from).ok_or_else(|| {
            tracing::error!(stream.id = %stream, "a stream's history cannot be read");
            Error::Unavailable
        })
    }

    /// Writes our numbers of viewers and gives the others' for each stream, in the same order.
    pub async fn sync_presence(&self, numbers: &[(StreamId, u64)]) -> Result<Vec<u64>> {
        let mut connected = self.connection()?;
        let mut call = PRESENCE_SCRIPT.prepare_invoke();
        for (stream, _) in numbers {
            call.key(self.key("v", stream));
        }
        call.arg(&self.node_id_hex).arg(PRESENCE_TTL.as_millis() as u64);
        for (_, viewers) in numbers {
            call.arg(*viewers);
        }
        let told: RedisResult<Vec<u64>> = self.call(&mut connected, &call).await;
        told.map_err(|error| self.fault("the count of viewers", &error))
    }
}

fn parse_history(told: Vec<Value>, from: Option<&StreamPosition>) -> Option<StreamHistory> {
    let mut told = told.into_iter();
    let epoch: String = FromRedisValue::from_redis_value(told.next()?).ok()?;
    let seq: u64 = FromRedisValue::from_redis_value(told.next()?).ok()?;
    let after = from.filter(|place| *place.epoch == *epoch).map_or(0, |place| place.seq);
    let mut events = Vec::new();
    for batch in told {
        let Value::BulkString(bytes) = batch else { return None };
        let WireMessage::Events { epoch: own, first, bodies } = wire::decode(bytes.into())? else { return None };
        if own == epoch {
            events.extend((first..).zip(bodies).filter(|(seq, _)| after < *seq));
        }
    }
    Some(StreamHistory { position: StreamPosition { epoch: epoch.into(), seq }, events })
}

fn new_epoch() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}
