//! Opens the orders of many buyers in one transaction. In a rush, thousands put their reservations together at the same moment: requests that
//! arrive while a transaction is in flight go into the next one. An order by itself is opened at once.

use std::collections::{HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::app::context::Context;
use crate::app::error::Result;
use crate::domain::{Refusal, ReservationId, UserId};
use crate::metrics::SizeHistogram;
use crate::store::{OpenedOrder, OrderToOpen};

/// Requests that may wait: some seconds' worth. Above this the answer is `busy`: certainly not done.
const WAITING_MAX: usize = 4_096;
/// When to ask again after `busy`, in milliseconds.
const BUSY_RETRY_MS: Range<i64> = 1_000..3_000;
/// Orders, and reservations, of one transaction.
const ORDERS_TOGETHER_MAX: usize = 128;
const LINES_TOGETHER_MAX: usize = 1_024;
/// A request that has no answer by then is carried out by itself: to open an order twice changes nothing.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);

struct Opening {
    order: OrderToOpen,
    reply: oneshot::Sender<Option<OpenedOrder>>,
}

pub struct OpeningQueue {
    requests: mpsc::Sender<Opening>,
    counters: Arc<OpeningCounters>,
}

#[derive(Debug, Default)]
pub struct OpeningCounters {
    /// Requests that wait or are carried out now.
    pub pending: AtomicU64,
    /// Orders of each transaction.
    pub batch_sizes: SizeHistogram,
}

impl OpeningQueue {
    pub fn start(context: &Arc<Context>) -> Self {
        let (requests, incoming) = mpsc::channel(WAITING_MAX);
        let counters = Arc::<OpeningCounters>::default();
        context.spawn(run(context.clone(), counters.clone(), incoming));
        Self { requests, counters }
    }

    pub fn counters(&self) -> &OpeningCounters {
        &self.counters
    }

    /// Makes reservations a new order of their buyer. `None`: it must be opened by itself, or refused.
    pub async fn open(&self, buyer: &UserId, reservations: &[ReservationId]) -> Result<Option<OpenedOrder>> {
        let (reply, answered) = oneshot::channel();
        let order = OrderToOpen { buyer: buyer.clone(), reservations: reservations.to_vec() };
        match self.requests.try_send(Opening { order, reply }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                return Err(Refusal::Busy { retry_ms: rand::random_range(BUSY_RETRY_MS) }.into());
            }
            // The server stops: nothing is gathered any more.
            Err(TrySendError::Closed(_)) => return Ok(None),
        }
        self.counters.pending.fetch_add(1, Ordering::Relaxed);
        let answer = timeout(ANSWER_DEADLINE, answered).await;
        self.counters.pending.fetch_sub(1, Ordering::Relaxed);
        Ok(answer.ok().and_then(std::result::Result::ok).flatten())
    }
}

async fn run(context: Arc<Context>, counters: Arc<OpeningCounters>, mut incoming: mpsc::Receiver<Opening>) {
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            let first = tokio::select! {
                first = incoming.recv() => first,
                () = context.stop.cancelled() => {
                    incoming.close();
                    // What has arrived is still carried out.
                    incoming.recv().await
                }
            };
            let Some(first) = first else { return };
            waiting.push_back(first);
        }
        while let Ok(next) = incoming.try_recv() {
            waiting.push_back(next);
        }
        open_together(&context, &counters, next_batch(&mut waiting)).await;
    }
}

/// The requests of the next transaction: the oldest, but only one of each buyer.
fn next_batch(waiting: &mut VecDeque<Opening>) -> Vec<Opening> {
    let (mut batch, mut later) = (Vec::new(), VecDeque::new());
    let (mut buyers, mut lines) = (HashSet::new(), 0);
    while let Some(opening) = waiting.pop_front() {
        lines += opening.order.reservations.len();
        if batch.len() == ORDERS_TOGETHER_MAX || lines > LINES_TOGETHER_MAX {
            waiting.push_front(opening);
            break;
        }
        match buyers.insert(opening.order.buyer.clone()) {
            true => batch.push(opening),
            false => later.push_back(opening),
        }
    }
    later.append(waiting);
    *waiting = later;
    batch
}

async fn open_together(context: &Context, counters: &OpeningCounters, batch: Vec<Opening>) {
    let (orders, replies): (Vec<_>, Vec<_>) = batch.into_iter().map(|opening| (opening.order, opening.reply)).unzip();
    counters.batch_sizes.observe(orders.len());
    match context.store.open_new_orders(&orders, context.profile().quote_rules()).await {
        Ok(opened) => replies.into_iter().zip(opened).for_each(|(reply, order)| drop(reply.send(order))),
        // The replies are dropped, and each request is carried out by itself: one of them may be at fault.
        Err(error) => tracing::warn!(orders = orders.len(), error = %error, "orders could not be opened together"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(buyer: &str, lines: usize) -> Opening {
        let buyer = UserId::parse(buyer).unwrap();
        let reservations = (0..lines).map(|_| ReservationId::new()).collect();
        Opening { order: OrderToOpen { buyer, reservations }, reply: oneshot::channel().0 }
    }

    fn buyers(openings: impl IntoIterator<Item = Opening>) -> Vec<String> {
        openings.into_iter().map(|opening| opening.order.buyer.as_str().to_owned()).collect()
    }

    #[test]
    fn batch_has_one_request_of_each_buyer_and_keeps_the_order() {
        let mut waiting: VecDeque<Opening> =
            ["ann", "bob", "ann", "cat", "bob"].into_iter().map(|buyer| opening(buyer, 1)).collect();
        assert_eq!(buyers(next_batch(&mut waiting)), ["ann", "bob", "cat"]);
        assert_eq!(buyers(next_batch(&mut waiting)), ["ann", "bob"]);
        assert!(waiting.is_empty());
    }

    #[test]
    fn batch_is_bounded_in_orders_and_in_lines() {
        let mut waiting: VecDeque<Opening> =
            (0..ORDERS_TOGETHER_MAX + 3).map(|n| opening(&format!("buyer-{n}"), 1)).collect();
        assert_eq!(next_batch(&mut waiting).len(), ORDERS_TOGETHER_MAX);
        assert_eq!(buyers(waiting.drain(..)), ["buyer-128", "buyer-129", "buyer-130"]);
        waiting.extend((0..5).map(|n| opening(&format!("buyer-{n}"), LINES_TOGETHER_MAX / 2)));
        assert_eq!(buyers(next_batch(&mut waiting)), ["buyer-0", "buyer-1"]);
        assert_eq!(waiting.len(), 3);
    }
}
