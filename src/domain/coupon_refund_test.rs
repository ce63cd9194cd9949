//! What was paid with a coupon comes back line by line, in every currency, in amounts that a provider takes.

use proptest::prelude::*;

use super::stripe_amount::amount_step;
use super::*;

fn sold(amount: Minor, currency: &str) -> Reservation {
    Reservation {
        id: ReservationId::new(),
        stream: StreamId(uuid::Uuid::nil()),
        offer: OfferId(uuid::Uuid::nil()),
        order: None,
        buyer: UserId::parse("ann").unwrap(),
        buyer_name: "Ann".into(),
        status: ReservationStatus::Sold,
        qty: 1,
        returned: 0,
        amount,
        currency: currency.into(),
        place: 1,
        created_at: 0,
        hold_until: 0,
        reason: None,
        version: 1,
    }
}

fn order(lines: Vec<Reservation>) -> Order {
    let mut lines = lines.into_iter();
    let first = lines.next().unwrap();
    Order::of_lines(OrderHeader::default(), first, lines.collect())
}

fn quote(order: &Order, rules: QuoteRules, discount: CouponDiscount) -> OrderQuote {
    let form = CouponForm { code: "SAVE".into(), percent_bp: Some(1), ..CouponForm::default() };
    let coupon = form.validated(CouponId::new(), &order.currency, 0).unwrap();
    let coupon = Coupon { discount, ..coupon };
    let product = ProductId::new();
    let line = |line: &Reservation| CouponLine { reservation: line.id, product, amount: line.amount };
    let lines: Vec<CouponLine> = order.lines.iter().map(line).collect();
    let applied = coupon.apply(order.stream, &order.currency, &lines, 0);
    let lines: Vec<_> = order.lines.iter().map(|line| (line, SoldItem::default())).collect();
    OrderQuote::of(&lines, None, rules, Some(applied)).unwrap()
}

fn of_line(line: &Reservation) -> RefundScope {
    RefundScope::Part(RefundPart { lines: vec![(line.id, 1)], ..RefundPart::default() })
}

fn give(paid: &mut PaidOrder<'_>, scope: &RefundScope) -> RefundPlan {
    let plan = paid.plan(scope).unwrap();
    paid.so_far.amount += plan.amount;
    paid.so_far.delivery += plan.delivery;
    paid.so_far.lines.extend(plan.lines.clone());
    plan
}

fn give_delivery(paid: &mut PaidOrder<'_>) {
    if paid.refundable().delivery > 0 {
        give(paid, &RefundScope::Part(RefundPart { delivery: true, ..RefundPart::default() }));
    }
}

fn paid<'o>(order: &'o Order, quote: &'o OrderQuote) -> PaidOrder<'o> {
    let (captured, so_far) = (quote.total, RefundedSoFar::default());
    PaidOrder { order, quote: Some(quote), captured, so_far, is_manual: false, is_parcel_shared: false }
}

#[test]
fn three_lamps_in_dinars_come_back_to_the_last_fils() {
    let order = order((0..3).map(|_| sold(3_330, "KWD")).collect());
    let quote = quote(&order, QuoteRules::default(), CouponDiscount::Amount(1_000));
    let mut paid = paid(&order, &quote);
    let given: Vec<Minor> = order.lines.iter().map(|line| give(&mut paid, &of_line(line)).amount).collect();
    assert_eq!((quote.total, given), (8_990, vec![2_990, 3_000, 3_000]));
}

/// A seller who chose to give back less keeps the rest: only what rounding kept is given back later.
#[test]
fn amount_that_the_seller_chose_is_not_made_up_for() {
    for (code, chosen, next) in [("SAR", 3_326, 3_330), ("KWD", 3_000, 3_330)] {
        let order = order((0..3).map(|_| sold(3_330, code)).collect());
        let quote = quote(&order, QuoteRules::default(), CouponDiscount::Amount(0));
        let mut paid = paid(&order, &quote);
        let part = RefundPart { lines: vec![(order.lines[0].id, 1)], amount: Some(chosen), ..RefundPart::default() };
        give(&mut paid, &RefundScope::Part(part));
        assert_eq!(give(&mut paid, &of_line(&order.lines[1])).amount, next, "{code}");
    }
    // A step less for two units at once: rounding never keeps a whole step.
    let order = order((0..3).map(|_| sold(3_330, "KWD")).collect());
    let quote = quote(&order, QuoteRules::default(), CouponDiscount::Amount(0));
    let mut paid = paid(&order, &quote);
    let lines = vec![(order.lines[0].id, 1), (order.lines[1].id, 1)];
    give(&mut paid, &RefundScope::Part(RefundPart { lines, amount: Some(6_650), ..RefundPart::default() }));
    assert_eq!(give(&mut paid, &of_line(&order.lines[2])).amount, 3_330);
}

proptest! {
    #[test]
    fn lines_come_back_one_by_one_in_every_currency(
        amounts in prop::collection::vec(1..=90_000_000_i64, 1..12),
        discount in prop_oneof![
            (1..=10_000_i64).prop_map(CouponDiscount::Percent),
            (1..=90_000_000_i64).prop_map(CouponDiscount::Amount)
        ],
        (fee, tax_bp, tax_included) in (0..=9_000_i64, 0..=5_000_i64, any::<bool>()),
        (has_even_prices, is_delivery_first) in any::<(bool, bool)>(),
    ) {
        for code in currency::codes() {
            let step = amount_step(code);
            let price = |amount: Minor| if has_even_prices { amount * step } else { amount };
            let order = order(amounts.iter().map(|amount| sold(price(*amount), code)).collect());
            let rules = QuoteRules { tax_bp, tax_included, delivery_fee: price(fee), ..QuoteRules::default() };
            let quote = quote(&order, rules, discount);
            let is_even = has_even_prices && tax_included;
            prop_assert!(!is_even || quote.total % step == 0, "no provider charges {} {}", quote.total, code);
            let mut paid = paid(&order, &quote);
            if is_delivery_first {
                give_delivery(&mut paid);
            }
            for line in &order.lines {
                let left = quote.total - paid.so_far.amount;
                let plan = give(&mut paid, &of_line(line));
                let share = plan.lines[0].amount;
                prop_assert!(plan.amount % step == 0 || plan.amount == left, "{} {}", plan.amount, code);
                prop_assert!((plan.amount - share).abs() <= 2 * (step - 1), "{} for {} {}", plan.amount, share, code);
                prop_assert!(!is_even || plan.amount == share, "{} for {} {}", plan.amount, share, code);
            }
            give_delivery(&mut paid);
            prop_assert_eq!(paid.so_far.amount, quote.total, "{} keeps a rest", code);
        }
    }
}
