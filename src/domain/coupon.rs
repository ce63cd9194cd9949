//! Coupons: what a code takes off an order, for which lines, and why it may take nothing.
//!
//! A discount is split over the lines that it counts for, in proportion to their amounts, so that the parts together are exactly the
//! discount and no part is more than its line. Delivery is never discounted.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::blocklist::fold;
use super::product::in_range;
use super::quote::round_half_up;
use super::stripe_amount::amount_step;
use super::{CouponId, Millis, Minor, ProductId, Refusal, ReservationId, StreamId, limits, text};

/// The characters of a code without spaces and signs.
pub const CODE_LENGTH: (usize, usize) = (3, 32);
/// What the team may write, spaces and signs included.
pub const CODE_TEXT_MAX: usize = 40;
/// Products that one coupon can name.
pub const PRODUCTS_MAX: usize = 100;
/// Coupons of a shop that were not ended.
pub const COUPONS_MAX: i64 = 1_000;
const WHOLE_BP: u128 = 10_000;

/// The zeros of the decimal digits that people type in living scripts, beside those that [`fold`] knows.
const ZEROS: [u32; 22] = [
    0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20, 0x1040, 0x17e0,
    0x1810, 0x1b50, 0x1bb0, 0xa9d0, 0xaa50, 0xabf0,
];

/// The code of a coupon: as the team wrote it, and as it is compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CouponCode {
    pub text: String,
    /// Without spaces, signs and accents, in lower case, with Latin digits.
    pub folded: String,
}

impl CouponCode {
    /// Reads a code as people type it. `None`: no coupon can have it.
    pub fn parse(given: &str) -> Option<Self> {
        let text = text::single_line(given, CODE_TEXT_MAX)?;
        let folded: String = fold(&text).chars().filter(|c| c.is_alphanumeric()).map(latin_digit).collect();
        let (least, most) = CODE_LENGTH;
        (least..=most).contains(&folded.chars().count()).then_some(Self { text, folded })
    }
}

fn latin_digit(c: char) -> char {
    let value = ZEROS.iter().find_map(|zero| u32::from(c).checked_sub(*zero).filter(|value| *value < 10));
    value.and_then(|value| char::from_digit(value, 10)).unwrap_or(c)
}

/// What a coupon takes off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CouponDiscount {
    /// A part of what the lines cost, in basis points: 1000 is 10 %.
    Percent(i64),
    /// An amount; of lines that cost less, all.
    Amount(Minor),
}

impl CouponDiscount {
    /// The basis points or the amount.
    pub fn parts(self) -> (Option<i64>, Option<Minor>) {
        match self {
            CouponDiscount::Percent(rate) => (Some(rate), None),
            CouponDiscount::Amount(amount) => (None, Some(amount)),
        }
    }
}

/// A coupon, as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coupon {
    pub id: CouponId,
    pub code: CouponCode,
    pub discount: CouponDiscount,
    pub currency: String,
    pub starts_at: Millis,
    /// From this time on it takes nothing off. `None`: it has no end.
    pub ends_at: Option<Millis>,
    /// Orders that can have it, those that are not paid yet included. `None`: any number.
    pub quota: Option<i64>,
    /// The same for one person.
    pub per_person: i64,
    /// What the lines that it counts for must cost together.
    pub minimum: Minor,
    /// Empty: it counts for all products.
    pub products: Vec<ProductId>,
    /// `None`: it counts in every show.
    pub stream: Option<StreamId>,
    /// Orders that have it now: those that are paid, and those that may still be.
    pub uses: i64,
    /// When the team ended it.
    pub ended_at: Option<Millis>,
    pub created_at: Millis,
    /// Grows with every change by the team.
    pub version: i64,
}

/// Why a coupon cannot be used, or takes nothing off an order that has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CouponProblem {
    Unknown,
    NotStarted,
    Ended,
    UsedUp,
    PersonLimit,
    OtherShow,
    /// It counts for none of the lines.
    Products,
    /// The lines that it counts for cost less than this.
    Minimum(Minor),
    /// Its amount or minimum is in another currency than the order.
    Currency,
}

/// A line of an order, as a coupon looks at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CouponLine {
    pub reservation: ReservationId,
    pub product: ProductId,
    pub amount: Minor,
}

/// The coupon of an order, as the quote of the order names it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct QuoteCoupon {
    pub id: CouponId,
    pub code: String,
    /// What it takes off, in basis points: 1000 is 10 %. Null: it takes off an `amount`.
    #[serde(default)]
    pub percent_bp: Option<i64>,
    /// The most that it takes off, in minor units.
    #[serde(default)]
    pub amount: Option<Minor>,
    /// What the lines that it counts for must cost together; 0: anything.
    #[serde(default)]
    pub minimum: Minor,
    /// Null: it takes off the `discount` of the quote. Otherwise the code of the refusal that says why it takes nothing off now:
    /// `coupon_ended`, `coupon_products`, `coupon_minimum`, `coupon_currency`.
    #[serde(default)]
    pub problem: Option<String>,
}

/// A coupon as viewers of a show see it while the team shows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ShownCoupon {
    pub id: CouponId,
    pub code: String,
    /// What it takes off, in basis points: 1000 is 10 %. Null: it takes off an `amount`.
    pub percent_bp: Option<i64>,
    /// The most that it takes off, in minor units.
    pub amount: Option<Minor>,
    pub currency: String,
    /// What the products that it counts for must cost together; 0: anything.
    pub minimum: Minor,
    /// Null: it has no end.
    pub ends_at: Option<Millis>,
}

/// What a coupon takes off an order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppliedCoupon {
    pub coupon: QuoteCoupon,
    /// By line; a line that is missing has no discount.
    pub discounts: Vec<(ReservationId, Minor)>,
}

impl Coupon {
    /// As viewers of this show see it. Refused when they could not use it. `currency`: the one of the shop.
    pub fn shown(&self, stream: StreamId, currency: &str, now: Millis) -> Result<ShownCoupon, CouponProblem> {
        self.check_time(now)?;
        self.check_currency(currency)?;
        if self.stream.is_some_and(|only| only != stream) {
            return Err(CouponProblem::OtherShow);
        }
        if self.is_used_up() {
            return Err(CouponProblem::UsedUp);
        }
        let (percent_bp, amount) = self.discount.parts();
        Ok(ShownCoupon {
            id: self.id,
            code: self.code.text.clone(),
            percent_bp,
            amount,
            currency: self.currency.clone(),
            minimum: self.minimum,
            ends_at: self.ends_at,
        })
    }

    pub fn is_used_up(&self) -> bool {
        self.quota.is_some_and(|quota| quota <= self.uses)
    }

    /// Refuses another currency than the one in which its amount or its minimum was typed: there they would be worth another sum.
    fn check_currency(&self, currency: &str) -> Result<(), CouponProblem> {
        let has_sums = matches!(self.discount, CouponDiscount::Amount(_)) || self.minimum > 0;
        if has_sums && self.currency != currency { Err(CouponProblem::Currency) } else { Ok(()) }
    }

    /// Refuses outside of its time.
    pub fn check_time(&self, now: Millis) -> Result<(), CouponProblem> {
        match self {
            _ if self.ended_at.is_some() || self.ends_at.is_some_and(|end| end <= now) => Err(CouponProblem::Ended),
            _ if now < self.starts_at => Err(CouponProblem::NotStarted),
            _ => Ok(()),
        }
    }

    /// What it takes off each of these lines, in their order. Quota and persons are counted by the store.
    pub fn discounts(
        &self,
        stream: StreamId,
        currency: &str,
        lines: &[CouponLine],
        now: Millis,
    ) -> Result<Vec<(ReservationId, Minor)>, CouponProblem> {
        self.check_time(now)?;
        self.check_currency(currency)?;
        if self.stream.is_some_and(|only| only != stream) {
            return Err(CouponProblem::OtherShow);
        }
        let counts = |line: &&CouponLine| self.products.is_empty() || self.products.contains(&line.product);
        let lines: Vec<&CouponLine> = lines.iter().filter(counts).collect();
        let amounts: Vec<Minor> = lines.iter().map(|line| line.amount).collect();
        let goods = amounts.iter().fold(0, |sum: Minor, amount| sum.saturating_add(*amount));
        if goods <= 0 {
            return Err(CouponProblem::Products);
        }
        if goods < self.minimum {
            return Err(CouponProblem::Minimum(self.minimum));
        }
        let step = amount_step(currency);
        let parts = split(self.taken_off(goods, step), &amounts, step);
        Ok(lines.iter().zip(parts).map(|(line, part)| (line.reservation, part)).collect())
    }

    /// The whole discount: what is left can be charged in the currency where what the lines cost can be.
    fn taken_off(&self, goods: Minor, step: Minor) -> Minor {
        let discount = match self.discount {
            CouponDiscount::Amount(amount) => amount,
            CouponDiscount::Percent(rate) => {
                let part = u128::from(goods.unsigned_abs()) * u128::from(rate.unsigned_abs());
                round_half_up(part, WHOLE_BP).unwrap_or(goods)
            }
        };
        match discount {
            all if goods <= all => goods,
            part => part - part.rem_euclid(step),
        }
    }

    /// For the quote of an order that has it. One that does not fit now takes nothing off, and the quote says why.
    pub fn apply(&self, stream: StreamId, currency: &str, lines: &[CouponLine], now: Millis) -> AppliedCoupon {
        let found = self.discounts(stream, currency, lines, now);
        let problem = found.as_ref().err().map(|problem| Refusal::Coupon(*problem).code().to_owned());
        let (percent_bp, amount) = self.discount.parts();
        let (code, minimum) = (self.code.text.clone(), self.minimum);
        let coupon = QuoteCoupon { id: self.id, code, percent_bp, amount, minimum, problem };
        AppliedCoupon { coupon, discounts: found.unwrap_or_default() }
    }
}

/// Splits a discount in proportion to the amounts, in whole steps: what is left of a line that could be charged can be charged and given
/// back by itself. What the steps of the lines do not hold is split to the minor unit. The discount must not be more than the sum of the
/// amounts.
fn split(discount: Minor, amounts: &[Minor], step: Minor) -> Vec<Minor> {
    let in_steps: Vec<Minor> = amounts.iter().map(|amount| amount / step).collect();
    let steps = (discount / step).min(in_steps.iter().sum());
    let parts: Vec<Minor> = share_out(steps, &in_steps).iter().map(|part| part * step).collect();
    let room: Vec<Minor> = amounts.iter().zip(&parts).map(|(amount, part)| amount - part).collect();
    let rest = share_out(discount - steps * step, &room);
    parts.iter().zip(rest).map(|(part, rest)| part + rest).collect()
}

/// Each part is rounded down, and the units that are left go to the largest remainders, of equal ones to the first.
fn share_out(discount: Minor, amounts: &[Minor]) -> Vec<Minor> {
    let all: u128 = amounts.iter().map(|amount| u128::from(amount.unsigned_abs())).sum();
    let share = |amount: &Minor| u128::from(discount.unsigned_abs()) * u128::from(amount.unsigned_abs());
    let mut parts: Vec<Minor> =
        amounts.iter().map(|amount| Minor::try_from(share(amount) / all.max(1)).unwrap_or(0)).collect();
    let mut by_remainder: Vec<usize> = (0..amounts.len()).collect();
    by_remainder.sort_by_key(|index| std::cmp::Reverse(share(&amounts[*index]) % all.max(1)));
    let left = discount - parts.iter().sum::<Minor>();
    for index in by_remainder.into_iter().take(usize::try_from(left).unwrap_or(0)) {
        parts[index] += 1;
    }
    parts
}

/// What the team types for a new coupon.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct CouponForm {
    pub code: String,
    pub percent_bp: Option<i64>,
    pub amount: Option<Minor>,
    pub starts_at: Option<Millis>,
    pub ends_at: Option<Millis>,
    pub quota: Option<i64>,
    pub per_person: Option<i64>,
    pub minimum: Option<Minor>,
    pub products: Vec<ProductId>,
    pub stream: Option<StreamId>,
}

impl CouponForm {
    pub fn validated(self, id: CouponId, currency: &str, now: Millis) -> Result<Coupon, Refusal> {
        let code = CouponCode::parse(&self.code)
            .ok_or_else(|| Refusal::bad_field("code", "must have 3 to 32 letters and digits."))?;
        let step = amount_step(currency);
        let discount = match (self.percent_bp, self.amount) {
            (Some(rate), None) => CouponDiscount::Percent(in_range(rate, limits::PERCENT_BP, "percent_bp")?),
            (None, Some(amount)) => {
                let amount = in_range(amount, limits::COUPON_AMOUNT, "amount")?;
                if amount % step != 0 {
                    return Err(Refusal::bad_field("amount", format!("must be a multiple of {step} minor units.")));
                }
                CouponDiscount::Amount(amount)
            }
            _ => return Err(Refusal::bad_field("amount", "must be given, or percent_bp, and not both.")),
        };
        let starts_at = self.starts_at.map_or(Ok(now), |at| in_range(at, limits::SCHEDULED_AT, "starts_at"))?;
        let ends_at = self.ends_at.map(|at| check_end(at, starts_at, now)).transpose()?;
        let mut products = self.products;
        products.sort_unstable();
        products.dedup();
        if PRODUCTS_MAX < products.len() {
            return Err(Refusal::bad_field("products", "must be at most 100 products."));
        }
        Ok(Coupon {
            id,
            code,
            discount,
            currency: currency.to_owned(),
            starts_at,
            ends_at,
            quota: self.quota.map(|quota| in_range(quota, limits::COUPON_USES, "quota")).transpose()?,
            per_person: self.per_person.map_or(Ok(1), |most| in_range(most, limits::COUPON_USES, "per_person"))?,
            minimum: self.minimum.map_or(Ok(0), |least| in_range(least, limits::PRICE, "minimum"))?,
            products,
            stream: self.stream,
            uses: 0,
            ended_at: None,
            created_at: now,
            version: 1,
        })
    }
}

/// What the team changes of a coupon. What is left out stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CouponChange {
    pub version: i64,
    pub ends_at: Option<Option<Millis>>,
    pub quota: Option<Option<i64>>,
    pub per_person: Option<i64>,
    /// Ends it at once, permanently.
    pub is_ended: bool,
}

impl CouponChange {
    /// The coupon after the change, with another version if it is one. Refused when somebody else changed it meanwhile, and when it was ended.
    pub fn apply(self, coupon: &Coupon, now: Millis) -> Result<Coupon, Refusal> {
        if coupon.version != self.version {
            return Err(Refusal::Outdated);
        }
        if coupon.ended_at.is_some() {
            return Err(Refusal::WrongStatus("The coupon was ended."));
        }
        let mut next = Coupon { version: coupon.version + 1, ..coupon.clone() };
        if let Some(ends_at) = self.ends_at {
            next.ends_at = ends_at.map(|at| check_end(at, coupon.starts_at, now)).transpose()?;
        }
        if let Some(quota) = self.quota {
            next.quota = quota.map(|quota| in_range(quota, limits::COUPON_USES, "quota")).transpose()?;
            if next.quota.is_some_and(|quota| quota < coupon.uses) {
                return Err(Refusal::invalid_value("quota", "is less than the orders that have the coupon already."));
            }
        }
        if let Some(per_person) = self.per_person {
            next.per_person = in_range(per_person, limits::COUPON_USES, "per_person")?;
        }
        next.ended_at = self.is_ended.then_some(now);
        let is_changed = Coupon { version: coupon.version, ..next.clone() } != *coupon;
        Ok(if is_changed { next } else { coupon.clone() })
    }
}

fn check_end(at: Millis, starts_at: Millis, now: Millis) -> Result<Millis, Refusal> {
    let at = in_range(at, limits::SCHEDULED_AT, "ends_at")?;
    if at <= starts_at.max(now) {
        return Err(Refusal::invalid_value("ends_at", "must be in the future, and after the start."));
    }
    Ok(at)
}
