//! Disputes that were given up: the team closes them, the sums count what it said, and the provider's own word replaces it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono_tz::Tz;
use livesouk::app::{App, Error};
use livesouk::domain::payment_day::{CountedMoney, days, fill_days};
use livesouk::domain::{
    Actor, DisputeEnd, DisputeResult, DisputeStatus, OrderId, Payment, PaymentSums, ProviderDispute, Refusal, Role,
};
use livesouk::protocol::DisputeView;

use super::builders::actor;
use super::fixture::{Fixture, facts};

facts! {
    dispute_that_was_given_up_is_closed_once_and_counts_in_the_sums
    dispute_without_details_is_closed_by_its_order
    dispute_that_the_provider_still_tells_of_is_not_closed_by_hand
    wrong_result_is_put_right_on_the_same_day
    word_of_the_provider_replaces_what_the_team_said
    only_those_who_refund_close_a_dispute
    dispute_to_close_is_counted_until_it_is_closed
}

const PRICE: i64 = 4_900;

fn host() -> Actor {
    Actor { role: Role::Host, ..actor("noura") }
}

fn dispute(reference: &str, status: DisputeStatus) -> ProviderDispute {
    ProviderDispute {
        reference: reference.to_owned(),
        status,
        needs_answer: true,
        amount: PRICE,
        currency: "SAR".into(),
        reason: None,
        due_at: None,
        opened_at: 1,
    }
}

/// A paid order with a dispute that was given up.
async fn given_up(shop: &Fixture, reference: &str) -> Payment {
    let order = shop.paid_one(shop.offer(1, 1).await, &format!("buyer-of-{reference}")).await;
    let payment = shop.store.payment(order, 1).await.unwrap().unwrap();
    shop.store.note_disputes(&payment, &[dispute(reference, DisputeStatus::Open)], None).await.unwrap();
    shop.run(&format!("update disputes set given_up_at = 7, unread_since = 5 where reference = '{reference}'")).await;
    payment
}

async fn close(
    app: &Arc<App>,
    who: &Actor,
    order: OrderId,
    reference: Option<&str>,
    result: DisputeResult,
) -> Result<DisputeView, Error> {
    let end = DisputeEnd { reference: reference.map(str::to_owned), result, note: "Seen in the dashboard".into() };
    app.checkout.close_dispute(who, order, end).await
}

async fn end(app: Arc<App>) {
    app.stopping().cancel();
    app.finish().await;
}

/// The sums of yesterday, today and tomorrow.
async fn sums(shop: &Fixture) -> PaymentSums {
    let now = shop.store.now().await.unwrap();
    let spans = days(None, None, Tz::UTC, now + 86_400_000).unwrap();
    fill_days(&spans, &shop.store.payment_figures(&spans).await.unwrap()).1.remove(0)
}

fn money(count: i64) -> CountedMoney {
    CountedMoney { count, amount: count * PRICE }
}

async fn entries(shop: &Fixture) -> i64 {
    shop.number("select count(*) from audit_log where kind = 'close_dispute' and reason = 'Seen in the dashboard'")
        .await
}

async fn dispute_that_was_given_up_is_closed_once_and_counts_in_the_sums(shop: Fixture) {
    let app = Arc::new(shop.app_with_provider(10_000).await);
    let [won, lost, withdrawn] =
        [given_up(&shop, "du_1").await, given_up(&shop, "du_2").await, given_up(&shop, "du_3").await];
    let before = sums(&shop).await;
    assert_eq!((before.disputes_won, before.disputes_lost, before.left), (money(0), money(0), 3 * PRICE));
    for _ in 0..2 {
        for (payment, reference, result) in [
            (&won, "du_1", DisputeResult::Won),
            (&lost, "du_2", DisputeResult::Lost),
            (&withdrawn, "du_3", DisputeResult::Withdrawn),
        ] {
            let closed = close(&app, &host(), payment.order, Some(reference), result).await.unwrap();
            assert_eq!((closed.result, closed.reference.as_deref()), (Some(result), Some(reference)));
            assert!(closed.closed_at.is_some());
        }
    }
    assert_eq!(entries(&shop).await, 3, "to say it again is no other entry");
    let after = sums(&shop).await;
    assert_eq!((after.disputes_won, after.disputes_lost, after.left), (money(2), money(1), 2 * PRICE));
    // The team sees them some days more, the provider is not asked.
    let now = shop.store.now().await.unwrap();
    let listed = shop.store.open_disputes(now - 60_000, 10).await.unwrap();
    assert_eq!(listed.iter().filter(|open| open.closed.is_some()).count(), 3);
    assert_eq!(shop.store.open_disputes(now + 60_000, 10).await.unwrap(), []);
    assert_eq!(shop.store.claim_disputed_payments(i64::MAX, 1, 10).await.unwrap().len(), 0);
    end(app).await;
}

async fn dispute_without_details_is_closed_by_its_order(shop: Fixture) {
    let app = Arc::new(shop.app_with_provider(10_000).await);
    let order = shop.paid_one(shop.offer(1, 1).await, "ann").await;
    let payment = shop.store.payment(order, 1).await.unwrap().unwrap();
    let unnamed = dispute(payment.reference.as_deref().unwrap(), DisputeStatus::Open);
    shop.store.note_disputes(&payment, &[unnamed], None).await.unwrap();
    shop.run("update disputes set given_up_at = 7").await;
    // Another one of this order, with details, is not meant.
    shop.run(&format!(
        "insert into disputes (provider, reference, order_id, attempt, status, needs_answer, amount, currency, opened_at, given_up_at)
            select provider, 'du_other', order_id, attempt, 'open', 1, amount, currency, 1, 3 from payments where order_id = {}",
        shop.id(order.0)
    ))
    .await;
    let closed = close(&app, &host(), order, None, DisputeResult::Lost).await.unwrap();
    assert_eq!((closed.reference, closed.result), (None, Some(DisputeResult::Lost)));
    assert_eq!(shop.number("select count(*) from disputes where reference = 'du_other' and status = 'open'").await, 1);
    assert_eq!(shop.number("select count(*) from disputes where status = 'lost'").await, 1);
    end(app).await;
}

async fn dispute_that_the_provider_still_tells_of_is_not_closed_by_hand(shop: Fixture) {
    let app = Arc::new(shop.app_with_provider(10_000).await);
    let order = shop.paid_one(shop.offer(1, 1).await, "ann").await;
    let other = shop.paid_one(shop.offer(1, 1).await, "bob").await;
    let payment = shop.store.payment(order, 1).await.unwrap().unwrap();
    let all = [dispute("du_open", DisputeStatus::Open), dispute("du_won", DisputeStatus::Won)];
    shop.store.note_disputes(&payment, &all, Some(i64::MAX)).await.unwrap();
    for (order, reference) in [
        (order, Some("du_open")),
        (order, Some("du_won")),
        (order, Some("du_none")),
        (order, None),
        (other, Some("du_open")),
    ] {
        let refused = close(&app, &host(), order, reference, DisputeResult::Lost).await;
        assert!(matches!(refused, Err(Error::Refused(Refusal::WrongStatus(_)))), "{reference:?}: {refused:?}");
    }
    let unknown = close(&app, &host(), OrderId::new(), Some("du_open"), DisputeResult::Lost).await;
    assert_eq!(unknown.map(drop), Err(Refusal::NoSuchOrder.into()));
    assert_eq!(
        shop.number("select count(*) from disputes where status in ('open', 'won') and closed_as is null").await,
        2
    );
    assert_eq!(entries(&shop).await, 0);
    end(app).await;
}

async fn wrong_result_is_put_right_on_the_same_day(shop: Fixture) {
    let app = Arc::new(shop.app_with_provider(10_000).await);
    let order = given_up(&shop, "du_1").await.order;
    close(&app, &host(), order, Some("du_1"), DisputeResult::Won).await.unwrap();
    shop.run("update disputes set closed_at = closed_at - 60000").await;
    let first = shop.number("select closed_at from disputes").await;
    let changed = close(&app, &host(), order, Some("du_1"), DisputeResult::Lost).await.unwrap();
    assert_eq!((changed.result, changed.closed_at), (Some(DisputeResult::Lost), Some(first)));
    assert_eq!(shop.number("select closed_at from disputes").await, first);
    let after = sums(&shop).await;
    assert_eq!((after.disputes_won, after.disputes_lost, after.left), (money(0), money(1), 0));
    assert_eq!(entries(&shop).await, 2, "the audit log has both");
    end(app).await;
}

async fn word_of_the_provider_replaces_what_the_team_said(shop: Fixture) {
    let app = Arc::new(shop.app_with_provider(10_000).await);
    let payment = given_up(&shop, "du_1").await;
    close(&app, &host(), payment.order, Some("du_1"), DisputeResult::Won).await.unwrap();
    let hears = async |status| {
        shop.store.note_disputes(&payment, &[dispute("du_1", status)], Some(1)).await.unwrap();
        shop.store.disputes_of(&payment).await.unwrap()[0].status
    };
    assert_eq!(hears(DisputeStatus::Open).await, DisputeStatus::Won, "an answer may be older");
    assert_eq!(hears(DisputeStatus::Lost).await, DisputeStatus::Lost);
    // From then on it is what the provider said, which stays.
    assert_eq!(hears(DisputeStatus::Won).await, DisputeStatus::Lost);
    let refused = close(&app, &host(), payment.order, Some("du_1"), DisputeResult::Won).await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::WrongStatus(_)))), "{refused:?}");
    let after = sums(&shop).await;
    assert_eq!((after.disputes_won, after.disputes_lost), (money(0), money(1)));
    // Where it says the same, the day stays.
    let payment = given_up(&shop, "du_2").await;
    close(&app, &host(), payment.order, Some("du_2"), DisputeResult::Withdrawn).await.unwrap();
    shop.run("update disputes set closed_at = 77 where reference = 'du_2'").await;
    shop.store.note_disputes(&payment, &[dispute("du_2", DisputeStatus::Won)], Some(1)).await.unwrap();
    let same = "select count(*) from disputes where reference = 'du_2' and closed_at = 77 and closed_as is null";
    assert_eq!(shop.number(same).await, 1);
    end(app).await;
}

async fn only_those_who_refund_close_a_dispute(shop: Fixture) {
    let app = Arc::new(shop.app_with_provider(10_000).await);
    let order = given_up(&shop, "du_1").await.order;
    for role in [Role::Viewer, Role::Moderator, Role::Analyst, Role::Producer] {
        let refused = close(&app, &Actor { role, ..actor("omar") }, order, Some("du_1"), DisputeResult::Won).await;
        assert_eq!(refused.map(drop), Err(Refusal::Forbidden.into()), "{role:?}");
    }
    let without_note = DisputeEnd { reference: Some("du_1".into()), result: DisputeResult::Won, note: " ".into() };
    let refused = app.checkout.close_dispute(&host(), order, without_note).await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::BadField { .. }))), "{refused:?}");
    assert_eq!(shop.number("select count(*) from disputes where status = 'open'").await, 1);
    close(&app, &host(), order, Some("du_1"), DisputeResult::Won).await.unwrap();
    end(app).await;
}

async fn dispute_to_close_is_counted_until_it_is_closed(shop: Fixture) {
    let app = Arc::new(shop.app_with_provider(10_000).await);
    let order = given_up(&shop, "du_1").await.order;
    given_up(&shop, "du_2").await;
    let counted = || app.counters().disputes_to_close.load(Ordering::Relaxed);
    app.checkout.ask_for_details().await.unwrap();
    assert_eq!(counted(), 2, "what the alert sees");
    close(&app, &host(), order, Some("du_1"), DisputeResult::Won).await.unwrap();
    assert_eq!(counted(), 1, "at once");
    end(app).await;
}
