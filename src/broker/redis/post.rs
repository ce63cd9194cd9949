//! What is not numbered: values of the state lane, order frames, sessions that came in. Gathered for 10 ms, so that a sale
//! that commits 300 times a second is told 100 times; of a value only the newest goes out.
//!
//! Nobody waits for it. What cannot be told is dropped and counted: values heal by polling the store, within a second.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::super::vitals::count;
use super::super::{Joined, Value};
use super::shard::Shard;
use super::wire;
use crate::domain::{StreamId, UserId};

pub const WAITING_MAX: usize = 8_192;
const GAP: Duration = Duration::from_millis(10);
/// What goes out at once at most.
const TOGETHER_MAX: usize = 1_024;

pub enum Posted {
    State {
        stream: StreamId,
        value: Value,
    },
    Person {
        user: UserId,
        frame: Bytes,
    },
    Joined {
        stream: StreamId,
        joined: Joined,
    },
    /// This node was not heard for a while: the others look up what it may have had for people who are on them.
    Missed,
}

#[derive(Default)]
struct Parcel {
    values: HashMap<StreamId, HashMap<u64, Value>>,
    frames: Vec<(UserId, Bytes)>,
    joined: HashMap<StreamId, Vec<Joined>>,
    missed: bool,
}

impl Parcel {
    /// A session is told at once: of two connections of one person the newer one stays, and what tells which is newer is the
    /// order on the bus.
    fn goes_at(&self, next_at: Instant) -> Instant {
        if self.joined.is_empty() { next_at } else { Instant::now() }
    }

    fn add(&mut self, posted: Posted) {
        match posted {
            Posted::State { stream, value } => {
                let values = self.values.entry(stream).or_default();
                if values.get(&value.key).is_none_or(|other| other.rank <= value.rank) {
                    values.insert(value.key, value);
                }
            }
            Posted::Person { user, frame } => self.frames.push((user, frame)),
            Posted::Joined { stream, joined } => self.joined.entry(stream).or_default().push(joined),
            Posted::Missed => self.missed = true,
        }
    }
}

pub async fn run(shard: Arc<Shard>, mut posted: mpsc::Receiver<Posted>) {
    let mut next_at = Instant::now();
    loop {
        let first = tokio::select! {
            first = posted.recv() => first,
            () = shard.stop.cancelled() => {
                posted.close();
                posted.recv().await
            }
        };
        let Some(first) = first else { return };
        let mut parcel = Parcel::default();
        parcel.add(first);
        let mut together = 1_usize;
        while together < TOGETHER_MAX
            && let Ok(Some(next)) = timeout_at(parcel.goes_at(next_at), posted.recv()).await
        {
            parcel.add(next);
            together += 1;
        }
        next_at = Instant::now() + GAP;
        send(&shard, parcel, together).await;
    }
}

async fn send(shard: &Arc<Shard>, parcel: Parcel, together: usize) {
    let Ok(mut connected) = shard.connected() else { return };
    let (word, node) = (shard.publish_word(), shard.node);
    let mut pipe = redis::pipe();
    for (stream, values) in &parcel.values {
        let bodies = wire::state(node, values.values().map(|value| &value.body));
        pipe.cmd(word).arg(shard.stream_channel(*stream)).arg(bodies).ignore();
    }
    for (stream, joined) in &parcel.joined {
        pipe.cmd(word).arg(shard.stream_channel(*stream)).arg(wire::joined(node, joined)).ignore();
    }
    if !parcel.frames.is_empty() {
        pipe.cmd(word).arg(shard.people_channel()).arg(wire::people(node, &parcel.frames)).ignore();
    }
    if parcel.missed {
        pipe.cmd(word).arg(shard.people_channel()).arg(wire::people(node, &[])).ignore();
    }
    count(&shard.vitals.posts, together as u64);
    count(&shard.vitals.post_messages, pipe.len() as u64);
    if let Err(error) = pipe.query_async::<()>(&mut connected.connection).await {
        shard.fault("telling values", &error);
        tracing::warn!(shard = shard.index, values = together, error = %error, "values were not told to other nodes");
    }
}
