//! The use cases: one function per verb, called by the socket and REST alike, in services that own their state.
//!
//! A use case checks the rule, changes what must last, publishes the change, and answers. Every write runs in a task of
//! its own ([`Context::spawn_write`]), so a client that disconnects never cancels a transaction half way.
//!
//! `docs/architecture.md` lists the services, what each owns, and which others it uses.

mod accounts;
mod api_key;
mod audit;
mod cache;
mod catalogue;
mod chat;
mod checkout;
mod cluster_sync;
mod context;
mod counters;
mod customers;
mod error;
mod follows;
mod imports;
mod jobs;
mod mail;
mod mail_server;
mod message_signature;
mod moderation;
mod oidc_provider;
#[cfg(feature = "s3")]
mod picture_bucket;
mod picture_storage;
mod pictures;
mod publisher;
mod revoked_token_cache;
mod selling;
mod settings;
mod settings_sync;
mod sign_in;
mod staff;
mod state_changes;
mod stream_cache;
mod streams;
#[cfg(test)]
pub mod testing;
mod token;
mod webhook_signature;

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::broker::{self, Broker, BrokerEvent};
use crate::clock::Clock;
use crate::domain::shop_settings::ShopProfile;
use crate::domain::{Millis, Shop};
use crate::room::Rooms;
use crate::store::{self, Store};
use accounts::Accounts;
use api_key::ApiKeys;
use audit::AuditLog;
use catalogue::Catalogue;
use chat::Chat;
use checkout::Checkout;
use cluster_sync::ClusterSync;
use context::Context;
use customers::Customers;
use follows::Follows;
use imports::Imports;
use jobs::JobRunner;
use mail::Mail;
use moderation::Moderation;
use pictures::Pictures;
use publisher::Publisher;
use selling::Selling;
use settings_sync::SettingsSync;
use sign_in::SignIn;
use staff::Staff;
use stream_cache::StreamCache;
use streams::Streams;
use token::Tokens;

pub use accounts::{OidcAnswer, PasskeyChallenge, PasskeyUse, StartedSession};
pub use api_key::ApiKeyForm;
pub use catalogue::{Gallery, NewProduct, NewQuickItem, NewVariant};
pub use checkout::{
    BillingFilter, Comparison, Difference, DifferenceState, ExportedOrder, HoldJob, OrderResult, OwnDataCursor, Pacer,
    PaymentSource, PurchaseResult, STRIPE_BASE, SavedCards, StripeKeysCheck, StripeKeysState, WithdrawalState,
    is_live_stripe_key,
};
pub use counters::AppCounters;
pub use error::{Error, Result};
pub use follows::Followed;
pub use imports::{BulkResult, IMPORT_UPLOADS_MAX, NewImport};
pub use jobs::{BackgroundJob, JobSpec, JobStatus, NextRun};
pub use mail::send_test_mail;
pub use mail_server::{MailTransport, SmtpServer};
pub use message_signature::MessageKey;
pub use moderation::{AcceptedInvite, ExportedMessage};
pub use oidc_provider::OidcProvider;
pub use picture_storage::PictureStorage;
pub use pictures::{UPLOADS_MAX, UploadSlot, convert_picture};
pub use selling::SellingCounters;
pub use settings::{
    AdapterSettings, ChatRateLimit, ReconcileSettings, Settings, StripeCardForm, StripeEndpoints, StripeSettings,
};
pub use settings_sync::{check_secrets, rekey_secrets, signing_key};
pub use sign_in::NewSignInCode;
pub use staff::{OpenedInvite, SetupForm, SetupState, StaffInviteForm};
pub use streams::{NewStream, Rehearsal, RehearsalPlan, RehearsalRunner};
pub use token::{RevocationForm, TokenRevocationView};
pub use webhook_signature::WebhookSecret;

/// For how long readiness checks share one query.
const READY_SHARED_MS: Millis = 200;

/// The use cases of this node. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Services>);

pub struct Services {
    context: Arc<Context>,
    publisher: Arc<Publisher>,
    pub stream_cache: Arc<StreamCache>,
    pub audit: Arc<AuditLog>,
    pub tokens: Arc<Tokens>,
    pub accounts: Arc<Accounts>,
    pub api_keys: Arc<ApiKeys>,
    pub settings_sync: Arc<SettingsSync>,
    pub staff: Arc<Staff>,
    pub chat: Arc<Chat>,
    pub catalogue: Arc<Catalogue>,
    pub pictures: Arc<Pictures>,
    pub imports: Arc<Imports>,
    pub mail: Arc<Mail>,
    pub follows: Arc<Follows>,
    pub moderation: Arc<Moderation>,
    pub sign_in: Arc<SignIn>,
    pub selling: Arc<Selling>,
    pub checkout: Arc<Checkout>,
    pub customers: Arc<Customers>,
    pub streams: Arc<Streams>,
    cluster_sync: Arc<ClusterSync>,
    node: NodeState,
}

/// The life of this node's process.
struct NodeState {
    jobs: JobRunner,
    started_at: Millis,
    is_draining: AtomicBool,
    /// The last readiness checks, by the time of their start.
    ready_checks: cache::Cache<Millis, ()>,
    /// Cancelled when all started work is done and no more messages will be published.
    all_tasks_done: CancellationToken,
}

impl Deref for App {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.0
    }
}

impl App {
    /// Starts the services and their background jobs.
    pub async fn start(
        store: Store,
        broker: (Broker, mpsc::Receiver<BrokerEvent>),
        clock: Clock,
        shop: Shop,
        settings: Settings,
        stop: CancellationToken,
    ) -> Result<Self> {
        let app = Self::without_jobs(store, broker, clock, shop, settings, stop).await?;
        app.start_jobs();
        Ok(app)
    }

    /// The services alone, for a command that does one thing.
    pub async fn without_jobs(
        store: Store,
        (broker, broker_events): (Broker, mpsc::Receiver<BrokerEvent>),
        clock: Clock,
        shop: Shop,
        settings: Settings,
        stop: CancellationToken,
    ) -> Result<Self> {
        let started_at = clock.now();
        let context = Context::new(store, clock, shop, settings, stop).await?;
        let publisher = Publisher::new(&context, broker);
        let stream_cache = StreamCache::new(&context, &publisher);
        stream_cache.shop_blocks.refresh(&context, &publisher).await?;
        let audit = AuditLog::new(&context, &publisher, &stream_cache);
        let tokens = Tokens::start(&context, &publisher, &audit).await?;
        let accounts = Accounts::new(&context, &stream_cache, &tokens);
        let api_keys = ApiKeys::new(&context, &stream_cache, &audit);
        let settings_sync = SettingsSync::start(&context, &stream_cache, &audit).await?;
        let staff = Staff::new((&context, &publisher), &stream_cache, &audit, &tokens, &accounts, &settings_sync);
        let chat = Chat::new(&context, &publisher, &stream_cache, &audit);
        let catalogue = Catalogue::new(&context, &publisher, &stream_cache, &audit);
        let pictures = Pictures::new(&context, &stream_cache);
        let imports = Imports::new(&context, &stream_cache, &audit, &catalogue, &pictures);
        let mail = Mail::new(&context, &stream_cache, &audit, &catalogue);
        let follows = Follows::new(&context, &stream_cache);
        let moderation = Moderation::new(&context, &publisher, &stream_cache, &audit, &chat);
        let sign_in = SignIn::new(&context);
        let selling = Selling::start(&context, &publisher, &catalogue)?;
        let (checkout, test_webhooks) =
            Checkout::new(&context, &publisher, &stream_cache, &audit, &catalogue, &selling, &settings_sync);
        let customers = Customers::new(&context, &publisher, &stream_cache, &audit);
        let streams = Streams::new(&context, &publisher, &stream_cache, &chat, &catalogue);
        let cluster_sync = ClusterSync::new(&context, &publisher, &stream_cache, &chat, &catalogue);
        let all_tasks_done = CancellationToken::new();
        // Not tracked as tasks that must finish: they deliver what those publish until they are done.
        tokio::spawn(cluster_sync.clone().receive_broker_events(broker_events, all_tasks_done.clone()));
        tokio::spawn(checkout.clone().receive_test_webhooks(test_webhooks, all_tasks_done.clone()));
        let (jobs, is_draining) = Default::default();
        let ready_checks = cache::Cache::with_capacity(4);
        let node = NodeState { jobs, started_at, is_draining, ready_checks, all_tasks_done };
        let services = Services {
            context,
            publisher,
            stream_cache,
            audit,
            tokens,
            accounts,
            api_keys,
            settings_sync,
            staff,
            chat,
            catalogue,
            pictures,
            imports,
            mail,
            follows,
            moderation,
            sign_in,
            selling,
            checkout,
            customers,
            streams,
            cluster_sync,
            node,
        };
        Ok(Self(Arc::new(services)))
    }
}

impl Services {
    fn start_jobs(&self) {
        let (runner, context) = (&self.node.jobs, &self.context);
        runner.start(context, catalogue::OfferWatcher::new(self.catalogue.clone()));
        runner.start(context, checkout::HoldJob::new(self.checkout.clone()));
        runner.start(context, checkout::PaymentHoldJob(self.checkout.clone()));
        if let Some(queue) = checkout::PaymentQueueJob::new(self.checkout.clone()) {
            runner.start(context, queue);
        }
        runner.start(context, checkout::PlacedOrderJob(self.checkout.clone()));
        runner.start(context, checkout::CouponJob(self.checkout.clone()));
        runner.start(context, checkout::OutboxJob(self.checkout.clone()));
        runner.start(context, checkout::BillingJob(self.checkout.clone()));
        runner.start(context, chat::LikesJob(self.chat.clone()));
        runner.start(context, checkout::WebhookJob(self.checkout.clone()));
        runner.start(context, checkout::ReconcileJob(self.checkout.clone()));
        runner.start(context, checkout::PaymentDetailsJob(self.checkout.clone()));
        runner.start(context, checkout::SavedCardRemovalJob(self.checkout.clone()));
        runner.start(context, checkout::AddressRetentionJob(context.clone()));
        runner.start(context, pictures::OrphanPictureJob(self.pictures.clone()));
        runner.start(context, catalogue::SearchIndexJob(context.clone()));
        runner.start(context, catalogue::SearchCleanupJob::new(context.clone()));
        runner.start(context, imports::ImportJob::new(self.imports.clone()));
        runner.start(context, mail::MailJob(self.mail.clone()));
        runner.start(context, mail::MailRetentionJob(context.clone()));
        runner.start(context, follows::FollowJob::new(self.follows.clone()));
        runner.start(context, catalogue::StockAlertJob::new(self.catalogue.clone()));
        runner.start(context, streams::MinuteSampleJob(self.streams.clone()));
        runner.start(context, streams::IdleRoomJob(self.streams.clone()));
        runner.start(context, streams::OrderSumJob::new(context.clone()));
        runner.start(context, token::TokenRevocationJob(self.tokens.clone()));
        runner.start(context, settings_sync::ShopSettingsJob(self.settings_sync.clone()));
        runner
            .start(context, stream_cache::ShopBlockJob::new(context, &self.publisher, &self.stream_cache.shop_blocks));
        runner.start(context, accounts::SignInCleanupJob(context.clone()));
        runner.start(context, staff::StaffSyncJob(self.staff.clone()));
        runner.start(context, cluster_sync::PendingDeliveryJob(self.cluster_sync.clone()));
        runner.start(context, moderation::RetentionJob(context.clone()));
        if self.is_clustered() {
            runner.start(context, cluster_sync::ViewerCountJob::new(self.cluster_sync.clone()));
        }
        // Nodes may share a database without a broker.
        if self.context.store.is_shared() {
            runner.start(context, cluster_sync::StreamPollJob(self.cluster_sync.clone()));
            runner.start(context, context::SnapshotAgeJob(context.clone()));
        }
    }

    /// Starts a job of another layer beside the jobs of the services.
    pub fn start_job(&self, job: impl BackgroundJob) {
        self.node.jobs.start(&self.context, job);
    }

    /// Waits until all started work is finished: writes in progress, the last chat batch, the likes.
    pub async fn finish(&self) {
        self.context.tasks.close();
        self.context.tasks.wait().await;
        // Likes that were added while the tasks ended. A failure is logged where it happened.
        let _ = self.chat.flush_likes().await;
        self.publisher.broker.stop().await;
        self.node.all_tasks_done.cancel();
        self.context.store.close().await;
    }

    /// Runs `work` in a task that must finish before the process ends.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.context.spawn(work);
    }

    /// The tasks that must finish before the process ends.
    pub fn tasks(&self) -> &TaskTracker {
        &self.context.tasks
    }

    pub fn rooms(&self) -> &Rooms {
        &self.publisher.rooms
    }

    /// The shop as it is now.
    pub fn shop(&self) -> Arc<Shop> {
        self.context.shop()
    }

    /// Where the shop is and what it speaks.
    pub fn profile(&self) -> Arc<ShopProfile> {
        self.context.profile()
    }

    pub fn settings(&self) -> &Settings {
        &self.context.settings
    }

    /// The database's time, as far as this node knows it.
    pub fn now(&self) -> Millis {
        self.context.now()
    }

    pub fn clock(&self) -> &Clock {
        &self.context.clock
    }

    /// Cancelled when the server is asked to stop.
    pub fn stopping(&self) -> &CancellationToken {
        &self.context.stop
    }

    /// Starts draining: load balancers should send no new clients to this node; connected clients are served as before.
    pub fn start_draining(&self) {
        self.node.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether the node is draining or the server was asked to stop.
    pub fn is_draining(&self) -> bool {
        self.node.is_draining.load(Ordering::Relaxed) || self.context.stop.is_cancelled()
    }

    /// Whether every part of the broker returned a message of this node within three seconds. Always true on a single
    /// node.
    pub fn is_broker_connected(&self) -> bool {
        self.broker_metrics().is_up()
    }

    /// What the operator has to change before the broker can be used. `None`: nothing that we know of.
    pub fn broker_problem(&self) -> Option<&'static str> {
        self.publisher.broker.problem()
    }

    /// Whether other nodes can take over this node's viewers.
    pub fn is_clustered(&self) -> bool {
        self.publisher.broker.is_shared()
    }

    /// Readiness check: can the database be reached? Used by `/readyz`. Anybody may ask, so all who ask within a fifth of a
    /// second share one query.
    pub async fn check_ready(&self) -> Result<()> {
        let slot = self.context.clock.now() / READY_SHARED_MS;
        let check = async { Ok(self.context.store.now().await.map(|_| ())?) };
        self.node.ready_checks.get_or_load(slot, Box::pin(check)).await.map(|_| ())
    }

    /// Streams that this node follows in the broker and that are not subscribed.
    pub fn unsubscribed_streams(&self) -> usize {
        self.publisher.broker.unsubscribed_streams()
    }

    /// Metrics of the broker link between the nodes.
    pub fn broker_metrics(&self) -> &broker::BrokerMetrics {
        self.publisher.broker.metrics()
    }

    /// Metrics of the database, and its connection pools as they are now.
    pub fn store_metrics(&self) -> (&store::StoreCounters, Vec<store::PoolUsage>) {
        (self.context.store.counters(), self.context.store.pools())
    }

    /// Counters of the use cases.
    pub fn counters(&self) -> &AppCounters {
        &self.context.counters
    }

    /// The background jobs of this node, and how their runs went.
    pub fn jobs(&self) -> Vec<Arc<JobStatus>> {
        self.node.jobs.jobs()
    }

    /// When this node started.
    pub fn started_at(&self) -> Millis {
        self.node.started_at
    }

    /// How many milliseconds the database's clock is ahead of ours, and the current epoch of the database.
    pub fn clock_offset_and_epoch(&self) -> (Millis, i64) {
        (self.context.clock_offset_ms(), self.context.epoch())
    }
}
