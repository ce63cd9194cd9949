//! The publisher of everything that is not numbered: values of the state lane, order frames, sessions that joined. It
//! collects for 10 ms, so that a sale that commits 300 times a second is published 100 times; of each value only the
//! newest is sent.
//!
//! Nobody waits for it. What cannot be published is dropped and counted: values are repaired by polling the store,
//! within a second.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::super::metrics::count;
use super::super::{SessionJoined, StateValue};
use super::shard::Shard;
use super::wire;
use crate::domain::{StreamId, UserId};

pub const PUBLISH_QUEUE_MAX: usize = 8_192;
const PUBLISH_INTERVAL: Duration = Duration::from_millis(10);
/// The most that is published at once.
const PUBLISH_BATCH_MAX: usize = 1_024;

pub enum Publication {
    State {
        stream: StreamId,
        value: StateValue,
    },
    User {
        user: UserId,
        frame: Bytes,
    },
    Join {
        stream: StreamId,
        session: SessionJoined,
    },
    /// This node was disconnected for a while: the other nodes look up the orders that it may have had for their users.
    UserFramesLost,
}

#[derive(Default)]
struct PublishBatch {
    values: HashMap<StreamId, HashMap<u64, StateValue>>,
    frames: Vec<(UserId, Bytes)>,
    joins: HashMap<StreamId, Vec<SessionJoined>>,
    user_frames_lost: bool,
}

impl PublishBatch {
    /// A joined session is published at once: of two connections of one session the newer one stays, and the order of
    /// the messages in Redis decides which one is newer.
    fn publish_at(&self, next_at: Instant) -> Instant {
        if self.joins.is_empty() { next_at } else { Instant::now() }
    }

    fn add(&mut self, publication: Publication) {
        match publication {
            Publication::State { stream, value } => {
                let values = self.values.entry(stream).or_default();
                if values.get(&value.key).is_none_or(|other| other.version <= value.version) {
                    values.insert(value.key, value);
                }
            }
            Publication::User { user, frame } => self.frames.push((user, frame)),
            Publication::Join { stream, session } => self.joins.entry(stream).or_default().push(session),
            Publication::UserFramesLost => self.user_frames_lost = true,
        }
    }
}

pub async fn run(shard: Arc<Shard>, mut publications: mpsc::Receiver<Publication>) {
    let mut next_at = Instant::now();
    loop {
        let first = tokio::select! {
            first = publications.recv() => first,
            () = shard.stop.cancelled() => {
                publications.close();
                publications.recv().await
            }
        };
        let Some(first) = first else { return };
        let mut batch = PublishBatch::default();
        batch.add(first);
        let mut size = 1_usize;
        while size < PUBLISH_BATCH_MAX
            && let Ok(Some(next)) = timeout_at(batch.publish_at(next_at), publications.recv()).await
        {
            batch.add(next);
            size += 1;
        }
        next_at = Instant::now() + PUBLISH_INTERVAL;
        publish_batch(&shard, batch, size).await;
    }
}

async fn publish_batch(shard: &Arc<Shard>, batch: PublishBatch, size: usize) {
    let Ok(mut server) = shard.connection() else { return };
    let (command, node_id) = (shard.publish_command(), shard.node_id);
    let mut pipe = redis::pipe();
    for (stream, values) in &batch.values {
        let bodies = wire::encode_state(node_id, values.values().map(|value| &value.body));
        pipe.cmd(command).arg(shard.stream_channel(*stream)).arg(bodies).ignore();
    }
    for (stream, session) in &batch.joins {
        pipe.cmd(command).arg(shard.stream_channel(*stream)).arg(wire::encode_joins(node_id, session)).ignore();
    }
    if !batch.frames.is_empty() {
        pipe.cmd(command).arg(shard.users_channel()).arg(wire::encode_user_frames(node_id, &batch.frames)).ignore();
    }
    if batch.user_frames_lost {
        pipe.cmd(command).arg(shard.users_channel()).arg(wire::encode_user_frames(node_id, &[])).ignore();
    }
    count(&shard.metrics.publications, size as u64);
    count(&shard.metrics.publication_messages, pipe.len() as u64);
    if let Err(error) = pipe.query_async::<()>(&mut server.connection).await {
        shard.call_failed("publishing values", &error);
        tracing::warn!(shard = shard.index, values = size, error = %error, "state values were not published to other nodes");
    }
}
