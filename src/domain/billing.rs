//! Invoices and credit notes: what they say, and in which year they are numbered.
//!
//! An invoice is made from the quote that was paid, a credit note from its invoice and a refund. Neither is computed again: what the shop,
//! its products or its taxes become later changes no document.
//!
//! The tax of a credit note is the invoice's tax on all that was given back so far, rounded half up for each rate, less what the credit
//! notes before it have. So no part is more than its share, and all parts together are the invoice's tax.

use chrono::{Datelike, TimeZone};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::quote::round_half_up;
use super::shop_settings::ShopProfile;
use super::{Address, Millis, Minor, Order, OrderQuote, Refusal, ReservationId, ReturnedLine, Shop, SoldItem, Titles};

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    Invoice,
    CreditNote,
}

impl DocumentKind {
    pub const ALL: [Self; 2] = [Self::Invoice, Self::CreditNote];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::CreditNote => "credit_note",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == text)
    }

    /// The number as people read and type it: the same in all languages. `INV-2026-00042`.
    pub fn number_text(self, year: i64, number: i64) -> String {
        let kind = match self {
            Self::Invoice => "INV",
            Self::CreditNote => "CN",
        };
        format!("{kind}-{year}-{number:05}")
    }
}

/// Who sells, as a document names it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct BillingSeller {
    /// The legal name; the title of the shop where none is set.
    pub name: String,
    /// The title of the shop, by language; it stands above the legal name.
    pub title: String,
    pub titles: Titles,
    /// Line by line.
    pub address: Vec<String>,
    /// Null: none was set when the document was made.
    pub vat_number: Option<String>,
    pub country: Option<String>,
}

/// Who bought, as a document names them: as much as a bill needs, so no telephone number and no e-mail address.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct BillingBuyer {
    pub name: String,
    pub lines: Vec<String>,
    pub city: Option<String>,
    pub region: Option<String>,
    pub postcode: Option<String>,
    pub country: Option<String>,
}

impl BillingBuyer {
    fn of(order: &Order, address: Option<Address>) -> Self {
        match address {
            None => Self { name: order.buyer_name.clone(), ..Self::default() },
            Some(Address { name, lines, city, region, postcode, country, .. }) => {
                Self { name, lines, city: Some(city), region, postcode, country: Some(country) }
            }
        }
    }
}

/// What the shop says of itself when a document is made.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Issuer {
    pub seller: BillingSeller,
    /// A name of the IANA database.
    pub time_zone: String,
    pub language: String,
}

impl Issuer {
    pub fn of(shop: &Shop, profile: &ShopProfile) -> Self {
        let ShopProfile { legal_name, legal_address, vat_number, country, .. } = profile.clone();
        let name = legal_name.unwrap_or_else(|| shop.title.clone());
        let (title, titles) = (shop.title.clone(), shop.titles.clone());
        Self {
            seller: BillingSeller { name, title, titles, address: legal_address, vat_number, country },
            time_zone: profile.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
            language: profile.language.clone().unwrap_or_else(|| "en".to_owned()),
        }
    }

    /// The calendar year of a time in the time zone of the shop; in UTC where the zone is unknown.
    pub fn year_of(&self, at: Millis) -> i64 {
        let zone: Tz = self.time_zone.parse().unwrap_or(Tz::UTC);
        zone.timestamp_millis_opt(at).single().map_or(1970, |local| i64::from(local.year()))
    }
}

/// One line of a document.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BillingLine {
    pub reservation: ReservationId,
    #[serde(flatten)]
    pub item: SoldItem,
    pub qty: i64,
    /// Of all its units, before the discount. It contains the tax if `tax_included`.
    pub amount: Minor,
    pub discount: Minor,
    /// The tax rate in basis points.
    pub tax_bp: i64,
    /// Null in a credit note: there the tax is computed for each rate.
    pub tax: Option<Minor>,
}

/// All that a document says of one tax rate. `gross` = `net` + `tax`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct TaxSum {
    /// The tax rate in basis points.
    pub tax_bp: i64,
    pub net: Minor,
    pub tax: Minor,
    pub gross: Minor,
}

/// What a document says. All amounts of a credit note are given back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BillingBody {
    pub seller: BillingSeller,
    /// Null where the reader may not see who bought: behind the link of an order.
    pub buyer: Option<BillingBuyer>,
    /// The number of the order (#1042).
    pub order_number: Option<i64>,
    /// The number of the invoice that a credit note corrects.
    pub invoice_number: Option<String>,
    /// When it was paid, or given back.
    pub at: Millis,
    /// The time zone and the language of the shop, in which it is printed.
    pub time_zone: String,
    pub language: String,
    pub currency: String,
    /// The lines and the delivery contain the tax. Otherwise it is added to them.
    pub tax_included: bool,
    pub lines: Vec<BillingLine>,
    pub delivery: Minor,
    pub delivery_tax_bp: i64,
    /// Of a credit note: what was agreed with the buyer beside the lines and the delivery; less than 0: that was kept.
    pub adjustment: Minor,
    /// By rate, the lowest first.
    pub taxes: Vec<TaxSum>,
    pub tax: Minor,
    pub total: Minor,
}

/// The sums of credit notes of one invoice.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CreditedSoFar {
    pub total: Minor,
    pub taxes: Vec<TaxSum>,
}

impl CreditedSoFar {
    pub fn add(&mut self, note: &BillingBody) {
        self.total += note.total;
        self.taxes.extend(&note.taxes);
    }

    fn of_rate(&self, tax_bp: i64) -> (Minor, Minor) {
        let of_rate = self.taxes.iter().filter(|sum| sum.tax_bp == tax_bp);
        of_rate.fold((0, 0), |(gross, tax), sum| (gross + sum.gross, tax + sum.tax))
    }
}

/// A refund that is done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RefundToCredit {
    pub at: Millis,
    pub amount: Minor,
    /// The part of the amount that is for the delivery, with an added tax.
    pub delivery: Minor,
    pub lines: Vec<ReturnedLine>,
    /// What the buyer has got back by this refund and those that have their documents, without those that the bank sent back.
    pub given_back: Minor,
}

impl BillingBody {
    /// The invoice of a paid order.
    pub fn invoice(
        issuer: &Issuer,
        order: &Order,
        quote: &OrderQuote,
        address: Option<Address>,
        paid_at: Millis,
    ) -> Self {
        let lines = quote.lines.iter().map(|line| BillingLine {
            reservation: line.reservation,
            item: line.item.clone(),
            qty: line.qty,
            amount: line.amount,
            discount: line.discount,
            tax_bp: line.tax_bp,
            tax: Some(line.tax),
        });
        let mut taxes: Vec<TaxSum> = Vec::new();
        let of_lines = quote.lines.iter().map(|line| (line.tax_bp, line.amount - line.discount, line.tax));
        let of_delivery = (quote.delivery > 0).then_some((quote.delivery_tax_bp, quote.delivery, quote.delivery_tax));
        for (tax_bp, amount, tax) in of_lines.chain(of_delivery) {
            let net = if quote.tax_included { amount - tax } else { amount };
            add_to_rate(&mut taxes, TaxSum { tax_bp, net, tax, gross: net + tax });
        }
        Self {
            lines: lines.collect(),
            delivery: quote.delivery,
            delivery_tax_bp: quote.delivery_tax_bp,
            adjustment: 0,
            taxes,
            tax: quote.tax,
            total: quote.total,
            tax_included: quote.tax_included,
            buyer: Some(BillingBuyer::of(order, address)),
            order_number: order.number,
            invoice_number: None,
            at: paid_at,
            seller: issuer.seller.clone(),
            time_zone: issuer.time_zone.clone(),
            language: issuer.language.clone(),
            currency: quote.currency.clone(),
        }
    }

    /// The credit note of a refund. `None`: it gives back nothing that was not credited already. A refund that the bank sent back keeps its
    /// credit note, because the shop still owes the money: what is given back after that is credited only as far as it is more.
    pub fn credit_note(
        issuer: &Issuer,
        invoice: &Self,
        invoice_number: String,
        before: &CreditedSoFar,
        refund: &RefundToCredit,
    ) -> Result<Option<Self>, Refusal> {
        let left = (invoice.total - before.total).min(refund.given_back - before.total);
        let total = refund.amount.min(left);
        if total <= 0 {
            return Ok(None);
        }
        let returned = |line: &ReturnedLine| {
            let of_invoice = invoice.lines.iter().find(|known| known.reservation == line.reservation)?;
            let (qty, amount) = (line.qty, line.amount);
            Some(BillingLine { qty, amount, discount: 0, tax: None, ..of_invoice.clone() })
        };
        let lines: Vec<BillingLine> = refund.lines.iter().filter_map(returned).collect();
        let parts = lines.iter().map(|line| line.amount).fold(refund.delivery, Minor::saturating_add);
        let taxes = invoice.credited_taxes(before, &lines, refund.delivery, total)?;
        Ok(Some(Self {
            lines,
            delivery: refund.delivery,
            adjustment: total - parts,
            tax: taxes.iter().map(|sum| sum.tax).sum(),
            taxes,
            total,
            // What a refund gives back for a line has its tax in it.
            tax_included: true,
            invoice_number: Some(invoice_number),
            at: refund.at,
            seller: issuer.seller.clone(),
            time_zone: issuer.time_zone.clone(),
            language: issuer.language.clone(),
            ..invoice.clone()
        }))
    }

    /// Splits `total` over the tax rates of this invoice: as the lines and the delivery say, and what they do not say in proportion.
    fn credited_taxes(
        &self,
        before: &CreditedSoFar,
        lines: &[BillingLine],
        delivery: Minor,
        total: Minor,
    ) -> Result<Vec<TaxSum>, Refusal> {
        let left: Vec<Minor> = self.taxes.iter().map(|sum| (sum.gross - before.of_rate(sum.tax_bp).0).max(0)).collect();
        let named = |tax_bp: i64| {
            let of_lines = lines.iter().filter(|line| line.tax_bp == tax_bp).map(|line| line.amount).sum::<Minor>();
            of_lines + if self.delivery_tax_bp == tax_bp { delivery } else { 0 }
        };
        let named: Vec<Minor> =
            self.taxes.iter().zip(&left).map(|(sum, left)| named(sum.tax_bp).clamp(0, *left)).collect();
        let open = total - named.iter().sum::<Minor>();
        let room: Vec<Minor> = match open {
            0.. => left.iter().zip(&named).map(|(left, named)| left - named).collect(),
            _ => named.clone(),
        };
        let shares = split(open.abs(), &room)?;
        let mut taxes = Vec::new();
        for ((sum, named), share) in self.taxes.iter().zip(named).zip(shares) {
            let gross = if open < 0 { named - share } else { named + share };
            let (gross_before, tax_before) = before.of_rate(sum.tax_bp);
            let until = share_of(sum.tax, gross_before + gross, sum.gross)?;
            let tax = (until - tax_before).clamp(0, gross);
            if gross > 0 {
                taxes.push(TaxSum { tax_bp: sum.tax_bp, net: gross - tax, tax, gross });
            }
        }
        Ok(taxes)
    }
}

fn add_to_rate(taxes: &mut Vec<TaxSum>, more: TaxSum) {
    match taxes.iter_mut().find(|sum| sum.tax_bp == more.tax_bp) {
        Some(sum) => {
            sum.net += more.net;
            sum.tax += more.tax;
            sum.gross += more.gross;
        }
        None => taxes.push(more),
    }
    taxes.sort_unstable_by_key(|sum| sum.tax_bp);
}

/// Splits an amount in proportion to `room`, into parts that are not more than their room and together are the amount.
fn split(amount: Minor, room: &[Minor]) -> Result<Vec<Minor>, Refusal> {
    let (mut amount, mut all) = (amount, room.iter().sum::<Minor>());
    let mut parts = Vec::with_capacity(room.len());
    for one in room {
        let part = share_of(amount, *one, all)?.min(*one).min(amount);
        parts.push(part);
        (amount, all) = (amount - part, all - one);
    }
    Ok(parts)
}

/// `part` of `all`, as a share of `whole`, rounded half up.
fn share_of(whole: Minor, part: Minor, all: Minor) -> Result<Minor, Refusal> {
    if all <= 0 {
        return Ok(0);
    }
    round_half_up(u128::from(whole.unsigned_abs()) * u128::from(part.unsigned_abs()), u128::from(all.unsigned_abs()))
}

#[cfg(test)]
#[path = "billing_test.rs"]
mod tests;
