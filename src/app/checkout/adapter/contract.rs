//! What the server and the payment adapter say to each other (docs/payments.md). Requests are pure functions of the payment: the same
//! attempt always sends the same bytes under its key.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::checkout::provider_call::PaymentPage;
use crate::domain::currency;
use crate::domain::{
    Millis, Minor, OrderId, PaymentFee, PaymentIntent, PaymentIntentStatus, ProviderRefund, ProviderRefundStatus,
    Refusal,
};
use crate::store::PaymentEvent;

/// The kinds of events after which a payment is looked at. Everything else is acknowledged and says nothing.
pub const EVENT_OF_CAPTURE: &str = "payment.captured";
pub const EVENT_OF_DISPUTE: &str = "dispute.opened";
/// The adapter signs its events, and nothing can be asked about a dispute: these two say how it ended.
pub const EVENT_OF_WON_DISPUTE: &str = "dispute.won";
pub const EVENT_OF_LOST_DISPUTE: &str = "dispute.lost";
const EVENTS: [&str; 6] = [
    "payment.updated",
    EVENT_OF_CAPTURE,
    "refund.updated",
    EVENT_OF_DISPUTE,
    EVENT_OF_WON_DISPUTE,
    EVENT_OF_LOST_DISPUTE,
];
const TEXT_BYTES_MAX: usize = 255;
const URL_BYTES_MAX: usize = 4_000;

#[derive(Serialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Request<'r> {
    CreatePayment {
        order: OrderId,
        attempt: i64,
        amount: Minor,
        currency: &'r str,
        token: &'r str,
        return_url: &'r str,
    },
    GetPayment {
        payment: &'r str,
    },
    /// `from`, `until`: when it can have been made.
    FindPayment {
        order: OrderId,
        attempt: i64,
        from: Millis,
        until: Millis,
    },
    CapturePayment {
        payment: &'r str,
        amount: Minor,
        currency: &'r str,
    },
    VoidPayment {
        payment: &'r str,
    },
    CreateRefund {
        payment: &'r str,
        amount: Minor,
        currency: &'r str,
    },
    ListRefunds {
        payment: &'r str,
    },
    /// `after`: the `next` of the page before.
    ListPayments {
        from: Millis,
        until: Millis,
        after: Option<&'r str>,
    },
}

#[derive(Deserialize)]
struct PaymentObject {
    id: String,
    /// `None`: the payment is none of this shop.
    order: Option<OrderId>,
    attempt: Option<i64>,
    status: String,
    authorises: bool,
    amount: Minor,
    currency: String,
    live: bool,
    captured: Option<Minor>,
    refunded: Option<Minor>,
    redirect_url: Option<String>,
    fingerprint: Option<String>,
    fee: Option<Minor>,
    fee_currency: Option<String>,
}

#[derive(Deserialize)]
struct RefundObject {
    id: String,
    status: String,
    amount: Minor,
    key: Option<String>,
}

#[derive(Deserialize)]
struct PaymentAnswer {
    /// Required, and `null` where there is none: what is only missing says nothing.
    #[serde(deserialize_with = "required")]
    payment: Option<PaymentObject>,
}

#[derive(Deserialize)]
struct RefundAnswer {
    refund: RefundObject,
}

#[derive(Deserialize)]
struct RefundsAnswer {
    refunds: Vec<RefundObject>,
}

#[derive(Deserialize)]
struct PaymentsAnswer {
    payments: Vec<PaymentObject>,
    #[serde(deserialize_with = "required")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct EventObject {
    #[serde(rename = "type")]
    kind: String,
    payment: Option<String>,
}

fn required<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(value: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(value)
}

/// A payment in an answer. The error says how the answer breaks the contract; `Ok(None)`: there is none, or it is none of this shop.
pub fn payment(answer: Value) -> Result<Option<PaymentIntent>, String> {
    let answer: PaymentAnswer = serde_json::from_value(answer).map_err(|error| error.to_string())?;
    answer.payment.map_or(Ok(None), intent)
}

/// What the provider keeps of the payment in an answer. `Ok(None)`: the adapter does not say so, or not yet.
pub fn fee(answer: Value) -> Result<Option<PaymentFee>, String> {
    let answer: PaymentAnswer = serde_json::from_value(answer).map_err(|error| error.to_string())?;
    let Some(object) = answer.payment else { return Ok(None) };
    let Some(amount) = object.fee else { return Ok(None) };
    let currency = object.fee_currency.unwrap_or(object.currency).to_ascii_uppercase();
    if amount < 0 || currency::decimals(&currency).is_none() {
        return Err("the fee is negative, or its currency is unknown".to_owned());
    }
    Ok(Some(PaymentFee { amount, currency }))
}

/// A page of payments, those of this shop, and where the next one begins.
pub fn payments(answer: Value) -> Result<PaymentPage, String> {
    let answer: PaymentsAnswer = serde_json::from_value(answer).map_err(|error| error.to_string())?;
    let mut payments = Vec::with_capacity(answer.payments.len());
    for listed in answer.payments {
        payments.extend(intent(listed)?);
    }
    Ok(PaymentPage { payments, next: answer.next })
}

pub fn refund(answer: Value) -> Result<ProviderRefund, String> {
    let answer: RefundAnswer = serde_json::from_value(answer).map_err(|error| error.to_string())?;
    provider_refund(answer.refund)
}

pub fn refunds(answer: Value) -> Result<Vec<ProviderRefund>, String> {
    let answer: RefundsAnswer = serde_json::from_value(answer).map_err(|error| error.to_string())?;
    answer.refunds.into_iter().map(provider_refund).collect()
}

fn intent(object: PaymentObject) -> Result<Option<PaymentIntent>, String> {
    let (Some(order), Some(attempt)) = (object.order, object.attempt) else { return Ok(None) };
    let status = PaymentIntentStatus::parse(&object.status).ok_or("the status is unknown")?;
    if status == PaymentIntentStatus::Authorized && !object.authorises {
        return Err("it is authorized, but `authorises` is false".to_owned());
    }
    if object.id.is_empty() || object.id.len() > TEXT_BYTES_MAX {
        return Err("the id is empty or longer than 255 bytes".to_owned());
    }
    let is_captured = status == PaymentIntentStatus::Captured;
    let captured = object.captured.unwrap_or(if is_captured { object.amount } else { 0 });
    let refunded = object.refunded.unwrap_or(0);
    if object.amount < 0 || captured < 0 || refunded < 0 || (captured > 0) != (is_captured && object.amount > 0) {
        return Err("the amounts and the status contradict each other".to_owned());
    }
    let is_address =
        |url: &String| url.len() <= URL_BYTES_MAX && (url.starts_with("https://") || url.starts_with("http://"));
    let redirect_url = object.redirect_url.filter(is_address);
    if status == PaymentIntentStatus::NeedsAction && redirect_url.is_none() {
        return Err("it needs an action, and has no `redirect_url`".to_owned());
    }
    Ok(Some(PaymentIntent {
        reference: object.id,
        status,
        amount: object.amount,
        currency: object.currency.to_ascii_uppercase(),
        order,
        attempt,
        livemode: object.live,
        captured,
        refunded,
        fingerprint: object.fingerprint.filter(|text| (1..=TEXT_BYTES_MAX).contains(&text.len())),
        method: None,
        action_url: redirect_url,
        authorises: object.authorises,
    }))
}

fn provider_refund(object: RefundObject) -> Result<ProviderRefund, String> {
    let status = match object.status.as_str() {
        "pending" => ProviderRefundStatus::Pending,
        "done" => ProviderRefundStatus::Done,
        "failed" => ProviderRefundStatus::Failed,
        _ => return Err("the status of a refund is unknown".to_owned()),
    };
    Ok(ProviderRefund { reference: object.id, status, amount: object.amount, key: object.key })
}

/// The event of a webhook with this id: which payment it is about.
pub fn event(id: &str, raw: &[u8]) -> Result<PaymentEvent, Refusal> {
    let event: EventObject = serde_json::from_slice(raw)
        .map_err(|_| Refusal::bad_request("An event must be a JSON object with a `type` and a `payment`."))?;
    if event.kind.len() > TEXT_BYTES_MAX {
        return Err(Refusal::bad_request("The `type` of an event is too long."));
    }
    let is_known = EVENTS.contains(&event.kind.as_str());
    let reference = event.payment.filter(|payment| is_known && (1..=TEXT_BYTES_MAX).contains(&payment.len()));
    Ok(PaymentEvent { provider: super::NAME.to_owned(), event_id: id.to_owned(), kind: event.kind, reference })
}

#[cfg(test)]
#[path = "contract_test.rs"]
mod tests;
