//! What one can do: one verb, one function. Both doors call it, REST and the socket alike.
//!
//! A verb reads like a recipe: ask the rule, change what must last, tell the others, answer. Whatever writes runs in
//! a task of its own ([`App::write`]), so a client that leaves never cancels a transaction half way.

mod address;
mod bus;
mod chat;
mod deed;
mod deliver;
mod erase;
mod export;
mod held;
mod invite;
mod memory;
mod minutes;
mod moderate;
mod offer;
mod order;
mod payment;
mod product;
mod provider;
mod reaction;
mod reconcile;
mod refund;
mod rehearsal;
mod report;
mod room;
mod rules;
mod rundown;
mod script;
mod sell;
mod show;
mod signature;
mod stream;
mod sweep;
mod tally;
#[cfg(test)]
pub mod testing;
mod untold;
mod waiting;
mod webhook;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dashmap::DashSet;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::broker::{self, Broker, Delivery};
use crate::clock::Clock;
use crate::domain::{Event, Millis, Offer, OfferId, Order, Refusal, Shop, StreamId};
use crate::protocol::{Logged, OrderView, StateChange, server};
use crate::room::Rooms;
use crate::store::{self, Store};
use provider::{Calls, Provider};
use script::TestProvider;

pub use export::Line;
pub use invite::Accepted;
use memory::Memory;
pub use offer::NewOfferForm;
pub use order::Bought;
pub use product::{NewProduct, NewVariant};
pub use reconcile::Reconcile;
pub use rehearsal::{Play, Rehearsal, RehearsalPlan};
pub use sell::Counts as SellingCounts;
pub use show::ChatBudget;
pub use signature::Secret;
pub use stream::NewStream;
pub use tally::{LOOPS, Tally};

/// The only errors a door sees. The cause of a fault stays inside; it is logged once, where it is handled.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum Error {
    /// An answer: expected, with a stable code.
    #[error("{0}")]
    Refused(Refusal),
    /// A fault of ours; nothing was done.
    #[error("not available now; nothing was done")]
    Unavailable,
    /// It may have been done. The same key again gives the answer.
    #[error("the outcome is not known; ask again with the same key")]
    OutcomeUnknown,
}

pub type Result<T> = std::result::Result<T, Error>;

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::Refused(refusal)
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Refused(refusal) => Error::Refused(refusal),
            fault => {
                tracing::error!(error = %fault, "the store failed");
                Error::Unavailable
            }
        }
    }
}

impl From<broker::Error> for Error {
    fn from(error: broker::Error) -> Self {
        match error {
            broker::Error::Full => Error::Refused(Refusal::Busy { retry_ms: 1_000 }),
            broker::Error::Away | broker::Error::Late => {
                Error::Refused(Refusal::Busy { retry_ms: rand::random_range(1_000..3_000) })
            }
            broker::Error::Stopped => Error::Unavailable,
        }
    }
}

/// What an operator may set about the verbs.
#[derive(Clone, Debug)]
pub struct Settings {
    pub chat: ChatBudget,
    /// How long talk is kept; `None`: for ever.
    pub chat_kept_ms: Option<Millis>,
    /// `POST /v1/dev/tokens` signs anybody in.
    pub dev_login: bool,
    /// What webhooks are signed with. Made up where none is set: then only the test provider inside can sign.
    pub webhook_secret: Secret,
    /// How long a payment provider may take to answer one call; past it the outcome is not known.
    pub provider_deadline: Duration,
    pub reconcile: Reconcile,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            chat: ChatBudget { viewer: 1.0, room: 50.0 },
            chat_kept_ms: None,
            dev_login: false,
            webhook_secret: Secret::random(),
            provider_deadline: Duration::from_secs(10),
            reconcile: Reconcile::default(),
        }
    }
}

/// The handle both doors hold. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

pub struct Inner {
    store: Store,
    broker: Broker,
    rooms: Rooms,
    clock: Clock,
    settings: Settings,
    shop: Shop,
    epoch: AtomicI64,
    /// How many milliseconds the database's clock is ahead of ours.
    ahead: AtomicI64,
    shows: Memory<StreamId, show::Show>,
    sellers: sell::Sellers,
    /// The words and pictures of offers, which never change.
    cards: Memory<OfferId, Offer>,
    /// Offers that viewers of this node were shown and not shown closed since.
    on_screen: DashSet<OfferId>,
    said: mpsc::Sender<chat::Kept>,
    provider: Provider,
    /// A webhook came in: there is something to ask the provider.
    knocked: Notify,
    /// An order was paid: the outbox has something to deliver.
    notes: Notify,
    /// An offer was opened, closed or changed: the sweeper looks again.
    offers_changed: Notify,
    tally: Tally,
    minutes: minutes::Minutes,
    started_at: Millis,
    tasks: TaskTracker,
    stop: CancellationToken,
    leaving: AtomicBool,
    refreshing: Semaphore,
    untold: untold::Untold,
    rehearsals: rehearsal::Rehearsals,
    /// Everything that was begun is done; nobody speaks any more.
    silent: CancellationToken,
}

impl App {
    /// Starts everything that works between requests: delivery, the sweeper, the chat writer, the outbox.
    pub async fn start(
        store: Store,
        broker: (Broker, mpsc::Receiver<Delivery>),
        clock: Clock,
        shop: Shop,
        settings: Settings,
        stop: CancellationToken,
    ) -> Result<Self> {
        let epoch = AtomicI64::new(store.epoch().await?);
        let (said, to_keep) = mpsc::channel(chat::KEPT_WAITING_MAX);
        let (post, posts) = mpsc::channel(script::POST_MAX);
        let tasks = TaskTracker::new();
        let provider = Provider::Test(TestProvider {
            store: store.clone(),
            clock: clock.clone(),
            secret: settings.webhook_secret.clone(),
            calls: Arc::new(Calls::within(settings.provider_deadline)),
            post,
            tasks: tasks.clone(),
        });
        let (broker, deliveries) = broker;
        let started_at = clock.now();
        let app = Self(Arc::new(Inner {
            store,
            broker,
            rooms: Rooms::new(clock.clone()),
            clock,
            settings,
            shop,
            epoch,
            ahead: AtomicI64::new(0),
            shows: Memory::of_at_most(usize::MAX),
            sellers: sell::Sellers::start().map_err(|error| {
                tracing::error!(error = %error, "no thread to sell on");
                Error::Unavailable
            })?,
            cards: Memory::of_at_most(offer::CARDS_KEPT),
            on_screen: DashSet::new(),
            said,
            provider,
            knocked: Notify::new(),
            notes: Notify::new(),
            offers_changed: Notify::new(),
            tally: Tally::default(),
            minutes: Default::default(),
            started_at,
            tasks,
            stop,
            leaving: AtomicBool::new(false),
            refreshing: Semaphore::new(bus::REFRESHES_MAX),
            untold: untold::Untold::default(),
            rehearsals: Default::default(),
            silent: CancellationToken::new(),
        }));
        // Not among the tasks that are waited for: they deliver what those say until they are done.
        tokio::spawn(deliver::run(app.clone(), deliveries));
        tokio::spawn(webhook::postman(app.clone(), posts));
        app.spawn_loop(webhook::work(app.clone()));
        app.spawn_loop(reconcile::run(app.clone()));
        app.spawn_loop(chat::keep(app.clone(), to_keep));
        app.spawn_loop(sweep::offers(app.clone()));
        app.spawn_loop(sweep::holds(app.clone()));
        app.spawn_loop(sweep::outbox(app.clone()));
        app.spawn_loop(sweep::upkeep(app.clone()));
        app.spawn_loop(minutes::run(app.clone()));
        app.spawn_loop(waiting::count(app.clone()));
        app.spawn_loop(erase::forget(app.clone()));
        app.spawn_loop(bus::viewers(app.clone()));
        app.spawn_loop(bus::shows(app.clone()));
        app.spawn_loop(untold::run(app.clone()));
        Ok(app)
    }

    /// Waits until what was begun is finished: writes under way, the last chat batch, the hearts.
    pub async fn finish(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
        // Hearts that came in while all that ended.
        // Logged where it failed; the hearts are kept for the next look.
        let _ = sweep::write_likes(self).await;
        self.0.broker.stop().await;
        self.0.silent.cancel();
        self.0.store.close().await;
    }

    /// What is waited for before the process ends.
    pub fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    fn spawn_loop(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.tasks.spawn(work);
    }

    pub fn rooms(&self) -> &Rooms {
        &self.0.rooms
    }

    pub fn shop(&self) -> &Shop {
        &self.0.shop
    }

    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The database's time, as near as this node knows: it decides about windows and holds, so it is what we tell.
    pub fn now(&self) -> Millis {
        self.0.clock.now() + self.0.ahead.load(Ordering::Relaxed)
    }

    /// Looks at the database's clock and epoch again.
    async fn follow_clock_and_epoch(&self) -> Result<()> {
        let before = self.0.clock.now();
        let theirs = self.store().now().await?;
        let middle = before + (self.0.clock.now() - before) / 2;
        self.0.ahead.store(theirs - middle, Ordering::Relaxed);
        self.0.epoch.store(self.store().epoch().await?, Ordering::Relaxed);
        Ok(())
    }

    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Ended when the server is asked to stop.
    pub fn stopping(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// From here on nobody shall be sent to this node any more; those who are here are served as ever.
    pub fn leave(&self) {
        self.0.leaving.store(true, Ordering::Relaxed);
    }

    /// The server was asked to stop.
    pub fn is_leaving(&self) -> bool {
        self.0.leaving.load(Ordering::Relaxed) || self.0.stop.is_cancelled()
    }

    /// Every part of the bus carried a message of this node back to it within three seconds. True on a node by itself.
    pub fn hears_the_bus(&self) -> bool {
        self.0.broker.vitals().is_up()
    }

    /// Other nodes can take this one's viewers.
    pub fn is_one_of_many(&self) -> bool {
        self.0.broker.is_shared()
    }

    /// Can the database be reached? What `/readyz` asks.
    pub async fn ready(&self) -> Result<()> {
        Ok(self.0.store.now().await.map(|_| ())?)
    }

    /// What the bus between the nodes did, and how it feels.
    pub fn bus(&self) -> &broker::Vitals {
        self.0.broker.vitals()
    }

    /// When this node started.
    pub fn started_at(&self) -> Millis {
        self.0.started_at
    }

    /// Talk that waits to be written, and how much may.
    pub fn talk_waiting(&self) -> (usize, usize) {
        let most = self.0.said.max_capacity();
        (most - self.0.said.capacity(), most)
    }

    /// What came of the calls to the payment provider.
    pub fn provider_calls(&self) -> Option<&Calls> {
        self.0.provider.calls()
    }

    /// What the database costs, and its connections as they are now.
    pub fn store_load(&self) -> (&store::Tally, [store::Pool; 2]) {
        (self.store().tally(), self.store().pools())
    }

    /// How many milliseconds the database's clock is ahead of ours, and the epoch that its history is in.
    pub fn ahead_and_epoch(&self) -> (Millis, i64) {
        (self.0.ahead.load(Ordering::Relaxed), self.epoch())
    }

    fn store(&self) -> &Store {
        &self.0.store
    }

    fn epoch(&self) -> i64 {
        self.0.epoch.load(Ordering::Relaxed)
    }

    /// Runs `work` to its end, whether or not the one who asked stays to hear of it.
    async fn write<T: Send + 'static>(&self, work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        self.0.tasks.spawn(work).await.unwrap_or_else(|error| {
            tracing::error!(error = %error, "a verb panicked");
            Err(Error::Unavailable)
        })
    }

    /// Puts an event in the stream's log: every viewer gets it, in order.
    async fn log(&self, stream: StreamId, event: &Event) -> Result<()> {
        let logged = Logged::new(self.now(), event);
        self.0.broker.log(stream, vec![logged.json]).await?;
        Ok(())
    }

    /// The same for what several nodes find out by themselves: it is told once, under `mark`.
    async fn log_once(&self, stream: StreamId, mark: String, event: &Event) -> Result<()> {
        let logged = Logged::new(self.now(), event);
        self.0.broker.log_once(stream, mark, logged.json).await?;
        Ok(())
    }

    /// As [`log`](Self::log), where the deed is done whether or not it can be told.
    async fn tell(&self, stream: StreamId, event: &Event) {
        let Err(error) = self.log(stream, event).await else {
            return tracing::info!(stream.id = %stream, event = event.name(), what = event.subject(), "told");
        };
        tracing::warn!(stream.id = %stream, event = event.name(), error = %error, "an event was not told");
        if event.moderates() {
            self.tell_later(stream, self.now(), event);
        }
    }

    /// Publishes a value of the state lane; a lost one heals with the next poll.
    fn show(&self, stream: StreamId, change: &StateChange, urgent: bool) {
        let value = broker::Value { key: change.key_hash(), rank: change.rank(), body: change.to_bytes(urgent) };
        if let Err(error) = self.0.broker.state(stream, value) {
            tracing::warn!(stream.id = %stream, error = %error, "a state change was not told");
        }
    }

    /// Shows a value to this node's viewers alone: the other nodes find it out as this one did.
    fn show_here(&self, stream: StreamId, change: StateChange, urgent: bool) {
        if let Some(room) = self.rooms().get(stream) {
            self.note_on_screen(&change);
            room.set(change, urgent);
        }
    }

    /// Tells a buyer on every connection that their order changed.
    fn tell_buyer(&self, order: &Order, view: &OrderView) {
        let frame: Bytes = server::order(view).into_bytes();
        let here = self.rooms().has_person(&order.buyer);
        if let Err(error) = self.0.broker.person(order.buyer.clone(), frame, here) {
            tracing::warn!(order.id = %order.id, error = %error, "a buyer was not told of their order");
        }
    }
}
