//! One actor per offer: whoever asks while a batch is in flight rides in the next one.
//!
//! Self-clocking, no timer: an idle offer sends at once, a busy one fills its batches by itself. Actors are made on
//! demand and go away when idle, so ten thousand offers exist without ten thousand tasks.

mod batch_runner;
mod purchase_queue;
mod selling_thread;
mod sold_out_cache;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use self::batch_runner::BatchRunner;
use self::purchase_queue::{PurchaseBatch, batch_size_max};
use self::selling_thread::SellingThread;
use self::sold_out_cache::{CACHED_BUYERS_MAX, SoldOutCache};
use super::{App, Error, Result};
use crate::domain::{Millis, Offer, OfferId, Order, PurchaseRequest, Refusal, UserId};
use crate::metrics::{DurationHistogram, SizeHistogram};
use crate::store::{self, BatchOutcome, PurchaseOutcome};

/// Asks that may wait for one offer, about two seconds' worth; past it the answer is `busy`: certainly not done.
const PURCHASE_QUEUE_MAX: usize = 65_536;
/// An actor with nothing to do goes away.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Batches from this size on are answered by a task of their own.
const INLINE_REPLIES_MAX: usize = 32;
/// How long an asker waits in all.
const REPLY_DEADLINE: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub struct SellingTasks {
    tasks: DashMap<OfferId, SellingTask>,
    counters: SellingCounters,
    thread: SellingThread,
}

/// The way to an offer's actor: first the gate, then the queue.
#[derive(Clone, Debug)]
struct SellingTask {
    sold_out: Arc<SoldOutCache>,
    queue: mpsc::Sender<QueuedPurchase>,
}

/// What selling has done on this node since it started.
#[derive(Debug, Default)]
pub struct SellingCounters {
    /// Transactions, as far as they were tried.
    pub batches: AtomicU64,
    /// Asks in them.
    pub requests: AtomicU64,
    /// Batches sent again after a fault that passes.
    pub retried_batches: AtomicU64,
    /// Batches cut in two to find a bad row: should be 0.
    pub split_batches: AtomicU64,
    /// Who waits for an answer now.
    pub waiting_requests: AtomicU64,
    /// Asks of each batch, and how long one try of it took.
    pub batch_sizes: SizeHistogram,
    pub batch_duration: DurationHistogram,
}

fn add_count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}

impl SellingTasks {
    pub fn start() -> std::io::Result<Self> {
        Ok(Self { tasks: DashMap::new(), counters: SellingCounters::default(), thread: SellingThread::start()? })
    }

    /// The offer was seen at this version.
    pub fn record_version(&self, offer: OfferId, version: i64) {
        if let Some(seller) = self.tasks.get(&offer) {
            seller.sold_out.invalidate_older(version);
        }
    }
}

/// One who waits for an answer, until dropped: a client that leaves waits no more.
struct WaitingRequest<'a>(&'a AtomicU64);

impl<'a> WaitingRequest<'a> {
    fn register(all: &'a AtomicU64) -> Self {
        all.fetch_add(1, Ordering::Relaxed);
        Self(all)
    }
}

impl Drop for WaitingRequest<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What an asker is told. Shared, because two frames with one key get one answer.
type PurchaseReply = std::result::Result<Arc<PurchaseOutcome>, Error>;

#[derive(Debug)]
struct QueuedPurchase {
    request: PurchaseRequest,
    reply: oneshot::Sender<PurchaseReply>,
}

impl App {
    /// What selling has done on this node.
    pub fn selling_counters(&self) -> &SellingCounters {
        &self.0.selling_tasks.counters
    }

    /// How many offers have an actor.
    pub fn selling_task_count(&self) -> usize {
        self.0.selling_tasks.tasks.len()
    }

    /// The refusal that needs no database, if there is one. Every 250 ms somebody gets none and must go on to
    /// [`sell`](Self::sell), to look for the others.
    pub(super) fn sold_out_refusal(&self, offer: OfferId, buyer: &UserId, qty: i64) -> Option<Refusal> {
        let seller = self.0.selling_tasks.tasks.get(&offer)?;
        seller.sold_out.refusal_for(buyer, qty, self.now())
    }

    /// Puts an ask in the offer's queue and waits for its answer.
    pub(super) async fn purchase(&self, offer: OfferId, ask: PurchaseRequest) -> PurchaseReply {
        let (answer, answered) = oneshot::channel();
        let _waiting = WaitingRequest::register(&self.selling_counters().waiting_requests);
        let mut item = QueuedPurchase { request: ask, reply: answer };
        // An actor that goes idle closes its queue and hands the item back: then there is a new actor to ask.
        loop {
            let seller = self.selling_task(offer).await?;
            match seller.queue.try_send(item) {
                Ok(()) => break,
                Err(TrySendError::Full(_)) => {
                    return Err(Refusal::Busy { retry_ms: rand::random_range(100..1_000) }.into());
                }
                Err(TrySendError::Closed(back)) => {
                    self.0.selling_tasks.tasks.remove_if(&offer, |_, known| known.queue.same_channel(&seller.queue));
                    item = back;
                }
            }
        }
        match timeout(REPLY_DEADLINE, answered).await {
            Ok(Ok(told)) => told,
            _ => Err(Error::OutcomeUnknown),
        }
    }

    async fn selling_task(&self, id: OfferId) -> Result<SellingTask> {
        if let Some(known) = self.0.selling_tasks.tasks.get(&id).map(|known| known.clone()) {
            return Ok(known);
        }
        // Old terms do: they only size the first batch.
        let offer = self.offer_details(id).await?;
        let made = self.0.selling_tasks.tasks.entry(id).or_insert_with(|| {
            let (queue, asked) = mpsc::channel(PURCHASE_QUEUE_MAX);
            let gate = Arc::<SoldOutCache>::default();
            let run = run_selling_task(self.clone(), Offer::clone(&offer), gate.clone(), asked, Handle::current());
            self.0.tasks.spawn_on(run, self.0.selling_tasks.thread.handle());
            SellingTask { sold_out: gate, queue }
        });
        Ok(made.clone())
    }
}

async fn run_selling_task(
    app: App,
    mut offer: Offer,
    gate: Arc<SoldOutCache>,
    asked: mpsc::Receiver<QueuedPurchase>,
    workers: Handle,
) {
    let mut line = BatchRunner::new(&app, offer.id, asked);
    loop {
        line.receive_waiting();
        if line.waiting.is_empty() {
            line.release_turn().await;
            let item = tokio::select! {
                item = timeout(IDLE_TIMEOUT, line.asked.recv()) => item.ok().flatten(),
                () = app.0.stop.cancelled() => None,
            };
            match item {
                Some(item) => line.waiting.push(item),
                // From here on askers go to a new actor; what came in before is still answered.
                None => line.asked.close(),
            }
            line.receive_waiting();
            if line.waiting.is_empty() {
                return;
            }
        }
        let batch = PurchaseBatch::collect(&mut line.waiting, batch_size_max(offer.terms.left()));
        for part in settle_batch(&mut line, batch, &workers).await {
            offer.unpaid = part.unpaid;
            offer.terms = part.terms;
            app.publish_offer(&offer, offer.terms.left() == 0).await;
            if update_sold_out_cache(&app, &offer, &gate, part.now, &workers).await {
                refuse_waiting(&mut line, &gate).await;
            }
        }
    }
}

/// Who came before the gate fell needs no batch either.
async fn refuse_waiting(line: &mut BatchRunner<'_>, gate: &SoldOutCache) {
    loop {
        line.receive_waiting();
        line.waiting.refuse_sold_out(gate, line.app.now());
        if line.asked.is_empty() || !line.waiting.is_empty() {
            return;
        }
        // Thousands are answered here: others have work too.
        tokio::task::yield_now().await;
    }
}

/// Shuts or opens the gate by what a batch found; says whether it is shut.
async fn update_sold_out_cache(app: &App, offer: &Offer, gate: &SoldOutCache, now: Millis, workers: &Handle) -> bool {
    let Some(refusal) = sold_out_cache::sold_out_reason(&offer.terms, offer.unpaid, now) else {
        gate.open();
        return false;
    };
    let (known, last) = (gate.known_place(), offer.terms.next_place - 1);
    // Read after the batch was committed, so whoever has an order at this version is among them.
    let learned = known >= last || {
        let (store, id) = (app.store().clone(), offer.id);
        // With the workers: a connection of the pool belongs where it was made.
        let read = async move { store.buyers_at_places(id, known, last, CACHED_BUYERS_MAX + 1).await };
        match workers.spawn(read).await {
            Ok(Ok(buyers)) => gate.add_buyers(buyers, last),
            _ => false,
        }
    };
    let shut = learned && gate.set(refusal, &offer.terms, now);
    if !shut {
        gate.open();
    }
    shut
}

/// Sends a batch until it is answered; one that a bad row breaks is halved until the row stands alone.
async fn settle_batch(line: &mut BatchRunner<'_>, batch: PurchaseBatch, workers: &Handle) -> Vec<BatchOutcome> {
    let (app, offer) = (line.app, line.offer);
    let mut sold = Vec::with_capacity(1);
    let mut parts = vec![batch];
    while let Some(part) = parts.pop() {
        add_count(&app.selling_counters().requests, part.requests.len());
        app.selling_counters().batch_sizes.observe(part.requests.len());
        match line.run_batch(&part.requests).await {
            Ok(mut done) => {
                let answers = std::mem::take(&mut done.results);
                // Hundreds of people are told while the next batch is on its way already.
                let (speaker, waiting) = (app.clone(), part.replies);
                let tell =
                    move || answers.into_iter().zip(waiting).for_each(|(told, who)| send_reply(&speaker, told, who));
                if part.requests.len() < INLINE_REPLIES_MAX {
                    tell();
                } else {
                    app.0.tasks.spawn_on(async move { tell() }, workers);
                }
                sold.push(done);
            }
            Err(store::Error::Refused(refusal)) => part.reply_all(&Err(refusal.into())),
            Err(fault) if fault.is_transient() => {
                tracing::error!(offer.id = %offer, error = %fault, "a batch's outcome is not known");
                part.reply_all(&Err(Error::OutcomeUnknown));
            }
            Err(fault) if fault.is_row_error() && part.requests.len() > 1 => {
                add_count(&app.selling_counters().split_batches, 1);
                parts.extend(part.split().into_iter().rev());
            }
            Err(fault) => {
                tracing::error!(offer.id = %offer, purchases = part.requests.len(), error = %fault, "cannot be stored");
                part.reply_all(&Err(Error::Unavailable));
            }
        }
    }
    sold
}

fn send_reply(
    app: &App,
    told: std::result::Result<PurchaseOutcome, Refusal>,
    waiters: Vec<oneshot::Sender<PurchaseReply>>,
) {
    let told: PurchaseReply = told.map(Arc::new).map_err(Error::Refused);
    for waiter in waiters {
        let _ = waiter.send(told.clone());
    }
    if let Ok(answered) = &told
        && !answered.replayed
    {
        app.notify_order_changed_soon(&answered.order);
    }
}

impl App {
    /// Tells the buyer's other screens; the one who asked has the reply.
    fn notify_order_changed_soon(&self, order: &Order) {
        if self.0.broker.is_shared() || self.0.rooms.is_user_connected(&order.buyer) {
            let (app, order) = (self.clone(), order.clone());
            self.0.tasks.spawn(async move {
                let view = app.order_view(&order).await;
                app.send_order_to_buyer(&order, &view);
            });
        }
    }
}
