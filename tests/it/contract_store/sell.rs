//! Buying: who gets a unit, who is refused, and what a retry returns.

use std::sync::Arc;
use std::time::Duration;

use livesouk::domain::Refusal;
use livesouk::store::ReleaseReason;
use tokio::sync::Barrier;

use super::builders::{code, person, places, purchase_request, purchase_requests};
use super::fixture::{Fixture, HOLD_MS, STOCK, facts};

facts! {
    second_buyer_of_the_last_unit_is_refused
    places_are_dense_across_batches_and_refusals
    buyer_limit_holds_across_batches_and_per_offer
    buyer_limit_holds_when_two_batches_race
    too_few_units_reports_how_many_are_left
    draft_paused_or_closed_offer_sells_nothing
    sale_window_follows_the_database_clock_to_the_millisecond
    two_hundred_concurrent_buyers_of_fifty_units_buy_exactly_fifty
    every_batch_that_sells_raises_the_version
    bad_row_rolls_back_its_batch_and_the_next_batch_works
    unknown_offer_is_refused
}

async fn second_buyer_of_the_last_unit_is_refused(shop: Fixture) {
    let offer = shop.offer(1, 1).await;
    let sold = shop.sell(offer, &purchase_requests(0..2)).await;
    assert_eq!(sold.results.iter().map(code).collect::<Vec<_>>(), ["ok", "sold_out_for_now"]);
    assert_eq!(code(&shop.buy(offer, &purchase_requests([2])[0]).await), "sold_out_for_now");
    let order = sold.results[0].as_ref().unwrap().reservation.id;
    shop.begin_capture(order).await.unwrap().unwrap();
    shop.store.finish_capture(order).await.unwrap().unwrap();
    assert_eq!(
        code(&shop.buy(offer, &purchase_requests([2])[0]).await),
        "sold_out",
        "units of a paid order do not come back"
    );
    shop.assert_consistent().await;
}

async fn places_are_dense_across_batches_and_refusals(shop: Fixture) {
    let offer = shop.offer(6, 1).await;
    assert_eq!(places(&shop.sell(offer, &purchase_requests(0..2)).await), [1, 2]);
    assert_eq!(
        places(&shop.sell(offer, &purchase_requests(1..4)).await),
        [3, 4],
        "a retry in the middle takes no place"
    );
    let greedy = [purchase_request("greedy", "key-greedy", 2), purchase_requests([4]).remove(0)];
    assert_eq!(places(&shop.sell(offer, &greedy).await), [5], "a refusal uses no place");
    assert_eq!(places(&shop.sell(offer, &purchase_requests(5..9)).await), [6]);
    assert_eq!(shop.load_offer(offer).await.terms.next_place, 7);
}

async fn buyer_limit_holds_across_batches_and_per_offer(shop: Fixture) {
    let (offer, other) = (shop.offer(10, 2).await, shop.offer(10, 2).await);
    let expected_codes = [("key-00001", "ok"), ("key-00002", "ok"), ("key-00003", "buyer_limit")];
    for (key, expected) in expected_codes {
        assert_eq!(code(&shop.buy(offer, &purchase_request("ann", key, 1)).await), expected, "{key}");
    }
    assert_eq!(code(&shop.buy(other, &purchase_request("ann", "key-00004", 2)).await), "ok", "the limit is per offer");
    assert_eq!(code(&shop.buy(offer, &purchase_request("bob", "key-00005", 3)).await), "buyer_limit");
    let (first, offer_of) = (shop.store.counted_reservations(&person("ann"), offer).await.unwrap()[0], offer);
    shop.store.release_reservations(offer_of, &[first], ReleaseReason::BuyerCancel, None).await.unwrap();
    assert_eq!(
        code(&shop.buy(offer, &purchase_request("ann", "key-00006", 1)).await),
        "ok",
        "released units no longer count"
    );
}

/// A statement that locks and sums in one snapshot fails here: it reads the sums as they were before it waited.
async fn buyer_limit_holds_when_two_batches_race(shop: Fixture) {
    let shop = shop.into_arc();
    for round in 0..30 {
        let offer = shop.offer(10, 1).await;
        let start = Arc::new(Barrier::new(2));
        let race = [1, 2].map(|n| {
            let (shop, start) = (shop.clone(), start.clone());
            tokio::spawn(async move {
                start.wait().await;
                shop.buy(offer, &purchase_request("ann", &format!("key-{round:04}-{n}"), 1)).await
            })
        });
        let mut codes = Vec::new();
        for racer in race {
            codes.push(code(&racer.await.unwrap()));
        }
        codes.sort_unstable();
        assert_eq!(codes, ["buyer_limit", "ok"], "round {round}");
    }
    shop.assert_consistent().await;
}

async fn too_few_units_reports_how_many_are_left(shop: Fixture) {
    let offer = shop.offer(3, 5).await;
    let batch = [
        purchase_request("ann", "key-00001", 2),
        purchase_request("bob", "key-00002", 2),
        purchase_request("cem", "key-00003", 1),
    ];
    let sold = shop.sell(offer, &batch).await;
    assert_eq!(sold.results[1].as_ref().unwrap_err(), &Refusal::TooFewLeft { left: 1 });
    assert_eq!(code(&sold.results[2]), "ok", "a smaller request after it is served");
}

async fn draft_paused_or_closed_offer_sells_nothing(shop: Fixture) {
    let offer = shop.draft(5, 5).await;
    assert_eq!(code(&shop.buy(offer, &purchase_requests([0])[0]).await), "not_open");
    shop.store.open_offer(offer).await.unwrap();
    assert_eq!(code(&shop.buy(offer, &purchase_requests([1])[0]).await), "ok");
    shop.store.pause_offer(offer).await.unwrap();
    assert_eq!(code(&shop.buy(offer, &purchase_requests([2])[0]).await), "not_open");
    shop.store.open_offer(offer).await.unwrap();
    assert_eq!(code(&shop.buy(offer, &purchase_requests([3])[0]).await), "ok");
    shop.store.close_offer(offer).await.unwrap();
    assert_eq!(code(&shop.buy(offer, &purchase_requests([4])[0]).await), "closed");
    assert_eq!(shop.stock().await, STOCK - 2);
}

async fn sale_window_follows_the_database_clock_to_the_millisecond(shop: Fixture) {
    let offer = shop.offer(1_000, 1_000).await;
    let opens_at = shop.store.now().await.unwrap() + 150;
    let closes_at = opens_at + 150;
    let set =
        format!("update offers set opens_at = {opens_at}, closes_at = {closes_at} where id = {}", shop.id(offer.0));
    shop.run(&set).await;
    let mut seen = [0; 3];
    for n in 0.. {
        let sold = shop.sell(offer, &purchase_requests([n])).await;
        let expected = match sold.now {
            now if now < opens_at => 0,
            now if now < closes_at => 1,
            _ => 2,
        };
        seen[expected] += 1;
        assert_eq!(
            code(&sold.results[0]),
            ["not_open", "ok", "closed"][expected],
            "at {} of {opens_at}..{closes_at}",
            sold.now
        );
        if let Ok(answered) = &sold.results[0] {
            assert_eq!(
                (answered.reservation.created_at, answered.reservation.hold_until),
                (sold.now, sold.now + HOLD_MS)
            );
        }
        if seen[2] == 5 {
            break;
        }
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
}

async fn two_hundred_concurrent_buyers_of_fifty_units_buy_exactly_fifty(shop: Fixture) {
    let shop = shop.into_arc();
    let offer = shop.offer(50, 1).await;
    let mut sellers = tokio::task::JoinSet::new();
    for n in 0..200 {
        let shop = shop.clone();
        sellers.spawn(async move { shop.buy(offer, &purchase_requests([n])[0]).await });
    }
    let (mut places, mut refused) = (Vec::new(), 0);
    while let Some(answer) = sellers.join_next().await {
        match answer.unwrap() {
            Ok(answered) => places.push(answered.reservation.place),
            Err(Refusal::SoldOutForNow) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    places.sort_unstable();
    assert_eq!((places, refused), ((1..=50).collect(), 150));
    let terms = shop.load_offer(offer).await.terms;
    assert_eq!((terms.quantity, terms.reserved), (50, 50));
    shop.assert_consistent().await;
}

async fn every_batch_that_sells_raises_the_version(shop: Fixture) {
    let offer = shop.offer(4, 1).await;
    let before = shop.load_offer(offer).await.terms.version;
    let sold = shop.sell(offer, &purchase_requests(0..3)).await;
    assert_eq!((sold.terms.version, sold.terms.left()), (before + 1, 1));
    assert_eq!(shop.load_offer(offer).await.terms, sold.terms);
    assert_eq!(
        shop.sell(offer, &purchase_requests(0..3)).await.terms.version,
        before + 1,
        "a batch of retries changes nothing"
    );
    assert_eq!(shop.sell(offer, &purchase_requests(3..9)).await.terms.version, before + 2);
}

async fn bad_row_rolls_back_its_batch_and_the_next_batch_works(shop: Fixture) {
    let offer = shop.offer(10, 1).await;
    shop.reject_poison_buyer().await;
    for round in 0..3 {
        let batch = [purchase_requests([round]).remove(0), purchase_request("poison", "key-poison", 1)];
        let fault = shop.store.sell(offer, &batch).await.unwrap_err();
        assert!(!fault.is_transient(), "the selling task splits a batch only when a retry cannot help: {fault}");
        assert_eq!(shop.load_offer(offer).await.terms.reserved, round as i64);
        assert_eq!(places(&shop.sell(offer, &purchase_requests([round])).await), [round as i64 + 1]);
    }
    shop.assert_consistent().await;
}

async fn unknown_offer_is_refused(shop: Fixture) {
    assert_eq!(code(&shop.buy(Default::default(), &purchase_requests([0])[0]).await), "no_such_offer");
}
