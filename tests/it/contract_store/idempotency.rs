//! Idempotency keys: one key creates one order, forever.

use std::sync::Arc;

use livesouk::domain::order::request_hash;
use livesouk::domain::{PurchaseRequest, Refusal, ReservationStatus};
use livesouk::store::ReleaseReason;
use tokio::sync::Barrier;

use super::builders::{code, person, purchase_request, purchase_requests, user};
use super::fixture::{Fixture, facts};

facts! {
    retry_returns_its_order_as_it_is_now
    key_with_another_body_is_refused_as_reused
    one_key_on_two_offers_concurrently_creates_one_order
}

async fn retry_returns_its_order_as_it_is_now(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let requests = purchase_requests(0..3);
    let sold = shop.sell(offer, &requests).await;
    let ids: Vec<_> = sold.results.iter().map(|answer| answer.as_ref().unwrap().reservation.id).collect();
    shop.store.release_reservations(offer, &ids[..1], ReleaseReason::BuyerCancel, None).await.unwrap();
    shop.expire_holds(offer).await;
    shop.store.release_reservations(offer, &ids[1..2], ReleaseReason::HoldEnded, None).await.unwrap();
    for closed in [false, true] {
        if closed {
            assert!(shop.store.close_offer(offer).await.unwrap());
        }
        // A retry has a new order id, as every request does; the key decides.
        let again: Vec<PurchaseRequest> = requests
            .iter()
            .map(|request| PurchaseRequest { reservation: Default::default(), ..request.clone() })
            .collect();
        let replayed = shop.sell(offer, &again).await;
        let seen: Vec<_> = replayed
            .results
            .iter()
            .map(|a| a.as_ref().map(|a| (a.reservation.id, a.reservation.status, a.replayed)))
            .collect();
        use ReservationStatus::*;
        assert_eq!(seen, [Ok((ids[0], Cancelled, true)), Ok((ids[1], Expired, true)), Ok((ids[2], Held, true))]);
    }
    assert_eq!(shop.number("select count(*) from reservations").await, 3);
    shop.assert_consistent().await;
}

async fn key_with_another_body_is_refused_as_reused(shop: Fixture) {
    let offer = shop.offer(5, 3).await;
    let first = purchase_request("ann", "key-00001", 1);
    shop.buy(offer, &first).await.unwrap();
    let other = PurchaseRequest { qty: 2, hash: request_hash(&["buy", "2"]), ..first.clone() };
    assert_eq!(shop.buy(offer, &other).await.unwrap_err(), Refusal::KeyReused);
    assert_eq!(
        code(
            &shop
                .buy(
                    offer,
                    &PurchaseRequest {
                        reservation: Default::default(),
                        buyer: user("bob"),
                        person: person("bob"),
                        ..other
                    }
                )
                .await
        ),
        "ok",
        "each buyer has their own keys"
    );
    assert!(shop.buy(offer, &first).await.unwrap().replayed);
}

/// Enough requests for two batches to overlap.
const REQUESTS: usize = 300;

/// Two offers are two rows with two locks; only the unique key protects them from each other.
async fn one_key_on_two_offers_concurrently_creates_one_order(shop: Fixture) {
    let shop = shop.into_arc();
    let offers = [shop.offer(4_000, 1_000).await, shop.offer(4_000, 1_000).await];
    for round in 0..8 {
        let start = Arc::new(Barrier::new(2));
        let race = offers.map(|offer| {
            let (shop, start) = (shop.clone(), start.clone());
            // The two batches have opposite orders, so that they could also deadlock.
            let mut batch: Vec<PurchaseRequest> =
                (0..REQUESTS).map(|n| purchase_request(&format!("b{n}"), &format!("key-{round:04}"), 1)).collect();
            for request in &mut batch {
                request.hash = request_hash(&["buy", &offer.to_string(), "1"]);
            }
            if offer == offers[1] {
                batch.reverse();
            }
            tokio::spawn(async move {
                start.wait().await;
                shop.store.sell(offer, &batch).await
            })
        });
        let mut codes = Vec::new();
        for racer in race {
            let sold = racer.await.unwrap().unwrap_or_else(|fault| panic!("round {round}: {fault}"));
            codes.extend(sold.results.iter().map(code));
        }
        let count = |code| codes.iter().filter(|other| **other == code).count();
        assert_eq!((count("ok"), count("key_reused")), (REQUESTS, REQUESTS), "round {round}");
    }
    shop.assert_consistent().await;
}
