//! The settings of a shop that its staff changes in the pages of the desk, without a restart.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::country::{self, COUNTRIES};
use super::manual_payment::ManualPaymentsForm;
use super::policy::{self, Policies};
use super::retention::{Retention, RetentionForm};
use super::{
    ManualPayments, Market, MarketForm, Minor, QuoteRules, Refusal, Shop, Titles, currency, limits, product, text,
};

/// The highest tax rate that may be typed, in basis points: 50 %.
pub const TAX_BP_MAX: i64 = 5_000;
const TIME_ZONE_LENGTH_MAX: usize = 40;
/// The longest name of a seller, and the longest line of its address, in characters.
pub const SELLER_LINE_MAX: usize = 120;
pub const SELLER_LINES_MAX: usize = 6;
pub const VAT_NUMBER_MAX: usize = 40;

/// A language of the pages.
pub const LANGUAGES: [&str; 3] = ["en", "ar", "id"];

/// Where the shop is, and what its pages speak. Stored as JSON; a field that is new has its default.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ShopProfile {
    /// ISO 3166-1, two letters; null: nobody has said it yet.
    pub country: Option<String>,
    /// A name of the IANA database, like `Asia/Riyadh`; null: the one of the reader.
    pub time_zone: Option<String>,
    /// The standard rate of the tax on goods, in basis points: 1500 is 15 %.
    pub tax_bp: i64,
    /// Do shown prices contain the tax?
    pub tax_included: bool,
    /// What the delivery of one parcel costs, in minor units; 0: nothing.
    pub delivery_fee: Minor,
    /// From this sum of goods on, delivery costs nothing; 0: it always has its fee.
    pub delivery_free_from: Minor,
    /// Where the shop delivers.
    pub market: Market,
    /// Cash on delivery and bank transfer.
    pub manual_payments: ManualPayments,
    /// The language of a reader whose own the shop does not speak: `en`, `ar` or `id`. Null: English.
    pub language: Option<String>,
    /// The languages that readers may choose; empty: all.
    pub languages: Vec<String>,
    /// The name of the seller on invoices; null: the title of the shop.
    pub legal_name: Option<String>,
    /// The address of the seller on invoices, line by line; empty: none.
    pub legal_address: Vec<String>,
    /// The seller's number for the value added tax, as invoices show it.
    pub vat_number: Option<String>,
    /// How long addresses, the chat and the log of e-mails are kept.
    pub retention: Retention,
    /// What buyers may read before they order, in Markdown, by kind and language.
    #[schema(value_type = std::collections::BTreeMap<String, Titles>)]
    pub policies: Policies,
}

/// What somebody typed into the settings of the shop. What is left out stays as it is.
#[derive(Clone, PartialEq, Debug, Default, Deserialize, ToSchema)]
pub struct ShopForm {
    pub title: Option<String>,
    pub titles: Option<Titles>,
    pub country: Option<String>,
    /// ISO 4217. It can be changed only while the shop has no product.
    pub currency: Option<String>,
    pub time_zone: Option<String>,
    pub tax_bp: Option<i64>,
    pub tax_included: Option<bool>,
    /// What the delivery of one parcel costs, in minor units.
    pub delivery_fee: Option<Minor>,
    /// From this sum of goods on, delivery costs nothing; 0: it always has its fee.
    pub delivery_free_from: Option<Minor>,
    /// Where the shop delivers. An order that is placed or paid keeps its country.
    pub market: Option<MarketForm>,
    /// Cash on delivery and bank transfer.
    pub manual_payments: Option<ManualPaymentsForm>,
    pub language: Option<String>,
    pub languages: Option<Vec<String>>,
    /// The name of the seller on invoices, at most 120 characters; empty: the title of the shop.
    pub legal_name: Option<String>,
    /// The address of the seller on invoices: at most 6 lines of 120 characters; empty: none.
    #[schema(max_items = 6)]
    pub legal_address: Option<Vec<String>>,
    /// The seller's number for the value added tax, at most 40 characters; empty: none. Invoices that are made without one stay so.
    pub vat_number: Option<String>,
    /// How long addresses, the chat and the log of e-mails are kept, in days: 0 to 3650; 0: forever. What is older is deleted within
    /// minutes and cannot be brought back.
    pub retention: Option<RetentionForm>,
    /// The texts of policies (`terms`, `returns`, `privacy`, `contact`) by language, each of at most 20,000 characters. A policy that is
    /// named has these texts only, and none if they are empty; the others stay.
    #[schema(value_type = Option<std::collections::BTreeMap<String, Titles>>)]
    pub policies: Option<Policies>,
}

impl ShopForm {
    /// The shop and its profile with the changes of this form.
    pub fn apply(self, shop: &Shop, profile: &ShopProfile) -> Result<(Shop, ShopProfile), Refusal> {
        let (mut shop, mut profile) = (shop.clone(), profile.clone());
        if let Some(title) = self.title {
            shop.title = text::title(&title)?;
        }
        if let Some(titles) = self.titles {
            shop.titles = text::titles(&titles)?;
        }
        if let Some(code) = self.currency {
            currency::decimals(&code)
                .ok_or_else(|| Refusal::bad_field("currency", "is not a currency of ISO 4217."))?;
            if code != shop.currency {
                // Amounts in the former currency mean something else in another one.
                (profile.delivery_fee, profile.delivery_free_from) = (0, 0);
            }
            shop.currency = code;
        }
        if let Some(code) = self.country {
            let found = country::find(&code).ok_or_else(|| Refusal::bad_field("country", "is not one of the list."))?;
            profile.country = Some(found.code.to_owned());
        }
        if let Some(zone) = self.time_zone {
            profile.time_zone = Some(checked_time_zone(zone)?);
        }
        if let Some(rate) = self.tax_bp {
            let is_valid = (0..=TAX_BP_MAX).contains(&rate);
            profile.tax_bp =
                if is_valid { rate } else { return Err(Refusal::bad_field("tax_bp", "must be 0 to 5000.")) };
        }
        profile.tax_included = self.tax_included.unwrap_or(profile.tax_included);
        if let Some(fee) = self.delivery_fee {
            profile.delivery_fee = product::in_range(fee, limits::PRICE, "delivery_fee")?;
        }
        if let Some(from) = self.delivery_free_from {
            profile.delivery_free_from = product::in_range(from, limits::PRICE, "delivery_free_from")?;
        }
        if let Some(form) = self.market {
            profile.market = form.apply(&profile.market)?;
        }
        if let Some(form) = self.manual_payments {
            profile.manual_payments = form.apply(&profile.manual_payments)?;
        }
        if let Some(languages) = self.languages {
            profile.languages = checked_languages(languages)?;
        }
        if let Some(form) = self.retention {
            profile.retention = form.apply(&profile.retention)?;
        }
        if let Some(policies) = self.policies {
            profile.policies = policy::change(&profile.policies, policies)?;
        }
        if let Some(language) = self.language {
            profile.language = Some(checked_language(language)?);
        }
        if let Some(name) = self.legal_name {
            profile.legal_name = optional_line(&name, "legal_name", SELLER_LINE_MAX)?;
        }
        if let Some(address) = self.legal_address {
            profile.legal_address = checked_seller_address(&address)?;
        }
        if let Some(number) = self.vat_number {
            profile.vat_number = optional_line(&number, "vat_number", VAT_NUMBER_MAX)?;
        }
        let speaks = |language: &String| profile.languages.is_empty() || profile.languages.contains(language);
        if profile.language.as_ref().is_some_and(|language| !speaks(language)) {
            return Err(Refusal::invalid_value("language", "must be one of the languages of the shop."));
        }
        Ok((shop, profile))
    }
}

/// What was typed on one line; `None`: nothing.
fn optional_line(given: &str, field: &'static str, length_max: usize) -> Result<Option<String>, Refusal> {
    match given.trim().is_empty() {
        true => Ok(None),
        false => text::exact_line(given, length_max).map(Some).map_err(|fault| fault.refusal(field, length_max)),
    }
}

/// The lines of an address without empty ones.
fn checked_seller_address(given: &[String]) -> Result<Vec<String>, Refusal> {
    let typed: Vec<&String> = given.iter().filter(|line| !line.trim().is_empty()).collect();
    if typed.len() > SELLER_LINES_MAX {
        return Err(Refusal::bad_field("legal_address", "must have at most 6 lines."));
    }
    let checked = |line: &String| {
        text::exact_line(line, SELLER_LINE_MAX).map_err(|fault| fault.refusal("legal_address", SELLER_LINE_MAX))
    };
    typed.into_iter().map(checked).collect()
}

fn checked_language(language: String) -> Result<String, Refusal> {
    match LANGUAGES.contains(&language.as_str()) {
        true => Ok(language),
        false => Err(Refusal::bad_field("language", "must be en, ar or id.")),
    }
}

fn checked_languages(mut languages: Vec<String>) -> Result<Vec<String>, Refusal> {
    if let Some(unknown) = languages.iter().find(|language| !LANGUAGES.contains(&language.as_str())) {
        return Err(Refusal::bad_field("languages", format!("{} is not en, ar or id.", unknown.escape_debug())));
    }
    languages.sort_unstable();
    languages.dedup();
    Ok(languages)
}

/// A name of the IANA database by its form. Browsers know the names; a server that had a list of its own would lack new ones.
fn checked_time_zone(zone: String) -> Result<String, Refusal> {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-+".contains(&byte))
    };
    let is_valid =
        zone.len() <= TIME_ZONE_LENGTH_MAX && (zone == "UTC" || zone.contains('/')) && zone.split('/').all(is_part);
    if is_valid { Ok(zone) } else { Err(Refusal::bad_field("time_zone", "must be a name like Asia/Riyadh.")) }
}

impl ShopProfile {
    /// How the shop charges tax and delivery.
    pub fn quote_rules(&self) -> QuoteRules {
        let Self { tax_bp, tax_included, delivery_fee, delivery_free_from, .. } = *self;
        QuoteRules { tax_bp, tax_included, delivery_fee, delivery_free_from }
    }

    /// The defaults of a country.
    pub fn of_country(code: &str) -> Option<Self> {
        let found = COUNTRIES.iter().find(|country| country.code == code)?;
        Some(Self {
            country: Some(found.code.to_owned()),
            time_zone: Some(found.time_zone.to_owned()),
            tax_bp: found.tax_bp,
            tax_included: found.tax_included,
            language: Some(found.language.to_owned()),
            ..Self::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ShopId;

    fn shop() -> Shop {
        Shop { id: ShopId::new(), title: "Old".to_owned(), titles: Titles::default(), currency: "USD".to_owned() }
    }

    fn apply(form: ShopForm) -> Result<(Shop, ShopProfile), Refusal> {
        let profile = ShopProfile { tax_bp: 700, language: Some("id".to_owned()), ..ShopProfile::default() };
        form.apply(&shop(), &profile)
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn what_a_form_leaves_out_stays() {
        let form = ShopForm { title: text(" Souk "), country: text("SA"), ..ShopForm::default() };
        let (shop, profile) = apply(form).unwrap();
        assert_eq!((shop.title.as_str(), shop.currency.as_str()), ("Souk", "USD"));
        assert_eq!(
            (profile.country.as_deref(), profile.tax_bp, profile.language.as_deref()),
            (Some("SA"), 700, Some("id"))
        );
    }

    #[test]
    fn bad_value_is_refused_with_its_field() {
        let form = ShopForm::default;
        for (bad, field) in [
            (ShopForm { title: text("\u{200b}"), ..form() }, "title"),
            (ShopForm { country: text("XX"), ..form() }, "country"),
            (ShopForm { currency: text("SAr"), ..form() }, "currency"),
            (ShopForm { time_zone: text("Riyadh"), ..form() }, "time_zone"),
            (ShopForm { time_zone: text("Asia/../Riyadh"), ..form() }, "time_zone"),
            (ShopForm { tax_bp: Some(-1), ..form() }, "tax_bp"),
            (ShopForm { tax_bp: Some(5_001), ..form() }, "tax_bp"),
            (ShopForm { delivery_fee: Some(-1), ..form() }, "delivery_fee"),
            (ShopForm { delivery_free_from: Some(i64::MAX), ..form() }, "delivery_free_from"),
            (ShopForm { language: text("fr"), ..form() }, "language"),
            (ShopForm { languages: Some(vec!["fr".to_owned()]), ..form() }, "languages"),
            (ShopForm { languages: Some(vec!["ar".to_owned()]), ..form() }, "language"),
            (ShopForm { legal_name: Some("x".repeat(121)), ..form() }, "legal_name"),
            (ShopForm { legal_address: Some(vec!["a".to_owned(); 7]), ..form() }, "legal_address"),
            (ShopForm { legal_address: Some(vec!["x".repeat(121)]), ..form() }, "legal_address"),
            (ShopForm { vat_number: Some("3".repeat(41)), ..form() }, "vat_number"),
        ] {
            let Err(refusal) = apply(bad.clone()) else { panic!("{bad:?} is accepted") };
            assert_eq!(refusal.field(), Some(field), "{bad:?}");
        }
        for zone in ["UTC", "Asia/Riyadh", "America/Argentina/Buenos_Aires", "Etc/GMT+3"] {
            assert!(apply(ShopForm { time_zone: text(zone), ..form() }).is_ok(), "{zone}");
        }
    }

    #[test]
    fn seller_of_invoices_is_typed_and_taken_away_again() {
        let typed = ShopForm {
            legal_name: text(" Souk LLC "),
            legal_address: Some(["12 King Fahd Road", " ", " Riyadh "].map(str::to_owned).to_vec()),
            vat_number: text("300000000000003"),
            ..ShopForm::default()
        };
        let (shop, profile) = apply(typed).unwrap();
        assert_eq!(profile.legal_name.as_deref(), Some("Souk LLC"));
        assert_eq!(profile.legal_address, ["12 King Fahd Road", "Riyadh"]);
        assert_eq!(profile.vat_number.as_deref(), Some("300000000000003"));
        let none = ShopForm { vat_number: text(" "), legal_address: Some(Vec::new()), ..ShopForm::default() };
        let (_, left) = none.apply(&shop, &profile).unwrap();
        assert_eq!((left.legal_name, left.legal_address, left.vat_number), (Some("Souk LLC".into()), Vec::new(), None));
    }

    #[test]
    fn languages_are_listed_once() {
        let languages = ["id", "ar", "id"].map(str::to_owned).to_vec();
        let (_, profile) = apply(ShopForm { languages: Some(languages), ..ShopForm::default() }).unwrap();
        assert_eq!(profile.languages, ["ar", "id"]);
    }
}
