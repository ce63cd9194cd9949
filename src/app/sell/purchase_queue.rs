//! Who waits for an offer's actor, and the batches made of them.

use std::collections::{HashMap, VecDeque};

use tokio::sync::{mpsc, oneshot};

use super::sold_out_cache::SoldOutCache;
use super::{PurchaseReply, QueuedPurchase};
use crate::domain::{Millis, PurchaseRequest, Refusal, UserId};

/// Asks taken out of the channel at a time: several batches' worth.
const READY_REQUESTS_MAX: usize = 4_096;
/// Asks of one buyer that may wait. One a batch is served, so more would only keep others waiting.
const REQUESTS_PER_BUYER_MAX: u8 = 32;

/// Asks in the order they came.
#[derive(Debug, Default)]
pub struct PurchaseQueue {
    requests: VecDeque<QueuedPurchase>,
    per_buyer: HashMap<UserId, u8>,
}

impl PurchaseQueue {
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Takes in one more, or tells whoever hammers to slow down.
    pub fn push(&mut self, item: QueuedPurchase) {
        let waiting = self.per_buyer.entry(item.request.buyer.clone()).or_default();
        if *waiting >= REQUESTS_PER_BUYER_MAX {
            let busy = Refusal::Busy { retry_ms: rand::random_range(500..1_500) };
            return drop(item.reply.send(Err(busy.into())));
        }
        *waiting += 1;
        self.requests.push_back(item);
    }

    pub fn fill_from(&mut self, asked: &mut mpsc::Receiver<QueuedPurchase>) {
        while self.requests.len() < READY_REQUESTS_MAX
            && let Ok(item) = asked.try_recv()
        {
            self.push(item);
        }
    }

    /// Answers everybody whom the gate refuses.
    pub fn refuse_sold_out(&mut self, gate: &SoldOutCache, now: Millis) {
        for _ in 0..self.requests.len() {
            let Some(item) = self.pop() else { return };
            match gate.refusal_for(&item.request.buyer, item.request.qty, now) {
                Some(refusal) => drop(item.reply.send(Err(refusal.into()))),
                None => self.push(item),
            }
        }
    }

    fn pop(&mut self) -> Option<QueuedPurchase> {
        let item = self.requests.pop_front()?;
        if let Some(waiting) = self.per_buyer.get_mut(&item.request.buyer) {
            *waiting -= 1;
            if *waiting == 0 {
                self.per_buyer.remove(&item.request.buyer);
            }
        }
        Some(item)
    }

    /// Those who wait on stand before those who came after them.
    fn requeue(&mut self, items: VecDeque<QueuedPurchase>) {
        for item in items.into_iter().rev() {
            *self.per_buyer.entry(item.request.buyer.clone()).or_default() += 1;
            self.requests.push_front(item);
        }
    }
}

/// Scarce stock goes in smaller turns, so that every node gets some.
pub fn batch_size_max(left: i64) -> usize {
    (left / 8).clamp(16, 512) as usize
}

/// One transaction's worth of asks: each buyer once, in the order they came.
pub struct PurchaseBatch {
    pub requests: Vec<PurchaseRequest>,
    /// Beside each ask, everyone who waits for its answer.
    pub replies: Vec<Vec<oneshot::Sender<PurchaseReply>>>,
}

impl PurchaseBatch {
    pub fn collect(waiting: &mut PurchaseQueue, cap: usize) -> Self {
        let mut batch = Self { requests: Vec::with_capacity(cap), replies: Vec::with_capacity(cap) };
        let mut places: HashMap<UserId, usize> = HashMap::with_capacity(cap);
        let mut later = VecDeque::new();
        while batch.requests.len() < cap
            && let Some(item) = waiting.pop()
        {
            match places.get(&item.request.buyer) {
                // The same wish again, a retry or a double tap: one answer for both.
                Some(&at)
                    if batch.requests[at].key == item.request.key && batch.requests[at].hash == item.request.hash =>
                {
                    batch.replies[at].push(item.reply);
                }
                Some(_) => later.push_back(item),
                None => {
                    places.insert(item.request.buyer.clone(), batch.requests.len());
                    batch.requests.push(item.request);
                    batch.replies.push(vec![item.reply]);
                }
            }
        }
        waiting.requeue(later);
        batch
    }

    pub fn split(mut self) -> [Self; 2] {
        let middle = self.requests.len() / 2;
        let second = Self { requests: self.requests.split_off(middle), replies: self.replies.split_off(middle) };
        [self, second]
    }

    pub fn reply_all(self, told: &PurchaseReply) {
        for waiter in self.replies.into_iter().flatten() {
            // An asker who has left finds the order by its key.
            let _ = waiter.send(told.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Error;
    use crate::domain::{IdempotencyKey, OrderId};

    fn item(buyer: &str, key: &str) -> (QueuedPurchase, oneshot::Receiver<PurchaseReply>) {
        let (answer, answered) = oneshot::channel();
        let ask = PurchaseRequest {
            order: OrderId::new(),
            buyer: UserId::parse(buyer).unwrap(),
            buyer_name: buyer.into(),
            key: IdempotencyKey::parse(key).unwrap(),
            hash: [0; 32],
            qty: 1,
        };
        (QueuedPurchase { request: ask, reply: answer }, answered)
    }

    fn queue(wishes: &[(&str, &str)]) -> (PurchaseQueue, Vec<oneshot::Receiver<PurchaseReply>>) {
        let (mut queue, mut answers) = (PurchaseQueue::default(), Vec::new());
        for (buyer, key) in wishes {
            let (item, answered) = item(buyer, key);
            queue.push(item);
            answers.push(answered);
        }
        (queue, answers)
    }

    fn buyers(asks: impl IntoIterator<Item = PurchaseRequest>) -> Vec<String> {
        asks.into_iter().map(|ask| ask.buyer.to_string()).collect()
    }

    fn left(queue: PurchaseQueue) -> Vec<String> {
        buyers(queue.requests.into_iter().map(|item| item.request))
    }

    #[test]
    fn a_batch_has_each_buyer_once_and_nobody_is_overtaken() {
        let (mut waiting, _answers) = queue(&[
            ("a", "key-00001"),
            ("b", "key-00002"),
            ("a", "key-00001"),
            ("a", "key-00003"),
            ("c", "key-00004"),
        ]);
        let batch = PurchaseBatch::collect(&mut waiting, 16);
        assert_eq!(batch.replies.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 1]);
        assert_eq!(buyers(batch.requests), ["a", "b", "c"]);
        assert_eq!(left(waiting), ["a"]);
    }

    #[test]
    fn a_full_batch_leaves_the_rest_in_order() {
        let (mut waiting, _answers) = queue(&["a", "b", "c", "d"].map(|buyer| (buyer, "key-00001")));
        let batch = PurchaseBatch::collect(&mut waiting, 2);
        assert_eq!(buyers(batch.requests), ["a", "b"]);
        assert_eq!(left(waiting), ["c", "d"]);
    }

    #[test]
    fn who_hammers_with_many_keys_keeps_nobody_waiting() {
        let keys: Vec<String> = (0..1_000).map(|n| format!("key-{n:05}")).collect();
        let mut wishes: Vec<(&str, &str)> = keys.iter().map(|key| ("hammer", &**key)).collect();
        wishes.push(("ann", "key-00001"));
        let (mut waiting, mut answers) = queue(&wishes);
        let busy = answers.iter_mut().filter_map(|answer| answer.try_recv().ok());
        let busy = busy.filter(|told| matches!(told, Err(Error::Refused(Refusal::Busy { .. })))).count();
        assert_eq!(busy, 1_000 - usize::from(REQUESTS_PER_BUYER_MAX));
        assert_eq!(buyers(PurchaseBatch::collect(&mut waiting, 16).requests), ["hammer", "ann"]);
        // Served, so there is room for one more.
        let before = left_of(&waiting, "hammer");
        waiting.push(item("hammer", "key-00001").0);
        assert_eq!(left_of(&waiting, "hammer"), before + 1);
    }

    fn left_of(queue: &PurchaseQueue, buyer: &str) -> usize {
        queue.requests.iter().filter(|item| item.request.buyer.as_str() == buyer).count()
    }

    #[test]
    fn scarce_stock_is_sold_in_small_turns() {
        assert_eq!([0, 50, 1_000, 1_000_000].map(batch_size_max), [16, 16, 125, 512]);
    }
}
