//! Who waits for an offer's actor, and the batches made of them.

use std::collections::{HashMap, VecDeque};

use tokio::sync::{mpsc, oneshot};

use super::gate::Gate;
use super::{Item, Told};
use crate::domain::{Ask, Millis, Refusal, UserId};

/// Asks taken out of the channel at a time: several batches' worth.
const AT_HAND_MAX: usize = 4_096;
/// Asks of one buyer that may wait. One a batch is served, so more would only keep others waiting.
const OF_ONE_BUYER_MAX: u8 = 32;

/// Asks in the order they came.
#[derive(Debug, Default)]
pub struct Queue {
    items: VecDeque<Item>,
    of_buyer: HashMap<UserId, u8>,
}

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Takes in one more, or tells whoever hammers to slow down.
    pub fn push(&mut self, item: Item) {
        let waiting = self.of_buyer.entry(item.ask.buyer.clone()).or_default();
        if *waiting >= OF_ONE_BUYER_MAX {
            let busy = Refusal::Busy { retry_ms: rand::random_range(500..1_500) };
            return drop(item.answer.send(Err(busy.into())));
        }
        *waiting += 1;
        self.items.push_back(item);
    }

    pub fn take_in(&mut self, asked: &mut mpsc::Receiver<Item>) {
        while self.items.len() < AT_HAND_MAX
            && let Ok(item) = asked.try_recv()
        {
            self.push(item);
        }
    }

    /// Answers everybody whom the gate refuses.
    pub fn turn_away(&mut self, gate: &Gate, now: Millis) {
        for _ in 0..self.items.len() {
            let Some(item) = self.pop() else { return };
            match gate.refuses(&item.ask.buyer, item.ask.qty, now) {
                Some(refusal) => drop(item.answer.send(Err(refusal.into()))),
                None => self.push(item),
            }
        }
    }

    fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        if let Some(waiting) = self.of_buyer.get_mut(&item.ask.buyer) {
            *waiting -= 1;
            if *waiting == 0 {
                self.of_buyer.remove(&item.ask.buyer);
            }
        }
        Some(item)
    }

    /// Those who wait on stand before those who came after them.
    fn put_back(&mut self, items: VecDeque<Item>) {
        for item in items.into_iter().rev() {
            *self.of_buyer.entry(item.ask.buyer.clone()).or_default() += 1;
            self.items.push_front(item);
        }
    }
}

/// Scarce stock goes in smaller turns, so that every node gets some.
pub fn batch_cap(left: i64) -> usize {
    (left / 8).clamp(16, 512) as usize
}

/// One transaction's worth of asks: each buyer once, in the order they came.
pub struct Batch {
    pub asks: Vec<Ask>,
    /// Beside each ask, everyone who waits for its answer.
    pub answers: Vec<Vec<oneshot::Sender<Told>>>,
}

impl Batch {
    pub fn gather(waiting: &mut Queue, cap: usize) -> Self {
        let mut batch = Self { asks: Vec::with_capacity(cap), answers: Vec::with_capacity(cap) };
        let mut places: HashMap<UserId, usize> = HashMap::with_capacity(cap);
        let mut later = VecDeque::new();
        while batch.asks.len() < cap
            && let Some(item) = waiting.pop()
        {
            match places.get(&item.ask.buyer) {
                // The same wish again, a retry or a double tap: one answer for both.
                Some(&at) if batch.asks[at].key == item.ask.key && batch.asks[at].hash == item.ask.hash => {
                    batch.answers[at].push(item.answer);
                }
                Some(_) => later.push_back(item),
                None => {
                    places.insert(item.ask.buyer.clone(), batch.asks.len());
                    batch.asks.push(item.ask);
                    batch.answers.push(vec![item.answer]);
                }
            }
        }
        waiting.put_back(later);
        batch
    }

    pub fn halves(mut self) -> [Self; 2] {
        let middle = self.asks.len() / 2;
        let second = Self { asks: self.asks.split_off(middle), answers: self.answers.split_off(middle) };
        [self, second]
    }

    pub fn answer_all(self, told: &Told) {
        for waiter in self.answers.into_iter().flatten() {
            // An asker who has left finds the order by its key.
            let _ = waiter.send(told.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Error;
    use crate::domain::{Key, OrderId};

    fn item(buyer: &str, key: &str) -> (Item, oneshot::Receiver<Told>) {
        let (answer, answered) = oneshot::channel();
        let ask = Ask {
            order: OrderId::new(),
            buyer: UserId::parse(buyer).unwrap(),
            buyer_name: buyer.into(),
            key: Key::parse(key).unwrap(),
            hash: [0; 32],
            qty: 1,
        };
        (Item { ask, answer }, answered)
    }

    fn queue(wishes: &[(&str, &str)]) -> (Queue, Vec<oneshot::Receiver<Told>>) {
        let (mut queue, mut answers) = (Queue::default(), Vec::new());
        for (buyer, key) in wishes {
            let (item, answered) = item(buyer, key);
            queue.push(item);
            answers.push(answered);
        }
        (queue, answers)
    }

    fn buyers(asks: impl IntoIterator<Item = Ask>) -> Vec<String> {
        asks.into_iter().map(|ask| ask.buyer.to_string()).collect()
    }

    fn left(queue: Queue) -> Vec<String> {
        buyers(queue.items.into_iter().map(|item| item.ask))
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
        let batch = Batch::gather(&mut waiting, 16);
        assert_eq!(batch.answers.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 1]);
        assert_eq!(buyers(batch.asks), ["a", "b", "c"]);
        assert_eq!(left(waiting), ["a"]);
    }

    #[test]
    fn a_full_batch_leaves_the_rest_in_order() {
        let (mut waiting, _answers) = queue(&["a", "b", "c", "d"].map(|buyer| (buyer, "key-00001")));
        let batch = Batch::gather(&mut waiting, 2);
        assert_eq!(buyers(batch.asks), ["a", "b"]);
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
        assert_eq!(busy, 1_000 - usize::from(OF_ONE_BUYER_MAX));
        assert_eq!(buyers(Batch::gather(&mut waiting, 16).asks), ["hammer", "ann"]);
        // Served, so there is room for one more.
        let before = left_of(&waiting, "hammer");
        waiting.push(item("hammer", "key-00001").0);
        assert_eq!(left_of(&waiting, "hammer"), before + 1);
    }

    fn left_of(queue: &Queue, buyer: &str) -> usize {
        queue.items.iter().filter(|item| item.ask.buyer.as_str() == buyer).count()
    }

    #[test]
    fn scarce_stock_is_sold_in_small_turns() {
        assert_eq!([0, 50, 1_000, 1_000_000].map(batch_cap), [16, 16, 125, 512]);
    }
}
