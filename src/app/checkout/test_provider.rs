//! The test provider: no network, no money, and every behaviour of a payment provider, chosen by the buyer's token.
//!
//! It behaves like an external system. It keeps its own records (`store/test_provider.rs`), carries out what it was
//! asked whether or not the caller still waits, and reports by webhooks that are signed like those of any other
//! provider.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::provider_call::{ProviderCalls, ProviderOutcome};
use crate::app::webhook_signature::WebhookSecret;
use crate::clock::Clock;
use crate::domain::test_provider::{IntentChange, IntentChangeError, TestScenario};
use crate::domain::{
    Millis, Minor, Payment, PaymentIntent, PaymentIntentStatus, ProviderRefund, ProviderRefundStatus, Refusal,
};
use crate::store::{PaymentEvent, Store, TestIntent, TestProviderReply};

/// How long the `slow` token takes to authorise.
const SLOW_DELAY: Duration = Duration::from_secs(2);
/// How long the answer is delayed after its webhook with `webhook_before_reply`.
const REPLY_DELAY: Duration = Duration::from_millis(300);
/// How long to wait until that webhook is received.
const WEBHOOK_DEADLINE: Duration = Duration::from_secs(2);
/// Webhooks in flight. Above this they are lost, as some always are; the reconciler does not need them.
pub const TEST_WEBHOOK_QUEUE_MAX: usize = 256;

/// A webhook in flight to us: its bytes, their signature, and whom to notify when it was received.
#[derive(Debug)]
pub struct TestWebhook {
    pub signature: String,
    pub body: Vec<u8>,
    pub delivered: Option<oneshot::Sender<()>>,
}

#[derive(Clone)]
pub struct TestProvider {
    pub store: Store,
    pub clock: Clock,
    pub secret: WebhookSecret,
    pub calls: Arc<ProviderCalls>,
    pub webhooks: mpsc::Sender<TestWebhook>,
    pub tasks: TaskTracker,
}

/// An answer, or none where the answer is lost.
type TestReply = Option<ProviderOutcome<PaymentIntent>>;

impl TestProvider {
    pub fn calls(&self) -> &ProviderCalls {
        &self.calls
    }

    pub fn check_token(&self, token: &str) -> Result<(), Refusal> {
        TestScenario::parse(token).map(|_| ())
    }

    pub async fn create(&self, payment: &Payment) -> ProviderOutcome<PaymentIntent> {
        let (this, payment) = (self.clone(), payment.clone());
        self.run_detached(async move {
            let Ok(scenario) = TestScenario::parse(&payment.token) else {
                return Some(ProviderOutcome::Refused("The token is unknown."));
            };
            if scenario == TestScenario::Slow {
                tokio::time::sleep(SLOW_DELAY).await;
            }
            let reply = this.store.create_test_intent(&payment, scenario, this.clock.now()).await;
            this.reply(reply.ok(), None).await
        })
        .await
    }

    pub async fn fetch(&self, payment: &Payment) -> ProviderOutcome<Option<PaymentIntent>> {
        match payment.reference.as_deref() {
            Some(reference) => self.fetch_by_reference(reference).await,
            None => intent_outcome(self.store.test_intent_of(payment.order, payment.attempt).await),
        }
    }

    pub async fn fetch_by_reference(&self, reference: &str) -> ProviderOutcome<Option<PaymentIntent>> {
        intent_outcome(self.store.test_intent(reference).await)
    }

    pub async fn capture(&self, reference: &str, key: String) -> ProviderOutcome<PaymentIntent> {
        self.apply_change(reference, key, IntentChange::Capture).await
    }

    pub async fn cancel(&self, reference: &str, key: String) -> ProviderOutcome<PaymentIntent> {
        self.apply_change(reference, key, IntentChange::Cancel).await
    }

    pub async fn find_refund(&self, key: &str) -> ProviderOutcome<Option<ProviderRefund>> {
        self.store.test_refund(key).await.map_or(ProviderOutcome::Unknown, ProviderOutcome::Done)
    }

    pub async fn refund(&self, reference: &str, amount: Minor, key: String) -> ProviderOutcome<ProviderRefund> {
        match self.apply_change(reference, key.clone(), IntentChange::Refund(amount)).await {
            ProviderOutcome::Done(_) => {
                let (reference, status) = (key.clone(), ProviderRefundStatus::Done);
                ProviderOutcome::Done(ProviderRefund { reference, status, amount, key: Some(key) })
            }
            ProviderOutcome::Refused(why) => ProviderOutcome::Refused(why),
            ProviderOutcome::Unknown => ProviderOutcome::Unknown,
        }
    }

    /// The buyer completes the action of a `needs_action` payment.
    pub async fn approve(&self, reference: &str, yes: bool) -> ProviderOutcome<PaymentIntent> {
        self.apply_change(reference, format!("ap:{reference}"), IntentChange::Approve(yes)).await
    }

    pub fn parse_webhook(&self, signature: &str, raw: &[u8], now: Millis) -> Result<PaymentEvent, Refusal> {
        self.secret.verify(signature, raw, now)?;
        let event: Value =
            serde_json::from_slice(raw).map_err(|_| Refusal::bad_request("An event must be a JSON object."))?;
        let text = |value: &Value| value.as_str().filter(|text| text.len() <= 255).map(str::to_owned);
        let (Some(event_id), Some(kind)) = (text(&event["id"]), text(&event["type"])) else {
            return Err(Refusal::bad_request("An event must have an `id` and a `type`."));
        };
        Ok(PaymentEvent {
            provider: "test".to_owned(),
            event_id,
            kind,
            reference: text(&event["data"]["object"]["id"]),
        })
    }

    async fn apply_change(&self, reference: &str, key: String, change: IntentChange) -> ProviderOutcome<PaymentIntent> {
        let (this, reference) = (self.clone(), reference.to_owned());
        self.run_detached(async move {
            let reply = this.store.change_test_intent(&key, &reference, change, this.clock.now()).await;
            this.reply(reply.ok(), Some(change)).await
        })
        .await
    }

    /// Carries the work out to its end, even if the caller gave up.
    async fn run_detached(
        &self,
        work: impl Future<Output = TestReply> + Send + 'static,
    ) -> ProviderOutcome<PaymentIntent> {
        match self.tasks.spawn(work).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => std::future::pending().await,
            Err(_) => ProviderOutcome::Unknown,
        }
    }

    /// Decides what the caller gets for what was done, and sends the webhooks.
    async fn reply(&self, reply: Option<TestProviderReply>, change: Option<IntentChange>) -> TestReply {
        let (test_intent, replayed) = match reply {
            Some(TestProviderReply::Done { test_intent, replayed }) => (test_intent, replayed),
            Some(TestProviderReply::Denied(IntentChangeError::Permanent(why))) => {
                return Some(ProviderOutcome::Refused(why));
            }
            Some(TestProviderReply::Denied(IntentChangeError::Temporary)) | None => {
                return Some(ProviderOutcome::Unknown);
            }
            Some(TestProviderReply::KeyReused) => {
                tracing::error!("an idempotency key of the provider was used for two requests");
                return Some(ProviderOutcome::Refused("The key was used for another request."));
            }
            Some(TestProviderReply::NoSuchIntent) => {
                return Some(ProviderOutcome::Refused("There is no such intent."));
            }
        };
        if replayed {
            return Some(ProviderOutcome::Done(test_intent.intent));
        }
        self.send_webhooks(&test_intent, change).await;
        match test_intent.scenario {
            TestScenario::TimeoutAfterCharge if change.is_none_or(moves_money) => None,
            TestScenario::ErrorAfterCharge if change.is_none_or(moves_money) => Some(ProviderOutcome::Unknown),
            _ => Some(ProviderOutcome::Done(test_intent.intent)),
        }
    }

    /// Sends the webhooks of a call, as the test scenario demands.
    async fn send_webhooks(&self, test_intent: &TestIntent, change: Option<IntentChange>) {
        let TestIntent { intent, scenario } = test_intent;
        let kind = if matches!(change, Some(IntentChange::Refund(_))) { "refunded" } else { intent.status.name() };
        match scenario {
            TestScenario::WebhookNever => {}
            TestScenario::WebhookTwice => {
                self.send_webhook(test_intent, kind, None);
                self.send_webhook(test_intent, kind, None);
            }
            TestScenario::WebhookBeforeReply => {
                let (delivered, received) = oneshot::channel();
                self.send_webhook(test_intent, kind, Some(delivered));
                let _ = tokio::time::timeout(WEBHOOK_DEADLINE, received).await;
                tokio::time::sleep(REPLY_DELAY).await;
            }
            TestScenario::WebhookReordered if change.is_none() => {}
            TestScenario::WebhookReordered => {
                self.send_webhook(test_intent, kind, None);
                self.send_webhook(test_intent, PaymentIntentStatus::Authorized.name(), None);
            }
            _ => self.send_webhook(test_intent, kind, None),
        }
    }

    fn send_webhook(&self, test_intent: &TestIntent, kind: &str, delivered: Option<oneshot::Sender<()>>) {
        let (now, intent) = (self.clock.now(), &test_intent.intent);
        let body = event_body(intent, kind, now);
        let forged_secret = (test_intent.scenario == TestScenario::BadSignature).then(WebhookSecret::random);
        let signature = forged_secret.as_ref().unwrap_or(&self.secret).sign(now, &body);
        if self.webhooks.try_send(TestWebhook { signature, body, delivered }).is_err() {
            tracing::debug!(intent = intent.reference, kind, "a webhook of the test provider was lost");
        }
    }
}

/// Changes that move money or the buyer's limit.
fn moves_money(change: IntentChange) -> bool {
    matches!(change, IntentChange::Capture | IntentChange::Refund(_))
}

/// The same event has the same id, however often it is sent.
fn event_body(intent: &PaymentIntent, kind: &str, now: Millis) -> Vec<u8> {
    let body = json!({
        "id": format!("evt_{}_{kind}", intent.reference),
        "type": format!("intent.{kind}"),
        "created": now / 1_000,
        "livemode": intent.livemode,
        "data": { "object": {
            "id": intent.reference, "status": intent.status.name(), "amount": intent.amount,
            "currency": intent.currency, "order": intent.order, "attempt": intent.attempt,
        } },
    });
    body.to_string().into_bytes()
}

fn intent_outcome(stored: crate::store::Result<Option<TestIntent>>) -> ProviderOutcome<Option<PaymentIntent>> {
    stored
        .map_or(ProviderOutcome::Unknown, |test_intent| ProviderOutcome::Done(test_intent.map(|stored| stored.intent)))
}
