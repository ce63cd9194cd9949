//! The queue of purchase requests in front of an offer's selling task, and the batches made from it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::app::catalogue::SoldOutCache;
use crate::app::error::Error;
use crate::domain::{Millis, PersonKey, PurchaseRequest, Refusal};
use crate::store::PurchaseOutcome;

/// Requests taken out of the channel at a time: several batches' worth.
const READY_REQUESTS_MAX: usize = 4_096;
/// Requests of one person that may wait. Only one per batch is served, so more would only delay other buyers.
const REQUESTS_PER_BUYER_MAX: u8 = 32;

/// The answer to a purchase request. Shared, because two requests with one key get one answer.
pub type PurchaseReply = std::result::Result<Arc<PurchaseOutcome>, Error>;

#[derive(Debug)]
pub struct QueuedPurchase {
    pub request: PurchaseRequest,
    pub reply: oneshot::Sender<PurchaseReply>,
}

/// Requests in the order of their arrival.
#[derive(Debug, Default)]
pub struct PurchaseQueue {
    requests: VecDeque<QueuedPurchase>,
    per_person: HashMap<PersonKey, u8>,
}

impl PurchaseQueue {
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Adds a request, or refuses it as `busy` if this buyer sends too many.
    pub fn push(&mut self, item: QueuedPurchase) {
        let waiting = self.per_person.entry(item.request.person.clone()).or_default();
        if *waiting >= REQUESTS_PER_BUYER_MAX {
            let busy = Refusal::Busy { retry_ms: rand::random_range(500..1_500) };
            return drop(item.reply.send(Err(busy.into())));
        }
        *waiting += 1;
        self.requests.push_back(item);
    }

    pub fn fill_from(&mut self, incoming: &mut mpsc::Receiver<QueuedPurchase>) {
        while self.requests.len() < READY_REQUESTS_MAX
            && let Ok(item) = incoming.try_recv()
        {
            self.push(item);
        }
    }

    /// Answers every request that the sold-out cache refuses.
    pub fn refuse_sold_out(&mut self, sold_out: &SoldOutCache, now: Millis) {
        for _ in 0..self.requests.len() {
            let Some(item) = self.pop() else { return };
            match sold_out.refusal_for(&item.request.buyer, item.request.qty, now) {
                Some(refusal) => drop(item.reply.send(Err(refusal.into()))),
                None => self.push(item),
            }
        }
    }

    fn pop(&mut self) -> Option<QueuedPurchase> {
        let item = self.requests.pop_front()?;
        if let Some(waiting) = self.per_person.get_mut(&item.request.person) {
            *waiting -= 1;
            if *waiting == 0 {
                self.per_person.remove(&item.request.person);
            }
        }
        Some(item)
    }

    /// Requests that keep waiting stay in front of those that came after them.
    fn requeue(&mut self, items: VecDeque<QueuedPurchase>) {
        for item in items.into_iter().rev() {
            *self.per_person.entry(item.request.person.clone()).or_default() += 1;
            self.requests.push_front(item);
        }
    }
}

fn is_same(one: &PurchaseRequest, other: &PurchaseRequest) -> bool {
    one.buyer == other.buyer && one.key == other.key && one.hash == other.hash
}

/// Scarce stock is sold in smaller batches, so that every node gets some.
pub fn batch_size_max(left: i64) -> usize {
    (left / 8).clamp(16, 512) as usize
}

/// The requests of one transaction: each person once, because what a person has is read before the batch is written; and in the order of arrival.
pub struct PurchaseBatch {
    pub requests: Vec<PurchaseRequest>,
    /// For each request, everyone who waits for its answer.
    pub replies: Vec<Vec<oneshot::Sender<PurchaseReply>>>,
}

impl PurchaseBatch {
    pub fn collect(waiting: &mut PurchaseQueue, size_max: usize) -> Self {
        let mut batch = Self { requests: Vec::with_capacity(size_max), replies: Vec::with_capacity(size_max) };
        let mut positions: HashMap<PersonKey, usize> = HashMap::with_capacity(size_max);
        let mut later = VecDeque::new();
        while batch.requests.len() < size_max
            && let Some(item) = waiting.pop()
        {
            match positions.get(&item.request.person) {
                // The same request again, from a retry or a double tap: one answer for both.
                Some(&at) if is_same(&batch.requests[at], &item.request) => {
                    batch.replies[at].push(item.reply);
                }
                Some(_) => later.push_back(item),
                None => {
                    positions.insert(item.request.person.clone(), batch.requests.len());
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

    pub fn reply_all(self, reply: &PurchaseReply) {
        for waiter in self.replies.into_iter().flatten() {
            // A client that disconnected finds the order by its key.
            let _ = waiter.send(reply.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UserId;
    use crate::domain::{IdempotencyKey, ReservationId};

    fn item(buyer: &str, key: &str) -> (QueuedPurchase, oneshot::Receiver<PurchaseReply>) {
        let (reply, receiver) = oneshot::channel();
        let request = PurchaseRequest {
            reservation: ReservationId::new(),
            buyer: UserId::parse(buyer).unwrap(),
            person: PersonKey::of_user(&UserId::parse(buyer.split('/').next().unwrap()).unwrap()),
            buyer_name: buyer.into(),
            key: IdempotencyKey::parse(key).unwrap(),
            hash: [0; 32],
            qty: 1,
        };
        (QueuedPurchase { request, reply }, receiver)
    }

    fn queue(requests: &[(&str, &str)]) -> (PurchaseQueue, Vec<oneshot::Receiver<PurchaseReply>>) {
        let (mut queue, mut receivers) = (PurchaseQueue::default(), Vec::new());
        for (buyer, key) in requests {
            let (item, receiver) = item(buyer, key);
            queue.push(item);
            receivers.push(receiver);
        }
        (queue, receivers)
    }

    fn buyers(requests: impl IntoIterator<Item = PurchaseRequest>) -> Vec<String> {
        requests.into_iter().map(|request| request.buyer.to_string()).collect()
    }

    fn left(queue: PurchaseQueue) -> Vec<String> {
        buyers(queue.requests.into_iter().map(|item| item.request))
    }

    #[test]
    fn batch_has_each_person_once_also_under_two_identities() {
        // Two accounts of one mailbox, with the same key by chance.
        let (mut waiting, _answers) = queue(&[("ann/1", "key-00001"), ("ann/2", "key-00001"), ("bob", "key-00001")]);
        let batch = PurchaseBatch::collect(&mut waiting, 16);
        assert_eq!(buyers(batch.requests), ["ann/1", "bob"]);
        assert_eq!(buyers(PurchaseBatch::collect(&mut waiting, 16).requests), ["ann/2"]);
    }

    #[test]
    fn batch_has_each_buyer_once_in_order_of_arrival() {
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
    fn full_batch_leaves_the_rest_in_order() {
        let (mut waiting, _answers) = queue(&["a", "b", "c", "d"].map(|buyer| (buyer, "key-00001")));
        let batch = PurchaseBatch::collect(&mut waiting, 2);
        assert_eq!(buyers(batch.requests), ["a", "b"]);
        assert_eq!(left(waiting), ["c", "d"]);
    }

    #[test]
    fn buyer_with_many_keys_does_not_delay_others() {
        let keys: Vec<String> = (0..1_000).map(|n| format!("key-{n:05}")).collect();
        let mut requests: Vec<(&str, &str)> = keys.iter().map(|key| ("eager", &**key)).collect();
        requests.push(("ann", "key-00001"));
        let (mut waiting, mut receivers) = queue(&requests);
        let busy = receivers.iter_mut().filter_map(|reply| reply.try_recv().ok());
        let busy = busy.filter(|reply| matches!(reply, Err(Error::Refused(Refusal::Busy { .. })))).count();
        assert_eq!(busy, 1_000 - usize::from(REQUESTS_PER_BUYER_MAX));
        assert_eq!(buyers(PurchaseBatch::collect(&mut waiting, 16).requests), ["eager", "ann"]);
        // One was served, so there is room for one more.
        let before = left_of(&waiting, "eager");
        waiting.push(item("eager", "key-00001").0);
        assert_eq!(left_of(&waiting, "eager"), before + 1);
    }

    fn left_of(queue: &PurchaseQueue, buyer: &str) -> usize {
        queue.requests.iter().filter(|item| item.request.buyer.as_str() == buyer).count()
    }

    #[test]
    fn scarce_stock_is_sold_in_small_batches() {
        assert_eq!([0, 50, 1_000, 1_000_000].map(batch_size_max), [16, 16, 125, 512]);
    }
}
