//! The link to one server: two connections that live and die together, one for calls and one that listens.
//!
//! Connect both → subscribe to all that is followed, 512 at a time, each confirmed → hear our own beat → the link is up: every
//! stream asks for what it missed. From then on a beat goes out each second over the one connection and comes in over the
//! other. When none came in for three seconds the link is dead, whatever TCP thinks of it: both connections are dropped and
//! built anew, after 50 ms to 2 s, for ever. The beat is the canary: its time on the way is measured, and `/readyz` believes it.
//!
//! Pushes go into a bounded queue. When it is full (this node is overrun) they are dropped, and the link is built anew, so
//! that nothing is missing without being asked for.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, RedisError, RedisResult, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::super::BrokerEvent;
use super::super::metrics::count;
use super::publisher::Publication;
use super::sequencer::SequencerMessage;
use super::server::{self, CALL_DEADLINE};
use super::shard::Shard;
use super::wire::{self, WireMessage};
use crate::domain::StreamId;

const PUSH_QUEUE_MAX: usize = 8_192;
const SUBSCRIBE_BATCH_MAX: usize = 512;
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);
/// So long without our own beat, and the link is dead.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(3);
const CHECK_INTERVAL: Duration = Duration::from_millis(250);
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// How long streams get to ask for what they missed before the link counts as rebuilt.
const RESYNC_DEADLINE: Duration = Duration::from_secs(5);

type SubscriptionRequests = mpsc::Receiver<(StreamId, oneshot::Sender<()>)>;

pub async fn run(shard: Arc<Shard>, mut asks: SubscriptionRequests) {
    let mut pause = BACKOFF_MIN;
    let mut died_at = Instant::now();
    let mut tries = 0_u32;
    loop {
        let began = Instant::now();
        let ended = tokio::select! {
            ended = run_link(&shard, &mut asks, died_at) => ended,
            () = shard.stop.cancelled() => {
                shard.set_connection(None);
                return;
            }
        };
        let was_up = shard.up.send_replace(false);
        shard.set_connection(None);
        shard.subscriptions.iter().for_each(|followed| followed.set_subscribed(false));
        // Whoever waits for a subscription is told by the end of their channel.
        while asks.try_recv().is_ok() {}
        if was_up {
            shard.lost.store(true, Ordering::Release);
            died_at = Instant::now();
            (pause, tries) = (BACKOFF_MIN, 0);
            count(&shard.metrics.link_failures, 1);
            shard.metrics.shards_up.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(shard = shard.index, why = %ended, lived_ms = began.elapsed().as_millis() as u64, "the bus is lost");
            let _ = shard.out.send(BrokerEvent::Link { shard: shard.index, is_up: false }).await;
        } else {
            tries += 1;
            // A wrong password never mends itself: somebody should read it, and not a hundred times.
            if tries.is_power_of_two() {
                tracing::warn!(shard = shard.index, tries, why = %ended, "the bus is not there");
            }
        }
        sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
        pause = (pause * 2).min(BACKOFF_MAX);
    }
}

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error("{0}")]
    Redis(#[from] RedisError),
    #[error("nothing was heard for three seconds")]
    HeartbeatTimeout,
    #[error("the connection closed")]
    Closed,
    #[error("its streams are on another server now")]
    SlotMoved,
    #[error("more came than could be taken")]
    PushQueueFull,
    #[error("a call found it broken")]
    ReconnectRequested,
}

struct Link {
    push_connection: MultiplexedConnection,
    pushes: mpsc::Receiver<PushInfo>,
    is_push_queue_full: Arc<AtomicBool>,
    heartbeats: Arc<HeartbeatTracker>,
    /// Channels we have left, whose confirmations have not come in yet.
    pending_unsubscribes: HashSet<Vec<u8>>,
}

/// One life of a link; gives why it ended. Died: the moment from which we count how long the rebuild took.
async fn run_link(shard: &Arc<Shard>, asks: &mut SubscriptionRequests, died_at: Instant) -> LinkError {
    // What was doubted was the link before.
    tokio::select! {
        biased;
        () = shard.reconnect_requested.notified() => {}
        () = std::future::ready(()) => {}
    }
    match connect(shard).await {
        Ok(mut link) => {
            // Asked for while there was no link: subscribed with all the others, below.
            while asks.try_recv().is_ok() {}
            match link.subscribe_all(shard).await {
                Ok(()) => link.serve(shard, asks, died_at).await,
                Err(error) => error.into(),
            }
        }
        Err(error) => error.into(),
    }
}

async fn connect(shard: &Arc<Shard>) -> RedisResult<Link> {
    let at = shard.server.find().await?;
    let (push, pushes) = mpsc::channel(PUSH_QUEUE_MAX);
    let overrun = Arc::new(AtomicBool::new(false));
    let (full, vitals) = (overrun.clone(), shard.metrics.clone());
    let listening = server::connect_for_pushes(&at, move |info| {
        push.try_send(info).map_err(|_| {
            count(&vitals.messages_dropped, 1);
            full.store(true, Ordering::Release);
        })
    });
    let (calling, listening) = tokio::try_join!(server::connect(&at), listening)?;
    shard.set_connection(Some(calling));
    Ok(Link {
        push_connection: listening,
        pushes,
        is_push_queue_full: overrun,
        heartbeats: Arc::new(HeartbeatTracker::default()),
        pending_unsubscribes: HashSet::new(),
    })
}

impl Link {
    async fn subscribe_all(&mut self, shard: &Shard) -> RedisResult<()> {
        let streams: Vec<StreamId> = shard.subscriptions.iter().map(|followed| *followed.key()).collect();
        let own = [shard.heartbeat_channel(), shard.users_channel()];
        let channels: Vec<String> =
            own.into_iter().chain(streams.iter().map(|stream| shard.stream_channel(*stream))).collect();
        for some in channels.chunks(SUBSCRIBE_BATCH_MAX) {
            self.change_subscriptions(shard, "SUBSCRIBE", some).await?;
        }
        for stream in &streams {
            if let Some(followed) = shard.subscriptions.get(stream) {
                followed.set_subscribed(true);
            }
        }
        Ok(())
    }

    /// Returns when every single one is confirmed. One command for each channel: a partition's channels could not stand in
    /// one with those of another slot, and the library then counts confirmations without our help.
    async fn change_subscriptions(&mut self, shard: &Shard, word: &str, channels: &[String]) -> RedisResult<()> {
        if channels.is_empty() {
            return Ok(());
        }
        let sharded = format!("S{word}");
        let word = if shard.server.is_partition() { &sharded } else { word };
        let mut pipe = redis::pipe();
        for channel in channels {
            pipe.cmd(word).arg(channel).ignore();
        }
        pipe.query_async(&mut self.push_connection).await
    }

    async fn serve(mut self, shard: &Arc<Shard>, asks: &mut SubscriptionRequests, died_at: Instant) -> LinkError {
        let beating = AbortOnDropHandle::new(tokio::spawn(send_heartbeats(shard.clone(), self.heartbeats.clone())));
        let mut heard_at = Instant::now();
        let mut check = interval(CHECK_INTERVAL);
        let mut is_up = false;
        loop {
            tokio::select! {
                push = self.pushes.recv() => {
                    let Some(push) = push else { return LinkError::Closed };
                    match self.receive_push(shard, push) {
                        ControlFlow::Continue(false) => {}
                        ControlFlow::Continue(true) => {
                            heard_at = Instant::now();
                            if !is_up {
                                is_up = true;
                                self.mark_up(shard, died_at).await;
                            }
                        }
                        ControlFlow::Break(ended) => return ended,
                    }
                }
                Some(ask) = asks.recv(), if is_up => {
                    if let Err(error) = self.apply_subscription_requests(shard, asks, ask).await {
                        return error.into();
                    }
                }
                () = shard.reconnect_requested.notified() => return LinkError::ReconnectRequested,
                _ = check.tick() => {
                    #[cfg(feature = "planted-fault")]
                    if crate::fault::assumes_broker_up() {
                        heard_at = Instant::now();
                    }
                    if HEARTBEAT_TIMEOUT <= heard_at.elapsed() || beating.is_finished() {
                        return LinkError::HeartbeatTimeout;
                    }
                    if self.is_push_queue_full.load(Ordering::Acquire) {
                        return LinkError::PushQueueFull;
                    }
                }
            }
        }
    }

    async fn mark_up(&mut self, shard: &Arc<Shard>, died_at: Instant) {
        shard.up.send_replace(true);
        shard.metrics.shards_up.fetch_add(1, Ordering::Relaxed);
        let (done, mut all) = mpsc::channel(1);
        for followed in &shard.subscriptions {
            followed.receive(SequencerMessage::Resync(done.clone()));
        }
        drop(done);
        let _ = shard.out.send(BrokerEvent::Link { shard: shard.index, is_up: true }).await;
        if shard.lost.swap(false, Ordering::AcqRel) && shard.post.try_send(Publication::UserFramesLost).is_err() {
            count(&shard.metrics.messages_dropped, 1);
        }
        let (shard, streams) = (shard.clone(), shard.subscriptions.len());
        tokio::spawn(async move {
            // Ends when the last stream has dropped its end.
            let _ = timeout(RESYNC_DEADLINE, all.recv()).await;
            shard.metrics.reconnect_time.record_duration(died_at.elapsed());
            tracing::info!(
                shard = shard.index,
                streams,
                took_ms = died_at.elapsed().as_millis() as u64,
                "the bus is heard"
            );
        });
    }

    /// Subscribes to what is followed and not subscribed, leaves what is not followed any more.
    async fn apply_subscription_requests(
        &mut self,
        shard: &Shard,
        asks: &mut SubscriptionRequests,
        first: (StreamId, oneshot::Sender<()>),
    ) -> RedisResult<()> {
        let mut all = vec![first];
        while all.len() < SUBSCRIBE_BATCH_MAX
            && let Ok(next) = asks.try_recv()
        {
            all.push(next);
        }
        // A stream may be asked about twice: what counts is whether it is followed now.
        let mut wanted: HashMap<StreamId, bool> = HashMap::new();
        for (stream, _) in &all {
            wanted.insert(*stream, shard.subscriptions.contains_key(stream));
        }
        for (word, follow) in [("SUBSCRIBE", true), ("UNSUBSCRIBE", false)] {
            let those = wanted.iter().filter(|(_, wanted)| **wanted == follow);
            let channels: Vec<String> = those.map(|(stream, _)| shard.stream_channel(*stream)).collect();
            if !follow && shard.server.is_partition() {
                self.pending_unsubscribes.extend(channels.iter().map(|channel| channel.clone().into_bytes()));
            }
            timeout(2 * CALL_DEADLINE, self.change_subscriptions(shard, word, &channels))
                .await
                .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        }
        for (stream, answer) in all {
            if let Some(followed) = shard.subscriptions.get(&stream) {
                followed.set_subscribed(true);
            }
            let _ = answer.send(());
        }
        shard.metrics.subscriptions.store(shard.subscriptions.len(), Ordering::Relaxed);
        Ok(())
    }

    fn confirms_unsubscribe(&mut self, data: &[Value]) -> bool {
        matches!(data.first(), Some(Value::BulkString(channel)) if self.pending_unsubscribes.remove(channel))
    }

    /// `true`: it was our own beat.
    fn receive_push(&mut self, shard: &Shard, push: PushInfo) -> ControlFlow<LinkError, bool> {
        match push.kind {
            PushKind::Message | PushKind::SMessage => {}
            PushKind::Disconnection => return ControlFlow::Break(LinkError::Closed),
            // What we left ourselves is answered with this word too.
            PushKind::SUnsubscribe if self.confirms_unsubscribe(&push.data) => return ControlFlow::Continue(false),
            // A slot that moved to another master takes its subscriptions away.
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
            // Own values and frames were shown here before they were told.
            WireMessage::State { node, .. } | WireMessage::UserFrames { node, .. } if node == shard.node_id => {}
            WireMessage::UserFrames { frames, .. } if frames.is_empty() => {
                deliver_or_drop(shard, BrokerEvent::UserFramesLost)
            }
            WireMessage::UserFrames { frames, .. } => {
                frames.into_iter().for_each(|(user, body)| deliver_or_drop(shard, BrokerEvent::User { user, body }));
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
    let Some(followed) = shard.subscriptions.get(&stream) else { return };
    match message {
        WireMessage::Events { epoch, first, bodies } if !bodies.is_empty() => {
            let dropped = !followed.receive(SequencerMessage::Batch { epoch, first, bodies });
            count(&shard.metrics.messages_dropped, u64::from(dropped));
        }
        WireMessage::State { bodies, .. } => {
            bodies.into_iter().for_each(|body| deliver_or_drop(shard, BrokerEvent::State { stream, body }));
        }
        WireMessage::Joins { node, sessions } => {
            deliver_or_drop(shard, BrokerEvent::Joined { stream, sessions, is_local: node == shard.node_id });
        }
        _ => {}
    }
}

/// What is not numbered: a lost value heals, so nobody waits.
fn deliver_or_drop(shard: &Shard, delivery: BrokerEvent) {
    if shard.out.try_send(delivery).is_err() {
        count(&shard.metrics.messages_dropped, 1);
    }
}

/// The beats of one link.
struct HeartbeatTracker {
    /// In the upper half of every number: a late beat of the link before says nothing about this one.
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

    /// Says whether it is one of ours.
    fn record_received(&self, shard: &Shard, number: u64) -> bool {
        let mut sent = self.sent.lock().unwrap_or_else(|poison| poison.into_inner());
        if let Some((_, at)) = sent.take_if(|(newest, _)| *newest == number) {
            shard.metrics.heartbeat_latency.record_duration(at.elapsed());
        }
        number >> 32 == self.link_id >> 32
    }
}

/// Publishes a beat each second. One that cannot be told is not repeated: the next one is.
async fn send_heartbeats(shard: Arc<Shard>, beats: Arc<HeartbeatTracker>) {
    let mut every = interval(HEARTBEAT_INTERVAL);
    for number in beats.link_id.. {
        every.tick().await;
        let Ok(mut connected) = shard.connection() else { return };
        beats.record_sent(number);
        let mut publish = redis::cmd(shard.publish_command());
        publish.arg(shard.heartbeat_channel()).arg(wire::encode_heartbeat(shard.node_id, number));
        if let Err(error) = publish.query_async::<i64>(&mut connected.connection).await {
            shard.fault("a beat", &error);
        }
    }
}
