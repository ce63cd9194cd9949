//! The same batches have the same outcomes on both databases: the rule and the code around it are the same.

use livesouk::domain::order::request_hash;
use livesouk::domain::{Millis, OfferId, OfferTerms, OrderId, PurchaseRequest, Refusal, Reservation};
use livesouk::store::{BatchOutcome, Error, ReleaseReason, Result};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::builders::purchase_request;
use super::fixture::{Fixture, Ids};
use super::random_stock::Seed;

const STEPS: usize = 300;

/// The outcome of a step without its times, because the two databases have two clocks.
#[derive(PartialEq, Debug)]
enum Seen {
    Sold(Vec<std::result::Result<(Reservation, bool), Refusal>>, OfferTerms, bool),
    Released(Vec<Reservation>),
    Done,
    Refused(Refusal),
}

fn timeless(reservation: Reservation) -> Reservation {
    let hold_ms: Millis = reservation.hold_until - reservation.created_at;
    Reservation { created_at: 0, hold_until: hold_ms, ..reservation }
}

fn plain(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::NotOpen { opens_at, .. } => Refusal::NotOpen { opens_at: opens_at.map(|_| 0), now: 0 },
        other => other,
    }
}

fn sold(sold: BatchOutcome) -> Seen {
    let answers = sold.results.into_iter().map(|answer| match answer {
        Ok(answered) => Ok((timeless(answered.reservation), answered.replayed)),
        Err(refusal) => Err(plain(refusal)),
    });
    Seen::Sold(answers.collect(), OfferTerms { opens_at: None, closes_at: None, ..sold.terms }, sold.has_unpaid)
}

fn seen<T>(answer: Result<T>, shown: impl FnOnce(T) -> Seen) -> Seen {
    match answer {
        Ok(value) => shown(value),
        Err(Error::Refused(refusal)) => Seen::Refused(plain(refusal)),
        Err(fault) => panic!("{fault}"),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Sell(OfferId, Vec<PurchaseRequest>),
    Release(OfferId, Vec<OrderId>, ReleaseReason),
    Capture(OrderId),
    FailCapture(OrderId),
    Open(OfferId),
    Pause(OfferId),
    Close(OfferId),
    Restock(OfferId, i64),
}

async fn take(step: &Step, shop: &Fixture) -> Seen {
    let store = &shop.store;
    match step {
        Step::Sell(offer, requests) => seen(store.sell(*offer, requests).await, sold),
        Step::Release(offer, ids, why) => {
            let ended = store.release_reservations(*offer, ids, *why, None).await;
            seen(ended, |ended| {
                let mut ended: Vec<_> = ended.into_iter().map(timeless).collect();
                ended.sort_by_key(|order| order.id);
                Seen::Released(ended)
            })
        }
        Step::Capture(id) => seen(shop.begin_capture(*id).await, |won| {
            Seen::Released(won.into_iter().flat_map(|order| order.lines).map(timeless).collect())
        }),
        Step::FailCapture(id) => seen(store.release_failed_capture(*id).await, |ended| {
            Seen::Released(ended.into_iter().map(timeless).collect())
        }),
        Step::Open(offer) => seen(store.open_offer(*offer).await, |()| Seen::Done),
        Step::Pause(offer) => seen(store.pause_offer(*offer).await, |()| Seen::Done),
        Step::Close(offer) => seen(store.close_offer(*offer).await, |_| Seen::Done),
        Step::Restock(offer, add) => seen(store.restock_offer(*offer, *add, None).await, |_| Seen::Done),
    }
}

/// Keys and names that break careless escaping.
const KEYS: [&str; 5] = ["plain-key", "quote'\"quote", "back\\slash", "[1,null,{}]", "0123456789"];
const NAMES: [&str; 5] = ["Ann", "نورة", "O'Neil \"Bo\"", "🎉\u{200d}🎈", "back\\slash"];

fn random_step(rng: &mut SmallRng, offers: &[OfferId], orders: &[OrderId]) -> Step {
    let offer = *offers.choose(rng).unwrap();
    let some_orders = |rng: &mut SmallRng| {
        let many = rng.random_range(0..4);
        (0..many).filter_map(|_| orders.choose(rng).copied()).collect::<Vec<_>>()
    };
    match rng.random_range(0..20) {
        0 => Step::Open(offer),
        1 => Step::Pause(offer),
        2 if rng.random_bool(0.2) => Step::Close(offer),
        3 => Step::Restock(offer, rng.random_range(1..20)),
        4 => Step::Release(offer, some_orders(rng), ReleaseReason::BuyerCancel),
        5 => Step::FailCapture(orders.choose(rng).copied().unwrap_or_default()),
        6 => Step::Release(offer, some_orders(rng), ReleaseReason::HoldEnded),
        7 => Step::Capture(orders.choose(rng).copied().unwrap_or_default()),
        _ => Step::Sell(offer, random_batch(rng)),
    }
}

fn random_batch(rng: &mut SmallRng) -> Vec<PurchaseRequest> {
    let mut buyers: Vec<usize> = (0..30).collect();
    rand::seq::SliceRandom::shuffle(&mut buyers[..], rng);
    buyers.truncate(rng.random_range(1..20));
    let random_request = |rng: &mut SmallRng, buyer: usize| {
        let qty = rng.random_range(-1..6);
        // Few keys per buyer, so that retries and reuses are common.
        let key = format!("{}-{}", KEYS[buyer % KEYS.len()], rng.random_range(0..6));
        let mut request = purchase_request(&format!("buyer|{buyer}"), &key, qty);
        request.hash = request_hash(&["buy", if rng.random_bool(0.1) { "other" } else { "same" }]);
        request.buyer_name = NAMES[buyer % NAMES.len()].to_owned();
        request
    };
    buyers.into_iter().map(|buyer| random_request(rng, buyer)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn same_steps_have_same_outcomes_on_both_databases() {
    let seed = Seed::take();
    let mut rng = SmallRng::seed_from_u64(seed.0);
    let ids = Ids::new();
    let (sqlite, postgres) = (Fixture::sqlite_with(ids).await, Fixture::postgres_with(ids).await);
    let mut offers = vec![OfferId::new()];
    for quantity in [5, 60, 200] {
        let form = livesouk::domain::offer::NewOffer { id: OfferId::new(), ..sqlite.new_offer(quantity, 4) };
        for shop in [&sqlite, &postgres] {
            shop.store.create_offer(&form, None).await.unwrap();
            shop.store.open_offer(form.id).await.unwrap();
        }
        offers.push(form.id);
    }
    let (mut orders, mut held, mut replayed, mut refused) = (Vec::new(), 0, 0, 0);
    for number in 0..STEPS {
        let step = random_step(&mut rng, &offers, &orders);
        let (one, other) = tokio::join!(take(&step, &sqlite), take(&step, &postgres));
        assert_eq!(one, other, "step {number}: {step:?}");
        if let Seen::Sold(answers, ..) = one {
            for answer in answers {
                match answer {
                    Ok((order, false)) => {
                        orders.push(order.id);
                        held += 1;
                    }
                    Ok(_) => replayed += 1,
                    Err(_) => refused += 1,
                }
            }
        }
    }
    assert!(
        [held, replayed, refused].iter().all(|count| *count > 20),
        "{held} held, {replayed} replayed, {refused} refused"
    );
    sqlite.assert_consistent().await;
    postgres.assert_consistent().await;
}
