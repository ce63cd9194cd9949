//! Payments by day: what came in and went out on each day of the shop's time zone.

use chrono::{Datelike, Days, NaiveDate, NaiveTime, TimeZone};
use chrono_tz::Tz;
use serde::Serialize;
use utoipa::ToSchema;

use super::series::starts_at;
use super::{ManualMethod, Millis, Minor, OrderId, Refusal};

/// The most days of one answer: a quarter of a year.
pub const PAYMENT_DAYS_MAX: usize = 92;
/// How many days are shown if nothing else is asked for, with today.
const DAYS_BY_DEFAULT: u64 = 30;
/// How a day is written.
const FORMAT: &str = "%Y-%m-%d";
/// Days that an answer can begin and end with. Their times fit into milliseconds of every time zone.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=9990;

/// When the provider is asked for the fee of a payment: the first time after the payment, and the others after each request that did not
/// find it. In a rush the payments themselves come first.
const FEE_CHECKS_AFTER_MS: [Millis; 6] =
    [60_000, 10 * 60_000, 3_600_000, 6 * 3_600_000, 24 * 3_600_000, 3 * 24 * 3_600_000];

/// How long the next request waits after this number of requests. `None`: it is not asked for any more, and the fee is not known.
pub fn fee_check_after(checks: usize) -> Option<Millis> {
    FEE_CHECKS_AFTER_MS.get(checks).copied()
}

/// A day of the shop's calendar. Where the clocks change it has 23 or 25 hours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DaySpan {
    pub date: NaiveDate,
    pub since: Millis,
    /// The first moment of the next day.
    pub until: Millis,
}

/// The days from the first to the last one, both written like `2026-11-30`, in this time zone. Without `last` they end today, and
/// without `first` they begin 29 days before the last.
pub fn days(first: Option<&str>, last: Option<&str>, zone: Tz, now: Millis) -> Result<Vec<DaySpan>, Refusal> {
    let parse = |text: &str, field: &'static str| {
        let read = NaiveDate::parse_from_str(text, FORMAT).ok().filter(|date| date.to_string() == text);
        let read = read.filter(|date| YEARS.contains(&date.year()));
        read.ok_or(Refusal::invalid_value(field, "must be a day like 2026-11-30."))
    };
    let last = last.map_or_else(|| Ok(date_of(now, zone)), |text| parse(text, "last_day"))?;
    let before = || last.checked_sub_days(Days::new(DAYS_BY_DEFAULT - 1)).unwrap_or(last);
    let first = first.map_or_else(|| Ok(before()), |text| parse(text, "first_day"))?;
    if last < first {
        return Err(Refusal::invalid_value("last_day", "must not be before first_day."));
    }
    if (last - first).num_days() >= PAYMENT_DAYS_MAX as i64 {
        return Err(Refusal::invalid_value("first_day", "must be at most 91 days before last_day."));
    }
    let span = |date: NaiveDate| {
        let (since, until) = (start_of(date, zone)?, start_of(date.succ_opt()?, zone)?);
        Some(DaySpan { date, since, until })
    };
    let spans: Option<Vec<DaySpan>> = first.iter_days().take_while(|date| *date <= last).map(span).collect();
    spans.ok_or(Refusal::invalid_value("last_day", "must be a day like 2026-11-30."))
}

/// The day that it is in this time zone.
pub fn date_of(now: Millis, zone: Tz) -> NaiveDate {
    zone.timestamp_millis_opt(now).single().map(|local| local.date_naive()).unwrap_or_default()
}

/// The first moment of a day: some clocks skip midnight, and some have it twice.
fn start_of(date: NaiveDate, zone: Tz) -> Option<Millis> {
    starts_at(date.and_time(NaiveTime::MIN), zone)
}

/// How many, and how much money together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
pub struct CountedMoney {
    pub count: i64,
    /// In minor units, like all amounts.
    pub amount: Minor,
}

impl CountedMoney {
    fn add(&mut self, count: i64, amount: Minor) {
        self.count = self.count.saturating_add(count);
        self.amount = self.amount.saturating_add(amount);
    }
}

/// What came in and went out, in one currency.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
pub struct PaymentSums {
    pub currency: String,
    /// Payments of orders by the payment provider.
    pub captured: CountedMoney,
    /// Payments that the shop received itself, by the day on which it says it had them.
    pub cash_on_delivery: CountedMoney,
    pub bank_transfer: CountedMoney,
    /// Refunds of orders that were done.
    pub refunded: CountedMoney,
    /// Refunds that were done, and whose money the bank sent back to the shop on this day.
    pub refunds_sent_back: CountedMoney,
    /// Money that was taken and is for no order: it is owed to the buyer.
    pub owed: CountedMoney,
    /// What was given back of it.
    pub owed_returned: CountedMoney,
    /// What the payment provider keeps of payments of this day, as far as it said so: how many payments, and how much. It is in the
    /// currency in which the provider pays the shop out.
    pub fees: CountedMoney,
    /// Payments of this day by the provider whose fee is not known: the provider does not say it, or has not said it yet.
    pub fees_unknown: i64,
    /// Payments that buyers began to dispute.
    pub disputes_opened: CountedMoney,
    /// Disputes that ended on this day.
    pub disputes_won: CountedMoney,
    pub disputes_lost: CountedMoney,
    /// What is left: all that came in, less what was given back, lost disputes and the known fees.
    pub left: Minor,
}

/// One day.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct PaymentDay {
    /// In the time zone of the shop.
    #[schema(example = "2026-11-30")]
    pub date: String,
    /// The first moment of the day.
    pub since: Millis,
    /// The first moment of the next day.
    pub until: Millis,
    /// For each currency, in alphabetical order; empty: nothing happened.
    pub sums: Vec<PaymentSums>,
}

/// What a sum is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FigureKind {
    Captured,
    Refunded,
    RefundSentBack,
    Owed,
    OwedReturned,
    /// Of money that is owed; that of other payments stands beside them.
    OwedFee,
    DisputeOpened,
    DisputeWon,
    DisputeLost,
}

impl FigureKind {
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "captured" => FigureKind::Captured,
            "refunded" => FigureKind::Refunded,
            "refund_sent_back" => FigureKind::RefundSentBack,
            "owed" => FigureKind::Owed,
            "owed_returned" => FigureKind::OwedReturned,
            "owed_fee" => FigureKind::OwedFee,
            "dispute_opened" => FigureKind::DisputeOpened,
            "dispute_won" => FigureKind::DisputeWon,
            "dispute_lost" => FigureKind::DisputeLost,
            _ => return None,
        })
    }
}

/// A sum as the database of the shop has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PaymentFigure {
    /// The place of the day among those that were asked for.
    pub day: usize,
    pub kind: FigureKind,
    /// The payment provider, or how the shop received the money itself; of payments.
    pub method: String,
    pub currency: String,
    pub money: CountedMoney,
    /// Known fees of these payments, all in one currency.
    pub fees: Option<(String, CountedMoney)>,
}

/// Puts the figures into their days, and sums them up over all days.
pub fn fill_days(spans: &[DaySpan], figures: &[PaymentFigure]) -> (Vec<PaymentDay>, Vec<PaymentSums>) {
    let mut totals = Vec::new();
    let mut days: Vec<PaymentDay> = spans
        .iter()
        .map(|span| PaymentDay { date: span.date.to_string(), since: span.since, until: span.until, sums: Vec::new() })
        .collect();
    for figure in figures {
        let Some(day) = days.get_mut(figure.day) else { continue };
        add(&mut day.sums, figure);
        add(&mut totals, figure);
    }
    days.iter_mut().for_each(|day| day.sums.iter_mut().for_each(PaymentSums::sum_up));
    totals.iter_mut().for_each(PaymentSums::sum_up);
    (days, totals)
}

fn add(all: &mut Vec<PaymentSums>, figure: &PaymentFigure) {
    let CountedMoney { count, amount } = figure.money;
    if let Some((currency, fees)) = &figure.fees {
        of_currency(all, currency).fees.add(fees.count, fees.amount);
    }
    let sums = of_currency(all, &figure.currency);
    let part = match (figure.kind, ManualMethod::parse(&figure.method)) {
        (FigureKind::Captured, Some(ManualMethod::CashOnDelivery)) => &mut sums.cash_on_delivery,
        (FigureKind::Captured, Some(ManualMethod::BankTransfer)) => &mut sums.bank_transfer,
        (FigureKind::Captured, None) => {
            let known = figure.fees.as_ref().map_or(0, |(_, fees)| fees.count);
            sums.fees_unknown = sums.fees_unknown.saturating_add(count - known);
            &mut sums.captured
        }
        (FigureKind::Refunded, _) => &mut sums.refunded,
        (FigureKind::RefundSentBack, _) => &mut sums.refunds_sent_back,
        (FigureKind::Owed, _) => &mut sums.owed,
        (FigureKind::OwedReturned, _) => &mut sums.owed_returned,
        (FigureKind::OwedFee, _) => return,
        (FigureKind::DisputeOpened, _) => &mut sums.disputes_opened,
        (FigureKind::DisputeWon, _) => &mut sums.disputes_won,
        (FigureKind::DisputeLost, _) => &mut sums.disputes_lost,
    };
    part.add(count, amount);
}

/// The sums of a currency.
fn of_currency<'s>(all: &'s mut Vec<PaymentSums>, currency: &str) -> &'s mut PaymentSums {
    let at = match all.binary_search_by(|sums| sums.currency.as_str().cmp(currency)) {
        Ok(at) => at,
        Err(at) => {
            all.insert(at, PaymentSums { currency: currency.to_owned(), ..PaymentSums::default() });
            at
        }
    };
    &mut all[at]
}

impl PaymentSums {
    fn sum_up(&mut self) {
        let came_in = [self.captured, self.cash_on_delivery, self.bank_transfer, self.owed, self.refunds_sent_back];
        let went_out = [self.refunded, self.owed_returned, self.disputes_lost, self.fees];
        let sum = |all: &[CountedMoney]| all.iter().fold(0, |sum: Minor, part| sum.saturating_add(part.amount));
        self.left = sum(&came_in).saturating_sub(sum(&went_out));
    }
}

/// What the provider keeps of a payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PaymentFee {
    pub amount: Minor,
    /// The currency in which it pays the shop out.
    pub currency: String,
}

/// Money that is still to be given back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenOwedRefund {
    pub order: OrderId,
    pub order_number: Option<i64>,
    pub provider: String,
    /// The provider's id of the payment.
    pub reference: Option<String>,
    pub amount: Minor,
    pub currency: String,
    pub owed_at: Millis,
    /// The number of this try, from 1.
    pub tries: i64,
}

#[cfg(test)]
#[path = "payment_day_test.rs"]
mod tests;
