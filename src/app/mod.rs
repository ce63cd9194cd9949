//! What one can do: one verb, one function. Both doors call it, REST and the socket alike.
//!
//! A verb reads like a recipe: ask the rule, change what must last, tell the others, answer. Whatever writes runs in
//! a task of its own ([`App::write`]), so a client that leaves never cancels a transaction half way.

mod address;
mod audit;
mod background;
mod broker_receiver;
mod cache;
mod cached_stream;
mod chat;
mod chat_rules;
mod cluster_sync;
mod counters;
mod export;
mod invite;
mod lineup;
mod minute_samples;
mod moderation;
mod offer;
mod order;
mod payment;
mod pending_delivery;
mod product;
mod provider;
mod reaction;
mod reconcile;
mod refund;
mod rehearsal;
mod report;
mod review;
mod room;
mod sell;
mod stock_alert;
mod stream;
mod test_provider;
#[cfg(test)]
pub mod testing;
mod user_data;
mod webhook;
mod webhook_signature;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dashmap::DashSet;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::broker::{self, Broker, BrokerEvent};
use crate::clock::Clock;
use crate::domain::{Event, Millis, Offer, OfferId, Order, Refusal, Shop, StreamId};
use crate::protocol::{EncodedEvent, OrderView, StateChange, server};
use crate::room::Rooms;
use crate::store::{self, Store};
use provider::{PaymentProvider, ProviderCalls};
use test_provider::TestProvider;

use cache::Cache;
pub use cached_stream::ChatRateLimit;
pub use counters::{AppCounters, BACKGROUND_JOBS};
pub use export::ExportedMessage;
pub use invite::AcceptedInvite;
pub use offer::NewOfferForm;
pub use order::OrderResult;
pub use product::{NewProduct, NewVariant};
pub use reconcile::ReconcileSettings;
pub use rehearsal::{Rehearsal, RehearsalPlan, RehearsalRunner};
pub use sell::SellingCounters as SellingCounts;
pub use stream::NewStream;
pub use webhook_signature::WebhookSecret;

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
            broker::Error::QueueFull => Error::Refused(Refusal::Busy { retry_ms: 1_000 }),
            broker::Error::Unavailable | broker::Error::TooLate => {
                Error::Refused(Refusal::Busy { retry_ms: rand::random_range(1_000..3_000) })
            }
            broker::Error::Stopped => Error::Unavailable,
        }
    }
}

/// What an operator may set about the verbs.
#[derive(Clone, Debug)]
pub struct Settings {
    pub chat: ChatRateLimit,
    /// How long talk is kept; `None`: for ever.
    pub chat_retention_ms: Option<Millis>,
    /// `POST /v1/dev/tokens` signs anybody in.
    pub is_dev_login_enabled: bool,
    /// What webhooks are signed with. Made up where none is set: then only the test provider inside can sign.
    pub webhook_secret: WebhookSecret,
    /// How long a payment provider may take to answer one call; past it the outcome is not known.
    pub provider_deadline: Duration,
    pub reconcile: ReconcileSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            chat: ChatRateLimit { viewer_per_s: 1.0, room_per_s: 50.0 },
            chat_retention_ms: None,
            is_dev_login_enabled: false,
            webhook_secret: WebhookSecret::random(),
            provider_deadline: Duration::from_secs(10),
            reconcile: ReconcileSettings::default(),
        }
    }
}

/// The handle both doors hold. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<AppInner>);

pub struct AppInner {
    store: Store,
    broker: Broker,
    rooms: Rooms,
    clock: Clock,
    settings: Settings,
    shop: Shop,
    epoch: AtomicI64,
    /// How many milliseconds the database's clock is ahead of ours.
    clock_offset_ms: AtomicI64,
    streams: Cache<StreamId, cached_stream::CachedStream>,
    selling_tasks: sell::SellingTasks,
    /// The words and pictures of offers, which never change.
    offer_details: Cache<OfferId, Offer>,
    /// Offers that viewers of this node were shown and not shown closed since.
    displayed_offers: DashSet<OfferId>,
    chat_writer: mpsc::Sender<chat::ChatWriterCommand>,
    provider: PaymentProvider,
    /// A webhook came in: there is something to ask the provider.
    webhook_received: Notify,
    /// An order was paid: the outbox has something to deliver.
    outbox_changed: Notify,
    /// An offer was opened, closed or changed: the sweeper looks again.
    offers_changed: Notify,
    counters: AppCounters,
    minute_samples: minute_samples::MinuteSamples,
    started_at: Millis,
    tasks: TaskTracker,
    stop: CancellationToken,
    is_draining: AtomicBool,
    refresh_permits: Semaphore,
    pending_deliveries: pending_delivery::PendingDeliveries,
    rehearsals: rehearsal::Rehearsals,
    /// Everything that was begun is done; nobody speaks any more.
    all_tasks_done: CancellationToken,
}

impl App {
    /// Starts everything that works between requests: delivery, the sweeper, the chat writer, the outbox.
    pub async fn start(
        store: Store,
        broker: (Broker, mpsc::Receiver<BrokerEvent>),
        clock: Clock,
        shop: Shop,
        settings: Settings,
        stop: CancellationToken,
    ) -> Result<Self> {
        let epoch = AtomicI64::new(store.epoch().await?);
        let (chat_writer, chat_commands) = mpsc::channel(chat::CHAT_WRITE_QUEUE_MAX);
        let (test_webhooks, incoming_test_webhooks) = mpsc::channel(test_provider::TEST_WEBHOOK_QUEUE_MAX);
        let tasks = TaskTracker::new();
        let provider = PaymentProvider::Test(TestProvider {
            store: store.clone(),
            clock: clock.clone(),
            secret: settings.webhook_secret.clone(),
            calls: Arc::new(ProviderCalls::with_deadline(settings.provider_deadline)),
            post: test_webhooks,
            tasks: tasks.clone(),
        });
        let (broker, deliveries) = broker;
        let started_at = clock.now();
        let app = Self(Arc::new(AppInner {
            store,
            broker,
            rooms: Rooms::new(clock.clone()),
            clock,
            settings,
            shop,
            epoch,
            clock_offset_ms: AtomicI64::new(0),
            streams: Cache::with_capacity(usize::MAX),
            selling_tasks: sell::SellingTasks::start().map_err(|error| {
                tracing::error!(error = %error, "no thread to sell on");
                Error::Unavailable
            })?,
            offer_details: Cache::with_capacity(offer::OFFER_CACHE_MAX),
            displayed_offers: DashSet::new(),
            chat_writer,
            provider,
            webhook_received: Notify::new(),
            outbox_changed: Notify::new(),
            offers_changed: Notify::new(),
            counters: AppCounters::default(),
            minute_samples: Default::default(),
            started_at,
            tasks,
            stop,
            is_draining: AtomicBool::new(false),
            refresh_permits: Semaphore::new(cluster_sync::CONCURRENT_REFRESHES_MAX),
            pending_deliveries: pending_delivery::PendingDeliveries::default(),
            rehearsals: Default::default(),
            all_tasks_done: CancellationToken::new(),
        }));
        // Not among the tasks that are waited for: they deliver what those say until they are done.
        tokio::spawn(broker_receiver::run_broker_receiver(app.clone(), deliveries));
        tokio::spawn(webhook::run_test_webhooks(app.clone(), incoming_test_webhooks));
        app.spawn_background(webhook::run_webhook_worker(app.clone()));
        app.spawn_background(reconcile::run_reconciler(app.clone()));
        app.spawn_background(chat::run_chat_writer(app.clone(), chat_commands));
        app.spawn_background(background::offers(app.clone()));
        app.spawn_background(background::run_hold_expiry(app.clone()));
        app.spawn_background(background::run_outbox(app.clone()));
        app.spawn_background(background::run_upkeep(app.clone()));
        app.spawn_background(minute_samples::run_minute_samples(app.clone()));
        app.spawn_background(stock_alert::run_stock_alert_count(app.clone()));
        app.spawn_background(user_data::run_message_pruning(app.clone()));
        app.spawn_background(cluster_sync::run_viewer_count(app.clone()));
        app.spawn_background(cluster_sync::run_stream_poll(app.clone()));
        app.spawn_background(pending_delivery::run_pending_deliveries(app.clone()));
        Ok(app)
    }

    /// Waits until what was begun is finished: writes under way, the last chat batch, the hearts.
    pub async fn finish(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
        // Hearts that came in while all that ended.
        // Logged where it failed; the hearts are kept for the next look.
        let _ = background::flush_likes(self).await;
        self.0.broker.stop().await;
        self.0.all_tasks_done.cancel();
        self.0.store.close().await;
    }

    /// What is waited for before the process ends.
    pub fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    fn spawn_background(&self, work: impl Future<Output = ()> + Send + 'static) {
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
        self.0.clock.now() + self.0.clock_offset_ms.load(Ordering::Relaxed)
    }

    /// Looks at the database's clock and epoch again.
    async fn refresh_clock_and_epoch(&self) -> Result<()> {
        let before = self.0.clock.now();
        let theirs = self.store().now().await?;
        let middle = before + (self.0.clock.now() - before) / 2;
        self.0.clock_offset_ms.store(theirs - middle, Ordering::Relaxed);
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
    pub fn start_draining(&self) {
        self.0.is_draining.store(true, Ordering::Relaxed);
    }

    /// The server was asked to stop.
    pub fn is_draining(&self) -> bool {
        self.0.is_draining.load(Ordering::Relaxed) || self.0.stop.is_cancelled()
    }

    /// Every part of the bus carried a message of this node back to it within three seconds. True on a node by itself.
    pub fn is_broker_connected(&self) -> bool {
        self.0.broker.metrics().is_up()
    }

    /// Other nodes can take this one's viewers.
    pub fn is_clustered(&self) -> bool {
        self.0.broker.is_shared()
    }

    /// Can the database be reached? What `/readyz` asks.
    pub async fn check_ready(&self) -> Result<()> {
        Ok(self.0.store.now().await.map(|_| ())?)
    }

    /// What the bus between the nodes did, and how it feels.
    pub fn broker_metrics(&self) -> &broker::BrokerMetrics {
        self.0.broker.metrics()
    }

    /// When this node started.
    pub fn started_at(&self) -> Millis {
        self.0.started_at
    }

    /// Talk that waits to be written, and how much may.
    pub fn chat_write_queue(&self) -> (usize, usize) {
        let most = self.0.chat_writer.max_capacity();
        (most - self.0.chat_writer.capacity(), most)
    }

    /// What came of the calls to the payment provider.
    pub fn provider_call_metrics(&self) -> Option<&ProviderCalls> {
        self.0.provider.calls()
    }

    /// What the database costs, and its connections as they are now.
    pub fn store_metrics(&self) -> (&store::StoreCounters, [store::PoolUsage; 2]) {
        (self.store().counters(), self.store().pools())
    }

    /// How many milliseconds the database's clock is ahead of ours, and the epoch that its history is in.
    pub fn clock_offset_and_epoch(&self) -> (Millis, i64) {
        (self.0.clock_offset_ms.load(Ordering::Relaxed), self.epoch())
    }

    fn store(&self) -> &Store {
        &self.0.store
    }

    fn epoch(&self) -> i64 {
        self.0.epoch.load(Ordering::Relaxed)
    }

    /// Runs `work` to its end, whether or not the one who asked stays to hear of it.
    async fn spawn_write<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.0.tasks.spawn(work).await.unwrap_or_else(|error| {
            tracing::error!(error = %error, "a verb panicked");
            Err(Error::Unavailable)
        })
    }

    /// Puts an event in the stream's log: every viewer gets it, in order.
    async fn publish_event(&self, stream: StreamId, event: &Event) -> Result<()> {
        let logged = EncodedEvent::new(self.now(), event);
        self.0.broker.publish(stream, vec![logged.json]).await?;
        Ok(())
    }

    /// The same for what several nodes find out by themselves: it is told once, under `mark`.
    async fn publish_event_once(&self, stream: StreamId, dedup_key: String, event: &Event) -> Result<()> {
        let logged = EncodedEvent::new(self.now(), event);
        self.0.broker.publish_once(stream, dedup_key, logged.json).await?;
        Ok(())
    }

    /// As [`log`](Self::log), where the deed is done whether or not it can be told.
    async fn publish_committed_event(&self, stream: StreamId, event: &Event) {
        let Err(error) = self.publish_event(stream, event).await else {
            return tracing::info!(stream.id = %stream, event = event.name(), what = event.subject(), "told");
        };
        tracing::warn!(stream.id = %stream, event = event.name(), error = %error, "an event was not told");
        if event.is_moderation() {
            self.deliver_later(stream, self.now(), event);
        }
    }

    /// Publishes a value of the state lane; a lost one heals with the next poll.
    fn publish_state(&self, stream: StreamId, change: &StateChange, urgent: bool) {
        let value =
            broker::StateValue { key: change.key_hash(), version: change.version(), body: change.to_bytes(urgent) };
        if let Err(error) = self.0.broker.publish_state(stream, value) {
            tracing::warn!(stream.id = %stream, error = %error, "a state change was not told");
        }
    }

    /// Shows a value to this node's viewers alone: the other nodes find it out as this one did.
    fn set_local_state(&self, stream: StreamId, change: StateChange, urgent: bool) {
        if let Some(room) = self.rooms().get(stream) {
            self.track_displayed_offer(&change);
            room.set_state(change, urgent);
        }
    }

    /// Tells a buyer on every connection that their order changed.
    fn send_order_to_buyer(&self, order: &Order, view: &OrderView) {
        let frame: Bytes = server::order(view).into_bytes();
        let here = self.rooms().is_user_connected(&order.buyer);
        if let Err(error) = self.0.broker.publish_to_user(order.buyer.clone(), frame, here) {
            tracing::warn!(order.id = %order.id, error = %error, "a buyer was not told of their order");
        }
    }
}
