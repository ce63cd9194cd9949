//! How nodes hear each other: opaque bytes, numbered per stream. In-process by default, Redis between many nodes; the bytes
//! are the same whoever carries them.

mod local;
mod redis;
pub mod vitals;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::domain::{StreamId, UserId};
pub use redis::check;
pub use vitals::Vitals;

/// The kinds are a closed set, so this is an enum, not a trait.
#[derive(Debug)]
pub enum Broker {
    Local(local::Local),
    Redis(redis::Redis),
}

/// Where a stream's log stands: `seq` counts from 1 within `epoch`, and a new epoch begins when the count is lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub epoch: Arc<str>,
    pub seq: u64,
}

/// What a room opens with: the newest events of a stream, and the place of the last.
#[derive(Clone, PartialEq, Debug)]
pub struct Opening {
    pub place: Place,
    pub recent: Vec<(u64, Bytes)>,
}

/// A value of the state lane. Of one `key` only the highest `rank` is worth telling.
#[derive(Clone, Debug)]
pub struct Value {
    pub key: u64,
    pub rank: [i64; 2],
    pub body: Bytes,
}

/// A session that came into a stream's room: who it is, as a digest, and which of its node's arrivals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Joined {
    pub who: [u8; 16],
    pub number: u64,
}

/// What every node hears, this one included.
#[derive(Clone, PartialEq, Debug)]
pub enum Delivery {
    /// Log lane: `bodies` are numbered from `first`. Of one stream they come in order and without a hole.
    Log { stream: StreamId, epoch: Arc<str>, first: u64, bodies: Vec<Bytes> },
    /// The log goes on from here, and what lies between cannot be had. `recent` are the newest events before the place.
    Restart { stream: StreamId, place: Place, recent: Vec<(u64, Bytes)> },
    /// State lane: a value of which only the newest matters.
    State { stream: StreamId, body: Bytes },
    /// For one person, wherever they are connected.
    Person { user: UserId, body: Bytes },
    /// Sessions that came in, in one order for all nodes; `own`: on this one.
    Joined { stream: StreamId, sessions: Vec<Joined>, own: bool },
    /// Another node could not be heard for a while: what it had for people here was not told.
    Missed,
    /// A part of the bus was lost, or is heard again: all streams of this shard.
    Link { shard: usize, up: bool },
}

#[derive(thiserror::Error, Clone, Copy, PartialEq, Debug)]
pub enum Error {
    /// A queue is full; nothing was numbered, nothing was said.
    #[error("the broker's queue is full")]
    Full,
    /// The bus is not heard. What was to be said is most likely not told and, if not told by now, never will be.
    #[error("the bus is away")]
    Away,
    /// The bus took it too late and did nothing.
    #[error("too late for the bus")]
    Late,
    #[error("the broker has stopped")]
    Stopped,
}

pub type Result<T> = std::result::Result<T, Error>;

static STILL: std::sync::LazyLock<Vitals> = std::sync::LazyLock::new(Vitals::default);

impl Broker {
    /// The in-process broker, and what it delivers.
    pub fn local() -> (Self, mpsc::Receiver<Delivery>) {
        let (local, deliveries) = local::Local::new();
        (Broker::Local(local), deliveries)
    }

    /// Redis at these URLs: `redis://one,redis://two`, or `redis+cluster://one,two,three`; `rediss` is TLS. It connects
    /// in the background.
    /// Those who name the same `shop` hear each other. `Err` is the sentence for the operator.
    pub fn redis(urls: &str, shop: &str) -> std::result::Result<(Self, mpsc::Receiver<Delivery>), String> {
        let (redis, deliveries) = redis::Redis::new(urls, shop)?;
        Ok((Broker::Redis(redis), deliveries))
    }

    /// Are there other nodes to hear?
    pub fn is_shared(&self) -> bool {
        matches!(self, Broker::Redis(_))
    }

    /// Waits until the bus is heard, all of it; says whether it is.
    pub async fn wait_up(&self, deadline: Duration) -> bool {
        match self {
            Broker::Local(_) => true,
            Broker::Redis(redis) => redis.wait_up(deadline).await,
        }
    }

    /// Numbers events and sends them to every room of the stream. Gives the place of the last, once they are numbered.
    /// [`Error::Full`] and [`Error::Away`] within two seconds or so.
    pub async fn log(&self, stream: StreamId, bodies: Vec<Bytes>) -> Result<Place> {
        match self {
            Broker::Local(local) => local.log(stream, bodies, None),
            Broker::Redis(redis) => redis.log(stream, bodies, None).await,
        }
    }

    /// The same for one event that several nodes may tell, or one node twice: only the first under `mark` is told. Remembered
    /// for a day, as long as Redis keeps its memory. Of one told before, the place is where the log stood then or stands now.
    pub async fn log_once(&self, stream: StreamId, mark: String, body: Bytes) -> Result<Place> {
        match self {
            Broker::Local(local) => local.log(stream, vec![body], Some(mark)),
            Broker::Redis(redis) => redis.log(stream, vec![body], Some(mark)).await,
        }
    }

    /// Never waits. This node hears it whatever the bus does.
    pub fn state(&self, stream: StreamId, value: Value) -> Result<()> {
        match self {
            Broker::Local(local) => local.send(Delivery::State { stream, body: value.body }),
            Broker::Redis(redis) => redis.state(stream, value),
        }
    }

    /// Never waits. `here`: they are connected to this node too, which then hears it whatever the bus does.
    pub fn person(&self, user: UserId, body: Bytes, here: bool) -> Result<()> {
        match self {
            Broker::Local(local) if here => local.send(Delivery::Person { user, body }),
            Broker::Local(_) => Ok(()),
            Broker::Redis(redis) => redis.person(user, body, here),
        }
    }

    /// Tells that a session came in, so that older connections of it end on every node. Never waits.
    pub fn joined(&self, stream: StreamId, joined: Joined) {
        if let Broker::Redis(redis) = self {
            redis.joined(stream, joined);
        }
    }

    /// Begins to hear a stream; to be called once for each room, and [`leave`](Self::leave) once when it is gone. When the
    /// bus is away the stream is heard as soon as it is back, beginning with a [`Delivery::Restart`].
    pub async fn follow(&self, stream: StreamId) -> Result<Opening> {
        match self {
            Broker::Local(local) => Ok(local.opening(stream)),
            Broker::Redis(redis) => redis.follow(stream).await,
        }
    }

    pub fn leave(&self, stream: StreamId) {
        if let Broker::Redis(redis) = self {
            redis.leave(stream);
        }
    }

    /// The events of a stream after `seq` of `epoch`, in order and without a hole, as far as history has them all; else
    /// none. For those who were away longer than a room remembers.
    pub async fn since(&self, stream: StreamId, epoch: &str, seq: u64) -> Vec<(u64, Bytes)> {
        match self {
            Broker::Local(local) => local.since(stream, epoch, seq),
            Broker::Redis(redis) => redis.since(stream, epoch, seq).await,
        }
    }

    /// Writes how many watch on this node and gives how many watch on others, as far as the bus answers. To be called every
    /// two seconds: a number that is not written for seven is forgotten. 0 takes ours away.
    pub async fn count_viewers(&self, numbers: Vec<(StreamId, u64)>) -> Vec<(StreamId, u64)> {
        match self {
            Broker::Local(_) => Vec::new(),
            Broker::Redis(redis) => redis.count_viewers(numbers).await,
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

    pub fn vitals(&self) -> &Vitals {
        match self {
            Broker::Local(_) => &STILL,
            Broker::Redis(redis) => redis.vitals(),
        }
    }

    /// Tells what was taken and lets go of the bus. Nothing is heard after this.
    pub async fn stop(&self) {
        if let Broker::Redis(redis) = self {
            redis.stop().await;
        }
    }
}
