//! Who waits for units: one row a person and offer, counted by itself, gone with the sale.

use livesouk::store::StockAlertCount;

use super::builders::user;
use super::fixture::{Fixture, facts};

facts! {
    a_person_waits_once_for_an_offer_and_leaves_alone
    waiting_does_not_touch_the_offer
    a_closed_offer_is_known_by_its_count_and_forgotten
}

async fn a_person_waits_once_for_an_offer_and_leaves_alone(shop: Fixture) {
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

async fn waiting_does_not_touch_the_offer(shop: Fixture) {
    let offer = shop.offer(1, 1).await;
    shop.hold_one(offer, "ann").await;
    let before = shop.load_offer(offer).await;
    shop.store.add_stock_alert(offer, &user("ben")).await.unwrap();
    shop.store.remove_stock_alert(offer, &user("ben")).await.unwrap();
    assert_eq!(shop.load_offer(offer).await, before, "no version, no count: selling does not know of it");
    shop.assert_consistent().await;
}

async fn a_closed_offer_is_known_by_its_count_and_forgotten(shop: Fixture) {
    let (offer, other, draft) = (shop.offer(1, 1).await, shop.offer(1, 1).await, shop.draft(1, 1).await);
    assert!(!shop.store.add_stock_alert(draft, &user("ann")).await.unwrap(), "a draft is nobody's business");
    for offer in [offer, other] {
        shop.store.add_stock_alert(offer, &user("ann")).await.unwrap();
    }
    shop.store.close_offer(offer).await.unwrap();
    assert!(!shop.store.add_stock_alert(offer, &user("ben")).await.unwrap());
    let closed: Vec<bool> =
        shop.store.stock_alert_counts().await.unwrap().iter().map(|waiting| waiting.closed).collect();
    assert_eq!(closed, [true, false]);
    shop.store.delete_stock_alerts(offer).await.unwrap();
    assert_eq!(shop.store.stock_alerts_of(&user("ann"), shop.stream).await.unwrap(), [other]);
}
