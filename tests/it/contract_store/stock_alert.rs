//! Stock alerts: one per user and offer, counted by offer, deleted with the sale.

use livesouk::store::StockAlertCount;

use super::builders::user;
use super::fixture::{Fixture, facts};

facts! {
    user_has_one_stock_alert_per_offer
    stock_alert_does_not_touch_the_offer
    stock_alerts_of_a_closed_offer_are_marked_and_deleted
}

async fn user_has_one_stock_alert_per_offer(shop: Fixture) {
    let (one, other) = (shop.offer(1, 1).await, shop.offer(1, 1).await);
    for (offer, who) in [(one, "ann"), (one, "ann"), (one, "ben"), (other, "ann")] {
        assert!(shop.store.add_stock_alert(offer, &user(who)).await.unwrap());
    }
    let counted = |offer, people| StockAlertCount { offer, stream: shop.stream, users: people, closed: false };
    assert_eq!(shop.store.stock_alert_counts().await.unwrap(), [counted(one, 2), counted(other, 1)]);
    assert_eq!(shop.store.stock_alerts_of(&user("ann"), shop.stream).await.unwrap(), [one, other]);
    for _ in 0..2 {
        shop.store.remove_stock_alert(one, &user("ann")).await.unwrap();
    }
    assert_eq!(shop.store.stock_alert_counts().await.unwrap(), [counted(one, 1), counted(other, 1)]);
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

async fn stock_alerts_of_a_closed_offer_are_marked_and_deleted(shop: Fixture) {
    let (offer, other, draft) = (shop.offer(1, 1).await, shop.offer(1, 1).await, shop.draft(1, 1).await);
    assert!(!shop.store.add_stock_alert(draft, &user("ann")).await.unwrap(), "a draft has no stock alerts");
    for offer in [offer, other] {
        shop.store.add_stock_alert(offer, &user("ann")).await.unwrap();
    }
    shop.store.close_offer(offer).await.unwrap();
    assert!(!shop.store.add_stock_alert(offer, &user("ben")).await.unwrap());
    let closed: Vec<bool> = shop.store.stock_alert_counts().await.unwrap().iter().map(|count| count.closed).collect();
    assert_eq!(closed, [true, false]);
    shop.store.delete_stock_alerts(offer).await.unwrap();
    assert_eq!(shop.store.stock_alerts_of(&user("ann"), shop.stream).await.unwrap(), [other]);
}
