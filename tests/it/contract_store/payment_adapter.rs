//! Payments by the sample adapter (`examples/payment-adapter`), whose provider mostly takes the money at once, as with mada cards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use livesouk::app::{AdapterSettings, App, Error, MessageKey, Settings};
use livesouk::clock::Clock;
use livesouk::domain::{
    Actor, OrderId, OrderStatus, OwedStatus, PaymentStatus, RefundPart, RefundScope, RefundStatus, Refusal, Role,
};
use serde_json::{Value, json};
use testkit::payment_adapter::PaymentAdapter;

use super::builders::{actor, key};
use super::fixture::{Fixture, facts, payment_settings};
use crate::support::{SOON, until_some};

facts! {
    money_that_is_taken_at_once_pays_the_order
    provider_that_authorises_is_captured_after_the_order_has_won
    declined_payment_by_the_adapter_leaves_the_order_payable
    buyer_pays_on_the_page_of_the_provider_and_an_event_finishes_the_payment
    lost_answer_of_the_adapter_never_charges_twice
    abandoned_payment_by_the_adapter_is_found
    money_that_was_taken_for_an_expired_order_is_given_back
    unpaid_page_is_voided_after_the_hold
    refunds_by_the_adapter_are_done_once
    refund_made_by_hand_at_the_provider_stands_for_ours
    event_of_the_adapter_counts_once_and_only_with_its_signature
    payment_for_trials_is_none_of_a_shop_with_real_money
    dispute_at_the_provider_calls_a_person
}

pub const KEY: &str = "whsec_dGhlLWtleS1vZi10aGUtdGVzdHMtMzItYnl0ZXM=";
const OLD_KEY: &str = "whsec_dGhlLW9sZC1rZXktb2YtdGhlLXRlc3RzLTMyYg==";
const NAMES: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];

type Event = (Vec<String>, Bytes);

/// A shop whose payments go to an adapter of its own.
pub struct Adapter {
    pub sample: PaymentAdapter,
    pub app: Arc<App>,
    /// The events that arrived.
    events: Arc<Mutex<Vec<Event>>>,
    /// The server gets them.
    is_listening: Arc<AtomicBool>,
}

impl Adapter {
    pub async fn start(shop: &Fixture) -> Self {
        Self::start_with(shop, false).await
    }

    pub async fn start_with(shop: &Fixture, is_live: bool) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sample = PaymentAdapter::start(KEY, &format!("http://{}/", listener.local_addr().unwrap())).await;
        let settings = Settings {
            adapter: Some(AdapterSettings {
                url: sample.url.clone(),
                key: MessageKey::parse(KEY).unwrap(),
                old_keys: vec![MessageKey::parse(OLD_KEY).unwrap()],
                return_url: "https://shop.example/orders?order=".to_owned(),
                is_live,
            }),
            is_test_provider_enabled: false,
            are_requests_limited: false,
            payment_rate: Some(1_000),
            ..payment_settings(10_000)
        };
        let app = Arc::new(shop.app_with(shop.store.clone(), settings).await);
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let is_listening = Arc::new(AtomicBool::new(true));
        let (receiver, received, listens) = (app.clone(), events.clone(), is_listening.clone());
        let receive = post(move |headers: HeaderMap, raw: Bytes| {
            let (app, events, is_listening) = (receiver.clone(), received.clone(), listens.clone());
            async move {
                let signature = NAMES.map(|name| headers[name].to_str().unwrap().to_owned()).to_vec();
                events.lock().unwrap().push((signature.clone(), raw.clone()));
                if !is_listening.load(Ordering::Relaxed) {
                    return StatusCode::OK;
                }
                match deliver(&app, &signature, &raw).await {
                    Ok(()) => StatusCode::OK,
                    Err(_) => StatusCode::BAD_REQUEST,
                }
            }
        });
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/", receive)).await });
        Self { sample, app, events, is_listening }
    }

    pub async fn hold(&self, shop: &Fixture, buyer: &str) -> OrderId {
        let offer = shop.offer(3, 3).await;
        let bought = self.app.checkout.buy(&actor(buyer), offer, 3, key(&format!("buy-{}", offer.0.simple()))).await;
        bought.unwrap().order.id
    }

    pub async fn pay(&self, buyer: &str, order: OrderId, token: &str, with: &str) -> Result<OrderStatus, Error> {
        self.app.checkout.pay(&actor(buyer), order, token, None, key(with)).await.map(|paid| paid.order.status)
    }

    /// From now on events are lost.
    pub fn lose_events(&self) {
        self.is_listening.store(false, Ordering::Relaxed);
    }

    /// Sends the buyer to the page of the provider, and gives its address.
    pub async fn page(&self, buyer: &str, order: OrderId) -> String {
        let asked = self.pay(buyer, order, "page", "pay-00001").await;
        let Err(Error::Refused(Refusal::NeedsAction { action_url })) = asked else { panic!("{asked:?}") };
        action_url
    }

    /// Asks the adapter as the server does.
    async fn ask(&self, body: &Value, with: &str) -> (u16, Value) {
        let (id, body) = (format!("test:{with}"), body.to_string());
        let seconds = Clock::system().now() / 1_000;
        let signature = MessageKey::parse(KEY).unwrap().sign(&id, seconds, body.as_bytes());
        let mut request = reqwest::Client::new().post(&self.sample.url).header("idempotency-key", with);
        for (name, value) in NAMES.into_iter().zip([id, seconds.to_string(), signature]) {
            request = request.header(name, value);
        }
        let answer = request.body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The payments at the provider: status, captured and refunded amount.
    pub async fn payments(&self) -> Vec<(String, i64, i64)> {
        let (status, listed) =
            self.ask(&json!({ "type": "list_payments", "from": 0, "until": i64::MAX, "after": null }), "l").await;
        assert_eq!((status, &listed["next"]), (200, &Value::Null), "{listed}");
        let number = |value: &Value| value.as_i64().unwrap();
        let listed = listed["payments"].as_array().unwrap().iter();
        let read = |one: &Value| {
            (one["status"].as_str().unwrap().to_owned(), number(&one["captured"]), number(&one["refunded"]))
        };
        listed.map(read).collect()
    }

    async fn reconcile(&self, shop: &Fixture) {
        for table in ["refunds", "owed_refunds", "payments"] {
            shop.run(&format!("update {table} set tried_at = 0")).await;
        }
        self.app.checkout.reconcile(0).await.unwrap();
    }

    /// Nothing has gone wrong in the adapter.
    pub async fn end(self) {
        assert_eq!(self.sample.stderr(), "");
        self.app.stopping().cancel();
        self.app.finish().await;
    }
}

async fn deliver(app: &Arc<App>, signature: &[String], raw: &[u8]) -> Result<(), Error> {
    let signature: Vec<&str> = signature.iter().map(String::as_str).collect();
    app.checkout.receive_webhook(&signature, raw).await
}

/// What the buyer presses on the page of the provider.
pub async fn press(page: &str, button: &str) {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = client.post(page).body(format!("pay={button}")).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    assert!(answer.headers()["location"].to_str().unwrap().starts_with("https://shop.example/orders?order="));
}

async fn until_final(shop: &Fixture, order: OrderId) -> PaymentStatus {
    until_some("end of the attempt", SOON, async || {
        let payment = shop.store.payment(order, 1).await.unwrap().unwrap();
        payment.status.is_final().then_some(payment.status)
    })
    .await
}

async fn money_that_is_taken_at_once_pays_the_order(shop: Fixture) {
    let adapter = Adapter::start(&shop).await;
    let order = adapter.hold(&shop, "ann").await;
    for _ in 0..2 {
        assert_eq!(adapter.pay("ann", order, "mada", "pay-00001").await, Ok(OrderStatus::Paid), "one key, one result");
    }
    let amount = shop.order(order).await.amount;
    assert_eq!(adapter.payments().await, [("captured".to_owned(), amount, 0)]);
    shop.assert_consistent().await;
    adapter.end().await;
}

async fn provider_that_authorises_is_captured_after_the_order_has_won(shop: Fixture) {
    let adapter = Adapter::start(&shop).await;
    let order = adapter.hold(&shop, "ann").await;
    assert_eq!(adapter.pay("ann", order, "visa", "pay-00001").await, Ok(OrderStatus::Paid));
    assert_eq!(adapter.payments().await, [("captured".to_owned(), shop.order(order).await.amount, 0)]);
    adapter.end().await;
}

async fn declined_payment_by_the_adapter_leaves_the_order_payable(shop: Fixture) {
    let adapter = Adapter::start(&shop).await;
    let order = adapter.hold(&shop, "ann").await;
    for (token, with) in [("declined", "pay-00001"), ("expired_card", "pay-00002"), ("no_such_token", "pay-00003")] {
        for _ in 0..2 {
            assert_eq!(adapter.pay("ann", order, token, with).await, Err(Error::Refused(Refusal::Declined)), "{token}");
        }
    }
    let spaced = adapter.pay("ann", order, "a token", "pay-00004").await;
    assert!(matches!(spaced, Err(Error::Refused(Refusal::BadField { .. }))), "{spaced:?}");
    assert_eq!(adapter.pay("ann", order, "mada", "pay-00005").await, Ok(OrderStatus::Paid));
    assert_eq!(adapter.payments().await.len(), 2, "what is refused makes no payment");
    adapter.end().await;
}

async fn buyer_pays_on_the_page_of_the_provider_and_an_event_finishes_the_payment(shop: Fixture) {
    let adapter = Adapter::start(&shop).await;
    for (buyer, button, status) in [("ann", "yes", OrderStatus::Paid), ("bob", "no", OrderStatus::Held)] {
        let order = adapter.hold(&shop, buyer).await;
        let page = adapter.page(buyer, order).await;
        press(&page, "").await;
        assert_eq!(adapter.page(buyer, order).await, page, "the same payment goes on, on the same page");
        press(&page, button).await;
        // Nobody asks again: the event does it.
        until_final(&shop, order).await;
        assert_eq!(shop.order(order).await.status, status, "{buyer}");
    }
    adapter.end().await;
}

async fn lost_answer_of_the_adapter_never_charges_twice(shop: Fixture) {
    let adapter = Adapter::start(&shop).await;
    let lost_answers = [("mada", "create_payment"), ("visa", "create_payment"), ("visa", "capture_payment")];
    for (n, (token, lost)) in lost_answers.into_iter().enumerate() {
        let buyer = format!("ann-{n}");
        let order = adapter.hold(&shop, &buyer).await;
        adapter.sample.lose_answer_to(lost);
        let first = adapter.pay(&buyer, order, token, "pay-00001").await;
        assert_eq!(first, Err(Error::OutcomeUnknown), "{token} {lost}");
        let again = adapter.pay(&buyer, order, token, "pay-00001").await;
        assert_eq!(again, Ok(OrderStatus::Paid), "{token} {lost}");
        let payments = adapter.payments().await;
        assert_eq!(payments.len(), n + 1, "one payment for one order: {payments:?}");
        assert!(payments.iter().all(|(status, ..)| status == "captured"), "{payments:?}");
    }
    shop.assert_consistent().await;
    adapter.end().await;
}

async fn abandoned_payment_by_the_adapter_is_found(shop: Fixture) {
    let adapter = Adapter::start(&shop).await;
    let order = adapter.hold(&shop, "ann").await;
    adapter.sample.lose_answer_to("create_payment");
    assert_eq!(adapter.pay("ann", order, "mada", "pay-00001").await, Err(Error::OutcomeUnknown));
    adapter.reconcile(&shop).await;
    assert_eq!(shop.order(order).await.status, OrderStatus::Paid);
    assert_eq!(adapter.payments().await.len(), 1, "the reconciler creates nothing");
    adapter.end().await;
}

async fn money_that_was_taken_for_an_expired_order_is_given_back(shop: Fixture) {
    let adapter = Adapter::start(&shop).await;
    let order = adapter.hold(&shop, "ann").await;
    let page = adapter.page("ann", order).await;
    let offer = shop.order(order).await.lines[0].offer;
    shop.expire_holds(offer).await;
    let expired = async || (shop.order(order).await.status == OrderStatus::Expired).then_some(());
    until_some("end of the hold", SOON, expired).await;
    press(&page, "yes").await;
    let owed = until_some("money that was given back", SOON, async || {
        let payment = shop.store.payment(order, 1).await.unwrap().unwrap();
        (payment.owed == Some(OwedStatus::Returned)).then_some(payment)
    });
    assert_eq!(owed.await.status, PaymentStatus::Captured);
    let amount = 3 * 4_900;
    assert_eq!(adapter.payments().await, [("captured".to_owned(), amount, amount)]);
    assert_eq!(shop.order(order).await.status, OrderStatus::Expired);
    shop.assert_consistent().await;
    adapter.end().await;
}

async fn unpaid_page_is_voided_after_the_hold(shop: Fixture) {
    let adapter = Adapter::start(&shop).await;
    let order = adapter.hold(&shop, "ann").await;
    let page = adapter.page("ann", order).await;
    let offer = shop.order(order).await.lines[0].offer;
    shop.expire_holds(offer).await;
    let expired = async || (shop.order(order).await.status == OrderStatus::Expired).then_some(());
    until_some("end of the hold", SOON, expired).await;
    adapter.reconcile(&shop).await;
    assert_eq!(adapter.payments().await, [("cancelled".to_owned(), 0, 0)]);
    // The page takes no money any more.
    press(&page, "yes").await;
    assert_eq!(adapter.payments().await, [("cancelled".to_owned(), 0, 0)]);
    assert_eq!(until_final(&shop, order).await, PaymentStatus::Cancelled);
    adapter.end().await;
}

fn units(order: OrderId, qty: i64) -> RefundScope {
    RefundScope::Part(RefundPart { lines: vec![(order, qty)], delivery: false, amount: None })
}

async fn refund(adapter: &Adapter, order: OrderId, scope: RefundScope, with: &str) -> Result<OrderStatus, Error> {
    let host = Actor { role: Role::Host, ..actor("noura") };
    adapter.app.checkout.refund(&host, order, scope, true, None, key(with)).await.map(|done| done.order.status)
}

async fn refunds_by_the_adapter_are_done_once(shop: Fixture) {
    let adapter = Adapter::start(&shop).await;
    let order = adapter.hold(&shop, "ann").await;
    adapter.pay("ann", order, "mada", "pay-00001").await.unwrap();
    assert_eq!(refund(&adapter, order, units(order, 1), "refund-00001").await, Ok(OrderStatus::Paid));
    assert_eq!(refund(&adapter, order, units(order, 1), "refund-00001").await, Ok(OrderStatus::Paid), "a retry");
    assert_eq!(adapter.payments().await, [("captured".to_owned(), 14_700, 4_900)]);
    adapter.sample.lose_answer_to("create_refund");
    assert_eq!(refund(&adapter, order, RefundScope::Whole, "refund-00002").await, Err(Error::OutcomeUnknown));
    assert_eq!(refund(&adapter, order, RefundScope::Whole, "refund-00002").await, Ok(OrderStatus::Refunded));
    assert_eq!(adapter.payments().await, [("captured".to_owned(), 14_700, 14_700)]);
    let records = shop.store.refunds_of_order(order).await.unwrap();
    assert!(
        records.iter().all(|record| record.refund.status == RefundStatus::Done && record.refund.reference.is_some())
    );
    shop.assert_consistent().await;
    adapter.end().await;
}

/// Somebody has given everything back at the provider; a refund of the shop of exactly that amount is refused there, and that one is treated as it.
async fn refund_made_by_hand_at_the_provider_stands_for_ours(shop: Fixture) {
    let adapter = Adapter::start(&shop).await;
    let order = adapter.hold(&shop, "ann").await;
    adapter.pay("ann", order, "mada", "pay-00001").await.unwrap();
    let payment = shop.store.payment(order, 1).await.unwrap().unwrap().reference.unwrap();
    press(&format!("{}/pay/{payment}", adapter.sample.url), "refund").await;
    assert_eq!(refund(&adapter, order, RefundScope::Whole, "refund-00001").await, Ok(OrderStatus::Refunded));
    assert_eq!(adapter.payments().await, [("captured".to_owned(), 14_700, 14_700)], "never more than was taken");
    adapter.end().await;
}

async fn event_of_the_adapter_counts_once_and_only_with_its_signature(shop: Fixture) {
    let adapter = Adapter::start(&shop).await;
    let order = adapter.hold(&shop, "ann").await;
    let page = adapter.page("ann", order).await;
    press(&page, "yes").await;
    until_final(&shop, order).await;
    let count = "select count(*) from payment_events";
    // The page that was made, and the money that was taken.
    let arrived = async || (shop.number(count).await == 2).then(|| adapter.events.lock().unwrap()[0].clone());
    let (signature, raw) = until_some("events", SOON, arrived).await;
    let before = 2;
    assert_eq!(deliver(&adapter.app, &signature, &raw).await, Ok(()), "a duplicate is acknowledged");
    assert_eq!(shop.number(count).await, before);
    let refused = Err(Error::Refused(Refusal::BadSignature));
    let body = br#"{"type":"payment.updated","payment":"ch_1_1"}"#;
    let now = Clock::system().now() / 1_000;
    let other = "whsec_YW5vdGhlci1rZXktb2YtdGhlLXRlc3RzLTMyLWJ5dGVz";
    for (key, id, at, is_taken) in [
        (KEY, "evt_a", now, true),
        (OLD_KEY, "evt_b", now, true),
        (other, "evt_c", now, false),
        (KEY, "evt_d", now - 301, false),
        (KEY, "evt_e", now + 301, false),
    ] {
        let signature = MessageKey::parse(key).unwrap().sign(id, at, body);
        let answer = deliver(&adapter.app, &[id.to_owned(), at.to_string(), signature], body).await;
        assert_eq!(answer.is_ok(), is_taken, "{id}: {answer:?}");
    }
    let (mut forged, raw) = (signature.clone(), [&raw[..], b" "].concat());
    assert_eq!(deliver(&adapter.app, &signature, &raw).await, refused, "other bytes");
    forged.truncate(2);
    assert_eq!(deliver(&adapter.app, &forged, &raw).await, refused, "no signature");
    assert_eq!(shop.number(count).await, before + 2);
    adapter.end().await;
}

/// The sample takes no money and says so. A shop that takes real money must give nothing away for it.
async fn payment_for_trials_is_none_of_a_shop_with_real_money(shop: Fixture) {
    let adapter = Adapter::start_with(&shop, true).await;
    let order = adapter.hold(&shop, "ann").await;
    assert_eq!(adapter.pay("ann", order, "mada", "pay-00001").await, Err(Error::Refused(Refusal::Declined)));
    assert_eq!(shop.order(order).await.status, OrderStatus::Held);
    assert_eq!(adapter.pay("ann", order, "visa", "pay-00002").await, Err(Error::Refused(Refusal::Declined)));
    let payments = adapter.payments().await;
    assert_eq!(payments, [("captured".to_owned(), 14_700, 14_700), ("cancelled".to_owned(), 0, 0)]);
    adapter.end().await;
}

async fn dispute_at_the_provider_calls_a_person(shop: Fixture) {
    let adapter = Adapter::start(&shop).await;
    let order = adapter.hold(&shop, "ann").await;
    adapter.pay("ann", order, "mada", "pay-00001").await.unwrap();
    let payment = shop.store.payment(order, 1).await.unwrap().unwrap().reference.unwrap();
    let send = async |kind: &str| {
        let body = json!({ "type": kind, "payment": payment }).to_string();
        let now = Clock::system().now() / 1_000;
        let signature = MessageKey::parse(KEY).unwrap().sign(kind, now, body.as_bytes());
        deliver(&adapter.app, &[kind.to_owned(), now.to_string(), signature], body.as_bytes()).await.unwrap();
    };
    send("dispute.opened").await;
    let called = async || (adapter.app.counters().disputes.load(Ordering::Relaxed) == 1).then_some(());
    until_some("alarm", SOON, called).await;
    assert_eq!(shop.order(order).await.status, OrderStatus::Paid);
    let open = until_some("the dispute", SOON, async || shop.store.open_disputes(0, 10).await.unwrap().pop()).await;
    assert_eq!((open.order, open.has_details, open.dispute.amount), (order, false, 14_700));
    send("dispute.lost").await;
    let lost = async || (shop.number("select count(*) from disputes where status = 'lost'").await == 1).then_some(());
    until_some("its end", SOON, lost).await;
    assert_eq!(shop.store.open_disputes(0, 10).await.unwrap(), []);
    adapter.end().await;
}
