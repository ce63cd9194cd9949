//! What an operator may configure about the use cases.

use std::sync::Arc;
use std::time::Duration;

use super::mail_server::MailTransport;
use super::message_signature::MessageKey;
use super::oidc_provider::OidcProvider;
use super::picture_storage::PictureStorage;
use super::webhook_signature::WebhookSecret;
use crate::domain::secrets_key::SecretsKey;
use crate::domain::{Millis, PurchaseNames, StripeKeys, StripeMode, TokenRules};
use crate::guarded_address::AddressGuard;

#[derive(Clone, Debug)]
pub struct Settings {
    pub chat: ChatRateLimit,
    /// How the chat names buyers.
    pub purchase_names: PurchaseNames,
    /// How long chat messages are kept, in milliseconds, until the desk sets it; `None` means forever.
    pub chat_retention_ms: Option<Millis>,
    /// How long addresses are kept after their order ended or was sent, in milliseconds, until the desk sets it; `None` means forever.
    pub address_retention_ms: Option<Millis>,
    /// Enables `POST /v1/dev/tokens`, which signs in anyone without a check.
    pub is_dev_login_enabled: bool,
    /// Enables the test provider, with which anybody can pay without money. Without it this server takes no payments.
    pub is_test_provider_enabled: bool,
    /// The account at Stripe that takes the payments. `None`: Stripe does not.
    pub stripe: Option<StripeSettings>,
    /// How the keys are used that an owner sets on the pages. `None`: they do not count here.
    pub stripe_endpoints: Option<StripeEndpoints>,
    /// The payment adapter that takes the payments. `None`: there is none. It is not given beside Stripe.
    pub adapter: Option<AdapterSettings>,
    /// Requests a second to one endpoint of the payment provider, from all nodes; payments wait in a queue for their turn. `None`: the usual rate
    /// of the provider, and no queue for the test provider.
    pub payment_rate: Option<u32>,
    /// The key that signs webhooks. Random when none is configured: then only the built-in test provider can sign.
    pub webhook_secret: WebhookSecret,
    /// Deadline of one call to a payment provider. After it, the outcome of the call is unknown.
    pub provider_deadline: Duration,
    pub reconcile: ReconcileSettings,
    /// The path of the server below its public address, like `/live`; empty if it has a host of its own.
    pub base_path: String,
    /// The longest lifetime of a token, and the time for which a revocation is kept.
    pub token_max_ttl_ms: Millis,
    /// Where mails go; `None`: this shop sends none.
    pub mail: Option<MailTransport>,
    /// The identity provider with which people sign in.
    pub oidc: Option<Arc<OidcProvider>>,
    /// Encrypts the secrets of the shop in the database; `None`: the desk stores none.
    pub secrets_key: Option<SecretsKey>,
    /// Which addresses that somebody typed on a page may be reached.
    pub address_guard: AddressGuard,
    /// How long the log keeps mails, in milliseconds, until the desk sets it; `None` means forever.
    pub mail_retention_ms: Option<Millis>,
    /// Where uploaded pictures are kept; `None`: nobody can upload any.
    pub pictures: Option<PictureStorage>,
    /// Where browsers find the pages of this shop, without a slash at the end; `None`: not known, so mails have no links.
    pub public_url: Option<String>,
    /// Limits of each user and connection: sockets, purchases, payments, cancellations, frames. Off only for load tests.
    pub are_requests_limited: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            chat: ChatRateLimit { viewer_per_s: 1.0, room_per_s: 50.0 },
            purchase_names: PurchaseNames::default(),
            chat_retention_ms: None,
            address_retention_ms: None,
            is_dev_login_enabled: false,
            is_test_provider_enabled: false,
            stripe: None,
            stripe_endpoints: None,
            adapter: None,
            payment_rate: None,
            webhook_secret: WebhookSecret::random(),
            provider_deadline: Duration::from_secs(10),
            reconcile: ReconcileSettings::default(),
            base_path: String::new(),
            token_max_ttl_ms: TokenRules::default().max_ttl_ms,
            mail: None,
            oidc: None,
            secrets_key: None,
            address_guard: AddressGuard::default(),
            mail_retention_ms: None,
            pictures: None,
            public_url: None,
            are_requests_limited: true,
        }
    }
}

/// The addresses of Stripe, for keys that are set while the server runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StripeEndpoints {
    /// The address of the API.
    pub api_base: String,
    /// Where the bank sends the buyer back: the address to which the id of the order is added.
    pub return_url: String,
    /// The script of the card form.
    pub script: String,
    /// One of these addresses is not that of Stripe itself, so a live key is refused.
    pub is_stand_in: bool,
}

impl StripeEndpoints {
    /// The account of these keys. `None`: the key is a live one, and this is not Stripe itself.
    pub fn account(&self, keys: StripeKeys) -> Option<StripeSettings> {
        if self.is_stand_in && keys.mode() == StripeMode::Live {
            return None;
        }
        let StripeKeys { key, publishable_key, webhook_secret } = keys;
        Some(StripeSettings {
            key,
            api_base: self.api_base.clone(),
            webhook_secrets: vec![WebhookSecret::new(webhook_secret)],
            return_url: self.return_url.clone(),
            card_form: Some(StripeCardForm { publishable_key, script: self.script.clone() }),
        })
    }
}

/// How to reach an account at Stripe.
#[derive(Clone)]
pub struct StripeSettings {
    /// A secret or restricted key.
    pub key: String,
    /// The address of the API.
    pub api_base: String,
    /// The secrets with which its webhooks may be signed: two while the operator changes them.
    pub webhook_secrets: Vec<WebhookSecret>,
    /// Where the bank sends the buyer back: the address to which the id of the order is added.
    pub return_url: String,
    /// What the pages need for their card form; `None`: they have none.
    pub card_form: Option<StripeCardForm>,
}

/// How to reach the payment adapter of the operator.
#[derive(Clone)]
pub struct AdapterSettings {
    /// The address that takes every request.
    pub url: String,
    /// The key that both sides share; it signs our requests, and the adapter's events.
    pub key: MessageKey,
    /// Keys with which events may be signed while the operator changes the key.
    pub old_keys: Vec<MessageKey>,
    /// Where the provider sends the buyer back: the address to which the id of the order is added.
    pub return_url: String,
    /// It takes real money. A payment of the other kind is none of ours.
    pub is_live: bool,
}

impl std::fmt::Debug for AdapterSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the keys.
        f.debug_struct("AdapterSettings")
            .field("url", &self.url)
            .field("is_live", &self.is_live)
            .finish_non_exhaustive()
    }
}

/// What the pages need to show the card form of Stripe. Nothing of it is secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StripeCardForm {
    pub publishable_key: String,
    /// The address of the script.
    pub script: String,
}

impl std::fmt::Debug for StripeSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the keys.
        f.debug_struct("StripeSettings").field("api_base", &self.api_base).finish_non_exhaustive()
    }
}

/// Chat rate limit in messages per second on average: of one viewer, with a burst of five messages, and of all viewers
/// of a stream together on this node, with a burst of two seconds. 0 means no limit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ChatRateLimit {
    pub viewer_per_s: f64,
    pub room_per_s: f64,
}

/// How often every node runs the reconciliation, and the minimum age of a payment to be checked.
#[derive(Clone, Copy, Debug)]
pub struct ReconcileSettings {
    pub interval: Duration,
    pub min_age_ms: Millis,
    /// How long after its deadline a request may still arrive at the payment provider. Until then, a provider that does not know a
    /// payment may learn of it.
    pub late_request_ms: Millis,
}

impl Default for ReconcileSettings {
    fn default() -> Self {
        Self { interval: Duration::from_secs(30), min_age_ms: 60_000, late_request_ms: 120_000 }
    }
}
