//! The subscriptions of a link: at its start all at once, then those that are requested, and those that were missed.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use redis::RedisResult;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::link::{Link, SubscriptionRequests};
use super::sequencer::SequencerMessage;
use super::server::CALL_DEADLINE;
use super::shard::Shard;
use crate::domain::StreamId;

const SUBSCRIBE_BATCH_MAX: usize = 512;

impl Link {
    pub(super) async fn subscribe_all(&mut self, shard: &Shard) -> RedisResult<()> {
        let streams: Vec<StreamId> = shard.subscriptions.iter().map(|subscription| *subscription.key()).collect();
        let own = [shard.heartbeat_channel(), shard.users_channel()];
        let channels: Vec<String> =
            own.into_iter().chain(streams.iter().map(|stream| shard.stream_channel(*stream))).collect();
        for chunk in channels.chunks(SUBSCRIBE_BATCH_MAX) {
            self.change_subscriptions(shard, "SUBSCRIBE", chunk).await?;
        }
        for stream in &streams {
            if let Some(subscription) = shard.subscriptions.get(stream) {
                subscription.set_subscribed(true);
            }
        }
        Ok(())
    }

    /// Returns when every channel is confirmed. One command per channel: in a partition, the channels of one command
    /// must share a slot, and the library counts confirmations correctly only this way.
    async fn change_subscriptions(&mut self, shard: &Shard, command: &str, channels: &[String]) -> RedisResult<()> {
        if channels.is_empty() {
            return Ok(());
        }
        let sharded = format!("S{command}");
        let command = if shard.server.is_partition() { &sharded } else { command };
        let mut pipe = redis::pipe();
        for channel in channels {
            pipe.cmd(command).arg(channel).ignore();
        }
        pipe.query_async(&mut self.push_connection).await
    }

    /// Subscribes to every stream that is followed and not subscribed, until none is left. Each of them reads what it
    /// missed.
    pub(super) async fn subscribe_missing(&mut self, shard: &Shard) -> RedisResult<()> {
        loop {
            let missing: Vec<StreamId> = shard
                .subscriptions
                .iter()
                .filter(|subscription| !subscription.is_subscribed())
                .map(|subscription| *subscription.key())
                .take(SUBSCRIBE_BATCH_MAX)
                .collect();
            if missing.is_empty() {
                return Ok(());
            }
            let channels: Vec<String> = missing.iter().map(|stream| shard.stream_channel(*stream)).collect();
            self.change_subscriptions(shard, "SUBSCRIBE", &channels).await?;
            for stream in &missing {
                if let Some(subscription) = shard.subscriptions.get(stream) {
                    subscription.set_subscribed(true);
                    subscription.receive(SequencerMessage::resync());
                }
            }
        }
    }

    /// Subscribes to streams that have a subscription, unsubscribes from those that have none.
    pub(super) async fn apply_subscription_requests(
        &mut self,
        shard: &Shard,
        requests: &mut SubscriptionRequests,
        first: (StreamId, oneshot::Sender<()>),
    ) -> RedisResult<()> {
        let mut all = vec![first];
        while all.len() < SUBSCRIBE_BATCH_MAX
            && let Ok(next) = requests.try_recv()
        {
            all.push(next);
        }
        // A stream may be requested twice: what counts is whether it has a subscription now.
        let mut wanted: HashMap<StreamId, bool> = HashMap::new();
        for (stream, _) in &all {
            wanted.insert(*stream, shard.subscriptions.contains_key(stream));
        }
        for (command, subscribe) in [("SUBSCRIBE", true), ("UNSUBSCRIBE", false)] {
            let streams = wanted.iter().filter(|(_, wanted)| **wanted == subscribe);
            let channels: Vec<String> = streams.map(|(stream, _)| shard.stream_channel(*stream)).collect();
            if !subscribe && shard.server.is_partition() {
                self.pending_unsubscribes.extend(channels.iter().map(|channel| channel.clone().into_bytes()));
            }
            timeout(2 * CALL_DEADLINE, self.change_subscriptions(shard, command, &channels))
                .await
                .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        }
        // A stream that was unsubscribed here and followed again since then has a request of its own in the queue.
        for (stream, reply) in all.into_iter().filter(|(stream, _)| wanted.get(stream) == Some(&true)) {
            if let Some(subscription) = shard.subscriptions.get(&stream) {
                subscription.set_subscribed(true);
            }
            let _ = reply.send(());
        }
        shard.metrics.subscriptions.store(shard.subscriptions.len(), Ordering::Relaxed);
        Ok(())
    }
}
