//! Webhooks of payment providers: verified, stored, acknowledged at once, and processed in the background.
//!
//! A webhook only triggers a check: it may come twice, late, out of order or never, so its content is not trusted. The
//! worker asks the provider for the present state. Every node runs the worker; two on one event are harmless.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::Checkout;
use super::provider::PaymentProvider;
use super::provider_call::ProviderOutcome;
use super::test_provider::TestWebhook;
use crate::app::error::{Error, Result};
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::{Millis, PaymentStatus, Refusal};
use crate::metrics::increment;
use crate::store::PaymentEvent;

const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// An event whose provider could not be asked is retried after this time, until it is [deleted](EVENT_RETENTION_MS).
const RETRY_AFTER_MS: Millis = 15_000;
/// How long an event waits at first whose payment has no reference yet.
const ANSWER_COMES_MS: Millis = 10_000;
pub const EVENT_RETENTION_MS: Millis = 7 * 24 * 3_600_000;
/// Events processed in one run.
const EVENT_BATCH_MAX: i64 = 50;

impl Checkout {
    /// The headers with the signature of this provider, if it is configured.
    pub fn webhook_headers(&self, provider: &str) -> Option<&'static [&'static str]> {
        (self.payment_provider() == Some(provider)).then(|| self.provider.signature_headers())
    }

    /// Receives a webhook: if it is genuine and new, it is stored and will be processed; one that was received before
    /// is accepted too. `signature`: the values of the [headers](Self::webhook_headers).
    pub async fn receive_webhook(self: &Arc<Self>, signature: &[&str], raw: &[u8]) -> Result<()> {
        let count = |what| self.context.counters.webhook_outcomes.increment(what);
        let event =
            self.provider.parse_webhook(signature, raw, self.context.now()).inspect_err(|_| count("rejected"))?;
        let this = self.clone();
        let is_new =
            self.context.spawn_write(async move { Ok(this.context.store.insert_payment_event(&event).await?) }).await?;
        count(if is_new { "new" } else { "duplicate" });
        if is_new {
            self.webhook_received.notify_one();
        }
        Ok(())
    }

    /// The buyer completes the action that the test provider required.
    pub async fn approve_test_payment(&self, reference: &str, yes: bool) -> Result<()> {
        let PaymentProvider::Test(test) = &self.provider else { return Err(Refusal::NoSuchOrder.into()) };
        match test.approve(reference, yes).await {
            ProviderOutcome::Done(_) => Ok(()),
            ProviderOutcome::Refused(why) => Err(Refusal::WrongStatus(why).into()),
            ProviderOutcome::Unknown => Err(Error::OutcomeUnknown),
        }
    }

    async fn process_provider_event(&self, event: &PaymentEvent) -> Result<()> {
        let Some(reference) = event.reference.as_deref() else { return Ok(()) };
        if event.provider != self.provider.name() {
            return Ok(());
        }
        if self.is_known(event, reference).await? {
            return Ok(());
        }
        let intent = match self.provider.fetch_by_reference(reference).await {
            ProviderOutcome::Done(Some(intent)) => intent,
            ProviderOutcome::Done(None) | ProviderOutcome::Refused(_) => return Ok(()),
            ProviderOutcome::Unknown => return Err(Error::OutcomeUnknown),
        };
        let Some(payment) = self.context.store.payment(intent.order, intent.attempt).await? else { return Ok(()) };
        if payment.provider != event.provider || payment.reference.as_deref().is_some_and(|known| known != reference) {
            tracing::warn!(order.id = %payment.order, reference, "a webhook refers to a payment that is not ours");
            return Ok(());
        }
        if self.provider.is_event_of_dispute(&event.kind) {
            increment(&self.context.counters.disputes);
            tracing::error!(order.id = %payment.order, "a buyer disputes a payment; answer at the payment provider");
        }
        if event.kind.contains("dispute") {
            self.note_dispute_event(&payment, &event.kind).await?;
        }
        if payment.wins && event.kind.contains("refund") {
            self.check_refunds(payment.order).await?;
        }
        self.advance_payment(payment, Some(intent)).await.map(|_| ())
    }

    /// Does the event report what has been done already? Then the provider is not asked: in a rush each payment sends two such events.
    async fn is_known(&self, event: &PaymentEvent, reference: &str) -> Result<bool> {
        if !self.provider.is_event_of_success(&event.kind) {
            return Ok(false);
        }
        let payment = self.context.store.payment_by_reference(&event.provider, reference).await?;
        Ok(payment
            .is_some_and(|payment| payment.wins && payment.status == PaymentStatus::Captured && payment.owed.is_none()))
    }

    /// Processes waiting events and returns how many there were.
    pub async fn process_provider_events(&self) -> Result<usize> {
        let store = &self.context.store;
        let now = store.now().await?;
        let since = now - RETRY_AFTER_MS;
        // While payments are paced, the events of a payment are looked at when the request that made it is over: it knows more.
        let unknown_before = if self.queue.is_some() { now - ANSWER_COMES_MS } else { now };
        let events = store.pending_payment_events(since, unknown_before, EVENT_BATCH_MAX).await?;
        let count = events.len();
        for events in by_payment(events).iter().take_while(|_| !self.context.stop.is_cancelled()) {
            let mut claimed = Vec::with_capacity(events.len());
            for event in events {
                if store.claim_payment_event(event, since).await? {
                    claimed.push(event);
                }
            }
            let Some(first) = claimed.first() else { continue };
            match self.process_provider_event(first).await {
                Ok(()) => {
                    for event in claimed {
                        store.finish_payment_event(event).await?;
                    }
                }
                Err(error) => tracing::warn!(
                    event.id = first.event_id, error = %error, "a webhook could not be processed and is retried later"
                ),
            }
        }
        Ok(count)
    }

    /// Receives the webhooks of the test provider on the same path as those of any other provider, until `done`.
    pub async fn receive_test_webhooks(
        self: Arc<Self>,
        mut incoming: mpsc::Receiver<TestWebhook>,
        done: CancellationToken,
    ) {
        loop {
            let webhook = tokio::select! {
                webhook = incoming.recv() => webhook,
                () = done.cancelled() => None,
            };
            let Some(TestWebhook { signature, body, delivered }) = webhook else { return };
            if let Err(error) = self.receive_webhook(&[&signature], &body).await {
                tracing::debug!(error = %error, "a webhook of the test provider was refused");
            }
            if let Some(delivered) = delivered {
                let _ = delivered.send(());
            }
        }
    }
}

/// The events of each payment together, in the order of the first of them: the provider is asked once for all of them, because its answer says how
/// the payment is now.
fn by_payment(events: Vec<PaymentEvent>) -> Vec<Vec<PaymentEvent>> {
    let mut groups: Vec<Vec<PaymentEvent>> = Vec::new();
    let is_same = |group: &[PaymentEvent], event: &PaymentEvent| {
        group.first().is_some_and(|first| first.reference.is_some() && first.reference == event.reference)
    };
    for event in events {
        // A dispute is not seen in the payment itself, and a refund has a status of its own.
        if event.kind.contains("dispute") || event.kind.contains("refund") {
            groups.push(vec![event]);
            continue;
        }
        match groups.iter_mut().find(|group| is_same(group, &event)) {
            Some(group) => group.push(event),
            None => groups.push(vec![event]),
        }
    }
    groups
}

/// Processes stored webhooks.
pub struct WebhookJob(pub Arc<Checkout>);

impl BackgroundJob for WebhookJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("webhooks", POLL_INTERVAL, Duration::from_secs(60))
    }

    fn wake(&self) -> Option<Arc<Notify>> {
        Some(self.0.webhook_received.clone())
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        let processed = self.0.process_provider_events().await?;
        Ok(if processed as i64 == EVENT_BATCH_MAX { NextRun::Immediately } else { NextRun::AfterInterval })
    }
}
