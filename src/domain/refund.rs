//! How much a refund gives back: for whole lines or some of their units, for the delivery, or an amount that the seller chose.
//!
//! The share of some units of a line is computed up to them, rounded half up, less what was given back for the line before, so that the
//! shares of all units are exactly what was paid for it.

use super::quote::round_half_up;
use super::stripe_amount::amount_step;
use super::{Minor, Order, OrderQuote, OrderStatus, Refusal, Reservation, ReservationId, ReservationStatus};

/// What a member of the team wants to give back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RefundScope {
    /// All that was not given back yet.
    Whole,
    Part(RefundPart),
}

/// A part of an order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RefundPart {
    /// Reservations, and how many units of each come back.
    pub lines: Vec<(ReservationId, i64)>,
    /// The delivery fee too.
    pub delivery: bool,
    /// Instead of the amount that follows from the lines and the delivery.
    pub amount: Option<Minor>,
}

/// What refunds that are pending or done give back.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RefundedSoFar {
    pub amount: Minor,
    pub delivery: Minor,
    /// Their units by line, summed over the refunds.
    pub lines: Vec<ReturnedLine>,
}

/// Units of one line that come back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReturnedLine {
    pub reservation: ReservationId,
    pub qty: i64,
    /// What the buyer paid for them, with an added tax.
    pub amount: Minor,
    /// The same without an added tax: what reports count.
    pub goods: Minor,
}

/// A refund, ready to be asked of the provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefundPlan {
    pub lines: Vec<ReturnedLine>,
    /// What is given back for the delivery, with an added tax.
    pub delivery: Minor,
    pub amount: Minor,
}

/// A paid order and its money, as a refund needs them.
#[derive(Clone, Debug)]
pub struct PaidOrder<'o> {
    pub order: &'o Order,
    /// What was paid. `None`: the order is from before there were quotes.
    pub quote: Option<&'o OrderQuote>,
    /// The money that was taken for it.
    pub captured: Minor,
    pub so_far: RefundedSoFar,
    /// The shop has received the money itself, and gives it back itself: in any amount.
    pub is_manual: bool,
    /// Other paid orders are in its parcel, without a delivery fee of their own.
    pub is_parcel_shared: bool,
}

/// What can still be given back of an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Refundable {
    /// In all, the delivery with it.
    pub amount: Minor,
    /// What was paid for the delivery.
    pub delivery: Minor,
    /// What the refund of the whole order gives back: without the delivery while other paid orders are in the parcel.
    pub whole: Minor,
    /// Amounts are given back in steps of this number of minor units: providers take no others in this currency.
    pub step: Minor,
    /// What refunds so far kept because they were rounded down to the step: the next refund of a line or of the delivery adds it.
    pub carried: Minor,
}

impl PaidOrder<'_> {
    fn step(&self) -> Minor {
        if self.is_manual { 1 } else { amount_step(&self.order.currency) }
    }

    /// What is left of the delivery that was paid.
    fn delivery_left(&self) -> Minor {
        let amount = (self.captured - self.so_far.amount).max(0);
        (self.quote.map_or(0, delivery_paid) - self.so_far.delivery).clamp(0, amount)
    }

    pub fn refundable(&self) -> Refundable {
        if !self.order.status.is_or_was_paid() {
            return Refundable::default();
        }
        let amount = (self.captured - self.so_far.amount).max(0);
        let delivery_left = self.delivery_left();
        let kept = if self.is_parcel_shared { delivery_left } else { 0 };
        let step = self.step();
        let whole = in_steps(amount - kept, amount, step);
        // A rest of less than a step would be given back as 0, again and again.
        let delivery = if delivery_left == amount { amount } else { delivery_left - delivery_left.rem_euclid(step) };
        Refundable { amount, delivery, whole, step, carried: self.kept_by_rounding() }
    }

    /// Plans a refund.
    pub fn plan(&self, scope: &RefundScope) -> Result<RefundPlan, Refusal> {
        if !self.order.status.is_or_was_paid() {
            return Err(Refusal::NotPaid);
        }
        let left = self.refundable();
        match scope {
            RefundScope::Whole => {
                let all = self.order.lines.iter().filter(|line| self.left_units(line) > 0);
                let lines: Vec<ReturnedLine> =
                    all.map(|line| self.returned_line(line, self.left_units(line))).collect::<Result<_, _>>()?;
                if lines.is_empty() && left.whole == 0 {
                    return Err(Refusal::AlreadyRefunded);
                }
                let delivery = if self.is_parcel_shared { 0 } else { self.delivery_left() };
                Ok(RefundPlan { lines, delivery, amount: left.whole })
            }
            RefundScope::Part(part) => self.plan_part(part, left),
        }
    }

    fn plan_part(&self, part: &RefundPart, left: Refundable) -> Result<RefundPlan, Refusal> {
        if self.order.status == OrderStatus::Refunded && left.amount == 0 {
            return Err(Refusal::AlreadyRefunded);
        }
        let lines = self
            .chosen_lines(part)?
            .into_iter()
            .map(|(line, qty)| self.returned_line(line, qty))
            .collect::<Result<Vec<_>, _>>()?;
        if part.delivery && left.delivery == 0 {
            return Err(Refusal::invalid_value("delivery", "was not paid, or was given back already."));
        }
        let delivery = if part.delivery { left.delivery } else { 0 };
        let sum =
            lines.iter().map(|line| line.amount).fold(delivery.saturating_add(left.carried), Minor::saturating_add);
        if part.amount.is_some_and(|amount| amount % left.step != 0 && amount != left.amount) {
            return Err(Refusal::bad_field("amount", format!("must be a multiple of {} minor units.", left.step)));
        }
        let amount = part.amount.unwrap_or_else(|| in_steps(sum, left.amount, left.step));
        if lines.is_empty() && !part.delivery && part.amount.unwrap_or_default() < 1 {
            return Err(Refusal::bad_field(
                "lines",
                "must name a line, or the delivery or an amount must be given back.",
            ));
        }
        if !(0..=left.amount).contains(&amount) {
            return Err(Refusal::invalid_value("amount", "is more than what is left of the payment."));
        }
        Ok(RefundPlan { lines, delivery: delivery.min(amount), amount })
    }

    /// What refunds kept so far because they were rounded down to the step, so that all of them together give back what was paid. A
    /// difference that the seller chose is a whole number of steps, and does not count.
    fn kept_by_rounding(&self) -> Minor {
        let so_far = &self.so_far;
        let shares = so_far.lines.iter().map(|line| line.amount).fold(so_far.delivery, Minor::saturating_add);
        shares.saturating_sub(so_far.amount).max(0).rem_euclid(self.step())
    }

    /// The units of a line that refunds before this one give back.
    fn returned_before(&self, line: &Reservation) -> ReturnedLine {
        let none = ReturnedLine { reservation: line.id, qty: 0, amount: 0, goods: 0 };
        let noted = self.so_far.lines.iter().find(|returned| returned.reservation == line.id).cloned();
        let noted = noted.unwrap_or(none);
        // Refunds from before there were lines gave back all units.
        ReturnedLine { qty: noted.qty.max(line.returned), ..noted }
    }

    fn left_units(&self, line: &Reservation) -> i64 {
        if line.status == ReservationStatus::Sold { (line.qty - self.returned_before(line).qty).max(0) } else { 0 }
    }

    fn chosen_lines(&self, part: &RefundPart) -> Result<Vec<(&Reservation, i64)>, Refusal> {
        let mut chosen: Vec<(&Reservation, i64)> = Vec::with_capacity(part.lines.len());
        for (index, (id, qty)) in part.lines.iter().enumerate() {
            let field = |name: &str| format!("lines[{index}].{name}");
            let Some(line) = self.order.lines.iter().find(|line| line.id == *id) else {
                return Err(Refusal::bad_field(field("reservation"), "is not a line of this order."));
            };
            if chosen.iter().any(|(known, _)| known.id == *id) {
                return Err(Refusal::bad_field(field("reservation"), "is named twice."));
            }
            let left = self.left_units(line);
            if !(1..=left).contains(qty) {
                return Err(Refusal::bad_field(
                    field("quantity"),
                    format!("must be 1 to {left}: that many were not returned."),
                ));
            }
            chosen.push((line, *qty));
        }
        Ok(chosen)
    }

    /// The share of the price up to these units, less what refunds before this one gave back for the line: whatever their order is, and
    /// whichever of them failed, all units together are what was paid.
    fn returned_line(&self, line: &Reservation, qty: i64) -> Result<ReturnedLine, Refusal> {
        let quoted = self.quote.and_then(|quote| quote.lines.iter().find(|quoted| quoted.reservation == line.id));
        let goods = quoted.map_or(line.amount, |quoted| quoted.amount - quoted.discount);
        let is_added = self.quote.is_some_and(|quote| !quote.tax_included);
        let paid = goods + quoted.filter(|_| is_added).map_or(0, |quoted| quoted.tax);
        let before = self.returned_before(line);
        let until = |whole: Minor| share_of(whole, before.qty + qty, line.qty);
        let mut amount_until: Minor = until(paid)?;
        if before.qty + qty < line.qty {
            amount_until -= amount_until.rem_euclid(self.step());
        }
        let (amount, goods) = ((amount_until - before.amount).max(0), (until(goods)? - before.goods).max(0));
        Ok(ReturnedLine { reservation: line.id, qty, amount, goods })
    }
}

/// The part of what is left that can be given back: rounded down to the step, and all that is left where the rest would be less than a step.
fn in_steps(amount: Minor, left: Minor, step: Minor) -> Minor {
    match left - amount {
        rest if (0..step).contains(&rest) => left,
        _ => amount - amount.rem_euclid(step),
    }
}

/// What was paid for the delivery, with an added tax.
fn delivery_paid(quote: &OrderQuote) -> Minor {
    quote.delivery + if quote.tax_included { 0 } else { quote.delivery_tax }
}

/// The part of `whole` for `qty` of `all` units, rounded half up.
fn share_of(whole: Minor, qty: i64, all: i64) -> Result<Minor, Refusal> {
    let part = u128::from(whole.unsigned_abs()) * u128::from(qty.unsigned_abs());
    round_half_up(part, u128::from(all.max(1).unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{OfferId, OrderHeader, OrderId, QuoteRules, SoldItem, StreamId, UserId};

    fn sold(amount: Minor, qty: i64) -> Reservation {
        Reservation {
            id: ReservationId::new(),
            stream: StreamId(uuid::Uuid::nil()),
            offer: OfferId(uuid::Uuid::nil()),
            order: None,
            buyer: UserId::parse("ann").unwrap(),
            buyer_name: "Ann".into(),
            status: ReservationStatus::Sold,
            qty,
            returned: 0,
            amount,
            currency: "SAR".into(),
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

    fn quote(order: &Order, rules: QuoteRules) -> OrderQuote {
        let lines: Vec<_> = order.lines.iter().map(|line| (line, SoldItem::default())).collect();
        OrderQuote::of(&lines, None, rules, None).unwrap()
    }

    const ADDED: QuoteRules =
        QuoteRules { tax_bp: 1_500, tax_included: false, delivery_fee: 1_000, delivery_free_from: 0 };

    fn part(lines: &[(ReservationId, i64)], delivery: bool, amount: Option<Minor>) -> RefundScope {
        RefundScope::Part(RefundPart { lines: lines.to_vec(), delivery, amount })
    }

    #[test]
    fn refund_gives_back_what_was_chosen_and_never_more_than_was_paid() {
        let paid = order(vec![sold(1_000, 3), sold(500, 1)]);
        let quote = quote(&paid, ADDED);
        assert_eq!(quote.total, 1_500 + 1_000 + 150 + 75 + 150);
        let (a, b) = (paid.lines[0].id, paid.lines[1].id);
        let of = |so_far: RefundedSoFar, is_parcel_shared: bool| PaidOrder {
            order: &paid,
            quote: Some(&quote),
            captured: quote.total,
            so_far,
            is_manual: false,
            is_parcel_shared,
        };
        let plan = |so_far: (Minor, Minor), scope: &RefundScope| {
            let so_far = RefundedSoFar { amount: so_far.0, delivery: so_far.1, lines: Vec::new() };
            let plan = of(so_far, false).plan(scope);
            plan.map(|plan| (plan.amount, plan.delivery, plan.lines.len())).map_err(|refusal| refusal.code())
        };
        let (none, all_but_100, delivery) = ((0, 0), (quote.total - 100, 0), (1_150, 1_150));
        for (so_far, scope, expected) in [
            (none, RefundScope::Whole, Ok((2_875, 1_150, 2))),
            (delivery, RefundScope::Whole, Ok((1_725, 0, 2))),
            // A third of 11.50, rounded half up.
            (none, part(&[(a, 1)], false, None), Ok((383, 0, 1))),
            (none, part(&[(a, 3), (b, 1)], true, None), Ok((2_875, 1_150, 2))),
            (none, part(&[(b, 1)], false, Some(100)), Ok((100, 0, 1))),
            (none, part(&[], true, None), Ok((1_150, 1_150, 0))),
            (none, part(&[], false, Some(5)), Ok((5, 0, 0))),
            (none, part(&[(b, 1)], false, Some(0)), Ok((0, 0, 1))),
            (all_but_100, part(&[], false, Some(100)), Ok((100, 0, 0))),
            (all_but_100, part(&[], false, Some(101)), Err("invalid_value")),
            (all_but_100, part(&[(b, 1)], false, None), Err("invalid_value")),
            (delivery, part(&[], true, None), Err("invalid_value")),
            (none, part(&[], false, None), Err("bad_request")),
            (none, part(&[], false, Some(0)), Err("bad_request")),
            (none, part(&[(b, 1)], false, Some(-1)), Err("invalid_value")),
            (none, part(&[(a, 4)], false, None), Err("bad_request")),
            (none, part(&[(a, 0)], false, None), Err("bad_request")),
            (none, part(&[(a, 1), (a, 1)], false, None), Err("bad_request")),
            (none, part(&[(OrderId::new(), 1)], false, None), Err("bad_request")),
        ] {
            assert_eq!(plan(so_far, &scope), expected, "{so_far:?} {scope:?}");
        }
        // Units of a refund that is pending cannot come back a second time.
        let line = ReturnedLine { reservation: a, qty: 2, amount: 767, goods: 667 };
        let pending = RefundedSoFar { amount: 767, delivery: 0, lines: vec![line] };
        let refused = of(pending.clone(), false).plan(&part(&[(a, 2)], false, None)).unwrap_err();
        assert_eq!(refused.code(), "bad_request");
        assert_eq!(of(pending, false).plan(&part(&[(a, 1)], false, None)).unwrap().amount, 1_150 - 767);
        // Others are in its parcel: the delivery stays paid, until it is named.
        let shared = of(RefundedSoFar::default(), true);
        assert_eq!(
            shared.refundable(),
            Refundable { amount: 2_875, delivery: 1_150, whole: 1_725, step: 1, carried: 0 }
        );
        let whole = shared.plan(&RefundScope::Whole).unwrap();
        assert_eq!((whole.amount, whole.delivery, whole.lines.len()), (1_725, 0, 2));
        assert_eq!(shared.plan(&part(&[], true, None)).unwrap().amount, 1_150);
    }

    #[test]
    fn only_what_was_paid_is_refunded() {
        for (status, returned, code) in [
            (ReservationStatus::Held, 0, "not_paid"),
            (ReservationStatus::Capturing, 0, "not_paid"),
            (ReservationStatus::Cancelled, 0, "not_paid"),
        ] {
            let order = order(vec![Reservation { status, returned, ..sold(100, 1) }]);
            for scope in [RefundScope::Whole, part(&[(order.id, 1)], false, None)] {
                let refused = of(&order, RefundedSoFar::default()).plan(&scope).unwrap_err();
                assert_eq!(refused.code(), code, "{status:?} {scope:?}");
            }
        }
        let back = order(vec![Reservation { returned: 1, ..sold(100, 1) }]);
        let all = RefundedSoFar { amount: 100, ..RefundedSoFar::default() };
        for scope in [RefundScope::Whole, part(&[], false, Some(1))] {
            assert_eq!(of(&back, all.clone()).plan(&scope), Err(Refusal::AlreadyRefunded));
        }
        // The bank sent the money back: the units stay returned, and the money can be given back again.
        let none = RefundedSoFar::default();
        let again = of(&back, none).plan(&RefundScope::Whole).unwrap();
        assert_eq!(again, RefundPlan { lines: Vec::new(), delivery: 0, amount: 100 });
    }

    fn of(order: &Order, so_far: RefundedSoFar) -> PaidOrder<'_> {
        PaidOrder { order, quote: None, captured: 100, so_far, is_manual: false, is_parcel_shared: false }
    }

    fn add(so_far: &mut RefundedSoFar, given: &ReturnedLine, times: i64) {
        so_far.amount += times * given.amount;
        so_far.lines[0].qty += times * given.qty;
        so_far.lines[0].amount += times * given.amount;
        so_far.lines[0].goods += times * given.goods;
    }

    /// Three lamps for 10.010 dinars, in a currency in which the last decimal must be 0.
    #[test]
    fn parts_in_a_currency_with_three_decimals_are_what_a_provider_takes() {
        let mut line = sold(10_010, 3);
        line.currency = "KWD".into();
        let order = order(vec![line]);
        let line = ReturnedLine { reservation: order.id, qty: 0, amount: 0, goods: 0 };
        let so_far = RefundedSoFar { amount: 0, delivery: 0, lines: vec![line] };
        let mut paid = PaidOrder {
            order: &order,
            quote: None,
            captured: 10_010,
            so_far,
            is_manual: false,
            is_parcel_shared: false,
        };
        let unit = part(&[(order.id, 1)], false, None);
        let mut given = Vec::new();
        for _ in 0..3 {
            let plan = paid.plan(&unit).unwrap();
            given.push(plan.amount);
            paid.so_far.amount += plan.amount;
            let line = &mut paid.so_far.lines[0];
            (line.qty, line.amount) = (line.qty + 1, line.amount + plan.lines[0].amount);
        }
        assert_eq!(given, [3_330, 3_340, 3_340], "a third is 3.336 or 3.337, and together they are the whole");
        paid.so_far.amount = 0;
        let odd = paid.plan(&part(&[], false, Some(3_335))).unwrap_err();
        assert_eq!(odd.to_string(), "amount must be a multiple of 10 minor units.");
        let cash = PaidOrder { is_manual: true, ..paid.clone() };
        assert_eq!((cash.refundable().step, cash.plan(&part(&[], false, Some(3_335))).unwrap().amount), (1, 3_335));
        assert_eq!(paid.plan(&part(&[], false, Some(3_330))).unwrap().amount, 3_330);
    }

    #[test]
    fn rest_of_a_delivery_below_the_step_is_not_given_back_again() {
        let mut line = sold(10_005, 1);
        line.currency = "KWD".into();
        let order = order(vec![line]);
        let rules = QuoteRules { delivery_fee: 1_005, ..QuoteRules::default() };
        let quote = quote(&order, rules);
        let so_far = RefundedSoFar::default();
        let (quote, captured) = (Some(&quote), quote.total);
        let mut paid = PaidOrder { order: &order, quote, captured, so_far, is_manual: false, is_parcel_shared: false };
        let plan = paid.plan(&part(&[], true, None)).unwrap();
        assert_eq!((plan.amount, plan.delivery), (1_000, 1_000));
        (paid.so_far.amount, paid.so_far.delivery) = (1_000, 1_000);
        assert_eq!(paid.refundable().delivery, 0);
        assert_eq!(paid.plan(&part(&[], true, None)).unwrap_err().code(), "invalid_value");
        assert_eq!(paid.plan(&RefundScope::Whole).unwrap().amount, captured - 1_000);
    }

    proptest! {
        /// Whatever the steps are in which all units come back, and whichever of them fail, their shares are what was paid for the line.
        #[test]
        fn shares_of_all_units_are_the_whole(
            amount in 0..=9_000_000_000_i64,
            steps in prop::collection::vec((1..=20_i64, any::<bool>()), 1..12),
            tax_bp in 0..=5_000_i64,
            tax_included in any::<bool>(),
        ) {
            let order = order(vec![sold(amount, steps.iter().map(|(qty, _)| qty).sum())]);
            let rules = QuoteRules { tax_bp, tax_included, ..QuoteRules::default() };
            let quote = quote(&order, rules);
            let line = ReturnedLine { reservation: order.id, qty: 0, amount: 0, goods: 0 };
            let so_far = RefundedSoFar { amount: 0, delivery: 0, lines: vec![line] };
            let mut paid = PaidOrder { order: &order, quote: Some(&quote), captured: quote.total, so_far, is_manual: false, is_parcel_shared: false };
            let give = |paid: &mut PaidOrder<'_>, qty: i64| {
                let plan = paid.plan(&part(&[(order.id, qty)], false, None)).unwrap();
                assert!(0 <= plan.amount && plan.amount <= quote.total - paid.so_far.amount, "{plan:?}");
                let given = plan.lines[0].clone();
                add(&mut paid.so_far, &given, 1);
                given
            };
            let all: Vec<ReturnedLine> = steps.iter().map(|(qty, _)| give(&mut paid, *qty)).collect();
            prop_assert_eq!(paid.so_far.amount, quote.total);
            // Some of them fail after that, and those units come back by other refunds.
            for (given, (_, fails)) in all.iter().zip(&steps) {
                add(&mut paid.so_far, given, if *fails { -1 } else { 0 });
            }
            for (qty, _) in steps.iter().filter(|(_, fails)| *fails) {
                give(&mut paid, *qty);
            }
            prop_assert_eq!(paid.so_far.amount, quote.total);
        }
    }
}
