//! What an order costs: goods, discount, delivery, tax and total, from its lines and the rules of the shop.
//!
//! A coupon takes its discount off lines, before the tax. The tax is computed for each line and for the delivery, rounded half up to the minor unit, and then summed. A tax that the prices
//! include is shown and never added; any other tax is added to the total.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::order::request_hash;
use super::{AppliedCoupon, Minor, OrderId, QuoteCoupon, Refusal, Reservation, ReservationId, Titles};

const BASIS_POINTS: u128 = 10_000;

/// How a shop charges tax and delivery.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct QuoteRules {
    /// In basis points: 1500 is 15 %. The delivery is taxed like the goods.
    pub tax_bp: i64,
    /// Do the prices and the delivery fee contain the tax?
    pub tax_included: bool,
    /// For one parcel; 0: delivery costs nothing.
    pub delivery_fee: Minor,
    /// From this sum of goods on, delivery costs nothing; 0: it always has its fee.
    pub delivery_free_from: Minor,
}

/// What is sold in a line, as it was named when the quote was made.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SoldItem {
    pub title: String,
    pub titles: Titles,
    pub variant_name: String,
    pub variant_names: Titles,
    /// The shop's own number of the variant.
    pub sku: Option<String>,
}

/// One line of a quote.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct QuoteLine {
    pub reservation: ReservationId,
    #[serde(flatten)]
    pub item: SoldItem,
    pub qty: i64,
    /// Of all its units, without an added tax.
    pub amount: Minor,
    /// The part of the order's discount that falls on this line.
    pub discount: Minor,
    /// The tax rate in basis points.
    pub tax_bp: i64,
    /// Of what is left after the discount.
    pub tax: Minor,
}

/// What an order costs. `total` = `goods` − `discount` + `delivery`, and + `tax` if the prices do not include it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct OrderQuote {
    /// Changes when one of the numbers changes. `pay` takes it as `quote_version`, so that nobody pays an amount that they did not see.
    pub version: String,
    pub currency: String,
    /// The sum of the lines.
    pub goods: Minor,
    /// What the coupon takes off: the sum of the discounts of the lines.
    #[serde(default)]
    pub discount: Minor,
    /// The coupon of the order, also when it takes nothing off now; null: it has none.
    #[serde(default)]
    pub coupon: Option<QuoteCoupon>,
    /// The delivery fee. 0: none, or the order goes into a parcel for which the buyer has paid already.
    #[serde(default)]
    pub delivery: Minor,
    /// The paid order of the same buyer and show with which this one is sent in one parcel.
    #[serde(default)]
    pub joins: Option<OrderId>,
    /// The tax rate of the delivery in basis points.
    #[serde(default)]
    pub delivery_tax_bp: i64,
    #[serde(default)]
    pub delivery_tax: Minor,
    /// The tax of all lines and of the delivery.
    #[serde(default)]
    pub tax: Minor,
    /// The prices contain the tax, so it is not added.
    #[serde(default)]
    pub tax_included: bool,
    /// What the buyer pays.
    pub total: Minor,
    /// In the order of their ids.
    pub lines: Vec<QuoteLine>,
}

impl OrderQuote {
    /// Computes the quote of these lines. `joins`: the open parcel of the buyer with which they are sent. The order of the lines does
    /// not matter. Refuses amounts that cannot be summed.
    pub fn of(
        lines: &[(&Reservation, SoldItem)],
        joins: Option<OrderId>,
        rules: QuoteRules,
        coupon: Option<AppliedCoupon>,
    ) -> Result<Self, Refusal> {
        let (coupon, discounts) = match coupon {
            Some(AppliedCoupon { coupon, discounts }) => (Some(coupon), discounts),
            None => (None, Vec::new()),
        };
        let mut lines: Vec<&(&Reservation, SoldItem)> = lines.iter().collect();
        lines.sort_unstable_by_key(|(line, _)| line.id);
        let currency = lines.first().map(|(line, _)| line.currency.clone()).unwrap_or_default();
        let lines = lines
            .into_iter()
            .map(|(line, item)| {
                let discount = discounts.iter().find(|(id, _)| *id == line.id).map_or(0, |(_, discount)| *discount);
                // Never more than the line costs, whatever the rule of the coupon says.
                let discount = discount.clamp(0, line.amount.max(0));
                let tax = tax_of(line.amount - discount, rules)?;
                Ok(QuoteLine {
                    reservation: line.id,
                    item: item.clone(),
                    qty: line.qty,
                    amount: line.amount,
                    discount,
                    tax_bp: rules.tax_bp,
                    tax,
                })
            })
            .collect::<Result<Vec<_>, Refusal>>()?;
        let goods = sum(lines.iter().map(|line| line.amount))?;
        let discount = sum(lines.iter().map(|line| line.discount))?;
        let is_free = joins.is_some() || (0 < rules.delivery_free_from && rules.delivery_free_from <= goods - discount);
        let delivery = if is_free { 0 } else { rules.delivery_fee };
        let delivery_tax = tax_of(delivery, rules)?;
        let tax = sum(lines.iter().map(|line| line.tax).chain([delivery_tax]))?;
        let added = if rules.tax_included { 0 } else { tax };
        let total = sum([goods, -discount, delivery, added].into_iter())?;
        let mut quote = Self {
            version: String::new(),
            currency,
            goods,
            discount,
            coupon,
            delivery,
            joins,
            delivery_tax_bp: rules.tax_bp,
            delivery_tax,
            tax,
            tax_included: rules.tax_included,
            total,
            lines,
        };
        quote.version = quote.fingerprint();
        Ok(quote)
    }

    /// The first half of the SHA-256 hash of all numbers and of what each line is.
    fn fingerprint(&self) -> String {
        let mut parts = vec![self.currency.clone(), self.tax_included.to_string()];
        let sums = [self.goods, self.discount, self.delivery, self.delivery_tax, self.tax, self.total];
        parts.extend(sums.iter().map(Minor::to_string));
        for line in &self.lines {
            parts.push(line.reservation.to_string());
            let numbers = [line.qty, line.amount, line.discount, line.tax_bp, line.tax];
            parts.extend(numbers.iter().map(i64::to_string));
        }
        // Only where there is one: the nodes of the version before must give the same version.
        if let Some(coupon) = &self.coupon {
            parts.extend([coupon.id.to_string(), coupon.problem.clone().unwrap_or_default()]);
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        hex::encode(&request_hash(&parts)[..16])
    }

    /// Is the quote for exactly these reservations?
    pub fn is_for<'r>(&self, held: impl Iterator<Item = &'r Reservation>) -> bool {
        let mut ids: Vec<ReservationId> = held.map(|line| line.id).collect();
        ids.sort_unstable();
        ids.into_iter().eq(self.lines.iter().map(|line| line.reservation))
    }

    /// Is the total the sum of the lines, so that a client that knows no quotes shows the right amount?
    pub fn is_plain(&self) -> bool {
        self.total == self.goods
    }

    /// Refuses to charge an amount that the buyer has not seen. `seen`: the version that the buyer saw. A client that gives none
    /// shows the sum of the lines; it may pay if that is the total, and if no line went away by itself (`lost_lines`) since it
    /// may have shown them.
    pub fn check_seen(&self, seen: Option<&str>, lost_lines: bool) -> Result<(), Refusal> {
        let is_seen = match seen {
            Some(version) => version == self.version,
            None => self.is_plain() && !lost_lines,
        };
        if is_seen { Ok(()) } else { Err(Refusal::QuoteChanged(Box::new(self.clone()))) }
    }
}

/// The tax on an amount: contained in it, or to be added to it; rounded half up.
fn tax_of(amount: Minor, rules: QuoteRules) -> Result<Minor, Refusal> {
    let (amount, rate) = (u128::from(amount.unsigned_abs()), u128::from(rules.tax_bp.unsigned_abs()));
    let whole = if rules.tax_included { BASIS_POINTS + rate } else { BASIS_POINTS };
    round_half_up(amount * rate, whole)
}

/// `part` of `whole`, rounded half up. Both are far below the limits of the type.
pub(super) fn round_half_up(part: u128, whole: u128) -> Result<Minor, Refusal> {
    Minor::try_from((2 * part + whole) / (2 * whole)).map_err(|_| too_large())
}

fn sum(mut amounts: impl Iterator<Item = Minor>) -> Result<Minor, Refusal> {
    amounts.try_fold(0_i64, Minor::checked_add).ok_or_else(too_large)
}

fn too_large() -> Refusal {
    Refusal::WrongStatus("The total of the order is too large.")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{OfferId, ReservationStatus, StreamId, UserId, currency};

    fn line(amount: Minor, code: &str) -> Reservation {
        Reservation {
            id: ReservationId::new(),
            stream: StreamId(uuid::Uuid::nil()),
            offer: OfferId(uuid::Uuid::nil()),
            order: None,
            buyer: UserId::parse("ann").unwrap(),
            buyer_name: "Ann".into(),
            status: ReservationStatus::Held,
            qty: 1,
            returned: 0,
            amount,
            currency: code.into(),
            place: 1,
            created_at: 0,
            hold_until: 0,
            reason: None,
            version: 1,
        }
    }

    fn quote(lines: &[Reservation], joins: Option<OrderId>, rules: QuoteRules) -> OrderQuote {
        let lines: Vec<_> = lines.iter().map(|line| (line, SoldItem::default())).collect();
        OrderQuote::of(&lines, joins, rules, None).unwrap()
    }

    const KSA: QuoteRules =
        QuoteRules { tax_bp: 1_500, tax_included: true, delivery_fee: 2_000, delivery_free_from: 20_000 };

    #[test]
    fn totals_follow_the_rules_of_the_shop() {
        let added = QuoteRules { tax_included: false, ..KSA };
        let untaxed = QuoteRules { tax_bp: 0, ..KSA };
        let parcel = Some(OrderId::new());
        // goods, delivery, tax, total
        for (amounts, joins, rules, expected) in [
            (vec![11_500], None, KSA, [11_500, 2_000, 1_500 + 261, 13_500]),
            (vec![11_500], parcel, KSA, [11_500, 0, 1_500, 11_500]),
            (vec![20_000], None, KSA, [20_000, 0, 2_609, 20_000]),
            (vec![19_999], None, KSA, [19_999, 2_000, 2_609 + 261, 21_999]),
            (vec![10_000], None, added, [10_000, 2_000, 1_500 + 300, 13_800]),
            (vec![11_500], None, untaxed, [11_500, 2_000, 0, 13_500]),
            // Each line is rounded half up by itself: 3 × 15 % of 0.10 is 0.06, not 0.05.
            (vec![10, 10, 10], parcel, added, [30, 0, 6, 36]),
            (vec![0], parcel, KSA, [0, 0, 0, 0]),
            (vec![10_000], None, QuoteRules::default(), [10_000, 0, 0, 10_000]),
        ] {
            let lines: Vec<_> = amounts.iter().map(|amount| line(*amount, "SAR")).collect();
            let quote = quote(&lines, joins, rules);
            assert_eq!([quote.goods, quote.delivery, quote.tax, quote.total], expected, "{amounts:?} {rules:?}");
            assert_eq!(quote.joins, joins);
        }
    }

    #[test]
    fn amount_that_nobody_saw_is_not_charged() {
        let (plain, dear) = (line(500, "SAR"), line(500, "SAR"));
        let without = quote(std::slice::from_ref(&plain), None, QuoteRules::default());
        let with = quote(std::slice::from_ref(&dear), None, KSA);
        for (quote, seen, lost, is_charged) in [
            (&without, None, false, true),
            (&without, None, true, false),
            (&without, Some(without.version.clone()), true, true),
            (&without, Some(with.version.clone()), false, false),
            (&with, None, false, false),
            (&with, Some(with.version.clone()), false, true),
            (&with, Some(String::new()), false, false),
        ] {
            let checked = quote.check_seen(seen.as_deref(), lost);
            let refusal = Err(Refusal::QuoteChanged(Box::new(quote.clone())));
            assert_eq!(checked, if is_charged { Ok(()) } else { refusal }, "{seen:?} {lost}");
        }
    }

    #[test]
    fn amounts_that_cannot_be_summed_are_refused() {
        let lines = [line(i64::MAX, "SAR"), line(1, "SAR")];
        let lines: Vec<_> = lines.iter().map(|line| (line, SoldItem::default())).collect();
        assert!(OrderQuote::of(&lines, None, KSA, None).is_err());
    }

    fn any_rules() -> impl Strategy<Value = QuoteRules> {
        (0..=5_000_i64, any::<bool>(), 0..=1_000_000_i64, 0..=10_000_000_i64).prop_map(
            |(tax_bp, tax_included, delivery_fee, delivery_free_from)| QuoteRules {
                tax_bp,
                tax_included,
                delivery_fee,
                delivery_free_from,
            },
        )
    }

    proptest! {
        #[test]
        fn totals_add_up_in_every_currency(
            amounts in prop::collection::vec(0..=9_000_000_000_000_i64, 1..50),
            rules in any_rules(),
            joins in any::<bool>(),
            of_currency in any::<prop::sample::Index>(),
        ) {
            let codes: Vec<&str> = currency::codes().collect();
            let code = codes[of_currency.index(codes.len())];
            let lines: Vec<_> = amounts.iter().map(|amount| line(*amount, code)).collect();
            let joins = joins.then(OrderId::new);
            let first = quote(&lines, joins, rules);
            prop_assert_eq!(&first.currency, code);
            let added = if rules.tax_included { 0 } else { first.tax };
            prop_assert_eq!(first.total, first.goods + first.delivery - first.discount + added);
            prop_assert_eq!(first.goods, amounts.iter().sum::<i64>());
            prop_assert_eq!(first.tax, first.lines.iter().map(|line| line.tax).sum::<i64>() + first.delivery_tax);
            let parts = [first.goods, first.discount, first.delivery, first.delivery_tax, first.tax, first.total];
            prop_assert!(parts.iter().all(|part| 0 <= *part), "{:?}", parts);
            for line in &first.lines {
                // Half up: at most half a minor unit from the exact tax, and never more than the amount that contains it.
                let (rate, amount) = (i128::from(rules.tax_bp), i128::from(line.amount));
                let whole = if rules.tax_included { 10_000 + rate } else { 10_000 };
                let off = 2 * (i128::from(line.tax) * whole - amount * rate);
                prop_assert!(-whole < off && off <= whole, "{:?}", line);
                prop_assert!(!rules.tax_included || line.tax <= line.amount);
            }
            // The order of the lines does not matter.
            let mut turned = lines.clone();
            turned.reverse();
            prop_assert_eq!(&quote(&turned, joins, rules), &first);
        }

        /// Goods, delivery and, where the tax is included, the total do not depend on how the units are split into lines. The tax of
        /// each further line is at most one minor unit off.
        #[test]
        fn splitting_a_line_moves_only_the_rounding_of_its_tax(
            (amount, part) in (0..=9_000_000_000_i64).prop_flat_map(|amount| (Just(amount), 0..=amount)),
            rules in any_rules(),
        ) {
            let whole = quote(&[line(amount, "SAR")], None, rules);
            let split = quote(&[line(part, "SAR"), line(amount - part, "SAR")], None, rules);
            prop_assert_eq!((split.goods, split.delivery), (whole.goods, whole.delivery));
            prop_assert!((split.tax - whole.tax).abs() <= 1);
            prop_assert!(!rules.tax_included || split.total == whole.total);
        }

        /// Whatever number changes, the version changes.
        #[test]
        fn version_follows_the_numbers(amount in 1..=9_000_000_i64, rules in any_rules(), by in 1..=1_000_i64) {
            let mut one = line(amount, "SAR");
            let before = quote(std::slice::from_ref(&one), None, rules);
            prop_assert_eq!(&quote(std::slice::from_ref(&one), None, rules).version, &before.version);
            one.amount += by;
            prop_assert_ne!(&quote(std::slice::from_ref(&one), None, rules).version, &before.version);
        }
    }
}
