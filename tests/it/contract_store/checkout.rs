//! Buying and paying through the verbs of `app`, as REST and the socket do: batches, retries, isolated faults, and the
//! work of the background jobs.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use livesouk::app::{App, Error};
use livesouk::domain::{OfferId, OrderStatus, Refusal, TestScenario};
use livesouk::store::TestProviderReply;

use super::builders::{actor, key};
use super::fixture::{Fixture, SELL_CONNECTIONS, facts};
use crate::support::{SOON, until_some};

facts! {
    purchase_that_cannot_be_stored_fails_alone
    double_tap_creates_one_order
    rush_on_sold_out_offer_does_not_reach_the_database
    hundred_thousand_buyers_get_five_hundred_units_and_an_answer_each
    thousands_of_offers_sell_over_few_connections
    released_units_are_sold_again_and_winners_keep_their_order
    concurrent_pay_with_one_key_pays_once_and_both_calls_succeed
    concurrent_cancel_with_one_key_cancels_once_and_both_calls_succeed
    expired_hold_returns_stock_within_five_seconds
    order_is_reconciled_after_its_node_died_during_capture
}

/// The other buyers of its batch are served, and its buyer gets the answer that nothing was done.
async fn purchase_that_cannot_be_stored_fails_alone(shop: Fixture) {
    let offer = shop.offer(50, 1).await;
    shop.reject_poison_buyer().await;
    let app = shop.app().await;
    let mut buyers = tokio::task::JoinSet::new();
    for n in 0..40 {
        let (app, name) = (app.clone(), if n == 20 { "poison".to_owned() } else { format!("buyer-{n}") });
        buyers.spawn(async move { (n, app.checkout.buy(&actor(&name), offer, 1, key("key-00001")).await) });
    }
    let answered =
        tokio::time::timeout(Duration::from_secs(4), buyers.join_all()).await.expect("every buyer gets an answer");
    for (n, answer) in answered {
        match n {
            20 => assert_eq!(answer.err(), Some(Error::Unavailable)),
            _ => assert_eq!(answer.map(|bought| bought.order.qty), Ok(1), "buyer {n}"),
        }
    }
    assert_eq!(shop.load_offer(offer).await.terms.reserved, 39);
    shop.assert_consistent().await;
    app.stopping().cancel();
    app.finish().await;
}

/// Every batch fails from then on, so a "sold out" answer can only come from the cache. Only one probe every 250 ms goes
/// through.
async fn rush_on_sold_out_offer_does_not_reach_the_database(shop: Fixture) {
    let offer = shop.offer(3, 1).await;
    let app = shop.app().await;
    for n in 0..3 {
        app.checkout.buy(&actor(&format!("winner-{n}")), offer, 1, key("key-00001")).await.unwrap();
    }
    let sold_out = |answer: Option<Error>| answer == Some(Error::Refused(Refusal::SoldOutForNow));
    assert!(sold_out(app.checkout.buy(&actor("late"), offer, 1, key("key-00001")).await.err()));
    shop.break_selling().await;
    let (mut refused, mut probed) = (0, 0);
    for n in 0..2_000 {
        // A probe would wait for the broken table; the others are answered without waiting.
        let late = actor(&format!("late-{n}"));
        let answer = tokio::time::timeout(Duration::ZERO, app.checkout.buy(&late, offer, 1, key("key-00001"))).await;
        match answer {
            Ok(answer) if sold_out(answer.as_ref().err().cloned()) => refused += 1,
            _ => probed += 1,
        }
    }
    assert!(refused >= 1_900, "{refused} refused, {probed} probed");
    app.stopping().cancel();
    app.finish().await;
}

/// As a page does: repeats the request with the same key after "busy" and after an unknown outcome (on a busy machine an answer can
/// take longer than its deadline).
async fn buys(app: &App, name: &str, offer: OfferId) -> Result<i64, Error> {
    let give_up = Instant::now() + Duration::from_secs(90);
    loop {
        match app.checkout.buy(&actor(name), offer, 1, key("key-00001")).await {
            Err(Error::Refused(Refusal::Busy { retry_ms })) if Instant::now() < give_up => {
                tokio::time::sleep(Duration::from_millis(retry_ms as u64)).await;
            }
            Err(Error::OutcomeUnknown) if Instant::now() < give_up => {}
            answer => return answer.map(|bought| bought.order.place),
        }
    }
}

async fn hundred_thousand_buyers_get_five_hundred_units_and_an_answer_each(shop: Fixture) {
    const BUYERS: usize = 100_000;
    const UNITS: i64 = 500;
    let offer = shop.offer(UNITS, 1).await;
    let app = shop.app().await;
    let batches = || app.selling.counters.batches.load(Ordering::Relaxed);
    let mut buyers = tokio::task::JoinSet::new();
    for n in 0..BUYERS {
        let app = app.clone();
        buyers.spawn(async move { buys(&app, &format!("buyer-{n}"), offer).await });
    }
    let (mut places, mut at_last) = (Vec::new(), None);
    while let Some(answer) = buyers.join_next().await {
        match answer.unwrap() {
            Ok(place) => places.push(place),
            Err(Error::Refused(Refusal::SoldOutForNow)) => {}
            Err(other) => panic!("{other:?}"),
        }
        if places.len() as i64 == UNITS && at_last.is_none() {
            at_last = Some((Instant::now(), batches()));
        }
    }
    places.sort_unstable();
    assert_eq!(places, (1..=UNITS).collect::<Vec<_>>());
    let (since, before) = at_last.expect("all units were sold");
    // One probe every 250 ms, and the batch that was in flight.
    let (probes, most) = (batches() - before, 2 + since.elapsed().as_millis() as u64 / 250);
    assert!(probes <= most, "{probes} batches in {:?} after the last unit", since.elapsed());
    assert_eq!(shop.load_offer(offer).await.terms.reserved, UNITS);
    shop.assert_consistent().await;
    app.stopping().cancel();
    app.finish().await;
}

async fn thousands_of_offers_sell_over_few_connections(shop: Fixture) {
    const OFFERS: usize = 2_000;
    let mut offers = Vec::with_capacity(OFFERS);
    for _ in 0..OFFERS {
        offers.push(shop.offer(1, 1).await);
    }
    let app = shop.app().await;
    let mut buyers = tokio::task::JoinSet::new();
    for (n, offer) in offers.into_iter().enumerate() {
        let app = app.clone();
        buyers.spawn(async move { buys(&app, &format!("buyer-{n}"), offer).await });
    }
    let answers = buyers.join_all().await;
    assert_eq!(answers.into_iter().filter(|answer| *answer == Ok(1)).count(), OFFERS);
    if shop.is_postgres() {
        let ours = "select count(*) from pg_stat_activity where application_name = 'livesouk sell' and datname = current_database()";
        let connections = shop.number(ours).await;
        assert!(connections <= SELL_CONNECTIONS as i64, "{connections} connections sell");
    }
    shop.assert_consistent().await;
    app.stopping().cancel();
    app.finish().await;
}

async fn released_units_are_sold_again_and_winners_keep_their_order(shop: Fixture) {
    let offer = shop.offer(1, 1).await;
    let app = shop.app().await;
    let won = app.checkout.buy(&actor("ann"), offer, 1, key("key-00001")).await.unwrap().order;
    for round in 0..50 {
        let late = app.checkout.buy(&actor(&format!("late-{round}")), offer, 1, key("key-00001")).await.map(|_| ());
        assert_eq!(late, Err(Error::Refused(Refusal::SoldOutForNow)));
        let again = app.checkout.buy(&actor("ann"), offer, 1, key("key-00001")).await.unwrap();
        assert_eq!((again.order.id, again.is_replay), (won.id, true), "round {round}");
    }
    app.checkout.cancel(&actor("ann"), won.id, key("key-00002")).await.unwrap();
    assert_eq!(app.checkout.buy(&actor("ben"), offer, 1, key("key-00001")).await.unwrap().order.place, 2);
    let again = app.checkout.buy(&actor("ann"), offer, 1, key("key-00001")).await.unwrap();
    assert_eq!((again.order.id, again.order.status), (won.id, OrderStatus::Cancelled));
    app.stopping().cancel();
    app.finish().await;
}

async fn double_tap_creates_one_order(shop: Fixture) {
    let offer = shop.offer(50, 10).await;
    let app = shop.app().await;
    let mut taps = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let app = app.clone();
        taps.spawn(async move { app.checkout.buy(&actor("ann"), offer, 1, key("key-00001")).await.unwrap().order.id });
    }
    let mut ids = taps.join_all().await;
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(shop.load_offer(offer).await.terms.reserved, 1);
    app.stopping().cancel();
    app.finish().await;
}

async fn concurrent_pay_with_one_key_pays_once_and_both_calls_succeed(shop: Fixture) {
    let offer = shop.offer(50, 50).await;
    let app = shop.app().await;
    for round in 0..15 {
        let (ann, with) = (actor("ann"), key(&format!("key-{round:05}")));
        let order = app.checkout.buy(&ann, offer, 1, with.clone()).await.unwrap().order.id;
        let pay = || async {
            loop {
                match app.checkout.pay(&ann, order, "ok", None, with.clone()).await {
                    Err(Error::Refused(Refusal::Busy { .. })) => tokio::time::sleep(Duration::from_millis(5)).await,
                    answer => return answer.map(|paid| paid.order.paid_at.is_some()),
                }
            }
        };
        let both = tokio::join!(pay(), pay());
        assert_eq!(both, (Ok(true), Ok(true)), "round {round}");
    }
    assert_eq!(shop.number("select count(*) from payments where status = 'captured'").await, 15);
    app.stopping().cancel();
    app.finish().await;
}

async fn concurrent_cancel_with_one_key_cancels_once_and_both_calls_succeed(shop: Fixture) {
    let offer = shop.offer(50, 50).await;
    let app = shop.app().await;
    for round in 0..15 {
        let (ann, with) = (actor("ann"), key(&format!("key-{round:05}")));
        let order = app.checkout.buy(&ann, offer, 1, with.clone()).await.unwrap().order.id;
        let cancel = || async { app.checkout.cancel(&ann, order, with.clone()).await.map(|gone| gone.order.status) };
        let both = tokio::join!(cancel(), cancel());
        assert_eq!(both, (Ok(OrderStatus::Cancelled), Ok(OrderStatus::Cancelled)), "round {round}");
    }
    assert_eq!(shop.load_offer(offer).await.terms.reserved, 0);
    app.stopping().cancel();
    app.finish().await;
}

async fn expired_hold_returns_stock_within_five_seconds(shop: Fixture) {
    let offer = shop.offer(1, 1).await;
    let app = shop.app().await;
    app.checkout.buy(&actor("ann"), offer, 1, key("key-00001")).await.unwrap();
    let now = app.checkout.buy(&actor("bob"), offer, 1, key("key-00001")).await;
    assert_eq!(now.err(), Some(Error::Refused(Refusal::SoldOutForNow)));
    shop.expire_holds(offer).await;
    until_some("free unit", Duration::from_secs(5), async || {
        app.checkout.buy(&actor("bob"), offer, 1, key("key-00001")).await.ok()
    })
    .await;
    shop.assert_consistent().await;
    app.stopping().cancel();
    app.finish().await;
}

/// One offer's row is locked, for example by an administrator at a console.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locked_offer_does_not_delay_expiry_of_another_offers_holds() {
    let shop = Fixture::on_postgres().await;
    let (locked, other) = (shop.offer(1, 1).await, shop.offer(1, 1).await);
    for (offer, buyer) in [(locked, "ann"), (other, "bob")] {
        shop.hold_one(offer, buyer).await;
        shop.expire_holds(offer).await;
    }
    shop.run("begin").await;
    shop.run(&format!("select * from offers where id = {} for update", shop.id(locked.0))).await;
    let app = shop.app().await;
    let free = async |offer| (shop.load_offer(offer).await.terms.reserved == 0).then_some(());
    until_some("free unit", Duration::from_secs(5), async || free(other).await).await;
    shop.run("rollback").await;
    until_some("free unit", Duration::from_secs(5), async || free(locked).await).await;
    app.stopping().cancel();
    app.finish().await;
}

async fn order_is_reconciled_after_its_node_died_during_capture(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    for (buyer, token) in [("ann", "ok"), ("bob", "capture_fails")] {
        let order = shop.hold_one(offer, buyer).await;
        let payment = shop.begin_payment(order.id, token).await.unwrap();
        let reply = shop.store.create_test_intent(&payment, TestScenario::parse(token).unwrap(), 1_000).await.unwrap();
        let TestProviderReply::Done { test_intent: booked, .. } = reply else { panic!("{reply:?}") };
        shop.store.begin_capture(&payment, Some(booked.intent.reference.as_str())).await.unwrap().unwrap();
    }
    shop.run("update orders set changed_at = 1000; update payments set changed_at = 1000").await;
    let app = shop.app().await;
    let sums = until_some("settled order", SOON, async || {
        let sums = shop.store.sales_totals(shop.stream).await.unwrap();
        (sums.orders_held == 0).then_some(sums)
    })
    .await;
    assert_eq!((sums.orders_paid, shop.load_offer(offer).await.terms.reserved), (1, 1));
    for status in ["captured", "failed"] {
        let count = format!("select count(*) from payments where status = '{status}'");
        until_some("final payment status", SOON, async || (shop.number(&count).await == 1).then_some(())).await;
    }
    shop.assert_consistent().await;
    app.stopping().cancel();
    app.finish().await;
}
