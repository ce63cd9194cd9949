//! How nodes hear each other: opaque bytes, numbered per stream. In-process by default; the bytes are the same
//! whoever carries them.

mod local;

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::domain::{StreamId, UserId};

/// The kinds are a closed set, so this is an enum, not a trait.
#[derive(Debug)]
pub enum Broker {
    Local(local::Local),
}

/// Where a stream's log stands: `seq` counts from 1 within `epoch`, and a new epoch begins when the count is lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub epoch: Arc<str>,
    pub seq: u64,
}

/// What every node hears, this one included.
#[derive(Clone, PartialEq, Debug)]
pub enum Delivery {
    /// Log lane: `bodies` are numbered from `first`.
    Log { stream: StreamId, epoch: Arc<str>, first: u64, bodies: Vec<Bytes> },
    /// State lane: a value of which only the newest matters.
    State { stream: StreamId, body: Bytes },
    /// For one person, wherever they are connected.
    Person { user: UserId, body: Bytes },
}

#[derive(thiserror::Error, Clone, Copy, PartialEq, Debug)]
pub enum Error {
    /// The queue to the rooms is full; nothing was numbered, nothing was said.
    #[error("the broker's queue is full")]
    Full,
    #[error("the broker has stopped")]
    Stopped,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Broker {
    /// The in-process broker, and what it delivers.
    pub fn local() -> (Self, mpsc::Receiver<Delivery>) {
        let (local, deliveries) = local::Local::new();
        (Broker::Local(local), deliveries)
    }

    /// Numbers events and sends them to every room of the stream. Gives the place of the last.
    pub fn log(&self, stream: StreamId, bodies: Vec<Bytes>) -> Result<Place> {
        match self {
            Broker::Local(local) => local.log(stream, bodies),
        }
    }

    pub fn state(&self, stream: StreamId, body: Bytes) -> Result<()> {
        match self {
            Broker::Local(local) => local.send(Delivery::State { stream, body }),
        }
    }

    pub fn person(&self, user: UserId, body: Bytes) -> Result<()> {
        match self {
            Broker::Local(local) => local.send(Delivery::Person { user, body }),
        }
    }

    /// The events of a stream after `seq` of `epoch`, in order and without a hole, as far as history has them all; else
    /// none. For those who were away longer than a room remembers.
    pub async fn since(&self, stream: StreamId, epoch: &str, seq: u64) -> Vec<(u64, Bytes)> {
        match self {
            Broker::Local(local) => local.since(stream, epoch, seq),
        }
    }

    /// The newest events of a stream, and the place of the last: what a room opens with.
    pub fn history(&self, stream: StreamId) -> (Place, Vec<(u64, Bytes)>) {
        match self {
            Broker::Local(local) => local.history(stream),
        }
    }
}
