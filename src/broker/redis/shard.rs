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

use super::super::vitals::{Vitals, count};
use super::super::{Delivery, Error, Place, Result};
use super::follow::Followed;
use super::ingress::Said;
use super::post::Posted;
use super::server::{Connected, Server};
use super::wire::{self, Message, NodeName};
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
const ONCE_TTL: Duration = Duration::from_secs(86_400);
/// A node that says nothing is not counted any more. Numbers are written and summed every two seconds and the sum is shown
/// within one more, so a dead node is gone within ten.
pub const COUNT_TTL: Duration = Duration::from_secs(7);

static SAY: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("say.lua")));
static PAST: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("past.lua")));
static COUNT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("count.lua")));

pub struct Shard {
    pub index: usize,
    pub server: Server,
    prefix: String,
    pub node: NodeName,
    node_name: String,
    pub vitals: Arc<Vitals>,
    /// While the link is up: how to call the server.
    calls: Mutex<Option<Connected>>,
    pub up: watch::Sender<bool>,
    /// It was up and died: what was posted since went nowhere.
    pub lost: AtomicBool,
    /// Something is wrong with the link: build it anew.
    pub doubt: Notify,
    pub followed: DashMap<StreamId, Followed>,
    /// Streams that the link shall be subscribed to, or not any more; answered when it is.
    pub asks: mpsc::Sender<(StreamId, oneshot::Sender<()>)>,
    pub ingress: DashMap<StreamId, mpsc::Sender<Said>>,
    pub post: mpsc::Sender<Posted>,
    pub out: mpsc::Sender<Delivery>,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
    batches: Arc<AtomicU64>,
}

/// What a stream's log says of itself.
pub struct Past {
    pub place: Place,
    /// In order; not all of them follow each other without a hole if history does not reach back so far.
    pub events: Vec<(u64, Bytes)>,
}

/// A batch of events with the number under which it is told at most once.
pub struct Batch {
    pub number: u64,
    pub bodies: Vec<Bytes>,
    pub once: Option<String>,
    /// Not numbered after this.
    pub good_until: Instant,
}

/// What the shards of one broker share.
#[derive(Clone)]
pub struct Common {
    pub shop: String,
    pub node: NodeName,
    pub vitals: Arc<Vitals>,
    pub out: mpsc::Sender<Delivery>,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
    pub batches: Arc<AtomicU64>,
}

/// The ends of the shard's queues that its own tasks read from.
pub struct Inlets {
    pub asks: mpsc::Receiver<(StreamId, oneshot::Sender<()>)>,
    pub post: mpsc::Receiver<Posted>,
}

const ASKS_MAX: usize = 8_192;

impl Shard {
    pub fn new(index: usize, server: Server, common: Common) -> (Arc<Self>, Inlets) {
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let (post, posted) = mpsc::channel(super::post::WAITING_MAX);
        let Common { shop, node, vitals, out, tasks, stop, batches } = common;
        let shard = Self {
            index,
            // Two shops may share a Redis: neither hears the other.
            prefix: format!("{}:{shop}", server.prefix()),
            server,
            node,
            node_name: hex::encode(node),
            vitals,
            calls: Mutex::new(None),
            up: watch::Sender::new(false),
            lost: AtomicBool::new(false),
            doubt: Notify::new(),
            followed: DashMap::new(),
            asks,
            ingress: DashMap::new(),
            post,
            out,
            tasks,
            stop,
            batches,
        };
        (Arc::new(shard), Inlets { asks: asked, post: posted })
    }

    // Names.

    pub fn stream_channel(&self, stream: StreamId) -> String {
        format!("{}:s:{stream}", self.prefix)
    }

    pub fn people_channel(&self) -> String {
        format!("{}:people", self.prefix)
    }

    pub fn beat_channel(&self) -> String {
        format!("{}:beat", self.prefix)
    }

    /// The stream a channel belongs to, if it is a stream's.
    pub fn stream_of(&self, channel: &[u8]) -> Option<StreamId> {
        let id = channel.strip_prefix(self.prefix.as_bytes())?.strip_prefix(b":s:")?;
        uuid::Uuid::try_parse_ascii(id).ok().map(StreamId)
    }

    pub fn publish_word(&self) -> &'static str {
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
    pub fn connected(&self) -> Result<Connected> {
        self.calls.lock().unwrap_or_else(|poison| poison.into_inner()).clone().ok_or(Error::Away)
    }

    pub fn set_connected(&self, connected: Option<Connected>) {
        *self.calls.lock().unwrap_or_else(|poison| poison.into_inner()) = connected;
    }

    pub fn next_batch(&self) -> u64 {
        self.batches.fetch_add(1, Ordering::Relaxed) + 1
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
            self.doubt.notify_one();
        }
        tracing::debug!(shard = self.index, error = %error, "{what} failed");
        Error::Away
    }

    async fn call<T: FromRedisValue>(
        &self,
        connected: &mut Connected,
        script: &ScriptInvocation<'_>,
    ) -> RedisResult<T> {
        script.invoke_async(&mut connected.connection).await
    }

    /// One try at telling a batch. [`Error::Late`]: it certainly was not told and will not be.
    pub async fn say(&self, stream: StreamId, batch: &Batch) -> Result<Place> {
        let mut connected = self.connected()?;
        let mut call = SAY.key(self.key("m", stream));
        call.key(self.key("h", stream));
        if let Some(once) = &batch.once {
            call.key(format!("{}:{once}", self.key("o", stream)));
        }
        call.arg(&self.node_name)
            .arg(batch.number)
            .arg(connected.time(batch.good_until))
            .arg(&*connected.run)
            .arg(new_epoch())
            .arg(batch.bodies.len())
            .arg(wire::parts(&batch.bodies))
            .arg(self.stream_channel(stream))
            .arg(self.publish_word())
            .arg(HISTORY_BATCHES)
            .arg(HISTORY_TTL.as_millis() as u64)
            .arg(META_TTL.as_millis() as u64)
            .arg(ONCE_TTL.as_millis() as u64);
        count(&self.vitals.batches, 1);
        let told: RedisResult<Vec<Value>> = self.call(&mut connected, &call).await;
        let told = told.map_err(|error| self.fault("a batch", &error))?;
        if told.is_empty() {
            return Err(Error::Late);
        }
        let (epoch, seq, heard): (String, u64, i64) =
            FromRedisValue::from_redis_value(Value::Array(told)).map_err(|error| {
                tracing::error!(error = %error, "the numbering script answered something else");
                Error::Away
            })?;
        if heard == 0 && self.followed.get(&stream).is_some_and(|followed| followed.is_subscribed()) {
            // We listen ourselves, so somebody should have heard it: the link is not what it seems.
            count(&self.vitals.unheard, 1);
            self.doubt.notify_one();
        }
        Ok(Place { epoch: epoch.into(), seq })
    }

    /// What a stream's log holds after `from`, or the newest of it.
    pub async fn past(&self, stream: StreamId, from: Option<&Place>) -> Result<Past> {
        let mut connected = self.connected()?;
        let mut call = PAST.key(self.key("m", stream));
        call.key(self.key("h", stream))
            .arg(&*connected.run)
            .arg(new_epoch())
            .arg(from.map_or("", |place| &*place.epoch))
            .arg(from.map_or(String::new(), |place| place.seq.to_string()))
            .arg(FILL_BATCHES)
            .arg(META_TTL.as_millis() as u64);
        let told: RedisResult<Vec<Value>> = self.call(&mut connected, &call).await;
        let told = told.map_err(|error| self.fault("history", &error))?;
        read_past(told, from).ok_or_else(|| {
            tracing::error!(stream.id = %stream, "a stream's history cannot be read");
            Error::Away
        })
    }

    /// Writes our numbers of viewers and gives the others' for each stream, in the same order.
    pub async fn count_viewers(&self, numbers: &[(StreamId, u64)]) -> Result<Vec<u64>> {
        let mut connected = self.connected()?;
        let mut call = COUNT.prepare_invoke();
        for (stream, _) in numbers {
            call.key(self.key("v", stream));
        }
        call.arg(&self.node_name).arg(COUNT_TTL.as_millis() as u64);
        for (_, viewers) in numbers {
            call.arg(*viewers);
        }
        let told: RedisResult<Vec<u64>> = self.call(&mut connected, &call).await;
        told.map_err(|error| self.fault("the count of viewers", &error))
    }
}

fn read_past(told: Vec<Value>, from: Option<&Place>) -> Option<Past> {
    let mut told = told.into_iter();
    let epoch: String = FromRedisValue::from_redis_value(told.next()?).ok()?;
    let seq: u64 = FromRedisValue::from_redis_value(told.next()?).ok()?;
    let after = from.filter(|place| *place.epoch == *epoch).map_or(0, |place| place.seq);
    let mut events = Vec::new();
    for batch in told {
        let Value::BulkString(bytes) = batch else { return None };
        let Message::Log { epoch: own, first, bodies } = wire::read(bytes.into())? else { return None };
        if own == epoch {
            events.extend((first..).zip(bodies).filter(|(seq, _)| after < *seq));
        }
    }
    Some(Past { place: Place { epoch: epoch.into(), seq }, events })
}

fn new_epoch() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}
