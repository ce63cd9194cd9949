//! The broker carries messages between the nodes of a cluster: opaque bytes, numbered per stream. The local broker
//! serves one process, the Redis broker serves many nodes; both carry the same bytes.

mod local;
pub mod metrics;
mod redis;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

pub use crate::domain::StreamPosition;
use crate::domain::{Millis, StreamId, UserId};
pub use metrics::BrokerMetrics;
pub use redis::check_urls;

/// The kinds of broker are a closed set, so this is an enum and not a trait.
#[derive(Debug)]
pub enum Broker {
    Local(local::LocalBroker),
    Redis(redis::RedisBroker),
}

/// What a room starts with: the newest events of a stream, in order, and the position of the last one.
#[derive(Clone, PartialEq, Debug)]
pub struct StreamHistory {
    pub position: StreamPosition,
    pub events: Vec<(u64, Bytes)>,
}

/// A value of the state lane. Only the highest `version` of a `key` is worth sending.
#[derive(Clone, Debug)]
pub struct StateValue {
    pub key: u64,
    pub version: [i64; 2],
    pub body: Bytes,
}

/// A session that joined a stream's room: the digest of the session, the number of this join on its node, and when it was,
/// by the wall clock of its node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionJoined {
    pub session_digest: [u8; 16],
    pub join_number: u64,
    pub joined_at: Millis,
}

/// What the broker delivers to every node, including the node that published it.
#[derive(Clone, PartialEq, Debug)]
pub enum BrokerEvent {
    /// Event lane: `bodies` are numbered from `first_seq`. The events of one stream arrive in order and without a hole.
    Events { stream: StreamId, epoch: Arc<str>, first_seq: u64, bodies: Vec<Bytes> },
    /// The event lane of a stream continues from `position`; the events before it that this node has not seen cannot be
    /// recovered. `recent` are the newest events before the position.
    Restart { stream: StreamId, position: StreamPosition, recent: Vec<(u64, Bytes)> },
    /// State lane: a value of which only the newest matters.
    State { stream: StreamId, body: Bytes },
    /// A frame for one user, on all of their connections.
    User { user: UserId, body: Bytes },
    /// Sessions that joined, in the same order on every node. `is_local`: they joined on this node.
    Joined { stream: StreamId, sessions: Vec<SessionJoined>, is_local: bool },
    /// Another node had no connection to the broker for a while: frames that it published for users of this node may be
    /// lost.
    UserFramesLost,
    /// The connection to one shard of the broker was lost or is back. It concerns all streams of this shard.
    Link { shard: usize, is_up: bool },
}

#[derive(thiserror::Error, Clone, Copy, PartialEq, Debug)]
pub enum Error {
    /// A queue is full. Nothing was numbered and nothing was published.
    #[error("the broker's queue is full")]
    QueueFull,
    /// The broker cannot be reached. The message was most likely not published; if it has not been published by now, it
    /// never will be.
    #[error("the broker is unavailable")]
    Unavailable,
    /// The broker received the message after its deadline and did nothing.
    #[error("the message reached the broker after its deadline")]
    TooLate,
    #[error("the broker has stopped")]
    Stopped,
}

pub type Result<T> = std::result::Result<T, Error>;

static LOCAL_METRICS: std::sync::LazyLock<BrokerMetrics> = std::sync::LazyLock::new(BrokerMetrics::default);

impl Broker {
    /// The in-process broker, and the queue of what it delivers.
    pub fn local() -> (Self, mpsc::Receiver<BrokerEvent>) {
        let (local, deliveries) = local::LocalBroker::new();
        (Broker::Local(local), deliveries)
    }

    /// The Redis broker at these URLs: `redis://one,redis://two`, or `redis+cluster://one,two,three`; `rediss` uses
    /// TLS. It connects in the background. All nodes that name the same `shop` receive each other's messages. `Err` is
    /// a sentence for the operator.
    pub fn redis(urls: &str, shop: &str) -> std::result::Result<(Self, mpsc::Receiver<BrokerEvent>), String> {
        let (redis, deliveries) = redis::RedisBroker::new(urls, shop)?;
        Ok((Broker::Redis(redis), deliveries))
    }

    /// Whether other nodes share this broker.
    pub fn is_shared(&self) -> bool {
        matches!(self, Broker::Redis(_))
    }

    /// Waits until every shard is connected, or until the deadline. Returns whether all are connected.
    pub async fn wait_until_up(&self, deadline: Duration) -> bool {
        match self {
            Broker::Local(_) => true,
            Broker::Redis(redis) => redis.wait_until_up(deadline).await,
        }
    }

    /// Numbers events and publishes them to every room of the stream. Returns the position of the last event, once they
    /// are numbered. Fails with [`Error::QueueFull`] or [`Error::Unavailable`] within about two seconds.
    pub async fn publish(&self, stream: StreamId, bodies: Vec<Bytes>) -> Result<StreamPosition> {
        match self {
            Broker::Local(local) => local.publish(stream, bodies, None),
            Broker::Redis(redis) => redis.publish(stream, bodies, None).await,
        }
    }

    /// Publishes one event that several nodes may publish, or one node twice: only the first event with this
    /// idempotency key is published. The key is remembered for a day, as long as Redis keeps its memory. For a repeated
    /// key, the returned position is where the log stood at the first publish, or where it stands now.
    pub async fn publish_once(&self, stream: StreamId, idempotency_key: String, body: Bytes) -> Result<StreamPosition> {
        match self {
            Broker::Local(local) => local.publish(stream, vec![body], Some(idempotency_key)),
            Broker::Redis(redis) => redis.publish(stream, vec![body], Some(idempotency_key)).await,
        }
    }

    /// Publishes a value of the state lane. Never waits. The rooms of this node receive it even when the broker is
    /// unavailable.
    pub fn publish_state(&self, stream: StreamId, value: StateValue) -> Result<()> {
        match self {
            Broker::Local(local) => local.send(BrokerEvent::State { stream, body: value.body }),
            Broker::Redis(redis) => redis.publish_state(stream, value),
        }
    }

    /// Publishes a frame for one user. Never waits. `is_connected_here`: the user is connected to this node too, which
    /// then delivers the frame even when the broker is unavailable.
    pub fn publish_to_user(&self, user: UserId, body: Bytes, is_connected_here: bool) -> Result<()> {
        match self {
            Broker::Local(local) if is_connected_here => local.send_to_user(user, body),
            Broker::Local(_) => Ok(()),
            Broker::Redis(redis) => redis.publish_to_user(user, body, is_connected_here),
        }
    }

    /// Publishes that a session joined, so that its older connections are closed on every node. Never waits.
    pub fn publish_join(&self, stream: StreamId, session: SessionJoined) {
        if let Broker::Redis(redis) = self {
            redis.publish_join(stream, session);
        }
    }

    /// Subscribes to a stream. Call it once for each room, and [`unsubscribe`](Self::unsubscribe) once when the room is
    /// gone. When the broker is unavailable, the subscription starts as soon as it is back, with a
    /// [`BrokerEvent::Restart`].
    pub async fn subscribe(&self, stream: StreamId) -> Result<StreamHistory> {
        match self {
            Broker::Local(local) => Ok(local.history(stream)),
            Broker::Redis(redis) => redis.subscribe(stream).await,
        }
    }

    pub fn unsubscribe(&self, stream: StreamId) {
        if let Broker::Redis(redis) = self {
            redis.unsubscribe(stream);
        }
    }

    /// The events of a stream after `seq` of `epoch`, in order and without a hole, if the history holds all of them;
    /// otherwise none. For clients that were away for longer than a room's ring buffer reaches back.
    pub async fn history_after(&self, stream: StreamId, epoch: &str, seq: u64) -> Vec<(u64, Bytes)> {
        match self {
            Broker::Local(local) => local.history_after(stream, epoch, seq),
            Broker::Redis(redis) => redis.history_after(stream, epoch, seq).await,
        }
    }

    /// Presence: writes the number of viewers per stream on this node and returns the number on the other nodes, for
    /// the streams whose server answered. Call it every two seconds: a number that is not renewed expires after seven
    /// seconds. 0 removes this node's number.
    pub async fn sync_presence(&self, numbers: Vec<(StreamId, u64)>) -> Vec<(StreamId, u64)> {
        match self {
            Broker::Local(local) => {
                local.announce_lost_user_frames();
                Vec::new()
            }
            Broker::Redis(redis) => redis.sync_presence(numbers).await,
        }
    }

    /// The shard that carries a stream; [`BrokerEvent::Link`] names it.
    pub fn shard_of(&self, stream: StreamId) -> usize {
        match self {
            Broker::Local(_) => 0,
            Broker::Redis(redis) => redis.shard_of(stream),
        }
    }

    /// Whether the shard that carries this stream is connected.
    pub fn is_up(&self, stream: StreamId) -> bool {
        match self {
            Broker::Local(_) => true,
            Broker::Redis(redis) => redis.is_up(stream),
        }
    }

    /// What the operator has to change before the broker can be used: a permission, a password.
    pub fn problem(&self) -> Option<&'static str> {
        match self {
            Broker::Local(_) => None,
            Broker::Redis(redis) => redis.problem(),
        }
    }

    /// Streams that this node follows and that are not subscribed: they receive nothing. Not zero for longer than a moment
    /// only while the broker is unavailable.
    pub fn unsubscribed_streams(&self) -> usize {
        match self {
            Broker::Local(_) => 0,
            Broker::Redis(redis) => redis.unsubscribed_streams(),
        }
    }

    pub fn metrics(&self) -> &BrokerMetrics {
        match self {
            Broker::Local(_) => &LOCAL_METRICS,
            Broker::Redis(redis) => redis.metrics(),
        }
    }

    /// Publishes what was accepted and disconnects. Nothing is delivered after this.
    pub async fn stop(&self) {
        if let Broker::Redis(redis) = self {
            redis.stop().await;
        }
    }
}
