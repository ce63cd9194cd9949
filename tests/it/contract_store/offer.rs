//! Offers and the stock of their variant: units move between them, and none is lost.

use livesouk::domain::offer::NewOffer;
use livesouk::domain::{OfferKind, OfferStage, OfferStatus, Refusal, StreamId};

use super::builders::{code, purchase_requests, refusal};
use super::fixture::{Fixture, STOCK, facts};

facts! {
    create_restock_and_close_move_units_between_stock_and_offer
    insufficient_stock_reports_what_is_left_and_moves_no_units
    flash_sale_counts_down_opens_and_is_extended
    offer_stages_follow_their_transition_table
    every_offer_change_raises_its_version
    offers_on_sale_and_offers_to_close_are_found
    last_units_of_the_stock_are_taken_once
    held_units_make_an_offer_sold_out_for_now
}

async fn create_restock_and_close_move_units_between_stock_and_offer(shop: Fixture) {
    let offer = shop.offer(10, 5).await;
    assert_eq!(shop.stock().await, STOCK - 10);
    shop.sell(offer, &purchase_requests(0..3)).await;
    shop.store.restock_offer(offer, 5, None).await.unwrap();
    assert_eq!((shop.stock().await, shop.load_offer(offer).await.terms.left()), (STOCK - 15, 12));
    assert!(shop.store.close_offer(offer).await.unwrap());
    let terms = shop.load_offer(offer).await.terms;
    assert_eq!((terms.quantity, terms.reserved, shop.stock().await), (3, 3, STOCK - 3));
    assert!(!shop.store.close_offer(offer).await.unwrap(), "it was closed before");
    assert_eq!(shop.stock().await, STOCK - 3);
    assert_eq!(shop.store.restock_variant(shop.variant, 7, None).await.unwrap().stock, STOCK + 4);
}

async fn insufficient_stock_reports_what_is_left_and_moves_no_units(shop: Fixture) {
    let offer = shop.offer(10, 5).await;
    let left = STOCK - 10;
    assert_eq!(
        refusal(shop.store.create_offer(&shop.new_offer(left + 1, 1), None).await),
        Refusal::NotEnoughStock { left }
    );
    assert_eq!(refusal(shop.store.restock_offer(offer, left + 1, None).await), Refusal::NotEnoughStock { left });
    let unknown = NewOffer { variant: Default::default(), ..shop.new_offer(1, 1) };
    assert_eq!(refusal(shop.store.create_offer(&unknown, None).await), Refusal::NoSuchProduct);
    assert_eq!(refusal(shop.store.restock_offer(Default::default(), 1, None).await), Refusal::NoSuchOffer);
    assert_eq!(refusal(shop.store.restock_variant(Default::default(), 1, None).await), Refusal::NoSuchProduct);
    assert_eq!((shop.stock().await, shop.load_offer(offer).await.terms.quantity), (left, 10));
    shop.store.restock_offer(offer, left, None).await.unwrap();
    assert_eq!(shop.stock().await, 0);
}

async fn flash_sale_counts_down_opens_and_is_extended(shop: Fixture) {
    let form = NewOffer {
        kind: OfferKind::Flash,
        countdown_ms: 10_000,
        duration_ms: Some(60_000),
        old_price: Some(9_900),
        ..shop.new_offer(5, 1)
    };
    shop.store.create_offer(&form, None).await.unwrap();
    assert!(
        matches!(refusal(shop.store.extend_offer(form.id, 10_000, None).await), Refusal::WrongStatus(_)),
        "not started"
    );
    let before = shop.store.now().await.unwrap();
    shop.store.open_offer(form.id).await.unwrap();
    let offer = shop.load_offer(form.id).await;
    let opens_at = offer.terms.opens_at.unwrap();
    assert!((before + 10_000..=shop.store.now().await.unwrap() + 10_000).contains(&opens_at));
    assert_eq!(offer.terms.closes_at, Some(opens_at + 60_000));
    assert_eq!(
        (offer.kind, offer.old_price, offer.terms.status(opens_at - 1, false)),
        (OfferKind::Flash, Some(9_900), OfferStatus::Countdown)
    );
    assert_eq!(code(&shop.buy(form.id, &purchase_requests([0])[0]).await), "not_open");
    shop.store.extend_offer(form.id, 30_000, None).await.unwrap();
    let extended = shop.load_offer(form.id).await.terms;
    assert_eq!((extended.closes_at, extended.version), (Some(opens_at + 90_000), offer.terms.version + 1));
    shop.run("update offers set opens_at = 1000, closes_at = 2000").await;
    assert_eq!(
        refusal(shop.store.extend_offer(form.id, 10_000, None).await),
        Refusal::Closed,
        "an ended sale cannot be extended"
    );
    let regular = shop.offer(1, 1).await;
    assert!(matches!(refusal(shop.store.extend_offer(regular, 10_000, None).await), Refusal::WrongStatus(_)));
}

async fn offer_stages_follow_their_transition_table(shop: Fixture) {
    use OfferStage::*;
    // For each stage, the stage after open and after pause; `None` is a refusal.
    let table = [
        (Draft, Some(Open), None),
        (Open, Some(Open), Some(Paused)),
        (Paused, Some(Open), Some(Paused)),
        (Closed, None, None),
    ];
    for (from, opened, paused) in table {
        for (verb, expected) in [("open", opened), ("pause", paused), ("close", Some(Closed))] {
            let offer = if from == Draft { shop.draft(2, 1).await } else { shop.offer(2, 1).await };
            match from {
                Paused => shop.store.pause_offer(offer).await.unwrap(),
                Closed => assert!(shop.store.close_offer(offer).await.unwrap()),
                Draft | Open => {}
            }
            let done = match verb {
                "open" => shop.store.open_offer(offer).await,
                "pause" => shop.store.pause_offer(offer).await,
                _ => shop.store.close_offer(offer).await.map(|_| ()),
            };
            match expected {
                Some(_) => done.unwrap(),
                None => drop(refusal(done)),
            }
            assert_eq!(shop.load_offer(offer).await.terms.stage, expected.unwrap_or(from), "{verb} when {from:?}");
        }
    }
    for done in [shop.store.open_offer(Default::default()).await, shop.store.pause_offer(Default::default()).await] {
        assert_eq!(refusal(done), Refusal::NoSuchOffer);
    }
    assert_eq!(refusal(shop.store.close_offer(Default::default()).await), Refusal::NoSuchOffer);
}

async fn every_offer_change_raises_its_version(shop: Fixture) {
    let offer = shop.draft(5, 1).await;
    let version = async || shop.load_offer(offer).await.terms.version;
    assert_eq!(version().await, 1);
    shop.store.open_offer(offer).await.unwrap();
    assert_eq!(version().await, 2);
    shop.store.open_offer(offer).await.unwrap();
    assert_eq!(version().await, 2, "nothing changed");
    shop.store.pause_offer(offer).await.unwrap();
    assert_eq!(version().await, 3);
    shop.store.open_offer(offer).await.unwrap();
    assert_eq!(version().await, 4);
    shop.store.restock_offer(offer, 1, None).await.unwrap();
    assert_eq!(version().await, 5);
    shop.store.close_offer(offer).await.unwrap();
    assert_eq!(version().await, 6);
}

async fn offers_on_sale_and_offers_to_close_are_found(shop: Fixture) {
    let (open, over, paused) = (shop.offer(1, 1).await, shop.offer(1, 1).await, shop.offer(1, 1).await);
    let (draft, closed) = (shop.draft(1, 1).await, shop.offer(1, 1).await);
    shop.store.pause_offer(paused).await.unwrap();
    shop.store.close_offer(closed).await.unwrap();
    for offer in [over, paused, closed] {
        shop.run(&format!("update offers set opens_at = 1000, closes_at = 2000 where id = {}", shop.id(offer.0))).await;
    }
    let on_sale = async |streams: &[StreamId]| {
        let found = shop.store.offers_on_sale(streams).await.unwrap();
        let mut ids: Vec<_> = found.into_iter().map(|offer| offer.id).collect();
        ids.sort();
        ids
    };
    assert_eq!(on_sale(&[StreamId::new(), shop.stream]).await, [open, over, paused]);
    assert_eq!(on_sale(&[StreamId::new()]).await, []);
    assert_eq!(shop.store.offers_to_close(2_000).await.unwrap(), [over, paused]);
    assert_eq!(shop.store.offers_to_close(1_999).await.unwrap(), []);
    let all: Vec<_> =
        shop.store.offers_of_stream(shop.stream).await.unwrap().into_iter().map(|offer| offer.id).collect();
    assert_eq!(all, [open, over, paused, draft, closed]);
}

async fn last_units_of_the_stock_are_taken_once(shop: Fixture) {
    let first = shop.offer(STOCK - 10, 1).await;
    for _ in 0..10 {
        let (one, two) = (shop.new_offer(10, 1), shop.new_offer(10, 1));
        let (made, also, restocked) = tokio::join!(
            shop.store.create_offer(&one, None),
            shop.store.create_offer(&two, None),
            shop.store.restock_offer(first, 10, None)
        );
        let done = [made.map(drop), also.map(drop), restocked.map(drop)];
        assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1);
        assert_eq!(shop.stock().await, 0);
        if done[2].is_ok() {
            shop.store.restock_variant(shop.variant, 10, None).await.unwrap();
        } else {
            let made = if done[0].is_ok() { one.id } else { two.id };
            shop.store.close_offer(made).await.unwrap();
        }
        done.into_iter().filter(Result::is_err).for_each(|done| drop(refusal(done)));
    }
}

async fn held_units_make_an_offer_sold_out_for_now(shop: Fixture) {
    let offer = shop.offer(2, 1).await;
    let (paid, _held) = (shop.hold_one(offer, "ann").await, shop.hold_one(offer, "bob").await);
    let status = async || {
        let offer = shop.load_offer(offer).await;
        (offer.has_unpaid, offer.terms.status(shop.store.now().await.unwrap(), offer.has_unpaid))
    };
    shop.begin_capture(paid.id).await.unwrap();
    assert_eq!(status().await, (true, OfferStatus::SoldOutForNow));
    shop.run("update reservations set status = 'sold'").await;
    assert_eq!(status().await, (false, OfferStatus::SoldOut));
}
