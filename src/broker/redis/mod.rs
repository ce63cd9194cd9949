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

mod follow;
mod ingress;
mod link;
mod post;
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

use super::vitals::{Vitals, count};
use super::{Delivery, Error, Joined, Opening, Place, Result, Value};
use crate::domain::{StreamId, UserId};
use post::Posted;
use shard::{Common, Shard};

/// Deliveries that wait for the rooms.
const WAITING_MAX: usize = 8_192;
/// Streams counted in one call.
const COUNTED_AT_ONCE: usize = 200;
const STOP_DEADLINE: Duration = Duration::from_secs(3);

pub struct Redis {
    shards: Vec<Arc<Shard>>,
    vitals: Arc<Vitals>,
    out: mpsc::Sender<Delivery>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("shards", &self.shards.len()).finish_non_exhaustive()
    }
}

/// Are these URLs well formed? `Err` is the sentence for the operator.
pub fn check(urls: &str) -> std::result::Result<(), String> {
    server::servers(urls).map(|_| ())
}

impl Redis {
    /// Begins to connect and returns at once: a server that is not there yet is waited for in the background.
    pub fn new(urls: &str, shop: &str) -> std::result::Result<(Self, mpsc::Receiver<Delivery>), String> {
        let servers = server::servers(urls)?;
        let (out, deliveries) = mpsc::channel(WAITING_MAX);
        let (vitals, tasks, stop) = (Arc::new(Vitals::default()), TaskTracker::new(), CancellationToken::new());
        vitals.shards.store(servers.len(), Ordering::Relaxed);
        let common = Common {
            shop: shop.to_owned(),
            node: rand::random(),
            vitals: vitals.clone(),
            out: out.clone(),
            tasks: tasks.clone(),
            stop: stop.clone(),
            batches: Arc::new(AtomicU64::new(0)),
        };
        let mut shards = Vec::with_capacity(servers.len());
        for (index, server) in servers.into_iter().enumerate() {
            let (shard, inlets) = Shard::new(index, server, common.clone());
            tasks.spawn(link::run(shard.clone(), inlets.asks));
            tasks.spawn(post::run(shard.clone(), inlets.post));
            shards.push(shard);
        }
        Ok((Self { shards, vitals, out, tasks, stop }, deliveries))
    }

    pub fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    /// Waits until every server is heard, or until `deadline`; says whether they are.
    pub async fn wait_up(&self, deadline: Duration) -> bool {
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
        jump(stream.0.as_u128(), self.shards.len())
    }

    pub fn is_up(&self, stream: StreamId) -> bool {
        self.shard(stream).is_up()
    }

    fn shard(&self, stream: StreamId) -> &Arc<Shard> {
        &self.shards[self.shard_of(stream)]
    }

    pub async fn log(&self, stream: StreamId, bodies: Vec<Bytes>, once: Option<String>) -> Result<Place> {
        ingress::say(self.shard(stream), stream, bodies, once).await
    }

    /// This node's own rooms see it at once, the others as soon as they are told.
    pub fn state(&self, stream: StreamId, value: Value) -> Result<()> {
        let own = self.hear(Delivery::State { stream, body: value.body.clone() });
        self.post(self.shard(stream), Posted::State { stream, value });
        own
    }

    pub fn person(&self, user: UserId, frame: Bytes, here: bool) -> Result<()> {
        let own = if here { self.hear(Delivery::Person { user: user.clone(), body: frame.clone() }) } else { Ok(()) };
        // Spread over the servers by who it is for; every node listens on all of them.
        let spread = user.as_str().bytes().fold(0_u128, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        self.post(&self.shards[jump(spread, self.shards.len())], Posted::Person { user, frame });
        own
    }

    pub fn joined(&self, stream: StreamId, joined: Joined) {
        self.post(self.shard(stream), Posted::Joined { stream, joined });
    }

    fn post(&self, shard: &Shard, posted: Posted) {
        if shard.is_up() && shard.post.try_send(posted).is_err() {
            count(&self.vitals.dropped, 1);
        }
    }

    fn hear(&self, delivery: Delivery) -> Result<()> {
        self.out.try_send(delivery).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Error::Full,
            mpsc::error::TrySendError::Closed(_) => Error::Stopped,
        })
    }

    pub async fn follow(&self, stream: StreamId) -> Result<Opening> {
        let past = follow::follow(self.shard(stream), stream).await?;
        Ok(Opening { place: past.place, recent: past.events })
    }

    pub fn leave(&self, stream: StreamId) {
        follow::leave(self.shard(stream), stream);
    }

    pub async fn since(&self, stream: StreamId, epoch: &str, seq: u64) -> Vec<(u64, Bytes)> {
        let from = Place { epoch: epoch.into(), seq };
        match self.shard(stream).past(stream, Some(&from)).await {
            Ok(past) => {
                let gapless = past.events.iter().zip(seq + 1..).all(|((own, _), expected)| *own == expected);
                let end = past.events.last().map_or(seq, |(own, _)| *own);
                if gapless && past.place == (Place { seq: end, ..from }) { past.events } else { Vec::new() }
            }
            Err(_) => Vec::new(),
        }
    }

    /// Writes how many watch here and gives how many watch elsewhere, of the streams whose server answered.
    pub async fn count_viewers(&self, numbers: Vec<(StreamId, u64)>) -> Vec<(StreamId, u64)> {
        let mut out = Vec::with_capacity(numbers.len());
        for shard in &self.shards {
            let own: Vec<(StreamId, u64)> =
                numbers.iter().filter(|(stream, _)| self.shard_of(*stream) == shard.index).copied().collect();
            for some in own.chunks(COUNTED_AT_ONCE) {
                if let Ok(others) = shard.count_viewers(some).await {
                    out.extend(some.iter().map(|(stream, _)| *stream).zip(others));
                }
            }
        }
        out
    }

    /// Says goodbye: what was said is told, what is followed is left.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.shards.iter().for_each(|shard| shard.followed.clear());
        self.tasks.close();
        let _ = timeout(STOP_DEADLINE, self.tasks.wait()).await;
    }
}

/// Which of so many: spread evenly, and one more moves only what the new one gets.
fn jump(key: u128, buckets: usize) -> usize {
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
            streams.iter().for_each(|stream| sizes[jump(*stream, buckets)] += 1);
            let fair = streams.len() / buckets;
            assert!(sizes.iter().all(|size| (fair / 2..fair * 2).contains(size)), "{sizes:?}");
        }
        let moved = streams.iter().filter(|stream| jump(**stream, 3) != jump(**stream, 4));
        assert!(moved.clone().count() < streams.len() / 3);
        assert!(moved.into_iter().all(|stream| jump(*stream, 4) == 3));
    }
}
