//! The broker within one process: numbers, keeps a little history, hands on.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use dashmap::DashMap;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::{BrokerEvent, Error, Result, StreamHistory, StreamPosition};
use crate::domain::StreamId;

/// Deliveries that wait for the rooms. Full means they are overrun: talk is refused, nothing is numbered.
const DELIVERY_QUEUE_MAX: usize = 8_192;
/// Events kept per stream for rooms that open later.
const HISTORY_MAX: usize = 200;
const IDEMPOTENCY_KEYS_MAX: usize = 4_096;

#[derive(Debug)]
pub struct LocalBroker {
    epoch: Arc<str>,
    logs: DashMap<StreamId, Arc<Mutex<StreamLog>>>,
    out: mpsc::Sender<BrokerEvent>,
}

#[derive(Debug, Default)]
struct StreamLog {
    seq: u64,
    history: VecDeque<(u64, Bytes)>,
    /// Marks of what is told once, and where it was told; the oldest in front.
    idempotency_keys: HashMap<String, u64>,
    idempotency_key_order: VecDeque<String>,
}

impl LocalBroker {
    pub fn new() -> (Self, mpsc::Receiver<BrokerEvent>) {
        let (out, deliveries) = mpsc::channel(DELIVERY_QUEUE_MAX);
        // A process's count dies with it, so its epoch is its own.
        let epoch = uuid::Uuid::now_v7().simple().to_string().into();
        (Self { epoch, logs: DashMap::new(), out }, deliveries)
    }

    pub fn publish(
        &self,
        stream: StreamId,
        bodies: Vec<Bytes>,
        idempotency_key: Option<String>,
    ) -> Result<StreamPosition> {
        let log = self.logs.entry(stream).or_default().clone();
        let mut log = log.lock().unwrap_or_else(|poison| poison.into_inner());
        if let Some(told) = idempotency_key.as_ref().and_then(|mark| log.idempotency_keys.get(mark)) {
            return Ok(StreamPosition { epoch: self.epoch.clone(), seq: *told });
        }
        let first = log.seq + 1;
        // Sent under the lock, so that what is numbered first is heard first; counted only once it is on its way.
        self.send(BrokerEvent::Events { stream, epoch: self.epoch.clone(), first, bodies: bodies.clone() })?;
        for body in bodies {
            log.seq += 1;
            let seq = log.seq;
            log.history.push_back((seq, body));
        }
        while log.history.len() > HISTORY_MAX {
            log.history.pop_front();
        }
        if let Some(mark) = idempotency_key {
            if log.idempotency_key_order.len() == IDEMPOTENCY_KEYS_MAX
                && let Some(oldest) = log.idempotency_key_order.pop_front()
            {
                log.idempotency_keys.remove(&oldest);
            }
            let seq = log.seq;
            log.idempotency_keys.insert(mark.clone(), seq);
            log.idempotency_key_order.push_back(mark);
        }
        Ok(StreamPosition { epoch: self.epoch.clone(), seq: log.seq })
    }

    pub fn send(&self, delivery: BrokerEvent) -> Result<()> {
        self.out.try_send(delivery).map_err(|error| match error {
            TrySendError::Full(_) => Error::QueueFull,
            TrySendError::Closed(_) => Error::Stopped,
        })
    }

    /// A room forgets by age, this by number: in a quiet show it reaches further back.
    pub fn history_after(&self, stream: StreamId, epoch: &str, seq: u64) -> Vec<(u64, Bytes)> {
        let StreamHistory { position: place, events: mut history } = self.history(stream);
        history.retain(|(own, _)| seq < *own);
        let whole = *place.epoch == *epoch && history.len() as u64 == place.seq.saturating_sub(seq);
        if whole { history } else { Vec::new() }
    }

    pub fn history(&self, stream: StreamId) -> StreamHistory {
        let log = self.logs.get(&stream).map(|log| log.clone());
        let (seq, recent) = match log {
            Some(log) => {
                let log = log.lock().unwrap_or_else(|poison| poison.into_inner());
                (log.seq, log.history.iter().cloned().collect())
            }
            None => (0, Vec::new()),
        };
        StreamHistory { position: StreamPosition { epoch: self.epoch.clone(), seq }, events: recent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_numbered_from_one_per_stream() {
        let (broker, mut deliveries) = LocalBroker::new();
        let (one, two) = (StreamId::new(), StreamId::new());
        let say = |stream, n: usize| broker.publish(stream, vec![Bytes::from_static(b"x"); n], None).unwrap().seq;
        assert_eq!((say(one, 1), say(two, 2), say(one, 3)), (1, 2, 4));
        let firsts: Vec<u64> = std::iter::from_fn(|| deliveries.try_recv().ok())
            .map(|delivery| if let BrokerEvent::Events { first, .. } = delivery { first } else { 0 })
            .collect();
        assert_eq!(firsts, [1, 1, 2]);
        assert_eq!(broker.history(one).events.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }

    #[test]
    fn what_came_after_a_position_is_known_whole_or_not_at_all() {
        let (broker, mut deliveries) = LocalBroker::new();
        let stream = StreamId::new();
        for _ in 0..HISTORY_MAX + 10 {
            broker.publish(stream, vec![Bytes::from_static(b"x")], None).unwrap();
            deliveries.try_recv().unwrap();
        }
        let epoch = broker.history(stream).position.epoch;
        let since = |epoch: &str, seq| broker.history_after(stream, epoch, seq).len();
        assert_eq!([9, 10, 209, 210, 211].map(|seq| since(&epoch, seq)), [0, 200, 1, 0, 0]);
        assert_eq!(since("another", 209), 0);
    }

    #[test]
    fn a_full_queue_refuses_without_numbering() {
        let (broker, mut deliveries) = LocalBroker::new();
        let stream = StreamId::new();
        let say = || broker.publish(stream, vec![Bytes::from_static(b"x")], None);
        let said = std::iter::from_fn(|| say().ok()).count();
        assert_eq!(said, DELIVERY_QUEUE_MAX);
        assert_eq!(say(), Err(Error::QueueFull));
        deliveries.try_recv().unwrap();
        assert_eq!(say().map(|place| place.seq), Ok(DELIVERY_QUEUE_MAX as u64 + 1));
    }
}
