//! Payment attempts: numbered, found by their key; one wins the order, the others are voided.

use livesouk::domain::order::request_hash;
use livesouk::domain::{Market, OrderStatus, PaymentStatus, QuoteRules, Refusal};
use livesouk::store::{NewPayment, ReleaseReason};

use super::builders::{key, refusal, user};
use super::fixture::{Fixture, facts};

facts! {
    concurrent_attempts_get_different_numbers
    key_belongs_to_one_attempt_forever
    no_attempt_begins_for_an_unpayable_order
    exactly_one_attempt_wins
    voided_attempt_cannot_win
    winning_attempt_is_not_voided
    final_status_is_not_overwritten
    failed_capture_leaves_an_attempt_to_void
    only_unfinished_payments_are_reconciled
    failing_payment_waits_behind_the_others
}

async fn concurrent_attempts_get_different_numbers(shop: Fixture) {
    let offer = shop.offer(50, 1).await;
    for round in 0..20 {
        let order = shop.hold_one(offer, &format!("ann-{round}")).await;
        let begin = || shop.begin_payment(order.id, "ok");
        let (one, two, three) = tokio::join!(begin(), begin(), begin());
        let mut attempts = [one, two, three].map(|payment| payment.unwrap_or_else(|fault| panic!("{fault}")).attempt);
        attempts.sort_unstable();
        assert_eq!(attempts, [1, 2, 3], "round {round}");
    }
}

async fn key_belongs_to_one_attempt_forever(shop: Fixture) {
    let offer = shop.offer(5, 5).await;
    let (order, other) = (shop.hold_one(offer, "ann").await, shop.hold_one(offer, "bob").await);
    let new = NewPayment {
        order: order.id,
        buyer: user("ann"),
        key: key("key-00001"),
        hash: request_hash(&["pay", "ok"]),
        provider: "test",
        token: "ok".into(),
        card: Default::default(),
        quote_version: None,
        rules: QuoteRules::default(),
        market: Market::default(),
        is_queued: false,
        request_ms: 0,
    };
    let (one, two) = tokio::join!(shop.store.begin_payment(&new), shop.store.begin_payment(&new));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!((one.is_new, one.payment.attempt), (!two.is_new, two.payment.attempt));
    let reused = NewPayment { hash: request_hash(&["pay", "slow"]), ..new.clone() };
    assert_eq!(refusal(shop.store.begin_payment(&reused).await), Refusal::KeyReused);
    let elsewhere = NewPayment { order: other.id, hash: request_hash(&["pay", "other"]), ..new.clone() };
    assert_eq!(refusal(shop.store.begin_payment(&elsewhere).await), Refusal::KeyReused);
    let bobs = NewPayment { order: other.id, buyer: user("bob"), ..new.clone() };
    assert!(shop.store.begin_payment(&bobs).await.unwrap().is_new, "another buyer's key is another key");
    // This also holds when the order can no longer be paid.
    shop.store.release_reservations(offer, &[order.id], ReleaseReason::BuyerCancel, None).await.unwrap();
    let again = shop.store.begin_payment(&new).await.unwrap();
    assert_eq!((again.is_new, again.payment.order_status), (false, OrderStatus::Cancelled));
}

async fn no_attempt_begins_for_an_unpayable_order(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let (ann, bob, cem) = (
        shop.hold_one(offer, "ann").await.id,
        shop.hold_one(offer, "bob").await.id,
        shop.hold_one(offer, "cem").await.id,
    );
    shop.store.release_reservations(offer, &[ann], ReleaseReason::BuyerCancel, None).await.unwrap();
    shop.begin_capture(bob).await.unwrap().unwrap();
    let begin = async |order| refusal(shop.begin_payment(order, "ok").await).code();
    assert_eq!((begin(ann).await, begin(bob).await), ("wrong_status", "busy"));
    shop.store.finish_capture(bob).await.unwrap().unwrap();
    assert_eq!(begin(bob).await, "already_paid");
    shop.expire_holds(offer).await;
    shop.store.release_reservations(offer, &[cem], ReleaseReason::HoldEnded, None).await.unwrap();
    assert_eq!(begin(cem).await, "hold_expired");
    assert_eq!(shop.number("select count(*) from payments").await, 1);
}

async fn exactly_one_attempt_wins(shop: Fixture) {
    let offer = shop.offer(50, 1).await;
    for round in 0..20 {
        let order = shop.hold_one(offer, &format!("ann-{round}")).await.id;
        let (one, two) =
            (shop.begin_payment(order, "ok").await.unwrap(), shop.begin_payment(order, "ok").await.unwrap());
        let names = [one.create_key(), two.create_key()];
        let (first, second) = tokio::join!(
            shop.store.begin_capture(&one, Some(names[0].as_str())),
            shop.store.begin_capture(&two, Some(names[1].as_str()))
        );
        let won = [first.unwrap().is_some(), second.unwrap().is_some()];
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "round {round}");
        let winner = shop.store.winning_payment(order).await.unwrap().unwrap();
        let at = usize::from(won[1]);
        assert_eq!((winner.attempt, winner.reference), (at as i64 + 1, Some(names[at].clone())));
        shop.store.finish_capture(order).await.unwrap().unwrap();
        let winner = shop.store.winning_payment(order).await.unwrap().unwrap();
        assert_eq!((winner.status, winner.order_status), (PaymentStatus::Captured, OrderStatus::Paid));
        let loser = shop.store.payment(order, 2 - at as i64).await.unwrap().unwrap();
        assert_eq!((loser.status, loser.wins), (PaymentStatus::Creating, false));
    }
    assert_eq!(shop.number("select count(*) from payment_mismatches").await, 0);
}

async fn voided_attempt_cannot_win(shop: Fixture) {
    let offer = shop.offer(50, 1).await;
    for round in 0..30 {
        let order = shop.hold_one(offer, &format!("ann-{round}")).await.id;
        let payment = shop.begin_payment(order, "ok").await.unwrap();
        let win = shop.store.begin_capture(&payment, None);
        let void = shop.store.update_payment_status(&payment, PaymentStatus::Voiding, None);
        let (won, gone) = if round % 2 == 0 {
            tokio::join!(win, void)
        } else {
            let (gone, won) = tokio::join!(void, win);
            (won, gone)
        };
        let (won, gone) = (won.unwrap().is_some(), gone.unwrap());
        assert_ne!(won, gone, "round {round}: exactly one of them");
        let now = shop.store.begin_capture(&payment, None).await.unwrap();
        assert_eq!(now, None, "round {round}: the decision is final");
    }
}

async fn winning_attempt_is_not_voided(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let order = shop.hold_one(offer, "ann").await.id;
    shop.begin_capture(order).await.unwrap().unwrap();
    let winner = shop.store.winning_payment(order).await.unwrap().unwrap();
    for next in [PaymentStatus::Voiding, PaymentStatus::Cancelled, PaymentStatus::Failed] {
        assert!(!shop.store.update_payment_status(&winner, next, None).await.unwrap(), "{next:?}");
    }
    shop.store.finish_capture(order).await.unwrap().unwrap();
    assert!(!shop.store.update_payment_status(&winner, PaymentStatus::Voiding, None).await.unwrap());
    assert_eq!(shop.store.winning_payment(order).await.unwrap().unwrap().status, PaymentStatus::Captured);
}

async fn final_status_is_not_overwritten(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let order = shop.hold_one(offer, "ann").await.id;
    let payment = shop.begin_payment(order, "declined").await.unwrap();
    let update = async |next| shop.store.update_payment_status(&payment, next, Some("the-reference")).await.unwrap();
    assert!(update(PaymentStatus::Declined).await);
    for late in [PaymentStatus::NeedsAction, PaymentStatus::Authorized] {
        assert!(!update(late).await, "{late:?}");
    }
    let found = shop.store.payment(order, 1).await.unwrap().unwrap();
    assert_eq!((found.status, found.reference.as_deref()), (PaymentStatus::Declined, Some("the-reference")));
    assert_eq!(shop.store.begin_capture(&payment, None).await.unwrap(), None, "a declined attempt cannot win");
    assert_eq!(shop.order(order).await.status, OrderStatus::Held);
}

async fn failed_capture_leaves_an_attempt_to_void(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let order = shop.hold_one(offer, "ann").await.id;
    shop.begin_capture(order).await.unwrap().unwrap();
    shop.store.release_failed_capture(order).await.unwrap();
    let winner = shop.store.winning_payment(order).await.unwrap().unwrap();
    assert_eq!((winner.wins, winner.order_status), (true, OrderStatus::Cancelled));
    assert!(shop.store.update_payment_status(&winner, PaymentStatus::Voiding, None).await.unwrap());
    assert!(shop.store.update_payment_status(&winner, PaymentStatus::Failed, None).await.unwrap());
    shop.assert_consistent().await;
}

async fn only_unfinished_payments_are_reconciled(shop: Fixture) {
    let offer = shop.offer(9, 1).await;
    let mut ids = Vec::new();
    for (buyer, becomes) in [
        ("creating", None),
        ("waiting", Some(PaymentStatus::NeedsAction)),
        ("voiding", Some(PaymentStatus::Voiding)),
        ("declined", Some(PaymentStatus::Declined)),
        ("cancelled", Some(PaymentStatus::Cancelled)),
    ] {
        let order = shop.hold_one(offer, buyer).await.id;
        let payment = shop.begin_payment(order, "ok").await.unwrap();
        if let Some(next) = becomes {
            assert!(shop.store.update_payment_status(&payment, next, None).await.unwrap());
        }
        ids.push(order);
    }
    let (stuck, paid) = (shop.hold_one(offer, "stuck").await.id, shop.hold_one(offer, "paid").await.id);
    for order in [stuck, paid] {
        shop.begin_capture(order).await.unwrap().unwrap();
    }
    shop.store.finish_capture(paid).await.unwrap().unwrap();
    let to_reconcile = async |since| -> Vec<_> {
        shop.store.payments_to_reconcile(since, 100).await.unwrap().iter().map(|payment| payment.order).collect()
    };
    let now = shop.store.now().await.unwrap();
    assert_eq!(to_reconcile(now - 60_000).await, [], "all of them changed just now");
    let mut expected = vec![ids[0], ids[1], ids[2], stuck];
    expected.sort_unstable();
    assert_eq!(to_reconcile(now + 1).await, expected);
    // The attempt is final, but its order was not updated.
    let id = shop.id(stuck.0);
    shop.run(&format!("update payments set status = 'captured' where order_id = {id}")).await;
    assert_eq!(to_reconcile(now + 1).await, expected);
}

async fn failing_payment_waits_behind_the_others(shop: Fixture) {
    let offer = shop.offer(9, 1).await;
    let mut attempts = Vec::new();
    for buyer in ["poison", "ann", "bob"] {
        let order = shop.hold_one(offer, buyer).await.id;
        attempts.push(shop.begin_payment(order, "ok").await.unwrap());
    }
    let now = shop.store.now().await.unwrap();
    let first = async || shop.store.payments_to_reconcile(now + 60_000, 1).await.unwrap()[0].order;
    assert_eq!(first().await, attempts[0].order);
    assert!(shop.store.claim_payment(&attempts[0], now).await.unwrap());
    assert_eq!(first().await, attempts[1].order);
    assert!(shop.store.claim_payment(&attempts[1], now).await.unwrap());
    assert_eq!(first().await, attempts[2].order);
    // Several nodes find the same attempt, and one of them asks the provider.
    shop.run("update payments set tried_at = 0").await;
    let nodes = futures_util::future::join_all((0..4).map(|_| shop.store.claim_payment(&attempts[2], now - 1))).await;
    assert_eq!(nodes.into_iter().filter(|claimed| *claimed.as_ref().unwrap()).count(), 1);
}
