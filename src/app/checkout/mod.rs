//! Checkout: a buyer's orders, payments, refunds and delivery addresses, and the payment providers.

mod adapter;
mod address;
mod address_retention;
mod billing;
mod buyer_limit;
mod comparison;
mod coupon;
mod coupon_use;
mod dispute;
mod hold;
mod opening_queue;
mod order;
mod order_link;
mod outbox;
mod owed_refund;
mod own_data;
mod pacer;
mod payment;
mod payment_day;
mod payment_details;
mod payment_hold;
mod payment_queue;
mod placed_order;
mod provider;
mod provider_call;
mod provider_turn;
mod reconcile;
mod refund;
mod saved_address;
mod saved_card;
mod saved_view;
mod shop_order;
mod shown_coupon;
mod stripe;
mod stripe_keys;
mod test_provider;
mod webhook;
mod withdrawal;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::{Notify, Semaphore, mpsc};

use super::audit::AuditLog;
use super::catalogue::Catalogue;
use super::context::Context;
use super::publisher::Publisher;
use super::selling::Selling;
use super::settings_sync::SettingsSync;
use super::stream_cache::StreamCache;
use adapter::AdapterProvider;
use buyer_limit::BuyerLimits;
use opening_queue::{OpeningCounters, OpeningQueue};
use pacer::DEFAULT_RATE;
use provider::PaymentProvider;
use provider_call::ProviderCalls;
use stripe::StripeProvider;
use test_provider::{TEST_WEBHOOK_QUEUE_MAX, TestProvider, TestWebhook};

pub use address_retention::AddressRetentionJob;
pub use billing::{BillingFilter, BillingJob};
pub use comparison::{Comparison, Difference, DifferenceState};
pub use coupon_use::CouponJob;
pub use hold::HoldJob;
pub use order::{OrderResult, PurchaseResult};
pub use outbox::OutboxJob;
pub use own_data::OwnDataCursor;
pub use pacer::Pacer;
pub use payment_details::PaymentDetailsJob;
pub use payment_hold::PaymentHoldJob;
pub use payment_queue::{PaymentQueue, PaymentQueueJob};
pub use placed_order::PlacedOrderJob;
pub use reconcile::ReconcileJob;
pub use saved_card::{PaymentSource, SavedCardRemovalJob, SavedCards};
pub use shop_order::ExportedOrder;
pub use stripe::{DEFAULT_BASE as STRIPE_BASE, is_live_key as is_live_stripe_key};
pub use stripe_keys::{StripeKeysCheck, StripeKeysState};
pub use webhook::WebhookJob;
pub use withdrawal::WithdrawalState;

pub struct Checkout {
    context: Arc<Context>,
    publisher: Arc<Publisher>,
    stream_cache: Arc<StreamCache>,
    audit: Arc<AuditLog>,
    catalogue: Arc<Catalogue>,
    selling: Arc<Selling>,
    settings_sync: Arc<SettingsSync>,
    /// `Free`: this server takes no payments.
    provider: PaymentProvider,
    /// Where payments wait for their turn. `None`: each is sent to the provider at once.
    pub queue: Option<Arc<PaymentQueue>>,
    /// Where reservations that become an order wait for each other.
    openings: OpeningQueue,
    pub limits: BuyerLimits,
    /// Notified when a webhook arrived, so the payment provider should be asked.
    webhook_received: Arc<Notify>,
    /// Notified when an order was paid, so the outbox has an event to deliver.
    outbox_changed: Arc<Notify>,
    /// Notified when an order was paid or refunded, so a document is due.
    billing_due: Arc<Notify>,
    /// Whether a coupon could be used when this node looked last.
    has_coupons: AtomicBool,
    /// Notified when a saved card was removed, so the provider is to delete it.
    removals_due: Arc<Notify>,
    /// Held while Stripe is asked about keys that somebody typed.
    key_checks: Semaphore,
}

impl Checkout {
    /// The second value gives the webhooks of the test provider, for [`receive_test_webhooks`](Self::receive_test_webhooks).
    pub fn new(
        context: &Arc<Context>,
        publisher: &Arc<Publisher>,
        stream_cache: &Arc<StreamCache>,
        audit: &Arc<AuditLog>,
        catalogue: &Arc<Catalogue>,
        selling: &Arc<Selling>,
        settings_sync: &Arc<SettingsSync>,
    ) -> (Arc<Self>, mpsc::Receiver<TestWebhook>) {
        let settings_sync = settings_sync.clone();
        let (context, publisher, stream_cache, audit, catalogue, selling) = (
            context.clone(),
            publisher.clone(),
            stream_cache.clone(),
            audit.clone(),
            catalogue.clone(),
            selling.clone(),
        );
        let (webhooks, incoming) = mpsc::channel(TEST_WEBHOOK_QUEUE_MAX);
        let test_provider = || {
            PaymentProvider::Test(TestProvider {
                store: context.store.clone(),
                clock: context.clock.clone(),
                secret: context.settings.webhook_secret.clone(),
                calls: Arc::new(ProviderCalls::with_deadline(context.settings.provider_deadline)),
                webhooks,
                tasks: context.tasks.clone(),
            })
        };
        let rate = context.settings.payment_rate;
        // The test provider answers as fast as it is asked, unless the operator wants to see the queue.
        let is_stripe = context.settings.stripe.is_some() || context.settings.stripe_endpoints.is_some();
        let is_outside = is_stripe || context.settings.adapter.is_some();
        let rate = if is_outside { Some(rate.unwrap_or(DEFAULT_RATE)) } else { rate };
        let pacer = Arc::new(Pacer::new(rate.unwrap_or(DEFAULT_RATE)));
        let provider = match (is_stripe, &context.settings.adapter) {
            (true, _) => {
                let known = context.clone();
                PaymentProvider::Stripe(StripeProvider::new(Arc::new(move || known.stripe()), pacer.clone()))
            }
            (false, Some(settings)) => {
                let clock = context.clock.clone();
                PaymentProvider::Adapter(AdapterProvider::new(settings.clone(), clock, pacer.clone()))
            }
            (false, None) if context.settings.is_test_provider_enabled => test_provider(),
            (false, None) => PaymentProvider::Free,
        };
        let is_queued = rate.is_some() && !matches!(provider, PaymentProvider::Free);
        let queue = is_queued.then(|| Arc::new(PaymentQueue::new(pacer)));
        let (webhook_received, outbox_changed, billing_due, removals_due) = Default::default();
        let limits = BuyerLimits::new(context.settings.are_requests_limited);
        let openings = OpeningQueue::start(&context);
        let checkout = Self {
            context,
            publisher,
            stream_cache,
            audit,
            catalogue,
            selling,
            settings_sync,
            provider,
            queue,
            openings,
            limits,
            webhook_received,
            outbox_changed,
            billing_due,
            has_coupons: AtomicBool::new(false),
            removals_due,
            key_checks: Semaphore::new(1),
        };
        (Arc::new(checkout), incoming)
    }

    /// The name of the payment provider; `None`: this server takes no payments now, and only orders that cost nothing can be paid.
    pub fn payment_provider(&self) -> Option<&'static str> {
        self.provider.takes_payments().then(|| self.provider.name())
    }

    /// This server takes payments, or will when an owner has set the keys of Stripe.
    pub fn may_take_payments(&self) -> bool {
        !matches!(self.provider, PaymentProvider::Free)
    }

    /// Metrics of the orders that are opened.
    pub fn openings(&self) -> &OpeningCounters {
        self.openings.counters()
    }

    /// Metrics of the calls to the payment provider.
    pub fn provider_calls(&self) -> Option<&ProviderCalls> {
        self.provider.calls()
    }
}
