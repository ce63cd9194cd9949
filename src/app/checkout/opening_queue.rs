//! Opens the orders of many buyers in one transaction. In a rush, thousands put their reservations together at the same moment: requests that
//! arrive while a transaction is in flight go into the next one. An order by itself is opened at once.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::app::context::Context;
use crate::app::error::Result;
use crate::domain::{Refusal, ReservationId, UserId};
use crate::metrics::{SizeHistogram, WaitingRequest};
use crate::store::{OpenedOrder, OrderToOpen};

/// Requests that may wait: some seconds' worth. Above this the answer is `busy`: certainly not done.
const WAITING_MAX: usize = 4_096;
/// When to ask again after `busy`, in milliseconds.
const BUSY_RETRY_MS: Range<i64> = 1_000..3_000;
/// Orders of one transaction.
const ORDERS_TOGETHER_MAX: usize = 128;
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
        let _waiting = WaitingRequest::register(&self.counters.pending);
        let order = OrderToOpen { buyer: buyer.clone(), reservations: reservations.to_vec() };
        match self.requests.try_send(Opening { order, reply }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                return Err(Refusal::Busy { retry_ms: rand::random_range(BUSY_RETRY_MS) }.into());
            }
            // The server stops: nothing is gathered any more.
            Err(TrySendError::Closed(_)) => return Ok(None),
        }
        let answer = timeout(ANSWER_DEADLINE, answered).await;
        Ok(answer.ok().and_then(std::result::Result::ok).flatten())
    }
}

async fn run(context: Arc<Context>, counters: Arc<OpeningCounters>, mut incoming: mpsc::Receiver<Opening>) {
    let mut arrived = Vec::with_capacity(ORDERS_TOGETHER_MAX);
    loop {
        let count = tokio::select! {
            count = incoming.recv_many(&mut arrived, ORDERS_TOGETHER_MAX) => count,
            () = context.stop.cancelled(), if !incoming.is_closed() => {
                // What has arrived is still carried out.
                incoming.close();
                continue;
            }
        };
        if count == 0 {
            return;
        }
        let batch = one_of_each_buyer(arrived.drain(..));
        if !batch.is_empty() {
            open_together(&context, &counters, batch).await;
        }
    }
}

/// The requests of one transaction: the oldest of each buyer whose caller still waits. The reply of another one is dropped, so it is carried
/// out by itself.
fn one_of_each_buyer(arrived: impl Iterator<Item = Opening>) -> Vec<Opening> {
    let mut buyers = HashSet::new();
    arrived.filter(|opening| !opening.reply.is_closed() && buyers.insert(opening.order.buyer.clone())).collect()
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
    use std::sync::atomic::Ordering;

    use futures_util::FutureExt;

    use super::*;
    use crate::app::error::Error;

    type Answer = oneshot::Receiver<Option<OpenedOrder>>;

    fn opening(buyer: &str) -> (Opening, Answer) {
        let (reply, answer) = oneshot::channel();
        let order = OrderToOpen { buyer: UserId::parse(buyer).unwrap(), reservations: vec![ReservationId::new()] };
        (Opening { order, reply }, answer)
    }

    #[test]
    fn batch_has_one_request_of_each_buyer_who_still_waits() {
        let (openings, mut answers): (Vec<_>, Vec<_>) = ["ann", "bob", "ann", "cat"].into_iter().map(opening).unzip();
        drop(answers.remove(1));
        let batch = one_of_each_buyer(openings.into_iter());
        let buyers: Vec<&str> = batch.iter().map(|opening| opening.order.buyer.as_str()).collect();
        assert_eq!(buyers, ["ann", "cat"]);
        assert!(answers[1].try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Closed));
    }

    #[tokio::test]
    async fn full_queue_refuses_and_a_closed_one_leaves_the_request_to_its_caller() {
        let (requests, incoming) = mpsc::channel(1);
        let queue = OpeningQueue { requests, counters: Arc::default() };
        let (ann, first) = (UserId::parse("ann").unwrap(), opening("bob").0);
        assert!(queue.requests.try_send(first).is_ok());
        let refused = queue.open(&ann, &[ReservationId::new()]).await;
        assert!(
            matches!(refused, Err(Error::Refused(Refusal::Busy { retry_ms })) if BUSY_RETRY_MS.contains(&retry_ms))
        );
        drop(incoming);
        assert!(matches!(queue.open(&ann, &[ReservationId::new()]).await, Ok(None)));
        assert_eq!(queue.counters.pending.load(Ordering::Relaxed), 0);
    }
    #[tokio::test]
    async fn client_that_disconnects_does_not_wait_anymore() {
        let (requests, _incoming) = mpsc::channel(1);
        let queue = OpeningQueue { requests, counters: Arc::default() };
        let ann = UserId::parse("ann").unwrap();
        let reservations = [ReservationId::new()];
        let mut asking = Box::pin(queue.open(&ann, &reservations));
        assert!((&mut asking).now_or_never().is_none());
        assert_eq!(queue.counters.pending.load(Ordering::Relaxed), 1);
        drop(asking);
        assert_eq!(queue.counters.pending.load(Ordering::Relaxed), 0);
    }
}
