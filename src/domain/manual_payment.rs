//! Payments that the shop receives itself, without a payment provider: in cash when the parcel arrives, or by bank transfer. The order
//! is placed first: its units are certain, and the payment is due by a date.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Actor, Millis, OfferBuyers, OfferId, OfferKind, Refusal, text};

const DAY_MS: Millis = 86_400_000;
/// The longest time for a payment, in days.
pub const DAYS_MAX: i64 = 90;
/// The most orders that a shop may allow one buyer to have open and not paid.
pub const OPEN_ORDERS_MAX: i64 = 100;
const BANK_DETAILS_LINES_MAX: usize = 12;
const BANK_DETAILS_LINE_LENGTH_MAX: usize = 120;

/// A way to pay for which nobody asks a payment provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ManualMethod {
    /// The buyer pays when the parcel arrives, so it is sent before it is paid.
    CashOnDelivery,
    /// The buyer pays into the account of the shop, and the parcel is sent after that.
    BankTransfer,
}

impl ManualMethod {
    pub const ALL: [ManualMethod; 2] = [ManualMethod::CashOnDelivery, ManualMethod::BankTransfer];

    pub fn name(self) -> &'static str {
        match self {
            ManualMethod::CashOnDelivery => "cash_on_delivery",
            ManualMethod::BankTransfer => "bank_transfer",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == text)
    }
}

/// The way to pay that a buyer chooses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentMethod {
    /// By the payment provider, with a token of it.
    #[default]
    Card,
    CashOnDelivery,
    BankTransfer,
}

impl PaymentMethod {
    /// `None`: the payment provider takes it.
    pub fn manual(self) -> Option<ManualMethod> {
        match self {
            PaymentMethod::Card => None,
            PaymentMethod::CashOnDelivery => Some(ManualMethod::CashOnDelivery),
            PaymentMethod::BankTransfer => Some(ManualMethod::BankTransfer),
        }
    }
}

/// What decides whether the units of an offer can be paid later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OfferPayLater {
    pub offer: OfferId,
    pub kind: OfferKind,
    /// What its host chose. `None`: a regular offer can be, and a flash sale where the shop says so.
    pub choice: Option<bool>,
}

impl OfferPayLater {
    /// The name of a choice in the audit log.
    pub fn choice_name(choice: Option<bool>) -> &'static str {
        match choice {
            Some(true) => "yes",
            Some(false) => "no",
            None => "default",
        }
    }
}

/// How an order was placed. It stays with the order after it was paid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Placement {
    pub method: ManualMethod,
    pub placed_at: Millis,
    /// The order is cancelled if it was neither paid nor sent by then.
    pub due_at: Millis,
}

/// The settings of a shop for payments that it receives itself. Stored as JSON; a field that is new has its default.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ManualPayments {
    pub cash_on_delivery: bool,
    /// Days until cash on delivery is due: 1 to 90.
    pub cash_days: i64,
    pub bank_transfer: bool,
    /// Days until a transfer is due: 1 to 90.
    pub transfer_days: i64,
    /// The bank, the account and its holder, as the buyer reads them: at most 12 lines.
    pub bank_details: String,
    /// Also for flash sales, whose units are scarce, unless the offer says otherwise.
    pub for_flash_sales: bool,
    /// How many placed orders a buyer can have that are not paid yet: 1 to 100.
    pub open_orders_max: i64,
}

impl Default for ManualPayments {
    fn default() -> Self {
        Self {
            cash_on_delivery: false,
            cash_days: 14,
            bank_transfer: false,
            transfer_days: 7,
            bank_details: String::new(),
            for_flash_sales: false,
            open_orders_max: 3,
        }
    }
}

/// What somebody typed into these settings. What is left out stays as it is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, ToSchema)]
pub struct ManualPaymentsForm {
    pub cash_on_delivery: Option<bool>,
    /// Days until cash on delivery is due: 1 to 90.
    pub cash_days: Option<i64>,
    /// It can be on only with `bank_details`.
    pub bank_transfer: Option<bool>,
    /// Days until a transfer is due: 1 to 90.
    pub transfer_days: Option<i64>,
    /// The bank, the account and its holder, as the buyer reads them: at most 12 lines of 120 characters.
    pub bank_details: Option<String>,
    /// Also for flash sales, whose units are scarce, unless the offer says otherwise.
    pub for_flash_sales: Option<bool>,
    /// How many placed orders a buyer can have that are not paid yet: 1 to 100.
    pub open_orders_max: Option<i64>,
}

impl ManualPaymentsForm {
    /// The settings with the changes of this form.
    pub fn apply(self, before: &ManualPayments) -> Result<ManualPayments, Refusal> {
        let within = |given: Option<i64>, before: i64, max: i64, field: &'static str| match given.unwrap_or(before) {
            number if (1..=max).contains(&number) => Ok(number),
            _ => Err(Refusal::bad_field(field, format!("must be 1 to {max}."))),
        };
        let after = ManualPayments {
            cash_on_delivery: self.cash_on_delivery.unwrap_or(before.cash_on_delivery),
            cash_days: within(self.cash_days, before.cash_days, DAYS_MAX, "manual_payments.cash_days")?,
            bank_transfer: self.bank_transfer.unwrap_or(before.bank_transfer),
            transfer_days: within(self.transfer_days, before.transfer_days, DAYS_MAX, "manual_payments.transfer_days")?,
            bank_details: self.bank_details.map_or_else(|| Ok(before.bank_details.clone()), |given| lines(&given))?,
            for_flash_sales: self.for_flash_sales.unwrap_or(before.for_flash_sales),
            open_orders_max: within(
                self.open_orders_max,
                before.open_orders_max,
                OPEN_ORDERS_MAX,
                "manual_payments.open_orders_max",
            )?,
        };
        match after.bank_transfer && after.bank_details.is_empty() {
            true => Err(Refusal::bad_field(
                "manual_payments.bank_details",
                "must say where the buyers pay, as long as bank transfer is on.",
            )),
            false => Ok(after),
        }
    }
}

/// Visible lines, without empty ones at the ends.
fn lines(given: &str) -> Result<String, Refusal> {
    let refused = || {
        let why =
            format!("must have at most {BANK_DETAILS_LINES_MAX} lines of {BANK_DETAILS_LINE_LENGTH_MAX} characters.");
        Refusal::bad_field("manual_payments.bank_details", why)
    };
    let given = given.trim();
    if given.lines().count() > BANK_DETAILS_LINES_MAX {
        return Err(refused());
    }
    let line = |line: &str| match line.trim().is_empty() {
        true => Ok(String::new()),
        false => text::single_line(line, BANK_DETAILS_LINE_LENGTH_MAX).ok_or_else(refused),
    };
    Ok(given.lines().map(line).collect::<Result<Vec<_>, _>>()?.join("\n"))
}

impl ManualPayments {
    pub fn is_on(&self, method: ManualMethod) -> bool {
        match method {
            ManualMethod::CashOnDelivery => self.cash_on_delivery,
            ManualMethod::BankTransfer => self.bank_transfer,
        }
    }

    /// Days until a payment by this method is due.
    pub fn days(&self, method: ManualMethod) -> i64 {
        match method {
            ManualMethod::CashOnDelivery => self.cash_days,
            ManualMethod::BankTransfer => self.transfer_days,
        }
    }

    /// Can units of such an offer be paid later?
    pub fn allows(&self, offer: OfferPayLater) -> bool {
        offer.choice.unwrap_or(offer.kind == OfferKind::Regular || self.for_flash_sales)
    }

    /// The methods by which an order can be placed whose lines are of these offers. One of them that is paid at once is enough for none.
    pub fn methods(&self, offers: &[OfferPayLater]) -> impl Iterator<Item = ManualMethod> + '_ {
        let is_possible = offers.iter().all(|offer| self.allows(*offer));
        ManualMethod::ALL.into_iter().filter(move |method| is_possible && self.is_on(*method))
    }

    /// Those of these offers that must be paid at once.
    pub fn paid_at_once(&self, offers: &[OfferPayLater]) -> Vec<OfferId> {
        offers.iter().filter(|offer| !self.allows(**offer)).map(|offer| offer.offer).collect()
    }

    pub fn placement(&self, method: ManualMethod, now: Millis) -> Placement {
        Placement { method, placed_at: now, due_at: now + self.days(method) * DAY_MS }
    }
}

/// Refuses a buyer whom the shop could not find again: only who proved an e-mail address or has an account can owe it money.
pub fn check_buyer(buyer: &Actor) -> Result<(), Refusal> {
    OfferBuyers::Verified.check(buyer).map_err(|_| Refusal::MethodNeedsEmail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on() -> ManualPayments {
        ManualPayments { bank_transfer: true, bank_details: "IBAN 1".into(), ..ManualPayments::default() }
    }

    #[test]
    fn what_a_form_leaves_out_stays() {
        let form = ManualPaymentsForm {
            cash_on_delivery: Some(true),
            bank_details: Some("  Souk Bank \n\nIBAN \u{7}SA03 8000\n".into()),
            ..ManualPaymentsForm::default()
        };
        let after = form.apply(&on()).unwrap();
        assert_eq!(after.bank_details, "Souk Bank\n\nIBAN SA03 8000");
        assert_eq!((after.cash_on_delivery, after.bank_transfer, after.open_orders_max), (true, true, 3));
    }

    #[test]
    fn bad_settings_are_refused_with_their_field() {
        let form = ManualPaymentsForm::default;
        for (bad, field) in [
            (ManualPaymentsForm { cash_days: Some(0), ..form() }, "cash_days"),
            (ManualPaymentsForm { transfer_days: Some(91), ..form() }, "transfer_days"),
            (ManualPaymentsForm { open_orders_max: Some(0), ..form() }, "open_orders_max"),
            (ManualPaymentsForm { bank_details: Some(" \n".into()), ..form() }, "bank_details"),
            (ManualPaymentsForm { bank_details: Some("x\n".repeat(13)), ..form() }, "bank_details"),
            (ManualPaymentsForm { bank_details: Some("x".repeat(121)), ..form() }, "bank_details"),
        ] {
            let refused = bad.clone().apply(&on()).unwrap_err();
            assert_eq!(refused.field(), Some(format!("manual_payments.{field}").as_str()), "{bad:?}");
        }
        let off = ManualPaymentsForm { bank_details: Some(String::new()), bank_transfer: Some(false), ..form() };
        assert_eq!(off.apply(&on()).unwrap().bank_details, "");
    }

    #[test]
    fn flash_sales_are_paid_at_once_unless_the_shop_or_the_offer_says_otherwise() {
        let both = ManualPayments { cash_on_delivery: true, ..on() };
        let with_flash = ManualPayments { for_flash_sales: true, ..both.clone() };
        let of = |kind| move |choice| OfferPayLater { offer: OfferId::new(), kind, choice };
        let (regular, flash) = (of(OfferKind::Regular), of(OfferKind::Flash));
        for (offers, by_default, where_flash_may) in [
            (vec![regular(None)], true, true),
            (vec![flash(None)], false, true),
            (vec![regular(Some(false))], false, false),
            (vec![flash(Some(false))], false, false),
            (vec![regular(Some(true))], true, true),
            (vec![flash(Some(true))], true, true),
            (vec![regular(None), flash(Some(true))], true, true),
            (vec![regular(None), flash(None)], false, true),
            (vec![flash(Some(true)), regular(Some(false)), regular(None)], false, false),
        ] {
            for (settings, is_possible) in [(&both, by_default), (&with_flash, where_flash_may)] {
                let expected = if is_possible { &ManualMethod::ALL[..] } else { &[] };
                assert_eq!(settings.methods(&offers).collect::<Vec<_>>(), expected, "{offers:?}");
            }
        }
    }

    #[test]
    fn offer_cannot_turn_on_what_the_shop_has_off() {
        let allowed = [OfferPayLater { offer: OfferId::new(), kind: OfferKind::Regular, choice: Some(true) }];
        let methods = |settings: &ManualPayments| settings.methods(&allowed).collect::<Vec<_>>();
        assert_eq!(methods(&on()), [ManualMethod::BankTransfer]);
        assert_eq!(methods(&ManualPayments::default()), []);
    }

    #[test]
    fn payment_is_due_after_the_days_of_its_method() {
        let placed = on().placement(ManualMethod::CashOnDelivery, 5);
        assert_eq!((placed.placed_at, placed.due_at), (5, 5 + 14 * DAY_MS));
        assert_eq!(on().placement(ManualMethod::BankTransfer, 5).due_at, 5 + 7 * DAY_MS);
    }
}
