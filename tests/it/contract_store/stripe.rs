//! Payments with Stripe, against a server that speaks its API and fails on request.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use fake_stripe::{API_VERSION, Call, Endpoint, FakeStripe, Fault, Options};
use livesouk::app::{App, Error, Settings, StripeSettings, WebhookSecret};
use livesouk::domain::{OrderId, OrderStatus, PaymentStatus, Refusal};

use super::builders::{actor, key};
use super::fixture::{Fixture, facts, payment_settings};
use crate::support::{SOON, until_some};

facts! {
    payment_with_stripe_is_authorised_won_and_captured
    declined_card_leaves_the_order_payable
    buyer_completes_three_d_secure_and_an_event_finishes_the_payment
    address_of_the_bank_comes_with_the_answer
    lost_answer_never_charges_twice_or_loses_the_order
    saved_failure_ends_the_attempt_only_if_nothing_was_made
    abandoned_stripe_payment_is_found_in_the_list
    method_that_answers_later_is_waited_for
    dispute_calls_a_person_and_changes_nothing
    event_with_a_wrong_signature_is_refused
}

pub const SECRET: &str = "whsec_the-secret-of-the-tests";

/// A shop whose payments go to a server of its own.
pub struct Stripe {
    pub fake: FakeStripe,
    pub app: Arc<App>,
}

impl Stripe {
    pub async fn start(shop: &Fixture) -> Self {
        Self::start_with_key(shop, "rk_test_shop").await
    }

    pub async fn start_with_key(shop: &Fixture, key: &str) -> Self {
        let fake = FakeStripe::start(Options { rate_per_endpoint: 10_000, ..Options::default() }).await.unwrap();
        let settings = Settings {
            stripe: Some(StripeSettings {
                key: key.to_owned(),
                api_base: fake.base().to_owned(),
                webhook_secrets: ["whsec_new", SECRET].map(WebhookSecret::new).to_vec(),
                return_url: "https://shop.example/".to_owned(),
                card_form: None,
            }),
            is_test_provider_enabled: false,
            are_requests_limited: false,
            ..payment_settings(10_000)
        };
        let app = Arc::new(shop.app_with(shop.store.clone(), settings).await);
        Self { fake, app }
    }

    /// From now on events arrive, over HTTP, at the code that every node runs.
    pub async fn receive_events(&self) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let app = self.app.clone();
        let receive = post(move |headers: HeaderMap, raw: Bytes| {
            let app = app.clone();
            async move {
                let signature = headers["stripe-signature"].to_str().unwrap().to_owned();
                match app.checkout.receive_webhook(&[&signature], &raw).await {
                    Ok(()) => StatusCode::OK,
                    Err(_) => StatusCode::BAD_REQUEST,
                }
            }
        });
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/", receive)).await });
        self.fake.add_endpoint(Endpoint { url, secrets: vec![SECRET.to_owned()], has_old_shape: false });
    }

    pub async fn hold(&self, shop: &Fixture, buyer: &str) -> OrderId {
        self.hold_units(shop, buyer, 1).await
    }

    /// Units of an offer that has no others.
    pub async fn hold_units(&self, shop: &Fixture, buyer: &str, qty: i64) -> OrderId {
        let offer = shop.offer(qty, qty).await;
        let bought = self.app.checkout.buy(&actor(buyer), offer, qty, key(&format!("buy-{}", offer.0.simple()))).await;
        bought.unwrap().order.id
    }

    pub async fn pay(&self, buyer: &str, order: OrderId, token: &str, with: &str) -> Result<OrderStatus, Error> {
        self.app.checkout.pay(&actor(buyer), order, token, None, key(with)).await.map(|paid| paid.order.status)
    }

    pub fn token(&self, card: &str) -> String {
        self.fake.confirmation_token(card).unwrap()
    }

    fn statuses(&self) -> Vec<String> {
        self.fake.intents().iter().map(|intent| intent["status"].as_str().unwrap().to_owned()).collect()
    }

    pub async fn end(self) {
        assert!(self.fake.received().iter().all(|call| !call.path.contains("search")), "the search is late");
        self.app.stopping().cancel();
        self.app.finish().await;
    }
}

async fn payment_with_stripe_is_authorised_won_and_captured(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let order = stripe.hold(&shop, "ann").await;
    assert_eq!(stripe.pay("ann", order, &stripe.token("4242424242424242"), "pay-00001").await, Ok(OrderStatus::Paid));
    let intents = stripe.fake.intents();
    assert_eq!(intents.len(), 1);
    let amount = shop.order(order).await.amount;
    assert_eq!((&intents[0]["amount_received"], &intents[0]["currency"]), (&amount.into(), &"sar".into()));
    assert_eq!(intents[0]["metadata"]["order"], order.to_string());
    for call in stripe.fake.received() {
        assert_eq!(call.version.as_deref(), Some(API_VERSION));
        assert_eq!(call.idempotency_key.is_some(), call.method == "POST", "{call:?}");
    }
    shop.assert_consistent().await;
    stripe.end().await;
}

async fn declined_card_leaves_the_order_payable(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let order = stripe.hold(&shop, "ann").await;
    let declined = stripe.token("4000000000000002");
    for _ in 0..2 {
        let answer = stripe.pay("ann", order, &declined, "pay-00001").await;
        assert_eq!(answer, Err(Error::Refused(Refusal::Declined)), "the same key has one result");
    }
    let wrong = stripe.pay("ann", order, "4242424242424242", "pay-00002").await;
    assert!(matches!(wrong, Err(Error::Refused(Refusal::BadField { .. }))), "a card number is no token: {wrong:?}");
    assert_eq!(stripe.pay("ann", order, &stripe.token("4242424242424242"), "pay-00003").await, Ok(OrderStatus::Paid));
    assert_eq!(stripe.statuses(), ["requires_payment_method", "succeeded"]);
    stripe.end().await;
}

/// Nobody asks the provider for it again.
async fn address_of_the_bank_comes_with_the_answer(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let order = stripe.hold(&shop, "ann").await;
    let token = stripe.token("4000000000003220");
    let asked = stripe.pay("ann", order, &token, "pay-00001").await;
    assert!(matches!(asked, Err(Error::Refused(Refusal::NeedsAction { .. }))), "{asked:?}");
    let looks = stripe.fake.received().into_iter().filter(|call| call.method == "GET");
    assert_eq!(looks.map(|call| call.path).collect::<Vec<_>>(), Vec::<String>::new());
    stripe.end().await;
}

async fn buyer_completes_three_d_secure_and_an_event_finishes_the_payment(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    stripe.receive_events().await;
    for (buyer, agrees, status) in [("ann", true, OrderStatus::Paid), ("bob", false, OrderStatus::Held)] {
        let order = stripe.hold(&shop, buyer).await;
        let token = stripe.token("4000000000003220");
        let asked = stripe.pay(buyer, order, &token, "pay-00001").await;
        let Err(Error::Refused(Refusal::NeedsAction { action_url })) = asked else { panic!("{asked:?}") };
        let intent = stripe.fake.intents().last().unwrap()["id"].as_str().unwrap().to_owned();
        assert_eq!(action_url, format!("{}/3ds/{intent}", stripe.fake.base()));
        assert!(stripe.fake.authenticate(&intent, agrees));
        // Nobody asks again: the event does it.
        until_some("end of the attempt", SOON, async || {
            let payment = shop.store.payment(order, 1).await.unwrap().unwrap();
            payment.status.is_final().then_some(())
        })
        .await;
        assert_eq!(shop.order(order).await.status, status, "{buyer}");
    }
    assert_eq!(stripe.statuses(), ["succeeded", "requires_payment_method"]);
    stripe.end().await;
}

async fn lost_answer_never_charges_twice_or_loses_the_order(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let faults =
        [Fault::ErrorAfter, Fault::CutBefore, Fault::CutAfter, Fault::HalfAnswer, Fault::LockTimeout, Fault::RateLimit];
    let mut n = 0;
    for call in [Call::Create, Call::Capture] {
        for fault in faults.into_iter().chain((call == Call::Capture).then_some(Fault::ErrorBefore)) {
            n += 1;
            let buyer = format!("ann-{n}");
            let order = stripe.hold(&shop, &buyer).await;
            let token = stripe.token("4242424242424242");
            stripe.fake.plan_fault(call, fault, 1);
            let first = stripe.pay(&buyer, order, &token, "pay-00001").await;
            // A request that was certainly not carried out is repeated at once.
            let was_not_done = matches!(fault, Fault::LockTimeout | Fault::RateLimit);
            let expected = if was_not_done { Ok(OrderStatus::Paid) } else { Err(Error::OutcomeUnknown) };
            assert_eq!(first, expected, "{call:?} {fault:?}");
            let again = stripe.pay(&buyer, order, &token, "pay-00001").await;
            assert_eq!(again, Ok(OrderStatus::Paid), "{call:?} {fault:?}");
            let statuses = stripe.statuses();
            assert_eq!(statuses.len(), n, "one intent for one order: {call:?} {fault:?}");
            assert!(statuses.iter().all(|status| status == "succeeded"), "{statuses:?}");
        }
    }
    shop.assert_consistent().await;
    stripe.end().await;
}

async fn saved_failure_ends_the_attempt_only_if_nothing_was_made(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let order = stripe.hold(&shop, "ann").await;
    let token = stripe.token("4242424242424242");
    stripe.fake.plan_fault(Call::Create, Fault::ErrorBefore, 1);
    assert_eq!(stripe.pay("ann", order, &token, "pay-00001").await, Err(Error::OutcomeUnknown));
    // Stripe repeats its failure for this key for a day. The attempt made nothing, so it ends, and the order can be paid.
    for _ in 0..2 {
        assert_eq!(stripe.pay("ann", order, &token, "pay-00001").await, Err(Error::Refused(Refusal::Declined)));
    }
    assert_eq!(stripe.pay("ann", order, &token, "pay-00002").await, Ok(OrderStatus::Paid));
    assert_eq!(stripe.statuses(), ["succeeded"]);
    stripe.end().await;
}

async fn abandoned_stripe_payment_is_found_in_the_list(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    // Others pay at the same time, so that the list has several pages.
    for n in 0..3 {
        let buyer = format!("other-{n}");
        let order = stripe.hold(&shop, &buyer).await;
        stripe.pay(&buyer, order, &stripe.token("4242424242424242"), "pay-00001").await.unwrap();
    }
    let order = stripe.hold(&shop, "ann").await;
    stripe.fake.plan_fault(Call::Create, Fault::CutAfter, 1);
    let answer = stripe.pay("ann", order, &stripe.token("4242424242424242"), "pay-00001").await;
    assert_eq!(answer, Err(Error::OutcomeUnknown));
    assert_eq!(shop.store.payment(order, 1).await.unwrap().unwrap().reference, None);
    stripe.app.checkout.reconcile(0).await.unwrap();
    assert_eq!(shop.order(order).await.status, OrderStatus::Paid);
    assert_eq!(stripe.statuses(), ["succeeded"; 4]);
    let creates = stripe
        .fake
        .received()
        .iter()
        .filter(|call| call.path == "/v1/payment_intents" && call.method == "POST")
        .count();
    assert_eq!(creates, 4, "the reconciler creates nothing");
    stripe.end().await;
}

async fn method_that_answers_later_is_waited_for(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let order = stripe.hold(&shop, "ann").await;
    let token = stripe.token("pm_fake_processing");
    assert_eq!(stripe.pay("ann", order, &token, "pay-00001").await, Err(Error::OutcomeUnknown));
    stripe.app.checkout.reconcile(0).await.unwrap();
    let waiting = shop.store.payment(order, 1).await.unwrap().unwrap();
    assert_eq!((waiting.status, waiting.order_status), (PaymentStatus::Creating, OrderStatus::Held));
    stripe.fake.advance(Duration::from_secs(61));
    shop.run("update payments set tried_at = 0").await;
    stripe.app.checkout.reconcile(0).await.unwrap();
    assert_eq!(shop.order(order).await.status, OrderStatus::Paid);
    stripe.end().await;
}

async fn dispute_calls_a_person_and_changes_nothing(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    stripe.receive_events().await;
    let disputed = stripe.hold(&shop, "bob").await;
    stripe.pay("bob", disputed, &stripe.token("pm_card_createDispute"), "pay-00001").await.unwrap();
    let called = async || (stripe.app.counters().disputes.load(Ordering::Relaxed) == 1).then_some(());
    until_some("alarm", SOON, called).await;
    assert_eq!(shop.order(disputed).await.status, OrderStatus::Paid);
    stripe.end().await;
}

async fn event_with_a_wrong_signature_is_refused(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let body = br#"{"id":"evt_1","type":"payment_intent.succeeded","data":{"object":{"object":"payment_intent","id":"pi_1"}}}"#;
    let now = livesouk::clock::Clock::system().now();
    for (secret, is_known) in [("whsec_new", true), (SECRET, true), ("whsec_other", false)] {
        let signature = WebhookSecret::new(secret).sign(now, body);
        let received = stripe.app.checkout.receive_webhook(&[&signature], body).await;
        assert_eq!(received.is_ok(), is_known, "{secret}: {received:?}");
    }
    assert_eq!(shop.number("select count(*) from payment_events").await, 1);
    stripe.end().await;
}
