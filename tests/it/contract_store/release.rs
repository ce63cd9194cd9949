//! Released units: once, to the right place, never too early. And the race between pay and expire.

use livesouk::domain::{OrderStatus, Refusal, ReservationStatus};
use livesouk::store::{LockWait, ReleaseReason};

use super::builders::{code, purchase_requests, refusal};
use super::fixture::{Fixture, STOCK, facts};

facts! {
    released_unit_is_on_sale_again_once
    unit_released_after_close_returns_to_stock
    hold_is_never_released_before_its_end
    each_release_reason_ends_only_matching_orders
    order_is_not_released_through_another_offer
    pay_and_expire_race_and_exactly_one_wins
    releases_of_one_order_race_and_one_wins
    release_without_units_does_not_raise_the_version
    only_expired_holds_are_found
    many_holds_are_released_together
}

async fn released_unit_is_on_sale_again_once(shop: Fixture) {
    let offer = shop.offer(2, 1).await;
    let (ann, _bob) = (shop.hold_one(offer, "ann").await, shop.hold_one(offer, "bob").await);
    let ended =
        shop.store.release_reservations(offer, &[ann.id, ann.id], ReleaseReason::BuyerCancel, None).await.unwrap();
    assert_eq!(
        ended.iter().map(|o| (o.id, o.status, o.version)).collect::<Vec<_>>(),
        [(ann.id, ReservationStatus::Cancelled, 2)]
    );
    assert_eq!(ended[0].reason.as_deref(), Some("buyer_cancel"));
    assert_eq!(shop.store.release_reservations(offer, &[ann.id], ReleaseReason::BuyerCancel, None).await.unwrap(), []);
    let terms = shop.load_offer(offer).await.terms;
    assert_eq!((terms.quantity, terms.reserved, shop.stock().await), (2, 1, STOCK - 2));
    let sold = shop.sell(offer, &purchase_requests(0..2)).await;
    assert_eq!(sold.results.iter().map(code).collect::<Vec<_>>(), ["ok", "sold_out_for_now"]);
    shop.assert_consistent().await;
}

async fn unit_released_after_close_returns_to_stock(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let (ann, bob) = (shop.hold_one(offer, "ann").await, shop.hold_one(offer, "bob").await);
    assert!(shop.store.close_offer(offer).await.unwrap());
    assert_eq!(shop.stock().await, STOCK - 2, "units that are not reserved went back immediately");
    for (order, pool) in [(ann, STOCK - 1), (bob, STOCK)] {
        shop.store.release_reservations(offer, &[order.id], ReleaseReason::BuyerCancel, None).await.unwrap();
        shop.store.release_reservations(offer, &[order.id], ReleaseReason::BuyerCancel, None).await.unwrap();
        assert_eq!(shop.stock().await, pool);
    }
    let terms = shop.load_offer(offer).await.terms;
    assert_eq!((terms.quantity, terms.reserved), (0, 0));
    shop.assert_consistent().await;
}

async fn hold_is_never_released_before_its_end(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let order = shop.hold_one(offer, "ann").await;
    let end = shop.store.now().await.unwrap() + 200;
    shop.run(&format!("update reservations set hold_until = {end}")).await;
    loop {
        let before = shop.store.now().await.unwrap();
        let ended = shop.store.release_reservations(offer, &[order.id], ReleaseReason::HoldEnded, None).await.unwrap();
        let after = shop.store.now().await.unwrap();
        match ended.first() {
            Some(ended) => {
                assert!(after >= end, "released at most at {after}, held until {end}");
                assert_eq!((ended.status, ended.reason.as_deref()), (ReservationStatus::Expired, Some("hold_ended")));
                break;
            }
            None => assert!(before < end, "still held at {before}, its end was {end}"),
        }
    }
}

async fn each_release_reason_ends_only_matching_orders(shop: Fixture) {
    let offer = shop.offer(9, 9).await;
    let order = shop.hold_one(offer, "ann").await.id;
    let release = async |why| shop.store.release_reservations(offer, &[order], why, None).await.unwrap().len();
    assert_eq!(release(ReleaseReason::HoldEnded).await, 0, "its hold has not expired");
    let fail = async |order| shop.store.release_failed_capture(order).await.unwrap();
    assert_eq!(fail(order).await, [], "no capture was requested");
    shop.begin_capture(order).await.unwrap().unwrap();
    shop.expire_holds(offer).await;
    assert_eq!(release(ReleaseReason::HoldEnded).await, 0, "a capture is in flight");
    assert_eq!(release(ReleaseReason::BuyerCancel).await, 0);
    shop.store.finish_capture(order).await.unwrap().unwrap();
    for why in [ReleaseReason::HoldEnded, ReleaseReason::BuyerCancel] {
        assert_eq!(release(why).await, 0, "it is paid");
    }
    assert_eq!(fail(order).await, [], "it is paid");
    let failed = shop.hold_one(offer, "bob").await.id;
    shop.begin_capture(failed).await.unwrap().unwrap();
    let ended = fail(failed).await;
    assert_eq!((ended[0].status, ended[0].reason.as_deref()), (ReservationStatus::Cancelled, Some("capture_failed")));
    shop.assert_consistent().await;
}

async fn order_is_not_released_through_another_offer(shop: Fixture) {
    let (offer, other) = (shop.offer(5, 1).await, shop.offer(5, 1).await);
    let order = shop.hold_one(offer, "ann").await;
    assert_eq!(
        shop.store.release_reservations(other, &[order.id], ReleaseReason::BuyerCancel, None).await.unwrap(),
        []
    );
    let unknown =
        shop.store.release_reservations(Default::default(), &[order.id], ReleaseReason::BuyerCancel, None).await;
    assert_eq!(refusal(unknown), Refusal::NoSuchOffer);
    assert_eq!(shop.order(order.id).await.status, OrderStatus::Held);
    shop.assert_consistent().await;
}

async fn pay_and_expire_race_and_exactly_one_wins(shop: Fixture) {
    let offer = shop.offer(100, 1).await;
    let mut wins = [0, 0];
    for round in 0..40 {
        let order = shop.hold_one(offer, &format!("ann-{round}")).await.id;
        shop.expire_holds(offer).await;
        let race = [order];
        let (paying, ending) = if round % 2 == 0 {
            tokio::join!(
                shop.begin_capture(order),
                shop.store.release_reservations(offer, &race, ReleaseReason::HoldEnded, None)
            )
        } else {
            let (ending, paying) = tokio::join!(
                shop.store.release_reservations(offer, &race, ReleaseReason::HoldEnded, None),
                shop.begin_capture(order)
            );
            (paying, ending)
        };
        let (paid, ended) = (paying.unwrap().is_some(), ending.unwrap().len() == 1);
        assert_ne!(paid, ended, "round {round}");
        let status = shop.order(order).await.status;
        assert_eq!(status, if paid { OrderStatus::Capturing } else { OrderStatus::Expired });
        wins[usize::from(ended)] += 1;
    }
    assert_eq!(shop.load_offer(offer).await.terms.reserved, wins[0]);
    shop.assert_consistent().await;
}

async fn releases_of_one_order_race_and_one_wins(shop: Fixture) {
    let offer = shop.offer(50, 1).await;
    for round in 0..20 {
        let order = [shop.hold_one(offer, &format!("ann-{round}")).await.id];
        shop.expire_holds(offer).await;
        let (expire, second_expire, cancel) = tokio::join!(
            shop.store.release_reservations(offer, &order, ReleaseReason::HoldEnded, None),
            shop.store.release_reservations(offer, &order, ReleaseReason::HoldEnded, None),
            shop.store.release_reservations(offer, &order, ReleaseReason::BuyerCancel, None),
        );
        let ended: usize = [expire, second_expire, cancel].into_iter().map(|ended| ended.unwrap().len()).sum();
        assert_eq!(ended, 1, "round {round}");
        assert_eq!(shop.load_offer(offer).await.terms.reserved, 0);
    }
    shop.assert_consistent().await;
}

async fn release_without_units_does_not_raise_the_version(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let order = [shop.hold_one(offer, "ann").await.id];
    let before = shop.load_offer(offer).await.terms.version;
    shop.store.release_reservations(offer, &order, ReleaseReason::HoldEnded, None).await.unwrap();
    assert_eq!(shop.load_offer(offer).await.terms.version, before);
    shop.store.release_reservations(offer, &order, ReleaseReason::BuyerCancel, None).await.unwrap();
    assert_eq!(shop.load_offer(offer).await.terms.version, before + 1);
}

async fn only_expired_holds_are_found(shop: Fixture) {
    let (offer, other) = (shop.offer(5, 1).await, shop.offer(5, 1).await);
    let (ann, bob) = (shop.hold_one(offer, "ann").await, shop.hold_one(offer, "bob").await);
    shop.hold_one(other, "cem").await;
    shop.expire_holds(offer).await;
    shop.begin_capture(bob.id).await.unwrap().unwrap();
    let now = shop.store.now().await.unwrap();
    assert_eq!(shop.store.offers_with_expired_holds(now).await.unwrap(), [offer]);
    let released = shop.store.release_expired_holds(offer, LockWait::Skip).await.unwrap().unwrap();
    assert_eq!(released.iter().map(|order| order.id).collect::<Vec<_>>(), [ann.id]);
    assert_eq!(shop.store.offers_with_expired_holds(now).await.unwrap(), []);
    shop.assert_consistent().await;
}

async fn many_holds_are_released_together(shop: Fixture) {
    let offer = shop.offer(400, 1).await;
    let sold = shop.sell(offer, &purchase_requests(0..300)).await;
    shop.expire_holds(offer).await;
    let mut ids: Vec<_> = sold.results.iter().map(|answer| answer.as_ref().unwrap().reservation.id).collect();
    let paid = ids[7];
    shop.begin_capture(paid).await.unwrap().unwrap();
    ids.reverse();
    let ended = shop.store.release_reservations(offer, &ids, ReleaseReason::HoldEnded, None).await.unwrap();
    assert_eq!(ended.len(), 299);
    assert!(ended.iter().all(|order| order.id != paid && order.status == ReservationStatus::Expired));
    assert_eq!(shop.load_offer(offer).await.terms.reserved, 1);
    shop.assert_consistent().await;
}
