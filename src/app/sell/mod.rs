//! One actor per offer: whoever asks while a batch is in flight rides in the next one.
//!
//! Self-clocking, no timer: an idle offer sends at once, a busy one fills its batches by itself. Actors are made on
//! demand and go away when idle, so ten thousand offers exist without ten thousand tasks.

mod gate;
mod line;
mod queue;
mod thread;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use self::gate::{BUYERS_MAX, Gate};
use self::line::Line;
use self::queue::{Batch, batch_cap};
use self::thread::SellingThread;
use super::{App, Error, Result};
use crate::domain::{Ask, Millis, Offer, OfferId, Order, Refusal, UserId};
use crate::metrics::{Sizes, Times};
use crate::store::{self, Answered, Sold};

/// Asks that may wait for one offer, about two seconds' worth; past it the answer is `busy`: certainly not done.
const WAITING_MAX: usize = 65_536;
/// An actor with nothing to do goes away.
const IDLE: Duration = Duration::from_secs(60);
/// Batches from this size on are answered by a task of their own.
const TOLD_AT_ONCE: usize = 32;
/// How long an asker waits in all.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub struct Sellers {
    offers: DashMap<OfferId, Seller>,
    counts: Counts,
    thread: SellingThread,
}

/// The way to an offer's actor: first the gate, then the queue.
#[derive(Clone, Debug)]
struct Seller {
    gate: Arc<Gate>,
    queue: mpsc::Sender<Item>,
}

/// What selling has done on this node since it started.
#[derive(Debug, Default)]
pub struct Counts {
    /// Transactions, as far as they were tried.
    pub batches: AtomicU64,
    /// Asks in them.
    pub asks: AtomicU64,
    /// Batches sent again after a fault that passes.
    pub resent: AtomicU64,
    /// Batches cut in two to find a bad row: should be 0.
    pub halved: AtomicU64,
    /// Who waits for an answer now.
    pub waiting: AtomicU64,
    /// Asks of each batch, and how long one try of it took.
    pub sizes: Sizes,
    pub took: Times,
}

fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}

impl Sellers {
    pub fn start() -> std::io::Result<Self> {
        Ok(Self { offers: DashMap::new(), counts: Counts::default(), thread: SellingThread::start()? })
    }

    /// The offer was seen at this version.
    pub fn heed(&self, offer: OfferId, version: i64) {
        if let Some(seller) = self.offers.get(&offer) {
            seller.gate.heed(version);
        }
    }
}

/// One who waits for an answer, until dropped: a client that leaves waits no more.
struct Waiting<'a>(&'a AtomicU64);

impl<'a> Waiting<'a> {
    fn count(all: &'a AtomicU64) -> Self {
        all.fetch_add(1, Ordering::Relaxed);
        Self(all)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What an asker is told. Shared, because two frames with one key get one answer.
type Told = std::result::Result<Arc<Answered>, Error>;

#[derive(Debug)]
struct Item {
    ask: Ask,
    answer: oneshot::Sender<Told>,
}

impl App {
    /// What selling has done on this node.
    pub fn selling(&self) -> &Counts {
        &self.0.sellers.counts
    }

    /// How many offers have an actor.
    pub fn actors(&self) -> usize {
        self.0.sellers.offers.len()
    }

    /// The refusal that needs no database, if there is one. Every 250 ms somebody gets none and must go on to
    /// [`sell`](Self::sell), to look for the others.
    pub(super) fn fast_no(&self, offer: OfferId, buyer: &UserId, qty: i64) -> Option<Refusal> {
        let seller = self.0.sellers.offers.get(&offer)?;
        seller.gate.refuses(buyer, qty, self.now())
    }

    /// Puts an ask in the offer's queue and waits for its answer.
    pub(super) async fn sell(&self, offer: OfferId, ask: Ask) -> Told {
        let (answer, answered) = oneshot::channel();
        let _waiting = Waiting::count(&self.selling().waiting);
        let mut item = Item { ask, answer };
        // An actor that goes idle closes its queue and hands the item back: then there is a new actor to ask.
        loop {
            let seller = self.seller(offer).await?;
            match seller.queue.try_send(item) {
                Ok(()) => break,
                Err(TrySendError::Full(_)) => {
                    return Err(Refusal::Busy { retry_ms: rand::random_range(100..1_000) }.into());
                }
                Err(TrySendError::Closed(back)) => {
                    self.0.sellers.offers.remove_if(&offer, |_, known| known.queue.same_channel(&seller.queue));
                    item = back;
                }
            }
        }
        match timeout(ANSWER_DEADLINE, answered).await {
            Ok(Ok(told)) => told,
            _ => Err(Error::OutcomeUnknown),
        }
    }

    async fn seller(&self, id: OfferId) -> Result<Seller> {
        if let Some(known) = self.0.sellers.offers.get(&id).map(|known| known.clone()) {
            return Ok(known);
        }
        // Old terms do: they only size the first batch.
        let offer = self.card(id).await?;
        let made = self.0.sellers.offers.entry(id).or_insert_with(|| {
            let (queue, asked) = mpsc::channel(WAITING_MAX);
            let gate = Arc::<Gate>::default();
            let run = run(self.clone(), Offer::clone(&offer), gate.clone(), asked, Handle::current());
            self.0.tasks.spawn_on(run, self.0.sellers.thread.handle());
            Seller { gate, queue }
        });
        Ok(made.clone())
    }
}

async fn run(app: App, mut offer: Offer, gate: Arc<Gate>, asked: mpsc::Receiver<Item>, workers: Handle) {
    let mut line = Line::new(&app, offer.id, asked);
    loop {
        line.take_in();
        if line.waiting.is_empty() {
            line.pass().await;
            let item = tokio::select! {
                item = timeout(IDLE, line.asked.recv()) => item.ok().flatten(),
                () = app.0.stop.cancelled() => None,
            };
            match item {
                Some(item) => line.waiting.push(item),
                // From here on askers go to a new actor; what came in before is still answered.
                None => line.asked.close(),
            }
            line.take_in();
            if line.waiting.is_empty() {
                return;
            }
        }
        let batch = Batch::gather(&mut line.waiting, batch_cap(offer.terms.left()));
        for part in settle(&mut line, batch, &workers).await {
            offer.unpaid = part.unpaid;
            offer.terms = part.terms;
            app.show_offer(&offer, offer.terms.left() == 0).await;
            if mind(&app, &offer, &gate, part.now, &workers).await {
                turn_away(&mut line, &gate).await;
            }
        }
    }
}

/// Who came before the gate fell needs no batch either.
async fn turn_away(line: &mut Line<'_>, gate: &Gate) {
    loop {
        line.take_in();
        line.waiting.turn_away(gate, line.app.now());
        if line.asked.is_empty() || !line.waiting.is_empty() {
            return;
        }
        // Thousands are answered here: others have work too.
        tokio::task::yield_now().await;
    }
}

/// Shuts or opens the gate by what a batch found; says whether it is shut.
async fn mind(app: &App, offer: &Offer, gate: &Gate, now: Millis, workers: &Handle) -> bool {
    let Some(refusal) = gate::reason(&offer.terms, offer.unpaid, now) else {
        gate.open();
        return false;
    };
    let (known, last) = (gate.known_place(), offer.terms.next_place - 1);
    // Read after the batch was committed, so whoever has an order at this version is among them.
    let learned = known >= last || {
        let (store, id) = (app.store().clone(), offer.id);
        // With the workers: a connection of the pool belongs where it was made.
        let read = async move { store.buyers_between(id, known, last, BUYERS_MAX + 1).await };
        match workers.spawn(read).await {
            Ok(Ok(buyers)) => gate.learn(buyers, last),
            _ => false,
        }
    };
    let shut = learned && gate.close(refusal, &offer.terms, now);
    if !shut {
        gate.open();
    }
    shut
}

/// Sends a batch until it is answered; one that a bad row breaks is halved until the row stands alone.
async fn settle(line: &mut Line<'_>, batch: Batch, workers: &Handle) -> Vec<Sold> {
    let (app, offer) = (line.app, line.offer);
    let mut sold = Vec::with_capacity(1);
    let mut parts = vec![batch];
    while let Some(part) = parts.pop() {
        count(&app.selling().asks, part.asks.len());
        app.selling().sizes.add(part.asks.len());
        match line.send(&part.asks).await {
            Ok(mut done) => {
                let answers = std::mem::take(&mut done.answers);
                // Hundreds of people are told while the next batch is on its way already.
                let (speaker, waiting) = (app.clone(), part.answers);
                let tell = move || answers.into_iter().zip(waiting).for_each(|(told, who)| answer(&speaker, told, who));
                if part.asks.len() < TOLD_AT_ONCE {
                    tell();
                } else {
                    app.0.tasks.spawn_on(async move { tell() }, workers);
                }
                sold.push(done);
            }
            Err(store::Error::Refused(refusal)) => part.answer_all(&Err(refusal.into())),
            Err(fault) if fault.is_transient() => {
                tracing::error!(offer.id = %offer, error = %fault, "a batch's outcome is not known");
                part.answer_all(&Err(Error::OutcomeUnknown));
            }
            Err(fault) if fault.is_about_a_row() && part.asks.len() > 1 => {
                count(&app.selling().halved, 1);
                parts.extend(part.halves().into_iter().rev());
            }
            Err(fault) => {
                tracing::error!(offer.id = %offer, purchases = part.asks.len(), error = %fault, "cannot be stored");
                part.answer_all(&Err(Error::Unavailable));
            }
        }
    }
    sold
}

fn answer(app: &App, told: std::result::Result<Answered, Refusal>, waiters: Vec<oneshot::Sender<Told>>) {
    let told: Told = told.map(Arc::new).map_err(Error::Refused);
    for waiter in waiters {
        let _ = waiter.send(told.clone());
    }
    if let Ok(answered) = &told
        && !answered.replayed
    {
        app.order_changed_soon(&answered.order);
    }
}

impl App {
    /// Tells the buyer's other screens; the one who asked has the reply.
    fn order_changed_soon(&self, order: &Order) {
        if self.0.broker.is_shared() || self.0.rooms.has_person(&order.buyer) {
            let (app, order) = (self.clone(), order.clone());
            self.0.tasks.spawn(async move {
                let view = app.order_view(&order).await;
                app.tell_buyer(&order, &view);
            });
        }
    }
}
