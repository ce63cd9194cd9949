//! What every service needs: the store, the clock, the settings, the tasks of this node and its counters.

use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::counters::AppCounters;
use super::error::{Error, Result};
use super::jobs::{BackgroundJob, JobSpec, NextRun};
use super::mail_server::MailTransport;
use super::revoked_token_cache::RevokedTokenCache;
use super::settings::{Settings, StripeSettings};
use crate::clock::Clock;
use crate::domain::retention::kept_ms;
use crate::domain::shop_settings::ShopProfile;
use crate::domain::{Millis, Shop, StaffNames};
use crate::store::{Store, StoredSettings};

/// The shop and its settings, as this node knows them now.
#[derive(Clone)]
struct LiveSettings {
    shop: Arc<Shop>,
    profile: Arc<ShopProfile>,
    /// The mail server that the desk set.
    mail: Option<Arc<MailTransport>>,
    /// The account at Stripe whose keys an owner set.
    stripe: Option<Arc<StripeSettings>>,
    version: i64,
}

pub struct Context {
    pub store: Store,
    pub clock: Clock,
    pub settings: Settings,
    /// What the pages of the desk change while the node runs.
    live_settings: RwLock<LiveSettings>,
    /// The mail server with which the node was started.
    given_mail: Option<Arc<MailTransport>>,
    /// The account at Stripe with whose keys the node was started.
    given_stripe: Option<Arc<StripeSettings>>,
    pub counters: AppCounters,
    /// The tasks that must finish before the process ends.
    pub tasks: TaskTracker,
    /// Cancelled when the server is asked to stop.
    pub stop: CancellationToken,
    /// Tokens that are refused although they are signed and in time; kept current by `Tokens`.
    pub revoked_tokens: RevokedTokenCache,
    /// Notified when a mail was written to the outbox.
    pub mail_queued: Arc<Notify>,
    /// The names of the staff, which nobody else may have in public; kept current by `Staff`.
    staff_names: RwLock<Arc<StaffNames>>,
    epoch: AtomicI64,
    /// How many milliseconds the database's clock is ahead of ours.
    clock_offset_ms: AtomicI64,
}

impl Context {
    pub async fn new(
        store: Store,
        clock: Clock,
        shop: Shop,
        settings: Settings,
        stop: CancellationToken,
    ) -> Result<Arc<Self>> {
        let epoch = AtomicI64::new(store.epoch().await?);
        let given_mail = settings.mail.clone().map(Arc::new);
        let given_stripe = settings.stripe.clone().map(Arc::new);
        let (counters, tasks, revoked_tokens, mail_queued, staff_names, clock_offset_ms) = Default::default();
        Ok(Arc::new(Self {
            store,
            clock,
            settings,
            live_settings: RwLock::new(LiveSettings {
                shop: Arc::new(shop),
                profile: Arc::default(),
                mail: None,
                stripe: None,
                version: 0,
            }),
            given_mail,
            given_stripe,
            counters,
            tasks,
            stop,
            revoked_tokens,
            mail_queued,
            staff_names,
            epoch,
            clock_offset_ms,
        }))
    }

    fn live_settings(&self) -> LiveSettings {
        self.live_settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The shop as it is now.
    pub fn shop(&self) -> Arc<Shop> {
        self.live_settings().shop
    }

    /// Where the shop is and what it speaks.
    pub fn profile(&self) -> Arc<ShopProfile> {
        self.live_settings().profile
    }

    /// For how long addresses are kept after their order was sent or ended; `None`: forever.
    pub fn address_kept_ms(&self) -> Option<Millis> {
        kept_ms(self.profile().retention.address_days, self.settings.address_retention_ms)
    }

    /// For how long messages of the chat are kept; `None`: forever.
    pub fn chat_kept_ms(&self) -> Option<Millis> {
        kept_ms(self.profile().retention.chat_days, self.settings.chat_retention_ms)
    }

    /// For how long the log keeps mails; `None`: forever.
    pub fn mail_kept_ms(&self) -> Option<Millis> {
        kept_ms(self.profile().retention.mail_days, self.settings.mail_retention_ms)
    }

    /// The version of the settings that this node knows; 0: it has read none yet.
    pub fn live_settings_version(&self) -> i64 {
        self.live_settings().version
    }

    /// Where mails go now; `None`: this shop sends none. A server that was given when the node started comes before the one of the
    /// desk, and both come before the log of a demo.
    pub fn mail(&self) -> Option<Arc<MailTransport>> {
        let of_desk = if self.has_given_mail_server() { None } else { self.live_settings().mail };
        of_desk.or_else(|| self.given_mail.clone())
    }

    /// The mail server that the desk set, whether or not it is in use.
    pub fn mail_of_desk(&self) -> Option<Arc<MailTransport>> {
        self.live_settings().mail
    }

    /// Whether the node was started with a mail server: then the one of the desk does not count.
    pub fn has_given_mail_server(&self) -> bool {
        matches!(self.given_mail.as_deref(), Some(MailTransport::Smtp { .. }))
    }

    /// The account at Stripe that takes the payments now; `None`: it takes none. Keys with which the node was started come before those
    /// that an owner set.
    pub fn stripe(&self) -> Option<Arc<StripeSettings>> {
        self.given_stripe.clone().or_else(|| self.live_settings().stripe)
    }

    /// Takes what the store returned; an older version is ignored.
    pub fn set_live_settings(
        &self,
        shop: Shop,
        stored: StoredSettings,
        mail: Option<Arc<MailTransport>>,
        stripe: Option<Arc<StripeSettings>>,
    ) {
        let (shop, profile) = (Arc::new(shop), Arc::new(stored.profile));
        let new = LiveSettings { shop, profile, mail, stripe, version: stored.version };
        let mut live = self.live_settings.write().unwrap_or_else(PoisonError::into_inner);
        if live.version <= new.version {
            *live = new;
        }
    }

    pub fn staff_names(&self) -> Arc<StaffNames> {
        self.staff_names.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_staff_names(&self, names: StaffNames) {
        let mut known = self.staff_names.write().unwrap_or_else(PoisonError::into_inner);
        if **known != names {
            *known = Arc::new(names);
        }
    }

    /// The database's time, as far as this node knows it. Sale windows and holds are decided by the database's clock, so
    /// this is the time we send to clients.
    pub fn now(&self) -> Millis {
        self.clock.now() + self.clock_offset_ms()
    }

    /// How many milliseconds the database's clock is ahead of ours.
    pub fn clock_offset_ms(&self) -> Millis {
        self.clock_offset_ms.load(Ordering::Relaxed)
    }

    /// Whether e-mails leave this server: not those that a demo writes to its log.
    pub fn sends_email(&self) -> bool {
        matches!(self.mail().as_deref(), Some(MailTransport::Smtp { .. }))
    }

    /// The current epoch of the database.
    pub fn epoch(&self) -> i64 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// Reads the database's clock and epoch again.
    pub async fn refresh_clock_and_epoch(&self) -> Result<()> {
        let before = self.clock.now();
        let theirs = self.store.now().await?;
        let middle = before + (self.clock.now() - before) / 2;
        self.clock_offset_ms.store(theirs - middle, Ordering::Relaxed);
        self.epoch.store(self.store.epoch().await?, Ordering::Relaxed);
        Ok(())
    }

    /// Runs `work` in a task that must finish before the process ends.
    ///
    /// The task is boxed: tokio compiles about a thousand lines for each type of future that is spawned, and there are
    /// more than a hundred kinds of work.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.spawn_boxed(Box::pin(work));
    }

    /// Runs `work` to its end in a task of its own, even if the client that asked disconnects.
    pub async fn spawn_write<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (sender, outcome) = oneshot::channel();
        self.spawn(async move {
            // Nobody waits for the outcome any more when the client has disconnected.
            let _ = sender.send(work.await);
        });
        outcome.await.unwrap_or_else(|_| {
            tracing::error!("a use case panicked");
            Err(Error::Unavailable)
        })
    }

    fn spawn_boxed(&self, work: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.tasks.spawn(work);
    }
}

/// Measures how long the oldest snapshot of the database has been open, for the metrics.
pub struct SnapshotAgeJob(pub Arc<Context>);

impl BackgroundJob for SnapshotAgeJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("snapshot_age", Duration::from_secs(10), Duration::from_secs(10))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        let age = self.0.store.oldest_snapshot_ms().await?;
        self.0.counters.oldest_snapshot_ms.store(age, Ordering::Relaxed);
        Ok(NextRun::AfterInterval)
    }
}
