//! What is sent to the payment adapter, and which answers are taken.

use serde_json::json;

use super::*;

const ORDER: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn object() -> Value {
    json!({
        "id": "pay_1", "order": ORDER, "attempt": 3, "status": "captured", "authorises": false, "amount": 4_900,
        "currency": "sar", "live": true, "refunded": 500, "more": "is ignored",
    })
}

fn read(change: impl Fn(&mut Value)) -> Result<Option<PaymentIntent>, String> {
    let mut object = object();
    change(&mut object);
    payment(json!({ "payment": object }))
}

#[test]
fn request_is_a_function_of_the_payment() {
    let request = Request::CreatePayment {
        order: ORDER.parse().unwrap(),
        attempt: 2,
        amount: 5_120,
        currency: "KWD",
        token: "page",
        return_url: "https://shop.example/orders?order=1",
    };
    let expected = json!({
        "type": "create_payment", "order": ORDER, "attempt": 2, "amount": 5_120, "currency": "KWD", "token": "page",
        "return_url": "https://shop.example/orders?order=1",
    });
    assert_eq!(serde_json::to_value(&request).unwrap(), expected);
    let look = Request::ListPayments { from: 1, until: 2, after: None };
    let expected = json!({ "type": "list_payments", "from": 1, "until": 2, "after": null });
    assert_eq!(serde_json::to_value(&look).unwrap(), expected);
}

#[test]
fn payment_is_read_as_the_contract_says() {
    let read_now = read(|_| {}).unwrap().unwrap();
    assert_eq!((read_now.reference.as_str(), read_now.attempt, read_now.currency.as_str()), ("pay_1", 3, "SAR"));
    assert_eq!(
        (read_now.captured, read_now.refunded, read_now.livemode, read_now.authorises),
        (4_900, 500, true, false)
    );
    assert_eq!(payment(json!({ "payment": null })), Ok(None), "the provider certainly has none");
    assert_eq!(read(|object| object["order"] = Value::Null), Ok(None), "a payment of another shop");
    let page = read(|object| {
        object["status"] = "needs_action".into();
        object["redirect_url"] = "https://pay.example/1".into();
    });
    let page = page.unwrap().unwrap();
    assert_eq!((page.action_url.as_deref(), page.captured), (Some("https://pay.example/1"), 0));
}

#[test]
fn answer_that_breaks_the_contract_is_no_answer() {
    assert!(payment(json!({})).is_err(), "a missing payment is not `null`");
    assert!(payments(json!({ "payments": [] })).is_err(), "a missing `next` is not `null`");
    type Break = fn(&mut Value);
    let breaks: [(&str, Break); 9] = [
        ("status", |object| object["status"] = "paid".into()),
        ("authorises", |object| object["status"] = "authorized".into()),
        ("no authorises", |object| drop(object.as_object_mut().unwrap().remove("authorises"))),
        ("no live", |object| drop(object.as_object_mut().unwrap().remove("live"))),
        ("an amount with decimals", |object| object["amount"] = json!(49.5)),
        ("a negative amount", |object| object["refunded"] = json!(-1)),
        ("captured and nothing taken", |object| object["captured"] = json!(0)),
        ("no page", |object| object["status"] = "needs_action".into()),
        ("a page that is no address", |object| {
            object["status"] = "needs_action".into();
            object["redirect_url"] = "javascript:alert(1)".into();
        }),
    ];
    for (why, change) in breaks {
        assert!(read(change).is_err(), "{why}");
    }
}

#[test]
fn refunds_are_read_with_their_keys() {
    let refund_of =
        |status: &str| refund(json!({ "refund": { "id": "re_1", "status": status, "amount": 500, "key": "rf:1" } }));
    for (name, status) in [
        ("pending", ProviderRefundStatus::Pending),
        ("done", ProviderRefundStatus::Done),
        ("failed", ProviderRefundStatus::Failed),
    ] {
        assert_eq!(refund_of(name).unwrap().status, status);
    }
    assert!(refund_of("succeeded").is_err());
    let by_hand =
        refunds(json!({ "refunds": [{ "id": "re_2", "status": "done", "amount": 1, "key": null }] })).unwrap();
    assert_eq!(by_hand[0].key, None);
}

#[test]
fn event_leads_to_its_payment() {
    let read = |kind: &str| event("msg_1", json!({ "type": kind, "payment": "pay_1" }).to_string().as_bytes()).unwrap();
    for kind in EVENTS {
        assert_eq!(read(kind).reference.as_deref(), Some("pay_1"), "{kind}");
    }
    assert_eq!(read("payout.paid").reference, None);
    assert_eq!(read("payment.updated").event_id, "msg_1");
    assert!(event("msg_1", b"[]").is_err() && event("msg_1", b"no").is_err());
}

#[test]
fn fee_may_be_told_and_must_be_money() {
    let fee_of = |amount: Value, currency: Value| {
        let mut object = object();
        object["fee"] = amount;
        object["fee_currency"] = currency;
        fee(json!({ "payment": object }))
    };
    assert_eq!(fee(json!({ "payment": object() })), Ok(None), "the adapter does not say it");
    assert_eq!(fee(json!({ "payment": null })), Ok(None));
    let known = |amount, currency: &str| Ok(Some(PaymentFee { amount, currency: currency.to_owned() }));
    assert_eq!(fee_of(json!(150), Value::Null), known(150, "SAR"));
    assert_eq!(fee_of(json!(0), json!("eur")), known(0, "EUR"));
    assert!(fee_of(json!(-1), Value::Null).is_err());
    assert!(fee_of(json!(1), json!("money")).is_err());
    assert!(fee_of(json!(1.5), Value::Null).is_err());
}
