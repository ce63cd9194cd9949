//! An offer with hundreds of thousands of orders that is sold out: the others are refused from memory, like those of a small offer.

use std::time::{Duration, Instant};

use livesouk::app::{App, Error};
use livesouk::domain::{OfferId, Refusal};

use super::builders::{actor, key};
use super::fixture::Fixture;

const MEASURED: Duration = Duration::from_secs(2);
/// The cache of the largest offer is filled by then.
const FILLED_WITHIN: Duration = Duration::from_secs(10);
/// Requests that wait for an answer at the same time.
const CONCURRENT: usize = 64;

impl Fixture {
    /// An offer of which all units are paid, by as many buyers.
    async fn sold_out_offer(&self, orders: i64) -> OfferId {
        let offer = self.offer(1, 1).await;
        self.run(&format!(
            "set synchronous_commit = off;
            insert into reservations (id, stream, offer, buyer, buyer_name, key, hash, status, qty, amount, currency, place, created_at,
                    hold_until, changed_at, person)
                select gen_random_uuid(), '{stream}', '{offer}', 'winner-' || n, 'Buyer', 'key-of-' || '{offer}' || n,
                    decode(repeat('07', 32), 'hex'), 'sold', 1, 4900, 'SAR', n, 1, 1, 1, 'winner-' || n
                from generate_series(1, {orders}) n;
            update offers set quantity = {orders}, reserved = {orders}, next_place = {orders} + 1 where id = '{offer}';
            analyze reservations",
            stream = self.stream.0,
            offer = offer.0,
        ))
        .await;
        offer
    }
}

fn is_sold_out(answer: &Result<impl Sized, Error>) -> bool {
    matches!(answer, Err(Error::Refused(Refusal::SoldOut)))
}

/// Refusals a second, for buyers who have nothing.
async fn refusals_per_second(app: &App, offer: OfferId) -> f64 {
    let began = Instant::now();
    let buyers = async |number: usize| {
        let mut refused = 0_u64;
        let buyer = actor(&format!("late-{number}"));
        while began.elapsed() < MEASURED {
            for _ in 0..16 {
                assert!(is_sold_out(&app.checkout.buy(&buyer, offer, 1, key("key-00001")).await));
                refused += 1;
            }
            tokio::task::yield_now().await;
        }
        refused
    };
    let all = futures_util::future::join_all((0..CONCURRENT).map(buyers)).await;
    all.into_iter().sum::<u64>() as f64 / began.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_as_fast_with_300000_orders_as_with_300() {
    let shop = Fixture::on_postgres().await;
    let (small, large) = (shop.sold_out_offer(300).await, shop.sold_out_offer(300_000).await);
    let app = shop.app().await;
    let mut rates = Vec::new();
    for offer in [small, large] {
        // The cache is filled by the first batches, and they come from requests.
        let give_up = Instant::now() + FILLED_WITHIN;
        let is_filled = async || {
            assert!(is_sold_out(&app.checkout.buy(&actor("early"), offer, 1, key("key-00001")).await));
            let buyer = actor("late");
            let late = app.checkout.buy(&buyer, offer, 1, key("key-00001"));
            tokio::time::timeout(Duration::ZERO, late).await.is_ok()
        };
        while !is_filled().await && Instant::now() < give_up {}
        rates.push(refusals_per_second(&app, offer).await);
    }
    eprintln!("refusals a second: {:.0} with 300 orders, {:.0} with 300,000", rates[0], rates[1]);
    assert!(rates[0] < 3.0 * rates[1], "{rates:?}");
    // A winner's retry gets the order, whatever the cache says.
    let winner = app.checkout.buy(&actor("winner-299999"), large, 1, key(&format!("key-of-{}299999", large.0))).await;
    assert!(!is_sold_out(&winner), "{:?}", winner.err());
    app.stopping().cancel();
    app.finish().await;
}
