//! Reads of the broker's history for clients who were away for longer than a room's ring buffer reaches back. Clients that
//! were disconnected together ask from the same position: one call answers all who ask while it runs.

use std::sync::Arc;

use bytes::Bytes;
use dashmap::DashMap;
use tokio::sync::OnceCell;

use crate::broker::{Broker, StreamPosition};
use crate::domain::StreamId;

type Events = Arc<Vec<(u64, Bytes)>>;
type Key = (StreamId, Arc<str>, u64);

/// The calls that are being made. One that nobody waits for any more is not in the map.
#[derive(Default)]
pub struct HistoryReads(DashMap<Key, Arc<OnceCell<Events>>>);

/// Removes the call from the map, also when the client leaves before the answer.
struct Waiter<'a> {
    reads: &'a HistoryReads,
    key: Key,
    cell: Arc<OnceCell<Events>>,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        // An answered call is old at once; an unanswered one goes with its last waiter: the map and this waiter.
        let is_done = |cell: &Arc<OnceCell<Events>>| cell.initialized() || Arc::strong_count(cell) <= 2;
        self.reads.0.remove_if(&self.key, |_, current| Arc::ptr_eq(current, &self.cell) && is_done(current));
    }
}

impl HistoryReads {
    /// The events after this position, without a hole; none if the history does not have all of them.
    pub async fn read(&self, broker: &Broker, stream: StreamId, position: &StreamPosition) -> Events {
        let key = (stream, position.epoch.clone(), position.seq);
        let cell = self.0.entry(key.clone()).or_default().clone();
        let waiter = Waiter { reads: self, key, cell };
        let read = || async { Arc::new(broker.history_after(stream, &position.epoch, position.seq).await) };
        waiter.cell.get_or_init(read).await.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn clients_from_one_position_share_a_call_and_leave_nothing_behind() {
        let (broker, _deliveries) = Broker::local();
        let (reads, stream) = (HistoryReads::default(), StreamId::new());
        let last = broker.publish(stream, vec!["{}".into(), "{}".into()]).await.unwrap();
        let first = StreamPosition { seq: 1, ..last };
        let (one, two) = tokio::join!(reads.read(&broker, stream, &first), reads.read(&broker, stream, &first));
        assert_eq!((one.len(), two.len()), (1, 1));
        let mut abandoned = Box::pin(reads.read(&broker, stream, &first));
        let _ = std::future::Future::poll(
            abandoned.as_mut(),
            &mut std::task::Context::from_waker(std::task::Waker::noop()),
        );
        drop(abandoned);
        assert!(reads.0.is_empty());
    }
}
