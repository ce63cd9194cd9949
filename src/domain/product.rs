//! The shop, its products, and the stock pools from which offers take their units.

use super::currency;
use super::limits::{self, Limit};
use super::text::{self, Titles};
use super::{Minor, ProductId, Refusal, ShopId, VariantId};

#[derive(Clone, PartialEq, Debug)]
pub struct Shop {
    pub id: ShopId,
    pub title: String,
    pub titles: Titles,
    /// The ISO 4217 code; one currency for the whole shop.
    pub currency: String,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Product {
    pub id: ProductId,
    pub title: String,
    pub titles: Titles,
    pub image: Option<String>,
    /// The category in the shop's own words, for example "Kitchen". The shop page filters by it.
    pub category: Option<String>,
    pub variants: Vec<Variant>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Variant {
    pub id: VariantId,
    pub name: String,
    pub names: Titles,
    pub sku: Option<String>,
    pub price: Minor,
    /// The stock pool: units that are not in any offer.
    pub stock: i64,
}

impl Shop {
    /// How many decimals amounts have. A shop that was created with a currency unknown to ISO 4217 has two.
    pub fn decimals(&self) -> u8 {
        currency::decimals(&self.currency).unwrap_or(2)
    }
}

/// The highest price of one unit. It keeps `price × quantity` far from an overflow.
pub const PRICE_MAX: Minor = 100_000_000_000;
/// The most units of a stock pool or an offer.
pub const UNITS_MAX: i64 = 10_000_000;

/// Checks a price: 0 to [`PRICE_MAX`].
pub fn validate_price(given: Minor) -> Result<Minor, Refusal> {
    in_range(given, limits::PRICE, "price")
}

pub(super) fn in_range(given: i64, (low, high): Limit, what: &'static str) -> Result<i64, Refusal> {
    if (low..=high).contains(&given) {
        Ok(given)
    } else {
        Err(Refusal::bad_field(what, format!("must be {low} to {high}.")))
    }
}

impl Product {
    /// Checks a product that a host typed.
    pub fn validated(mut self) -> Result<Self, Refusal> {
        self.title = text::title(&self.title)?;
        self.titles = text::titles(&self.titles)?;
        self.image =
            self.image.as_deref().map(text::media_url).transpose().map_err(|refusal| refusal.in_field("image"))?;
        self.category = self.category.filter(|text| !text.trim().is_empty());
        self.category = self.category.as_deref().map(text::category).transpose()?;
        if !(1..=100).contains(&self.variants.len()) {
            return Err(Refusal::bad_field("variants", "must be 1 to 100 variants."));
        }
        for (at, variant) in self.variants.iter_mut().enumerate() {
            let of = |name: &str| {
                let field = format!("variants[{at}].{name}");
                move |refusal: Refusal| refusal.in_field(field)
            };
            variant.name = text::title(&variant.name).map_err(of("name"))?;
            variant.names = text::titles(&variant.names).map_err(of("names"))?;
            variant.sku = variant.sku.as_deref().map(text::title).transpose().map_err(of("sku"))?;
            validate_price(variant.price).map_err(of("price"))?;
            in_range(variant.stock, limits::STOCK, "stock").map_err(of("stock"))?;
        }
        Ok(self)
    }
}
