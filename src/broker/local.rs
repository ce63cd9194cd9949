//! The broker within one process: it numbers events, keeps a short history, and delivers.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use dashmap::DashMap;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::{BrokerEvent, Error, Result, StreamHistory, StreamPosition};
use crate::domain::{StreamId, UserId};

/// Deliveries that wait for the rooms. When the queue is full, the rooms are overloaded: chat is refused and nothing is
/// numbered.
const DELIVERY_QUEUE_MAX: usize = 8_192;
/// The part of the queue that only frames for single users can take: a hot room does not push them out.
const USER_FRAMES_RESERVED: usize = 1_024;
/// Events kept per stream for rooms that open later.
const HISTORY_MAX: usize = 200;
const IDEMPOTENCY_KEYS_MAX: usize = 4_096;

#[derive(Debug)]
pub struct LocalBroker {
    epoch: Arc<str>,
    logs: DashMap<StreamId, Arc<Mutex<StreamLog>>>,
    out: mpsc::Sender<BrokerEvent>,
    /// A frame for a user was dropped: their orders have to be looked up.
    has_lost_user_frames: AtomicBool,
}

#[derive(Debug, Default)]
struct StreamLog {
    seq: u64,
    history: VecDeque<(u64, Bytes)>,
    /// Idempotency keys and the position at which each was published; the oldest key is in front.
    idempotency_keys: HashMap<String, u64>,
    idempotency_key_order: VecDeque<String>,
}

impl LocalBroker {
    pub fn new() -> (Self, mpsc::Receiver<BrokerEvent>) {
        let (out, deliveries) = mpsc::channel(DELIVERY_QUEUE_MAX);
        // A process's count is lost when it exits, so each process starts an epoch of its own.
        let epoch = uuid::Uuid::now_v7().simple().to_string().into();
        (Self { epoch, logs: DashMap::new(), out, has_lost_user_frames: AtomicBool::new(false) }, deliveries)
    }

    pub fn publish(
        &self,
        stream: StreamId,
        bodies: Vec<Bytes>,
        idempotency_key: Option<String>,
    ) -> Result<StreamPosition> {
        let log = self.logs.entry(stream).or_default().clone();
        let mut log = log.lock().unwrap_or_else(|poison| poison.into_inner());
        if let Some(published_at) = idempotency_key.as_ref().and_then(|key| log.idempotency_keys.get(key)) {
            return Ok(StreamPosition { epoch: self.epoch.clone(), seq: *published_at });
        }
        let first_seq = log.seq + 1;
        // Sent under the lock, so that events are delivered in the order of their numbers. They are counted only after
        // they were sent.
        self.send(BrokerEvent::Events { stream, epoch: self.epoch.clone(), first_seq, bodies: bodies.clone() })?;
        for body in bodies {
            log.seq += 1;
            let seq = log.seq;
            log.history.push_back((seq, body));
        }
        while log.history.len() > HISTORY_MAX {
            log.history.pop_front();
        }
        if let Some(key) = idempotency_key {
            if log.idempotency_key_order.len() == IDEMPOTENCY_KEYS_MAX
                && let Some(oldest) = log.idempotency_key_order.pop_front()
            {
                log.idempotency_keys.remove(&oldest);
            }
            let seq = log.seq;
            log.idempotency_keys.insert(key.clone(), seq);
            log.idempotency_key_order.push_back(key);
        }
        Ok(StreamPosition { epoch: self.epoch.clone(), seq: log.seq })
    }

    /// For everything but frames for users.
    pub fn send(&self, event: BrokerEvent) -> Result<()> {
        if self.out.capacity() <= USER_FRAMES_RESERVED {
            return Err(Error::QueueFull);
        }
        self.try_send(event)
    }

    /// A frame that does not fit into the queue is delivered later, from the store.
    pub fn send_to_user(&self, user: UserId, body: Bytes) -> Result<()> {
        let sent = self.try_send(BrokerEvent::User { user, body });
        if sent != Err(Error::QueueFull) {
            return sent;
        }
        self.has_lost_user_frames.store(true, Ordering::Release);
        Ok(())
    }

    /// Tells the app that frames for users were dropped. Call it every few seconds.
    pub fn announce_lost_user_frames(&self) {
        if self.has_lost_user_frames.swap(false, Ordering::AcqRel)
            && self.try_send(BrokerEvent::UserFramesLost).is_err()
        {
            self.has_lost_user_frames.store(true, Ordering::Release);
        }
    }

    fn try_send(&self, event: BrokerEvent) -> Result<()> {
        self.out.try_send(event).map_err(|error| match error {
            TrySendError::Full(_) => Error::QueueFull,
            TrySendError::Closed(_) => Error::Stopped,
        })
    }

    /// A room's ring buffer forgets by age, this history by number of events: in a quiet show it reaches further back.
    pub fn history_after(&self, stream: StreamId, epoch: &str, seq: u64) -> Vec<(u64, Bytes)> {
        let StreamHistory { position, events: mut after_position } = self.history(stream);
        after_position.retain(|(own, _)| seq < *own);
        let is_complete = *position.epoch == *epoch && after_position.len() as u64 == position.seq.saturating_sub(seq);
        if is_complete { after_position } else { Vec::new() }
    }

    pub fn history(&self, stream: StreamId) -> StreamHistory {
        let log = self.logs.get(&stream).map(|log| log.clone());
        let (seq, events) = match log {
            Some(log) => {
                let log = log.lock().unwrap_or_else(|poison| poison.into_inner());
                (log.seq, log.history.iter().cloned().collect())
            }
            None => (0, Vec::new()),
        };
        StreamHistory { position: StreamPosition { epoch: self.epoch.clone(), seq }, events }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_numbered_from_one_per_stream() {
        let (broker, mut deliveries) = LocalBroker::new();
        let (one, two) = (StreamId::new(), StreamId::new());
        let publish = |stream, n: usize| broker.publish(stream, vec![Bytes::from_static(b"x"); n], None).unwrap().seq;
        assert_eq!((publish(one, 1), publish(two, 2), publish(one, 3)), (1, 2, 4));
        let firsts: Vec<u64> = std::iter::from_fn(|| deliveries.try_recv().ok())
            .map(|event| if let BrokerEvent::Events { first_seq, .. } = event { first_seq } else { 0 })
            .collect();
        assert_eq!(firsts, [1, 1, 2]);
        assert_eq!(broker.history(one).events.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }

    #[test]
    fn history_after_a_position_is_complete_or_empty() {
        let (broker, mut deliveries) = LocalBroker::new();
        let stream = StreamId::new();
        for _ in 0..HISTORY_MAX + 10 {
            broker.publish(stream, vec![Bytes::from_static(b"x")], None).unwrap();
            deliveries.try_recv().unwrap();
        }
        let epoch = broker.history(stream).position.epoch;
        let after = |epoch: &str, seq| broker.history_after(stream, epoch, seq).len();
        assert_eq!([9, 10, 209, 210, 211].map(|seq| after(&epoch, seq)), [0, 200, 1, 0, 0]);
        assert_eq!(after("another", 209), 0);
    }

    #[test]
    fn full_queue_refuses_without_numbering() {
        let (broker, mut deliveries) = LocalBroker::new();
        let stream = StreamId::new();
        let publish = || broker.publish(stream, vec![Bytes::from_static(b"x")], None);
        let published = std::iter::from_fn(|| publish().ok()).count();
        assert_eq!(published, DELIVERY_QUEUE_MAX - USER_FRAMES_RESERVED);
        assert_eq!(publish(), Err(Error::QueueFull));
        deliveries.try_recv().unwrap();
        assert_eq!(publish().map(|position| position.seq), Ok(published as u64 + 1));
    }

    #[test]
    fn user_frames_have_space_beside_full_rooms_and_are_repeated_when_lost() {
        let (broker, mut deliveries) = LocalBroker::new();
        while broker.publish(StreamId::new(), vec![Bytes::from_static(b"x")], None).is_ok() {}
        let send = || broker.send_to_user(UserId::parse("ann").unwrap(), Bytes::from_static(b"order"));
        (0..USER_FRAMES_RESERVED + 5).for_each(|_| send().unwrap());
        broker.announce_lost_user_frames();
        let received: Vec<_> = std::iter::from_fn(|| deliveries.try_recv().ok()).collect();
        let frames = received.iter().filter(|event| matches!(event, BrokerEvent::User { .. })).count();
        assert_eq!((frames, received.len()), (USER_FRAMES_RESERVED, DELIVERY_QUEUE_MAX));
        broker.announce_lost_user_frames();
        assert_eq!(deliveries.try_recv(), Ok(BrokerEvent::UserFramesLost));
        broker.announce_lost_user_frames();
        assert!(deliveries.try_recv().is_err(), "once");
    }
}
