//! Stripe: payment intents with manual capture (docs/payments.md).
//!
//! A missing answer is unknown, never a refusal. What was done is found by the reference, or in the list of intents by the time of
//! creation; never by the search, which is late.

mod api;
mod customer;
mod key_check;
mod reading;
mod request;

use std::sync::Arc;

use serde_json::Value;

use super::pacer::{Endpoint, Pacer};
use super::provider_call::{PaymentPage, ProviderCalls, ProviderOutcome};
use super::provider_turn::{CALL_DEADLINE, CONFIRM_DEADLINE, search_window};
use crate::app::settings::StripeSettings;
use crate::domain::{Millis, Minor, Payment, PaymentFee, PaymentIntent, ProviderDispute, ProviderRefund, Refusal};
use crate::store::PaymentEvent;

pub use api::is_live_key;
use api::{FindAccount, Reply, StripeApi};
pub use customer::CUSTOMER_DEADLINE;

pub const NAME: &str = "stripe";
pub const DEFAULT_BASE: &str = "https://api.stripe.com";
/// Pages of a hundred intents that are read to find one. The deadline of a call, 35 seconds, ends the search earlier: at the default pace
/// a node that is alone sends 9 status requests a second, so it reads about 315 pages (31,500 payments), and about 115 (11,500) where an answer takes
/// 0.3 seconds; several nodes share the pace. Above it the payment stays unknown, which is never taken for one that was not made.
const PAGES_MAX: usize = 600;
/// Pages of a hundred refunds of one payment.
const REFUND_PAGES_MAX: usize = 10;
/// Keys of one change, one after another: a key that keeps a failure of Stripe is given up for the next one.
const KEYS_MAX: usize = 3;

#[derive(Clone)]
pub struct StripeProvider {
    api: StripeApi,
    pacer: Arc<Pacer>,
    calls: Arc<ProviderCalls>,
}

impl StripeProvider {
    pub fn new(find_account: FindAccount, pacer: Arc<Pacer>) -> Self {
        let api = StripeApi::new(find_account, pacer.clone());
        // Each request has a deadline of its own; an outcome may need several requests.
        let calls = Arc::new(ProviderCalls::with_deadline(CONFIRM_DEADLINE + CALL_DEADLINE));
        Self { api, pacer, calls }
    }

    /// The account whose keys are in use. `None`: there are no keys now, and nobody can pay.
    pub fn account(&self) -> Option<Arc<StripeSettings>> {
        self.api.account()
    }

    pub fn calls(&self) -> &ProviderCalls {
        &self.calls
    }

    /// The keys are for real money. `None`: there are none now.
    pub fn is_live(&self) -> Option<bool> {
        self.account().map(|account| is_live_key(&account.key))
    }

    /// A page makes confirmation tokens. The payment methods of Stripe's tests are for tests only.
    pub fn check_token(&self, token: &str) -> Result<(), Refusal> {
        let is_plain = |name: &str| {
            (1..=200).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let is_known = token.strip_prefix("ctoken_").is_some_and(is_plain)
            || (self.is_live() != Some(true) && token.strip_prefix("pm_").is_some_and(is_plain));
        if is_known { Ok(()) } else { Err(Refusal::bad_field("token", "must be a confirmation token of Stripe.")) }
    }

    pub fn parse_webhook(&self, signature: &str, raw: &[u8], now: Millis) -> Result<PaymentEvent, Refusal> {
        // Two secrets while the operator changes them.
        let account = self.account().ok_or(Refusal::BadSignature)?;
        let is_signed = account.webhook_secrets.iter().any(|secret| secret.verify(signature, raw, now).is_ok());
        if is_signed { reading::event(raw) } else { Err(Refusal::BadSignature) }
    }

    pub async fn create(&self, payment: &Payment) -> ProviderOutcome<PaymentIntent> {
        let Some(account) = self.account() else { return ProviderOutcome::Unknown };
        let shop = request::Shop { return_url: &account.return_url };
        let Some(body) = request::create(payment, &shop) else {
            return ProviderOutcome::Refused("Stripe cannot charge exactly this amount.");
        };
        match self.api.create("/v1/payment_intents", body, &payment.create_key()).await {
            Reply::Done(value) => read_intent(&value),
            Reply::CardRefused(value) => match reading::intent(&value["error"]["payment_intent"]) {
                Some(intent) => ProviderOutcome::Done(intent),
                None => ProviderOutcome::Refused("The card was declined."),
            },
            Reply::Refused => ProviderOutcome::Refused("Stripe refused the request."),
            // The intent may exist all the same. If it does not, this key will never make one.
            Reply::KeptFailure => match self.find(payment).await {
                ProviderOutcome::Done(Some(intent)) => ProviderOutcome::Done(intent),
                ProviderOutcome::Done(None) => ProviderOutcome::Refused("Stripe failed and made no payment."),
                _ => ProviderOutcome::Unknown,
            },
            Reply::KeyConflict => match self.find(payment).await {
                ProviderOutcome::Done(Some(intent)) => ProviderOutcome::Done(intent),
                _ => ProviderOutcome::Unknown,
            },
            Reply::NotFound | Reply::Unknown => ProviderOutcome::Unknown,
        }
    }

    pub async fn fetch(&self, payment: &Payment) -> ProviderOutcome<Option<PaymentIntent>> {
        match payment.reference.as_deref() {
            Some(reference) => self.fetch_by_reference(reference).await,
            None => self.find(payment).await,
        }
    }

    pub async fn fetch_by_reference(&self, reference: &str) -> ProviderOutcome<Option<PaymentIntent>> {
        match self.get_intent(reference).await {
            Reply::Done(value) => ProviderOutcome::Done(reading::intent(&value)),
            Reply::NotFound => ProviderOutcome::Done(None),
            _ => ProviderOutcome::Unknown,
        }
    }

    /// Where the buyer completes the payment now. `None`: the intent waits for nothing, or it is not known.
    pub async fn action_url(&self, reference: &str) -> Option<String> {
        let Reply::Done(value) = self.get_intent(reference).await else { return None };
        reading::action_url(&value)
    }

    async fn get_intent(&self, reference: &str) -> Reply {
        self.get_intent_with(reference, &request::change()).await
    }

    async fn get_intent_with(&self, reference: &str, query: &str) -> Reply {
        if !reference.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Reply::NotFound;
        }
        self.api.get(&format!("/v1/payment_intents/{reference}"), query).await
    }

    /// What Stripe keeps of a payment. It is asked for apart from the payment itself: a key without the right to see it refuses the whole
    /// request.
    pub async fn fee(&self, reference: &str) -> ProviderOutcome<Option<PaymentFee>> {
        match self.get_intent_with(reference, &request::with_fee()).await {
            Reply::Done(value) => ProviderOutcome::Done(reading::fee(&value)),
            _ => ProviderOutcome::Unknown,
        }
    }

    /// The disputes of a payment: there is rarely more than one.
    pub async fn disputes(&self, reference: &str) -> ProviderOutcome<Vec<ProviderDispute>> {
        let Reply::Done(page) = self.api.get("/v1/disputes", &request::list_disputes(reference)).await else {
            return ProviderOutcome::Unknown;
        };
        let read = page["data"].as_array().and_then(|all| all.iter().map(reading::dispute).collect());
        read.map_or(ProviderOutcome::Unknown, ProviderOutcome::Done)
    }

    /// Looks for the intent of an attempt among those that were created while it could be. The list is complete at once.
    async fn find(&self, payment: &Payment) -> ProviderOutcome<Option<PaymentIntent>> {
        // It was not asked: it waits in our queue.
        let Some((from, to)) = window_in_seconds(payment) else { return ProviderOutcome::Done(None) };
        let mut after: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let Some(page) = self.page(from, to, after.as_deref()).await else { return ProviderOutcome::Unknown };
            let is_ours = |intent: &PaymentIntent| (intent.order, intent.attempt) == (payment.order, payment.attempt);
            if let Some(found) = page.payments.into_iter().find(is_ours) {
                return ProviderOutcome::Done(Some(found));
            }
            after = page.next;
            if after.is_none() {
                return ProviderOutcome::Done(None);
            }
        }
        tracing::error!(order.id = %payment.order, "a payment was not found among the provider's newest payments; it stays unknown");
        ProviderOutcome::Unknown
    }

    pub async fn list(&self, from: Millis, until: Millis, after: Option<&str>) -> ProviderOutcome<PaymentPage> {
        let page = self.page(from.div_euclid(1_000), until.div_euclid(1_000) + 1, after).await;
        page.map_or(ProviderOutcome::Unknown, ProviderOutcome::Done)
    }

    /// A page of the intents that were created in this time, in seconds. `None`: it could not be read.
    async fn page(&self, from: i64, to: i64, after: Option<&str>) -> Option<PaymentPage> {
        let Reply::Done(page) = self.api.get("/v1/payment_intents", &request::list(from, to, after)).await else {
            return None;
        };
        let intents = page["data"].as_array()?;
        let next = match page["has_more"] == true {
            true => Some(intents.last()?["id"].as_str()?.to_owned()),
            false => None,
        };
        Some(PaymentPage { payments: intents.iter().filter_map(reading::intent).collect(), next })
    }

    pub async fn capture(&self, reference: &str, key: String) -> ProviderOutcome<PaymentIntent> {
        self.change(reference, Endpoint::Capture, key).await
    }

    pub async fn cancel(&self, reference: &str, key: String) -> ProviderOutcome<PaymentIntent> {
        self.change(reference, Endpoint::Cancel, key).await
    }

    /// A second capture or cancellation is refused by the status of the intent, so another key can do no harm.
    async fn change(&self, reference: &str, endpoint: Endpoint, key: String) -> ProviderOutcome<PaymentIntent> {
        let verb = if endpoint == Endpoint::Capture { "capture" } else { "cancel" };
        let path = format!("/v1/payment_intents/{reference}/{verb}");
        for n in 1..=KEYS_MAX {
            match self.api.post(&path, request::change(), &numbered(&key, n), endpoint).await {
                Reply::Done(value) => return read_intent(&value),
                Reply::CardRefused(_) | Reply::Refused => {
                    return ProviderOutcome::Refused("Stripe refused the change.");
                }
                // It may have been done before Stripe failed; then the next one is refused, and the caller looks.
                Reply::KeptFailure => {}
                Reply::NotFound | Reply::KeyConflict | Reply::Unknown => {
                    return ProviderOutcome::Unknown;
                }
            }
        }
        ProviderOutcome::Unknown
    }

    /// Finds a refund by its id, or by our key among the refunds of the intent. The list is complete at once.
    pub async fn find_refund(
        &self,
        intent: &str,
        key: &str,
        reference: Option<&str>,
    ) -> ProviderOutcome<Option<ProviderRefund>> {
        let Some(reference) = reference else {
            let listed = self.list_refunds(intent).await;
            return listed
                .map_or(ProviderOutcome::Unknown, |all| ProviderOutcome::Done(ProviderRefund::of_key(&all, key)));
        };
        match self.api.get(&format!("/v1/refunds/{reference}"), "").await {
            Reply::Done(value) => {
                reading::refund(&value).map_or(ProviderOutcome::Unknown, |found| ProviderOutcome::Done(Some(found)))
            }
            // Also where the id is unknown: it was known once.
            _ => ProviderOutcome::Unknown,
        }
    }

    pub async fn refunds_by_hand(&self, intent: &str) -> ProviderOutcome<Vec<ProviderRefund>> {
        let listed = self.list_refunds(intent).await;
        listed.map_or(ProviderOutcome::Unknown, |mut all| {
            all.retain(|refund| refund.key.is_none());
            ProviderOutcome::Done(all)
        })
    }

    /// Every refund of an intent, the newest first. `None`: they could not be read.
    async fn list_refunds(&self, intent: &str) -> Option<Vec<ProviderRefund>> {
        let mut all = Vec::new();
        for _ in 0..REFUND_PAGES_MAX {
            let after = all.last().map(|last: &ProviderRefund| last.reference.clone());
            let Reply::Done(page) = self.api.get("/v1/refunds", &request::list_refunds(intent, after.as_deref())).await
            else {
                return None;
            };
            let refunds = page["data"].as_array()?;
            for refund in refunds {
                all.push(reading::refund(refund)?);
            }
            if page["has_more"] != true || refunds.is_empty() {
                return Some(all);
            }
        }
        tracing::error!("a payment has more refunds at the provider than are read");
        None
    }

    /// Refunds an amount. The key is the same for every repetition; a key that keeps a failure of Stripe is given up for the next one,
    /// after a check of what was done.
    pub async fn refund(
        &self,
        payment: &Payment,
        reference: &str,
        amount: Minor,
        key: String,
    ) -> ProviderOutcome<ProviderRefund> {
        let Some(body) = request::refund(reference, amount, &payment.currency, &key) else {
            return ProviderOutcome::Refused("Stripe cannot refund exactly this amount.");
        };
        for n in 1..=KEYS_MAX {
            match self.api.post("/v1/refunds", body.clone(), &numbered(&key, n), Endpoint::Refund).await {
                Reply::Done(value) => {
                    return reading::refund(&value).map_or(ProviderOutcome::Unknown, ProviderOutcome::Done);
                }
                Reply::CardRefused(_) | Reply::Refused => {
                    return ProviderOutcome::Refused("Stripe refused the refund.");
                }
                Reply::KeptFailure => match self.find_refund(reference, &key, None).await {
                    ProviderOutcome::Done(Some(found)) => return ProviderOutcome::Done(found),
                    ProviderOutcome::Done(None) => {}
                    _ => return ProviderOutcome::Unknown,
                },
                Reply::NotFound | Reply::KeyConflict | Reply::Unknown => {
                    return ProviderOutcome::Unknown;
                }
            }
        }
        ProviderOutcome::Unknown
    }
}

/// When the intent of an attempt can have been made, in seconds of Stripe's clock; `None`: Stripe was never asked.
fn window_in_seconds(payment: &Payment) -> Option<(i64, i64)> {
    let (from, to) = search_window(payment)?;
    // Whole seconds that contain the window: `created` has no fractions.
    Some((from.div_euclid(1_000), to.div_euclid(1_000) + 1))
}

/// The n-th key of a change.
fn numbered(key: &str, n: usize) -> String {
    if n == 1 { key.to_owned() } else { format!("{key}:{n}") }
}

fn read_intent(value: &Value) -> ProviderOutcome<PaymentIntent> {
    reading::intent(value).map_or(ProviderOutcome::Unknown, ProviderOutcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::checkout::provider_turn::CLOCKS_DIFFER_MS;
    use crate::domain::payment::{CREATE_REPEAT_MAX_MS, PAYMENT_CALL_LEASE_MS};

    #[test]
    fn window_contains_every_request_that_can_have_made_the_intent() {
        let payment = |called_at, is_sent_by_queue| Payment {
            order: crate::domain::OrderId(uuid::Uuid::nil()),
            attempt: 1,
            provider: NAME.into(),
            token: "ctoken_1".into(),
            reference: None,
            status: crate::domain::PaymentStatus::Creating,
            amount: 5_120,
            currency: "SAR".into(),
            created_at: 1_000_000_999,
            called_at,
            is_sent_by_queue,
            order_status: crate::domain::OrderStatus::Held,
            wins: false,
            has_lost_lines: false,
            owed: None,
            card: Default::default(),
        };
        assert_eq!(window_in_seconds(&payment(None, true)), None, "it was never asked");
        let latest = |called_at: Millis| {
            called_at + PAYMENT_CALL_LEASE_MS + CONFIRM_DEADLINE.as_millis() as Millis + CLOCKS_DIFFER_MS
        };
        for (called_at, is_sent_by_queue, last) in [
            (1_000_000_999, true, 1_000_000_999),
            (1_003_600_500, true, 1_003_600_500),
            (1_000_000_999, false, 1_000_000_999 + CREATE_REPEAT_MAX_MS),
        ] {
            let (from, to) = window_in_seconds(&payment(Some(called_at), is_sent_by_queue)).unwrap();
            assert!(from * 1_000 <= 1_000_000_999 - CLOCKS_DIFFER_MS, "{from}");
            assert!(latest(last) <= to * 1_000, "{to}: `created[lte]` of an intent that was made in the last second");
        }
    }

    #[test]
    fn payment_methods_of_tests_are_refused_with_a_key_for_real_money() {
        let provider = |key: &str| {
            let account = Arc::new(StripeSettings {
                key: key.to_owned(),
                api_base: DEFAULT_BASE.to_owned(),
                webhook_secrets: Vec::new(),
                return_url: String::new(),
                card_form: None,
            });
            StripeProvider::new(Arc::new(move || Some(account.clone())), Arc::new(Pacer::new(25)))
        };
        for (key, token, is_taken) in [
            ("sk_test_1", "ctoken_1", true),
            ("sk_test_1", "pm_card_visa", true),
            ("rk_test_1", "pm_card_visa", true),
            ("sk_live_1", "ctoken_1", true),
            ("sk_live_1", "pm_card_visa", false),
            ("rk_live_1", "pm_card_visa", false),
            ("sk_test_1", "ctoken_", false),
            ("sk_test_1", "ctoken_a/b", false),
            ("sk_test_1", "ok", false),
        ] {
            assert_eq!(provider(key).check_token(token).is_ok(), is_taken, "{key} {token}");
        }
    }
}
