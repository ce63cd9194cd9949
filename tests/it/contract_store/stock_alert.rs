//! Stock alerts: one per user and offer, counted by offer, deleted with the sale.

use livesouk::domain::OfferId;
use livesouk::store::StockAlertCount;

use super::builders::user;
use super::fixture::{Fixture, facts};

facts! {
    user_has_one_stock_alert_per_offer
    stock_alert_does_not_touch_the_offer
    stock_alerts_of_a_closed_offer_are_found_and_deleted
    alerts_of_thousands_of_offers_are_counted
}

async fn user_has_one_stock_alert_per_offer(shop: Fixture) {
    let (one, other) = (shop.offer(1, 1).await, shop.offer(1, 1).await);
    for (offer, who) in [(one, "ann"), (one, "ann"), (one, "ben"), (other, "ann")] {
        assert!(shop.store.add_stock_alert(offer, &user(who)).await.unwrap());
    }
    let counted = |offer, people| StockAlertCount { offer, stream: shop.stream, users: people };
    let counts = async || shop.store.stock_alert_counts(&[one, other]).await.unwrap();
    assert_eq!(counts().await, [counted(one, 2), counted(other, 1)]);
    assert_eq!(shop.store.stock_alert_counts(&[other]).await.unwrap(), [counted(other, 1)]);
    assert_eq!(shop.store.stock_alerts_of(&user("ann"), shop.stream).await.unwrap(), [one, other]);
    for _ in 0..2 {
        shop.store.remove_stock_alert(one, &user("ann")).await.unwrap();
    }
    assert_eq!(counts().await, [counted(one, 1), counted(other, 1)]);
    assert_eq!(shop.store.stock_alerts_of(&user("ann"), shop.stream).await.unwrap(), [other]);
}

async fn stock_alert_does_not_touch_the_offer(shop: Fixture) {
    let offer = shop.offer(1, 1).await;
    shop.hold_one(offer, "ann").await;
    let before = shop.load_offer(offer).await;
    shop.store.add_stock_alert(offer, &user("ben")).await.unwrap();
    shop.store.remove_stock_alert(offer, &user("ben")).await.unwrap();
    assert_eq!(shop.load_offer(offer).await, before, "neither its version nor its counts change");
    shop.assert_consistent().await;
}

async fn stock_alerts_of_a_closed_offer_are_found_and_deleted(shop: Fixture) {
    let (offer, other, draft) = (shop.offer(1, 1).await, shop.offer(1, 1).await, shop.draft(1, 1).await);
    assert!(!shop.store.add_stock_alert(draft, &user("ann")).await.unwrap(), "a draft has no stock alerts");
    for offer in [offer, other] {
        shop.store.add_stock_alert(offer, &user("ann")).await.unwrap();
    }
    shop.store.close_offer(offer).await.unwrap();
    assert!(!shop.store.add_stock_alert(offer, &user("ben")).await.unwrap());
    assert_eq!(shop.store.closed_offers_with_stock_alerts().await.unwrap(), [offer]);
    shop.store.delete_stock_alerts(offer).await.unwrap();
    assert_eq!(shop.store.closed_offers_with_stock_alerts().await.unwrap(), []);
    assert_eq!(shop.store.stock_alerts_of(&user("ann"), shop.stream).await.unwrap(), [other]);
}

async fn alerts_of_thousands_of_offers_are_counted(shop: Fixture) {
    let offers: Vec<OfferId> = (0..2_500).map(|_| OfferId::new()).collect();
    for offers in offers.chunks(500) {
        let row = |offer: &OfferId| format!("({}, 'ann', {}, 1)", shop.id(offer.0), shop.id(shop.stream.0));
        let rows: Vec<String> = offers.iter().map(row).collect();
        shop.run(&format!("insert into stock_alerts (offer, user_id, stream, created_at) values {}", rows.join(", ")))
            .await;
    }
    assert_eq!(shop.store.stock_alert_counts(&offers).await.unwrap().len(), 2_500);
}
