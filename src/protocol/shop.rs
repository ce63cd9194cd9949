//! The shop as JSON.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::policy::PolicyKind;
use crate::domain::shop_settings::ShopProfile;
use crate::domain::{ManualMethod, Market, Minor, QuoteRules, Shop, ShopId, Titles};

/// What a page needs to show the card form of Stripe.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = StripeForm)]
pub struct StripeFormView {
    /// The publishable key of the account.
    pub publishable_key: String,
    /// The address of the script.
    pub script: String,
}

/// The shop.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Shop)]
pub struct ShopView {
    pub id: ShopId,
    pub title: String,
    pub titles: Titles,
    /// The ISO 4217 code.
    pub currency: String,
    /// How many decimals amounts have when people read and type them, by ISO 4217: with 2, the amount 150 is 1.50.
    #[schema(example = 2)]
    pub decimals: u8,
    /// `true` in a demo: `POST /v1/dev/tokens` gives a viewer's token to anybody.
    pub dev_login: bool,
    /// The payment provider. `stripe`: tokens are confirmation tokens of Stripe. `http`: an adapter of the operator, and the token
    /// `page` leads to the page of its provider. `test`: payments are trials without money. Null: the
    /// shop takes no payments, and reservations end at
    /// their time.
    pub payments: Option<&'static str>,
    /// The card form of Stripe for pages of browsers; null: the operator gave no publishable key, or payments are not those of Stripe.
    pub stripe: Option<StripeFormView>,
    /// Whether the shop sends e-mails: then an address that a buyer gives with the delivery address gets some.
    pub emails: bool,
    /// The ways to pay later that the shop has turned on; left out: none. `manual_methods` of an order says which of them it can be paid by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub manual_methods: Vec<ManualMethod>,
    /// Whether a coupon can be used now: the checkout has a field for its code.
    pub coupons: bool,
    /// The shop's public URL, if the operator has set it. Links for sharing begin with it.
    pub base_url: Option<String>,
    /// Where the shop is: ISO 3166-1, two letters. Null: its owner has not said it.
    pub country: Option<String>,
    /// The tax rate in basis points: 1500 is 15 %.
    pub tax_bp: i64,
    /// Prices contain the tax. Otherwise it is added to them.
    pub tax_included: bool,
    /// What the delivery of one parcel costs, in minor units; 0: nothing.
    pub delivery_fee: Minor,
    /// From this sum of goods on, delivery costs nothing; 0: it always has its fee.
    pub delivery_free_from: Minor,
    /// Where the shop delivers: an order to another country is refused.
    pub market: Market,
    /// The languages that readers may choose: some of `en`, `ar`, `id`; empty: all.
    pub languages: Vec<String>,
    /// The language of a reader whose own is not among them; null: English.
    pub language: Option<String>,
    /// The policies that can be read at `GET /v1/policies/{policy}`.
    pub policies: Vec<PolicyKind>,
}

impl ShopView {
    pub fn of(
        (shop, profile): (&Shop, &ShopProfile),
        dev_login: bool,
        payments: Option<&'static str>,
        stripe: Option<StripeFormView>,
        emails: bool,
        base_url: Option<&str>,
    ) -> Self {
        let decimals = shop.decimals();
        let Shop { id, title, titles, currency } = shop.clone();
        let ShopProfile { country, market, languages, language, policies, .. } = profile;
        let QuoteRules { tax_bp, tax_included, delivery_fee, delivery_free_from } = profile.quote_rules();
        let base_url = base_url.map(str::to_owned);
        Self {
            id,
            title,
            titles,
            currency,
            decimals,
            dev_login,
            payments,
            stripe,
            emails,
            manual_methods: profile.manual_payments.methods(&[]).collect(),
            coupons: false,
            base_url,
            country: country.clone(),
            tax_bp,
            tax_included,
            delivery_fee,
            delivery_free_from,
            market: market.clone(),
            languages: languages.clone(),
            language: language.clone(),
            policies: policies.keys().copied().collect(),
        }
    }
}
