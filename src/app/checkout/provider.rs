//! The interface to payment providers: authorise, fetch, capture, cancel, refund, and receive webhooks.
//!
//! Every call has a deadline and an idempotency key derived from the order, so that a retry is the same call. An
//! unknown outcome is a result of its own: a call that timed out may have been carried out, and is never treated as
//! refused.

use std::time::Duration;

use super::adapter::{self, AdapterProvider};
use super::provider_call::{PaymentPage, ProviderCalls, ProviderOutcome, call_with_deadline};
use super::stripe::{self, StripeProvider};
use super::test_provider::TestProvider;
use crate::app::message_signature::MESSAGE_HEADERS;
use crate::domain::{
    DisputeStatus, Millis, Minor, Payment, PaymentFee, PaymentIntent, PaymentIntentStatus, PaymentStatus,
    ProviderDispute, ProviderRefund, ProviderRefundStatus, Refusal,
};
use crate::store::{self, PaymentEvent};

/// The payment providers. This is a closed set: adding one means a variant here, and the compiler shows what it must
/// implement.
#[derive(Clone)]
pub enum PaymentProvider {
    Test(TestProvider),
    Stripe(StripeProvider),
    /// A program of the operator that speaks to any provider.
    Adapter(AdapterProvider),
    /// For orders that cost nothing: every call succeeds at once. As the provider of a server: it takes no payments.
    Free,
}

impl PaymentProvider {
    pub fn name(&self) -> &'static str {
        match self {
            PaymentProvider::Test(_) => "test",
            PaymentProvider::Stripe(_) => stripe::NAME,
            PaymentProvider::Adapter(_) => adapter::NAME,
            PaymentProvider::Free => "none",
        }
    }

    /// Can a buyer pay with it now?
    pub fn takes_payments(&self) -> bool {
        match self {
            PaymentProvider::Stripe(stripe) => stripe.account().is_some(),
            PaymentProvider::Test(_) | PaymentProvider::Adapter(_) => true,
            PaymentProvider::Free => false,
        }
    }

    /// Metrics of the calls so far; the free provider calls no one.
    pub fn calls(&self) -> Option<&ProviderCalls> {
        match self {
            PaymentProvider::Test(test) => Some(test.calls()),
            PaymentProvider::Stripe(stripe) => Some(stripe.calls()),
            PaymentProvider::Adapter(adapter) => Some(adapter.calls()),
            PaymentProvider::Free => None,
        }
    }

    /// The longest that a request may take before its outcome is unknown.
    pub fn deadline(&self, default: Duration) -> Duration {
        self.calls().map_or(default, ProviderCalls::deadline)
    }

    /// How long a request may have to wait for something else that it needs from the provider.
    pub fn customer_deadline(&self) -> Duration {
        match self {
            PaymentProvider::Stripe(_) => stripe::CUSTOMER_DEADLINE,
            PaymentProvider::Adapter(_) | PaymentProvider::Test(_) | PaymentProvider::Free => Duration::ZERO,
        }
    }

    /// The `livemode` value that every intent of this provider must carry. `None`: its keys were removed a moment ago, so nothing can be said
    /// about an intent.
    pub fn livemode(&self) -> Option<bool> {
        match self {
            PaymentProvider::Stripe(stripe) => stripe.is_live(),
            PaymentProvider::Adapter(adapter) => Some(adapter.is_live()),
            PaymentProvider::Test(_) | PaymentProvider::Free => Some(false),
        }
    }

    /// The headers that carry the signature of its webhooks, each once.
    pub fn signature_headers(&self) -> &'static [&'static str] {
        match self {
            PaymentProvider::Stripe(_) => &["stripe-signature"],
            PaymentProvider::Adapter(_) => &MESSAGE_HEADERS,
            PaymentProvider::Test(_) | PaymentProvider::Free => &["livesouk-signature"],
        }
    }

    /// Is an event of this kind sent when a payment is authorised or captured, and for no other reason?
    pub fn is_event_of_success(&self, kind: &str) -> bool {
        match self {
            PaymentProvider::Stripe(_) => {
                matches!(kind, "payment_intent.amount_capturable_updated" | "payment_intent.succeeded")
            }
            PaymentProvider::Adapter(_) => AdapterProvider::is_event_of_success(kind),
            PaymentProvider::Test(_) => matches!(kind, "intent.authorized" | "intent.captured"),
            PaymentProvider::Free => false,
        }
    }

    /// Is an event of this kind sent when a buyer begins to dispute a payment?
    pub fn is_event_of_dispute(&self, kind: &str) -> bool {
        match self {
            PaymentProvider::Stripe(_) => kind == "charge.dispute.created",
            PaymentProvider::Adapter(_) => AdapterProvider::is_event_of_dispute(kind),
            PaymentProvider::Test(_) | PaymentProvider::Free => false,
        }
    }

    /// Refuses a token that the provider cannot know.
    pub fn check_token(&self, token: &str) -> Result<(), Refusal> {
        match self {
            PaymentProvider::Test(test) => test.check_token(token),
            PaymentProvider::Stripe(stripe) => stripe.check_token(token),
            PaymentProvider::Adapter(adapter) => adapter.check_token(token),
            PaymentProvider::Free => Ok(()),
        }
    }

    /// Where the buyer completes the action that the provider requires: an address, or a path on our origin, which begins with
    /// `base_path`. `None`: it is not known now.
    pub async fn action_url(&self, payment: &Payment, base_path: &str) -> Option<String> {
        let reference = payment.reference.as_deref().unwrap_or_default();
        match self {
            PaymentProvider::Stripe(stripe) => stripe.action_url(reference).await,
            PaymentProvider::Adapter(adapter) => adapter.action_url(reference).await,
            PaymentProvider::Test(_) | PaymentProvider::Free => {
                Some(format!("{base_path}/v1/test-provider/{reference}/approve"))
            }
        }
    }

    /// Authorises the amount with the buyer's token; captures nothing.
    pub async fn create(&self, payment: &Payment) -> ProviderOutcome<PaymentIntent> {
        match self {
            PaymentProvider::Test(test) => call_with_deadline(test.calls(), test.create(payment)).await,
            PaymentProvider::Stripe(stripe) => call_with_deadline(stripe.calls(), stripe.create(payment)).await,
            PaymentProvider::Adapter(adapter) => call_with_deadline(adapter.calls(), adapter.create(payment)).await,
            PaymentProvider::Free => ProviderOutcome::Done(free_intent(payment, PaymentIntentStatus::Authorized)),
        }
    }

    /// The intent as the provider knows it now, by the provider's reference or by our order and attempt.
    pub async fn fetch(&self, payment: &Payment) -> ProviderOutcome<Option<PaymentIntent>> {
        match self {
            PaymentProvider::Test(test) => call_with_deadline(test.calls(), test.fetch(payment)).await,
            PaymentProvider::Stripe(stripe) => call_with_deadline(stripe.calls(), stripe.fetch(payment)).await,
            PaymentProvider::Adapter(adapter) => call_with_deadline(adapter.calls(), adapter.fetch(payment)).await,
            PaymentProvider::Free if payment.status == PaymentStatus::Captured => {
                ProviderOutcome::Done(Some(free_intent(payment, PaymentIntentStatus::Captured)))
            }
            PaymentProvider::Free => ProviderOutcome::Done(Some(free_intent(payment, PaymentIntentStatus::Authorized))),
        }
    }

    /// The intent by reference only, which is all that a webhook contains.
    pub async fn fetch_by_reference(&self, reference: &str) -> ProviderOutcome<Option<PaymentIntent>> {
        match self {
            PaymentProvider::Test(test) => call_with_deadline(test.calls(), test.fetch_by_reference(reference)).await,
            PaymentProvider::Stripe(stripe) => {
                call_with_deadline(stripe.calls(), stripe.fetch_by_reference(reference)).await
            }
            PaymentProvider::Adapter(adapter) => {
                call_with_deadline(adapter.calls(), adapter.fetch_by_reference(reference)).await
            }
            PaymentProvider::Free => ProviderOutcome::Done(None),
        }
    }

    /// A page of the payments that were made in this time; `after`: the `next` of the page before. Refused: the provider gives no list.
    pub async fn list(&self, from: Millis, until: Millis, after: Option<&str>) -> ProviderOutcome<PaymentPage> {
        match self {
            PaymentProvider::Stripe(stripe) => {
                call_with_deadline(stripe.calls(), stripe.list(from, until, after)).await
            }
            PaymentProvider::Adapter(adapter) => {
                call_with_deadline(adapter.calls(), adapter.list(from, until, after)).await
            }
            PaymentProvider::Test(_) | PaymentProvider::Free => {
                ProviderOutcome::Refused("The payment provider gives no list of its payments.")
            }
        }
    }

    /// Captures the authorised amount.
    pub async fn capture(&self, payment: &Payment, reference: &str) -> ProviderOutcome<PaymentIntent> {
        match self {
            PaymentProvider::Test(test) => {
                call_with_deadline(test.calls(), test.capture(reference, payment.capture_key())).await
            }
            PaymentProvider::Stripe(stripe) => {
                call_with_deadline(stripe.calls(), stripe.capture(reference, payment.capture_key())).await
            }
            PaymentProvider::Adapter(adapter) => {
                call_with_deadline(adapter.calls(), adapter.capture(payment, reference)).await
            }
            PaymentProvider::Free => ProviderOutcome::Done(free_intent(payment, PaymentIntentStatus::Captured)),
        }
    }

    /// Cancels the authorisation.
    pub async fn cancel(&self, payment: &Payment, reference: &str) -> ProviderOutcome<PaymentIntent> {
        match self {
            PaymentProvider::Test(test) => {
                call_with_deadline(test.calls(), test.cancel(reference, payment.cancel_key())).await
            }
            PaymentProvider::Stripe(stripe) => {
                call_with_deadline(stripe.calls(), stripe.cancel(reference, payment.cancel_key())).await
            }
            PaymentProvider::Adapter(adapter) => {
                call_with_deadline(adapter.calls(), adapter.cancel(payment, reference)).await
            }
            PaymentProvider::Free => ProviderOutcome::Done(free_intent(payment, PaymentIntentStatus::Cancelled)),
        }
    }

    /// The refund with this key as the provider knows it now, also when the provider has forgotten the key. `reference`: its id, if that
    /// is known. `None`: there is none.
    pub async fn find_refund(
        &self,
        payment: &Payment,
        key: &str,
        reference: Option<&str>,
    ) -> ProviderOutcome<Option<ProviderRefund>> {
        let Some(intent) = payment.reference.as_deref() else { return ProviderOutcome::Done(None) };
        match self {
            PaymentProvider::Test(test) => call_with_deadline(test.calls(), test.find_refund(key)).await,
            PaymentProvider::Stripe(stripe) => {
                call_with_deadline(stripe.calls(), stripe.find_refund(intent, key, reference)).await
            }
            PaymentProvider::Adapter(adapter) => {
                call_with_deadline(adapter.calls(), adapter.find_refund(intent, key, reference)).await
            }
            PaymentProvider::Free => ProviderOutcome::Done(None),
        }
    }

    /// The refunds of a payment that somebody made at the provider by hand.
    pub async fn refunds_by_hand(&self, payment: &Payment) -> ProviderOutcome<Vec<ProviderRefund>> {
        match (self, payment.reference.as_deref()) {
            (PaymentProvider::Stripe(stripe), Some(intent)) => {
                call_with_deadline(stripe.calls(), stripe.refunds_by_hand(intent)).await
            }
            (PaymentProvider::Adapter(adapter), Some(intent)) => {
                call_with_deadline(adapter.calls(), adapter.refunds_by_hand(intent)).await
            }
            _ => ProviderOutcome::Done(Vec::new()),
        }
    }

    /// What the provider keeps of a captured payment. `None`: it does not say so yet. Refused: it never will.
    pub async fn fee(&self, payment: &Payment) -> ProviderOutcome<Option<PaymentFee>> {
        match (self, payment.reference.as_deref()) {
            (PaymentProvider::Stripe(stripe), Some(intent)) => {
                call_with_deadline(stripe.calls(), stripe.fee(intent)).await
            }
            (PaymentProvider::Adapter(adapter), Some(reference)) => {
                call_with_deadline(adapter.calls(), adapter.fee(reference)).await
            }
            _ => ProviderOutcome::Refused("The payment provider does not say what it keeps."),
        }
    }

    /// The disputes of a payment. Refused: the provider gives no details of disputes.
    pub async fn disputes(&self, payment: &Payment) -> ProviderOutcome<Vec<ProviderDispute>> {
        match (self, payment.reference.as_deref()) {
            (PaymentProvider::Stripe(stripe), Some(intent)) => {
                call_with_deadline(stripe.calls(), stripe.disputes(intent)).await
            }
            _ => ProviderOutcome::Refused("The payment provider gives no details of disputes."),
        }
    }

    /// How a dispute ended, where events of this kind say it.
    pub fn end_of_dispute(&self, kind: &str) -> Option<DisputeStatus> {
        match self {
            PaymentProvider::Adapter(_) => AdapterProvider::end_of_dispute(kind),
            PaymentProvider::Stripe(_) | PaymentProvider::Test(_) | PaymentProvider::Free => None,
        }
    }

    /// Refunds a captured amount. The caller has looked, and found no refund with this key.
    pub async fn refund(&self, payment: &Payment, amount: Minor, key: String) -> ProviderOutcome<ProviderRefund> {
        let Some(reference) = payment.reference.as_deref() else {
            return ProviderOutcome::Refused("The payment has no reference.");
        };
        match self {
            PaymentProvider::Test(test) => call_with_deadline(test.calls(), test.refund(reference, amount, key)).await,
            PaymentProvider::Stripe(stripe) => {
                call_with_deadline(stripe.calls(), stripe.refund(payment, reference, amount, key)).await
            }
            PaymentProvider::Adapter(adapter) => {
                call_with_deadline(adapter.calls(), adapter.refund(payment, reference, amount, &key)).await
            }
            PaymentProvider::Free => {
                let (reference, status) = (key.clone(), ProviderRefundStatus::Done);
                ProviderOutcome::Done(ProviderRefund { reference, status, amount, key: Some(key) })
            }
        }
    }

    /// Deletes records that are too old to be asked about again. An external provider does that itself.
    pub async fn delete_old_calls(&self, before: Millis) -> store::Result<()> {
        match self {
            PaymentProvider::Test(test) => test.store.prune_test_calls(before).await.map(|_| ()),
            PaymentProvider::Stripe(_) | PaymentProvider::Adapter(_) | PaymentProvider::Free => Ok(()),
        }
    }

    /// Verifies and parses a webhook: signed over exactly these bytes, within the tolerance of `now`. `signature`: the values of the
    /// [headers](Self::signature_headers).
    pub fn parse_webhook(&self, signature: &[&str], raw: &[u8], now: Millis) -> Result<PaymentEvent, Refusal> {
        match (self, signature) {
            (PaymentProvider::Test(test), [signature]) => test.parse_webhook(signature, raw, now),
            (PaymentProvider::Stripe(stripe), [signature]) => stripe.parse_webhook(signature, raw, now),
            (PaymentProvider::Adapter(adapter), headers) => adapter.parse_webhook(headers, raw, now),
            _ => Err(Refusal::BadSignature),
        }
    }
}

fn free_intent(payment: &Payment, status: PaymentIntentStatus) -> PaymentIntent {
    PaymentIntent {
        reference: payment.create_key(),
        status,
        amount: payment.amount,
        currency: payment.currency.clone(),
        order: payment.order,
        attempt: payment.attempt,
        fingerprint: None,
        method: None,
        action_url: None,
        authorises: true,
        livemode: false,
        captured: 0,
        refunded: 0,
    }
}
