//! Coupons that viewers claim in a show: the quote shows what comes off, the payment takes the use, and until then the claim is not lost.

use std::time::Duration;

use livesouk::domain::order::request_hash;
use livesouk::domain::{
    AuditAction, Coupon, CouponForm, CouponProblem, ManualMethod, ManualPayments, Market, PaymentStatus, QuoteRules,
    Refusal, StreamId,
};
use livesouk::store::{LockWait, NewPlacement};

use super::builders::{actor, audit_entry, key, person, refusal, stream, user};
use super::coupon_builders::{PERCENT_10, percent};
use super::fixture::{Fixture, facts};

facts! {
    claim_takes_its_discount_off_and_reserves_nothing_before_the_payment
    reading_an_order_writes_and_locks_nothing
    order_that_ends_unpaid_gives_the_claim_back
    coupon_that_is_taken_away_stays_claimed_for_the_next_order
    claim_is_gone_once_its_order_is_paid
    last_use_is_given_to_one_of_those_who_pay_at_once
    orders_of_one_buyer_share_one_claim
    placed_order_takes_the_claimed_coupon
    claim_that_does_not_fit_leaves_the_quote_alone
    claim_beside_an_attempt_to_pay_changes_no_quote
    newly_shown_coupon_stays_on_the_screens
    coupon_that_cannot_be_used_is_not_claimed
    claims_of_coupons_that_were_ended_do_not_hide_a_good_one
    show_that_has_ended_shows_no_coupon
}

const CLAIMS: &str = "select cast(count(*) as bigint) from coupon_claims";

async fn claim_takes_its_discount_off_and_reserves_nothing_before_the_payment(shop: Fixture) {
    let coupon = shop.coupon(percent("LIVE", PERCENT_10)).await;
    shop.claim(&coupon, "ann").await;
    let offer = shop.offer(9, 9).await;
    let alone = shop.reserve_some(offer, "ann", 1).await;
    let quote = shop.quote_of(alone).await;
    assert_eq!((quote.discount, quote.coupon.as_ref().map(|coupon| coupon.id)), (490, Some(coupon.id)));
    assert_eq!(shop.uses(&coupon).await, 0, "nothing is reserved");
    let purchase = shop.order(alone).await;
    let payment = shop.pay_seen(&purchase, &quote).await.unwrap();
    assert_eq!((payment.amount, shop.uses(&coupon).await), (4_410, 1));
    // The attempt fails: the order keeps the coupon as if its code had been typed.
    shop.store.update_payment_status(&payment, PaymentStatus::Declined, None).await.unwrap();
    assert_eq!((shop.quote_of(alone).await.version, shop.uses(&coupon).await), (quote.version, 1));
    let paid = shop.paid(&purchase).await;
    assert_eq!((paid.total(), shop.uses(&coupon).await), (4_410, 1));
    shop.assert_consistent().await;
}

/// A viewer reads an order while the last use is gone, and while one is left: neither waits for the coupon's row or touches it.
async fn reading_an_order_writes_and_locks_nothing(shop: Fixture) {
    let gone = shop.coupon(CouponForm { quota: Some(1), ..percent("GONE", PERCENT_10) }).await;
    let left = shop.coupon(CouponForm { quota: Some(1), ..percent("LEFT", 2_000) }).await;
    shop.claim(&left, "ann").await;
    shop.claim(&gone, "ann").await;
    shop.set(&shop.opened("bob", &[1]).await, "gone").await.unwrap();
    let offer = shop.offer(9, 9).await;
    let alone = shop.reserve_some(offer, "ann", 1).await;
    let app = shop.app().await;
    let tables = ["orders", "coupon_uses", "coupon_claims", "coupons"];
    let state = async || {
        let mut all = Vec::new();
        for table in tables {
            all.push(shop.number(&format!("select count(*) from {table}")).await);
            if shop.is_postgres() {
                // The version of each row, and whether a transaction has locked it.
                let rows = format!(
                    "select coalesce(sum(xmin::text::bigint * 7 + xmax::text::bigint), 0)::bigint from {table}"
                );
                all.push(shop.number(&rows).await);
            }
        }
        all
    };
    let before = state().await;
    if shop.is_postgres() {
        shop.run("begin; select id from coupons for update").await;
    }
    let ann = actor("ann");
    let read = tokio::time::timeout(Duration::from_secs(5), app.checkout.order_detail(&ann, alone));
    let detail = read.await.expect("it waits for nobody").unwrap();
    if shop.is_postgres() {
        shop.run("rollback").await;
    }
    assert_eq!(detail.order.quote.unwrap().discount, 980, "the claim that is left");
    let after = state().await;
    if shop.is_postgres() {
        // The lock of this test itself is in the rows of the coupons.
        assert_eq!(after[..7], before[..7]);
        app.checkout.order_detail(&ann, alone).await.unwrap();
    }
    assert_eq!(state().await, after, "a read changes and locks no row");
    assert_eq!((shop.uses(&gone).await, shop.uses(&left).await), (1, 0));
}

async fn order_that_ends_unpaid_gives_the_claim_back(shop: Fixture) {
    let coupon = shop.coupon(CouponForm { quota: Some(1), per_person: Some(1), ..percent("BACK", PERCENT_10) }).await;
    shop.claim(&coupon, "ann").await;
    let first = shop.opened("ann", &[1]).await;
    let quote = shop.quote_of(first.id).await;
    let payment = shop.pay_seen(&first, &quote).await.unwrap();
    shop.store.update_payment_status(&payment, PaymentStatus::Declined, None).await.unwrap();
    shop.settle().await;
    assert_eq!(shop.uses(&coupon).await, 1);
    let offer = first.lines[0].offer;
    shop.expire_holds(offer).await;
    shop.store.release_expired_holds(offer, LockWait::Second).await.unwrap();
    shop.settle().await;
    assert_eq!((shop.uses(&coupon).await, shop.number(CLAIMS).await), (0, 1));
    let second = shop.opened("ann", &[1]).await;
    assert_eq!(shop.paid(&second).await.total(), 4_410, "the next order has the discount");
}

async fn coupon_that_is_taken_away_stays_claimed_for_the_next_order(shop: Fixture) {
    let coupon = shop.coupon(percent("AWAY", PERCENT_10)).await;
    let other = shop.coupon(percent("OTHER", 2_000)).await;
    shop.claim(&coupon, "ann").await;
    let first = shop.opened("ann", &[1]).await;
    let discount = async |order| shop.quote_of(order).await.discount;
    assert_eq!(discount(first.id).await, 490);
    shop.remove(&first).await.unwrap();
    assert_eq!(discount(first.id).await, 0, "it is not set again at once");
    // One that was typed, or paid for in vain, is taken away in the same way.
    shop.set(&first, "away").await.unwrap();
    shop.remove(&first).await.unwrap();
    assert_eq!((discount(first.id).await, shop.uses(&coupon).await), (0, 0));
    shop.claim(&other, "ann").await;
    assert_eq!(discount(first.id).await, 980, "what is claimed after that counts");
    shop.remove(&first).await.unwrap();
    assert_eq!(shop.paid(&first).await.total(), 4_900);
    shop.settle().await;
    assert_eq!(shop.number(CLAIMS).await, 2, "none was used");
    let second = shop.opened("ann", &[1]).await;
    assert_eq!(discount(second.id).await, 980, "the newest");
    // An order with the purchase from which it was taken away has none either.
    let offer = shop.offer(9, 9).await;
    let (one, other) = (shop.reserve_some(offer, "cat", 1).await, shop.reserve_some(offer, "cat", 1).await);
    shop.claim(&coupon, "cat").await;
    shop.remove(&shop.order(other).await).await.unwrap();
    assert_eq!((discount(one).await, discount(other).await), (490, 0));
    let opened = shop.store.open_order(&user("cat"), &[one, other]).await.unwrap();
    assert_eq!((opened.id, discount(opened.id).await), (one, 0));
}

async fn claim_is_gone_once_its_order_is_paid(shop: Fixture) {
    let coupon = shop.coupon(CouponForm { per_person: Some(2), ..percent("TWICE", PERCENT_10) }).await;
    shop.claim(&coupon, "ann").await;
    let first = shop.opened("ann", &[1]).await;
    shop.paid(&first).await;
    let second = shop.opened("ann", &[1]).await;
    assert_eq!(shop.quote_of(second.id).await.coupon, None, "one claim is for one order, also before the job has run");
    shop.settle().await;
    assert_eq!(shop.number(CLAIMS).await, 0);
    shop.run("update coupon_uses set taken_at = taken_at - 1").await;
    shop.claim(&coupon, "ann").await;
    assert_eq!(shop.paid(&second).await.total(), 4_410, "claimed again");
    shop.settle().await;
    shop.run("update coupon_uses set taken_at = taken_at - 1").await;
    shop.claim(&coupon, "ann").await;
    let third = shop.opened("ann", &[1]).await;
    assert_eq!(shop.quote_of(third.id).await.coupon, None, "as often as one person may");
}

async fn last_use_is_given_to_one_of_those_who_pay_at_once(shop: Fixture) {
    let coupon = shop.coupon(CouponForm { quota: Some(3), ..percent("RUSH", PERCENT_10) }).await;
    let mut orders = Vec::new();
    for n in 0..12 {
        let buyer = format!("buyer-{n}");
        shop.claim(&coupon, &buyer).await;
        let order = shop.opened(&buyer, &[1]).await;
        let quote = shop.quote_of(order.id).await;
        assert_eq!(quote.total, 4_410, "all of them see it");
        orders.push((order, quote));
    }
    let shop = shop.into_arc();
    let mut all = tokio::task::JoinSet::new();
    for (order, quote) in orders {
        let shop = shop.clone();
        all.spawn(async move {
            match shop.pay_seen(&order, &quote).await {
                Ok(payment) => {
                    assert_eq!(payment.amount, 4_410);
                    true
                }
                Err(Refusal::QuoteChanged(now)) => {
                    assert_eq!((now.total, &now.coupon), (4_900, &None));
                    shop.pay_seen(&order, &now).await.unwrap();
                    false
                }
                Err(other) => panic!("{other}"),
            }
        });
    }
    let won = all.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!((won, shop.uses(&coupon).await), (3, 3));
}

async fn orders_of_one_buyer_share_one_claim(shop: Fixture) {
    let coupon = shop.coupon(CouponForm { per_person: Some(9), ..percent("SHARE", PERCENT_10) }).await;
    shop.claim(&coupon, "ann").await;
    let offer = shop.offer(9, 9).await;
    let (a, b) = (shop.reserve_some(offer, "ann", 1).await, shop.reserve_some(offer, "ann", 1).await);
    let (qa, qb) = (shop.quote_of(a).await, shop.quote_of(b).await);
    assert_eq!((qa.discount, qb.discount), (490, 490));
    let (oa, ob) = (shop.order(a).await, shop.order(b).await);
    let (one, other) = tokio::join!(shop.pay_seen(&oa, &qa), shop.pay_seen(&ob, &qb));
    let won = [&one, &other].iter().filter(|result| result.is_ok()).count();
    assert_eq!((won, shop.uses(&coupon).await), (1, 1), "{one:?} {other:?}");
    // An open order comes before a purchase by itself, which must not become its line only because it was looked at.
    let opened = shop.opened("bob", &[1]).await;
    let alone = shop.reserve_some(offer, "bob", 1).await;
    shop.claim(&coupon, "bob").await;
    assert_eq!((shop.quote_of(opened.id).await.discount, shop.quote_of(alone).await.discount), (490, 0));
    assert_eq!(shop.order(opened.id).await.lines.len(), 1);
}

async fn placed_order_takes_the_claimed_coupon(shop: Fixture) {
    let coupon = shop.coupon(percent("CASH", PERCENT_10)).await;
    shop.claim(&coupon, "ann").await;
    let order = shop.opened("ann", &[1]).await;
    let quote = shop.quote_of(order.id).await;
    let new = NewPlacement {
        order: order.id,
        buyer: user("ann"),
        person: person("ann"),
        key: key("place-0001"),
        hash: request_hash(&["place"]),
        method: ManualMethod::CashOnDelivery,
        quote_version: Some(quote.version),
        rules: QuoteRules::default(),
        market: Market::default(),
        settings: ManualPayments { cash_on_delivery: true, ..ManualPayments::default() },
    };
    let (placed, _) = shop.store.place_order(&new).await.unwrap();
    assert_eq!((placed.total(), shop.uses(&coupon).await), (4_410, 1));
}

async fn claim_that_does_not_fit_leaves_the_quote_alone(shop: Fixture) {
    let ended = shop.coupon(percent("ENDED", PERCENT_10)).await;
    let dear = shop.coupon(CouponForm { minimum: Some(9_000), ..percent("DEAR", PERCENT_10) }).await;
    for coupon in [&ended, &dear] {
        shop.claim(coupon, "ann").await;
    }
    shop.end_coupon(&ended).await;
    let order = shop.opened("ann", &[1]).await;
    assert_eq!(shop.quote_of(order.id).await.coupon, None);
    let offer = shop.offer(9, 9).await;
    let more = shop.reserve_some(offer, "ann", 1).await;
    shop.store.open_order(&user("ann"), &[more]).await.unwrap();
    assert_eq!(shop.quote_of(order.id).await.coupon.unwrap().id, dear.id, "with more in the order it fits");
    // Somebody else's claim is not for this buyer.
    let bobs = shop.opened("bob", &[2]).await;
    assert_eq!(shop.quote_of(bobs.id).await.coupon, None);
    assert_eq!(shop.store.delete_ended_claims().await.unwrap(), 1);
}

/// The attempt has frozen the quote: what is claimed meanwhile is for after it.
async fn claim_beside_an_attempt_to_pay_changes_no_quote(shop: Fixture) {
    let coupon = shop.coupon(percent("LATE", PERCENT_10)).await;
    let order = shop.opened("ann", &[1]).await;
    let quote = shop.quote_of(order.id).await;
    let payment = shop.pay_seen(&order, &quote).await.unwrap();
    shop.claim(&coupon, "ann").await;
    assert_eq!(shop.quote_of(order.id).await, quote);
    shop.store.update_payment_status(&payment, PaymentStatus::Declined, None).await.unwrap();
    assert_eq!(shop.quote_of(order.id).await.discount, 490);
    assert_eq!(shop.paid(&order).await.total(), 4_410);
}

/// The job has found a coupon that is used up; before it hides it, the team shows another one, or the same one again.
async fn newly_shown_coupon_stays_on_the_screens(shop: Fixture) {
    let (a, b) = (shop.coupon(percent("AAA", PERCENT_10)).await, shop.coupon(percent("BBB", PERCENT_10)).await);
    let now = shop.store.now().await.unwrap();
    let show = async |coupon: &Coupon| {
        let shown = coupon.shown(shop.stream, "SAR", now).unwrap();
        let entry = audit_entry(shop.stream, AuditAction::ShowCoupon);
        shop.store.show_coupon(shop.stream, Some(&shown), &entry).await.unwrap()
    };
    let read = async || shop.store.stream(shop.stream).await.unwrap().unwrap().coupon;
    show(&a).await;
    let found = shop.store.shown_coupons().await.unwrap();
    assert_eq!(found.iter().map(|found| found.coupon.id).collect::<Vec<_>>(), [a.id]);
    show(&b).await;
    assert_eq!(shop.store.hide_coupon_if_unchanged(&found[0]).await.unwrap(), None);
    assert_eq!(read().await.unwrap().id, b.id);
    let found = shop.store.shown_coupons().await.unwrap();
    show(&b).await;
    assert_eq!(shop.store.hide_coupon_if_unchanged(&found[0]).await.unwrap(), None, "shown again");
    assert_eq!(read().await.unwrap().id, b.id);
    let found = shop.store.shown_coupons().await.unwrap();
    let hidden = shop.store.hide_coupon_if_unchanged(&found[0]).await.unwrap().unwrap();
    assert_eq!((hidden.coupon, read().await), (None, None));
    assert_eq!(shop.store.hide_coupon_if_unchanged(&found[0]).await.unwrap(), None, "once");
}

/// It is still on the screens: the job that hides it comes a moment later.
async fn coupon_that_cannot_be_used_is_not_claimed(shop: Fixture) {
    let app = shop.app().await;
    let now = shop.store.now().await.unwrap();
    let elsewhere = stream(StreamId::new());
    shop.store.create_stream(shop.shop.id, &elsewhere).await.unwrap();
    let gone = |change: &str| format!("update coupons set {change}");
    for (name, change, problem) in [
        ("over", gone("ends_at = 2000, starts_at = 1000"), Some(CouponProblem::Ended)),
        ("ended", gone("ended_at = 1000"), Some(CouponProblem::Ended)),
        ("early", gone(&format!("starts_at = {}", now + 3_600_000)), Some(CouponProblem::NotStarted)),
        ("used", gone("quota = 1, uses = 1"), Some(CouponProblem::UsedUp)),
        ("other", gone(&format!("stream = {}", shop.id(elsewhere.id.0))), Some(CouponProblem::OtherShow)),
        ("money", gone("currency = 'EUR', minimum = 5"), Some(CouponProblem::Currency)),
        ("good", gone("quota = 2, uses = 1"), None),
    ] {
        let coupon = shop.coupon(percent(name, PERCENT_10)).await;
        let shown = coupon.shown(shop.stream, "SAR", shop.store.now().await.unwrap()).unwrap();
        let entry = audit_entry(shop.stream, AuditAction::ShowCoupon);
        shop.store.show_coupon(shop.stream, Some(&shown), &entry).await.unwrap();
        shop.run(&format!("{change} where id = {}", shop.id(coupon.id.0))).await;
        let claimed = app.checkout.claim_coupon(&actor("ann"), shop.stream, coupon.id).await;
        assert_eq!(claimed, problem.map_or(Ok(()), |problem| Err(Refusal::Coupon(problem).into())), "{name}");
        let wrong_show = app.checkout.claim_coupon(&actor("ann"), elsewhere.id, coupon.id).await;
        assert_eq!(wrong_show, Err(Refusal::Coupon(CouponProblem::Unknown).into()), "{name} is not shown there");
        let own = format!("{CLAIMS} where coupon = {}", shop.id(coupon.id.0));
        assert_eq!(shop.number(&own).await, i64::from(problem.is_none()), "{name}");
    }
}

/// The quote looks at the ten newest claims.
async fn claims_of_coupons_that_were_ended_do_not_hide_a_good_one(shop: Fixture) {
    let good = shop.coupon(percent("GOOD", PERCENT_10)).await;
    shop.claim(&good, "ann").await;
    shop.run("update coupon_claims set claimed_at = claimed_at - 1000").await;
    for n in 0..10 {
        let ended = shop.coupon(percent(&format!("ENDED {n}"), PERCENT_10)).await;
        shop.claim(&ended, "ann").await;
        shop.end_coupon(&ended).await;
    }
    let order = shop.opened("ann", &[1]).await;
    assert_eq!(shop.quote_of(order.id).await.coupon.map(|coupon| coupon.id), Some(good.id));
}

async fn show_that_has_ended_shows_no_coupon(shop: Fixture) {
    let coupon = shop.coupon(percent("LAST", PERCENT_10)).await;
    let shown = coupon.shown(shop.stream, "SAR", shop.store.now().await.unwrap()).unwrap();
    let show = async |coupon| {
        let entry = audit_entry(shop.stream, AuditAction::ShowCoupon);
        shop.store.show_coupon(shop.stream, coupon, &entry).await.map(|show| show.coupon.is_some())
    };
    assert!(show(Some(&shown)).await.unwrap());
    shop.run(&format!("update streams set status = 'ended', ended_at = 1 where id = {}", shop.id(shop.stream.0))).await;
    assert_eq!(refusal(show(Some(&shown)).await), Refusal::StreamEnded);
    assert!(!show(None).await.unwrap(), "it can still be taken away");
}
