//! The test provider: no network, no money, and every way a provider can behave, chosen by the buyer's token.
//!
//! It behaves as a system outside. Its book is its own (`store/script.rs`), what it was asked to do it does whether or
//! not anybody waits for the answer, and it tells us of it by webhooks that are signed like anybody else's.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::provider::{ProviderCalls, ProviderOutcome};
use super::webhook_signature::WebhookSecret;
use crate::clock::Clock;
use crate::domain::test_provider::{IntentChange, IntentChangeError, TestScenario};
use crate::domain::{Millis, Minor, Payment, PaymentIntent, PaymentIntentStatus, Refusal};
use crate::store::{PaymentEvent, Store, TestIntent, TestProviderReply};

/// How long `slow` takes to authorize.
const SLOW_DELAY: Duration = Duration::from_secs(2);
/// How long an answer stays behind its webhook with `webhook_before_reply`.
const REPLY_DELAY: Duration = Duration::from_millis(300);
/// How long that webhook is waited for.
const WEBHOOK_DEADLINE: Duration = Duration::from_secs(2);
/// Webhooks on their way. Past it they are lost, as some always are; the reconciler does not need them.
pub const TEST_WEBHOOK_QUEUE_MAX: usize = 256;

/// A webhook on its way to us: the bytes, their signature, and who waits until it is heard.
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
    pub post: mpsc::Sender<TestWebhook>,
    pub tasks: TaskTracker,
}

/// An answer, or the silence where it should be.
enum TestReply {
    Answered(ProviderOutcome<PaymentIntent>),
    Lost,
}

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
            let Ok(script) = TestScenario::parse(&payment.token) else {
                return TestReply::Answered(ProviderOutcome::Refused("there is no such token"));
            };
            if script == TestScenario::Slow {
                tokio::time::sleep(SLOW_DELAY).await;
            }
            let told = this.store.create_test_intent(&payment, script).await;
            this.reply(told.ok(), None).await
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

    pub async fn refund(&self, reference: &str, amount: Minor, key: String) -> ProviderOutcome<PaymentIntent> {
        self.apply_change(reference, key, IntentChange::Refund(amount)).await
    }

    /// The buyer does what `needs_action` asks for.
    pub async fn approve(&self, reference: &str, yes: bool) -> ProviderOutcome<PaymentIntent> {
        self.apply_change(reference, format!("ap:{reference}"), IntentChange::Approve(yes)).await
    }

    pub fn parse_webhook(&self, signature: &str, raw: &[u8], now: Millis) -> Result<PaymentEvent, Refusal> {
        self.secret.verify(signature, raw, now)?;
        let event: Value = serde_json::from_slice(raw).map_err(|error| Refusal::bad_request(error.to_string()))?;
        let text = |value: &Value| value.as_str().filter(|text| text.len() <= 255).map(str::to_owned);
        let (Some(event_id), Some(kind)) = (text(&event["id"]), text(&event["type"])) else {
            return Err(Refusal::bad_request("an event has an `id` and a `type`"));
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
            let told = this.store.change_test_intent(&key, &reference, change).await;
            this.reply(told.ok(), Some(change)).await
        })
        .await
    }

    /// Does it to the end, also when whoever asked has given up.
    async fn run_detached(
        &self,
        work: impl Future<Output = TestReply> + Send + 'static,
    ) -> ProviderOutcome<PaymentIntent> {
        match self.tasks.spawn(work).await {
            Ok(TestReply::Answered(outcome)) => outcome,
            Ok(TestReply::Lost) => std::future::pending().await,
            Err(_) => ProviderOutcome::Unknown,
        }
    }

    /// What the caller hears of what was done, and who else hears of it.
    async fn reply(&self, told: Option<TestProviderReply>, change: Option<IntentChange>) -> TestReply {
        let (booked, again) = match told {
            Some(TestProviderReply::Done { test_intent: booked, replayed: again }) => (booked, again),
            Some(TestProviderReply::Denied(IntentChangeError::Permanent(why))) => {
                return TestReply::Answered(ProviderOutcome::Refused(why));
            }
            Some(TestProviderReply::Denied(IntentChangeError::Temporary)) | None => {
                return TestReply::Answered(ProviderOutcome::Unknown);
            }
            Some(TestProviderReply::KeyReused) => {
                tracing::error!("a key of the provider's was used for two things");
                return TestReply::Answered(ProviderOutcome::Refused("the key was used for something else"));
            }
            Some(TestProviderReply::NoSuchIntent) => {
                return TestReply::Answered(ProviderOutcome::Refused("there is no such intent"));
            }
        };
        if again {
            return TestReply::Answered(ProviderOutcome::Done(booked.intent));
        }
        self.send_webhooks(&booked, change).await;
        match booked.scenario {
            TestScenario::TimeoutAfterCharge if change.is_none_or(moves_money) => TestReply::Lost,
            TestScenario::ErrorAfterCharge if change.is_none_or(moves_money) => {
                TestReply::Answered(ProviderOutcome::Unknown)
            }
            _ => TestReply::Answered(ProviderOutcome::Done(booked.intent)),
        }
    }

    /// Sends the webhooks of a call, as the script wants them.
    async fn send_webhooks(&self, booked: &TestIntent, change: Option<IntentChange>) {
        let TestIntent { intent, scenario: script } = booked;
        let kind = if matches!(change, Some(IntentChange::Refund(_))) { "refunded" } else { intent.status.name() };
        match script {
            TestScenario::WebhookNever => {}
            TestScenario::WebhookTwice => {
                self.send_webhook(booked, kind, None);
                self.send_webhook(booked, kind, None);
            }
            TestScenario::WebhookBeforeReply => {
                let (heard, hears) = oneshot::channel();
                self.send_webhook(booked, kind, Some(heard));
                let _ = tokio::time::timeout(WEBHOOK_DEADLINE, hears).await;
                tokio::time::sleep(REPLY_DELAY).await;
            }
            TestScenario::WebhookReordered if change.is_none() => {}
            TestScenario::WebhookReordered => {
                self.send_webhook(booked, kind, None);
                self.send_webhook(booked, PaymentIntentStatus::Authorized.name(), None);
            }
            _ => self.send_webhook(booked, kind, None),
        }
    }

    fn send_webhook(&self, booked: &TestIntent, kind: &str, heard: Option<oneshot::Sender<()>>) {
        let (now, intent) = (self.clock.now(), &booked.intent);
        let body = event_body(intent, kind, now);
        let forged = (booked.scenario == TestScenario::BadSignature).then(WebhookSecret::random);
        let signature = forged.as_ref().unwrap_or(&self.secret).sign(now, &body);
        if self.post.try_send(TestWebhook { signature, body, delivered: heard }).is_err() {
            tracing::debug!(intent = intent.reference, kind, "a webhook of the test provider is lost");
        }
    }
}

/// Calls after which money, or the buyer's limit, is not what it was.
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

fn intent_outcome(found: crate::store::Result<Option<TestIntent>>) -> ProviderOutcome<Option<PaymentIntent>> {
    found.map_or(ProviderOutcome::Unknown, |booked| ProviderOutcome::Done(booked.map(|booked| booked.intent)))
}
