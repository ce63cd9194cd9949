//! The queue of payments: attempts to pay are stored, and each node sends its share of them to the payment provider, in the order
//! of their numbers (`store/payment_queue.rs`). A buyer who waits sees the place of the payment; nothing is lost when the buyer, or the
//! node that was to send it, goes away.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::Checkout;
use super::pacer::Pacer;
use crate::app::error::{Error, Result};
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::{Millis, OrderId, OrderStatus, Payment, PaymentStatus, Refusal};
use crate::store::{DuePayment, PaymentQueueLength};

/// Attempts that may wait in the whole shop. Above that a new one is refused, and nothing is written. A node counts them once a
/// second, so there may be some more.
const WAITING_MAX: i64 = 10_000;
/// When to ask again after that.
const FULL_RETRY_MS: i64 = 5_000;
/// Attempts that this node has sent and that are not answered. Above that it takes no more.
const IN_FLIGHT_MAX: usize = 1_000;
/// After this time the first request to pay is told the place of its payment, if it was not sent until then.
const FIRST_WAIT: Duration = Duration::from_secs(3);
/// How long a request to pay waits for the answer. Our pages give a request ten seconds.
const WAIT_MAX: Duration = Duration::from_secs(8);
/// When the client asks again after it was told its place.
const QUEUED_RETRY_MS: i64 = 1_000;
/// Between two rounds while attempts wait.
const ROUND: Duration = Duration::from_millis(100);
const IDLE_ROUND: Duration = Duration::from_secs(1);
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
const SIGN_INTERVAL: Duration = Duration::from_secs(2);

/// An attempt: the order, and the number of the attempt.
type AttemptKey = (OrderId, i64);

/// What this node knows of the queue.
#[derive(Debug)]
pub struct PaymentQueue {
    pub pacer: Arc<Pacer>,
    /// This node, while it runs.
    node: Uuid,
    /// Attempts that wait in the whole shop, and when the oldest was made (0: none), at the last check.
    pub waiting: AtomicI64,
    pub oldest_at: AtomicI64,
    /// Notified when an attempt joins the queue.
    joined: Arc<Notify>,
    local: Mutex<Local>,
}

#[derive(Debug, Default)]
struct Local {
    /// The requests of this node that wait for an attempt.
    requests: HashMap<AttemptKey, Vec<oneshot::Sender<()>>>,
    /// The attempts that this node has sent and that are not answered.
    in_flight: HashSet<AttemptKey>,
}

impl PaymentQueue {
    pub fn new(pacer: Arc<Pacer>) -> Self {
        let (waiting, oldest_at, joined, local) = Default::default();
        Self { pacer, node: Uuid::now_v7(), waiting, oldest_at, joined, local }
    }

    fn local(&self) -> MutexGuard<'_, Local> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a new attempt while too many wait.
    pub fn check_not_full(&self) -> std::result::Result<(), Refusal> {
        if self.waiting.load(Ordering::Relaxed) < WAITING_MAX {
            return Ok(());
        }
        Err(Refusal::Busy { retry_ms: FULL_RETRY_MS })
    }

    /// How long the oldest attempt has waited.
    pub fn oldest_wait_ms(&self, now: Millis) -> Millis {
        match self.oldest_at.load(Ordering::Relaxed) {
            0 => 0,
            at => (now - at).max(0),
        }
    }

    fn record(&self, length: PaymentQueueLength) {
        self.waiting.store(length.waiting, Ordering::Relaxed);
        self.oldest_at.store(length.oldest_at.unwrap_or(0), Ordering::Relaxed);
    }

    /// The answer to this attempt is known, or will not come: the requests that wait for it go on.
    fn wake(&self, attempt: AttemptKey) {
        let requests = self.local().requests.remove(&attempt);
        for request in requests.into_iter().flatten() {
            // The request may have given up.
            let _ = request.send(());
        }
    }

    fn is_in_flight(&self, attempt: AttemptKey) -> bool {
        self.local().in_flight.contains(&attempt)
    }

    /// Attempts that this node may send now.
    fn free(&self) -> usize {
        IN_FLIGHT_MAX.saturating_sub(self.local().in_flight.len())
    }
}

impl Checkout {
    /// Waits until an attempt that is in the queue was sent and answered, but not for long: then the buyer is told its place.
    pub async fn wait_in_queue(&self, payment: Payment, is_new: bool) -> Result<Payment> {
        let Some(queue) = &self.queue else { return Ok(payment) };
        let attempt = (payment.order, payment.attempt);
        let (sender, mut answered) = oneshot::channel();
        queue.local().requests.entry(attempt).or_default().push(sender);
        let may_call_again = !is_new && payment.called_at.is_some() && !queue.is_in_flight(attempt);
        if may_call_again && !self.context.store.call_payment_again(&payment).await? {
            queue.wake(attempt);
        }
        queue.joined.notify_one();
        let (first, rest) = if is_new { (FIRST_WAIT, WAIT_MAX - FIRST_WAIT) } else { (WAIT_MAX, Duration::ZERO) };
        let mut payment = payment;
        for wait in [first, rest] {
            let is_answered = tokio::select! {
                answered = timeout(wait, &mut answered) => answered.is_ok(),
                () = self.context.stop.cancelled() => true,
            };
            payment = self.reload_payment(&payment).await?;
            let waits_for_its_turn = payment.status == PaymentStatus::Creating && payment.called_at.is_none();
            if is_answered || waits_for_its_turn {
                break;
            }
        }
        drop(answered);
        queue.forget_requests_that_gave_up(attempt);
        match payment.status {
            PaymentStatus::Creating if payment.called_at.is_none() => {
                let place = self.context.store.payment_place(payment.order).await?.unwrap_or(1);
                Err(Refusal::PaymentQueued { place, retry_ms: QUEUED_RETRY_MS }.into())
            }
            PaymentStatus::Creating => Err(Error::OutcomeUnknown),
            _ => Ok(payment),
        }
    }

    /// Sends an attempt that was taken from the queue, and does everything that follows from the answer.
    async fn send_due_payment(&self, due: DuePayment) -> Result<()> {
        let DuePayment { payment, was_called } = due;
        let can_win = payment.order_status == OrderStatus::Held && !payment.has_lost_lines;
        if !can_win {
            // Nobody is asked for money that no order can take any more.
            if was_called {
                return self.refresh_payment(payment).await.map(drop);
            }
            self.context.store.update_payment_status(&payment, PaymentStatus::Cancelled, None).await?;
            return Ok(());
        }
        self.create_payment(payment, !was_called).await.map(drop)
    }

    async fn send_and_wake(self: Arc<Self>, due: DuePayment) {
        let (order, attempt) = (due.payment.order, due.payment.attempt);
        match self.send_due_payment(due).await {
            // The provider said nothing certain: it is asked again after a minute, or when the buyer asks.
            Ok(()) | Err(Error::OutcomeUnknown) => {}
            Err(error) => {
                tracing::warn!(order.id = %order, error = %error, "a payment of the queue could not be sent yet");
            }
        }
        if let Some(queue) = &self.queue {
            queue.local().in_flight.remove(&(order, attempt));
            queue.wake((order, attempt));
        }
    }

    /// Takes the attempts whose turn it is now, and sends each in a task of its own. Gives how many.
    async fn send_due_payments(self: &Arc<Self>, queue: &PaymentQueue) -> Result<usize> {
        let turns = queue.pacer.take_creates(queue.free());
        if turns == 0 {
            return Ok(0);
        }
        let (store, provider) = (self.context.store.clone(), self.provider.name());
        let take = async move { Ok(store.take_due_payments(provider, turns as i64).await?) };
        let due = self.context.spawn_write(take).await.inspect_err(|_| queue.pacer.give_back_creates(turns))?;
        let count = due.len();
        queue.pacer.give_back_creates(turns - count);
        let orders: Vec<OrderId> = due.iter().map(|due| due.payment.order).collect();
        if !orders.is_empty()
            && let Err(error) = self.extend_holds_of_sent(orders).await
        {
            // They last for some time yet, and the job that extends holds sees to them too.
            tracing::warn!(error = %error, "holds of payments that are sent now could not be made longer yet");
        }
        for due in due {
            queue.local().in_flight.insert((due.payment.order, due.payment.attempt));
            let this = self.clone();
            self.context.spawn(async move { this.send_and_wake(due).await });
        }
        Ok(count)
    }

    /// Lets the requests of this node go on whose attempts another node has sent.
    async fn wake_answered(&self, queue: &PaymentQueue) -> Result<()> {
        let orders: Vec<OrderId> = {
            let mut local = queue.local();
            local.requests.retain(|_, requests| {
                requests.retain(|request| !request.is_closed());
                !requests.is_empty()
            });
            local.requests.keys().map(|(order, _)| *order).collect()
        };
        if orders.is_empty() {
            return Ok(());
        }
        let answered = self.context.store.answered_payments(&orders).await?;
        answered.into_iter().for_each(|attempt| queue.wake(attempt));
        Ok(())
    }
}

impl PaymentQueue {
    fn forget_requests_that_gave_up(&self, attempt: AttemptKey) {
        let mut local = self.local();
        if let Some(requests) = local.requests.get_mut(&attempt) {
            requests.retain(|request| !request.is_closed());
            if requests.is_empty() {
                local.requests.remove(&attempt);
            }
        }
    }
}

/// Sends the payments of the queue, at the pace of this node.
pub struct PaymentQueueJob {
    checkout: Arc<Checkout>,
    queue: Arc<PaymentQueue>,
    signed_at: Option<Instant>,
    looked_at: Option<Instant>,
}

impl PaymentQueueJob {
    /// `None`: payments are sent at once.
    pub fn new(checkout: Arc<Checkout>) -> Option<Self> {
        let queue = checkout.queue.clone()?;
        Some(Self { checkout, queue, signed_at: None, looked_at: None })
    }

    async fn sign(&mut self) -> Result<()> {
        if is_due(&mut self.signed_at, SIGN_INTERVAL) {
            let (store, node) = (self.checkout.context.store.clone(), self.queue.node);
            let sign = async move { Ok(store.count_payment_node(node).await?) };
            let nodes = self.checkout.context.spawn_write(sign).await?;
            self.queue.pacer.set_nodes(u32::try_from(nodes).unwrap_or(1));
        }
        Ok(())
    }

    async fn look(&mut self) -> Result<()> {
        if is_due(&mut self.looked_at, LOOK_INTERVAL) {
            let checkout = &self.checkout;
            let length = checkout.context.store.payment_queue_length(checkout.provider.name()).await?;
            self.queue.record(length);
            checkout.wake_answered(&self.queue).await?;
        }
        Ok(())
    }
}

/// Is it time again? Then it is noted.
fn is_due(last: &mut Option<Instant>, interval: Duration) -> bool {
    let is_due = last.is_none_or(|at| at.elapsed() >= interval);
    if is_due {
        *last = Some(Instant::now());
    }
    is_due
}

impl BackgroundJob for PaymentQueueJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("payment_queue", IDLE_ROUND, Duration::from_secs(5)).with_run_at_stop()
    }

    fn wake(&self) -> Option<Arc<Notify>> {
        Some(self.queue.joined.clone())
    }

    async fn run(&mut self, is_last: bool) -> Result<NextRun> {
        if is_last {
            let (store, node) = (self.checkout.context.store.clone(), self.queue.node);
            let forget = async move { Ok(store.forget_payment_node(node).await?) };
            self.checkout.context.spawn_write(forget).await?;
            return Ok(NextRun::AfterInterval);
        }
        self.look().await?;
        // The keys of Stripe were removed, or are not set yet: what waits is sent when they are there, if its order can still be paid.
        if !self.checkout.provider.takes_payments() {
            return Ok(NextRun::AfterInterval);
        }
        self.sign().await?;
        let sent = self.checkout.send_due_payments(&self.queue).await?;
        let is_busy =
            sent > 0 || self.queue.waiting.load(Ordering::Relaxed) > 0 || !self.queue.local().requests.is_empty();
        Ok(if is_busy { NextRun::After(ROUND) } else { NextRun::AfterInterval })
    }
}
