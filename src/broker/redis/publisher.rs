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

use super::super::metrics::count;
use super::super::{SessionJoined, Value};
use super::shard::Shard;
use super::wire;
use crate::domain::{StreamId, UserId};

pub const PUBLISH_QUEUE_MAX: usize = 8_192;
const PUBLISH_INTERVAL: Duration = Duration::from_millis(10);
/// What goes out at once at most.
const PUBLISH_BATCH_MAX: usize = 1_024;

pub enum Publication {
    State {
        stream: StreamId,
        value: Value,
    },
    User {
        user: UserId,
        frame: Bytes,
    },
    Join {
        stream: StreamId,
        joined: SessionJoined,
    },
    /// This node was not heard for a while: the others look up what it may have had for people who are on them.
    UserFramesLost,
}

#[derive(Default)]
struct PublishBatch {
    values: HashMap<StreamId, HashMap<u64, Value>>,
    frames: Vec<(UserId, Bytes)>,
    joins: HashMap<StreamId, Vec<SessionJoined>>,
    user_frames_lost: bool,
}

impl PublishBatch {
    /// A session is told at once: of two connections of one person the newer one stays, and what tells which is newer is the
    /// order on the bus.
    fn publish_at(&self, next_at: Instant) -> Instant {
        if self.joins.is_empty() { next_at } else { Instant::now() }
    }

    fn add(&mut self, posted: Publication) {
        match posted {
            Publication::State { stream, value } => {
                let values = self.values.entry(stream).or_default();
                if values.get(&value.key).is_none_or(|other| other.version <= value.version) {
                    values.insert(value.key, value);
                }
            }
            Publication::User { user, frame } => self.frames.push((user, frame)),
            Publication::Join { stream, joined } => self.joins.entry(stream).or_default().push(joined),
            Publication::UserFramesLost => self.user_frames_lost = true,
        }
    }
}

pub async fn run(shard: Arc<Shard>, mut posted: mpsc::Receiver<Publication>) {
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
        let mut parcel = PublishBatch::default();
        parcel.add(first);
        let mut together = 1_usize;
        while together < PUBLISH_BATCH_MAX
            && let Ok(Some(next)) = timeout_at(parcel.publish_at(next_at), posted.recv()).await
        {
            parcel.add(next);
            together += 1;
        }
        next_at = Instant::now() + PUBLISH_INTERVAL;
        publish_batch(&shard, parcel, together).await;
    }
}

async fn publish_batch(shard: &Arc<Shard>, parcel: PublishBatch, together: usize) {
    let Ok(mut connected) = shard.connection() else { return };
    let (word, node) = (shard.publish_command(), shard.node_id);
    let mut pipe = redis::pipe();
    for (stream, values) in &parcel.values {
        let bodies = wire::encode_state(node, values.values().map(|value| &value.body));
        pipe.cmd(word).arg(shard.stream_channel(*stream)).arg(bodies).ignore();
    }
    for (stream, joined) in &parcel.joins {
        pipe.cmd(word).arg(shard.stream_channel(*stream)).arg(wire::encode_joins(node, joined)).ignore();
    }
    if !parcel.frames.is_empty() {
        pipe.cmd(word).arg(shard.users_channel()).arg(wire::encode_user_frames(node, &parcel.frames)).ignore();
    }
    if parcel.user_frames_lost {
        pipe.cmd(word).arg(shard.users_channel()).arg(wire::encode_user_frames(node, &[])).ignore();
    }
    count(&shard.metrics.publications, together as u64);
    count(&shard.metrics.publication_messages, pipe.len() as u64);
    if let Err(error) = pipe.query_async::<()>(&mut connected.connection).await {
        shard.fault("telling values", &error);
        tracing::warn!(shard = shard.index, values = together, error = %error, "values were not told to other nodes");
    }
}
