//! PostgreSQL uses indexes: for every query of the store on large tables, and for a batch and the orders of some buyers also when the
//! plan was made while the table was small.

mod coupons;
mod every_query;
mod exceptions;
mod imports;
mod large_tables;
mod payment_days;
mod payment_queue;
mod people;
mod placed_orders;
mod plan;
mod products;
mod refunds;
mod saved_cards;
mod videos;

use super::builders::{places, purchase_requests, user};
use super::fixture::Fixture;

const OTHERS: usize = 30_000;

impl Fixture {
    /// The table of reservations grows, and its statistics are not updated.
    async fn add_orders_of_others(&self) {
        self.run(&format!(
            "insert into reservations (id, stream, offer, buyer, buyer_name, key, hash, status, qty, amount, currency, place, reason,
                 version, created_at, hold_until, changed_at, person)
             select gen_random_uuid(), stream, gen_random_uuid(), 'other-' || n, buyer_name, key, hash, status,
                 qty, amount, currency, place, reason, version, created_at, hold_until, changed_at, 'other-' || n
             from (select * from reservations limit 1) o, generate_series(1, {OTHERS}) n"
        ))
        .await;
        self.run("select pg_stat_force_next_flush()").await;
    }

    /// How many reservations were read one by one so far.
    async fn reservations_scanned(&self) -> i64 {
        self.statistic("select seq_tup_read from pg_stat_user_tables where relname = 'reservations'").await
    }

    /// How many entries of the index of all holds were read so far.
    async fn holds_read(&self) -> i64 {
        self.statistic("select idx_tup_read from pg_stat_user_indexes where indexrelname = 'reservations_unpaid'").await
    }

    async fn statistic(&self, select: &str) -> i64 {
        // A connection reports what it read at the latest when it closes.
        self.run("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()").await;
        loop {
            let others = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and application_name like 'livesouk%'";
            if self.number(others).await == 0 {
                break;
            }
        }
        self.number(select).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_never_scans_the_reservations() {
    let shop = Fixture::on_postgres().await;
    let offer = shop.offer(1_000, 1).await;
    // A sale starts: the plans are made and kept, and they suit a table of one page.
    shop.sell(offer, &purchase_requests(0..10)).await;
    shop.run("analyze reservations").await;
    for _ in 0..10 {
        shop.sell(offer, &purchase_requests(0..11)).await;
    }
    shop.add_orders_of_others().await;
    let sold = shop.sell(offer, &purchase_requests(500..600)).await;
    assert_eq!(places(&sold).len(), 100);
    let read = shop.reservations_scanned().await;
    assert!(read < OTHERS as i64, "{read} rows read one by one");
}

/// A new shop in its first flash sale: the table has no statistics yet, and the planner expects that an order has a 200th of all lines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payment_never_reads_the_holds_of_others() {
    let shop = Fixture::on_postgres().await;
    let offer = shop.offer(1_000, 1).await;
    shop.sell(offer, &purchase_requests(0..10)).await;
    shop.add_orders_of_others().await;
    for buyer in ["ann", "ben", "cem"] {
        shop.paid_one(offer, buyer).await;
    }
    let read = shop.holds_read().await;
    assert!(read < OTHERS as i64, "{read} holds of others read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_of_connected_buyers_never_scan_the_reservations() {
    let shop = Fixture::on_postgres().await;
    let offer = shop.offer(1_000, 1).await;
    shop.sell(offer, &purchase_requests(0..10)).await;
    shop.run("analyze reservations").await;
    let buyers: Vec<_> = (0..500).map(|n| user(&format!("other-{}", n + 1))).collect();
    for _ in 0..10 {
        shop.store.recent_orders_of(&buyers, 0).await.unwrap();
    }
    shop.add_orders_of_others().await;
    assert_eq!(shop.store.recent_orders_of(&buyers, 0).await.unwrap().len(), buyers.len());
    let read = shop.reservations_scanned().await;
    assert!(read < OTHERS as i64, "{read} rows read one by one");
}
