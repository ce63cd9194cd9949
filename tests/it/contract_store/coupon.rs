//! Coupons: a use is reserved with the order and given back with it, the discount is split over the lines, and everything that counts
//! money counts what was paid.

use livesouk::domain::order::request_hash;
use livesouk::domain::{
    Coupon, CouponChange, CouponForm, CouponId, CouponProblem, DocumentKind, Issuer, ManualMethod, ManualPayments,
    Market, Minor, OrderQuote, OrderStatus, PaymentStatus, Product, ProductId, QuoteRules, RefundPart, RefundScope,
    Refusal, Variant, VariantId,
};
use livesouk::store::{Error, LockWait, NewPlacement, OrderEnd, ReleaseReason};

use super::builders::{actor, key, person, user};
use super::coupon_builders::{PERCENT_10, code_of, entry, percent, refusal_of, request};
use super::fixture::{Fixture, facts};

facts! {
    discount_is_paid_refunded_and_billed_to_the_minor_unit
    quota_is_given_to_exactly_as_many_of_a_hundred_buyers
    use_comes_back_when_the_order_ends_without_a_payment
    use_of_a_paid_order_stays
    one_person_has_it_as_often_as_the_coupon_says
    refused_coupon_leaves_the_order_as_it_is
    refused_code_puts_no_purchases_together
    accepted_code_makes_the_purchase_a_line_of_the_open_order
    order_has_one_coupon_and_gives_the_other_back
    quote_that_the_buyer_saw_is_not_paid_when_the_coupon_has_ended
    frozen_quote_keeps_its_coupon_until_the_attempt_ends
    coupon_counts_for_its_products_and_from_its_minimum_on
    line_that_goes_takes_the_discount_with_it
    order_that_was_paid_in_full_gives_the_use_back
    order_that_costs_nothing_needs_no_provider
    reports_count_what_was_paid
    code_belongs_to_one_coupon_that_was_not_ended
}

fn problem(found: CouponProblem) -> std::result::Result<(), Refusal> {
    Err(Refusal::Coupon(found))
}

async fn discount_is_paid_refunded_and_billed_to_the_minor_unit(shop: Fixture) {
    let coupon = shop.coupon(CouponForm { percent_bp: None, amount: Some(1_000), ..percent("TEN", 1) }).await;
    // 49.00 and 98.00: a discount of 10.00 does not divide by 3.
    let order = shop.opened("ann", &[1, 2]).await;
    shop.set(&order, " ten ").await.unwrap();
    let quote = shop.quote_of(order.id).await;
    assert_eq!((quote.goods, quote.discount, quote.total), (14_700, 1_000, 13_700));
    let splits = |quote: &OrderQuote| quote.lines.iter().map(|line| line.discount).collect::<Vec<_>>();
    assert_eq!(splits(&quote), [333, 667]);
    let named = quote.coupon.clone().unwrap();
    assert_eq!((named.id, named.code.as_str(), named.amount, named.problem), (coupon.id, "TEN", Some(1_000), None));
    assert_eq!(shop.number("select cast(sum(discount) as bigint) from reservations").await, 0, "nothing is frozen yet");
    let paid = shop.paid(&order).await;
    assert_eq!((paid.status, paid.total(), paid.quote.as_deref()), (OrderStatus::Paid, 13_700, Some(&quote)));
    assert_eq!(shop.number("select cast(sum(discount) as bigint) from reservations").await, 1_000);
    assert_eq!(shop.number("select amount from payments where status = 'captured'").await, 13_700);

    let issuer = Issuer { time_zone: "UTC".into(), language: "en".into(), ..Issuer::default() };
    let issue = async || {
        for due in shop.store.due_documents(50).await.unwrap() {
            shop.store.issue_document(&due, &issuer, 1_781_524_800_000).await.unwrap();
        }
    };
    issue().await;
    let (a, b) = (order.lines[0].id, order.lines[1].id);
    let units = |line, qty| RefundScope::Part(RefundPart { lines: vec![(line, qty)], ..RefundPart::default() });
    // 98.00 − 6.67 for two, so 45.67 and 45.66; 49.00 − 3.33.
    let given = [
        shop.give_back(order.id, units(b, 1)).await,
        shop.give_back(order.id, units(a, 1)).await,
        shop.give_back(order.id, RefundScope::Whole).await,
    ];
    assert_eq!(given, [4_567, 4_567, 4_566]);
    assert_eq!(given.iter().sum::<Minor>(), 13_700, "never more than was paid");
    issue().await;
    let documents = shop.store.billing_documents(None, (None, None), None, 100).await.unwrap();
    let of = |kind: DocumentKind| documents.iter().filter(move |document| document.kind == kind);
    let invoice = &of(DocumentKind::Invoice).next().unwrap().body;
    assert_eq!((invoice.total, invoice.lines.iter().map(|line| line.discount).sum::<Minor>()), (13_700, 1_000));
    assert_eq!(of(DocumentKind::CreditNote).map(|note| note.body.total).sum::<Minor>(), 13_700);
    assert!(of(DocumentKind::CreditNote).all(|note| note.body.adjustment == 0), "the lines say it all");
    shop.assert_consistent().await;
}

async fn quota_is_given_to_exactly_as_many_of_a_hundred_buyers(shop: Fixture) {
    let coupon = shop.coupon(CouponForm { quota: Some(10), per_person: Some(1), ..percent("RUSH", PERCENT_10) }).await;
    let shop = shop.into_arc();
    let offer = shop.offer(100, 1).await;
    let mut orders = Vec::new();
    for n in 0..100 {
        let buyer = format!("buyer-{n}");
        let id = shop.reserve_some(offer, &buyer, 1).await;
        orders.push(shop.store.open_order(&user(&buyer), &[id]).await.unwrap());
    }
    let mut all = tokio::task::JoinSet::new();
    for order in orders {
        let shop = shop.clone();
        all.spawn(async move {
            for _ in 0..1_000 {
                match shop
                    .store
                    .set_coupon(&order.buyer, order.id, &person(order.buyer.as_str()), &code_of("rush"))
                    .await
                {
                    Ok(_) => return true,
                    Err(Error::Refused(Refusal::Coupon(CouponProblem::UsedUp))) => return false,
                    Err(Error::Refused(other)) => panic!("{other}"),
                    // A hundred at once may find no connection for a moment.
                    Err(fault) if fault.is_transient() => tokio::task::yield_now().await,
                    Err(fault) => panic!("{fault}"),
                }
            }
            panic!("the database stays busy");
        });
    }
    let won = all.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!((won, shop.uses(&coupon).await), (10, 10));
    let read = "select cast(count(*) as bigint) from coupon_uses";
    assert_eq!(shop.number(read).await, 10);
}

async fn use_comes_back_when_the_order_ends_without_a_payment(shop: Fixture) {
    let coupon = shop.coupon(CouponForm { quota: Some(1), ..percent("ONE", PERCENT_10) }).await;
    let app = shop.app().await;
    // Cancelled by its buyer.
    let order = shop.opened("ann", &[1, 1]).await;
    shop.set(&order, "one").await.unwrap();
    let other = shop.opened("bob", &[1]).await;
    assert_eq!(shop.set(&other, "one").await, problem(CouponProblem::UsedUp));
    let offer = order.lines[0].offer;
    shop.store.release_reservations(offer, &[order.lines[0].id], ReleaseReason::BuyerCancel, None).await.unwrap();
    shop.settle().await;
    assert_eq!(shop.uses(&coupon).await, 1, "the other line can still be paid");
    app.checkout.cancel(&actor("ann"), order.id, key("cancel-0001")).await.unwrap();
    assert_eq!(shop.uses(&coupon).await, 0, "at once, not when the job runs");
    // Its hold ends.
    shop.set(&other, "one").await.unwrap();
    let offer = other.lines[0].offer;
    shop.expire_holds(offer).await;
    shop.store.release_expired_holds(offer, LockWait::Second).await.unwrap();
    shop.settle().await;
    assert_eq!(shop.uses(&coupon).await, 0);
    // Removed.
    let third = shop.opened("cat", &[1]).await;
    shop.set(&third, "one").await.unwrap();
    shop.remove(&third).await.unwrap();
    shop.remove(&third).await.unwrap();
    assert_eq!((shop.uses(&coupon).await, shop.quote_of(third.id).await.coupon), (0, None));
    // Its amount cannot be captured.
    shop.set(&third, "one").await.unwrap();
    let quote = shop.quote_of(third.id).await;
    let payment = shop.pay_seen(&third, &quote).await.unwrap();
    shop.store.begin_capture(&payment, Some("ref")).await.unwrap().unwrap();
    shop.settle().await;
    assert_eq!(shop.uses(&coupon).await, 1, "it is being captured");
    shop.store.release_failed_capture(third.id).await.unwrap();
    shop.settle().await;
    assert_eq!(shop.uses(&coupon).await, 0);
    // Placed, and not paid.
    let fourth = shop.opened("dan", &[1]).await;
    shop.set(&fourth, "one").await.unwrap();
    let quote = shop.quote_of(fourth.id).await;
    let new = NewPlacement {
        order: fourth.id,
        buyer: user("dan"),
        person: person("dan"),
        key: key("place-0001"),
        hash: request_hash(&["place"]),
        method: ManualMethod::CashOnDelivery,
        quote_version: Some(quote.version),
        rules: QuoteRules::default(),
        market: Market::default(),
        settings: ManualPayments { cash_on_delivery: true, ..ManualPayments::default() },
    };
    let (placed, _) = shop.store.place_order(&new).await.unwrap();
    assert_eq!((placed.status, placed.total()), (OrderStatus::Placed, 4_410));
    shop.settle().await;
    assert_eq!(shop.uses(&coupon).await, 1, "it is certain");
    shop.store.end_order(fourth.id, OrderEnd::ShopCancel { restock: true }).await.unwrap();
    shop.settle().await;
    assert_eq!(shop.uses(&coupon).await, 0);
    shop.assert_consistent().await;
}

async fn use_of_a_paid_order_stays(shop: Fixture) {
    let coupon = shop.coupon(CouponForm { quota: Some(1), ..percent("KEEP", PERCENT_10) }).await;
    let order = shop.opened("ann", &[1]).await;
    shop.set(&order, "keep").await.unwrap();
    shop.paid(&order).await;
    shop.settle().await;
    assert_eq!(shop.store.decided_coupon_orders().await.unwrap(), [], "it is looked at once");
    shop.give_back(order.id, RefundScope::Whole).await;
    shop.settle().await;
    assert_eq!(shop.uses(&coupon).await, 1, "a refund gives the money back, not the use");
}

async fn one_person_has_it_as_often_as_the_coupon_says(shop: Fixture) {
    shop.coupon(CouponForm { per_person: Some(1), ..percent("WELCOME", PERCENT_10) }).await;
    let first = shop.opened("ann", &[1]).await;
    // The same person under another name: an account and the guest before it.
    let second = shop.opened("ann-2", &[1]).await;
    shop.set_for(&first, "ann", "welcome").await.unwrap();
    assert_eq!(shop.set_for(&second, "ann", "welcome").await, problem(CouponProblem::PersonLimit));
    shop.set_for(&second, "ann-2", "welcome").await.unwrap();
    shop.set_for(&first, "ann", "welcome").await.unwrap();
    // Two orders at once.
    let (a, b) = (shop.opened("bob", &[1]).await, shop.opened("bob-2", &[1]).await);
    let (one, other) = tokio::join!(shop.set_for(&a, "bob", "welcome"), shop.set_for(&b, "bob", "welcome"));
    let won = [&one, &other].iter().filter(|result| result.is_ok()).count();
    assert_eq!(won, 1, "{one:?} {other:?}");
}

async fn refused_coupon_leaves_the_order_as_it_is(shop: Fixture) {
    let good = shop.coupon(percent("GOOD", PERCENT_10)).await;
    let over = shop.coupon(percent("OVER", PERCENT_10)).await;
    shop.end_coupon(&over).await;
    let now = shop.store.now().await.unwrap();
    shop.coupon(CouponForm { starts_at: Some(now + 60_000), ..percent("LATER", PERCENT_10) }).await;
    shop.coupon(CouponForm { minimum: Some(100_000), ..percent("RICH", PERCENT_10) }).await;
    let order = shop.opened("ann", &[1]).await;
    shop.set(&order, "good").await.unwrap();
    for (code, expected) in [
        ("nothing", CouponProblem::Unknown),
        ("over", CouponProblem::Ended),
        ("later", CouponProblem::NotStarted),
        ("rich", CouponProblem::Minimum(100_000)),
    ] {
        assert_eq!(shop.set(&order, code).await, problem(expected), "{code}");
        assert_eq!(shop.quote_of(order.id).await.coupon.unwrap().id, good.id);
    }
    assert_eq!(shop.uses(&good).await, 1);
    let paid = shop.paid(&order).await;
    assert_eq!(shop.set(&paid, "good").await, Err(Refusal::AlreadyPaid));
    assert_eq!(shop.remove(&paid).await, Err(Refusal::AlreadyPaid));
}

/// Somebody types a wrong code for a purchase while they have an open order: a client that pays then pays for the purchase alone.
async fn refused_code_puts_no_purchases_together(shop: Fixture) {
    let open = shop.opened("ann", &[1]).await;
    let offer = shop.offer(9, 9).await;
    let alone = shop.reserve_some(offer, "ann", 1).await;
    let now = shop.store.now().await.unwrap();
    shop.coupon(CouponForm { starts_at: Some(now + 60_000), ..percent("LATER", PERCENT_10) }).await;
    shop.coupon(CouponForm { minimum: Some(100_000), ..percent("RICH", PERCENT_10) }).await;
    shop.coupon(CouponForm { products: vec![shop.product], minimum: Some(9_900), ..percent("BOTH", PERCENT_10) }).await;
    shop.coupon(CouponForm { quota: Some(1), ..percent("ONE", PERCENT_10) }).await;
    shop.coupon(CouponForm { per_person: Some(1), ..percent("MINE", PERCENT_10) }).await;
    shop.set(&shop.opened("bob", &[1]).await, "one").await.unwrap();
    shop.set_for(&shop.opened("bob-2", &[1]).await, "ann", "mine").await.unwrap();
    let over = shop.coupon(percent("OVER", PERCENT_10)).await;
    shop.end_coupon(&over).await;
    for (code, expected) in [
        ("nothing", CouponProblem::Unknown),
        ("over", CouponProblem::Ended),
        ("later", CouponProblem::NotStarted),
        ("one", CouponProblem::UsedUp),
        ("rich", CouponProblem::Minimum(100_000)),
        // Both lines together cost 98.00.
        ("both", CouponProblem::Minimum(9_900)),
        ("mine", CouponProblem::PersonLimit),
    ] {
        let purchase = shop.order(alone).await;
        assert_eq!(shop.set(&purchase, code).await, problem(expected), "{code}");
        assert_eq!(shop.order(alone).await.lines.len(), 1, "{code} put purchases together");
        assert_eq!(shop.order(open.id).await.lines.len(), 1, "{code} put purchases together");
    }
    let paid = shop.paid(&shop.order(alone).await).await;
    assert_eq!((paid.id, paid.total()), (alone, 4_900));
    assert_eq!(shop.order(open.id).await.status, OrderStatus::Held);
    shop.assert_consistent().await;
}

async fn accepted_code_makes_the_purchase_a_line_of_the_open_order(shop: Fixture) {
    let coupon = shop.coupon(percent("GOOD", PERCENT_10)).await;
    let open = shop.opened("ann", &[1]).await;
    let offer = shop.offer(9, 9).await;
    let alone = shop.reserve_some(offer, "ann", 1).await;
    let set =
        async |who: &str| refusal_of(shop.store.set_coupon(&user(who), alone, &person(who), &code_of("good")).await);
    assert_eq!(set("bob").await, Err(Refusal::NotYours));
    assert_eq!(set("ann").await, Ok(open.id));
    assert_eq!(set("ann").await, Ok(open.id), "again");
    let quote = shop.quote_of(open.id).await;
    assert_eq!((quote.lines.len(), quote.discount, shop.uses(&coupon).await), (2, 980, 1));
}

async fn order_has_one_coupon_and_gives_the_other_back(shop: Fixture) {
    let (a, b) = (shop.coupon(percent("AAA", PERCENT_10)).await, shop.coupon(percent("BBB", 2_000)).await);
    let order = shop.opened("ann", &[1]).await;
    for (code, expected, discount) in
        [("aaa", [1, 0], 490), ("bbb", [0, 1], 980), ("bbb", [0, 1], 980), ("aaa", [1, 0], 490)]
    {
        shop.set(&order, code).await.unwrap();
        assert_eq!([shop.uses(&a).await, shop.uses(&b).await], expected, "{code}");
        assert_eq!(shop.quote_of(order.id).await.discount, discount);
    }
    // Two orders that change in opposite directions lock the coupons in one order.
    let other = shop.opened("bob", &[1]).await;
    shop.set(&other, "bbb").await.unwrap();
    for _ in 0..20 {
        let (one, two) = tokio::join!(shop.set(&order, "bbb"), shop.set(&other, "aaa"));
        one.and(two).unwrap();
        let (one, two) = tokio::join!(shop.set(&order, "aaa"), shop.set(&other, "bbb"));
        one.and(two).unwrap();
    }
    assert_eq!([shop.uses(&a).await, shop.uses(&b).await], [1, 1]);
}

async fn quote_that_the_buyer_saw_is_not_paid_when_the_coupon_has_ended(shop: Fixture) {
    let coupon = shop.coupon(percent("SOON", PERCENT_10)).await;
    let order = shop.opened("ann", &[1]).await;
    let before = shop.quote_of(order.id).await;
    shop.set(&order, "soon").await.unwrap();
    let with = shop.quote_of(order.id).await;
    assert_ne!(with.version, before.version, "set");
    assert_eq!(shop.pay_seen(&order, &before).await, Err(Refusal::QuoteChanged(Box::new(with.clone()))));
    shop.end_coupon(&coupon).await;
    let after = shop.quote_of(order.id).await;
    assert_eq!((after.discount, after.total), (0, 4_900));
    assert_eq!(after.coupon.as_ref().unwrap().problem.as_deref(), Some("coupon_ended"));
    assert_ne!(after.version, before.version, "the buyer is told that the coupon has ended");
    assert_eq!(shop.pay_seen(&order, &with).await, Err(Refusal::QuoteChanged(Box::new(after.clone()))));
    shop.remove(&order).await.unwrap();
    assert_eq!(shop.quote_of(order.id).await.version, before.version, "removed");
    shop.paid(&order).await;
}

async fn frozen_quote_keeps_its_coupon_until_the_attempt_ends(shop: Fixture) {
    let coupon = shop.coupon(percent("FROZEN", PERCENT_10)).await;
    let order = shop.opened("ann", &[1]).await;
    shop.set(&order, "frozen").await.unwrap();
    let quote = shop.quote_of(order.id).await;
    let payment = shop.pay_seen(&order, &quote).await.unwrap();
    shop.end_coupon(&coupon).await;
    assert_eq!(shop.quote_of(order.id).await, quote);
    let under_way = Err(Refusal::WrongStatus("A payment of the order is under way."));
    assert_eq!(shop.remove(&order).await, under_way);
    assert_eq!(shop.set(&order, "other").await, under_way);
    // It is declined: what the order costs now is without the coupon, and so are its lines.
    shop.store.update_payment_status(&payment, PaymentStatus::Declined, None).await.unwrap();
    let now = shop.quote_of(order.id).await;
    assert_eq!((now.discount, now.total), (0, 4_900));
    shop.remove(&order).await.unwrap();
    let paid = shop.paid(&order).await;
    assert_eq!((paid.total(), shop.number("select cast(sum(discount) as bigint) from reservations").await), (4_900, 0));
}

async fn coupon_counts_for_its_products_and_from_its_minimum_on(shop: Fixture) {
    let variant = VariantId::new();
    let rug = Product {
        id: ProductId::new(),
        title: "Rug".into(),
        variants: vec![Variant { id: variant, name: "Red".into(), price: 9_000, stock: 50, ..Variant::default() }],
        ..Product::default()
    };
    shop.store.create_product(shop.shop.id, &rug, None).await.unwrap();
    let mut new = shop.new_offer(9, 9);
    (new.variant, new.price) = (variant, 9_000);
    shop.store.create_offer(&new, None).await.unwrap();
    shop.store.open_offer(new.id).await.unwrap();
    let of_rugs = CouponForm { products: vec![rug.id], minimum: Some(10_000), ..percent("RUGS", PERCENT_10) };
    shop.coupon(of_rugs).await;

    let order = shop.opened("ann", &[2]).await;
    assert_eq!(shop.set(&order, "rugs").await, problem(CouponProblem::Products), "two lamps");
    let one = shop.reserve_some(new.id, "ann", 1).await;
    shop.store.open_order(&user("ann"), &[one]).await.unwrap();
    assert_eq!(shop.set(&order, "rugs").await, problem(CouponProblem::Minimum(10_000)), "one rug");
    let more = shop.reserve_some(new.id, "ann", 1).await;
    shop.store.open_order(&user("ann"), &[more]).await.unwrap();
    shop.set(&order, "rugs").await.unwrap();
    let quote = shop.quote_of(order.id).await;
    let splits: Vec<_> = quote.lines.iter().map(|line| (line.amount, line.discount)).collect();
    assert_eq!((splits, quote.discount), (vec![(9_800, 0), (9_000, 900), (9_000, 900)], 1_800));
    let unknown = CouponForm { products: vec![ProductId::new()], ..percent("NONE", PERCENT_10) };
    let unknown = unknown.validated(CouponId::new(), "SAR", 0).unwrap();
    let refused = refusal_of(shop.store.create_coupon(&unknown, &request("unknown-product")).await).unwrap_err();
    assert_eq!((refused.code(), refused.field()), ("invalid_value", Some("products")));
}

async fn line_that_goes_takes_the_discount_with_it(shop: Fixture) {
    let coupon = shop.coupon(CouponForm { minimum: Some(14_000), ..percent("BASKET", PERCENT_10) }).await;
    let order = shop.opened("ann", &[1, 2]).await;
    shop.set(&order, "basket").await.unwrap();
    let with = shop.quote_of(order.id).await;
    let line = &order.lines[0];
    shop.store.release_reservations(line.offer, &[line.id], ReleaseReason::BuyerCancel, None).await.unwrap();
    let without = shop.quote_of(order.id).await;
    assert_eq!((without.discount, without.total), (0, 9_800));
    assert_eq!(without.coupon.as_ref().unwrap().problem.as_deref(), Some("coupon_minimum"));
    assert_eq!(shop.pay_seen(&order, &with).await, Err(Refusal::QuoteChanged(Box::new(without.clone()))));
    // It waits for the buyer: with more in the order it counts again.
    assert_eq!(shop.uses(&coupon).await, 1);
    let offer = shop.offer(9, 9).await;
    let more = shop.reserve_some(offer, "ann", 1).await;
    shop.store.open_order(&user("ann"), &[more]).await.unwrap();
    assert_eq!(shop.quote_of(order.id).await.discount, 1_470);
}

async fn order_that_was_paid_in_full_gives_the_use_back(shop: Fixture) {
    let coupon = shop.coupon(CouponForm { minimum: Some(14_000), ..percent("BASKET", PERCENT_10) }).await;
    let order = shop.opened("ann", &[1, 2]).await;
    shop.set(&order, "basket").await.unwrap();
    let line = &order.lines[0];
    shop.store.release_reservations(line.offer, &[line.id], ReleaseReason::BuyerCancel, None).await.unwrap();
    let without = shop.quote_of(order.id).await;
    let payment = shop.pay_seen(&order, &without).await.unwrap();
    shop.paid_by(&order, &payment).await;
    shop.settle().await;
    assert_eq!(shop.uses(&coupon).await, 0, "nothing came off");
}

async fn order_that_costs_nothing_needs_no_provider(shop: Fixture) {
    shop.coupon(percent("GIFT", 10_000)).await;
    let order = shop.opened("ann", &[1]).await;
    shop.set(&order, "gift").await.unwrap();
    let quote = shop.quote_of(order.id).await;
    assert_eq!((quote.discount, quote.total), (4_900, 0));
    let payment = shop.pay_seen(&order, &quote).await.unwrap();
    assert_eq!((payment.provider.as_str(), payment.amount), ("none", 0));
    let paid = shop.paid_by(&order, &payment).await;
    assert_eq!((paid.status, paid.total()), (OrderStatus::Paid, 0));
    assert_eq!(shop.give_back(order.id, RefundScope::Whole).await, 0);
}

async fn reports_count_what_was_paid(shop: Fixture) {
    shop.coupon(percent("TENTH", PERCENT_10)).await;
    let order = shop.opened("ann", &[2]).await;
    shop.set(&order, "tenth").await.unwrap();
    shop.paid(&order).await;
    let totals = async || shop.store.sales_totals(shop.stream).await.unwrap();
    let amounts = async || {
        let totals = totals().await;
        [totals.amount_paid, totals.amount_refunded]
    };
    let read = async |expected: [i64; 2], what: &str| {
        assert_eq!(amounts().await, expected, "{what}, before it is summed");
        while shop.store.sum_orders(0).await.unwrap().has_more {}
        assert_eq!(amounts().await, expected, "{what}, summed");
    };
    read([8_820, 0], "paid").await;
    let one = RefundPart { lines: vec![(order.lines[0].id, 1)], ..RefundPart::default() };
    shop.give_back(order.id, RefundScope::Part(one)).await;
    read([4_410, 4_410], "one of two units given back").await;
    shop.give_back(order.id, RefundScope::Whole).await;
    read([0, 8_820], "all given back").await;
}

async fn code_belongs_to_one_coupon_that_was_not_ended(shop: Fixture) {
    let first = shop.coupon(percent("SUMMER 25", PERCENT_10)).await;
    let now = shop.store.now().await.unwrap();
    let again = percent("summer-٢٥", 500).validated(CouponId::new(), "SAR", now).unwrap();
    let refused = refusal_of(shop.store.create_coupon(&again, &request("again-0001")).await).unwrap_err();
    assert_eq!((refused.code(), refused.field()), ("invalid_value", Some("code")));
    shop.end_coupon(&first).await;
    let made = shop.store.create_coupon(&again, &request("again-0002")).await.unwrap();
    assert_eq!(made, again.id);
    let repeated = Coupon { id: CouponId::new(), ..again.clone() };
    assert_eq!(shop.store.create_coupon(&repeated, &request("again-0002")).await.unwrap(), again.id, "the same key");
    let order = shop.opened("ann", &[1]).await;
    shop.set(&order, "Summer 25").await.unwrap();
    assert_eq!(shop.quote_of(order.id).await.discount, 245, "the newer one");
    let all = shop.store.coupons(None, 10).await.unwrap();
    assert_eq!(all.iter().map(|coupon| coupon.id).collect::<Vec<_>>(), [again.id, first.id], "newest first");
    assert_eq!(shop.store.coupons(Some(again.id), 10).await.unwrap().len(), 1);
    let stale = CouponChange { version: 1, quota: Some(Some(5)), ..CouponChange::default() };
    assert_eq!(refusal_of(shop.store.change_coupon(first.id, stale, &entry()).await), Err(Refusal::Outdated));
    assert_eq!(shop.store.change_coupon(again.id, stale, &entry()).await.unwrap().quota, Some(5));
}
