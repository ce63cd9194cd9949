//! What providers tell us: checked, kept, answered at once, and worked off when there is time.
//!
//! A webhook is a knock, not a message: it may come twice, late, early or never, so what it says is not believed. The
//! worker asks the provider how things stand now. Every node works; two on one knock are harmless.

use std::time::Duration;

use tokio::sync::mpsc;

use super::provider::{PaymentProvider, ProviderOutcome};
use super::test_provider::TestWebhook;
use super::{App, Error, Result};
use crate::domain::{Millis, Refusal};
use crate::store::PaymentEvent;

const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// An event whose provider could not be asked is tried again after so long, until it is [forgotten](KEPT_MS).
const RETRY_AFTER_MS: Millis = 15_000;
pub(super) const EVENT_RETENTION_MS: Millis = 7 * 24 * 3_600_000;
/// Events of one turn.
const EVENT_BATCH_MAX: i64 = 50;

impl App {
    /// Is there such a provider, and in which header does it sign?
    pub fn webhook_header(&self, provider: &str) -> Option<&'static str> {
        (provider == self.0.provider.name()).then(|| self.0.provider.signature_header())
    }

    /// Takes a webhook in: genuine and new, it is kept and somebody will look; told before, it is fine too.
    pub async fn receive_webhook(&self, signature: &str, raw: &[u8]) -> Result<()> {
        let count = |what| self.counters().webhook_outcomes.increment(what);
        let event = self.0.provider.parse_webhook(signature, raw, self.now()).inspect_err(|_| count("refused"))?;
        let app = self.clone();
        let new = self.spawn_write(async move { Ok(app.store().insert_payment_event(&event).await?) }).await?;
        count(if new { "new" } else { "known" });
        if new {
            self.0.webhook_received.notify_one();
        }
        Ok(())
    }

    /// The buyer does what the test provider asked of them.
    pub async fn approve_test_payment(&self, reference: &str, yes: bool) -> Result<()> {
        let PaymentProvider::Test(test) = &self.0.provider else { return Err(Refusal::NoSuchOrder.into()) };
        match test.approve(reference, yes).await {
            ProviderOutcome::Done(_) => Ok(()),
            ProviderOutcome::Refused(why) => Err(Refusal::WrongStatus(why).into()),
            ProviderOutcome::Unknown => Err(Error::OutcomeUnknown),
        }
    }

    async fn process_provider_event(&self, event: &PaymentEvent) -> Result<()> {
        let Some(reference) = event.reference.as_deref() else { return Ok(()) };
        if event.provider != self.0.provider.name() {
            return Ok(());
        }
        let seen = match self.0.provider.fetch_by_reference(reference).await {
            ProviderOutcome::Done(Some(seen)) => seen,
            ProviderOutcome::Done(None) | ProviderOutcome::Refused(_) => return Ok(()),
            ProviderOutcome::Unknown => return Err(Error::OutcomeUnknown),
        };
        let Some(payment) = self.store().payment(seen.order, seen.attempt).await? else { return Ok(()) };
        if payment.provider != event.provider || payment.reference.as_deref().is_some_and(|known| known != reference) {
            tracing::warn!(order.id = %payment.order, reference, "a webhook about a payment that is not ours");
            return Ok(());
        }
        if let Some(refund) = self.store().pending_refund(payment.order).await? {
            self.settle_refund(refund, Some(seen.clone())).await?;
        }
        self.advance_payment(payment, Some(seen)).await.map(|_| ())
    }

    /// Works off what is waiting; gives how much that was.
    pub(super) async fn process_provider_events(&self) -> Result<usize> {
        let waiting =
            self.store().pending_payment_events(self.store().now().await? - RETRY_AFTER_MS, EVENT_BATCH_MAX).await?;
        for event in waiting.iter().take_while(|_| !self.0.stop.is_cancelled()) {
            let answered = self.process_provider_event(event).await;
            if let Err(error) = &answered {
                tracing::warn!(event.id = event.event_id, error = %error, "a webhook waits for another look");
            }
            self.store().mark_payment_event(event, answered.is_ok()).await?;
        }
        Ok(waiting.len())
    }
}

/// Works off the inbox for as long as the node runs.
pub async fn run_webhook_worker(app: App) {
    loop {
        let answered = app.process_provider_events().await;
        app.counters().record_run("webhooks", &answered, app.now());
        match answered {
            Ok(answered) if answered as i64 == EVENT_BATCH_MAX && !app.0.stop.is_cancelled() => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(error = %error, "webhooks were not worked off"),
        }
        tokio::select! {
            () = tokio::time::sleep(POLL_INTERVAL) => {}
            () = app.0.webhook_received.notified() => {}
            () = app.0.stop.cancelled() => return,
        }
    }
}

/// The test provider's post: its webhooks come in by the door of every other.
pub async fn run_test_webhooks(app: App, mut posts: mpsc::Receiver<TestWebhook>) {
    loop {
        let post = tokio::select! {
            post = posts.recv() => post,
            () = app.0.all_tasks_done.cancelled() => None,
        };
        let Some(TestWebhook { signature, body, delivered: heard }) = post else { return };
        if let Err(error) = app.receive_webhook(&signature, &body).await {
            tracing::debug!(error = %error, "a webhook of the test provider was refused");
        }
        if let Some(heard) = heard {
            let _ = heard.send(());
        }
    }
}
