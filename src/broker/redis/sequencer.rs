//! One task for each stream that is watched on this node: it makes one unbroken log of what comes over the bus.
//!
//! It knows the next number. What was told before is dropped; before a hole is gone on, history is asked for what is missing
//! (one question at a time, 128 batches, 200 ms). What history does not have, another epoch, or a history that cannot be asked:
//! then the room starts over, visibly. When the link is new the task asks for what it missed before it hears anything else.
//! Its queue is bounded: when it is full, what comes is dropped, and the task asks history once it has caught up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::super::metrics::count;
use super::super::{BrokerEvent, Error, Result, StreamHistory, StreamPosition};
use super::shard::Shard;
use crate::domain::StreamId;

const SEQUENCER_QUEUE_MAX: usize = 1_024;
const HOLE_FILL_DEADLINE: Duration = Duration::from_millis(200);
/// The same when a thousand streams ask at once.
const CATCH_UP_DEADLINE: Duration = Duration::from_secs(2);
/// How long a room that opens waits for the bus; past it, it starts without.
const OPEN_DEADLINE: Duration = Duration::from_secs(1);

/// A stream that is watched here.
pub struct BrokerSubscription {
    queue: mpsc::Sender<SequencerMessage>,
    /// Rooms that want it: one, or two for the moment in which one follows the other.
    rooms: usize,
    flags: Arc<SubscriptionFlags>,
}

#[derive(Default)]
struct SubscriptionFlags {
    /// The link has confirmed it.
    is_subscribed: AtomicBool,
    /// Something was dropped for want of space.
    has_missed: AtomicBool,
    /// Its room opened without the bus, so it has to start over once that is heard.
    opened_without_broker: AtomicBool,
}

/// What a stream's task is told.
pub enum SequencerMessage {
    Batch {
        epoch: String,
        first: u64,
        bodies: Vec<Bytes>,
    },
    /// The link is new: something may have been missed.
    Resync(mpsc::Sender<()>),
    /// A room opens: with what?
    Open(oneshot::Sender<Result<StreamHistory>>),
}

impl BrokerSubscription {
    /// Never waits; `false`: it was dropped.
    pub fn receive(&self, heard: SequencerMessage) -> bool {
        let taken = self.queue.try_send(heard).is_ok();
        if !taken {
            self.flags.has_missed.store(true, Ordering::Release);
        }
        taken
    }

    pub fn is_subscribed(&self) -> bool {
        self.flags.is_subscribed.load(Ordering::Acquire)
    }

    pub fn set_subscribed(&self, subscribed: bool) {
        self.flags.is_subscribed.store(subscribed, Ordering::Release);
    }
}

/// Begins to follow a stream, once for each room; gives what the room opens with.
pub async fn subscribe(shard: &Arc<Shard>, stream: StreamId) -> Result<StreamHistory> {
    let queue = {
        let mut followed = shard.subscriptions.entry(stream).or_insert_with(|| start_sequencer(shard, stream));
        followed.rooms += 1;
        followed.queue.clone()
    };
    let opened = open_stream(shard, stream, &queue).await;
    if opened.is_err()
        && let Some(followed) = shard.subscriptions.get(&stream)
    {
        followed.flags.opened_without_broker.store(true, Ordering::Release);
        // Was it only a moment? Else the next link does this, and subscribes to all that is followed.
        if shard.is_up() {
            followed.receive(SequencerMessage::Resync(mpsc::channel(1).0));
        }
    }
    opened
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
        let (ask, subscribed) = oneshot::channel();
        shard.subscription_requests.send((stream, ask)).await.map_err(|_| Error::Stopped)?;
        subscribed.await.map_err(|_| Error::Unavailable)?;
        let (ask, opened) = oneshot::channel();
        queue.send(SequencerMessage::Open(ask)).await.map_err(|_| Error::Stopped)?;
        opened.await.map_err(|_| Error::Unavailable)?
    };
    timeout(OPEN_DEADLINE, opening).await.unwrap_or(Err(Error::Unavailable))
}

/// A room is gone; with the last one the task and the subscription go too.
pub fn unsubscribe(shard: &Arc<Shard>, stream: StreamId) {
    let Some(mut followed) = shard.subscriptions.get_mut(&stream) else { return };
    followed.rooms = followed.rooms.saturating_sub(1);
    drop(followed);
    if shard.subscriptions.remove_if(&stream, |_, followed| followed.rooms == 0).is_some() {
        // Full: then it stays subscribed and is heard by nobody, until the next link.
        let _ = shard.subscription_requests.try_send((stream, oneshot::channel().0));
    }
}

fn start_sequencer(shard: &Arc<Shard>, stream: StreamId) -> BrokerSubscription {
    let (queue, heard) = mpsc::channel(SEQUENCER_QUEUE_MAX);
    let flags = Arc::<SubscriptionFlags>::default();
    let sequencer = Sequencer { shard: shard.clone(), stream, position: None, flags: flags.clone() };
    shard.tasks.spawn(sequencer.run(heard));
    BrokerSubscription { queue, rooms: 0, flags }
}

struct Sequencer {
    shard: Arc<Shard>,
    stream: StreamId,
    /// Where the stream's room stands; unknown until history was asked once.
    position: Option<StreamPosition>,
    flags: Arc<SubscriptionFlags>,
}

impl Sequencer {
    async fn run(mut self, mut heard: mpsc::Receiver<SequencerMessage>) {
        // Ends when nobody follows the stream any more.
        while let Some(next) = heard.recv().await {
            match next {
                SequencerMessage::Batch { epoch, first, bodies } => self.receive_batch(epoch, first, bodies).await,
                // A room that is just opening asks for itself.
                SequencerMessage::Resync(_done)
                    if self.position.is_none() && !self.flags.opened_without_broker.load(Ordering::Acquire) => {}
                SequencerMessage::Resync(done) => {
                    // At the next link all that is not heard now is asked for again.
                    let _ = self.catch_up(CATCH_UP_DEADLINE).await;
                    drop(done);
                }
                SequencerMessage::Open(answer) => {
                    let past = self.shard.history(self.stream, None).await;
                    if let Ok(past) = &past {
                        self.position = Some(past.position.clone());
                    }
                    // Nobody waited so long: the room opened alone.
                    if let Err(Ok(past)) = answer.send(past) {
                        self.restart(past.position, past.events).await;
                    }
                }
            }
            if heard.is_empty() && self.flags.has_missed.swap(false, Ordering::AcqRel) {
                let _ = self.catch_up(CATCH_UP_DEADLINE).await;
            }
        }
    }

    async fn receive_batch(&mut self, epoch: String, first: u64, bodies: Vec<Bytes>) {
        count(&self.shard.metrics.batches_received, 1);
        let (before, last) = (first.saturating_sub(1), first + bodies.len() as u64 - 1);
        match &self.position {
            // Nobody has asked what came before: the room is not open yet, and history will have this.
            None => {}
            Some(place) if *place.epoch == *epoch && last <= place.seq => {}
            Some(place) if *place.epoch == *epoch && before <= place.seq => {
                let known = (place.seq - before) as usize;
                self.deliver((place.seq + 1..).zip(bodies.into_iter().skip(known)).collect()).await;
            }
            place => {
                let same_epoch = place.as_ref().is_some_and(|place| *place.epoch == *epoch);
                if same_epoch {
                    count(&self.shard.metrics.holes, 1);
                }
                let caught_up = self.catch_up(HOLE_FILL_DEADLINE).await;
                let reached = self.position.as_ref().is_some_and(|place| *place.epoch == *epoch && last <= place.seq);
                if caught_up.is_ok() && reached {
                    return;
                }
                // History is not to be had: what came before this batch is lost to the room.
                self.restart(StreamPosition { epoch: epoch.into(), seq: before }, Vec::new()).await;
                self.deliver((first..).zip(bodies).collect()).await;
            }
        }
    }

    /// Asks history for what came after our place; goes on with it, or starts over. Only the question has a deadline: what
    /// was counted as told must be told.
    async fn catch_up(&mut self, deadline: Duration) -> Result<()> {
        let asking = self.shard.history(self.stream, self.position.as_ref());
        let past = timeout(deadline, asking).await.unwrap_or(Err(Error::Unavailable))?;
        match &self.position {
            Some(place) if place.epoch == past.position.epoch && past.position.seq <= place.seq => {}
            Some(place) if place.epoch == past.position.epoch => {
                let whole = past.events.iter().zip(place.seq + 1..).all(|((seq, _), expected)| *seq == expected);
                let end = past.events.last().map_or(place.seq, |(seq, _)| *seq);
                if whole && !past.events.is_empty() {
                    count(&self.shard.metrics.holes_filled, 1);
                    // More than one question's worth is missing: it is asked for as the next hole, or here at once.
                    self.deliver(past.events).await;
                    if end < past.position.seq {
                        return Box::pin(self.catch_up(deadline)).await;
                    }
                } else {
                    self.restart(past.position, past.events).await;
                }
            }
            _ => self.restart(past.position, past.events).await,
        }
        Ok(())
    }

    /// Events that follow our place.
    async fn deliver(&mut self, events: Vec<(u64, Bytes)>) {
        let (Some(place), Some((first, _))) = (&mut self.position, events.first()) else { return };
        let first = *first;
        place.seq = first + events.len() as u64 - 1;
        let bodies = events.into_iter().map(|(_, body)| body).collect();
        let delivery = BrokerEvent::Events { stream: self.stream, epoch: place.epoch.clone(), first, bodies };
        let _ = self.shard.out.send(delivery).await;
    }

    async fn restart(&mut self, place: StreamPosition, recent: Vec<(u64, Bytes)>) {
        count(&self.shard.metrics.restarts, 1);
        self.position = Some(place.clone());
        let _ = self.shard.out.send(BrokerEvent::Restart { stream: self.stream, position: place, recent }).await;
    }
}
