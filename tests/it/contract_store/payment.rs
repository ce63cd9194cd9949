//! Tries to take money: numbered, found again when their node died.

use livesouk::store::PaymentStatus;

use super::fixture::{Fixture, facts};

facts! {
    tries_are_numbered_also_when_two_tabs_pay_at_once
    only_payments_of_orders_stuck_in_capturing_are_adrift
}

async fn tries_are_numbered_also_when_two_tabs_pay_at_once(shop: Fixture) {
    let offer = shop.offer(50, 1).await;
    for round in 0..20 {
        let order = shop.held(offer, &format!("ann-{round}")).await;
        let begin = || shop.store.begin_payment(order.id, "test", "ok", order.amount, &order.currency);
        let (one, two, three) = tokio::join!(begin(), begin(), begin());
        let mut tries = [one, two, three].map(|payment| payment.unwrap_or_else(|fault| panic!("{fault}")).attempt);
        tries.sort_unstable();
        assert_eq!(tries, [1, 2, 3], "round {round}");
    }
}

async fn only_payments_of_orders_stuck_in_capturing_are_adrift(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let mut begun = Vec::new();
    for buyer in ["stuck", "held", "creating", "fresh"] {
        let order = shop.held(offer, buyer).await;
        let mut payment = shop.store.begin_payment(order.id, "test", "ok", 4_900, "SAR").await.unwrap();
        payment.reference = Some(format!("ref-{buyer}"));
        if buyer != "creating" {
            shop.store.set_payment(&payment, PaymentStatus::Authorized).await.unwrap();
        }
        if buyer != "held" {
            shop.store.begin_capture(order.id).await.unwrap().unwrap();
        }
        begun.push(payment);
    }
    let now = shop.store.now().await.unwrap();
    let fresh = shop.id(begun[3].order.0);
    shop.run(&format!(
        "update orders set changed_at = 1000 where id <> {fresh}; update payments set changed_at = 1000"
    ))
    .await;
    assert_eq!(shop.store.payments_adrift(now - 60_000).await.unwrap(), begun[..1]);
}
