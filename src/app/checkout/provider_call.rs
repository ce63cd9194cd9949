//! Calls to a payment provider: their deadline, their outcome, and their metrics.

use std::time::{Duration, Instant};

use tracing::Instrument;

use crate::domain::PaymentIntent;
use crate::metrics::{DurationHistogram, LabeledCounter, SPAN_TARGET};

/// The outcome of a call to a payment provider.
#[derive(Clone, PartialEq, Debug)]
pub enum ProviderOutcome<T> {
    Done(T),
    /// Certainly not done.
    Refused(&'static str),
    /// It may or may not have been done. A retry with the same key finds out.
    Unknown,
}

/// A page of the payments that a provider has, of those that are ours.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct PaymentPage {
    pub payments: Vec<PaymentIntent>,
    /// Where the next page begins. `None`: this is the last one.
    pub next: Option<String>,
}

/// A call that exceeds its deadline may have been carried out.
pub async fn call_with_deadline<T>(
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

/// Deadline of a call, the outcomes of the calls, and how long they took.
#[derive(Debug)]
pub struct ProviderCalls {
    deadline: Duration,
    pub outcomes: LabeledCounter,
    pub duration: DurationHistogram,
}

impl ProviderCalls {
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    pub fn with_deadline(deadline: Duration) -> Self {
        Self {
            deadline,
            outcomes: LabeledCounter::new(["done", "refused", "unknown", "other"]),
            duration: DurationHistogram::default(),
        }
    }
}
