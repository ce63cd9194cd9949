//! One sequencer task for each stream with viewers on this node. It turns what the broker delivers into one log without
//! holes.
//!
//! It knows the next number. Repeated events are dropped. At a hole, it first reads the missing events from history
//! (one read at a time, 128 batches, a deadline of 200 ms). If history does not have them, if the epoch changed, or if
//! history cannot be read, the room restarts with a snapshot. When the link is new, the task reads what it missed
//! before it accepts anything else, and repeats the read until it succeeds. Its queue is bounded: when it is full, messages are dropped, and the task reads
//! history once it has caught up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::super::metrics::count;
use super::super::{BrokerEvent, Error, Result, StreamHistory, StreamPosition};
use super::shard::Shard;
use crate::domain::StreamId;

const SEQUENCER_QUEUE_MAX: usize = 1_024;
const HOLE_FILL_DEADLINE: Duration = Duration::from_millis(200);
/// The same deadline when a thousand streams read at once.
const CATCH_UP_DEADLINE: Duration = Duration::from_secs(2);
/// Between two attempts to read what was missed.
const CATCH_UP_RETRY: Duration = Duration::from_millis(500);
/// How long a room that opens waits for the broker. After this it starts without history.
const OPEN_DEADLINE: Duration = Duration::from_secs(1);

/// A subscription of this node to a stream.
pub struct BrokerSubscription {
    queue: mpsc::Sender<SequencerMessage>,
    /// Rooms that use it: one, or two for a moment while one room replaces another.
    rooms: usize,
    flags: Arc<SubscriptionFlags>,
}

#[derive(Default)]
struct SubscriptionFlags {
    /// The link has confirmed the subscription.
    is_subscribed: AtomicBool,
    /// A message was dropped because the queue was full.
    has_missed: AtomicBool,
    /// The room opened without the broker, so it has to restart when the broker is back.
    opened_without_broker: AtomicBool,
}

/// What a sequencer task receives.
pub enum SequencerMessage {
    Batch {
        epoch: String,
        first_seq: u64,
        bodies: Vec<Bytes>,
    },
    /// Messages may have been missed. `head`: where Redis stands; `None` if that is not known.
    Resync {
        head: Option<StreamPosition>,
        done: mpsc::Sender<()>,
    },
    /// A room opens and asks for its history.
    Open(oneshot::Sender<Result<StreamHistory>>),
}

impl SequencerMessage {
    /// A resync that nobody waits for.
    pub fn resync() -> Self {
        SequencerMessage::Resync { head: None, done: mpsc::channel(1).0 }
    }
}

impl BrokerSubscription {
    /// Never waits. Returns `false` if the message was dropped.
    pub fn receive(&self, message: SequencerMessage) -> bool {
        let is_queued = self.queue.try_send(message).is_ok();
        if !is_queued {
            self.flags.has_missed.store(true, Ordering::Release);
        }
        is_queued
    }

    pub fn is_subscribed(&self) -> bool {
        self.flags.is_subscribed.load(Ordering::Acquire)
    }

    pub fn set_subscribed(&self, subscribed: bool) {
        self.flags.is_subscribed.store(subscribed, Ordering::Release);
    }
}

/// Subscribes to a stream, once for each room. Returns the history that the room starts with.
pub async fn subscribe(shard: &Arc<Shard>, stream: StreamId) -> Result<StreamHistory> {
    let queue = {
        let mut subscription = shard.subscriptions.entry(stream).or_insert_with(|| start_sequencer(shard, stream));
        subscription.rooms += 1;
        subscription.queue.clone()
    };
    let history = open_stream(shard, stream, &queue).await;
    if history.is_err()
        && let Some(subscription) = shard.subscriptions.get(&stream)
    {
        subscription.flags.opened_without_broker.store(true, Ordering::Release);
        // If the failure lasted only a moment, restart now. Otherwise the next link does it. In both cases the link
        // subscribes to every followed stream that is not subscribed.
        if shard.is_up() {
            subscription.receive(SequencerMessage::resync());
        }
    }
    history
}

async fn open_stream(
    shard: &Arc<Shard>,
    stream: StreamId,
    queue: &mpsc::Sender<SequencerMessage>,
) -> Result<StreamHistory> {
    if !shard.is_up() {
        return Err(Error::Unavailable);
    }
    let opening = async {
        let (reply, subscribed) = oneshot::channel();
        shard.subscription_requests.send((stream, reply)).await.map_err(|_| Error::Stopped)?;
        subscribed.await.map_err(|_| Error::Unavailable)?;
        let (reply, opened) = oneshot::channel();
        queue.send(SequencerMessage::Open(reply)).await.map_err(|_| Error::Stopped)?;
        opened.await.map_err(|_| Error::Unavailable)?
    };
    timeout(OPEN_DEADLINE, opening).await.unwrap_or(Err(Error::Unavailable))
}

/// A room is gone. With the last room of a stream, the task and the subscription end too.
pub fn unsubscribe(shard: &Arc<Shard>, stream: StreamId) {
    let Some(mut subscription) = shard.subscriptions.get_mut(&stream) else { return };
    subscription.rooms = subscription.rooms.saturating_sub(1);
    drop(subscription);
    if shard.subscriptions.remove_if(&stream, |_, subscription| subscription.rooms == 0).is_some() {
        // If the queue is full, the channel stays subscribed until the next link and its messages are ignored.
        let _ = shard.subscription_requests.try_send((stream, oneshot::channel().0));
    }
}

fn start_sequencer(shard: &Arc<Shard>, stream: StreamId) -> BrokerSubscription {
    let (queue, messages) = mpsc::channel(SEQUENCER_QUEUE_MAX);
    let flags = Arc::<SubscriptionFlags>::default();
    let sequencer = Sequencer { shard: shard.clone(), stream, position: None, retry_at: None, flags: flags.clone() };
    shard.tasks.spawn(sequencer.run(messages));
    BrokerSubscription { queue, rooms: 0, flags }
}

struct Sequencer {
    shard: Arc<Shard>,
    stream: StreamId,
    /// Where the stream's room stands; unknown until history was read once.
    position: Option<StreamPosition>,
    /// What was missed could not be read: when to try again.
    retry_at: Option<Instant>,
    flags: Arc<SubscriptionFlags>,
}

impl Sequencer {
    async fn run(mut self, mut messages: mpsc::Receiver<SequencerMessage>) {
        // Ends when the subscription is removed.
        loop {
            let retry_at = self.retry_at;
            let message = tokio::select! {
                message = messages.recv() => message,
                () = sleep_until(retry_at.unwrap_or_else(Instant::now)), if retry_at.is_some() => {
                    self.catch_up_or_retry().await;
                    continue;
                }
            };
            let Some(message) = message else { return };
            match message {
                SequencerMessage::Batch { epoch, first_seq, bodies } => {
                    self.receive_batch(epoch, first_seq, bodies).await;
                }
                // A room that is just opening reads history itself.
                SequencerMessage::Resync { .. }
                    if self.position.is_none() && !self.flags.opened_without_broker.load(Ordering::Acquire) => {}
                // Nothing was missed.
                SequencerMessage::Resync { head, .. } if head.is_some() && head == self.position => {}
                SequencerMessage::Resync { done, .. } => {
                    self.catch_up_or_retry().await;
                    drop(done);
                }
                SequencerMessage::Open(reply) => {
                    let history = self.shard.history(self.stream, None).await;
                    if let Ok(history) = &history {
                        self.position = Some(history.position.clone());
                    }
                    // The caller timed out: the room opened without the broker.
                    if let Err(Ok(history)) = reply.send(history) {
                        self.restart(history.position, history.events).await;
                    }
                }
            }
            if messages.is_empty() && self.flags.has_missed.swap(false, Ordering::AcqRel) {
                self.catch_up_or_retry().await;
            }
        }
    }

    /// Without a link, a retry is useless: the next link resyncs every stream.
    async fn catch_up_or_retry(&mut self) {
        let has_failed = self.catch_up(CATCH_UP_DEADLINE).await.is_err();
        self.retry_at = (has_failed && self.shard.is_up()).then(|| Instant::now() + CATCH_UP_RETRY);
    }

    async fn receive_batch(&mut self, epoch: String, first_seq: u64, bodies: Vec<Bytes>) {
        count(&self.shard.metrics.batches_received, 1);
        let (previous, last) = (first_seq.saturating_sub(1), first_seq + bodies.len() as u64 - 1);
        match &self.position {
            // Nobody has read history yet: the room is not open, and history will contain this batch.
            None => {}
            Some(position) if *position.epoch == *epoch && last <= position.seq => {}
            Some(position) if *position.epoch == *epoch && previous <= position.seq => {
                let known = (position.seq - previous) as usize;
                self.deliver((position.seq + 1..).zip(bodies.into_iter().skip(known)).collect()).await;
            }
            position => {
                let same_epoch = position.as_ref().is_some_and(|position| *position.epoch == *epoch);
                if same_epoch {
                    count(&self.shard.metrics.holes, 1);
                }
                let caught_up = self.catch_up(HOLE_FILL_DEADLINE).await;
                let reached =
                    self.position.as_ref().is_some_and(|position| *position.epoch == *epoch && last <= position.seq);
                if caught_up.is_ok() && reached {
                    return;
                }
                // Redis is in another epoch than this batch: the batch is a late one of an epoch that has ended, and
                // must not throw the room back.
                let is_other_epoch = self.position.as_ref().is_some_and(|position| *position.epoch != *epoch);
                if caught_up.is_ok() && is_other_epoch {
                    count(&self.shard.metrics.late_batches, 1);
                    return;
                }
                // History is not available: the events before this batch are lost for the room.
                self.restart(StreamPosition { epoch: epoch.into(), seq: previous }, Vec::new()).await;
                self.deliver((first_seq..).zip(bodies).collect()).await;
            }
        }
    }

    /// Reads the history after our position and continues with it, or restarts. Only the read has a deadline: what was
    /// counted as delivered must be delivered.
    async fn catch_up(&mut self, deadline: Duration) -> Result<()> {
        let reading = self.shard.history(self.stream, self.position.as_ref());
        let history = timeout(deadline, reading).await.unwrap_or(Err(Error::Unavailable))?;
        match &self.position {
            Some(position) if position.epoch == history.position.epoch && history.position.seq <= position.seq => {}
            Some(position) if position.epoch == history.position.epoch => {
                let is_complete =
                    history.events.iter().zip(position.seq + 1..).all(|((seq, _), expected)| *seq == expected);
                let end = history.events.last().map_or(position.seq, |(seq, _)| *seq);
                if is_complete && !history.events.is_empty() {
                    count(&self.shard.metrics.holes_filled, 1);
                    // If more is missing than one read returns, the rest is read as the next hole, or here at once.
                    self.deliver(history.events).await;
                    if end < history.position.seq {
                        return Box::pin(self.catch_up(deadline)).await;
                    }
                } else {
                    self.restart(history.position, history.events).await;
                }
            }
            _ => self.restart(history.position, history.events).await,
        }
        Ok(())
    }

    /// Delivers events that follow our position.
    async fn deliver(&mut self, events: Vec<(u64, Bytes)>) {
        let (Some(position), Some((first_seq, _))) = (&mut self.position, events.first()) else { return };
        let first_seq = *first_seq;
        position.seq = first_seq + events.len() as u64 - 1;
        let bodies = events.into_iter().map(|(_, body)| body).collect();
        let event = BrokerEvent::Events { stream: self.stream, epoch: position.epoch.clone(), first_seq, bodies };
        let _ = self.shard.out.send(event).await;
    }

    async fn restart(&mut self, position: StreamPosition, recent: Vec<(u64, Bytes)>) {
        count(&self.shard.metrics.restarts, 1);
        self.position = Some(position.clone());
        let _ = self.shard.out.send(BrokerEvent::Restart { stream: self.stream, position, recent }).await;
    }
}
