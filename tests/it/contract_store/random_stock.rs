//! Random actions with every verb that moves units: stock, left and reserved units always add up.

use std::collections::HashSet;

use livesouk::domain::{OfferId, OfferStage, Reservation};
use livesouk::store::{Error, ReleaseReason};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::builders::purchase_request;
use super::fixture::{Fixture, STOCK, facts};

facts! {
    random_actions_keep_the_sum_of_units
    concurrent_random_actions_keep_the_sum_of_units
}

const STEPS: usize = 400;

/// Prints the seed when the test fails, so that the same actions can be repeated with `LIVESOUK_TEST_SEED`.
pub struct Seed(pub u64);

impl Seed {
    pub fn take() -> Seed {
        Seed(std::env::var("LIVESOUK_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random))
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- repeat with LIVESOUK_TEST_SEED={}", self.0);
        }
    }
}

async fn random_actions_keep_the_sum_of_units(shop: Fixture) {
    let seed = Seed::take();
    let mut actor = RandomActor::new(&shop, seed.0);
    let mut kinds = HashSet::new();
    for step in 0..STEPS {
        let (did, done) = actor.step().await;
        assert_sum(&shop, actor.added, &format!("after step {step}, {did}")).await;
        if done {
            kinds.insert(did);
        }
    }
    assert_eq!(kinds.len(), RandomActor::VERBS.len(), "only these actions succeeded: {kinds:?}");
}

async fn concurrent_random_actions_keep_the_sum_of_units(shop: Fixture) {
    let seed = Seed::take();
    let shop = shop.into_arc();
    let mut actors = tokio::task::JoinSet::new();
    for n in 0..4 {
        let (shop, seed) = (shop.clone(), seed.0.wrapping_add(n));
        actors.spawn(async move {
            let mut actor = RandomActor::new(&shop, seed);
            for _ in 0..STEPS / 4 {
                actor.offers =
                    shop.store.offers_of_stream(shop.stream).await.unwrap().iter().map(|offer| offer.id).collect();
                actor.step().await;
            }
            actor.added
        });
    }
    let added = actors.join_all().await.into_iter().sum();
    assert_sum(&shop, added, "at the end").await;
}

async fn assert_sum(shop: &Fixture, added: i64, when: &str) {
    let offers = shop.store.offers_of_stream(shop.stream).await.unwrap();
    for offer in &offers {
        assert!((0..=offer.terms.quantity).contains(&offer.terms.reserved), "{when}: {:?}", offer.terms);
        let keeps = offer.terms.stage != OfferStage::Closed || offer.terms.left() == 0;
        assert!(keeps, "{when}: units that a closed offer does not reserve are in the stock: {:?}", offer.terms);
    }
    let in_offers: i64 = offers.iter().map(|offer| offer.terms.quantity).sum();
    assert_eq!(shop.stock().await + in_offers, STOCK + added, "{when}: stock and offers");
    shop.assert_consistent().await;
}

struct RandomActor<'a> {
    shop: &'a Fixture,
    rng: SmallRng,
    seed: u64,
    offers: Vec<OfferId>,
    orders: Vec<Reservation>,
    buys: usize,
    /// Units that were added to the stock.
    added: i64,
}

impl<'a> RandomActor<'a> {
    const VERBS: [&'static str; 11] =
        ["create", "open", "pause", "close", "restock", "restock variant", "buy", "cancel", "expire", "fail", "pay"];

    fn new(shop: &'a Fixture, seed: u64) -> Self {
        let rng = SmallRng::seed_from_u64(seed);
        RandomActor { shop, rng, seed, offers: Vec::new(), orders: Vec::new(), buys: 0, added: 0 }
    }

    /// Runs one verb, which is often refused; a fault panics. Gives its name and whether it changed anything.
    async fn step(&mut self) -> (&'static str, bool) {
        // Half of the actions are purchases, and only a few offers are used at a time.
        let verb = match self.rng.random_range(0..22) {
            n @ 0..=10 => Self::VERBS[n],
            _ => "buy",
        };
        let verb = if self.offers.is_empty() { "create" } else { verb };
        (verb, self.go(verb).await)
    }

    async fn go(&mut self, verb: &str) -> bool {
        let store = &self.shop.store;
        let offer = match self.offers.len() {
            0 => OfferId::new(),
            many => self.offers[many - 1 - self.rng.random_range(0..many.min(4))],
        };
        let units = self.rng.random_range(1..30);
        match verb {
            "create" => {
                let form = self.shop.new_offer(units, 1_000);
                let made = done(store.create_offer(&form, None).await);
                self.offers.extend(made.then_some(form.id));
                made && done(store.open_offer(form.id).await)
            }
            "open" => done(store.open_offer(offer).await),
            "pause" => done(store.pause_offer(offer).await),
            "close" => done(store.close_offer(offer).await),
            "restock" => done(store.restock_offer(offer, units, None).await),
            "restock variant" => {
                let done = done(store.restock_variant(self.shop.variant, units, None).await);
                self.added += if done { units } else { 0 };
                done
            }
            "buy" => self.buy(offer).await,
            "pay" => match self.order() {
                Some(order) => {
                    let won = self.shop.begin_capture(order.id).await.unwrap().is_some();
                    won && store.finish_capture(order.id).await.unwrap().is_some()
                }
                None => false,
            },
            release => match self.order() {
                Some(order) => self.release(&order, release).await,
                None => false,
            },
        }
    }

    fn order(&mut self) -> Option<Reservation> {
        let many = self.orders.len();
        (many > 0).then(|| self.orders[self.rng.random_range(0..many)].clone())
    }

    async fn buy(&mut self, offer: OfferId) -> bool {
        let batch: Vec<_> = (0..self.rng.random_range(1..6))
            .map(|n| {
                self.buys += 1;
                let qty = self.rng.random_range(1..6);
                purchase_request(&format!("buyer-{n}"), &format!("key-{}-{}", self.seed, self.buys), qty)
            })
            .collect();
        let sold = self.shop.sell(offer, &batch).await;
        let before = self.orders.len();
        self.orders.extend(sold.results.into_iter().flatten().map(|answered| answered.reservation));
        self.orders.len() > before
    }

    async fn release(&mut self, order: &Reservation, how: &str) -> bool {
        let store = &self.shop.store;
        let why = match how {
            "cancel" => ReleaseReason::BuyerCancel,
            "expire" => {
                let id = self.shop.id(order.id.0);
                self.shop.run(&format!("update reservations set hold_until = 1000 where id = {id}")).await;
                ReleaseReason::HoldEnded
            }
            _ => {
                self.shop.begin_capture(order.id).await.unwrap();
                return !store.release_failed_capture(order.id).await.unwrap().is_empty();
            }
        };
        !store.release_reservations(order.offer, &[order.id], why, None).await.unwrap().is_empty()
    }
}

/// A refusal is normal here, a fault is not.
fn done<T>(answer: Result<T, Error>) -> bool {
    match answer {
        Ok(_) => true,
        Err(Error::Refused(_)) => false,
        Err(fault) => panic!("{fault}"),
    }
}
