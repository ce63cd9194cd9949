//! The heartbeats of one link: a node sends them to itself through Redis.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::time::{Instant, interval};

use super::shard::Shard;
use super::wire;

const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);

/// The heartbeats of one link.
pub struct HeartbeatTracker {
    /// The upper half of every number: a late heartbeat of an earlier link proves nothing about this one.
    link_id: u64,
    sent: std::sync::Mutex<Option<(u64, Instant)>>,
}

impl Default for HeartbeatTracker {
    fn default() -> Self {
        Self { link_id: u64::from(rand::random::<u32>()) << 32, sent: Default::default() }
    }
}

impl HeartbeatTracker {
    fn record_sent(&self, number: u64) {
        *self.sent.lock().unwrap_or_else(|poison| poison.into_inner()) = Some((number, Instant::now()));
    }

    /// Returns whether the heartbeat belongs to this link.
    pub fn record_received(&self, shard: &Shard, number: u64) -> bool {
        let mut sent = self.sent.lock().unwrap_or_else(|poison| poison.into_inner());
        if let Some((_, sent_at)) = sent.take_if(|(newest, _)| *newest == number) {
            shard.metrics.heartbeat_latency.record_duration(sent_at.elapsed());
        }
        number >> 32 == self.link_id >> 32
    }
}

/// Publishes a heartbeat each second. A failed one is not repeated: the next one follows.
pub async fn send_heartbeats(
    shard: Arc<Shard>,
    mut connection: MultiplexedConnection,
    heartbeats: Arc<HeartbeatTracker>,
) {
    let mut every = interval(HEARTBEAT_INTERVAL);
    for number in heartbeats.link_id.. {
        every.tick().await;
        heartbeats.record_sent(number);
        let mut publish = redis::cmd(shard.publish_command());
        publish.arg(shard.heartbeat_channel()).arg(wire::encode_heartbeat(shard.node_id, number));
        if let Err(error) = publish.query_async::<i64>(&mut connection).await {
            shard.call_failed("a heartbeat", &error);
        }
    }
}
