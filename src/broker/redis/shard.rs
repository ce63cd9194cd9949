//! A shard, which is one Redis server (or cluster partition) as the rest of this node uses it: key names, the
//! connection for calls, and queues.

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
use super::server::{CALL_DEADLINE, RedisConnection, RedisServer};
use super::wire::{self, NodeId, WireMessage};
use crate::domain::StreamId;

/// Batches in a stream's history. With one event per batch, this is how far back a client can resume. At 100 batches a
/// second per node, a busy show keeps a few seconds; the rooms' ring buffers keep a minute.
const HISTORY_BATCHES: usize = 256;
/// Batches that one read of history returns.
const FILL_BATCHES: usize = 128;
const HISTORY_TTL: Duration = Duration::from_secs(3_600);
/// A stream without events for longer than this starts a new epoch.
const META_TTL: Duration = Duration::from_secs(86_400);
/// How long an idempotency key is remembered.
const IDEMPOTENCY_KEY_TTL: Duration = Duration::from_secs(86_400);
/// Presence: a node that does not renew its number for this long is not counted. Numbers are written and summed every
/// two seconds and the sum is shown within one more, so a dead node is gone within ten seconds.
pub const PRESENCE_TTL: Duration = Duration::from_secs(7);

static APPEND_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("append.lua")));
static HISTORY_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("history.lua")));
static PRESENCE_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("presence.lua")));

pub struct Shard {
    pub index: usize,
    pub server: RedisServer,
    prefix: String,
    pub node_id: NodeId,
    node_id_hex: String,
    pub metrics: Arc<BrokerMetrics>,
    /// The connection for calls, while the link is up.
    call_connection: Mutex<Option<RedisConnection>>,
    pub up: watch::Sender<bool>,
    /// What the operator has to change before the link can be established.
    problem: Mutex<Option<&'static str>>,
    /// The link was up and failed: what was published since then was lost.
    pub was_lost: AtomicBool,
    /// Frames for users of this node were dropped: their orders have to be looked up.
    pub has_lost_user_frames: AtomicBool,
    /// A call found that the link is broken: reconnect.
    pub reconnect_requested: Notify,
    pub subscriptions: DashMap<StreamId, BrokerSubscription>,
    /// Streams whose subscription the link has to change, with a reply when it is done.
    pub subscription_requests: mpsc::Sender<(StreamId, oneshot::Sender<()>)>,
    pub ingress: DashMap<StreamId, mpsc::Sender<PublishRequest>>,
    pub publications: mpsc::Sender<Publication>,
    pub out: mpsc::Sender<BrokerEvent>,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
    batch_counter: Arc<AtomicU64>,
}

/// A batch of events, with the number under which it is published at most once.
pub struct EventBatch {
    pub number: u64,
    pub bodies: Vec<Bytes>,
    pub idempotency_key: Option<String>,
    /// The batch is not numbered after this.
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

/// The receiving ends of the shard's queues, for its own tasks.
pub struct ShardQueues {
    pub subscription_requests: mpsc::Receiver<(StreamId, oneshot::Sender<()>)>,
    pub publications: mpsc::Receiver<Publication>,
}

const SUBSCRIPTION_QUEUE_MAX: usize = 8_192;

impl Shard {
    pub fn new(index: usize, server: RedisServer, context: ShardContext) -> (Arc<Self>, ShardQueues) {
        let (subscription_requests, subscription_receiver) = mpsc::channel(SUBSCRIPTION_QUEUE_MAX);
        let (publications, publication_receiver) = mpsc::channel(super::publisher::PUBLISH_QUEUE_MAX);
        let ShardContext { shop, node_id, metrics, out, tasks, stop, batch_counter } = context;
        let shard = Self {
            index,
            // Two shops may share one Redis: neither receives the other's messages.
            prefix: format!("{}:{shop}", server.key_prefix()),
            server,
            node_id,
            node_id_hex: hex::encode(node_id),
            metrics,
            call_connection: Mutex::new(None),
            up: watch::Sender::new(false),
            problem: Mutex::new(None),
            was_lost: AtomicBool::new(false),
            has_lost_user_frames: AtomicBool::new(false),
            reconnect_requested: Notify::new(),
            subscriptions: DashMap::new(),
            subscription_requests,
            ingress: DashMap::new(),
            publications,
            out,
            tasks,
            stop,
            batch_counter,
        };
        (
            Arc::new(shard),
            ShardQueues { subscription_requests: subscription_receiver, publications: publication_receiver },
        )
    }

    // Names of keys and channels.

    pub fn stream_channel(&self, stream: StreamId) -> String {
        format!("{}:s:{stream}", self.prefix)
    }

    pub fn users_channel(&self) -> String {
        format!("{}:users", self.prefix)
    }

    pub fn heartbeat_channel(&self) -> String {
        format!("{}:heartbeat", self.prefix)
    }

    /// The stream of a channel, if it is a stream's channel.
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

    /// Tells the app that frames for users were dropped, as soon as there is space in its queue. Call it again later: it
    /// does nothing when there is nothing to tell.
    pub fn announce_lost_user_frames(&self) {
        if self.has_lost_user_frames.swap(false, Ordering::AcqRel)
            && self.out.try_send(BrokerEvent::UserFramesLost).is_err()
        {
            self.has_lost_user_frames.store(true, Ordering::Release);
        }
    }

    /// Streams that this node follows and that are not subscribed. Zero while the link is up, except for a moment.
    pub fn unsubscribed_streams(&self) -> usize {
        self.subscriptions.iter().filter(|subscription| !subscription.is_subscribed()).count()
    }

    /// Fails at once while the link is down.
    pub fn connection(&self) -> Result<RedisConnection> {
        self.call_connection.lock().unwrap_or_else(|poison| poison.into_inner()).clone().ok_or(Error::Unavailable)
    }

    pub fn set_connection(&self, connection: Option<RedisConnection>) {
        *self.call_connection.lock().unwrap_or_else(|poison| poison.into_inner()) = connection;
    }

    pub fn problem(&self) -> Option<&'static str> {
        *self.problem.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    pub fn set_problem(&self, problem: Option<&'static str>) {
        *self.problem.lock().unwrap_or_else(|poison| poison.into_inner()) = problem;
    }

    pub fn next_batch_number(&self) -> u64 {
        self.batch_counter.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Logs a failed call and requests a reconnect if the error shows that the link is broken. A call that only timed
    /// out proves nothing yet: the heartbeat finds out.
    pub fn call_failed(&self, what: &str, error: &RedisError) -> Error {
        let is_elsewhere = matches!(
            error.kind(),
            ErrorKind::Server(
                ServerErrorKind::Moved
                    | ServerErrorKind::Ask
                    | ServerErrorKind::ReadOnly
                    | ServerErrorKind::ClusterDown
                    | ServerErrorKind::MasterDown
            )
        );
        if is_elsewhere || error.is_connection_dropped() || error.is_unrecoverable_error() {
            self.reconnect_requested.notify_one();
        }
        tracing::debug!(shard = self.index, error = %error, "a call to Redis failed: {what}");
        Error::Unavailable
    }

    async fn call<T: FromRedisValue>(
        &self,
        server: &mut RedisConnection,
        script: &ScriptInvocation<'_>,
    ) -> RedisResult<T> {
        script.invoke_async(&mut server.connection).await
    }

    /// Does once everything that a node does in Redis, on a stream that nobody watches. So a user without a permission is
    /// noticed here, and not when the first viewer writes.
    pub async fn check_permissions(&self, server: &mut RedisConnection) -> RedisResult<()> {
        let unwatched = StreamId(uuid::Uuid::nil());
        let deadline = Instant::now() + CALL_DEADLINE;
        let batch =
            EventBatch { number: self.next_batch_number(), bodies: vec!["{}".into()], idempotency_key: None, deadline };
        self.call_append(server, unwatched, &batch).await?;
        let mut presence = PRESENCE_SCRIPT.key(self.key("v", unwatched));
        presence.arg(&self.node_id_hex).arg(PRESENCE_TTL.as_millis() as u64).arg(0);
        self.call::<Vec<u64>>(server, &presence).await?;
        self.call_history(server, unwatched, None).await.map(drop)
    }

    async fn call_append(
        &self,
        server: &mut RedisConnection,
        stream: StreamId,
        batch: &EventBatch,
    ) -> RedisResult<Vec<Value>> {
        let mut call = APPEND_SCRIPT.key(self.key("m", stream));
        call.key(self.key("h", stream));
        if let Some(key) = &batch.idempotency_key {
            call.key(format!("{}:{key}", self.key("o", stream)));
        }
        call.arg(&self.node_id_hex)
            .arg(batch.number)
            .arg(server.server_time_ms(batch.deadline))
            .arg(&*server.run_id)
            .arg(new_epoch())
            .arg(batch.bodies.len())
            .arg(wire::encode_parts(&batch.bodies))
            .arg(self.stream_channel(stream))
            .arg(self.publish_command())
            .arg(HISTORY_BATCHES)
            .arg(HISTORY_TTL.as_millis() as u64)
            .arg(META_TTL.as_millis() as u64)
            .arg(IDEMPOTENCY_KEY_TTL.as_millis() as u64);
        self.call(server, &call).await
    }

    async fn call_history(
        &self,
        server: &mut RedisConnection,
        stream: StreamId,
        from: Option<&StreamPosition>,
    ) -> RedisResult<Vec<Value>> {
        let mut call = HISTORY_SCRIPT.key(self.key("m", stream));
        call.key(self.key("h", stream))
            .arg(&*server.run_id)
            .arg(new_epoch())
            .arg(from.map_or("", |position| &*position.epoch))
            .arg(from.map_or(String::new(), |position| position.seq.to_string()))
            .arg(FILL_BATCHES)
            .arg(META_TTL.as_millis() as u64);
        self.call(server, &call).await
    }

    /// Tries once to publish a batch. [`Error::TooLate`]: it was certainly not published and never will be.
    pub async fn append(&self, stream: StreamId, batch: &EventBatch) -> Result<StreamPosition> {
        count(&self.metrics.append_calls, 1);
        let reply = self.call_append(&mut self.connection()?, stream, batch).await;
        let reply = reply.map_err(|error| self.call_failed("publishing a batch", &error))?;
        if reply.is_empty() {
            return Err(Error::TooLate);
        }
        let (epoch, seq, receivers): (String, u64, i64) = FromRedisValue::from_redis_value(Value::Array(reply))
            .map_err(|error| {
                tracing::error!(error = %error, "the append script returned an unexpected reply");
                Error::Unavailable
            })?;
        if receivers == 0 && self.subscriptions.get(&stream).is_some_and(|subscription| subscription.is_subscribed()) {
            // We are subscribed ourselves, so the message should have reached at least one subscriber: the link is
            // broken.
            count(&self.metrics.batches_without_receiver, 1);
            self.reconnect_requested.notify_one();
        }
        Ok(StreamPosition { epoch: epoch.into(), seq })
    }

    /// Where the logs of these streams stand; `None` for a log that has to start a new epoch first.
    pub async fn positions(&self, streams: &[StreamId]) -> Result<Vec<Option<StreamPosition>>> {
        type Meta = (Option<String>, Option<u64>, Option<String>);
        let mut server = self.connection()?;
        let mut pipe = redis::pipe();
        for stream in streams {
            pipe.cmd("HMGET").arg(self.key("m", stream)).arg("epoch").arg("seq").arg("run");
        }
        let metas: RedisResult<Vec<Meta>> = pipe.query_async(&mut server.connection).await;
        let metas = metas.map_err(|error| self.call_failed("reading positions", &error))?;
        let position = |(epoch, seq, run): Meta| match (epoch, run) {
            (Some(epoch), Some(run)) if *run == *server.run_id => {
                Some(StreamPosition { epoch: epoch.into(), seq: seq.unwrap_or(0) })
            }
            _ => None,
        };
        Ok(metas.into_iter().map(position).collect())
    }

    /// The history of a stream's log after `from`, or its newest events.
    pub async fn history(&self, stream: StreamId, from: Option<&StreamPosition>) -> Result<StreamHistory> {
        count(&self.metrics.history_calls, 1);
        let reply = self.call_history(&mut self.connection()?, stream, from).await;
        let reply = reply.map_err(|error| self.call_failed("reading history", &error))?;
        parse_history(reply, from).ok_or_else(|| {
            tracing::error!(stream.id = %stream, "the history of a stream cannot be read");
            Error::Unavailable
        })
    }

    /// Presence: writes this node's numbers of viewers and returns the sum of the other nodes for each stream, in the
    /// same order.
    pub async fn sync_presence(&self, numbers: &[(StreamId, u64)]) -> Result<Vec<u64>> {
        let mut server = self.connection()?;
        let mut call = PRESENCE_SCRIPT.prepare_invoke();
        for (stream, _) in numbers {
            call.key(self.key("v", stream));
        }
        call.arg(&self.node_id_hex).arg(PRESENCE_TTL.as_millis() as u64);
        for (_, viewers) in numbers {
            call.arg(*viewers);
        }
        let reply: RedisResult<Vec<u64>> = self.call(&mut server, &call).await;
        reply.map_err(|error| self.call_failed("the presence call", &error))
    }
}

fn parse_history(reply: Vec<Value>, from: Option<&StreamPosition>) -> Option<StreamHistory> {
    let mut reply = reply.into_iter();
    let epoch: String = FromRedisValue::from_redis_value(reply.next()?).ok()?;
    let seq: u64 = FromRedisValue::from_redis_value(reply.next()?).ok()?;
    let after = from.filter(|position| *position.epoch == *epoch).map_or(0, |position| position.seq);
    let mut events = Vec::new();
    for batch in reply {
        let Value::BulkString(bytes) = batch else { return None };
        let WireMessage::Events { epoch: own, first_seq, bodies } = wire::decode(bytes.into())? else { return None };
        if own == epoch {
            events.extend((first_seq..).zip(bodies).filter(|(seq, _)| after < *seq));
        }
    }
    Some(StreamHistory { position: StreamPosition { epoch: epoch.into(), seq }, events })
}

fn new_epoch() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}
