//! Holds are made longer while their payment is under way, and never shorter.

use livesouk::app::{App, BackgroundJob, HoldJob, Settings};
use livesouk::broker::Broker;
use livesouk::clock::Clock;
use livesouk::domain::payment::{EXTENSION_MAX_MS, QUEUE_HOLD_MS};
use livesouk::domain::{Millis, OrderId, OrderStatus, PaymentStatus};
use livesouk::store::{LockWait, ReleaseReason};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use super::builders::{actor, key};
use super::fixture::{Fixture, facts, payment_settings};
use crate::support::{SOON, until_some};

facts! {
    payment_lengthens_holds_that_would_end_during_it
    payment_leaves_a_long_hold_alone
    attempts_lengthen_a_hold_by_five_minutes_in_all
    attempts_through_the_queue_lengthen_a_hold_by_five_minutes_in_all
    attempt_that_waits_in_the_queue_lengthens_without_a_limit
    attempt_that_waits_for_its_buyer_lengthens_nothing
    hold_that_was_released_is_not_lengthened
    job_lengthens_a_hold_while_the_answer_stays_away
    holds_of_the_queue_outlive_an_outage_of_their_node
}

impl Fixture {
    async fn hold_until(&self, order: OrderId) -> Millis {
        self.order(order).await.hold_until
    }

    /// A held order whose hold ends so many milliseconds from now.
    async fn hold_that_ends_in(&self, ms: Millis) -> OrderId {
        let order = self.hold_one(self.offer(1, 1).await, "ann").await.id;
        self.end_hold_in(order, ms).await;
        order
    }

    async fn end_hold_in(&self, order: OrderId, ms: Millis) {
        let until = self.store.now().await.unwrap() + ms;
        self.run(&format!("update reservations set hold_until = {until} where id = {}", self.id(order.0))).await;
    }
}

async fn payment_lengthens_holds_that_would_end_during_it(shop: Fixture) {
    let app = shop.app_with_provider(10_000).await;
    let order = shop.hold_that_ends_in(3_000).await;
    let before = shop.order(order).await;
    let asked_at = shop.store.now().await.unwrap();
    app.checkout.pay(&actor("ann"), order, "declined", None, key("pay-00001")).await.unwrap_err();
    let after = shop.order(order).await;
    // The deadline of the request, and the margin to record its outcome.
    assert!(after.hold_until >= asked_at + 20_000, "{} ms", after.hold_until - asked_at);
    assert!(after.hold_until < asked_at + 25_000, "a payment that has ended adds nothing more");
    assert!(after.version > before.version, "a client takes the new time for newer");
    app.stopping().cancel();
    app.finish().await;
}

async fn payment_leaves_a_long_hold_alone(shop: Fixture) {
    let app = shop.app_with_provider(10_000).await;
    let order = shop.hold_that_ends_in(90_000).await;
    let before = shop.order(order).await;
    app.checkout.pay(&actor("ann"), order, "declined", None, key("pay-00001")).await.unwrap_err();
    let after = shop.order(order).await;
    assert_eq!((after.hold_until, after.version), (before.hold_until, before.version));
    app.stopping().cancel();
    app.finish().await;
}

async fn attempts_lengthen_a_hold_by_five_minutes_in_all(shop: Fixture) {
    let order = shop.hold_that_ends_in(1_000).await;
    let first = shop.hold_until(order).await;
    let mut ends = vec![first];
    for n in 0..8 {
        let payment = shop.begin_payment(order, "ok").await.unwrap();
        let until = first + (n + 1) * 45_000;
        shop.store.extend_called_holds(until, until).await.unwrap();
        ends.push(shop.hold_until(order).await);
        assert!(shop.store.update_payment_status(&payment, PaymentStatus::Declined, None).await.unwrap());
    }
    assert!(ends.is_sorted(), "{ends:?}");
    assert_eq!(ends.last().unwrap() - first, EXTENSION_MAX_MS, "{ends:?}");
    let extended = shop.number("select extended_ms from reservations").await;
    assert_eq!(extended, EXTENSION_MAX_MS);
}

/// One declined card after another does not keep a unit, also when each of them joins the queue.
async fn attempts_through_the_queue_lengthen_a_hold_by_five_minutes_in_all(shop: Fixture) {
    let order = shop.hold_that_ends_in(1_000).await;
    let first = shop.hold_until(order).await;
    for _ in 0..20 {
        let payment = shop.begin_queued_payment(order, "ok").await.unwrap();
        assert!(payment.is_sent_by_queue);
        assert!(shop.store.update_payment_status(&payment, PaymentStatus::Declined, None).await.unwrap());
        // As if the time had passed that the attempt has added.
        shop.run("update reservations set hold_until = hold_until - 60000 where coalesce(extended_ms, 0) < 300000")
            .await;
    }
    let extended = shop.number("select extended_ms from reservations").await;
    assert_eq!(extended, EXTENSION_MAX_MS);
    assert!(shop.hold_until(order).await < first + QUEUE_HOLD_MS + 10_000, "{}", shop.hold_until(order).await - first);
}

async fn attempt_that_waits_in_the_queue_lengthens_without_a_limit(shop: Fixture) {
    let order = shop.hold_that_ends_in(1_000).await;
    shop.begin_payment(order, "ok").await.unwrap();
    shop.run("update payments set queue_number = 1").await;
    let first = shop.hold_until(order).await;
    for n in 1..=10 {
        let until = first + n * QUEUE_HOLD_MS;
        assert_eq!(shop.store.extend_queued_holds("test", until - 1, until).await.unwrap(), [order]);
        assert_eq!(shop.hold_until(order).await, until);
        assert_eq!(
            shop.store.extend_queued_holds("test", until, until + 1).await.unwrap(),
            [],
            "it does not end before"
        );
        assert_eq!(shop.store.extend_called_holds(until + 1, until + 1).await.unwrap(), [], "nobody was asked");
    }
    let far = first + 100 * QUEUE_HOLD_MS;
    assert_eq!(shop.store.extend_queued_holds("other", far, far).await.unwrap(), [], "this node sends it to nobody");
    assert_eq!(shop.number("select coalesce(extended_ms, 0) from reservations").await, 0, "waiting costs nothing");
}

async fn attempt_that_waits_for_its_buyer_lengthens_nothing(shop: Fixture) {
    let order = shop.hold_that_ends_in(1_000).await;
    let payment = shop.begin_payment(order, "needs_action").await.unwrap();
    assert!(shop.store.update_payment_status(&payment, PaymentStatus::NeedsAction, Some("pi_1")).await.unwrap());
    let before = shop.hold_until(order).await;
    assert_eq!(shop.store.extend_called_holds(before + 1, before + 1).await.unwrap(), []);
    assert_eq!(shop.store.extend_queued_holds("test", before + 1, before + 1).await.unwrap(), []);
    assert_eq!(shop.hold_until(order).await, before);
}

async fn hold_that_was_released_is_not_lengthened(shop: Fixture) {
    let offer = shop.offer(1, 1).await;
    let order = shop.hold_one(offer, "ann").await.id;
    shop.begin_payment(order, "ok").await.unwrap();
    shop.expire_holds(offer).await;
    assert_eq!(
        shop.store.release_expired_holds(offer, LockWait::Skip).await.unwrap().map(|ended| ended.len()),
        Some(1)
    );
    let far = shop.store.now().await.unwrap() + 1_000_000;
    assert_eq!(shop.store.extend_called_holds(far, far).await.unwrap(), []);
    assert_eq!(shop.hold_until(order).await, 1_000);
    shop.assert_consistent().await;
}

async fn job_lengthens_a_hold_while_the_answer_stays_away(shop: Fixture) {
    let order = shop.hold_that_ends_in(100_000).await;
    shop.begin_payment(order, "ok").await.unwrap();
    shop.end_hold_in(order, 15_000).await;
    let before = shop.hold_until(order).await;
    let app = shop.app_with_provider(10_000).await;
    until_some("longer hold", SOON, async || (shop.hold_until(order).await > before).then_some(())).await;
    app.stopping().cancel();
    app.finish().await;
}

async fn holds_of_the_queue_outlive_an_outage_of_their_node(shop: Fixture) {
    let settings = Settings { payment_rate: Some(1), ..payment_settings(10_000) };
    // Its jobs end at once: only the one that this test runs does anything.
    let stopped = CancellationToken::new();
    stopped.cancel();
    let (store, clock) = (shop.store.clone(), Clock::system());
    let app = App::start(store, Broker::local(), clock, shop.shop.clone(), settings, stopped).await.unwrap();
    let offer = shop.offer(2, 1).await;
    let (paying, idle) = (shop.hold_one(offer, "ann").await.id, shop.hold_one(offer, "ben").await.id);
    shop.begin_queued_payment(paying, "ok").await.unwrap();
    shop.expire_holds(offer).await;
    HoldJob::new(app.checkout.clone()).run(false).await.unwrap();
    assert_eq!(shop.order(idle).await.status, OrderStatus::Expired);
    assert_eq!(shop.order(paying).await.status, OrderStatus::Held, "its buyer pressed Pay in time");
    assert!(shop.hold_until(paying).await > shop.store.now().await.unwrap());
    app.finish().await;
}

/// The lock on the row decides: who comes second sees what the first has done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn release_that_waits_for_an_extension_respects_it() {
    let shop = Fixture::on_postgres().await;
    let offer = shop.offer(2, 1).await;
    let order = shop.hold_one(offer, "ann").await.id;
    shop.begin_payment(order, "ok").await.unwrap();
    shop.expire_holds(offer).await;
    let mut other = PgConnection::connect(&shop.url).await.unwrap();
    let extend = format!("begin; update reservations set hold_until = {} where id = '{}'", i64::MAX / 2, order.0);
    sqlx::raw_sql(AssertSqlSafe(extend)).execute(&mut other).await.unwrap();
    // It passes over the row that is locked.
    let released = shop.store.release_expired_holds(offer, LockWait::Skip).await.unwrap();
    assert_eq!(released, Some(Vec::new()));
    // This one waits for the row, and began while the hold had ended.
    let release = {
        let (store, ids) = (shop.store.clone(), [order]);
        tokio::spawn(async move { store.release_reservations(offer, &ids, ReleaseReason::HoldEnded, None).await })
    };
    let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    until_some("waiting release", SOON, async || (shop.number(waits).await > 0).then_some(())).await;
    sqlx::raw_sql("commit").execute(&mut other).await.unwrap();
    assert_eq!(release.await.unwrap().unwrap(), [], "the hold was made longer before the row was free");
    // The other way round: an extension passes over a row that is being released.
    shop.expire_holds(offer).await;
    let hold = format!("begin; select id from reservations where id = '{}' for update", order.0);
    sqlx::raw_sql(AssertSqlSafe(hold)).execute(&mut other).await.unwrap();
    let far = shop.store.now().await.unwrap() + 1_000_000;
    assert_eq!(shop.store.extend_called_holds(far, far).await.unwrap(), []);
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    assert_eq!(shop.store.extend_called_holds(far, far).await.unwrap(), [order]);
}
