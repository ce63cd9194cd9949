//! The face of payment providers: authorize, look, capture, let go, give back, and what they tell us.
//!
//! Every call has a deadline and a key derived from the order, so that asking again is the same call. Not knowing is an
//! answer of its own: a call that timed out may have been done, and is never taken for one that was refused.

use std::time::{Duration, Instant};

use tracing::Instrument;

use super::script::TestProvider;
use crate::domain::{Intent, IntentStatus, Millis, Minor, Payment, PaymentStatus, Refusal};
use crate::metrics::{Named, SPANS, Times};
use crate::store::{self, PaymentEvent};

/// What came of a call.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome<T> {
    Done(T),
    /// Certainly not done.
    Refused(&'static str),
    /// Nobody knows. The same key again finds out.
    Unknown,
}

/// The providers there are. A closed set: adding one is a variant here, and the compiler says what it must do.
#[derive(Clone)]
pub enum Provider {
    Test(TestProvider),
    /// For what costs nothing: everything is done, at once.
    Free,
}

impl Provider {
    pub fn name(&self) -> &'static str {
        match self {
            Provider::Test(_) => "test",
            Provider::Free => "none",
        }
    }

    /// What came of the calls so far; what is free calls nobody.
    pub fn calls(&self) -> Option<&Calls> {
        match self {
            Provider::Test(test) => Some(test.calls()),
            Provider::Free => None,
        }
    }

    /// What every picture of the provider must say of itself.
    pub fn livemode(&self) -> bool {
        match self {
            Provider::Test(_) | Provider::Free => false,
        }
    }

    /// The header its webhooks are signed in.
    pub fn signature_header(&self) -> &'static str {
        match self {
            Provider::Test(_) | Provider::Free => "livesouk-signature",
        }
    }

    /// Refuses a token the provider could not know.
    pub fn check(&self, token: &str) -> Result<(), Refusal> {
        match self {
            Provider::Test(test) => test.check(token),
            Provider::Free => Ok(()),
        }
    }

    /// Where the buyer does what the provider asks of them.
    pub fn action_url(&self, payment: &Payment) -> String {
        let reference = payment.reference.as_deref().unwrap_or_default();
        match self {
            Provider::Test(_) | Provider::Free => format!("/v1/test-provider/{reference}/approve"),
        }
    }

    /// Sets the money aside with the buyer's token; takes nothing.
    pub async fn create(&self, payment: &Payment) -> Outcome<Intent> {
        match self {
            Provider::Test(test) => in_time(test.calls(), test.create(payment)).await,
            Provider::Free => Outcome::Done(free(payment, IntentStatus::Authorized)),
        }
    }

    /// What the provider knows now, by its own name or by what we gave along.
    pub async fn fetch(&self, payment: &Payment) -> Outcome<Option<Intent>> {
        match self {
            Provider::Test(test) => in_time(test.calls(), test.fetch(payment)).await,
            Provider::Free if payment.status == PaymentStatus::Captured => {
                Outcome::Done(Some(free(payment, IntentStatus::Captured)))
            }
            Provider::Free => Outcome::Done(Some(free(payment, IntentStatus::Authorized))),
        }
    }

    /// The same by name only: all that a webhook tells.
    pub async fn fetch_named(&self, reference: &str) -> Outcome<Option<Intent>> {
        match self {
            Provider::Test(test) => in_time(test.calls(), test.fetch_named(reference)).await,
            Provider::Free => Outcome::Done(None),
        }
    }

    /// Takes the money that was set aside.
    pub async fn capture(&self, payment: &Payment, reference: &str) -> Outcome<Intent> {
        match self {
            Provider::Test(test) => in_time(test.calls(), test.capture(reference, payment.capture_key())).await,
            Provider::Free => Outcome::Done(free(payment, IntentStatus::Captured)),
        }
    }

    /// Lets the money go that was set aside.
    pub async fn cancel(&self, payment: &Payment, reference: &str) -> Outcome<Intent> {
        match self {
            Provider::Test(test) => in_time(test.calls(), test.cancel(reference, payment.cancel_key())).await,
            Provider::Free => Outcome::Done(free(payment, IntentStatus::Cancelled)),
        }
    }

    /// Gives money back that was taken.
    pub async fn refund(&self, payment: &Payment, amount: Minor, key: String) -> Outcome<Intent> {
        let Some(reference) = payment.reference.as_deref() else { return Outcome::Refused("it has no reference") };
        match self {
            Provider::Test(test) => in_time(test.calls(), test.refund(reference, amount, key)).await,
            Provider::Free => Outcome::Done(free(payment, IntentStatus::Captured)),
        }
    }

    /// What has become too old to be asked about again. A provider outside sees to that itself.
    pub async fn forget(&self, before: Millis) -> store::Result<()> {
        match self {
            Provider::Test(test) => test.store.prune_calls(before).await.map(|_| ()),
            Provider::Free => Ok(()),
        }
    }

    /// Reads a webhook, if it is the provider's: signed over these very bytes, about now.
    pub fn parse_webhook(&self, signature: &str, raw: &[u8], now: Millis) -> Result<PaymentEvent, Refusal> {
        match self {
            Provider::Test(test) => test.parse_webhook(signature, raw, now),
            Provider::Free => Err(Refusal::BadSignature),
        }
    }
}

/// A call past its deadline may have been done.
async fn in_time<T>(calls: &Calls, call: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let began = Instant::now();
    let span = tracing::trace_span!(target: SPANS, "provider");
    let outcome = tokio::time::timeout(calls.deadline, call).instrument(span).await.unwrap_or(Outcome::Unknown);
    calls.took.add(began.elapsed());
    calls.outcomes.count(match &outcome {
        Outcome::Done(_) => "done",
        Outcome::Refused(_) => "refused",
        Outcome::Unknown => "unknown",
    });
    outcome
}

/// How long a call may take; what came of them, and how long they took.
#[derive(Debug)]
pub struct Calls {
    deadline: Duration,
    pub outcomes: Named,
    pub took: Times,
}

impl Calls {
    pub fn within(deadline: Duration) -> Self {
        Self { deadline, outcomes: Named::new(&["done", "refused", "unknown", "other"]), took: Times::default() }
    }
}

fn free(payment: &Payment, status: IntentStatus) -> Intent {
    Intent {
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
