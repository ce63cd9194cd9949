//! How nodes hear each other: opaque bytes, numbered per stream. In-process by default, Redis between many nodes; the bytes
//! are the same whoever carries them.

mod local;
pub mod metrics;
mod redis;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

pub use crate::domain::StreamPosition;
use crate::domain::{StreamId, UserId};
pub use metrics::BrokerMetrics;
pub use redis::check_urls;

/// The kinds are a closed set, so this is an enum, not a trait.
#[derive(Debug)]
pub enum Broker {
    Local(local::LocalBroker),
    Redis(redis::RedisBroker),
}

/// What a room opens with: the newest events of a stream, and the place of the last.
#[derive(Clone, PartialEq, Debug)]
pub struct StreamHistory {
    pub position: StreamPosition,
    pub events: Vec<(u64, Bytes)>,
}

/// A value of the state lane. Of one `key` only the highest `rank` is worth telling.
#[derive(Clone, Debug)]
pub struct Value {
    pub key: u64,
    pub version: [i64; 2],
    pub body: Bytes,
}

/// A session that came into a stream's room: who it is, as a digest, and which of its node's arrivals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionJoined {
    pub session_digest: [u8; 16],
    pub join_number: u64,
}

/// What every node hears, this one included.
#[derive(Clone, PartialEq, Debug)]
pub enum BrokerEvent {
    /// Log lane: `bodies` are numbered from `first`. Of one stream they come in order and without a hole.
    Events { stream: StreamId, epoch: Arc<str>, first: u64, bodies: Vec<Bytes> },
    /// The log goes on from here, and what lies between cannot be had. `recent` are the newest events before the place.
    Restart { stream: StreamId, position: StreamPosition, recent: Vec<(u64, Bytes)> },
    /// State lane: a value of which only the newest matters.
    State { stream: StreamId, body: Bytes },
    /// For one person, wherever they are connected.
    User { user: UserId, body: Bytes },
    /// Sessions that came in, in one order for all nodes; `own`: on this one.
    Joined { stream: StreamId, sessions: Vec<SessionJoined>, is_local: bool },
    /// Another node could not be heard for a while: what it had for people here was not told.
    UserFramesLost,
    /// A part of the bus was lost, or is heard again: all streams of this shard.
    Link { shard: usize, is_up: bool },
}

#[derive(thiserror::Error, Clone, Copy, PartialEq, Debug)]
pub enum Error {
    /// A queue is full; nothing was numbered, nothing was said.
    #[error("the broker's queue is full")]
    QueueFull,
    /// The bus is not heard. What was to be said is most likely not told and, if not told by now, never will be.
    #[error("the bus is away")]
    Unavailable,
    /// The bus took it too late and did nothing.
    #[error("too late for the bus")]
    TooLate,
    #[error("the broker has stopped")]
    Stopped,
}

pub type Result<T> = std::result::Result<T, Error>;

static LOCAL_METRICS: std::sync::LazyLock<BrokerMetrics> = std::sync::LazyLock::new(BrokerMetrics::default);

impl Broker {
    /// The in-process broker, and what it delivers.
    pub fn local() -> (Self, mpsc::Receiver<BrokerEvent>) {
        let (local, deliveries) = local::LocalBroker::new();
        (Broker::Local(local), deliveries)
    }

    /// Redis at these URLs: `redis://one,redis://two`, or `redis+cluster://one,two,three`; `rediss` is TLS. It connects
    /// in the background.
    /// Those who name the same `shop` hear each other. `Err` is the sentence for the operator.
    pub fn redis(urls: &str, shop: &str) -> std::result::Result<(Self, mpsc::Receiver<BrokerEvent>), String> {
        let (redis, deliveries) = redis::RedisBroker::new(urls, shop)?;
        Ok((Broker::Redis(redis), deliveries))
    }

    /// Are there other nodes to hear?
    pub fn is_shared(&self) -> bool {
        matches!(self, Broker::Redis(_))
    }

    /// Waits until the bus is heard, all of it; says whether it is.
    pub async fn wait_until_up(&self, deadline: Duration) -> bool {
        match self {
            Broker::Local(_) => true,
            Broker::Redis(redis) => redis.wait_until_up(deadline).await,
        }
    }

    /// Numbers events and sends them to every room of the stream. Gives the place of the last, once they are numbered.
    /// [`Error::Full`] and [`Error::Away`] within two seconds or so.
    pub async fn publish(&self, stream: StreamId, bodies: Vec<Bytes>) -> Result<StreamPosition> {
        match self {
            Broker::Local(local) => local.publish(stream, bodies, None),
            Broker::Redis(redis) => redis.publish(stream, bodies, None).await,
        }
    }

    /// The same for one event that several nodes may tell, or one node twice: only the first under `mark` is told. Remembered
    /// for a day, as long as Redis keeps its memory. Of one told before, the place is where the log stood then or stands now.
    pub async fn publish_once(&self, stream: StreamId, idempotency_key: String, body: Bytes) -> Result<StreamPosition> {
        match self {
            Broker::Local(local) => local.publish(stream, vec![body], Some(idempotency_key)),
            Broker::Redis(redis) => redis.publish(stream, vec![body], Some(idempotency_key)).await,
        }
    }

    /// Never waits. This node hears it whatever the bus does.
    pub fn publish_state(&self, stream: StreamId, value: Value) -> Result<()> {
        match self {
            Broker::Local(local) => local.send(BrokerEvent::State { stream, body: value.body }),
            Broker::Redis(redis) => redis.publish_state(stream, value),
        }
    }

    /// Never waits. `here`: they are connected to this node too, which then hears it whatever the bus does.
    pub fn publish_to_user(&self, user: UserId, body: Bytes, is_connected_here: bool) -> Result<()> {
        match self {
            Broker::Local(local) if is_connected_here => local.send(BrokerEvent::User { user, body }),
            Broker::Local(_) => Ok(()),
            Broker::Redis(redis) => redis.publish_to_user(user, body, is_connected_here),
        }
    }

    /// Tells that a session came in, so that older connections of it end on every node. Never waits.
    pub fn publish_join(&self, stream: StreamId, joined: SessionJoined) {
        if let Broker::Redis(redis) = self {
            redis.publish_join(stream, joined);
        }
    }

    /// Begins to hear a stream; to be called once for each room, and [`leave`](Self::leave) once when it is gone. When the
    /// bus is away the stream is heard as soon as it is back, beginning with a [`Delivery::Restart`].
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

    /// The events of a stream after `seq` of `epoch`, in order and without a hole, as far as history has them all; else
    /// none. For those who were away longer than a room remembers.
    pub async fn history_after(&self, stream: StreamId, epoch: &str, seq: u64) -> Vec<(u64, Bytes)> {
        match self {
            Broker::Local(local) => local.history_after(stream, epoch, seq),
            Broker::Redis(redis) => redis.history_after(stream, epoch, seq).await,
        }
    }

    /// Writes how many watch on this node and gives how many watch on others, as far as the bus answers. To be called every
    /// two seconds: a number that is not written for seven is forgotten. 0 takes ours away.
    pub async fn sync_presence(&self, numbers: Vec<(StreamId, u64)>) -> Vec<(StreamId, u64)> {
        match self {
            Broker::Local(_) => Vec::new(),
            Broker::Redis(redis) => redis.sync_presence(numbers).await,
        }
    }

    /// Which part of the bus carries a stream; [`Delivery::Link`] names it.
    pub fn shard_of(&self, stream: StreamId) -> usize {
        match self {
            Broker::Local(_) => 0,
            Broker::Redis(redis) => redis.shard_of(stream),
        }
    }

    /// Is the part of the bus that carries this stream heard?
    pub fn is_up(&self, stream: StreamId) -> bool {
        match self {
            Broker::Local(_) => true,
            Broker::Redis(redis) => redis.is_up(stream),
        }
    }

    pub fn metrics(&self) -> &BrokerMetrics {
        match self {
            Broker::Local(_) => &LOCAL_METRICS,
            Broker::Redis(redis) => redis.metrics(),
        }
    }

    /// Tells what was taken and lets go of the bus. Nothing is heard after this.
    pub async fn stop(&self) {
        if let Broker::Redis(redis) = self {
            redis.stop().await;
        }
    }
}
