//! The face of payment providers: authorize, look, capture, let go, give back, and what they tell us.
//!
//! Every call has a deadline and a key derived from the order, so that asking again is the same call. Not knowing is an
//! answer of its own: a call that timed out may have been done, and is never taken for one that was refused.

use std::time::{Duration, Instant};

use tracing::Instrument;

use super::test_provider::TestProvider;
use crate::domain::{Millis, Minor, Payment, PaymentIntent, PaymentIntentStatus, PaymentStatus, Refusal};
use crate::metrics::{DurationHistogram, LabeledCounter, SPAN_TARGET};
use crate::store::{self, PaymentEvent};

/// What came of a call.
#[derive(Clone, PartialEq, Debug)]
pub enum ProviderOutcome<T> {
    Done(T),
    /// Certainly not done.
    Refused(&'static str),
    /// Nobody knows. The same key again finds out.
    Unknown,
}

/// The providers there are. A closed set: adding one is a variant here, and the compiler says what it must do.
#[derive(Clone)]
pub enum PaymentProvider {
    Test(TestProvider),
    /// For what costs nothing: everything is done, at once.
    Free,
}

impl PaymentProvider {
    pub fn name(&self) -> &'static str {
        match self {
            PaymentProvider::Test(_) => "test",
            PaymentProvider::Free => "none",
        }
    }

    /// What came of the calls so far; what is free calls nobody.
    pub fn calls(&self) -> Option<&ProviderCalls> {
        match self {
            PaymentProvider::Test(test) => Some(test.calls()),
            PaymentProvider::Free => None,
        }
    }

    /// What every picture of the provider must say of itself.
    pub fn livemode(&self) -> bool {
        match self {
            PaymentProvider::Test(_) | PaymentProvider::Free => false,
        }
    }

    /// The header its webhooks are signed in.
    pub fn signature_header(&self) -> &'static str {
        match self {
            PaymentProvider::Test(_) | PaymentProvider::Free => "livesouk-signature",
        }
    }

    /// Refuses a token the provider could not know.
    pub fn check_token(&self, token: &str) -> Result<(), Refusal> {
        match self {
            PaymentProvider::Test(test) => test.check_token(token),
            PaymentProvider::Free => Ok(()),
        }
    }

    /// Where the buyer does what the provider asks of them.
    pub fn action_url(&self, payment: &Payment) -> String {
        let reference = payment.reference.as_deref().unwrap_or_default();
        match self {
            PaymentProvider::Test(_) | PaymentProvider::Free => format!("/v1/test-provider/{reference}/approve"),
        }
    }

    /// Sets the money aside with the buyer's token; takes nothing.
    pub async fn create(&self, payment: &Payment) -> ProviderOutcome<PaymentIntent> {
        match self {
            PaymentProvider::Test(test) => call_with_deadline(test.calls(), test.create(payment)).await,
            PaymentProvider::Free => ProviderOutcome::Done(free_intent(payment, PaymentIntentStatus::Authorized)),
        }
    }

    /// What the provider knows now, by its own name or by what we gave along.
    pub async fn fetch(&self, payment: &Payment) -> ProviderOutcome<Option<PaymentIntent>> {
        match self {
            PaymentProvider::Test(test) => call_with_deadline(test.calls(), test.fetch(payment)).await,
            PaymentProvider::Free if payment.status == PaymentStatus::Captured => {
                ProviderOutcome::Done(Some(free_intent(payment, PaymentIntentStatus::Captured)))
            }
            PaymentProvider::Free => ProviderOutcome::Done(Some(free_intent(payment, PaymentIntentStatus::Authorized))),
        }
    }

    /// The same by name only: all that a webhook tells.
    pub async fn fetch_by_reference(&self, reference: &str) -> ProviderOutcome<Option<PaymentIntent>> {
        match self {
            PaymentProvider::Test(test) => call_with_deadline(test.calls(), test.fetch_by_reference(reference)).await,
            PaymentProvider::Free => ProviderOutcome::Done(None),
        }
    }

    /// Takes the money that was set aside.
    pub async fn capture(&self, payment: &Payment, reference: &str) -> ProviderOutcome<PaymentIntent> {
        match self {
            PaymentProvider::Test(test) => {
                call_with_deadline(test.calls(), test.capture(reference, payment.capture_key())).await
            }
            PaymentProvider::Free => ProviderOutcome::Done(free_intent(payment, PaymentIntentStatus::Captured)),
        }
    }

    /// Lets the money go that was set aside.
    pub async fn cancel(&self, payment: &Payment, reference: &str) -> ProviderOutcome<PaymentIntent> {
        match self {
            PaymentProvider::Test(test) => {
                call_with_deadline(test.calls(), test.cancel(reference, payment.cancel_key())).await
            }
            PaymentProvider::Free => ProviderOutcome::Done(free_intent(payment, PaymentIntentStatus::Cancelled)),
        }
    }

    /// Gives money back that was taken.
    pub async fn refund(&self, payment: &Payment, amount: Minor, key: String) -> ProviderOutcome<PaymentIntent> {
        let Some(reference) = payment.reference.as_deref() else {
            return ProviderOutcome::Refused("it has no reference");
        };
        match self {
            PaymentProvider::Test(test) => call_with_deadline(test.calls(), test.refund(reference, amount, key)).await,
            PaymentProvider::Free => ProviderOutcome::Done(free_intent(payment, PaymentIntentStatus::Captured)),
        }
    }

    /// What has become too old to be asked about again. A provider outside sees to that itself.
    pub async fn delete_old_calls(&self, before: Millis) -> store::Result<()> {
        match self {
            PaymentProvider::Test(test) => test.store.prune_test_calls(before).await.map(|_| ()),
            PaymentProvider::Free => Ok(()),
        }
    }

    /// Reads a webhook, if it is the provider's: signed over these very bytes, about now.
    pub fn parse_webhook(&self, signature: &str, raw: &[u8], now: Millis) -> Result<PaymentEvent, Refusal> {
        match self {
            PaymentProvider::Test(test) => test.parse_webhook(signature, raw, now),
            PaymentProvider::Free => Err(Refusal::BadSignature),
        }
    }
}

/// A call past its deadline may have been done.
async fn call_with_deadline<T>(
    calls: &ProviderCalls,
    call: impl Future<Output = ProviderOutcome<T>>,
) -> ProviderOutcome<T> {
    let began = Instant::now();
    let span = tracing::trace_span!(target: SPAN_TARGET, "provider");
    let outcome = tokio::time::timeout(calls.deadline, call).instrument(span).await.unwrap_or(ProviderOutcome::Unknown);
    calls.duration.observe(began.elapsed());
    calls.outcomes.increment(match &outcome {
        ProviderOutcome::Done(_) => "done",
        ProviderOutcome::Refused(_) => "refused",
        ProviderOutcome::Unknown => "unknown",
    });
    outcome
}

/// How long a call may take; what came of them, and how long they took.
#[derive(Debug)]
pub struct ProviderCalls {
    deadline: Duration,
    pub outcomes: LabeledCounter,
    pub duration: DurationHistogram,
}

impl ProviderCalls {
    pub fn with_deadline(deadline: Duration) -> Self {
        Self {
            deadline,
            outcomes: LabeledCounter::new(&["done", "refused", "unknown", "other"]),
            duration: DurationHistogram::default(),
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
        livemode: false,
        captured: 0,
        refunded: 0,
    }
}
