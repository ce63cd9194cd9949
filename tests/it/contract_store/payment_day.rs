//! Payments by day: what the database says of each day of the shop, what is known of fees, and what buyers dispute.

use chrono_tz::Tz;
use livesouk::domain::order::request_hash;
use livesouk::domain::payment_day::{CountedMoney, days, fill_days};
use livesouk::domain::{
    DaySpan, DisputeStatus, ManualMethod, Minor, Payment, PaymentDay, PaymentFee, PaymentSums, ProviderDispute,
    RefundScope,
};
use livesouk::store::NewRefund;

use super::builders::{key, user};
use super::fixture::{Fixture, facts};
use super::placed_order::{placed, receive};

facts! {
    money_counts_on_the_day_of_the_shop_on_which_it_moved
    payment_that_is_owed_or_simulated_is_no_payment_of_an_order
    refund_counts_when_it_is_done_and_again_when_the_bank_sends_it_back
    manual_payment_counts_on_the_day_on_which_the_shop_had_it
    fee_is_asked_for_by_one_node_and_a_few_times
    dispute_that_has_ended_stays_so
    dispute_without_details_gives_way_to_those_of_the_provider
    open_disputes_are_in_the_order_of_their_deadlines
}

/// The clocks go forward on the second day: it has 23 hours.
fn three_days() -> Vec<DaySpan> {
    days(Some("2026-03-28"), Some("2026-03-30"), Tz::Europe__London, 0).unwrap()
}

async fn filled(shop: &Fixture) -> (Vec<PaymentDay>, Vec<PaymentSums>) {
    let spans = three_days();
    fill_days(&spans, &shop.store.payment_figures(&spans).await.unwrap())
}

fn money(count: i64, amount: Minor) -> CountedMoney {
    CountedMoney { count, amount }
}

/// What is read of the one currency of a day; `None`: nothing happened.
fn of(days: &[PaymentDay], at: usize, part: fn(&PaymentSums) -> CountedMoney) -> Option<CountedMoney> {
    days[at].sums.first().map(part)
}

async fn paid_at(shop: &Fixture, buyer: &str, at: i64) -> Payment {
    let order = shop.paid_one(shop.offer(1, 1).await, buyer).await;
    shop.run(&format!(
        "update payments set buyer = '{buyer}', captured_at = {at}, changed_at = {at}
            where order_id = (select id from orders where buyer = '{buyer}')"
    ))
    .await;
    shop.store.payment(order, 1).await.unwrap().unwrap()
}

async fn money_counts_on_the_day_of_the_shop_on_which_it_moved(shop: Fixture) {
    let spans = three_days();
    assert_eq!((spans[1].until - spans[1].since) / 3_600_000, 23);
    paid_at(&shop, "before", spans[0].since - 1).await;
    paid_at(&shop, "first", spans[0].since).await;
    paid_at(&shop, "last", spans[1].until - 1).await;
    paid_at(&shop, "next", spans[1].until).await;
    paid_at(&shop, "after", spans[2].until).await;
    // Paid before there was a time of its own.
    paid_at(&shop, "old", spans[1].since).await;
    shop.run("update payments set captured_at = null where buyer = 'old'").await;
    let (days, totals) = filled(&shop).await;
    let captured: Vec<_> = (0..3).map(|at| of(&days, at, |sums| sums.captured)).collect();
    assert_eq!(captured, [Some(money(1, 4_900)), Some(money(2, 9_800)), Some(money(1, 4_900))]);
    assert_eq!((totals.len(), totals[0].captured, totals[0].fees_unknown), (1, money(4, 19_600), 4));
    shop.run("update payments set fee = 100, fee_currency = 'SAR' where buyer in ('first', 'last')").await;
    shop.run("update payments set fee = 30, fee_currency = 'EUR' where buyer = 'next'").await;
    let (days, totals) = filled(&shop).await;
    assert_eq!((totals[0].currency.as_str(), totals[0].fees, totals[0].left), ("EUR", money(1, 30), -30));
    assert_eq!((totals[1].fees, totals[1].fees_unknown, totals[1].left), (money(2, 200), 1, 19_400));
    assert_eq!((days[1].sums[0].fees, days[1].sums[0].fees_unknown), (money(1, 100), 1));
}

async fn payment_that_is_owed_or_simulated_is_no_payment_of_an_order(shop: Fixture) {
    let spans = three_days();
    paid_at(&shop, "crowd:7", spans[0].since).await;
    paid_at(&shop, "eve", spans[0].since).await;
    let owe = format!(
        "insert into owed_refunds (order_id, attempt, amount, currency, status, created_at, changed_at)
            select order_id, attempt, amount, currency, 'owed', {0}, {0} from payments where buyer = 'eve'",
        spans[1].since
    );
    shop.run(&owe).await;
    shop.run("update payments set fee = 50, fee_currency = 'SAR' where buyer = 'eve'").await;
    let (days, totals) = filled(&shop).await;
    assert!(days[0].sums.is_empty() && days[2].sums.is_empty(), "{days:?}");
    assert_eq!(of(&days, 1, |sums| sums.owed), Some(money(1, 4_900)));
    assert_eq!((totals[0].captured, totals[0].fees, totals[0].left), (money(0, 0), money(1, 50), 4_850));
    let open = shop.store.open_owed_refunds(10).await.unwrap();
    assert_eq!((open.len(), open[0].amount, open[0].tries, open[0].owed_at), (1, 4_900, 1, spans[1].since));
    shop.run(&format!("update owed_refunds set status = 'returned', changed_at = {}", spans[2].since)).await;
    assert_eq!(shop.store.open_owed_refunds(10).await.unwrap(), []);
    let (days, totals) = filled(&shop).await;
    assert_eq!(of(&days, 2, |sums| sums.owed_returned), Some(money(1, 4_900)));
    assert_eq!(totals[0].left, -50);
}

async fn refund_counts_when_it_is_done_and_again_when_the_bank_sends_it_back(shop: Fixture) {
    let spans = three_days();
    let payment = paid_at(&shop, "ann", spans[0].since).await;
    let new = NewRefund {
        order: payment.order,
        by: user("noura"),
        key: key("refund-00001"),
        hash: request_hash(&["refund"]),
        scope: RefundScope::Whole,
        restock: true,
        reason: None,
    };
    let refund = shop.store.begin_refund(&new).await.unwrap();
    assert_eq!(filled(&shop).await.1[0].refunded, money(0, 0), "it is only on its way");
    shop.store.finish_refund(&refund).await.unwrap().unwrap();
    shop.run(&format!("update refunds set done_at = {}", spans[1].since)).await;
    let (days, _) = filled(&shop).await;
    assert_eq!(of(&days, 1, |sums| sums.refunded), Some(money(1, 4_900)));
    assert!(shop.store.reverse_refund(&refund).await.unwrap());
    shop.run(&format!("update refunds set changed_at = {}", spans[2].until - 1)).await;
    let (days, totals) = filled(&shop).await;
    assert_eq!(of(&days, 1, |sums| sums.refunded), Some(money(1, 4_900)), "the day stays as it was");
    assert_eq!(of(&days, 2, |sums| sums.refunds_sent_back), Some(money(1, 4_900)));
    assert_eq!(totals[0].left, 4_900);
    // Refunded before there was a time of its own.
    shop.run(&format!(
        "update refunds set status = 'done', was_done = 0, done_at = null, changed_at = {}",
        spans[0].since
    ))
    .await;
    let (days, _) = filled(&shop).await;
    assert_eq!(of(&days, 0, |sums| sums.refunded), Some(money(1, 4_900)));
}

async fn manual_payment_counts_on_the_day_on_which_the_shop_had_it(shop: Fixture) {
    let spans = three_days();
    let offer = shop.offer(5, 1).await;
    for (buyer, method) in [("ann", ManualMethod::CashOnDelivery), ("bob", ManualMethod::BankTransfer)] {
        let order = placed(&shop, offer, buyer, method).await;
        receive(&shop, &order).await.unwrap();
    }
    assert_eq!(
        shop.number(
            "select count(*) from payments p join orders o on o.id = p.order_id where p.captured_at = o.paid_at"
        )
        .await,
        2,
        "what the host said"
    );
    shop.run(&format!("update payments set captured_at = {}", spans[2].since)).await;
    let (days, _) = filled(&shop).await;
    assert_eq!(of(&days, 2, |sums| sums.cash_on_delivery), Some(money(1, 4_900)));
    assert_eq!(of(&days, 2, |sums| sums.bank_transfer), Some(money(1, 4_900)));
    assert_eq!(days[2].sums[0].fees_unknown, 0, "nobody keeps a part of it");
}

async fn fee_is_asked_for_by_one_node_and_a_few_times(shop: Fixture) {
    let order = shop.paid_one(shop.offer(1, 1).await, "ann").await;
    let now = shop.store.now().await.unwrap();
    assert_eq!(shop.store.payments_without_fee(now, 10).await.unwrap().len(), 0, "a rush comes first");
    let due = || shop.store.payments_without_fee(i64::MAX, 10);
    for checks in 0..6 {
        let found = due().await.unwrap();
        assert_eq!((found.len(), found[0].0.order, found[0].1), (1, order, checks));
        let nodes = [0; 3].map(|_| shop.store.claim_fee_check(&found[0].0, checks));
        let claims = futures_util::future::join_all(nodes).await;
        assert_eq!(claims.iter().filter(|claim| *claim.as_ref().unwrap()).count(), 1, "check {checks}");
    }
    assert_eq!(due().await.unwrap().len(), 0, "it will never be known");
    let order = shop.paid_one(shop.offer(1, 1).await, "bob").await;
    let payment = shop.store.payment(order, 1).await.unwrap().unwrap();
    shop.store.store_fee(&payment, Some(&PaymentFee { amount: 172, currency: "SAR".into() })).await.unwrap();
    assert_eq!(due().await.unwrap().len(), 0, "it is known");
    assert_eq!(shop.number("select fee from payments where fee is not null").await, 172);
}

fn dispute(reference: &str, status: DisputeStatus, due_at: Option<i64>) -> ProviderDispute {
    ProviderDispute {
        reference: reference.to_owned(),
        status,
        needs_answer: status == DisputeStatus::Open,
        amount: 4_900,
        currency: "SAR".into(),
        reason: Some("fraudulent".into()),
        due_at,
        opened_at: three_days()[0].since,
    }
}

async fn dispute_that_has_ended_stays_so(shop: Fixture) {
    use DisputeStatus::{Lost, Open, Won};
    let spans = three_days();
    let payment = paid_at(&shop, "ann", spans[0].since).await;
    let note =
        async |status| shop.store.note_disputes(&payment, &[dispute("du_1", status, None)], Some(1)).await.unwrap();
    note(Open).await;
    note(Open).await;
    assert_eq!(of(&filled(&shop).await.0, 0, |sums| sums.disputes_opened), Some(money(1, 4_900)));
    assert_eq!(shop.store.claim_disputed_payments(5, 100, 10).await.unwrap().len(), 1);
    assert_eq!(shop.store.claim_disputed_payments(5, 100, 10).await.unwrap().len(), 0, "another node asks");
    note(Lost).await;
    shop.run(&format!("update disputes set closed_at = {}", spans[1].since)).await;
    // An answer that is older than what is known.
    note(Open).await;
    note(Won).await;
    assert_eq!(shop.store.disputes_of(&payment).await.unwrap()[0].status, Lost);
    assert_eq!(shop.store.open_disputes(0, 10).await.unwrap(), []);
    assert_eq!(shop.store.claim_disputed_payments(i64::MAX, 1, 10).await.unwrap().len(), 0);
    let (days, totals) = filled(&shop).await;
    assert_eq!(of(&days, 1, |sums| sums.disputes_lost), Some(money(1, 4_900)));
    assert_eq!((totals[0].disputes_won, totals[0].left), (money(0, 0), 0));
}

async fn dispute_without_details_gives_way_to_those_of_the_provider(shop: Fixture) {
    let payment = paid_at(&shop, "ann", three_days()[0].since).await;
    shop.run("update payments set reference = 'pi_1'").await;
    let payment = Payment { reference: Some("pi_1".into()), ..payment };
    let note = async |reference, due| {
        let known = [dispute(reference, DisputeStatus::Open, due)];
        shop.store.note_disputes(&payment, &known, None).await.unwrap();
        let open = shop.store.open_disputes(0, 10).await.unwrap();
        assert_eq!(open.len(), 1);
        (open[0].has_details, open[0].order_number.is_some(), open[0].dispute.due_at)
    };
    assert_eq!(note("pi_1", None).await, (false, true, None));
    assert_eq!(note("du_1", Some(9)).await, (true, true, Some(9)));
}

async fn open_disputes_are_in_the_order_of_their_deadlines(shop: Fixture) {
    let payment = paid_at(&shop, "ann", 1).await;
    let mut answered = dispute("answered", DisputeStatus::Open, Some(1));
    answered.needs_answer = false;
    let all = [
        answered,
        dispute("later", DisputeStatus::Open, Some(9_000_000_000_000)),
        dispute("ended", DisputeStatus::Won, Some(1)),
        dispute("unknown", DisputeStatus::Open, None),
        dispute("soon", DisputeStatus::Open, Some(1)),
    ];
    shop.store.note_disputes(&payment, &all, None).await.unwrap();
    let open = shop.store.open_disputes(0, 10).await.unwrap();
    let names: Vec<_> = open.iter().map(|open| open.dispute.reference.as_str()).collect();
    assert_eq!(names, ["soon", "unknown", "later", "answered"]);
}
