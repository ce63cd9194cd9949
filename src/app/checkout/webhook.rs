//! Webhooks of payment providers: verified, stored, acknowledged at once, and processed in the background.
//!
//! A webhook only triggers a check: it may come twice, late, out of order or never, so its content is not trusted. The
//! worker asks the provider for the present state. Every node runs the worker; two on one event are harmless.

use std::collections::HashSet;
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
use crate::domain::{Millis, Refusal};
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
/// Webhooks of the test provider that are kept in one transaction.
const TEST_WEBHOOKS_TOGETHER_MAX: usize = 64;

impl Checkout {
    /// The headers with the signature of this provider, if it is configured.
    pub fn webhook_headers(&self, provider: &str) -> Option<&'static [&'static str]> {
        (self.payment_provider() == Some(provider)).then(|| self.provider.signature_headers())
    }

    /// Receives a webhook: if it is genuine and new, it is stored and will be processed; one that was received before
    /// is accepted too. `signature`: the values of the [headers](Self::webhook_headers).
    pub async fn receive_webhook(self: &Arc<Self>, signature: &[&str], raw: &[u8]) -> Result<()> {
        let event = self.parse_webhook(signature, raw)?;
        self.keep_events(vec![event]).await
    }

    fn parse_webhook(&self, signature: &[&str], raw: &[u8]) -> Result<PaymentEvent> {
        let parsed = self.provider.parse_webhook(signature, raw, self.context.now());
        Ok(parsed.inspect_err(|_| self.context.counters.webhook_outcomes.increment("rejected"))?)
    }

    async fn keep_events(self: &Arc<Self>, events: Vec<PaymentEvent>) -> Result<()> {
        let (this, count) = (self.clone(), events.len());
        let new = self
            .context
            .spawn_write(async move { Ok(this.context.store.insert_payment_events(&events).await?) })
            .await?;
        let outcomes = &self.context.counters.webhook_outcomes;
        (0..new).for_each(|_| outcomes.increment("new"));
        (new..count).for_each(|_| outcomes.increment("duplicate"));
        if new > 0 {
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

    /// Processes waiting events and returns how many there were.
    pub async fn process_provider_events(&self) -> Result<usize> {
        let store = &self.context.store;
        let now = store.now().await?;
        let since = now - RETRY_AFTER_MS;
        // While payments are paced, the events of a payment are looked at when the request that made it is over: it knows more.
        let unknown_before = if self.queue.is_some() { now - ANSWER_COMES_MS } else { now };
        let events = store.pending_payment_events(since, unknown_before, EVENT_BATCH_MAX).await?;
        let count = events.len();
        let events = self.finish_known_events(events).await?;
        for events in by_payment(events).iter().take_while(|_| !self.context.stop.is_cancelled()) {
            let mut claimed = Vec::with_capacity(events.len());
            for event in events {
                if store.claim_payment_event(event, since).await? {
                    claimed.push(event);
                }
            }
            let Some(first) = claimed.first() else { continue };
            match self.process_provider_event(first).await {
                Ok(()) => self.finish_events(&first.provider, claimed.iter().copied()).await?,
                Err(error) => tracing::warn!(
                    event.id = first.event_id, error = %error, "a webhook could not be processed and is retried later"
                ),
            }
        }
        Ok(count)
    }

    /// Finishes the events that report what has been done already, and gives the others: in a rush each payment sends two such events, and the
    /// provider need not be asked about them.
    async fn finish_known_events(&self, events: Vec<PaymentEvent>) -> Result<Vec<PaymentEvent>> {
        let provider = self.provider.name();
        let of_success =
            |event: &&PaymentEvent| event.provider == provider && self.provider.is_event_of_success(&event.kind);
        let references: Vec<&str> =
            events.iter().filter(of_success).filter_map(|event| event.reference.as_deref()).collect();
        if references.is_empty() {
            return Ok(events);
        }
        let captured: HashSet<String> =
            self.context.store.captured_references(provider, &references).await?.into_iter().collect();
        let is_known = |event: &PaymentEvent| {
            of_success(&event) && event.reference.as_ref().is_some_and(|reference| captured.contains(reference))
        };
        let (known, others): (Vec<_>, Vec<_>) = events.into_iter().partition(is_known);
        self.finish_events(provider, &known).await?;
        Ok(others)
    }

    async fn finish_events<'e>(
        &self,
        provider: &str,
        events: impl IntoIterator<Item = &'e PaymentEvent>,
    ) -> Result<()> {
        let ids: Vec<&str> = events.into_iter().map(|event| &event.event_id[..]).collect();
        if ids.is_empty() {
            return Ok(());
        }
        Ok(self.context.store.finish_payment_events(provider, &ids).await?)
    }

    /// Receives the webhooks of the test provider on the same path as those of any other provider, until `done`.
    pub async fn receive_test_webhooks(
        self: Arc<Self>,
        mut incoming: mpsc::Receiver<TestWebhook>,
        done: CancellationToken,
    ) {
        let mut arrived = Vec::new();
        loop {
            let count = tokio::select! {
                count = incoming.recv_many(&mut arrived, TEST_WEBHOOKS_TOGETHER_MAX) => count,
                () = done.cancelled() => 0,
            };
            if count == 0 {
                return;
            }
            let (mut events, mut waiting) = (Vec::with_capacity(count), Vec::new());
            for TestWebhook { signature, body, delivered } in arrived.drain(..) {
                events.extend(self.parse_webhook(&[&signature], &body).ok());
                waiting.extend(delivered);
            }
            if !events.is_empty()
                && let Err(error) = self.keep_events(events).await
            {
                tracing::debug!(error = %error, "webhooks of the test provider were refused");
            }
            for delivered in waiting {
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
