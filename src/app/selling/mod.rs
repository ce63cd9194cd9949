//! Selling: one selling task per offer. Requests that arrive while a batch is in flight go into the next batch.
//!
//! It is self-clocking and has no timer: an idle offer sends at once, a busy one fills its batches by itself. Selling
//! tasks are created on demand and end when idle, so ten thousand offers do not need ten thousand tasks.

mod batch_runner;
mod purchase_queue;
mod selling_counters;
mod selling_thread;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use self::batch_runner::BatchRunner;
use self::purchase_queue::{PurchaseBatch, QueuedPurchase, batch_size_max};
use self::selling_counters::add_count;
use self::selling_thread::SellingThread;
use super::catalogue::{BUYERS_READ_TOGETHER_MAX, Catalogue, SoldOutCache, sold_out_reason};
use super::context::Context;
use super::error::{Error, Result};
use super::publisher::Publisher;
use crate::domain::{Millis, Offer, OfferId, PurchaseRequest, Refusal, Reservation, UserId};
use crate::metrics::WaitingRequest;
use crate::protocol::OrderView;
use crate::store::{self, BatchOutcome, PurchaseOutcome};

pub use self::purchase_queue::PurchaseReply;
pub use self::selling_counters::SellingCounters;

/// Purchase requests that may wait for one offer, about two seconds' worth. Above this the answer is `busy`: certainly
/// not done.
const PURCHASE_QUEUE_MAX: usize = 65_536;
/// When to ask again after `busy`, in milliseconds: spread around the time in which a full queue is served, so that the crowd does
/// not ask again several times meanwhile.
const BUSY_RETRY_MS: Range<i64> = 1_000..3_000;
/// A selling task without requests ends after this time.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Batches from this size on are answered by a task of their own.
const INLINE_REPLIES_MAX: usize = 32;
/// How long a request waits for its answer in all.
const REPLY_DEADLINE: Duration = Duration::from_secs(15);

pub struct Selling {
    context: Arc<Context>,
    publisher: Arc<Publisher>,
    catalogue: Arc<Catalogue>,
    tasks: DashMap<OfferId, SellingTask>,
    pub counters: SellingCounters,
    thread: SellingThread,
}

/// The queue in front of an offer's selling task.
type SellingTask = mpsc::Sender<QueuedPurchase>;

impl Selling {
    pub fn start(context: &Arc<Context>, publisher: &Arc<Publisher>, catalogue: &Arc<Catalogue>) -> Result<Arc<Self>> {
        let (context, publisher, catalogue) = (context.clone(), publisher.clone(), catalogue.clone());
        let thread = SellingThread::start().map_err(|error| {
            tracing::error!(error = %error, "the selling thread could not be started");
            Error::Unavailable
        })?;
        let (tasks, counters) = Default::default();
        Ok(Arc::new(Self { context, publisher, catalogue, tasks, counters, thread }))
    }

    /// How many offers have a selling task.
    pub fn task_count(&self) -> usize {
        self.tasks.len()
    }

    /// The refusal from the sold-out cache, if there is one. Every 250 ms one request gets none and must go on to
    /// [`purchase`](Self::purchase) as a probe.
    pub fn sold_out_refusal(&self, offer: OfferId, buyer: &UserId, qty: i64) -> Option<Refusal> {
        self.catalogue.sold_out_caches.refusal_for(offer, buyer, qty, self.context.now())
    }

    /// Puts a request into the offer's queue and waits for its answer.
    pub async fn purchase(self: &Arc<Self>, offer: OfferId, request: PurchaseRequest) -> PurchaseReply {
        let (reply, answered) = oneshot::channel();
        let _waiting = WaitingRequest::register(&self.counters.waiting_requests);
        let mut queued = QueuedPurchase { request, reply };
        // A selling task that ends closes its queue and returns the request: then a new selling task is needed.
        loop {
            let task = self.selling_task(offer).await?;
            match task.try_send(queued) {
                Ok(()) => break,
                Err(TrySendError::Full(_)) => {
                    return Err(Refusal::Busy { retry_ms: rand::random_range(BUSY_RETRY_MS) }.into());
                }
                Err(TrySendError::Closed(returned)) => {
                    self.forget_ended_task(offer);
                    queued = returned;
                }
            }
        }
        match timeout(REPLY_DEADLINE, answered).await {
            Ok(Ok(reply)) => reply,
            _ => Err(Error::OutcomeUnknown),
        }
    }

    async fn selling_task(self: &Arc<Self>, id: OfferId) -> Result<SellingTask> {
        if let Some(task) = self.tasks.get(&id).map(|task| task.clone()) {
            return Ok(task);
        }
        // Outdated terms are sufficient: they only determine the size of the first batch.
        let offer = self.catalogue.offer_details(id).await?;
        let task = self.tasks.entry(id).or_insert_with(|| {
            let sold_out = self.catalogue.sold_out_caches.get_or_create(id);
            let (queue, incoming) = mpsc::channel(PURCHASE_QUEUE_MAX);
            let run = run_selling_task(self.clone(), Offer::clone(&offer), sold_out, incoming, Handle::current());
            self.context.tasks.spawn_on(run, self.thread.handle());
            queue
        });
        Ok(task.clone())
    }

    /// A selling task that has ended leaves the map, and so does its sold-out cache; a new one may have taken its place.
    fn forget_ended_task(&self, offer: OfferId) {
        // Under the lock of the entry, where a new task takes its sold-out cache too.
        self.tasks.remove_if(&offer, |_, known| {
            let has_ended = known.is_closed();
            if has_ended {
                self.catalogue.sold_out_caches.remove(offer);
            }
            has_ended
        });
    }

    /// Notifies the buyer's other connections; the one that asked gets the reply.
    fn notify_reserved_soon(self: &Arc<Self>, reservation: &Reservation) {
        if self.publisher.broker.is_shared() || self.publisher.rooms.is_user_connected(&reservation.buyer) {
            let (this, reservation) = (self.clone(), reservation.clone());
            self.context.spawn(async move {
                let offer = this.catalogue.offer_details(reservation.offer).await.ok();
                let view = OrderView::of_purchase(&reservation, offer.as_deref(), this.context.now());
                this.publisher.send_order_to_buyer(&reservation.buyer, &view);
            });
        }
    }
}

async fn run_selling_task(
    selling: Arc<Selling>,
    mut offer: Offer,
    sold_out: Arc<SoldOutCache>,
    incoming: mpsc::Receiver<QueuedPurchase>,
    workers: Handle,
) {
    let mut runner = BatchRunner::new(&selling.context.store, &selling.counters, offer.id, incoming);
    loop {
        runner.receive_waiting();
        if runner.waiting.is_empty() {
            runner.release_turn().await;
            let request = tokio::select! {
                request = timeout(IDLE_TIMEOUT, runner.incoming.recv()) => request.ok().flatten(),
                () = selling.context.stop.cancelled() => None,
            };
            match request {
                Some(request) => runner.waiting.push(request),
                // From here on, requests go to a new selling task; those that are queued already are still answered.
                None => runner.incoming.close(),
            }
            runner.receive_waiting();
            if runner.waiting.is_empty() {
                drop(runner);
                return selling.forget_ended_task(offer.id);
            }
        }
        let batch = PurchaseBatch::collect(&mut runner.waiting, batch_size_max(offer.terms.left()));
        for part in settle_batch(&selling, &mut runner, batch, &workers).await {
            offer.has_unpaid = part.has_unpaid;
            offer.terms = part.terms;
            selling.catalogue.publish_offer(&offer, offer.terms.left() == 0);
            if update_sold_out_cache(&selling.context, &offer, &sold_out, part.now, &workers).await {
                refuse_waiting(&selling.context, &mut runner, &sold_out).await;
            }
        }
    }
}

/// Requests that arrived before the offer sold out need no batch either.
async fn refuse_waiting(context: &Context, runner: &mut BatchRunner<'_>, sold_out: &SoldOutCache) {
    loop {
        runner.receive_waiting();
        runner.waiting.refuse_sold_out(sold_out, context.now());
        if runner.incoming.is_empty() || !runner.waiting.is_empty() {
            return;
        }
        // Thousands are answered here: let other tasks run.
        tokio::task::yield_now().await;
    }
}

/// Sets or clears the sold-out cache from the result of a batch; returns whether it is set.
async fn update_sold_out_cache(
    context: &Context,
    offer: &Offer,
    sold_out: &SoldOutCache,
    now: Millis,
    workers: &Handle,
) -> bool {
    let Some(refusal) = sold_out_reason(&offer.terms, offer.has_unpaid, now) else {
        sold_out.clear();
        return false;
    };
    sold_out.enter_epoch(context.epoch());
    let (known_place, last_place) = (sold_out.known_place(), offer.terms.next_place - 1);
    // Read after the batch was committed, so every buyer with an order at this version is included.
    let are_buyers_known = known_place >= last_place || {
        let (store, id) = (context.store.clone(), offer.id);
        // Not all at once: the requests that wait here are answered by the database meanwhile.
        let until = last_place.min(known_place + BUYERS_READ_TOGETHER_MAX);
        // On the worker runtime: a pooled connection must be used on the runtime that created it.
        let read = async move { store.buyers_at_places(id, known_place, until).await };
        match workers.spawn(read).await {
            Ok(Ok(buyers)) => sold_out.add_buyers(&buyers, until) && until == last_place,
            _ => false,
        }
    };
    let is_set = are_buyers_known && sold_out.set(refusal, &offer.terms, now);
    if !is_set {
        sold_out.clear();
    }
    is_set
}

/// Sends a batch until it is answered; a batch that fails because of a bad row is split until that row stands alone.
async fn settle_batch(
    selling: &Arc<Selling>,
    runner: &mut BatchRunner<'_>,
    batch: PurchaseBatch,
    workers: &Handle,
) -> Vec<BatchOutcome> {
    let (offer, counters) = (runner.offer, &selling.counters);
    let mut outcomes = Vec::with_capacity(1);
    let mut parts = vec![batch];
    while let Some(part) = parts.pop() {
        add_count(&counters.requests, part.requests.len());
        counters.batch_sizes.observe(part.requests.len());
        match runner.run_batch(&part.requests).await {
            Ok(mut outcome) => {
                let results = std::mem::take(&mut outcome.results);
                // Hundreds of answers are sent while the next batch is in flight already.
                let (sender, waiting) = (selling.clone(), part.replies);
                let send_all =
                    move || results.into_iter().zip(waiting).for_each(|(result, to)| send_reply(&sender, result, to));
                if part.requests.len() < INLINE_REPLIES_MAX {
                    send_all();
                } else {
                    selling.context.tasks.spawn_on(async move { send_all() }, workers);
                }
                outcomes.push(outcome);
            }
            Err(store::Error::Refused(refusal)) => part.reply_all(&Err(refusal.into())),
            Err(fault) if fault.is_transient() => {
                tracing::error!(offer.id = %offer, error = %fault, "the outcome of a batch is unknown");
                part.reply_all(&Err(Error::OutcomeUnknown));
            }
            Err(fault) if fault.is_row_error() && part.requests.len() > 1 => {
                add_count(&counters.split_batches, 1);
                parts.extend(part.split().into_iter().rev());
            }
            Err(fault) => {
                let purchases = part.requests.len();
                tracing::error!(offer.id = %offer, purchases, error = %fault, "a batch could not be stored");
                part.reply_all(&Err(Error::Unavailable));
            }
        }
    }
    outcomes
}

fn send_reply(
    selling: &Arc<Selling>,
    result: std::result::Result<PurchaseOutcome, Refusal>,
    waiting: Vec<oneshot::Sender<PurchaseReply>>,
) {
    let reply: PurchaseReply = result.map(Arc::new).map_err(Error::Refused);
    for request in waiting {
        let _ = request.send(reply.clone());
    }
    if let Ok(purchase) = &reply
        && !purchase.replayed
    {
        selling.notify_reserved_soon(&purchase.reservation);
    }
}

#[cfg(test)]
mod ended_task_test;
