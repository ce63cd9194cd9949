//! The sums of the reports: at any time, a report says what the orders say when they are counted one by one.

use livesouk::domain::{OfferId, OrderId, OrderStatus, RefundScope};
use livesouk::store::{NewRefund, ReleaseReason, SalesTotals, Store};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::builders::{key, purchase_request, user};
use super::fixture::{Fixture, facts};
use super::random_stock::Seed;

facts! {
    report_says_what_the_orders_say_at_any_time
    orders_are_summed_once
    orders_that_are_not_decided_wait_for_a_minute
    sums_of_a_closed_offer_are_complete
}

const STEPS: usize = 250;
/// The orders that are in reports.
const REAL: &str = "buyer not like 'crowd:%'";

/// Sums until nothing is left to do.
pub async fn sum_everything(store: &Store) {
    loop {
        let progress = store.sum_orders(0).await.unwrap();
        if progress.rows == 0 && !progress.is_elsewhere {
            break;
        }
    }
}

/// The figures of a set of orders, counted one by one.
async fn counted(shop: &Fixture, of: &str) -> SalesTotals {
    let number = async |what: &str, status: &str| {
        shop.number(&format!(
            "select cast(coalesce({what}, 0) as bigint) from reservations where {of} and {status} and {REAL}"
        ))
        .await
    };
    SalesTotals {
        orders_held: number("count(*)", "status in ('held', 'capturing')").await,
        orders_paid: number("count(*)", "status = 'sold' and returned = 0").await,
        units_paid: number("sum(qty)", "status = 'sold' and returned = 0").await,
        amount_paid: number("sum(amount)", "status = 'sold' and returned = 0").await,
        orders_refunded: number("count(*)", "status = 'sold' and returned = qty").await,
        amount_refunded: number("sum(amount)", "status = 'sold' and returned = qty").await,
        orders_expired: number("count(*)", "status = 'expired'").await,
        orders_cancelled: number("count(*)", "status = 'cancelled'").await,
    }
}

async fn assert_report(shop: &Fixture, offers: &[OfferId], when: &str) {
    assert_eq!(shop.store.sales_totals(shop.stream).await.unwrap(), counted(shop, "true").await, "{when}");
    let by_offer = shop.store.sales_by_offer(shop.stream).await.unwrap();
    assert_eq!(by_offer.len(), offers.len());
    for sales in by_offer {
        let own = counted(shop, &format!("offer = {}", shop.id(sales.offer.0))).await;
        assert_eq!(
            (sales.held, sales.paid, sales.units, sales.amount, sales.refunded, sales.expired, sales.cancelled),
            (
                own.orders_held,
                own.orders_paid,
                own.units_paid,
                own.amount_paid,
                own.orders_refunded,
                own.orders_expired,
                own.orders_cancelled
            ),
            "{when}"
        );
    }
    let minutes = shop.store.orders_by_minute(shop.stream).await.unwrap();
    for (minute, orders) in &minutes {
        let own = format!("select count(*) from reservations where created_at / 60000 * 60000 = {minute} and {REAL}");
        assert_eq!(*orders, shop.number(&own).await, "{when}: {minute}");
    }
    let all: i64 = minutes.iter().map(|(_, orders)| orders).sum();
    assert_eq!(all, shop.number(&format!("select count(*) from reservations where {REAL}")).await, "{when}");
}

async fn refund(shop: &Fixture, order: OrderId) {
    let new = NewRefund {
        order,
        scope: RefundScope::Whole,
        by: user("noura"),
        key: key(&format!("refund-{}", order.0.simple())),
        hash: [1; 32],
        restock: true,
        reason: None,
    };
    // An order that is not paid cannot be refunded.
    if let Ok(refund) = shop.store.begin_refund(&new).await {
        shop.store.finish_refund(&refund).await.unwrap();
    }
}

/// One random change of one order, or a step of the job.
async fn change(shop: &Fixture, rng: &mut SmallRng, offers: &[OfferId], orders: &mut Vec<(OfferId, OrderId)>) {
    let (offer, order) = orders.choose(rng).copied().unwrap_or((offers[0], OrderId::new()));
    match rng.random_range(0..10) {
        0..=3 => {
            let offer = *offers.choose(rng).unwrap();
            // What a demo's simulated viewers buy is in no report.
            let kind = if rng.random_bool(0.1) { "crowd:" } else { "buyer-" };
            let buyer = format!("{kind}{}", orders.len());
            let request = purchase_request(&buyer, "key-00001", rng.random_range(1..4));
            if let Ok(bought) = shop.buy(offer, &request).await {
                orders.push((offer, bought.reservation.id));
            }
        }
        4 => drop(shop.begin_capture(order).await),
        5 => {
            if shop.begin_capture(order).await.is_ok() {
                let _ = shop.store.finish_capture(order).await;
            }
        }
        6 => drop(shop.store.release_reservations(offer, &[order], ReleaseReason::BuyerCancel, None).await),
        7 => {
            shop.run(&format!("update reservations set hold_until = 1000 where id = {}", shop.id(order.0))).await;
            drop(shop.store.release_reservations(offer, &[order], ReleaseReason::HoldEnded, None).await);
        }
        8 => refund(shop, order).await,
        _ => drop(shop.store.sum_orders(0).await.unwrap()),
    }
}

/// The kinds of reservations that there are none of.
async fn missing_kinds(shop: &Fixture, kinds: &[&'static str]) -> Vec<&'static str> {
    let mut missing = Vec::new();
    for kind in kinds {
        if shop.number(&format!("select count(*) from reservations where status = {kind}")).await == 0 {
            missing.push(*kind);
        }
    }
    missing
}

async fn report_says_what_the_orders_say_at_any_time(shop: Fixture) {
    let seed = Seed::take();
    let mut rng = SmallRng::seed_from_u64(seed.0);
    let offers = vec![shop.offer(500, 10).await, shop.offer(500, 10).await, shop.offer(500, 10).await];
    let mut orders = Vec::new();
    // Chance decides, so it goes on until there are reservations of each kind.
    let kinds = ["'held'", "'sold' and returned = 0", "'sold' and returned = qty", "'expired'", "'cancelled'"];
    let mut number = 0;
    let mut missing = kinds.to_vec();
    while number < STEPS || !missing.is_empty() {
        assert!(number < 10 * STEPS, "the steps lead to no reservation that is {missing:?}");
        change(&shop, &mut rng, &offers, &mut orders).await;
        if number % 10 == 0 {
            assert_report(&shop, &offers, &format!("step {number}")).await;
        }
        number += 1;
        if number >= STEPS {
            missing = missing_kinds(&shop, &kinds).await;
        }
    }
    sum_everything(&shop.store).await;
    assert_report(&shop, &offers, "summed").await;
    // A report reads the sums, and not the orders: what nobody has noted is not seen.
    assert_eq!(shop.store.count_unsummed_orders().await.unwrap(), 0);
    let before = shop.store.sales_totals(shop.stream).await.unwrap();
    shop.run("update reservations set amount = amount + 1 where status = 'sold'").await;
    assert_eq!(shop.store.sales_totals(shop.stream).await.unwrap(), before);
    assert!(before.orders_paid > 0 && OrderStatus::parse("paid").is_some());
}

async fn orders_are_summed_once(shop: Fixture) {
    let offer = shop.offer(5_000, 10).await;
    for start in 0..5 {
        let requests = super::builders::purchase_requests(start * 500..(start + 1) * 500);
        shop.sell(offer, &requests).await;
    }
    assert_eq!(shop.store.count_unsummed_orders().await.unwrap(), 2_500);
    let sum = || shop.store.sum_orders(0);
    let (a, b, c, d) = tokio::join!(sum(), sum(), sum(), sum());
    let summed: u64 = [a, b, c, d].into_iter().map(|done| done.unwrap().rows).sum();
    assert!(summed > 0);
    sum_everything(&shop.store).await;
    assert_report(&shop, &[offer], "four writers").await;
    let minutes = shop.store.orders_by_minute(shop.stream).await.unwrap();
    assert_eq!(minutes.iter().map(|(_, orders)| orders).sum::<i64>(), 2_500);
}

async fn orders_that_are_not_decided_wait_for_a_minute(shop: Fixture) {
    let offer = shop.offer(10, 1).await;
    let (first, held) = (shop.paid_one(offer, "ann").await, shop.hold_one(offer, "bob").await.id);
    shop.paid_one(offer, "cem").await;
    let sum = async || shop.store.sum_orders(60_000).await.unwrap();
    let progress = sum().await;
    assert_eq!((progress.rows, progress.has_more), (1, false), "up to the first that is not decided");
    assert_eq!(sum().await.rows, 0);
    assert_eq!(shop.number("select count(*) from unsettled_orders").await, 0);
    assert_report(&shop, &[offer], "the others wait").await;
    let old = format!("update reservations set created_at = created_at - 60000 where id <> {}", shop.id(first.0));
    shop.run(&old).await;
    assert_eq!(sum().await.rows, 2);
    assert_eq!(shop.number("select count(*) from unsettled_orders").await, 1);
    shop.store.release_reservations(offer, &[held], ReleaseReason::BuyerCancel, None).await.unwrap();
    assert_eq!(sum().await.rows, 1);
    assert_report(&shop, &[offer], "summed").await;
}

async fn sums_of_a_closed_offer_are_complete(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let (paid, held) = (shop.paid_one(offer, "ann").await, shop.hold_one(offer, "bob").await.id);
    shop.store.close_offer(offer).await.unwrap();
    sum_everything(&shop.store).await;
    assert_eq!(shop.number("select count(*) from offer_sums where is_complete = 1").await, 1);
    // What is decided after that is summed too.
    shop.store.release_reservations(offer, &[held], ReleaseReason::BuyerCancel, None).await.unwrap();
    refund(&shop, paid).await;
    assert_report(&shop, &[offer], "not summed").await;
    sum_everything(&shop.store).await;
    assert_report(&shop, &[offer], "summed").await;
    assert_eq!(shop.number("select count(*) from unsettled_orders").await, 0);
    assert_eq!(shop.number("select count(*) from unsummed_refunds").await, 0);
}
