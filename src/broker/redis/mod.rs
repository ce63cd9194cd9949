//! The broker between nodes: Redis, several independent ones that share the streams, or a Redis Cluster.
//!
//! What Redis is trusted with: numbering what is said, keeping the last of it, and passing it on. It decides nothing about
//! selling and may die at any time. Then chat answers `busy`, values reach the viewers of the node that knows them, and each
//! node finds the rest in the store. `link` holds the connections and finds out that they are dead; `ingress` and `post` are
//! the ways in; `follow` makes an unbroken log of what comes out; `shard` has the names and the calls, `server` the addresses.
//!
//! An epoch is bound to the server's run: after a restart or a failover, even one that seems to have lost nothing, numbers
//! begin anew and everybody gets a snapshot. Asynchronous replication may lose what was acknowledged, and a number that is
//! given twice would be a silent hole.

mod ingress;
mod link;
mod publisher;
mod sequencer;
mod server;
mod shard;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::metrics::{BrokerMetrics, count};
use super::{BrokerEvent, Error, Result, SessionJoined, StreamHistory, StreamPosition, Value};
use crate::domain::{StreamId, UserId};
use publisher::Publication;
use shard::{Shard, ShardContext};

/// Deliveries that wait for the rooms.
const DELIVERY_QUEUE_MAX: usize = 8_192;
/// Streams counted in one call.
const PRESENCE_BATCH_MAX: usize = 200;
const STOP_DEADLINE: Duration = Duration::from_secs(3);

pub struct RedisBroker {
    shards: Vec<Arc<Shard>>,
    metrics: Arc<BrokerMetrics>,
    out: mpsc::Sender<BrokerEvent>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl std::fmt::Debug for RedisBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("shards", &self.shards.len()).finish_non_exhaustive()
    }
}

/// Are these URLs well formed? `Err` is the sentence for the operator.
pub fn check_urls(urls: &str) -> std::result::Result<(), String> {
    server::parse_urls(urls).map(|_| ())
}

impl RedisBroker {
    /// Begins to connect and returns at once: a server that is not there yet is waited for in the background.
    pub fn new(urls: &str, shop: &str) -> std::result::Result<(Self, mpsc::Receiver<BrokerEvent>), String> {
        let servers = server::parse_urls(urls)?;
        let (out, deliveries) = mpsc::channel(DELIVERY_QUEUE_MAX);
        let (vitals, tasks, stop) = (Arc::new(BrokerMetrics::default()), TaskTracker::new(), CancellationToken::new());
        vitals.shards.store(servers.len(), Ordering::Relaxed);
        let common = ShardContext {
            shop: shop.to_owned(),
            node_id: rand::random(),
            metrics: vitals.clone(),
            out: out.clone(),
            tasks: tasks.clone(),
            stop: stop.clone(),
            batch_counter: Arc::new(AtomicU64::new(0)),
        };
        let mut shards = Vec::with_capacity(servers.len());
        for (index, server) in servers.into_iter().enumerate() {
            let (shard, inlets) = Shard::new(index, server, common.clone());
            tasks.spawn(link::run(shard.clone(), inlets.subscription_requests));
            tasks.spawn(publisher::run(shard.clone(), inlets.post));
            shards.push(shard);
        }
        Ok((Self { shards, metrics: vitals, out, tasks, stop }, deliveries))
    }

    pub fn metrics(&self) -> &BrokerMetrics {
        &self.metrics
    }

    /// Waits until every server is heard, or until `deadline`; says whether they are.
    pub async fn wait_until_up(&self, deadline: Duration) -> bool {
        let until = Instant::now() + deadline;
        for shard in &self.shards {
            let mut up = shard.up.subscribe();
            let waited = tokio::time::timeout_at(until, up.wait_for(|up| *up)).await;
            if !matches!(waited, Ok(Ok(_))) {
                return false;
            }
        }
        true
    }

    pub fn shard_of(&self, stream: StreamId) -> usize {
        jump_hash(stream.0.as_u128(), self.shards.len())
    }

    pub fn is_up(&self, stream: StreamId) -> bool {
        self.shard(stream).is_up()
    }

    fn shard(&self, stream: StreamId) -> &Arc<Shard> {
        &self.shards[self.shard_of(stream)]
    }

    pub async fn publish(
        &self,
        stream: StreamId,
        bodies: Vec<Bytes>,
        idempotency_key: Option<String>,
    ) -> Result<StreamPosition> {
        ingress::say(self.shard(stream), stream, bodies, idempotency_key).await
    }

    /// This node's own rooms see it at once, the others as soon as they are told.
    pub fn publish_state(&self, stream: StreamId, value: Value) -> Result<()> {
        let own = self.deliver_locally(BrokerEvent::State { stream, body: value.body.clone() });
        self.enqueue(self.shard(stream), Publication::State { stream, value });
        own
    }

    pub fn publish_to_user(&self, user: UserId, frame: Bytes, is_connected_here: bool) -> Result<()> {
        let own = if is_connected_here {
            self.deliver_locally(BrokerEvent::User { user: user.clone(), body: frame.clone() })
        } else {
            Ok(())
        };
        // Spread over the servers by who it is for; every node listens on all of them.
        let spread = user.as_str().bytes().fold(0_u128, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        self.enqueue(&self.shards[jump_hash(spread, self.shards.len())], Publication::User { user, frame });
        own
    }

    pub fn publish_join(&self, stream: StreamId, joined: SessionJoined) {
        self.enqueue(self.shard(stream), Publication::Join { stream, joined });
    }

    fn enqueue(&self, shard: &Shard, publication: Publication) {
        if shard.is_up() && shard.post.try_send(publication).is_err() {
            count(&self.metrics.messages_dropped, 1);
        }
    }

    fn deliver_locally(&self, delivery: BrokerEvent) -> Result<()> {
        self.out.try_send(delivery).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Error::QueueFull,
            mpsc::error::TrySendError::Closed(_) => Error::Stopped,
        })
    }

    pub async fn subscribe(&self, stream: StreamId) -> Result<StreamHistory> {
        let past = sequencer::subscribe(self.shard(stream), stream).await?;
        Ok(StreamHistory { position: past.position, events: past.events })
    }

    pub fn unsubscribe(&self, stream: StreamId) {
        sequencer::unsubscribe(self.shard(stream), stream);
    }

    pub async fn history_after(&self, stream: StreamId, epoch: &str, seq: u64) -> Vec<(u64, Bytes)> {
        let from = StreamPosition { epoch: epoch.into(), seq };
        match self.shard(stream).history(stream, Some(&from)).await {
            Ok(past) => {
                let gapless = past.events.iter().zip(seq + 1..).all(|((own, _), expected)| *own == expected);
                let end = past.events.last().map_or(seq, |(own, _)| *own);
                if gapless && past.position == (StreamPosition { seq: end, ..from }) { past.events } else { Vec::new() }
            }
            Err(_) => Vec::new(),
        }
    }

    /// Writes how many watch here and gives how many watch elsewhere, of the streams whose server answered.
    pub async fn sync_presence(&self, numbers: Vec<(StreamId, u64)>) -> Vec<(StreamId, u64)> {
        let mut out = Vec::with_capacity(numbers.len());
        for shard in &self.shards {
            let own: Vec<(StreamId, u64)> =
                numbers.iter().filter(|(stream, _)| self.shard_of(*stream) == shard.index).copied().collect();
            for some in own.chunks(PRESENCE_BATCH_MAX) {
                if let Ok(others) = shard.sync_presence(some).await {
                    out.extend(some.iter().map(|(stream, _)| *stream).zip(others));
                }
            }
        }
        out
    }

    /// Says goodbye: what was said is told, what is followed is left.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.shards.iter().for_each(|shard| shard.subscriptions.clear());
        self.tasks.close();
        let _ = timeout(STOP_DEADLINE, self.tasks.wait()).await;
    }
}

/// Which of so many: spread evenly, and one more moves only what the new one gets.
fn jump_hash(key: u128, buckets: usize) -> usize {
    let mut key = (key >> 64) as u64 ^ key as u64;
    let (mut bucket, mut next) = (0_u64, 0_u64);
    while next < buckets as u64 {
        bucket = next;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        next = ((bucket + 1) as f64 * ((1_u64 << 31) as f64 / ((key >> 33) + 1) as f64)) as u64;
    }
    bucket as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_spread_evenly_and_a_new_server_takes_only_its_share() {
        let streams: Vec<u128> = (0..8_000).map(|_| StreamId::new().0.as_u128()).collect();
        for buckets in [1, 2, 3, 16] {
            let mut sizes = vec![0; buckets];
            streams.iter().for_each(|stream| sizes[jump_hash(*stream, buckets)] += 1);
            let fair = streams.len() / buckets;
            assert!(sizes.iter().all(|size| (fair / 2..fair * 2).contains(size)), "{sizes:?}");
        }
        let moved = streams.iter().filter(|stream| jump_hash(**stream, 3) != jump_hash(**stream, 4));
        assert!(moved.clone().count() < streams.len() / 3);
        assert!(moved.into_iter().all(|stream| jump_hash(*stream, 4) == 3));
    }
}
