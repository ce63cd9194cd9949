//! Payments wait in a queue while the payment provider takes no more requests. Nobody who pressed Pay in time loses a unit.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fake_stripe::{Call, FakeStripe, Fault, Options};
use livesouk::app::{App, Error, Settings, StripeSettings, WebhookSecret};
use livesouk::domain::payment::EXTENSION_MAX_MS;
use livesouk::domain::{OrderId, OrderStatus, PaymentStatus, Refusal};
use tokio::task::JoinSet;

use super::builders::{actor, key, purchase_request};
use super::fixture::{Fixture, facts, payment_settings};
use crate::support::{SOON, until_some};

facts! {
    winners_of_a_rush_are_paid_in_turn_and_keep_their_units
    payment_is_sent_again_when_its_node_died
    order_that_ended_in_the_queue_asks_for_no_money
    attempt_whose_answer_was_lost_ends_after_its_order
    full_queue_refuses_before_anything_is_written
}

/// What Stripe takes in a second.
const RATE: u32 = 25;

struct Rush {
    fake: FakeStripe,
    apps: Vec<Arc<App>>,
}

impl Rush {
    /// A server of the provider that takes 25 requests a second to each endpoint, and nodes that share this rate.
    async fn start(shop: &Fixture, nodes: usize) -> Self {
        let fake = FakeStripe::start(Options { rate_per_endpoint: RATE, ..Options::default() }).await.unwrap();
        let mut apps = Vec::new();
        for _ in 0..nodes {
            let settings = Settings {
                stripe: Some(StripeSettings {
                    key: "rk_test_shop".to_owned(),
                    api_base: fake.base().to_owned(),
                    webhook_secrets: vec![WebhookSecret::new("whsec_of-the-tests")],
                    return_url: "https://shop.example/".to_owned(),
                    card_form: None,
                }),
                is_test_provider_enabled: false,
                are_requests_limited: false,
                ..payment_settings(10_000)
            };
            apps.push(Arc::new(shop.app_with(shop.store.clone(), settings).await));
        }
        let rush = Self { fake, apps };
        let share = f64::from(RATE) * 0.9 / nodes as f64;
        until_some("shares of the nodes", SOON, async || {
            rush.apps.iter().all(|app| pacer(app).node_rate() <= share).then_some(())
        })
        .await;
        rush
    }

    /// Pays as a page does: the same request with the same key, until there is an answer. Gives the longest place that it was told.
    async fn pay_to_the_end(app: Arc<App>, buyer: String, order: OrderId, token: String) -> (OrderStatus, i64) {
        let (mut longest, give_up) = (0, Instant::now() + Duration::from_secs(120));
        loop {
            match app.checkout.pay(&actor(&buyer), order, &token, None, key("pay-00001")).await {
                Ok(paid) => return (paid.order.status, longest),
                Err(Error::Refused(Refusal::PaymentQueued { place, .. })) => longest = longest.max(place),
                Err(Error::OutcomeUnknown) => {}
                Err(other) => panic!("{buyer}: {other}"),
            }
            assert!(Instant::now() < give_up, "{buyer} waits");
        }
    }

    async fn end(self) {
        for app in &self.apps {
            app.stopping().cancel();
        }
        for app in &self.apps {
            app.finish().await;
        }
    }
}

fn pacer(app: &App) -> &livesouk::app::Pacer {
    &app.checkout.queue.as_ref().unwrap().pacer
}

/// `LIVESOUK_WINNERS=500` makes the rush larger (`scripts/test --all`).
fn winners() -> i64 {
    std::env::var("LIVESOUK_WINNERS").map_or(60, |winners| winners.parse().expect("a number"))
}

async fn winners_of_a_rush_are_paid_in_turn_and_keep_their_units(shop: Fixture) {
    let winners = winners();
    // Several nodes share the rate where they share the database.
    let rush = Rush::start(&shop, if shop.is_postgres() { 3 } else { 1 }).await;
    let offer = shop.offer(winners, 1).await;
    let buyers: Vec<String> = (0..winners).map(|n| format!("winner-{n}")).collect();
    let requests: Vec<_> = buyers.iter().map(|buyer| purchase_request(buyer, &format!("key-of-{buyer}"), 1)).collect();
    let mut orders = Vec::new();
    for part in requests.chunks(100) {
        let sold = shop.sell(offer, part).await;
        orders.extend(sold.results.into_iter().map(|result| result.unwrap().reservation.id));
    }
    // Everybody presses Pay before this; of 500 buyers the last is paid long after it.
    let end = shop.store.now().await.unwrap() + 10_000;
    shop.run(&format!("update reservations set hold_until = {end}")).await;
    let began = Instant::now();
    let mut paying = JoinSet::new();
    for (n, (buyer, order)) in buyers.iter().cloned().zip(orders.iter().copied()).enumerate() {
        let app = rush.apps[n % rush.apps.len()].clone();
        paying.spawn(Rush::pay_to_the_end(
            app,
            buyer,
            order,
            rush.fake.confirmation_token_of("4242424242424242", n as u32).unwrap(),
        ));
    }
    let place = "select count(*) from payments where status = 'creating' and called_at is null";
    until_some("queue", SOON, async || (shop.number(place).await > winners / 3).then_some(())).await;
    // As after an outage: the holds of the last in the queue have ended, and none of them is released. No node is about to send theirs.
    let last = winners / 6;
    let end_last = format!(
        "update reservations set hold_until = 1 where status = 'held' and order_id in
            (select order_id from payments where status = 'creating' and called_at is null
                order by queue_number desc limit {last})"
    );
    shop.run(&end_last).await;
    let results = paying.join_all().await;
    let took = began.elapsed();
    let told = results.iter().map(|(_, place)| *place).max();
    eprintln!("{winners} winners were paid in {took:?}; the longest place that one was told: {told:?}");
    assert!(results.iter().all(|(status, _)| *status == OrderStatus::Paid));
    assert!(took > Duration::from_secs_f64((winners - 10) as f64 / f64::from(RATE)), "the pace was not kept: {took:?}");
    let intents = rush.fake.intents();
    assert_eq!(intents.len(), orders.len(), "each was charged once");
    assert!(intents.iter().all(|intent| intent["status"] == "succeeded"));
    assert_eq!(shop.number("select count(*) from reservations where status = 'sold'").await, winners);
    let refused: u64 = rush.apps.iter().map(|app| pacer(app).refused.load(Ordering::Relaxed)).sum();
    assert!(refused <= 3, "{refused} requests were too many for the provider");
    shop.assert_consistent().await;
    rush.end().await;
}

async fn payment_is_sent_again_when_its_node_died(shop: Fixture) {
    let rush = Rush::start(&shop, 1).await;
    let order = shop.hold_one(shop.offer(1, 1).await, "ann").await.id;
    // The node that took it from the queue died before it sent it.
    rush.fake.plan_fault(Call::Create, Fault::CutBefore, 1);
    let token = rush.fake.confirmation_token("4242424242424242").unwrap();
    let answer = rush.apps[0].checkout.pay(&actor("ann"), order, &token, None, key("pay-00001")).await;
    assert_eq!(answer.map(|_| ()), Err(Error::OutcomeUnknown));
    assert!(rush.fake.intents().is_empty());
    // The buyer has gone. A minute later the queue sends it again.
    shop.run("update payments set call_due_at = 0").await;
    until_some("paid order", SOON, async || (shop.order(order).await.status == OrderStatus::Paid).then_some(())).await;
    assert_eq!(rush.fake.intents().len(), 1);
    rush.end().await;
}

async fn order_that_ended_in_the_queue_asks_for_no_money(shop: Fixture) {
    let offer = shop.offer(1, 1).await;
    let order = shop.hold_one(offer, "ann").await.id;
    let mut payment = shop.begin_payment(order, "ctoken_1").await.unwrap();
    shop.run("update payments set queue_number = 1, provider = 'stripe'").await;
    shop.expire_holds(offer).await;
    let released = shop.store.release_expired_holds(offer, livesouk::store::LockWait::Skip).await.unwrap();
    assert_eq!(released.map(|ended| ended.len()), Some(1));
    let rush = Rush::start(&shop, 1).await;
    until_some("end of the attempt", SOON, async || {
        payment = shop.store.payment(order, 1).await.unwrap().unwrap();
        payment.status.is_final().then_some(())
    })
    .await;
    assert_eq!(payment.status, PaymentStatus::Cancelled);
    assert!(rush.fake.received().is_empty(), "{:?}", rush.fake.received());
    rush.end().await;
}

async fn attempt_whose_answer_was_lost_ends_after_its_order(shop: Fixture) {
    let rush = Rush::start(&shop, 1).await;
    let offer = shop.offer(1, 1).await;
    let order = shop.hold_one(offer, "ann").await.id;
    rush.fake.plan_fault(Call::Create, Fault::CutBefore, 1);
    let token = rush.fake.confirmation_token("4242424242424242").unwrap();
    let answer = rush.apps[0].checkout.pay(&actor("ann"), order, &token, None, key("pay-00001")).await;
    assert_eq!(answer.map(|_| ()), Err(Error::OutcomeUnknown));
    shop.run(&format!("update reservations set hold_until = 1000, extended_ms = {EXTENSION_MAX_MS}")).await;
    until_some("released hold", SOON, async || (shop.order(order).await.status == OrderStatus::Expired).then_some(()))
        .await;
    // The queue leaves it alone from now on, so that the time since the last request grows.
    shop.run("update payments set call_due_at = 0, called_at = called_at - 60000, tried_at = 0").await;
    let called = "select called_at from payments";
    let called_at = shop.number(called).await;
    assert_eq!(shop.store.take_due_payments("stripe", 9).await.unwrap(), []);
    assert_eq!(shop.number(called).await, called_at);
    rush.apps[0].checkout.reconcile(0).await.unwrap();
    assert_eq!(shop.store.payment(order, 1).await.unwrap().unwrap().status, PaymentStatus::Cancelled);
    assert_eq!(rush.fake.received().iter().filter(|call| call.method == "POST").count(), 1);
    rush.end().await;
}

async fn full_queue_refuses_before_anything_is_written(shop: Fixture) {
    let rush = Rush::start(&shop, 1).await;
    let order = shop.hold_one(shop.offer(1, 1).await, "ann").await.id;
    let token = rush.fake.confirmation_token("4242424242424242").unwrap();
    // None of them may be sent today.
    let due = shop.store.now().await.unwrap() + 86_400_000;
    let other = shop.id(OrderId::new().0);
    let fill = format!(
        "with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 10000)
        insert into payments (order_id, attempt, provider, token, status, amount, currency, created_at, changed_at,
            queue_number, call_due_at)
        select {other}, n, 'stripe', 'ctoken_1', 'creating', 4900, 'SAR', {due}, {due}, n, {due} from numbers"
    );
    shop.run(&fill).await;
    let queue = rush.apps[0].checkout.queue.clone().unwrap();
    let is_counted = async || (queue.waiting.load(Ordering::Relaxed) == 10_000).then_some(());
    until_some("count of the queue", SOON, is_counted).await;
    let answer = rush.apps[0].checkout.pay(&actor("ann"), order, &token, None, key("pay-00001")).await;
    assert!(matches!(answer, Err(Error::Refused(Refusal::Busy { .. }))), "{answer:?}");
    assert_eq!(shop.number(&format!("select count(*) from payments where order_id <> {other}")).await, 0);
    rush.end().await;
}
