//! One actor per offer: whoever asks while a batch is in flight rides in the next one.
//!
//! Self-clocking, no timer: an idle offer sends at once, a busy one fills its batches by itself. Actors are made on
//! demand and go away when idle, so ten thousand offers exist without ten thousand tasks.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use super::shut::{self, BUYERS_MAX, Gate};
use super::{App, Error, Result};
use crate::domain::{Ask, Millis, Offer, OfferId, Order, Refusal, UserId};
use crate::store::{self, Answered, Sold};

/// Asks that may wait for one offer; past it the answer is `busy`: certainly not done.
const WAITING_MAX: usize = 8_192;
/// An actor with nothing to do goes away.
const IDLE: Duration = Duration::from_secs(60);
/// How long a batch is sent again over lost connections before its askers are told `outcome_unknown`.
const RESEND_DEADLINE: Duration = Duration::from_secs(5);
const RESEND_PAUSE_MAX: Duration = Duration::from_millis(500);
/// How long an asker waits in all.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);

#[derive(Debug, Default)]
pub struct Sellers(DashMap<OfferId, Seller>);

/// The way to an offer's actor: first the gate, then the queue.
#[derive(Clone, Debug)]
struct Seller {
    gate: Arc<Gate>,
    queue: mpsc::Sender<Item>,
}

impl Sellers {
    /// The offer was seen at this version.
    pub fn heed(&self, offer: OfferId, version: i64) {
        if let Some(seller) = self.0.get(&offer) {
            seller.gate.heed(version);
        }
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
    /// Puts an ask in the offer's queue and waits for its answer.
    pub(super) async fn sell(&self, offer: OfferId, ask: Ask) -> Told {
        let known = self.0.sellers.0.get(&offer);
        if let Some(refusal) = known.and_then(|known| known.gate.refuses(&ask, self.now())) {
            return Err(refusal.into());
        }
        let (answer, answered) = oneshot::channel();
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
                    self.0.sellers.0.remove_if(&offer, |_, known| known.queue.same_channel(&seller.queue));
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
        if let Some(known) = self.0.sellers.0.get(&id).map(|known| known.clone()) {
            return Ok(known);
        }
        let offer = self.store().offer(id).await?.ok_or(Refusal::NoSuchOffer)?;
        let made = self.0.sellers.0.entry(id).or_insert_with(|| {
            let (queue, asked) = mpsc::channel(WAITING_MAX);
            let gate = Arc::<Gate>::default();
            self.0.tasks.spawn(run(self.clone(), offer, gate.clone(), asked));
            Seller { gate, queue }
        });
        Ok(made.clone())
    }
}

async fn run(app: App, mut offer: Offer, gate: Arc<Gate>, mut asked: mpsc::Receiver<Item>) {
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            let next = tokio::select! {
                next = timeout(IDLE, asked.recv()) => next.ok().flatten(),
                () = app.0.stop.cancelled() => None,
            };
            match next {
                Some(item) => waiting.push_back(item),
                // From here on askers go to a new actor; what came in before is still answered.
                None => asked.close(),
            }
        }
        take_in(&mut waiting, &mut asked);
        if waiting.is_empty() {
            return;
        }
        let batch = Batch::gather(&mut waiting, batch_cap(offer.terms.left()));
        for part in settle(&app, offer.id, batch).await {
            offer.unpaid = part.unpaid;
            offer.terms = part.terms;
            app.show_offer(&offer, offer.terms.left() == 0).await;
            if mind(&app, &offer, &gate, part.now).await {
                // Who came before the gate fell needs no batch either.
                take_in(&mut waiting, &mut asked);
                turn_away(&mut waiting, &gate, app.now());
            }
        }
    }
}

fn take_in(waiting: &mut VecDeque<Item>, asked: &mut mpsc::Receiver<Item>) {
    while waiting.len() < WAITING_MAX
        && let Ok(item) = asked.try_recv()
    {
        waiting.push_back(item);
    }
}

fn turn_away(waiting: &mut VecDeque<Item>, gate: &Gate, now: Millis) {
    for item in std::mem::take(waiting) {
        match gate.refuses(&item.ask, now) {
            Some(refusal) => drop(item.answer.send(Err(refusal.into()))),
            None => waiting.push_back(item),
        }
    }
}

/// Shuts or opens the gate by what a batch found; says whether it is shut.
async fn mind(app: &App, offer: &Offer, gate: &Gate, now: Millis) -> bool {
    let Some(refusal) = shut::reason(&offer.terms, offer.unpaid, now) else {
        gate.open();
        return false;
    };
    let buyers = match gate.buyers_at(offer.terms.version) {
        Some(known) => known,
        // Read after the batch was committed, so whoever has an order at this version is among them.
        None => match app.store().buyers_of(offer.id, BUYERS_MAX).await {
            Ok(Some(buyers)) => Arc::new(buyers),
            _ => {
                gate.open();
                return false;
            }
        },
    };
    gate.close(refusal, &offer.terms, buyers, app.now());
    true
}

/// Scarce stock goes in smaller turns, so that every node gets some.
fn batch_cap(left: i64) -> usize {
    (left / 8).clamp(16, 512) as usize
}

/// One transaction's worth of asks: each buyer once, in the order they came.
struct Batch {
    asks: Vec<Ask>,
    /// Beside each ask, everyone who waits for its answer.
    answers: Vec<Vec<oneshot::Sender<Told>>>,
}

impl Batch {
    fn gather(waiting: &mut VecDeque<Item>, cap: usize) -> Self {
        let mut batch = Self { asks: Vec::new(), answers: Vec::new() };
        let mut places: HashMap<UserId, usize> = HashMap::new();
        let mut later = VecDeque::new();
        while let Some(item) = waiting.pop_front() {
            match places.get(&item.ask.buyer) {
                // The same wish again, a retry or a double tap: one answer for both.
                Some(&at) if batch.asks[at].key == item.ask.key && batch.asks[at].hash == item.ask.hash => {
                    batch.answers[at].push(item.answer);
                }
                Some(_) => later.push_back(item),
                None if batch.asks.len() == cap => {
                    later.push_back(item);
                    break;
                }
                None => {
                    places.insert(item.ask.buyer.clone(), batch.asks.len());
                    batch.asks.push(item.ask);
                    batch.answers.push(vec![item.answer]);
                }
            }
        }
        // Those who wait on stand before those who came after them.
        while let Some(item) = later.pop_back() {
            waiting.push_front(item);
        }
        batch
    }

    fn halves(mut self) -> [Self; 2] {
        let middle = self.asks.len() / 2;
        let second = Self { asks: self.asks.split_off(middle), answers: self.answers.split_off(middle) };
        [self, second]
    }

    fn answer_all(self, told: &Told) {
        for waiter in self.answers.into_iter().flatten() {
            // An asker who has left finds the order by its key.
            let _ = waiter.send(told.clone());
        }
    }
}

/// Sends a batch until it is answered; one that a bad row breaks is halved until the row stands alone.
async fn settle(app: &App, offer: OfferId, batch: Batch) -> Vec<Sold> {
    let mut sold = Vec::with_capacity(1);
    let mut parts = vec![batch];
    while let Some(part) = parts.pop() {
        match send(app, offer, &part.asks).await {
            Ok(mut done) => {
                let answers = std::mem::take(&mut done.answers);
                for (told, waiters) in answers.into_iter().zip(part.answers) {
                    answer(app, told, waiters);
                }
                sold.push(done);
            }
            Err(store::Error::Refused(refusal)) => part.answer_all(&Err(refusal.into())),
            Err(fault) if fault.is_transient() => {
                tracing::error!(offer.id = %offer, error = %fault, "a batch's outcome is not known");
                part.answer_all(&Err(Error::OutcomeUnknown));
            }
            Err(fault) if fault.is_about_a_row() && part.asks.len() > 1 => {
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

/// The same ids, the same keys, the same order, as often as the connection breaks.
async fn send(app: &App, offer: OfferId, asks: &[Ask]) -> store::Result<Sold> {
    let give_up = Instant::now() + RESEND_DEADLINE;
    let mut pause = Duration::from_millis(10);
    loop {
        match app.store().sell(offer, asks).await {
            Err(fault) if fault.is_transient() && Instant::now() < give_up => {
                tracing::warn!(offer.id = %offer, asks = asks.len(), error = %fault, "a batch is sent again");
                sleep(pause).await;
                pause = (pause * 2).min(RESEND_PAUSE_MAX);
            }
            settled => return settled,
        }
    }
}

impl App {
    /// Tells the buyer's other screens; the one who asked has the reply.
    fn order_changed_soon(&self, order: &Order) {
        if self.0.rooms.has_person(&order.buyer) {
            let (app, order) = (self.clone(), order.clone());
            self.0.tasks.spawn(async move {
                let view = app.order_view(&order).await;
                app.tell_buyer(&order, &view);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    fn buyers(asks: impl IntoIterator<Item = Ask>) -> Vec<String> {
        asks.into_iter().map(|ask| ask.buyer.to_string()).collect()
    }

    #[test]
    fn a_batch_has_each_buyer_once_and_nobody_is_overtaken() {
        let wishes =
            [("a", "key-00001"), ("b", "key-00002"), ("a", "key-00001"), ("a", "key-00003"), ("c", "key-00004")];
        let mut waiting: VecDeque<Item> = wishes.iter().map(|(buyer, key)| item(buyer, key).0).collect();
        let batch = Batch::gather(&mut waiting, 16);
        assert_eq!(batch.answers.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 1]);
        assert_eq!(buyers(batch.asks), ["a", "b", "c"]);
        assert_eq!(buyers(waiting.into_iter().map(|item| item.ask)), ["a"]);
    }

    #[test]
    fn a_full_batch_leaves_the_rest_in_order() {
        let mut waiting: VecDeque<Item> = ["a", "b", "c", "d"].map(|buyer| item(buyer, "key-00001").0).into();
        let batch = Batch::gather(&mut waiting, 2);
        assert_eq!(buyers(batch.asks), ["a", "b"]);
        assert_eq!(buyers(waiting.into_iter().map(|item| item.ask)), ["c", "d"]);
    }

    #[test]
    fn scarce_stock_is_sold_in_small_turns() {
        assert_eq!([0, 50, 1_000, 1_000_000].map(batch_cap), [16, 16, 125, 512]);
    }
}
