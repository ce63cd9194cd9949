//! The broker between nodes: one Redis, several independent ones that share the streams, or a Redis Cluster.
//!
//! Redis does three things: it numbers events, keeps a short history of them, and passes them on (publish and
//! subscribe). It decides nothing about selling and may fail at any time. Then chat answers `busy`, state values reach
//! the viewers of the node that knows them, and each node reads the rest from the store. `link` holds the connections
//! and detects that they are dead; `ingress` and `publisher` publish; `sequencer` makes a log without holes of what is
//! received; `shard` has the key names and the calls, `server` the addresses.
//!
//! An epoch belongs to one run of the Redis server. After a restart or a failover, even one that seems to have lost
//! nothing, numbers start again in a new epoch and all viewers get a snapshot. Asynchronous replication may lose what
//! was acknowledged, and a number that is given twice would be a silent hole.

mod heartbeat;
mod ingress;
mod link;
mod link_subscriptions;
mod publisher;
mod resync;
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
use super::{BrokerEvent, Error, Result, SessionJoined, StateValue, StreamHistory, StreamPosition};
use crate::domain::{StreamId, UserId};
use publisher::Publication;
use shard::{Shard, ShardContext};

/// Deliveries that wait for the rooms.
const DELIVERY_QUEUE_MAX: usize = 8_192;
/// Streams per presence call.
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
        f.debug_struct("RedisBroker").field("shards", &self.shards.len()).finish_non_exhaustive()
    }
}

/// Checks that these URLs are well formed. `Err` is a sentence for the operator.
pub fn check_urls(urls: &str) -> std::result::Result<(), String> {
    server::parse_urls(urls).map(|_| ())
}

impl RedisBroker {
    /// Starts to connect and returns at once: a server that cannot be reached yet is retried in the background.
    pub fn new(urls: &str, shop: &str) -> std::result::Result<(Self, mpsc::Receiver<BrokerEvent>), String> {
        let servers = server::parse_urls(urls)?;
        let (out, deliveries) = mpsc::channel(DELIVERY_QUEUE_MAX);
        let (metrics, tasks, stop) = (Arc::new(BrokerMetrics::default()), TaskTracker::new(), CancellationToken::new());
        metrics.shards.store(servers.len(), Ordering::Relaxed);
        let context = ShardContext {
            shop: shop.to_owned(),
            node_id: rand::random(),
            metrics: metrics.clone(),
            out: out.clone(),
            tasks: tasks.clone(),
            stop: stop.clone(),
            batch_counter: Arc::new(AtomicU64::new(0)),
        };
        let mut shards = Vec::with_capacity(servers.len());
        for (index, server) in servers.into_iter().enumerate() {
            let (shard, queues) = Shard::new(index, server, context.clone());
            tasks.spawn(link::run(shard.clone(), queues.subscription_requests));
            tasks.spawn(publisher::run(shard.clone(), queues.publications));
            shards.push(shard);
        }
        Ok((Self { shards, metrics, out, tasks, stop }, deliveries))
    }

    pub fn metrics(&self) -> &BrokerMetrics {
        &self.metrics
    }

    /// Streams that this node follows and that are not subscribed.
    pub fn unsubscribed_streams(&self) -> usize {
        self.shards.iter().map(|shard| shard.unsubscribed_streams()).sum()
    }

    /// What the operator has to change before every server can be connected.
    pub fn problem(&self) -> Option<&'static str> {
        self.shards.iter().find_map(|shard| shard.problem())
    }

    /// Waits until every server is connected, or until `deadline`. Returns whether all are connected.
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
        ingress::publish(self.shard(stream), stream, bodies, idempotency_key).await
    }

    /// The rooms of this node receive the value at once, the other nodes when it is published.
    pub fn publish_state(&self, stream: StreamId, value: StateValue) -> Result<()> {
        let delivered = self.deliver_locally(BrokerEvent::State { stream, body: value.body.clone() });
        self.enqueue(self.shard(stream), Publication::State { stream, value });
        delivered
    }

    pub fn publish_to_user(&self, user: UserId, frame: Bytes, is_connected_here: bool) -> Result<()> {
        let delivered = if is_connected_here {
            self.deliver_locally(BrokerEvent::User { user: user.clone(), body: frame.clone() })
        } else {
            Ok(())
        };
        // Spread over the shards by user; every node subscribes to all of them.
        let spread = user.as_str().bytes().fold(0_u128, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let shard = &self.shards[jump_hash(spread, self.shards.len())];
        self.enqueue(shard, Publication::User { user, frame });
        if delivered == Err(Error::QueueFull) {
            // Delivered later, from the store.
            shard.has_lost_user_frames.store(true, Ordering::Release);
            return Ok(());
        }
        delivered
    }

    pub fn publish_join(&self, stream: StreamId, session: SessionJoined) {
        self.enqueue(self.shard(stream), Publication::Join { stream, session });
    }

    fn enqueue(&self, shard: &Shard, publication: Publication) {
        if shard.is_up() && shard.publications.try_send(publication).is_err() {
            count(&self.metrics.messages_dropped, 1);
        }
    }

    fn deliver_locally(&self, event: BrokerEvent) -> Result<()> {
        self.out.try_send(event).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Error::QueueFull,
            mpsc::error::TrySendError::Closed(_) => Error::Stopped,
        })
    }

    pub async fn subscribe(&self, stream: StreamId) -> Result<StreamHistory> {
        sequencer::subscribe(self.shard(stream), stream).await
    }

    pub fn unsubscribe(&self, stream: StreamId) {
        sequencer::unsubscribe(self.shard(stream), stream);
    }

    pub async fn history_after(&self, stream: StreamId, epoch: &str, seq: u64) -> Vec<(u64, Bytes)> {
        let from = StreamPosition { epoch: epoch.into(), seq };
        match self.shard(stream).history(stream, Some(&from)).await {
            Ok(history) => {
                let gapless = history.events.iter().zip(seq + 1..).all(|((own_seq, _), expected)| *own_seq == expected);
                let end = history.events.last().map_or(seq, |(own_seq, _)| *own_seq);
                if gapless && history.position == (StreamPosition { seq: end, ..from }) {
                    history.events
                } else {
                    Vec::new()
                }
            }
            Err(_) => Vec::new(),
        }
    }

    /// Presence: writes this node's number of viewers and returns the number on other nodes, for the streams whose
    /// server answered.
    pub async fn sync_presence(&self, numbers: Vec<(StreamId, u64)>) -> Vec<(StreamId, u64)> {
        let mut out = Vec::with_capacity(numbers.len());
        for shard in &self.shards {
            let of_shard: Vec<(StreamId, u64)> =
                numbers.iter().filter(|(stream, _)| self.shard_of(*stream) == shard.index).copied().collect();
            for chunk in of_shard.chunks(PRESENCE_BATCH_MAX) {
                if let Ok(others) = shard.sync_presence(chunk).await {
                    out.extend(chunk.iter().map(|(stream, _)| *stream).zip(others));
                }
            }
        }
        out
    }

    /// Publishes what was accepted and drops all subscriptions.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.shards.iter().for_each(|shard| shard.subscriptions.clear());
        self.tasks.close();
        let _ = timeout(STOP_DEADLINE, self.tasks.wait()).await;
    }
}

/// Jump consistent hash: spreads keys evenly over `buckets`. One more bucket moves only the keys that it receives.
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
    fn streams_are_spread_evenly_and_a_new_shard_takes_only_its_share() {
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
