//! What Stripe's answers and events say.

use serde_json::Value;

use crate::domain::stripe_amount::from_stripe;
use crate::domain::{
    CardFacts, DisputeStatus, Minor, OrderId, PaymentFee, PaymentIntent, PaymentIntentStatus, ProviderDispute,
    ProviderRefund, ProviderRefundStatus, Refusal, UsedMethod,
};
use crate::store::PaymentEvent;

/// Events after which a payment is looked at. Everything else is acknowledged and says nothing.
const EVENTS: [&str; 12] = [
    "payment_intent.amount_capturable_updated",
    "payment_intent.canceled",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
    "charge.refunded",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.closed",
];

/// An intent, as our rule needs it. `None`: it is none of ours, because it names no order.
pub fn intent(value: &Value) -> Option<PaymentIntent> {
    let metadata = &value["metadata"];
    let currency = value["currency"].as_str()?.to_ascii_uppercase();
    let minor = |value: &Value| value.as_i64().and_then(|amount| from_stripe(amount, &currency));
    let captured: Minor = minor(&value["amount_received"])?;
    Some(PaymentIntent {
        reference: value["id"].as_str()?.to_owned(),
        status: status(value),
        // An amount that we cannot write is not the one that we asked for.
        amount: minor(&value["amount"]).unwrap_or(-1),
        order: metadata["order"].as_str()?.parse::<OrderId>().ok()?,
        attempt: metadata["attempt"].as_str()?.parse().ok()?,
        livemode: value["livemode"] == true,
        action_url: action_url(value),
        authorises: true,
        fingerprint: fingerprint(&value["latest_charge"]["payment_method_details"]),
        method: method(value),
        captured,
        refunded: minor(&value["latest_charge"]["amount_refunded"]).unwrap_or(0),
        currency,
    })
}

/// What Stripe calls the card, or the account of another method: its details are under the name of its type. It is the same
/// for one card whatever account pays with it, also through a wallet.
fn fingerprint(details: &Value) -> Option<String> {
    let method = details["type"].as_str()?;
    details[method]["fingerprint"].as_str().filter(|text| (1..=255).contains(&text.len())).map(str::to_owned)
}

/// What the intent is paid with. Only a card can be saved, and what is known of it is in the charge.
fn method(value: &Value) -> Option<UsedMethod> {
    let text = |value: &Value, most| value.as_str().filter(|text| (1..=most).contains(&text.len())).map(str::to_owned);
    let details = &value["latest_charge"]["payment_method_details"];
    let card = &details["card"];
    let facts = || {
        let is_card = details["type"] == "card";
        Some(CardFacts {
            brand: text(&card["brand"], 32).filter(|_| is_card)?,
            last4: text(&card["last4"], 4)?,
            exp_month: card["exp_month"].as_i64()?,
            exp_year: card["exp_year"].as_i64()?,
        })
    };
    Some(UsedMethod { reference: text(&value["payment_method"], 255)?, card: facts() })
}

fn status(value: &Value) -> PaymentIntentStatus {
    let has_failed = value["last_payment_error"].is_object();
    match value["status"].as_str() {
        Some("requires_action") => PaymentIntentStatus::NeedsAction,
        Some("requires_capture") => PaymentIntentStatus::Authorized,
        Some("succeeded") => PaymentIntentStatus::Captured,
        // We confirm in the request that creates, so an intent that waits for a method has had one that failed.
        Some("requires_payment_method") => PaymentIntentStatus::Declined,
        Some("canceled") if has_failed => PaymentIntentStatus::Declined,
        Some("canceled") => PaymentIntentStatus::Cancelled,
        // `processing`, `requires_confirmation`, and what a later version may add.
        _ => PaymentIntentStatus::Working,
    }
}

/// Where the buyer completes what the bank asks for.
pub fn action_url(value: &Value) -> Option<String> {
    value["next_action"]["redirect_to_url"]["url"].as_str().map(str::to_owned)
}

/// A refund. `None`: it is none, or its amount cannot be read.
pub fn refund(value: &Value) -> Option<ProviderRefund> {
    let currency = value["currency"].as_str()?.to_ascii_uppercase();
    Some(ProviderRefund {
        reference: value["id"].as_str()?.to_owned(),
        status: match value["status"].as_str() {
            Some("succeeded") => ProviderRefundStatus::Done,
            Some("failed" | "canceled") => ProviderRefundStatus::Failed,
            // `pending`, `requires_action`, and what a later version may add.
            _ => ProviderRefundStatus::Pending,
        },
        // An amount that we cannot write is none of ours.
        amount: value["amount"].as_i64().and_then(|amount| from_stripe(amount, &currency)).unwrap_or(-1),
        key: value["metadata"]["refund"].as_str().map(str::to_owned),
    })
}

/// What Stripe keeps of an intent. `None`: it is not settled yet, or cannot be written in our unit.
pub fn fee(intent: &Value) -> Option<PaymentFee> {
    let settled = &intent["latest_charge"]["balance_transaction"];
    let currency = settled["currency"].as_str()?.to_ascii_uppercase();
    let amount = settled["fee"].as_i64().and_then(|fee| from_stripe(fee, &currency)).filter(|fee| *fee >= 0)?;
    Some(PaymentFee { amount, currency })
}

/// A dispute. `None`: it is none, or its amount cannot be read.
pub fn dispute(value: &Value) -> Option<ProviderDispute> {
    let currency = value["currency"].as_str()?.to_ascii_uppercase();
    let name = value["status"].as_str()?;
    let status = match name {
        // An inquiry that ended, or was answered before it became a dispute, took no money.
        "won" | "warning_closed" | "prevented" => DisputeStatus::Won,
        "lost" => DisputeStatus::Lost,
        // `needs_response`, `under_review`, the same of inquiries, and what a later version may add.
        _ => DisputeStatus::Open,
    };
    let seconds = |value: &Value| value.as_i64().and_then(|seconds| seconds.checked_mul(1_000));
    Some(ProviderDispute {
        reference: value["id"].as_str()?.to_owned(),
        status,
        needs_answer: matches!(name, "needs_response" | "warning_needs_response"),
        amount: value["amount"].as_i64().and_then(|amount| from_stripe(amount, &currency))?,
        currency,
        reason: value["reason"].as_str().filter(|text| (1..=100).contains(&text.len())).map(str::to_owned),
        due_at: seconds(&value["evidence_details"]["due_by"]),
        opened_at: seconds(&value["created"])?,
    })
}

/// The event of a webhook: which payment it is about.
pub fn event(raw: &[u8]) -> Result<PaymentEvent, Refusal> {
    let event: Value =
        serde_json::from_slice(raw).map_err(|_| Refusal::bad_request("An event must be a JSON object."))?;
    let text = |value: &Value| value.as_str().filter(|text| text.len() <= 255).map(str::to_owned);
    let (Some(event_id), Some(kind)) = (text(&event["id"]), text(&event["type"])) else {
        return Err(Refusal::bad_request("An event must have an `id` and a `type`."));
    };
    let object = &event["data"]["object"];
    let reference = match object["object"].as_str() {
        Some("payment_intent") => text(&object["id"]),
        _ => text(&object["payment_intent"]),
    };
    let reference = reference.filter(|_| EVENTS.contains(&kind.as_str()));
    Ok(PaymentEvent { provider: super::NAME.to_owned(), event_id, kind, reference })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_status_has_its_meaning() {
        use PaymentIntentStatus as I;
        for (name, has_failed, expected) in [
            ("requires_payment_method", true, I::Declined),
            ("requires_confirmation", false, I::Working),
            ("requires_action", false, I::NeedsAction),
            ("processing", false, I::Working),
            ("requires_capture", false, I::Authorized),
            ("succeeded", false, I::Captured),
            ("canceled", false, I::Cancelled),
            ("canceled", true, I::Declined),
            ("requires_something_new", false, I::Working),
        ] {
            let error = if has_failed { json!({}) } else { Value::Null };
            assert_eq!(status(&json!({ "status": name, "last_payment_error": error })), expected, "{name}");
        }
    }

    #[test]
    fn intent_of_somebody_else_is_none_of_ours() {
        let order = uuid::Uuid::nil().to_string();
        let mut value = json!({
            "id": "pi_1", "status": "succeeded", "amount": 1_200, "amount_received": 1_200, "currency": "isk", "livemode": true,
            "metadata": { "order": order, "attempt": "3" }, "latest_charge": { "amount_refunded": 500 },
        });
        let read = intent(&value).unwrap();
        assert_eq!((read.amount, read.captured, read.refunded, read.currency.as_str()), (12, 12, 5, "ISK"));
        assert_eq!((read.attempt, read.livemode), (3, true));
        assert_eq!(read.fingerprint, None);
        let card = json!({ "type": "card", "card": { "fingerprint": "Xt5EWLLDS7FJjR1c" } });
        value["latest_charge"]["payment_method_details"] = card;
        assert_eq!(intent(&value).unwrap().fingerprint.as_deref(), Some("Xt5EWLLDS7FJjR1c"));
        assert_eq!(intent(&value).unwrap().method, None);
        value["payment_method"] = "pm_1".into();
        let of = |value: &Value| intent(value).unwrap().method.unwrap();
        assert_eq!(of(&value), UsedMethod { reference: "pm_1".into(), card: None }, "a card without its facts");
        let facts = json!({ "brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2034 });
        value["latest_charge"]["payment_method_details"]["card"] = facts;
        assert_eq!(of(&value).card.unwrap().last4, "4242");
        value["latest_charge"]["payment_method_details"]["type"] = "link".into();
        assert_eq!(of(&value).card, None, "it is no card");
        value["amount"] = 1_250.into();
        assert_eq!(intent(&value).unwrap().amount, -1);
        value["metadata"] = json!({ "order_id": "17" });
        assert_eq!(intent(&value), None);
    }

    #[test]
    fn refund_is_found_by_its_own_key_and_status() {
        use ProviderRefundStatus as R;
        let read = |id: &str, status: &str, key: &str| {
            let metadata = if key.is_empty() { json!({}) } else { json!({ "refund": key }) };
            refund(&json!({ "id": id, "status": status, "amount": 500, "currency": "sar", "metadata": metadata }))
                .unwrap()
        };
        for (status, expected) in [
            ("pending", R::Pending),
            ("requires_action", R::Pending),
            ("something_new", R::Pending),
            ("succeeded", R::Done),
            ("failed", R::Failed),
            ("canceled", R::Failed),
        ] {
            assert_eq!(read("re_1", status, "a").status, expected, "{status}");
        }
        let all = [
            read("re_4", "succeeded", ""),
            read("re_3", "failed", "b"),
            read("re_2", "succeeded", "b"),
            read("re_1", "failed", "a"),
        ];
        let found = |key: &str| ProviderRefund::of_key(&all, key).map(|refund| refund.reference);
        assert_eq!((found("a").as_deref(), found("b").as_deref(), found("c")), (Some("re_1"), Some("re_2"), None));
        assert_eq!((all[0].key.as_deref(), all[0].amount), (None, 500));
        assert_eq!(refund(&json!({ "id": "re_1" })), None);
    }

    #[test]
    fn fee_is_read_from_the_settled_charge_only() {
        let read = |settled: Value| fee(&json!({ "latest_charge": { "balance_transaction": settled } }));
        let sar = |amount| Some(PaymentFee { amount, currency: "SAR".into() });
        assert_eq!(read(json!({ "fee": 172, "currency": "sar" })), sar(172));
        assert_eq!(read(json!({ "fee": 0, "currency": "sar" })), sar(0));
        for unknown in
            [json!("txn_1"), Value::Null, json!({ "currency": "sar" }), json!({ "fee": -1, "currency": "sar" })]
        {
            assert_eq!(read(unknown), None);
        }
        // Króna are whole units, and Stripe writes two decimals.
        assert_eq!(read(json!({ "fee": 1_250, "currency": "isk" })), None);
        assert_eq!(fee(&json!({ "latest_charge": "ch_1" })), None);
    }

    #[test]
    fn dispute_has_its_state_and_deadline() {
        use DisputeStatus as D;
        let read = |name: &str| {
            let evidence = json!({ "due_by": 1_796_169_599 });
            dispute(&json!({ "id": "du_1", "status": name, "amount": 4_900, "currency": "sar", "reason": "fraudulent",
                "created": 1_796_083_200, "evidence_details": evidence }))
            .unwrap()
        };
        for (name, status, needs_answer) in [
            ("needs_response", D::Open, true),
            ("warning_needs_response", D::Open, true),
            ("under_review", D::Open, false),
            ("warning_under_review", D::Open, false),
            ("something_new", D::Open, false),
            ("won", D::Won, false),
            ("warning_closed", D::Won, false),
            ("prevented", D::Won, false),
            ("lost", D::Lost, false),
        ] {
            assert_eq!((read(name).status, read(name).needs_answer), (status, needs_answer), "{name}");
        }
        let open = read("needs_response");
        assert_eq!((open.due_at, open.opened_at), (Some(1_796_169_599_000), 1_796_083_200_000));
        assert_eq!((open.amount, open.currency.as_str(), open.reason.as_deref()), (4_900, "SAR", Some("fraudulent")));
        assert_eq!(dispute(&json!({ "id": "du_1" })), None);
    }

    #[test]
    fn event_leads_to_its_payment() {
        let read = |kind: &str, object: Value| {
            event(json!({ "id": "evt_1", "type": kind, "data": { "object": object } }).to_string().as_bytes())
        };
        let intent = json!({ "object": "payment_intent", "id": "pi_1" });
        assert_eq!(read("payment_intent.succeeded", intent.clone()).unwrap().reference.as_deref(), Some("pi_1"));
        assert_eq!(read("payment_intent.created", intent).unwrap().reference, None);
        let refund = json!({ "object": "refund", "id": "re_1", "payment_intent": "pi_2" });
        assert_eq!(read("refund.failed", refund).unwrap().reference.as_deref(), Some("pi_2"));
        assert!(event(b"[]").is_err() && event(b"no").is_err());
    }
}
