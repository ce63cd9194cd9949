//! The link to one Redis server: three connections that start and end together, one for calls, one for subscriptions and
//! one for heartbeats alone, so that no amount of other calls delays a heartbeat.
//!
//! Connect all → subscribe to all streams, 512 at a time, each one confirmed → receive our own heartbeat → the link is
//! up: what was followed in the meantime is subscribed too, then every stream compares its position with Redis and reads
//! what it missed (`resync.rs`). From then on, a heartbeat is published each second over one connection and received
//! over the other. When none was received for three seconds the link counts as dead, even if TCP reports no error: all connections are
//! dropped and built again, with a backoff of 50 ms to 2 s, forever. The heartbeat's latency is measured, and `/readyz`
//! reports the link's state.
//!
//! A followed stream is a subscribed stream once the link is up. Who follows a stream inserts it first and looks at the
//! link after that; the link is marked up first and looks for streams without a subscription after that. So one of the
//! two sees the other. A check each second finds streams that were missed all the same, and a metric counts them.
//!
//! Pushes go into a bounded queue. When it is full (this node is overloaded), pushes are dropped and the link is built
//! again, so that everything that was missed is read from history.
//!
//! The backoff is our own two lines and not the library `backon`: its jitter is added on top of a pause and would exceed
//! the longest one, while ours only shortens it, and only a link that was up resets the pause.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, RedisError, RedisResult, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, interval, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::super::BrokerEvent;
use super::super::metrics::count;
use super::heartbeat::{HeartbeatTracker, send_heartbeats};
use super::publisher::Publication;
use super::resync::resync_all;
use super::sequencer::SequencerMessage;
use super::server;
use super::shard::Shard;
use super::wire::{self, WireMessage};
use crate::domain::StreamId;

const PUSH_QUEUE_MAX: usize = 8_192;
/// The link is dead after this long without our own heartbeat.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(3);
const CHECK_INTERVAL: Duration = Duration::from_millis(250);
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// Between two checks that every followed stream is subscribed.
const SUBSCRIPTION_CHECK_INTERVAL: Duration = Duration::from_secs(1);

pub(super) type SubscriptionRequests = mpsc::Receiver<(StreamId, oneshot::Sender<()>)>;

pub async fn run(shard: Arc<Shard>, mut requests: SubscriptionRequests) {
    let mut backoff = BACKOFF_MIN;
    let mut failed_at = Instant::now();
    let mut attempts = 0_u32;
    loop {
        let started_at = Instant::now();
        let error = tokio::select! {
            error = run_link(&shard, &mut requests, failed_at) => error,
            () = shard.stop.cancelled() => {
                shard.set_connection(None);
                return;
            }
        };
        let was_up = shard.up.send_replace(false);
        shard.set_connection(None);
        shard.subscriptions.iter().for_each(|subscription| subscription.set_subscribed(false));
        // Callers that wait for a subscription notice it because their channel closes.
        while requests.try_recv().is_ok() {}
        if was_up {
            shard.was_lost.store(true, Ordering::Release);
            failed_at = Instant::now();
            (backoff, attempts) = (BACKOFF_MIN, 0);
            count(&shard.metrics.link_failures, 1);
            shard.metrics.shards_up.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(shard = shard.index, error = %error, lived_ms = started_at.elapsed().as_millis() as u64, "the link to the broker was lost");
            let _ = shard.out.send(BrokerEvent::Link { shard: shard.index, is_up: false }).await;
        } else {
            attempts += 1;
            let hint = error.hint();
            shard.set_problem(hint);
            // A wrong password does not fix itself: somebody should read the log line, but not a hundred times.
            if attempts.is_power_of_two() {
                tracing::warn!(shard = shard.index, attempts, error = %error, hint, "the broker cannot be reached");
            }
        }
        sleep(backoff.mul_f64(rand::random_range(0.5..1.0))).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error("{0}")]
    Redis(#[from] RedisError),
    #[error("no heartbeat was received for three seconds")]
    HeartbeatTimeout,
    #[error("the connection closed")]
    Closed,
    #[error("the slot moved to another server")]
    SlotMoved,
    #[error("the push queue is full")]
    PushQueueFull,
    #[error("a call found the connection broken")]
    ReconnectRequested,
}

impl LinkError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            LinkError::Redis(error) => server::hint(error),
            _ => None,
        }
    }
}

pub(super) struct Link {
    pub(super) push_connection: MultiplexedConnection,
    heartbeat_connection: MultiplexedConnection,
    pushes: mpsc::Receiver<PushInfo>,
    is_push_queue_full: Arc<AtomicBool>,
    heartbeats: Arc<HeartbeatTracker>,
    /// Channels that we unsubscribed from and whose confirmation has not arrived yet.
    pub(super) pending_unsubscribes: HashSet<Vec<u8>>,
}

/// Runs one link until it fails and returns the reason. `died_at` is when the last link failed: the rebuild time counts
/// from there.
async fn run_link(shard: &Arc<Shard>, requests: &mut SubscriptionRequests, failed_at: Instant) -> LinkError {
    // A reconnect that was requested for the link before this one.
    tokio::select! {
        biased;
        () = shard.reconnect_requested.notified() => {}
        () = std::future::ready(()) => {}
    }
    match connect(shard).await {
        Ok(mut link) => {
            // Requests that were made without a link: all streams are subscribed below.
            while requests.try_recv().is_ok() {}
            match link.subscribe_all(shard).await {
                Ok(()) => link.serve(shard, requests, failed_at).await,
                Err(error) => error.into(),
            }
        }
        Err(error) => error.into(),
    }
}

async fn connect(shard: &Arc<Shard>) -> RedisResult<Link> {
    let address = shard.server.resolve().await?;
    let (push, pushes) = mpsc::channel(PUSH_QUEUE_MAX);
    let is_push_queue_full = Arc::new(AtomicBool::new(false));
    let (queue_full, metrics) = (is_push_queue_full.clone(), shard.metrics.clone());
    let push_connection = server::connect_for_pushes(&address, move |info| {
        push.try_send(info).map_err(|_| {
            count(&metrics.messages_dropped, 1);
            queue_full.store(true, Ordering::Release);
        })
    });
    let (mut call_connection, push_connection, heartbeat_connection) =
        tokio::try_join!(server::connect(&address), push_connection, server::connect_for_heartbeats(&address))?;
    shard.check_permissions(&mut call_connection).await?;
    shard.set_connection(Some(call_connection));
    Ok(Link {
        push_connection,
        heartbeat_connection,
        pushes,
        is_push_queue_full,
        heartbeats: Arc::new(HeartbeatTracker::default()),
        pending_unsubscribes: HashSet::new(),
    })
}

impl Link {
    async fn serve(mut self, shard: &Arc<Shard>, requests: &mut SubscriptionRequests, failed_at: Instant) -> LinkError {
        let heartbeat_task = AbortOnDropHandle::new(tokio::spawn(send_heartbeats(
            shard.clone(),
            self.heartbeat_connection.clone(),
            self.heartbeats.clone(),
        )));
        let mut last_heartbeat_at = Instant::now();
        let mut check = interval(CHECK_INTERVAL);
        let mut subscription_check = interval(SUBSCRIPTION_CHECK_INTERVAL);
        let mut is_up = false;
        // Ends with the link: the next link resyncs all streams again.
        let mut _resync = None;
        loop {
            tokio::select! {
                push = self.pushes.recv() => {
                    let Some(push) = push else { return LinkError::Closed };
                    match self.receive_push(shard, push) {
                        ControlFlow::Continue(false) => {}
                        ControlFlow::Continue(true) => {
                            last_heartbeat_at = Instant::now();
                            if !is_up {
                                is_up = true;
                                if let Err(error) = self.mark_up(shard).await {
                                    return error.into();
                                }
                                let resync = tokio::spawn(resync_all(shard.clone(), failed_at));
                                _resync = Some(AbortOnDropHandle::new(resync));
                            }
                        }
                        ControlFlow::Break(error) => return error,
                    }
                }
                Some(request) = requests.recv(), if is_up => {
                    if let Err(error) = self.apply_subscription_requests(shard, requests, request).await {
                        return error.into();
                    }
                }
                _ = subscription_check.tick(), if is_up => {
                    if let Err(error) = self.subscribe_missing(shard).await {
                        return error.into();
                    }
                    shard.announce_lost_user_frames();
                }
                () = shard.reconnect_requested.notified() => return LinkError::ReconnectRequested,
                _ = check.tick() => {
                    if crate::fault::IS_BUILT_IN && crate::fault::assumes_broker_up() {
                        last_heartbeat_at = Instant::now();
                    }
                    if HEARTBEAT_TIMEOUT <= last_heartbeat_at.elapsed() || heartbeat_task.is_finished() {
                        return LinkError::HeartbeatTimeout;
                    }
                    if self.is_push_queue_full.load(Ordering::Acquire) {
                        return LinkError::PushQueueFull;
                    }
                }
            }
        }
    }

    async fn mark_up(&mut self, shard: &Arc<Shard>) -> RedisResult<()> {
        shard.set_problem(None);
        shard.up.send_replace(true);
        shard.metrics.shards_up.fetch_add(1, Ordering::Relaxed);
        self.subscribe_missing(shard).await?;
        let _ = shard.out.send(BrokerEvent::Link { shard: shard.index, is_up: true }).await;
        if shard.was_lost.swap(false, Ordering::AcqRel)
            && shard.publications.try_send(Publication::UserFramesLost).is_err()
        {
            count(&shard.metrics.messages_dropped, 1);
        }
        Ok(())
    }

    fn confirms_unsubscribe(&mut self, data: &[Value]) -> bool {
        matches!(data.first(), Some(Value::BulkString(channel)) if self.pending_unsubscribes.remove(channel))
    }

    /// Returns `true` for our own heartbeat.
    fn receive_push(&mut self, shard: &Shard, push: PushInfo) -> ControlFlow<LinkError, bool> {
        match push.kind {
            PushKind::Message | PushKind::SMessage => {}
            PushKind::Disconnection => return ControlFlow::Break(LinkError::Closed),
            // Redis answers our own SUNSUBSCRIBE with the same kind of push.
            PushKind::SUnsubscribe if self.confirms_unsubscribe(&push.data) => return ControlFlow::Continue(false),
            // A slot that moved to another master ends its subscriptions.
            PushKind::SUnsubscribe => return ControlFlow::Break(LinkError::SlotMoved),
            _ => return ControlFlow::Continue(false),
        }
        let mut data = push.data.into_iter();
        let (Some(Value::BulkString(channel)), Some(Value::BulkString(bytes))) = (data.next(), data.next()) else {
            return ControlFlow::Continue(false);
        };
        let Some(message) = wire::decode(Bytes::from(bytes)) else { return ControlFlow::Continue(false) };
        match message {
            WireMessage::Heartbeat { node, number } => {
                let own = node == shard.node_id && self.heartbeats.record_received(shard, number);
                return ControlFlow::Continue(own);
            }
            // Our own values and frames were delivered here before they were published.
            WireMessage::State { node, .. } | WireMessage::UserFrames { node, .. } if node == shard.node_id => {}
            WireMessage::UserFrames { frames, .. } if frames.is_empty() => {
                shard.has_lost_user_frames.store(true, Ordering::Release);
                shard.announce_lost_user_frames();
            }
            WireMessage::UserFrames { frames, .. } => {
                for (user, body) in frames {
                    if !deliver_or_drop(shard, BrokerEvent::User { user, body }) {
                        shard.has_lost_user_frames.store(true, Ordering::Release);
                    }
                }
            }
            message => {
                if let Some(stream) = shard.stream_of(&channel) {
                    receive_stream_message(shard, stream, message);
                }
            }
        }
        ControlFlow::Continue(false)
    }
}

fn receive_stream_message(shard: &Shard, stream: StreamId, message: WireMessage) {
    let Some(subscription) = shard.subscriptions.get(&stream) else { return };
    match message {
        WireMessage::Events { epoch, first_seq, bodies } if !bodies.is_empty() => {
            let dropped = !subscription.receive(SequencerMessage::Batch { epoch, first_seq, bodies });
            count(&shard.metrics.messages_dropped, u64::from(dropped));
        }
        WireMessage::State { bodies, .. } => {
            for body in bodies {
                deliver_or_drop(shard, BrokerEvent::State { stream, body });
            }
        }
        WireMessage::Joins { node, sessions } => {
            deliver_or_drop(shard, BrokerEvent::Joined { stream, sessions, is_local: node == shard.node_id });
        }
        _ => {}
    }
}

/// For messages that are not numbered, so nobody waits: a lost value is repaired by polling, a lost frame for a user by a
/// look into the store. Returns whether it was delivered.
fn deliver_or_drop(shard: &Shard, event: BrokerEvent) -> bool {
    let is_delivered = shard.out.try_send(event).is_ok();
    count(&shard.metrics.messages_dropped, u64::from(!is_delivered));
    is_delivered
}
