//! A show with a hundred thousand orders, or a million: its report is read in a moment, and payments do not wait for the consoles that ask for
//! it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use livesouk::domain::{Actor, OrderStatus, Role};
use tokio_util::sync::CancellationToken;

use super::builders::{actor, key};
use super::fixture::Fixture;
use super::report_sums::sum_everything;

/// Orders of the show. The test runs with 100,000; `scripts/test --all` sets the variable to a million.
const ORDERS_VARIABLE: &str = "LIVESOUK_REPORT_ORDERS";
const ORDERS: i64 = 100_000;
const REPORT_MAX: Duration = Duration::from_millis(200);
const CONSOLES: usize = 20;

impl Fixture {
    /// A closed offer of the show with so many paid orders, over 5,000 a minute.
    async fn add_paid_orders(&self, orders: i64) {
        let offer = self.offer(1, 1).await;
        self.run(&format!(
            "set synchronous_commit = off;
            insert into reservations (id, stream, offer, buyer, buyer_name, key, hash, status, qty, amount, currency, place, created_at,
                    hold_until, changed_at, person)
                select gen_random_uuid(), '{stream}', '{offer}', 'buyer-' || n, 'Buyer', 'key-of-' || n, decode(repeat('07', 32), 'hex'),
                    'sold', 1, 4900, 'SAR', n, 1600000000000 + n * 12, 1, 1, 'buyer-' || n
                from generate_series(1, {orders}) n;
            update offers set quantity = {orders}, reserved = {orders}, next_place = {orders} + 1 where id = '{offer}';
            analyze reservations",
            stream = self.stream.0,
            offer = offer.0,
        ))
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn report_of_a_large_show_is_read_in_a_moment_and_stops_no_payment() {
    let orders = std::env::var(ORDERS_VARIABLE).map_or(ORDERS, |orders| orders.parse().expect("a number"));
    let shop = Fixture::on_postgres().await;
    shop.add_paid_orders(orders).await;
    let offer = shop.offer(1_000, 1).await;

    // Before they are summed, each report is slow: the worst case for the others.
    let app = shop.app().await;
    let host = Actor { role: Role::Host, ..actor("host") };
    let (stop, reports) = (CancellationToken::new(), AtomicU64::new(0));
    let consoles = async {
        let console = async || {
            while !stop.is_cancelled() {
                // Each asks the store itself, as if its show were another one.
                let _ = shop.store.sales_totals(shop.stream).await;
                let _ = app.streams.report(&host, shop.stream).await;
                reports.fetch_add(1, Ordering::Relaxed);
            }
        };
        futures_util::future::join_all((0..CONSOLES).map(|_| console())).await;
    };
    let payments = async {
        let mut slowest = Duration::ZERO;
        for n in 0..100 {
            let buyer = actor(&format!("payer-{n}"));
            let began = Instant::now();
            let order = app.checkout.buy(&buyer, offer, 1, key("key-00001")).await.unwrap().order.id;
            let paid = app.checkout.pay(&buyer, order, "ok", None, key("key-00002")).await.unwrap();
            assert_eq!(paid.order.status, OrderStatus::Paid);
            slowest = slowest.max(began.elapsed());
        }
        stop.cancel();
        slowest
    };
    let ((), slowest) = tokio::join!(consoles, payments);
    assert!(slowest < Duration::from_secs(3), "a payment took {slowest:?}");
    assert!(reports.load(Ordering::Relaxed) > 0);
    app.stopping().cancel();
    app.finish().await;

    let shop = shop.reopened().await;
    let began = Instant::now();
    sum_everything(&shop.store).await;
    let summing = began.elapsed();
    let mut took = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        let totals = shop.store.sales_totals(shop.stream).await.unwrap();
        let minutes = shop.store.orders_by_minute(shop.stream).await.unwrap();
        let offers = shop.store.sales_by_offer(shop.stream).await.unwrap();
        let failed = shop.store.count_failed_payments(shop.stream).await.unwrap();
        took.push(began.elapsed());
        assert_eq!((totals.orders_paid, failed), (orders + 100, 0));
        assert_eq!(minutes.iter().map(|(_, orders)| orders).sum::<i64>(), orders + 100);
        assert_eq!(offers.iter().map(|sales| sales.paid).sum::<i64>(), orders + 100);
    }
    eprintln!("{orders} orders were summed in {summing:?}; the reports took {took:?}; the slowest payment {slowest:?}");
    assert!(took.iter().all(|time| *time < REPORT_MAX), "{took:?}");
}
