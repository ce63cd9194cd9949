//! The test provider: no network, no money, and every way a provider can behave, chosen by the buyer's token.
//!
//! It behaves as a system outside. Its book is its own (`store/script.rs`), what it was asked to do it does whether or
//! not anybody waits for the answer, and it tells us of it by webhooks that are signed like anybody else's.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::provider::{Calls, Outcome};
use super::signature::Secret;
use crate::clock::Clock;
use crate::domain::script::{Change, Denied, Script};
use crate::domain::{Intent, IntentStatus, Millis, Minor, Payment, Refusal};
use crate::store::{Booked, PaymentEvent, Store, Told};

/// How long `slow` takes to authorize.
const SLOW: Duration = Duration::from_secs(2);
/// How long an answer stays behind its webhook with `webhook_before_reply`.
const BEHIND: Duration = Duration::from_millis(300);
/// How long that webhook is waited for.
const POST_DEADLINE: Duration = Duration::from_secs(2);
/// Webhooks on their way. Past it they are lost, as some always are; the reconciler does not need them.
pub const POST_MAX: usize = 256;

/// A webhook on its way to us: the bytes, their signature, and who waits until it is heard.
#[derive(Debug)]
pub struct Post {
    pub signature: String,
    pub body: Vec<u8>,
    pub heard: Option<oneshot::Sender<()>>,
}

#[derive(Clone)]
pub struct TestProvider {
    pub store: Store,
    pub clock: Clock,
    pub secret: Secret,
    pub calls: Arc<Calls>,
    pub post: mpsc::Sender<Post>,
    pub tasks: TaskTracker,
}

/// An answer, or the silence where it should be.
enum Reply {
    Told(Outcome<Intent>),
    Lost,
}

impl TestProvider {
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    pub fn check(&self, token: &str) -> Result<(), Refusal> {
        Script::parse(token).map(|_| ())
    }

    pub async fn create(&self, payment: &Payment) -> Outcome<Intent> {
        let (this, payment) = (self.clone(), payment.clone());
        self.outside(async move {
            let Ok(script) = Script::parse(&payment.token) else {
                return Reply::Told(Outcome::Refused("there is no such token"));
            };
            if script == Script::Slow {
                tokio::time::sleep(SLOW).await;
            }
            let told = this.store.book_intent(&payment, script).await;
            this.reply(told.ok(), None).await
        })
        .await
    }

    pub async fn fetch(&self, payment: &Payment) -> Outcome<Option<Intent>> {
        match payment.reference.as_deref() {
            Some(reference) => self.fetch_named(reference).await,
            None => seen(self.store.booked_for(payment.order, payment.attempt).await),
        }
    }

    pub async fn fetch_named(&self, reference: &str) -> Outcome<Option<Intent>> {
        seen(self.store.booked(reference).await)
    }

    pub async fn capture(&self, reference: &str, key: String) -> Outcome<Intent> {
        self.change(reference, key, Change::Capture).await
    }

    pub async fn cancel(&self, reference: &str, key: String) -> Outcome<Intent> {
        self.change(reference, key, Change::Cancel).await
    }

    pub async fn refund(&self, reference: &str, amount: Minor, key: String) -> Outcome<Intent> {
        self.change(reference, key, Change::Refund(amount)).await
    }

    /// The buyer does what `needs_action` asks for.
    pub async fn approve(&self, reference: &str, yes: bool) -> Outcome<Intent> {
        self.change(reference, format!("ap:{reference}"), Change::Approve(yes)).await
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

    async fn change(&self, reference: &str, key: String, change: Change) -> Outcome<Intent> {
        let (this, reference) = (self.clone(), reference.to_owned());
        self.outside(async move {
            let told = this.store.book_change(&key, &reference, change).await;
            this.reply(told.ok(), Some(change)).await
        })
        .await
    }

    /// Does it to the end, also when whoever asked has given up.
    async fn outside(&self, work: impl Future<Output = Reply> + Send + 'static) -> Outcome<Intent> {
        match self.tasks.spawn(work).await {
            Ok(Reply::Told(outcome)) => outcome,
            Ok(Reply::Lost) => std::future::pending().await,
            Err(_) => Outcome::Unknown,
        }
    }

    /// What the caller hears of what was done, and who else hears of it.
    async fn reply(&self, told: Option<Told>, change: Option<Change>) -> Reply {
        let (booked, again) = match told {
            Some(Told::Done { booked, again }) => (booked, again),
            Some(Told::Denied(Denied::Final(why))) => return Reply::Told(Outcome::Refused(why)),
            Some(Told::Denied(Denied::Later)) | None => return Reply::Told(Outcome::Unknown),
            Some(Told::KeyReused) => {
                tracing::error!("a key of the provider's was used for two things");
                return Reply::Told(Outcome::Refused("the key was used for something else"));
            }
            Some(Told::NoSuchIntent) => return Reply::Told(Outcome::Refused("there is no such intent")),
        };
        if again {
            return Reply::Told(Outcome::Done(booked.intent));
        }
        self.tell(&booked, change).await;
        match booked.script {
            Script::TimeoutAfterCharge if change.is_none_or(moves_money) => Reply::Lost,
            Script::FaultAfterCharge if change.is_none_or(moves_money) => Reply::Told(Outcome::Unknown),
            _ => Reply::Told(Outcome::Done(booked.intent)),
        }
    }

    /// Sends the webhooks of a call, as the script wants them.
    async fn tell(&self, booked: &Booked, change: Option<Change>) {
        let Booked { intent, script } = booked;
        let kind = if matches!(change, Some(Change::Refund(_))) { "refunded" } else { intent.status.name() };
        match script {
            Script::WebhookNever => {}
            Script::WebhookTwice => {
                self.send(booked, kind, None);
                self.send(booked, kind, None);
            }
            Script::WebhookBeforeReply => {
                let (heard, hears) = oneshot::channel();
                self.send(booked, kind, Some(heard));
                let _ = tokio::time::timeout(POST_DEADLINE, hears).await;
                tokio::time::sleep(BEHIND).await;
            }
            Script::WebhookReordered if change.is_none() => {}
            Script::WebhookReordered => {
                self.send(booked, kind, None);
                self.send(booked, IntentStatus::Authorized.name(), None);
            }
            _ => self.send(booked, kind, None),
        }
    }

    fn send(&self, booked: &Booked, kind: &str, heard: Option<oneshot::Sender<()>>) {
        let (now, intent) = (self.clock.now(), &booked.intent);
        let body = event(intent, kind, now);
        let forged = (booked.script == Script::BadSignature).then(Secret::random);
        let signature = forged.as_ref().unwrap_or(&self.secret).sign(now, &body);
        if self.post.try_send(Post { signature, body, heard }).is_err() {
            tracing::debug!(intent = intent.reference, kind, "a webhook of the test provider is lost");
        }
    }
}

/// Calls after which money, or the buyer's limit, is not what it was.
fn moves_money(change: Change) -> bool {
    matches!(change, Change::Capture | Change::Refund(_))
}

/// The same event has the same id, however often it is sent.
fn event(intent: &Intent, kind: &str, now: Millis) -> Vec<u8> {
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

fn seen(found: crate::store::Result<Option<Booked>>) -> Outcome<Option<Intent>> {
    found.map_or(Outcome::Unknown, |booked| Outcome::Done(booked.map(|booked| booked.intent)))
}
