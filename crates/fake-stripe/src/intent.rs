//! A payment intent: its states, and how it is shown.

use serde_json::{Map, Value, json};

use crate::card::Card;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    Processing,
    RequiresCapture,
    Succeeded,
    Canceled,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::RequiresPaymentMethod => "requires_payment_method",
            Status::RequiresConfirmation => "requires_confirmation",
            Status::RequiresAction => "requires_action",
            Status::Processing => "processing",
            Status::RequiresCapture => "requires_capture",
            Status::Succeeded => "succeeded",
            Status::Canceled => "canceled",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Intent {
    pub id: String,
    /// Seconds.
    pub created: i64,
    pub amount: i64,
    pub currency: String,
    pub status: Status,
    pub is_manual: bool,
    pub metadata: Map<String, Value>,
    pub description: Option<String>,
    pub return_url: Option<String>,
    pub customer: Option<String>,
    /// The card is to be saved for the customer when it has paid.
    pub setup_future_usage: Option<String>,
    pub card: Option<Card>,
    /// The id of the payment method that the card is.
    pub method: Option<String>,
    pub charge: Option<String>,
    pub amount_received: i64,
    pub last_error: Option<Value>,
    pub canceled_at: Option<i64>,
    pub cancellation_reason: Option<String>,
    pub is_live: bool,
    pub has_automatic_methods: bool,
    /// When an asynchronous method answers, in seconds.
    pub settles_at: Option<i64>,
    /// When the authorisation lapses, in seconds.
    pub capture_before: Option<i64>,
}

impl Intent {
    pub fn client_secret(&self) -> String {
        format!("{}_secret_fake", self.id)
    }

    pub fn amount_capturable(&self) -> i64 {
        if self.status == Status::RequiresCapture { self.amount } else { 0 }
    }

    /// The object as the API shows it. `base` is the address of this server, for the page of 3-D Secure.
    pub fn view(&self, base: &str) -> Value {
        let next_action = (self.status == Status::RequiresAction).then(|| match &self.return_url {
            Some(return_url) => json!({
                "type": "redirect_to_url",
                "redirect_to_url": { "url": format!("{base}/3ds/{}", self.id), "return_url": return_url },
            }),
            None => json!({ "type": "use_stripe_sdk", "use_stripe_sdk": { "url": format!("{base}/3ds/{}", self.id) } }),
        });
        json!({
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": self.amount_capturable(),
            "amount_received": self.amount_received,
            "automatic_payment_methods": self.has_automatic_methods.then(|| json!({ "enabled": true })),
            "canceled_at": self.canceled_at,
            "cancellation_reason": self.cancellation_reason,
            "capture_method": if self.is_manual { "manual" } else { "automatic_async" },
            "client_secret": self.client_secret(),
            "confirmation_method": "automatic",
            "created": self.created,
            "currency": self.currency,
            "customer": self.customer,
            "description": self.description,
            "last_payment_error": self.last_error,
            "latest_charge": self.charge,
            "livemode": self.is_live,
            "metadata": self.metadata,
            "next_action": next_action,
            "payment_method": self.method.as_ref().filter(|_| self.last_error.is_none()),
            "payment_method_types": ["card"],
            "setup_future_usage": self.setup_future_usage,
            "status": self.status.name(),
        })
    }
}

/// A charge: what an authorisation or a capture did to the card.
#[derive(Clone, Debug)]
pub struct Charge {
    pub id: String,
    pub created: i64,
    pub intent: String,
    pub amount: i64,
    pub captured: i64,
    pub refunded: i64,
    pub currency: String,
    pub is_disputed: bool,
    pub capture_before: Option<i64>,
    pub card: Card,
    pub method: Option<String>,
    pub customer: Option<String>,
    pub is_live: bool,
}

impl Charge {
    /// What is kept of a captured charge: 2.9 % and 30 of the smallest unit.
    fn fee(&self) -> i64 {
        (self.captured * 29 + 500) / 1_000 + 30
    }

    /// The id of the movement on the balance of the account; there is none before the capture.
    pub fn balance_transaction(&self) -> Option<String> {
        (self.captured > 0).then(|| self.id.replacen("ch_", "txn_", 1))
    }

    /// The movement itself. The account is paid out in the currency of the charge.
    pub fn settled(&self) -> Option<Value> {
        let id = self.balance_transaction()?;
        let detail = json!({ "amount": self.fee(), "application": null, "currency": self.currency,
            "description": "Stripe processing fees", "type": "stripe_fee" });
        Some(json!({
            "id": id,
            "object": "balance_transaction",
            "amount": self.captured,
            "created": self.created,
            "currency": self.currency,
            "exchange_rate": null,
            "fee": self.fee(),
            "fee_details": [detail],
            "net": self.captured - self.fee(),
            "reporting_category": "charge",
            "source": self.id,
            "status": "pending",
            "type": "charge",
        }))
    }

    pub fn view(&self) -> Value {
        let mut card = self.card.view();
        card["capture_before"] = self.capture_before.into();
        json!({
            "id": self.id,
            "object": "charge",
            "balance_transaction": self.balance_transaction(),
            "amount": self.amount,
            "amount_captured": self.captured,
            "amount_refunded": self.refunded,
            "captured": self.captured > 0,
            "created": self.created,
            "currency": self.currency,
            "customer": self.customer,
            "disputed": self.is_disputed,
            "livemode": self.is_live,
            "paid": true,
            "payment_intent": self.intent,
            "payment_method": self.method,
            "payment_method_details": { "type": "card", "card": card },
            "refunded": self.captured > 0 && self.refunded == self.captured,
            "status": "succeeded",
        })
    }
}

/// A refund. A pending one counts as refunded; a failed one gives the amount back to the shop.
#[derive(Clone, Debug)]
pub struct Refund {
    pub id: String,
    pub created: i64,
    pub charge: String,
    pub intent: String,
    pub amount: i64,
    pub currency: String,
    pub status: &'static str,
    pub metadata: Map<String, Value>,
    pub reason: Option<String>,
    /// When it changes by itself, in seconds, and into which status.
    pub next: Option<(i64, &'static str)>,
}

impl Refund {
    pub fn view(&self) -> Value {
        json!({
            "id": self.id,
            "object": "refund",
            "amount": self.amount,
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "failure_reason": (self.status == "failed").then_some("lost_or_stolen_card"),
            "metadata": self.metadata,
            "payment_intent": self.intent,
            "reason": self.reason,
            "status": self.status,
        })
    }
}

/// A dispute of a captured charge.
#[derive(Clone, Debug)]
pub struct Dispute {
    pub id: String,
    pub created: i64,
    pub charge: String,
    pub intent: String,
    pub amount: i64,
    pub currency: String,
    pub status: &'static str,
    pub is_live: bool,
}

/// How long the shop can answer a dispute.
const ANSWER_WITHIN_S: i64 = 7 * 86_400;

impl Dispute {
    pub fn view(&self) -> Value {
        json!({
            "id": self.id,
            "object": "dispute",
            "amount": self.amount,
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "evidence_details": {
                "due_by": self.created + ANSWER_WITHIN_S, "has_evidence": false, "past_due": false, "submission_count": 0,
            },
            "is_charge_refundable": false,
            "livemode": self.is_live,
            "payment_intent": self.intent,
            "reason": "fraudulent",
            "status": self.status,
        })
    }
}
